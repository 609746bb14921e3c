/* Features and matches of two images by one model that does both. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "stages/learned/match_pairs.h"
#include "stages/learned/tensor_image.h"

enum { KEYPOINTS, MATCHES, SCORES, OUTPUTS };
enum { MULTIPLE = 16 }; /* see extract.c */
#define DROPPED UINT32_MAX

/* The keypoints of one image that lie in it, and where each of the model's went. */
typedef struct Side {
    AqmFeatures *features;
    uint32_t *renumbered; /* DROPPED: in the padding */
} Side;

static void free_side(Side *side) {
    aqm_features_destroy(&side->features);
    aqm_free(side->renumbered);
}

static AqmStatus check_request(const AqmModel *model, const AqmImageView *first,
                               const AqmImageView *second, AqmDiag *diag) {
    if (model->kind != AQM_MODEL_PIPELINE)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "%s is %s; extractor and matcher in one is wanted", model->session->path,
                        aqm_model_kind_name(model->kind));
    AQM_TRY(aqm_check_image(first, diag));
    AQM_TRY(aqm_check_image(second, diag));
    if (first->width != second->width || first->height != second->height)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "images of %d x %d and %d x %d; %s takes two of one size", first->width,
                        first->height, second->width, second->height, model->session->path);
    return AQM_OK;
}

static AqmStatus run(AqmModel *model, const AqmImageView *first, const AqmImageView *second,
                     const AqmPlacement *placement, AqmTensorOut out[OUTPUTS], AqmDiag *diag) {
    const int *given = placement->given;
    const size_t size = (size_t)model->channels * (size_t)given[0] * (size_t)given[1];
    float *pixels = aqm_alloc(size, 2 * sizeof *pixels);
    if (!pixels)
        return aqm_fail_memory(diag, "images for a model", size, 2 * sizeof *pixels);
    const AqmTensorIn in = {
        "images", AQM_ELEMENT_FLOAT, 4, {2, model->channels, given[1], given[0]}, pixels};
    AqmStatus status = aqm_image_to_tensor(first, model->channels, placement, pixels, diag);
    if (status == AQM_OK)
        status = aqm_image_to_tensor(second, model->channels, placement, pixels + size, diag);
    if (status == AQM_OK)
        status = aqm_session_run(model->session, &in, 1, out, OUTPUTS, diag);
    aqm_free(pixels);
    return status;
}

static bool is_integer(const AqmTensorOut *out) {
    return out->element == AQM_ELEMENT_INT64 || out->element == AQM_ELEMENT_INT32;
}

static AqmStatus check_outputs(const AqmModel *model, const AqmTensorOut out[OUTPUTS],
                               AqmDiag *diag) {
    const AqmTensorOut *k = &out[KEYPOINTS], *m = &out[MATCHES], *s = &out[SCORES];
    if (!aqm_tensor_is(k, 3, (int64_t[]){2, -1, 2}) ||
        (!is_integer(k) && k->element != AQM_ELEMENT_FLOAT))
        return aqm_model_fail_output(model, k, diag, "float or int64 [2 N 2]");
    if (!aqm_tensor_is(m, 2, (int64_t[]){-1, 3}) || !is_integer(m))
        return aqm_model_fail_output(model, m, diag, "int64 [K 3]");
    if (!aqm_tensor_is(s, 1, (int64_t[]){m->shape[0]}))
        return aqm_model_fail_output(model, s, diag, "float [%lld]", (long long)m->shape[0]);
    return aqm_model_check_floats(model, s, true, diag);
}

