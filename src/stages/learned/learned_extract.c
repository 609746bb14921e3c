/* Features by a model: the image in, keypoints with scores and descriptors out. What the model
 * gives is checked in full before any of it is used. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "stages/learned/tensor_image.h"

enum { KEYPOINTS, SCORES, DESCRIPTORS, OUTPUTS };

/* What sides the networks can take: DISK halves an image four times, ALIKED's blocks are of 32. */
enum { MULTIPLE = 16, COLMAP_MULTIPLE = 32 };
enum { MASK_FACTOR = 8 };

typedef struct Candidate {
    float score, uv[2];
    uint32_t index; /* in the model's outputs */
} Candidate;

/* The best first; of equals, the first. */
static int by_score(const void *a, const void *b) {
    const Candidate *p = a, *q = b;
    if (p->score != q->score)
        return p->score > q->score ? -1 : 1;
    return p->index < q->index ? -1 : 1;
}

/* How many to ask of a model that chooses the best itself: where a mask hides some, as many more
 * as would leave max_keypoints if they lay evenly, but no more than MASK_FACTOR times as many, each
 * of which costs the model a descriptor. */
static int64_t count_to_ask(const AqmImageView *mask, int max_keypoints) {
    if (!mask)
        return max_keypoints;
    size_t open = 0;
    const size_t all = (size_t)mask->width * (size_t)mask->height;
    for (int y = 0; y < mask->height; y++) {
        const uint8_t *row = (const uint8_t *)mask->data + (size_t)y * mask->stride;
        for (int x = 0; x < mask->width; x++)
            open += row[x] != 0;
    }
    const double factor = open ? (double)all / (double)open : 1.0;
    return (int64_t)ceil(max_keypoints * fmin(factor, MASK_FACTOR));
}

static AqmStatus check_request(const AqmModel *model, const AqmImageView *image,
                               const AqmImageView *mask, int max_keypoints, AqmDiag *diag) {
    if (model->kind != AQM_MODEL_EXTRACTOR && model->kind != AQM_MODEL_COLMAP_EXTRACTOR)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "%s is %s; an extractor is wanted",
                        model->session->path, aqm_model_kind_name(model->kind));
    AQM_TRY(aqm_check_image(image, diag));
    if (max_keypoints < 1)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "max_keypoints %d: at least 1", max_keypoints);
    if (mask && (mask->width != image->width || mask->height != image->height ||
                 mask->channels != 1 || mask->type != AQM_U8))
        return aqm_fail(
            diag, AQM_ERROR_ARGUMENT,
            "a mask of %d x %d with %d channels; %d x %d, 1 channel of 8 bits is wanted",
            mask->width, mask->height, mask->channels, image->width, image->height);
    return AQM_OK;
}

static AqmStatus run(AqmModel *model, const AqmImageView *image, const AqmPlacement *placement,
                     int64_t count, double min_score, AqmTensorOut out[OUTPUTS], AqmDiag *diag) {
    const int *given = placement->given;
    const float lowest = (float)min_score;
    const size_t size = (size_t)model->channels * (size_t)given[0] * (size_t)given[1];
    float *pixels = aqm_alloc(size, sizeof *pixels);
    if (!pixels)
        return aqm_fail_memory(diag, "an image for a model", size, sizeof *pixels);
    AqmTensorIn in[] = {
        {"image", AQM_ELEMENT_FLOAT, 4, {1, model->channels, given[1], given[0]}, pixels},
        {"max_keypoints", AQM_ELEMENT_INT64, 0, {1}, &count},
        {"min_score", AQM_ELEMENT_FLOAT, 0, {1}, &lowest},
    };
    const size_t in_count = model->kind == AQM_MODEL_COLMAP_EXTRACTOR ? 3 : 1;
    for (size_t i = 1; i < in_count; i++) /* a scalar or one of a list of one */
        in[i].rank = aqm_session_input(model->session, in[i].name)->rank;
    AqmStatus status = aqm_image_to_tensor(image, model->channels, placement, pixels, diag);
    if (status == AQM_OK)
        status = aqm_session_run(model->session, in, in_count, out, OUTPUTS, diag);
    aqm_free(pixels);
    return status;
}

