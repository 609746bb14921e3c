/* Matches by a model that is given the features of two images.
 *
 * LightGlue's own exports want positions around the image's centre, in halves of its longer side;
 * COLMAP's want px and the images' sizes. What comes back is either one index of a second feature
 * (or -1) for each first feature, or a list of pairs of indices: the scores, of which there is one
 * for each first feature or one for each pair, tell which. */
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "stages/learned/match_pairs.h"
#include "stages/learned/tensor_image.h"

enum { MATCHES, SCORES, OUTPUTS };

static AqmStatus check_features(const AqmModel *model, const char *positions,
                                const char *descriptors, const AqmFeatures *features,
                                AqmDiag *diag) {
    const AqmPort *k = aqm_session_input(model->session, positions);
    const AqmPort *d = aqm_session_input(model->session, descriptors);
    if (d->shape[2] >= 0 && d->shape[2] != features->descriptor_size)
        return aqm_fail(diag, AQM_ERROR_FORMAT,
                        "%s: matches descriptors of %lld values, these have %d: extractor and "
                        "matcher must be made for one another",
                        model->session->path, (long long)d->shape[2], features->descriptor_size);
    if ((k->shape[1] >= 0 && k->shape[1] != (int64_t)features->count) ||
        (d->shape[1] >= 0 && d->shape[1] != (int64_t)features->count))
        return aqm_fail(diag, AQM_ERROR_FORMAT,
                        "%s: takes exactly %lld features an image, there are %zu; export it with "
                        "an open number of keypoints",
                        model->session->path,
                        (long long)(k->shape[1] >= 0 ? k->shape[1] : d->shape[1]), features->count);
    return AQM_OK;
}

static AqmStatus check_request(const AqmModel *model, const AqmFeatures *first,
                               const int first_size[2], const AqmFeatures *second,
                               const int second_size[2], AqmDiag *diag) {
    if (model->kind != AQM_MODEL_MATCHER && model->kind != AQM_MODEL_COLMAP_MATCHER)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "%s is %s; a matcher is wanted",
                        model->session->path, aqm_model_kind_name(model->kind));
    for (int axis = 0; axis < 2; axis++)
        if (first_size[axis] < 1 || second_size[axis] < 1)
            return aqm_fail(diag, AQM_ERROR_ARGUMENT, "images of %d x %d and %d x %d",
                            first_size[0], first_size[1], second_size[0], second_size[1]);
    if (first->descriptor_size != second->descriptor_size)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "descriptors of %d and of %d values",
                        first->descriptor_size, second->descriptor_size);
    return AQM_OK;
}

/* Positions as the model wants them. */
static void put_positions(const AqmModel *model, const AqmFeatures *features, const int size[2],
                          float *out) {
    const float half = 0.5f * (float)(size[0] > size[1] ? size[0] : size[1]);
    const bool in_px = model->kind == AQM_MODEL_COLMAP_MATCHER;
    for (size_t i = 0; i < 2 * features->count; i++)
        out[i] = in_px ? features->position[i]
                       : (features->position[i] - 0.5f * (float)size[i % 2]) / half;
}

static AqmStatus run(AqmModel *model, const AqmFeatures *first, const int first_size[2],
                     const AqmFeatures *second, const int second_size[2], AqmTensorOut out[OUTPUTS],
                     AqmDiag *diag) {
    const size_t count = first->count + second->count;
    float *positions = aqm_alloc(count, 2 * sizeof *positions);
    if (!positions)
        return aqm_fail_memory(diag, "positions", count, 2 * sizeof *positions);
    float *second_positions = positions + 2 * first->count;
    put_positions(model, first, first_size, positions);
    put_positions(model, second, second_size, second_positions);
    const int64_t m = (int64_t)first->count, n = (int64_t)second->count;
    const int64_t size = first->descriptor_size;
    const float sizes[2][2] = {{(float)first_size[0], (float)first_size[1]},
                               {(float)second_size[0], (float)second_size[1]}};
    AqmTensorIn in[] = {
        {"kpts0", AQM_ELEMENT_FLOAT, 3, {1, m, 2}, positions},
        {"kpts1", AQM_ELEMENT_FLOAT, 3, {1, n, 2}, second_positions},
        {"desc0", AQM_ELEMENT_FLOAT, 3, {1, m, size}, first->descriptor},
        {"desc1", AQM_ELEMENT_FLOAT, 3, {1, n, size}, second->descriptor},
        {"image_size0", AQM_ELEMENT_FLOAT, 2, {1, 2}, sizes[0]},
        {"image_size1", AQM_ELEMENT_FLOAT, 2, {1, 2}, sizes[1]},
    };
    const size_t in_count = model->kind == AQM_MODEL_COLMAP_MATCHER ? 6 : 4;
    for (size_t i = 4; i < in_count; i++)
        if (aqm_session_input(model->session, in[i].name)->rank == 1) {
            in[i].rank = 1;
            in[i].shape[0] = 2;
        }
    const AqmStatus status = aqm_session_run(model->session, in, in_count, out, OUTPUTS, diag);
    aqm_free(positions);
    return status;
}

