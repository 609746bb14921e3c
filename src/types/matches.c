#include "aquamvs/types.h"

#include <math.h>

#include "base/alloc.h"

/* ---- features and matches -------------------------------------------------------------------- */

AqmStatus aqm_features_create(AqmFeatures **out, size_t count, int descriptor_size, AqmDiag *diag) {
    if (descriptor_size < 1)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "a descriptor of %d values: at least 1",
                        descriptor_size);
    AqmFeatures *features = aqm_calloc(1, sizeof *features);
    if (!features)
        return aqm_fail_memory(diag, "features", 1, sizeof *features);
    const size_t descriptor_bytes = (size_t)descriptor_size * sizeof(float);
    *features = (AqmFeatures){
        .count = count,
        .descriptor_size = descriptor_size,
        .position = aqm_calloc(count, 2 * sizeof(float)),
        .scale = aqm_calloc(count, sizeof(float)),
        .orientation = aqm_calloc(count, sizeof(float)),
        .score = aqm_calloc(count, sizeof(float)),
        .descriptor = aqm_calloc(count, descriptor_bytes),
    };
    if (!features->position || !features->scale || !features->orientation || !features->score ||
        !features->descriptor) {
        aqm_features_destroy(&features);
        return aqm_fail_memory(diag, "features", count, descriptor_bytes);
    }
    *out = features;
    return AQM_OK;
}

void aqm_features_destroy(AqmFeatures **features) {
    if (!features || !*features)
        return;
    aqm_free((*features)->position);
    aqm_free((*features)->scale);
    aqm_free((*features)->orientation);
    aqm_free((*features)->score);
    aqm_free((*features)->descriptor);
    aqm_free(*features);
    *features = NULL;
}

AqmStatus aqm_matches_create(AqmMatches **out, size_t capacity, AqmDiag *diag) {
    AqmMatches *matches = aqm_calloc(1, sizeof *matches);
    if (!matches)
        return aqm_fail_memory(diag, "matches", 1, sizeof *matches);
    *matches = (AqmMatches){
        .capacity = capacity,
        .first = aqm_calloc(capacity, sizeof(uint32_t)),
        .second = aqm_calloc(capacity, sizeof(uint32_t)),
        .first_position = aqm_calloc(capacity, 2 * sizeof(float)),
        .second_position = aqm_calloc(capacity, 2 * sizeof(float)),
        .score = aqm_calloc(capacity, sizeof(float)),
    };
    if (!matches->first || !matches->second || !matches->first_position ||
        !matches->second_position || !matches->score) {
        aqm_matches_destroy(&matches);
        return aqm_fail_memory(diag, "matches", capacity, 7 * sizeof(float));
    }
    *out = matches;
    return AQM_OK;
}

void aqm_matches_destroy(AqmMatches **matches) {
    if (!matches || !*matches)
        return;
    aqm_free((*matches)->first);
    aqm_free((*matches)->second);
    aqm_free((*matches)->first_position);
    aqm_free((*matches)->second_position);
    aqm_free((*matches)->score);
    aqm_free(*matches);
    *matches = NULL;
}

/* ---- warps ----------------------------------------------------------------------------------- */

AqmStatus aqm_warp_create(AqmWarp **out, int width, int height, AqmDiag *diag) {
    if (width < 1 || height < 1)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "a warp of %d x %d cells: at least 1 x 1", width,
                        height);
    AqmWarp *warp = aqm_calloc(1, sizeof *warp);
    if (!warp)
        return aqm_fail_memory(diag, "a warp", 1, sizeof *warp);
    const size_t cells = (size_t)width * (size_t)height;
    *warp = (AqmWarp){
        .width = width,
        .height = height,
        .target = aqm_alloc(cells, 2 * sizeof(float)),
        .certainty = aqm_calloc(cells, sizeof(float)),
        .sigma_px = aqm_alloc(cells, sizeof(float)),
    };
    if (!warp->target || !warp->certainty || !warp->sigma_px) {
        aqm_warp_destroy(&warp);
        return aqm_fail_memory(diag, "a warp", cells, 4 * sizeof(float));
    }
    for (size_t k = 0; k < cells; k++)
        warp->target[2 * k] = warp->target[2 * k + 1] = warp->sigma_px[k] = NAN;
    *out = warp;
    return AQM_OK;
}

void aqm_warp_destroy(AqmWarp **warp) {
    if (!warp || !*warp)
        return;
    aqm_free((*warp)->target);
    aqm_free((*warp)->certainty);
    aqm_free((*warp)->sigma_px);
    aqm_free(*warp);
    *warp = NULL;
}

/* ---- tracks ---------------------------------------------------------------------------------- */

AqmStatus aqm_tracks_create(AqmTracks **out, size_t count, size_t observation_count,
                            AqmDiag *diag) {
    AqmTracks *tracks = aqm_calloc(1, sizeof *tracks);
    if (!tracks)
        return aqm_fail_memory(diag, "tracks", 1, sizeof *tracks);
    *tracks = (AqmTracks){
        .count = count,
        .position = aqm_calloc(count, 3 * sizeof(double)),
        .sigma_m = aqm_calloc(count, sizeof(float)),
        .error_px = aqm_calloc(count, sizeof(float)),
        .first = aqm_calloc(count + 1, sizeof(size_t)),
        .observation = aqm_calloc(observation_count, sizeof(AqmObservation)),
    };
    if (!tracks->position || !tracks->sigma_m || !tracks->error_px || !tracks->first ||
        !tracks->observation) {
        aqm_tracks_destroy(&tracks);
        return aqm_fail_memory(diag, "tracks", count + observation_count, 5 * sizeof(double));
    }
    *out = tracks;
    return AQM_OK;
}

void aqm_tracks_destroy(AqmTracks **tracks) {
    if (!tracks || !*tracks)
        return;
    aqm_free((*tracks)->position);
    aqm_free((*tracks)->sigma_m);
    aqm_free((*tracks)->error_px);
    aqm_free((*tracks)->first);
    aqm_free((*tracks)->observation);
    aqm_free(*tracks);
    *tracks = NULL;
}
