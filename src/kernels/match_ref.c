/* The reference of every matching kernel; contracts in kernels.h. */
#include <stdbool.h>

#include "kernels/match_loops.h"
#include "kernels/strips.h"

/* A position in 1/256 px, at least 0: added to 2^15 that is what a float's last bits count. */
static unsigned fixed_position(float x) {
    const float shifted = x + 32768.0f;
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    return bits & 0x7fffff;
}

static int sample_at(const AqmGray *image, float u, float v, bool *is_whole) {
    const unsigned x = fixed_position(u), y = fixed_position(v);
    const int16_t *p = image->data + (ptrdiff_t)(y >> 8) * image->stride + (x >> 8);
    const int16_t *q = p + image->stride;
    const int wu = (int)(x & 255), wv = (int)(y & 255);
    const int top = p[0] * (256 - wu) + p[1] * wu, bottom = q[0] * (256 - wu) + q[1] * wu;
    *is_whole = p[0] != AQM_GRAY_MISSING && p[1] != AQM_GRAY_MISSING && q[0] != AQM_GRAY_MISSING &&
                q[1] != AQM_GRAY_MISSING;
    return (top * (256 - wv) + bottom * wv + 32768) >> 16;
}

static void sample(const AqmGray *image, const float *u, const float *v, size_t n, int16_t *out) {
    bool is_whole;
    for (size_t k = 0; k < n; k++)
        out[k] = (int16_t)sample_at(image, u[k], v[k], &is_whole);
}

static void sample_masked(const AqmGray *image, const float *u, const float *v, size_t n,
                          int16_t *out) {
    const float right = (float)(image->width - 1), last = (float)(image->height - 1);
    for (size_t k = 0; k < n; k++) {
        out[k] = AQM_GRAY_MISSING;
        if (!(u[k] >= 0.0f && v[k] >= 0.0f && u[k] <= right && v[k] <= last))
            continue;
        bool is_whole;
        const int value = sample_at(image, u[k], v[k], &is_whole);
        out[k] = is_whole ? (int16_t)value : AQM_GRAY_MISSING;
    }
}

/* from + (to - from) weight / 2^15, rounded. */
static int between(int from, int to, int weight) {
    return from + (((to - from) * weight + 16384) >> 15);
}

static void shift(const int16_t *from, ptrdiff_t stride, const AqmShift *shifts, size_t n, int rows,
                  int16_t *out, size_t pitch) {
    for (int r = 0; r < rows; r++, from += stride, out += pitch)
        for (size_t k = 0; k < n; k++) {
            const AqmShift *block = &shifts[k / AQM_ROW_MULTIPLE];
            const int16_t *p = from + (ptrdiff_t)k + block->offset, *q = p + stride;
            const int top = between(p[0], p[1], block->across);
            out[k] = (int16_t)between(top, between(q[0], q[1], block->across), block->down);
        }
}

static void shift_masked(const int16_t *from, ptrdiff_t stride, const AqmShift *shifts, size_t n,
                         int rows, int16_t *out, size_t pitch) {
    shift(from, stride, shifts, n, rows, out, pitch);
    for (int r = 0; r < rows; r++, from += stride, out += pitch)
        for (size_t k = 0; k < n; k++) {
            const int16_t *p = from + (ptrdiff_t)k + shifts[k / AQM_ROW_MULTIPLE].offset;
            const int16_t *q = p + stride;
            if (p[0] == AQM_GRAY_MISSING || p[1] == AQM_GRAY_MISSING || q[0] == AQM_GRAY_MISSING ||
                q[1] == AQM_GRAY_MISSING)
                out[k] = AQM_GRAY_MISSING;
        }
}

static void columns(const int16_t *i_new, const int16_t *j_new, const int16_t *i_old,
                    const int16_t *j_old, size_t n, const AqmColumnSums *sums) {
    for (size_t k = 0; k < n; k++) {
        sums->j[k] += j_new[k] - j_old[k];
        sums->jj[k] += j_new[k] * j_new[k] - j_old[k] * j_old[k];
        sums->ij[k] += i_new[k] * j_new[k] - i_old[k] * j_old[k];
    }
}

/* A whole tile, row by row. */
static void whole_ncc(const AqmWholeTile *tile, const int16_t *const j[2], int32_t *scratch,
                      int16_t *const score[2]) {
    whole_by_rows(columns, loops_ncc, tile, j, scratch, score);
}

const AqmKernels aqm_kernels_reference = {
    .name = "reference",
    .project = loops_project,
    .spread = loops_spread,
    .sample = sample,
    .sample_masked = sample_masked,
    .shift = shift,
    .shift_masked = shift_masked,
    .gaps = loops_gaps,
    .columns = columns,
    .columns_masked = loops_columns_masked,
    .statistics = loops_statistics,
    .ncc = loops_ncc,
    .ncc_masked = loops_ncc_masked,
    .whole_load = whole_load_rows,
    .whole_ncc = whole_ncc,
    .ssim = loops_ssim,
    .ssim_masked = loops_ssim_masked,
    .join = loops_join,
    .track = loops_track,
};