/* Index `i` of the matches, -1 allowed where the list is one of all first features. */
static AqmStatus read_index(const AqmModel *model, const AqmTensorOut *matches, size_t i,
                            double lowest, size_t count, double *index, AqmDiag *diag) {
    *index = aqm_tensor_number(matches, i);
    if (*index >= lowest && *index < (double)count && *index == (double)(int64_t)*index)
        return AQM_OK;
    return aqm_fail(diag, AQM_ERROR_FORMAT,
                    "%s: output %s names feature %.15g; there are %zu (0 to %lld)",
                    model->session->path, matches->name, *index, count, (long long)count - 1);
}

static bool is_integer(const AqmTensorOut *out) {
    return out->element == AQM_ELEMENT_INT64 || out->element == AQM_ELEMENT_INT32;
}

/* Pairs of the outputs, those below the threshold left out. `pairs` has room for each score. */
static AqmStatus read_pairs(const AqmModel *model, const AqmTensorOut out[OUTPUTS],
                            const AqmFeatures *first, const AqmFeatures *second, bool is_list,
                            float threshold, AqmPair *pairs, size_t *pair_count, AqmDiag *diag) {
    const float *scores = out[SCORES].data;
    size_t kept = 0;
    for (size_t i = 0; i < out[SCORES].count; i++) {
        double a = (double)i, b;
        if (is_list)
            AQM_TRY(read_index(model, &out[MATCHES], 2 * i, 0.0, first->count, &a, diag));
        AQM_TRY(read_index(model, &out[MATCHES], is_list ? 2 * i + 1 : i, is_list ? 0.0 : -1.0,
                           second->count, &b, diag));
        if (b >= 0.0 && scores[i] >= threshold)
            pairs[kept++] = (AqmPair){(uint32_t)a, (uint32_t)b, scores[i]};
    }
    *pair_count = kept;
    return AQM_OK;
}

/* *is_list: pairs [K 2] with scores [K]; else an index and a score for each first feature. */
static AqmStatus check_outputs(const AqmModel *model, const AqmTensorOut out[OUTPUTS],
                               size_t first_count, bool *is_list, AqmDiag *diag) {
    const AqmTensorOut *m = &out[MATCHES], *s = &out[SCORES];
    const int64_t n = (int64_t)first_count;
    if (!is_integer(m) && m->element != AQM_ELEMENT_FLOAT)
        return aqm_model_fail_output(model, m, diag, "int64, int32 or float");
    AQM_TRY(aqm_model_check_floats(model, s, true, diag));
    const int64_t flat[] = {n}, batch[] = {1, n};
    if ((aqm_tensor_is(m, 1, flat) || aqm_tensor_is(m, 2, batch)) &&
        (aqm_tensor_is(s, 2, batch) || (m->rank == 1 && aqm_tensor_is(s, 1, flat)))) {
        *is_list = false;
        return AQM_OK;
    }
    *is_list = true;
    if (s->rank == 1 && is_integer(m) && aqm_tensor_is(m, 2, (int64_t[]){s->shape[0], 2}))
        return AQM_OK;
    if (s->rank != 1 && s->rank != 2)
        return aqm_model_fail_output(model, s, diag, "float [K], [%lld] or [1 %lld]", (long long)n,
                                     (long long)n);
    return aqm_model_fail_output(model, m, diag,
                                 "int64 [K 2] with mscores0 [K], or [1 %lld] or [%lld] with "
                                 "mscores0 of the same shape (%zu values came)",
                                 (long long)n, (long long)n, s->count);
}

static AqmStatus collect(AqmMatches **matches, const AqmModel *model,
                         const AqmTensorOut out[OUTPUTS], const AqmFeatures *first,
                         const AqmFeatures *second, double threshold, AqmDiag *diag) {
    bool is_list;
    size_t count = 0;
    AQM_TRY(check_outputs(model, out, first->count, &is_list, diag));
    AqmPair *pairs = aqm_alloc(out[SCORES].count, sizeof *pairs);
    if (!pairs)
        return aqm_fail_memory(diag, "matches", out[SCORES].count, sizeof *pairs);
    AqmStatus status =
        read_pairs(model, out, first, second, is_list, (float)threshold, pairs, &count, diag);
    if (status == AQM_OK)
        status = aqm_matches_from_pairs(matches, pairs, count, first, second, diag);
    aqm_free(pairs);
    return status;
}

AqmStatus aqm_learned_match(AqmMatches **out, AqmModel *model, const AqmFeatures *first,
                            const int first_size[2], const AqmFeatures *second,
                            const int second_size[2], double filter_threshold, AqmDiag *diag) {
    AQM_TRY(check_request(model, first, first_size, second, second_size, diag));
    if (first->count == 0 || second->count == 0)
        return aqm_matches_create(out, 0, diag);
    AQM_TRY(check_features(model, "kpts0", "desc0", first, diag));
    AQM_TRY(check_features(model, "kpts1", "desc1", second, diag));
    AqmTensorOut tensors[OUTPUTS] = {{.name = "matches0"}, {.name = "mscores0"}};
    AQM_TRY(run(model, first, first_size, second, second_size, tensors, diag));
    const AqmStatus status = collect(out, model, tensors, first, second, filter_threshold, diag);
    aqm_tensors_release(model->session, tensors, OUTPUTS);
    return status;
}
