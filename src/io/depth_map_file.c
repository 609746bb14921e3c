#include <math.h>
#include <string.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "io/npz_read.h"

AqmStatus aqm_depth_map_write(const char *path, const AqmDepthMap *map, AqmDiag *diag) {
    const size_t height = (size_t)map->height, width = (size_t)map->width;
    const AqmNpyArray arrays[3] = {
        {"depth", AQM_NPY_F32, 2, {height, width, 0}, map->depth_m},
        {"confidence", AQM_NPY_F32, 2, {height, width, 0}, map->confidence},
        {"sigma", AQM_NPY_F32, 2, {height, width, 0}, map->sigma_m},
    };
    return aqm_npz_write(path, arrays, 3, diag);
}

/* Shapes that are no images are FORMAT errors. */
static AqmStatus read_plane(const char *path, const char *name, float **plane, size_t shape[3],
                            AqmDiag *diag) {
    int dimensions = 0;
    AQM_TRY(aqm_npz_read(path, name, plane, shape, &dimensions, diag));
    if (dimensions == 2 && shape[0] >= 1 && shape[1] >= 1 && shape[0] <= 65535 && shape[1] <= 65535)
        return AQM_OK;
    aqm_free(*plane);
    *plane = NULL;
    return aqm_fail(diag, AQM_ERROR_FORMAT, "%s: array \"%s\" is not height x width", path, name);
}

/* Full confidence in every depth that is there, for files that hold depth alone (ground truth). */
static void full_confidence(const AqmDepthMap *map) {
    const size_t count = (size_t)map->width * (size_t)map->height;
    for (size_t i = 0; i < count; i++)
        map->confidence[i] = isnan(map->depth_m[i]) ? 0.0f : 1.0f;
}

/* Reads a plane of the depth map's own size over one of its planes. */
static AqmStatus read_beside(const char *path, const char *name, const AqmDepthMap *map,
                             float **into, AqmDiag *diag) {
    float *plane = NULL;
    size_t shape[3] = {0};
    AQM_TRY(read_plane(path, name, &plane, shape, diag));
    if (shape[0] != (size_t)map->height || shape[1] != (size_t)map->width) {
        aqm_free(plane);
        return aqm_fail(diag, AQM_ERROR_FORMAT, "%s: depth is %d x %d but %s %zu x %zu", path,
                        map->height, map->width, name, shape[0], shape[1]);
    }
    aqm_free(*into);
    *into = plane;
    return AQM_OK;
}

static AqmStatus read_rest(const char *path, AqmDepthMap *map, AqmDiag *diag) {
    if (!aqm_npz_has(path, "confidence"))
        full_confidence(map);
    else
        AQM_TRY(read_beside(path, "confidence", map, &map->confidence, diag));
    return aqm_npz_has(path, "sigma") ? read_beside(path, "sigma", map, &map->sigma_m, diag)
                                      : AQM_OK;
}

AqmStatus aqm_depth_map_read(const char *path, AqmDepthMap **out, AqmDiag *diag) {
    float *depth = NULL;
    size_t shape[3] = {0};
    AqmDepthMap *map = NULL;
    AQM_TRY(read_plane(path, "depth", &depth, shape, diag));
    AqmStatus status = aqm_depth_map_create(&map, (int)shape[1], (int)shape[0], diag);
    if (status == AQM_OK) {
        memcpy(map->depth_m, depth, shape[0] * shape[1] * sizeof *depth);
        status = read_rest(path, map, diag);
    }
    aqm_free(depth);
    if (status != AQM_OK)
        aqm_depth_map_destroy(&map);
    else
        *out = map;
    return status;
}
