/* Features and matches as .npz, for numpy and for looking into a run afterwards. */
#include <limits.h>
#include <math.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "base/diag.h"

/* Arrays are read as float, which is exact for whole numbers below this. A 16-megapixel image has
 * no more pixels. */
static const uint32_t index_end = 1u << 24;

/* ---- reading arrays -------------------------------------------------------------------------- */

/* What an array of a file has to look like: `columns` 0 = one dimension. */
typedef struct Wanted {
    const char *path, *name;
    size_t count, columns;
} Wanted;

/* Reads an array over *into; what stood there is freed. */
static AqmStatus read_array(const Wanted *wanted, float **into, AqmDiag *diag) {
    float *data = NULL;
    size_t shape[3] = {0};
    int dimensions = 0;
    AQM_TRY(aqm_npz_read(wanted->path, wanted->name, &data, shape, &dimensions, diag));
    AqmStatus status = AQM_OK;
    if (dimensions != (wanted->columns > 0 ? 2 : 1))
        status =
            aqm_fail(diag, AQM_ERROR_FORMAT, "%s: array \"%s\" has %d dimensions, must have %d",
                     wanted->path, wanted->name, dimensions, wanted->columns > 0 ? 2 : 1);
    else if (shape[0] != wanted->count)
        status = aqm_fail(diag, AQM_ERROR_FORMAT,
                          "%s: array \"%s\" is of length %zu, but the file holds %zu entries",
                          wanted->path, wanted->name, shape[0], wanted->count);
    else if (wanted->columns > 0 && shape[1] != wanted->columns)
        status = aqm_fail(diag, AQM_ERROR_FORMAT, "%s: array \"%s\" has %zu columns, must have %zu",
                          wanted->path, wanted->name, shape[1], wanted->columns);
    if (status != AQM_OK) {
        aqm_free(data);
        return status;
    }
    aqm_free(*into);
    *into = data;
    return AQM_OK;
}

static AqmStatus read_positions(const Wanted *wanted, float **into, AqmDiag *diag) {
    AQM_TRY(read_array(wanted, into, diag));
    for (size_t i = 0; i < wanted->count; i++) {
        const double u = (double)(*into)[2 * i], v = (double)(*into)[2 * i + 1];
        if (!isfinite(u) || !isfinite(v))
            return aqm_fail(diag, AQM_ERROR_FORMAT,
                            "%s: array \"%s\", entry %zu: (%g, %g) is no position", wanted->path,
                            wanted->name, i, u, v);
    }
    return AQM_OK;
}

static AqmStatus read_indices(const Wanted *wanted, uint32_t *into, AqmDiag *diag) {
    float *data = NULL;
    AQM_TRY(read_array(wanted, &data, diag));
    AqmStatus status = AQM_OK;
    for (size_t i = 0; status == AQM_OK && i < wanted->count; i++) {
        if (data[i] >= 0.0f && data[i] < (float)index_end && data[i] == floorf(data[i]))
            into[i] = (uint32_t)data[i];
        else
            status = aqm_fail(diag, AQM_ERROR_FORMAT,
                              "%s: array \"%s\", entry %zu: %g is no index: a whole number of 0 to "
                              "%u",
                              wanted->path, wanted->name, i, (double)data[i], index_end - 1);
    }
    aqm_free(data);
    return status;
}

/* The shape of the array that says how many entries there are. */
static AqmStatus read_shape(const char *path, const char *name, int dimensions, size_t shape[3],
                            AqmDiag *diag) {
    float *data = NULL;
    int found = 0;
    AQM_TRY(aqm_npz_read(path, name, &data, shape, &found, diag));
    aqm_free(data);
    if (found != dimensions)
        return aqm_fail(diag, AQM_ERROR_FORMAT, "%s: array \"%s\" has %d dimensions, must have %d",
                        path, name, found, dimensions);
    return AQM_OK;
}

/* ---- features -------------------------------------------------------------------------------- */

AqmStatus aqm_features_write(const char *path, const AqmFeatures *features, AqmDiag *diag) {
    const size_t n = features->count, d = (size_t)features->descriptor_size;
    const AqmNpyArray arrays[5] = {
        {"keypoints", AQM_NPY_F32, 2, {n, 2, 0}, features->position},
        {"scales", AQM_NPY_F32, 1, {n, 0, 0}, features->scale},
        {"orientations", AQM_NPY_F32, 1, {n, 0, 0}, features->orientation},
        {"scores", AQM_NPY_F32, 1, {n, 0, 0}, features->score},
        {"descriptors", AQM_NPY_F32, 2, {n, d, 0}, features->descriptor},
    };
    return aqm_npz_write(path, arrays, 5, diag);
}

