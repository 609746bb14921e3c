/* The reference of every matching kernel; contracts in kernels.h. */
#include "kernels/match_loops.h"

static int sample_at(const AqmGray *image, float u, float v) {
    const int iu = (int)u, iv = (int)v;
    const int wu = (int)((u - (float)iu) * 256.0f + 0.5f),
              wv = (int)((v - (float)iv) * 256.0f + 0.5f);
    const int16_t *p = image->data + iv * image->stride + iu, *q = p + image->stride;
    const int top = p[0] * (256 - wu) + p[1] * wu, bottom = q[0] * (256 - wu) + q[1] * wu;
    return (top * (256 - wv) + bottom * wv + 32768) >> 16;
}

static void sample(const AqmGray *image, const float *u, const float *v, size_t n, int16_t *out) {
    for (size_t k = 0; k < n; k++)
        out[k] = (int16_t)sample_at(image, u[k], v[k]);
}

static int is_present(const AqmGray *image, float u, float v) {
    if (!(u >= 0.0f && v >= 0.0f && u <= (float)(image->width - 1) &&
          v <= (float)(image->height - 1)))
        return 0;
    const int16_t *p = image->data + (int)v * image->stride + (int)u, *q = p + image->stride;
    return p[0] != AQM_GRAY_MISSING && p[1] != AQM_GRAY_MISSING && q[0] != AQM_GRAY_MISSING &&
           q[1] != AQM_GRAY_MISSING;
}

static void sample_masked(const AqmGray *image, const float *u, const float *v, size_t n,
                          int16_t *out) {
    for (size_t k = 0; k < n; k++)
        out[k] = (int16_t)(is_present(image, u[k], v[k]) ? sample_at(image, u[k], v[k])
                                                         : AQM_GRAY_MISSING);
}

static void columns(const int16_t *i_new, const int16_t *j_new, const int16_t *i_old,
                    const int16_t *j_old, size_t n, const AqmColumnSums *sums) {
    for (size_t k = 0; k < n; k++) {
        sums->j[k] += j_new[k] - j_old[k];
        sums->jj[k] += j_new[k] * j_new[k] - j_old[k] * j_old[k];
        sums->ij[k] += i_new[k] * j_new[k] - i_old[k] * j_old[k];
    }
}

const AqmKernels aqm_kernels_reference = {
    .name = "reference",
    .project = loops_project,
    .spread = loops_spread,
    .sample = sample,
    .sample_masked = sample_masked,
    .columns = columns,
    .columns_masked = loops_columns_masked,
    .ncc = loops_ncc,
    .ncc_masked = loops_ncc_masked,
    .ssim = loops_ssim,
    .ssim_masked = loops_ssim_masked,
    .join = loops_join,
    .track = loops_track,
};
