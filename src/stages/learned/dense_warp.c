/* A dense warp by a model, one pair at a time.
 *
 * The model sees both images squeezed to its own size w x h and says for each cell of the first
 * where it lies in the second, in -1..1 from edge to edge. Cells tile an image: cell i of w spans
 * [-0.5 + i W / w, -0.5 + (i + 1) W / w] px, and so -1 is pixel -0.5 and 1 is pixel W - 0.5,
 * whatever w is: u = (x + 1) / 2 * W - 0.5.
 *
 * Its precision, where it gives one, is the inverse P of the covariance of that position in px of
 * the images as the model sees them; on the way to px of the second image covariances grow by
 * (W / w)^2 and (H / h)^2. sigma is the root of the mean of both variances. */
#include <math.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "stages/learned/tensor_image.h"

enum { WARP, OVERLAP, PRECISION, OUTPUTS };

static AqmStatus check_request(const AqmModel *model, const AqmImageView *first,
                               const AqmImageView *second, const AqmPlacement *placement,
                               AqmDiag *diag) {
    if (model->kind != AQM_MODEL_DENSE)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "%s is %s; a dense matcher is wanted",
                        model->session->path, aqm_model_kind_name(model->kind));
    AQM_TRY(aqm_check_image(first, diag));
    AQM_TRY(aqm_check_image(second, diag));
    for (int axis = 0; axis < 2; axis++)
        if (placement->given[axis] < 1 || placement->given[axis] > 65535)
            return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                            "a warp of %d x %d cells: 1 to 65535 a side can be",
                            placement->given[0], placement->given[1]);
    return AQM_OK;
}

static AqmPlacement place(const AqmModel *model, const AqmImageView *image, int width, int height) {
    AqmPlacement p = {.image = {image->width, image->height}};
    p.scaled[0] = p.given[0] = model->width ? model->width : width;
    p.scaled[1] = p.given[1] = model->height ? model->height : height;
    return p;
}

static AqmStatus run(AqmModel *model, const AqmImageView *first, const AqmImageView *second,
                     const AqmPlacement placement[2], AqmTensorOut *out, size_t out_count,
                     AqmDiag *diag) {
    const int *given = placement[0].given;
    const size_t size = 3 * (size_t)given[0] * (size_t)given[1];
    float *pixels = aqm_alloc(size, 2 * sizeof *pixels);
    if (!pixels)
        return aqm_fail_memory(diag, "images for a model", size, 2 * sizeof *pixels);
    const AqmTensorIn in[] = {
        {"img_A", AQM_ELEMENT_FLOAT, 4, {1, 3, given[1], given[0]}, pixels},
        {"img_B", AQM_ELEMENT_FLOAT, 4, {1, 3, given[1], given[0]}, pixels + size},
    };
    AqmStatus status = aqm_image_to_tensor(first, 3, &placement[0], pixels, diag);
    if (status == AQM_OK)
        status = aqm_image_to_tensor(second, 3, &placement[1], pixels + size, diag);
    if (status == AQM_OK)
        status = aqm_session_run(model->session, in, 2, out, out_count, diag);
    aqm_free(pixels);
    return status;
}

static AqmStatus check_outputs(const AqmModel *model, const AqmTensorOut *out, size_t out_count,
                               const int given[2], AqmDiag *diag) {
    const int64_t h = given[1], w = given[0], shape[5] = {1, h, w, 2, 2}, one[4] = {1, h, w, 1};
    if (!aqm_tensor_is(&out[WARP], 4, shape))
        return aqm_model_fail_output(model, &out[WARP], diag, "float [1 %d %d 2]", given[1],
                                     given[0]);
    if (!aqm_tensor_is(&out[OVERLAP], 4, one) && !aqm_tensor_is(&out[OVERLAP], 3, one))
        return aqm_model_fail_output(model, &out[OVERLAP], diag, "float [1 %d %d 1]", given[1],
                                     given[0]);
    AQM_TRY(aqm_model_check_floats(model, &out[WARP], false, diag));
    AQM_TRY(aqm_model_check_floats(model, &out[OVERLAP], true, diag));
    if (out_count <= PRECISION)
        return AQM_OK;
    if (!aqm_tensor_is(&out[PRECISION], 5, shape) && !aqm_tensor_is(&out[PRECISION], 4, one))
        return aqm_model_fail_output(model, &out[PRECISION], diag,
                                     "float [1 %d %d 2 2] or [1 %d %d 1]", given[1], given[0],
                                     given[1], given[0]);
    return aqm_model_check_floats(model, &out[PRECISION], false, diag);
}

/* NaN where the precision is no positive definite matrix: nothing is known of one direction. */
static float sigma_of(const AqmTensorOut *precision, size_t cell, const AqmPlacement *placement) {
    const float *p = (const float *)precision->data + cell * (precision->rank == 5 ? 4 : 1);
    const double su = (double)placement->image[0] / placement->scaled[0];
    const double sv = (double)placement->image[1] / placement->scaled[1];
    const bool is_matrix = precision->rank == 5;
    const double a = (double)p[0], d = is_matrix ? (double)p[3] : a;
    const double b = is_matrix ? 0.5 * ((double)p[1] + (double)p[2]) : 0.0;
    const double determinant = a * d - b * b;
    if (!(a > 0.0 && determinant > 0.0))
        return NAN;
    return (float)sqrt(0.5 * (d * su * su + a * sv * sv) / determinant);
}

static void fill(AqmWarp *warp, const AqmTensorOut *out, size_t out_count,
                 const AqmPlacement *second) {
    const float *target = out[WARP].data, *overlap = out[OVERLAP].data;
    const size_t cells = (size_t)warp->width * (size_t)warp->height;
    for (size_t i = 0; i < cells; i++) {
        double uv[2];
        bool is_inside = true;
        for (size_t axis = 0; axis < 2; axis++) {
            const double side = second->image[axis];
            uv[axis] = ((double)target[2 * i + axis] + 1.0) / 2.0 * side - 0.5;
            is_inside &= uv[axis] >= -0.5 && uv[axis] <= side - 0.5;
        }
        if (!is_inside)
            continue;
        warp->target[2 * i] = (float)uv[0];
        warp->target[2 * i + 1] = (float)uv[1];
        warp->certainty[i] = fminf(fmaxf(overlap[i], 0.0f), 1.0f);
        if (out_count > PRECISION)
            warp->sigma_px[i] = sigma_of(&out[PRECISION], i, second);
    }
}

AqmStatus aqm_learned_warp(AqmWarp **out, AqmModel *model, const AqmImageView *first,
                           const AqmImageView *second, int width, int height, AqmDiag *diag) {
    const AqmPlacement placement[2] = {place(model, first, width, height),
                                       place(model, second, width, height)};
    const int *given = placement[0].given;
    AQM_TRY(check_request(model, first, second, &placement[0], diag));
    AqmTensorOut tensors[OUTPUTS] = {
        {.name = "warp_AB"}, {.name = "overlap_AB"}, {.name = "precision_AB"}};
    const size_t count = model->has_precision ? OUTPUTS : PRECISION;
    AqmWarp *warp = NULL;
    AQM_TRY(run(model, first, second, placement, tensors, count, diag));
    AqmStatus status = check_outputs(model, tensors, count, given, diag);
    if (status == AQM_OK)
        status = aqm_warp_create(&warp, given[0], given[1], diag);
    if (status == AQM_OK) {
        fill(warp, tensors, count, &placement[1]);
        *out = warp;
    }
    aqm_tensors_release(model->session, tensors, count);
    return status;
}
