#include "aquamvs/types.h"

#include <math.h>

#include "base/alloc.h"

AqmStatus aqm_image_create(AqmImage **out, int width, int height, int channels, AqmSampleType type,
                           AqmDiag *diag) {
    if (width < 1 || height < 1 || width > 65535 || height > 65535)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "image of %d x %d px: sides must be in 1..65535",
                        width, height);
    if (channels != 1 && channels != 3)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "image of %d channels: must be 1 or 3", channels);
    const size_t stride = (size_t)width * (size_t)channels * (size_t)type;
    AqmImage *image = aqm_calloc(1, sizeof *image);
    void *data = aqm_calloc((size_t)height, stride);
    if (!image || !data) {
        aqm_free(image);
        aqm_free(data);
        return aqm_fail_memory(diag, "an image", (size_t)height, stride);
    }
    *image = (AqmImage){width, height, channels, type, stride, data};
    *out = image;
    return AQM_OK;
}

void aqm_image_destroy(AqmImage **image) {
    if (!image || !*image)
        return;
    aqm_free((*image)->data);
    aqm_free(*image);
    *image = NULL;
}

AqmImageView aqm_image_view(const AqmImage *image) {
    return (AqmImageView){image->width, image->height, image->channels,
                          image->type,  image->stride, image->data};
}

AqmStatus aqm_rig_create(AqmRig **out, size_t camera_count, AqmDiag *diag) {
    AqmRig *rig = aqm_calloc(1, sizeof *rig);
    AqmCamera *cameras = aqm_calloc(camera_count, sizeof *cameras);
    if (!rig || !cameras) {
        aqm_free(rig);
        aqm_free(cameras);
        return aqm_fail_memory(diag, "a rig", camera_count, sizeof *cameras);
    }
    rig->camera_count = camera_count;
    rig->cameras = cameras;
    rig->n_air = rig->n_water = 1.0;
    rig->world_from_rig[0] = rig->world_from_rig[4] = rig->world_from_rig[8] = 1.0;
    *out = rig;
    return AQM_OK;
}

void aqm_rig_destroy(AqmRig **rig) {
    if (!rig || !*rig)
        return;
    aqm_free((*rig)->cameras);
    aqm_free(*rig);
    *rig = NULL;
}

AqmStatus aqm_depth_map_create(AqmDepthMap **out, int width, int height, AqmDiag *diag) {
    if (width < 1 || height < 1)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "depth map of %d x %d px: sides must be at least 1", width, height);
    const size_t count = (size_t)width * (size_t)height;
    AqmDepthMap *map = aqm_calloc(1, sizeof *map);
    float *depth = aqm_alloc(count, sizeof *depth),
          *confidence = aqm_calloc(count, sizeof *confidence),
          *sigma = aqm_alloc(count, sizeof *sigma);
    if (!map || !depth || !confidence || !sigma) {
        aqm_free(map);
        aqm_free(depth);
        aqm_free(confidence);
        aqm_free(sigma);
        return aqm_fail_memory(diag, "a depth map", count, 3 * sizeof *depth);
    }
    for (size_t i = 0; i < count; i++)
        depth[i] = sigma[i] = NAN;
    *map = (AqmDepthMap){width, height, depth, confidence, sigma};
    *out = map;
    return AQM_OK;
}

void aqm_depth_map_destroy(AqmDepthMap **map) {
    if (!map || !*map)
        return;
    aqm_free((*map)->depth_m);
    aqm_free((*map)->confidence);
    aqm_free((*map)->sigma_m);
    aqm_free(*map);
    *map = NULL;
}

AqmStatus aqm_cloud_create(AqmCloud **out, size_t capacity, AqmDiag *diag) {
    AqmCloud *cloud = aqm_calloc(1, sizeof *cloud);
    if (!cloud)
        return aqm_fail_memory(diag, "a point cloud", 1, sizeof *cloud);
    const AqmStatus status = aqm_cloud_reserve(cloud, capacity, diag);
    if (status != AQM_OK) {
        aqm_cloud_destroy(&cloud);
        return status;
    }
    *out = cloud;
    return AQM_OK;
}

void aqm_cloud_destroy(AqmCloud **cloud) {
    if (!cloud || !*cloud)
        return;
    aqm_free((*cloud)->position);
    aqm_free((*cloud)->normal);
    aqm_free((*cloud)->color);
    aqm_free((*cloud)->confidence);
    aqm_free((*cloud)->sigma_m);
    aqm_free((*cloud)->views);
    aqm_free(*cloud);
    *cloud = NULL;
}