static AqmStatus read_features(const char *path, AqmFeatures *features, AqmDiag *diag) {
    const size_t n = features->count;
    AQM_TRY(read_positions(&(Wanted){path, "keypoints", n, 2}, &features->position, diag));
    AQM_TRY(read_array(&(Wanted){path, "scales", n, 0}, &features->scale, diag));
    AQM_TRY(read_array(&(Wanted){path, "orientations", n, 0}, &features->orientation, diag));
    return read_array(&(Wanted){path, "scores", n, 0}, &features->score, diag);
}

AqmStatus aqm_features_read(const char *path, AqmFeatures **out, AqmDiag *diag) {
    float *descriptors = NULL;
    size_t shape[3] = {0};
    int dimensions = 0;
    AqmFeatures *features = NULL;
    AQM_TRY(aqm_npz_read(path, "descriptors", &descriptors, shape, &dimensions, diag));
    AqmStatus status = AQM_OK;
    if (dimensions != 2 || shape[1] < 1 || shape[1] > INT_MAX)
        status = aqm_fail(diag, AQM_ERROR_FORMAT,
                          "%s: array \"descriptors\" is not features x values", path);
    if (status == AQM_OK) /* empty: all arrays are taken over from the file */
        status = aqm_features_create(&features, 0, (int)shape[1], diag);
    if (status != AQM_OK) {
        aqm_free(descriptors);
        return status;
    }
    aqm_free(features->descriptor);
    features->descriptor = descriptors;
    features->count = shape[0];
    status = read_features(path, features, diag);
    if (status != AQM_OK)
        aqm_features_destroy(&features);
    else
        *out = features;
    return status;
}

/* ---- matches --------------------------------------------------------------------------------- */

AqmStatus aqm_matches_write(const char *path, const AqmMatches *matches, AqmDiag *diag) {
    const size_t n = matches->count;
    for (size_t i = 0; i < n; i++)
        if (matches->first[i] >= index_end || matches->second[i] >= index_end)
            return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                            "%s: match %zu is of features %u and %u: at most %u can be written",
                            path, i, matches->first[i], matches->second[i], index_end - 1);
    const AqmNpyArray arrays[5] = {
        {"first", AQM_NPY_I32, 1, {n, 0, 0}, matches->first},
        {"second", AQM_NPY_I32, 1, {n, 0, 0}, matches->second},
        {"first_keypoints", AQM_NPY_F32, 2, {n, 2, 0}, matches->first_position},
        {"second_keypoints", AQM_NPY_F32, 2, {n, 2, 0}, matches->second_position},
        {"scores", AQM_NPY_F32, 1, {n, 0, 0}, matches->score},
    };
    return aqm_npz_write(path, arrays, 5, diag);
}

static AqmStatus read_matches(const char *path, AqmMatches *matches, AqmDiag *diag) {
    const size_t n = matches->count;
    AQM_TRY(read_indices(&(Wanted){path, "first", n, 0}, matches->first, diag));
    AQM_TRY(read_indices(&(Wanted){path, "second", n, 0}, matches->second, diag));
    AQM_TRY(
        read_positions(&(Wanted){path, "first_keypoints", n, 2}, &matches->first_position, diag));
    AQM_TRY(
        read_positions(&(Wanted){path, "second_keypoints", n, 2}, &matches->second_position, diag));
    return read_array(&(Wanted){path, "scores", n, 0}, &matches->score, diag);
}

AqmStatus aqm_matches_read(const char *path, AqmMatches **out, AqmDiag *diag) {
    size_t shape[3] = {0};
    AqmMatches *matches = NULL;
    AQM_TRY(read_shape(path, "first", 1, shape, diag));
    AQM_TRY(aqm_matches_create(&matches, shape[0], diag));
    matches->count = shape[0];
    const AqmStatus status = read_matches(path, matches, diag);
    if (status != AQM_OK)
        aqm_matches_destroy(&matches);
    else
        *out = matches;
    return status;
}