static AqmStatus read_side(Side *side, const AqmModel *model, const AqmTensorOut *keypoints,
                           size_t image, const AqmPlacement *placement, AqmDiag *diag) {
    const size_t count = (size_t)keypoints->shape[1];
    side->renumbered = aqm_alloc(count, sizeof *side->renumbered);
    if (!side->renumbered)
        return aqm_fail_memory(diag, "keypoints", count, sizeof *side->renumbered);
    AQM_TRY(aqm_features_create(&side->features, count, 1, diag));
    AqmFeatures *f = side->features;
    f->count = 0;
    for (size_t i = 0; i < count; i++) {
        float uv[2];
        bool is_inside;
        AQM_TRY(aqm_read_keypoint(model, keypoints, image * count + i, placement, false, uv,
                                  &is_inside, diag));
        side->renumbered[i] = is_inside ? (uint32_t)f->count : DROPPED;
        if (!is_inside)
            continue;
        f->scale[f->count] = f->orientation[f->count] = NAN;
        memcpy(f->position + 2 * f->count++, uv, sizeof uv);
    }
    return AQM_OK;
}

static AqmStatus read_pairs(const AqmModel *model, const AqmTensorOut out[OUTPUTS],
                            const Side sides[2], float threshold, AqmPair *pairs,
                            size_t *pair_count, AqmDiag *diag) {
    const float *scores = out[SCORES].data;
    const int64_t keypoints = out[KEYPOINTS].shape[1], limits[3] = {1, keypoints, keypoints};
    size_t kept = 0;
    for (size_t i = 0; i < out[SCORES].count; i++) {
        double row[3];
        for (size_t c = 0; c < 3; c++) {
            row[c] = aqm_tensor_number(&out[MATCHES], 3 * i + c);
            if (!(row[c] >= 0.0 && row[c] < (double)limits[c]))
                return aqm_fail(diag, AQM_ERROR_FORMAT,
                                "%s: output matches has %.15g as the %s of match %zu; 0 to %lld "
                                "can be",
                                model->session->path, row[c],
                                c == 0 ? "pair of images" : "keypoint", i,
                                (long long)limits[c] - 1);
        }
        const uint32_t a = sides[0].renumbered[(size_t)row[1]];
        const uint32_t b = sides[1].renumbered[(size_t)row[2]];
        if (a != DROPPED && b != DROPPED && scores[i] >= threshold)
            pairs[kept++] = (AqmPair){a, b, scores[i]};
    }
    *pair_count = kept;
    return AQM_OK;
}

static AqmStatus collect(Side sides[2], AqmMatches **matches, const AqmModel *model,
                         const AqmTensorOut out[OUTPUTS], const AqmPlacement *placement,
                         double threshold, AqmDiag *diag) {
    size_t count = 0;
    AQM_TRY(check_outputs(model, out, diag));
    for (size_t i = 0; i < 2; i++)
        AQM_TRY(read_side(&sides[i], model, &out[KEYPOINTS], i, placement, diag));
    AqmPair *pairs = aqm_alloc(out[SCORES].count, sizeof *pairs);
    if (!pairs)
        return aqm_fail_memory(diag, "matches", out[SCORES].count, sizeof *pairs);
    AqmStatus status = read_pairs(model, out, sides, (float)threshold, pairs, &count, diag);
    if (status == AQM_OK)
        status = aqm_matches_from_pairs(matches, pairs, count, sides[0].features, sides[1].features,
                                        diag);
    aqm_free(pairs);
    return status;
}

AqmStatus aqm_learned_match_images(AqmFeatures **first_features, AqmFeatures **second_features,
                                   AqmMatches **matches, AqmModel *model, const AqmImageView *first,
                                   const AqmImageView *second, double filter_threshold,
                                   AqmDiag *diag) {
    AQM_TRY(check_request(model, first, second, diag));
    const AqmPlacement placement = aqm_place_image(model, first, MULTIPLE);
    AqmTensorOut tensors[OUTPUTS] = {
        {.name = "keypoints"}, {.name = "matches"}, {.name = "mscores"}};
    AQM_TRY(run(model, first, second, &placement, tensors, diag));
    Side sides[2] = {{0}};
    const AqmStatus status =
        collect(sides, matches, model, tensors, &placement, filter_threshold, diag);
    aqm_tensors_release(model->session, tensors, OUTPUTS);
    if (status == AQM_OK) {
        *first_features = sides[0].features;
        *second_features = sides[1].features;
        sides[0].features = sides[1].features = NULL;
    }
    free_side(&sides[0]);
    free_side(&sides[1]);
    return status;
}