/* The number of keypoints and the length of a descriptor. */
static AqmStatus check_outputs(const AqmModel *model, const AqmTensorOut out[OUTPUTS],
                               size_t *count, int *descriptor_size, AqmDiag *diag) {
    const AqmTensorOut *k = &out[KEYPOINTS], *d = &out[DESCRIPTORS];
    const bool is_batch = k->rank == 3 && k->shape[0] == 1;
    if ((!is_batch && k->rank != 2) || k->shape[k->rank - 1] != 2 ||
        (k->element != AQM_ELEMENT_FLOAT && k->element != AQM_ELEMENT_INT64 &&
         k->element != AQM_ELEMENT_INT32))
        return aqm_model_fail_output(model, k, diag, "float or int64 [1 N 2] or [N 2]");
    const int64_t n = k->shape[k->rank - 2];
    if (!aqm_tensor_is(&out[SCORES], 2, (int64_t[]){1, n}) &&
        !aqm_tensor_is(&out[SCORES], 1, (int64_t[]){n}))
        return aqm_model_fail_output(model, &out[SCORES], diag, "float [1 %lld] or [%lld]",
                                     (long long)n, (long long)n);
    const bool fits =
        aqm_tensor_is(d, 3, (int64_t[]){1, n, -1}) || aqm_tensor_is(d, 2, (int64_t[]){n, -1});
    const int64_t length = fits ? d->shape[d->rank - 1] : 0;
    if (length < 1 || length > 65536)
        return aqm_model_fail_output(model, d, diag, "float [1 %lld D] or [%lld D]", (long long)n,
                                     (long long)n);
    AQM_TRY(aqm_model_check_floats(model, &out[SCORES], false, diag));
    AQM_TRY(aqm_model_check_floats(model, d, false, diag));
    *count = (size_t)n;
    *descriptor_size = (int)length;
    return AQM_OK;
}

static bool is_open(const AqmImageView *mask, const float uv[2]) {
    if (!mask)
        return true;
    const int x = (int)lrintf(uv[0]), y = (int)lrintf(uv[1]);
    const int column = x < 0 ? 0 : x >= mask->width ? mask->width - 1 : x;
    const int row = y < 0 ? 0 : y >= mask->height ? mask->height - 1 : y;
    return ((const uint8_t *)mask->data)[(size_t)row * mask->stride + (size_t)column] != 0;
}

/* Those that may stay, the best first. */
static AqmStatus choose(const AqmModel *model, const AqmTensorOut out[OUTPUTS], size_t count,
                        const AqmPlacement *placement, const AqmImageView *mask, double min_score,
                        Candidate *chosen, size_t *chosen_count, AqmDiag *diag) {
    const float *scores = out[SCORES].data;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        Candidate c = {.score = scores[i], .index = (uint32_t)i};
        bool is_inside;
        AQM_TRY(aqm_read_keypoint(model, &out[KEYPOINTS], i, placement,
                                  model->kind == AQM_MODEL_COLMAP_EXTRACTOR, c.uv, &is_inside,
                                  diag));
        if (is_inside && c.score >= (float)min_score && is_open(mask, c.uv))
            chosen[kept++] = c;
    }
    qsort(chosen, kept, sizeof *chosen, by_score);
    *chosen_count = kept;
    return AQM_OK;
}

static AqmStatus collect(AqmFeatures **features, const AqmModel *model,
                         const AqmTensorOut out[OUTPUTS], const AqmPlacement *placement,
                         const AqmImageView *mask, int max_keypoints, double min_score,
                         AqmDiag *diag) {
    size_t count = 0, kept = 0;
    int size = 0;
    AqmFeatures *f = NULL;
    AQM_TRY(check_outputs(model, out, &count, &size, diag));
    Candidate *chosen = aqm_alloc(count, sizeof *chosen);
    if (!chosen)
        return aqm_fail_memory(diag, "keypoints", count, sizeof *chosen);
    AqmStatus status;
    AQM_TRY_GOTO(status, done,
                 choose(model, out, count, placement, mask, min_score, chosen, &kept, diag));
    kept = kept < (size_t)max_keypoints ? kept : (size_t)max_keypoints;
    AQM_TRY_GOTO(status, done, aqm_features_create(&f, kept, size, diag));
    const float *descriptors = out[DESCRIPTORS].data;
    for (size_t i = 0; i < kept; i++) {
        memcpy(f->position + 2 * i, chosen[i].uv, sizeof chosen[i].uv);
        f->score[i] = chosen[i].score;
        f->scale[i] = f->orientation[i] = NAN;
        memcpy(f->descriptor + i * (size_t)size, descriptors + chosen[i].index * (size_t)size,
               (size_t)size * sizeof *descriptors);
    }
    *features = f;
done:
    aqm_free(chosen);
    return status;
}

AqmStatus aqm_learned_extract(AqmFeatures **out, AqmModel *model, const AqmImageView *image,
                              const AqmImageView *mask, int max_keypoints, double min_score,
                              AqmDiag *diag) {
    AQM_TRY(check_request(model, image, mask, max_keypoints, diag));
    const AqmPlacement placement = aqm_place_image(
        model, image, model->kind == AQM_MODEL_COLMAP_EXTRACTOR ? COLMAP_MULTIPLE : MULTIPLE);
    AqmTensorOut tensors[OUTPUTS] = {
        {.name = "keypoints"}, {.name = "scores"}, {.name = "descriptors"}};
    AQM_TRY(
        run(model, image, &placement, count_to_ask(mask, max_keypoints), min_score, tensors, diag));
    const AqmStatus status =
        collect(out, model, tensors, &placement, mask, max_keypoints, min_score, diag);
    aqm_tensors_release(model->session, tensors, OUTPUTS);
    return status;
}