/* Grows one array of a cloud; a larger array than `capacity` says is harmless if a later one fails.
 */
static bool grow(void **array, size_t capacity, size_t size) {
    void *grown = aqm_realloc(*array, capacity, size);
    if (grown)
        *array = grown;
    return grown != NULL;
}

AqmStatus aqm_cloud_reserve(AqmCloud *cloud, size_t capacity, AqmDiag *diag) {
    if (capacity <= cloud->capacity && cloud->position)
        return AQM_OK;
    if (!grow((void **)&cloud->position, capacity, 3 * sizeof(float)) ||
        !grow((void **)&cloud->normal, capacity, 3 * sizeof(float)) ||
        !grow((void **)&cloud->color, capacity, 3) ||
        !grow((void **)&cloud->confidence, capacity, sizeof(float)) ||
        !grow((void **)&cloud->sigma_m, capacity, sizeof(float)) ||
        !grow((void **)&cloud->views, capacity, 1))
        return aqm_fail_memory(diag, "a point cloud", capacity, 8 * sizeof(float) + 4);
    cloud->capacity = capacity;
    return AQM_OK;
}

AqmStatus aqm_mesh_create(AqmMesh **out, size_t vertex_count, size_t triangle_count,
                          AqmDiag *diag) {
    AqmMesh *mesh = aqm_calloc(1, sizeof *mesh);
    if (!mesh)
        return aqm_fail_memory(diag, "a mesh", 1, sizeof *mesh);
    *mesh = (AqmMesh){
        .vertex_count = vertex_count,
        .triangle_count = triangle_count,
        .position = aqm_calloc(vertex_count, 3 * sizeof(float)),
        .normal = aqm_calloc(vertex_count, 3 * sizeof(float)),
        .color = aqm_calloc(vertex_count, 3),
        .sigma_m = aqm_alloc(vertex_count, sizeof(float)),
        .views = aqm_calloc(vertex_count, 1),
        .triangles = aqm_calloc(triangle_count, 3 * sizeof(uint32_t)),
    };
    if (!mesh->position || !mesh->normal || !mesh->color || !mesh->sigma_m || !mesh->views ||
        !mesh->triangles) {
        aqm_mesh_destroy(&mesh);
        return aqm_fail_memory(diag, "a mesh", vertex_count + triangle_count, 8 * sizeof(float));
    }
    for (size_t i = 0; i < vertex_count; i++)
        mesh->sigma_m[i] = NAN;
    *out = mesh;
    return AQM_OK;
}

void aqm_mesh_destroy(AqmMesh **mesh) {
    if (!mesh || !*mesh)
        return;
    aqm_free((*mesh)->position);
    aqm_free((*mesh)->normal);
    aqm_free((*mesh)->color);
    aqm_free((*mesh)->sigma_m);
    aqm_free((*mesh)->views);
    aqm_free((*mesh)->triangles);
    aqm_free(*mesh);
    *mesh = NULL;
}

AqmStatus aqm_height_map_create(AqmHeightMap **out, int columns, int rows, AqmDiag *diag) {
    if (columns < 1 || rows < 1)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "height map of %d x %d nodes: sides must be at least 1", columns, rows);
    const size_t count = (size_t)columns * (size_t)rows;
    AqmHeightMap *map = aqm_calloc(1, sizeof *map);
    float *z = aqm_alloc(count, sizeof *z), *sigma = aqm_alloc(count, sizeof *sigma);
    if (!map || !z || !sigma) {
        aqm_free(map);
        aqm_free(z);
        aqm_free(sigma);
        return aqm_fail_memory(diag, "a height map", count, 2 * sizeof *z);
    }
    for (size_t i = 0; i < count; i++)
        z[i] = sigma[i] = NAN;
    *map = (AqmHeightMap){.columns = columns, .rows = rows, .z_m = z, .sigma_m = sigma};
    *out = map;
    return AQM_OK;
}

void aqm_height_map_destroy(AqmHeightMap **map) {
    if (!map || !*map)
        return;
    aqm_free((*map)->z_m);
    aqm_free((*map)->sigma_m);
    aqm_free(*map);
    *map = NULL;
}
