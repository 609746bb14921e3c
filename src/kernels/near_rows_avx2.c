/* Positions and means along a line by AVX2: the operations of near_loops.h in the same order, eight
 * pixels at a time. */
#include <immintrin.h>

#include "kernels/boxes_avx2.h"
#include "kernels/near_avx2.h"
#include "kernels/near_loops.h"

/* ---- positions ------------------------------------------------------------------------------- */

/* The six coefficients of every cell. */
typedef struct Cells {
    float left[6][AQM_BENT_CELLS], step[6][AQM_BENT_CELLS];
} Cells;

static inline __m256 between(const float *top, const float *bottom, __m256 down) {
    const __m256 from = _mm256_loadu_ps(top);
    return _mm256_add_ps(from, _mm256_mul_ps(down, _mm256_sub_ps(_mm256_loadu_ps(bottom), from)));
}

static inline void cut_cells(const AqmBentKnots *knots, size_t cells, Cells *out) {
    const __m256 down = _mm256_set1_ps(knots->down), eighth = _mm256_set1_ps(0.125f);
    for (size_t k = 0; k < 6; k++) {
        const float *top = knots->top[k], *bottom = knots->bottom[k];
        size_t c = 0;
        for (; c + 8 <= cells; c += 8) {
            const __m256 left = between(top + c, bottom + c, down);
            const __m256 right = between(top + c + 1, bottom + c + 1, down);
            _mm256_storeu_ps(out->left[k] + c, left);
            _mm256_storeu_ps(out->step[k] + c, _mm256_mul_ps(_mm256_sub_ps(right, left), eighth));
        }
        for (; c < cells; c++)
            cut_cell(knots, k, c, &out->left[k][c], &out->step[k][c]);
    }
}

/* Eight values of coefficient k. */
static inline __m256 coefficient(const Cells *cells, size_t k, size_t c) {
    const __m256 lanes = _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_add_ps(_mm256_set1_ps(cells->left[k][c]),
                         _mm256_mul_ps(lanes, _mm256_set1_ps(cells->step[k][c])));
}

static inline void bend_cell(const Cells *cells, size_t c, size_t axis, const float *q,
                             __m256 scale, __m256 half, bool has_half, float *const out[4]) {
    const __m256 eight = _mm256_loadu_ps(q + 8 * c), c1 = coefficient(cells, 2 + axis, c);
    const __m256 bent = _mm256_mul_ps(eight, coefficient(cells, 4 + axis, c));
    const __m256 value =
        _mm256_add_ps(coefficient(cells, axis, c), _mm256_mul_ps(eight, _mm256_add_ps(c1, bent)));
    const __m256 slope = _mm256_mul_ps(scale, _mm256_add_ps(c1, _mm256_add_ps(bent, bent)));
    const __m256 move = _mm256_mul_ps(half, slope);
    _mm256_storeu_ps(out[axis] + 8 * c, has_half ? _mm256_sub_ps(value, move) : value);
    _mm256_storeu_ps(out[2 + axis] + 8 * c, has_half ? _mm256_add_ps(value, move) : slope);
}

static inline void bend_cells(const Cells *parts, const float *q, size_t cells, float scale,
                              float half, bool has_half, float *const out[4]) {
    for (size_t c = 0; c < cells; c++)
        for (size_t axis = 0; axis < 2; axis++)
            bend_cell(parts, c, axis, q, _mm256_set1_ps(scale), _mm256_set1_ps(half), has_half,
                      out);
}

void aqm_bend_row_avx2(const AqmBentKnots *knots, const float *q, size_t cells, float half,
                       float *const out[4]) {
    Cells parts;
    cut_cells(knots, cells, &parts);
    if (half != 0.0f)
        bend_cells(&parts, q, cells, knots->scale, half, true, out);
    else
        bend_cells(&parts, q, cells, knots->scale, half, false, out);
}

/* ---- means ----------------------------------------------------------------------------------- */

/* Eight pixels of a line. */
typedef struct Mean {
    __m256 center, reach, sum, total;
} Mean;

/* Of eight lanes from x on, those that lie in first .. end - 1. */
static inline __m256i lanes_within(ptrdiff_t x, ptrdiff_t first, ptrdiff_t end) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_and_si256(_mm256_cmpgt_epi32(lane, _mm256_set1_epi32((int)(first - x - 1))),
                            _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(end - x)), lane));
}

/* Adds what lies within reach, as add_tap and add_weighted_tap do. */
static inline void add_eight(__m256 value, __m256 weight, bool is_weighted, __m256 inside,
                             Mean *mean) {
    const __m256 d = _mm256_sub_ps(value, mean->center);
    const __m256 size = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), d);
    const __m256 is_near = _mm256_and_ps(inside, _mm256_cmp_ps(size, mean->reach, _CMP_LT_OQ));
    const __m256 share = is_weighted ? _mm256_mul_ps(weight, d) : d;
    mean->sum = _mm256_add_ps(mean->sum, _mm256_and_ps(is_near, share));
    mean->total = _mm256_add_ps(mean->total, _mm256_and_ps(is_near, weight));
}

/* Tap k of eight pixels of which no tap leaves the line. */
static inline void add_inner_tap(const AqmMeanLine *line, int k, size_t x, bool is_weighted,
                                 Mean *mean) {
    const ptrdiff_t at = (ptrdiff_t)x + line->shift[k];
    const __m256 weight =
        is_weighted ? _mm256_loadu_ps(line->weights[k] + at) : _mm256_set1_ps(1.0f);
    const __m256 all = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
    add_eight(_mm256_loadu_ps(line->rows[k] + at), weight, is_weighted, all, mean);
}

/* Tap k of eight pixels near an end of the line: it is there from its shift on. */
static inline void add_outer_tap(const AqmMeanLine *line, int k, size_t x, size_t width,
                                 bool is_weighted, Mean *mean) {
    const ptrdiff_t at = (ptrdiff_t)x + line->shift[k], margin = labs(line->shift[k]);
    const __m256i lanes = lanes_within((ptrdiff_t)x, margin, (ptrdiff_t)width - margin);
    const __m256 weight =
        is_weighted ? _mm256_maskload_ps(line->weights[k] + at, lanes) : _mm256_set1_ps(1.0f);
    const __m256 before = mean->total, inside = _mm256_castsi256_ps(lanes);
    add_eight(_mm256_maskload_ps(line->rows[k] + at, lanes), weight, is_weighted, inside, mean);
    /* a tap that is not there adds nothing, not even 0: a total of -0 stays */
    mean->total = _mm256_blendv_ps(before, mean->total, inside);
}

static inline void mean_eight(const AqmMeanLine *line, size_t x, size_t width, bool is_weighted,
                              bool is_inner, float *mean, float *weight) {
    const int middle = line->taps / 2;
    const __m256 one = _mm256_set1_ps(1.0f), zero = _mm256_setzero_ps();
    Mean m = {_mm256_loadu_ps(line->rows[middle] + x), _mm256_loadu_ps(line->reach + x), zero,
              is_weighted ? _mm256_loadu_ps(line->weights[middle] + x) : one};
    for (int k = 0; k < line->taps; k++) {
        if (k == middle || !line->rows[k])
            continue;
        if (is_inner)
            add_inner_tap(line, k, x, is_weighted, &m);
        else
            add_outer_tap(line, k, x, width, is_weighted, &m);
    }
    const __m256 safe = _mm256_blendv_ps(one, m.total, _mm256_cmp_ps(m.total, zero, _CMP_GT_OQ));
    _mm256_storeu_ps(mean + x, _mm256_add_ps(m.center, _mm256_div_ps(m.sum, safe)));
    if (weight)
        _mm256_storeu_ps(weight + x, m.total);
}

static inline void mean_all(const AqmMeanLine *line, size_t width, bool is_weighted, float *mean,
                            float *weight) {
    size_t margin = 0; /* of all taps */
    for (int k = 0; k < line->taps; k++) {
        const size_t own = (size_t)labs(line->shift[k]);
        margin = own > margin ? own : margin;
    }
    for (size_t x = 0; x < width; x = next_block(x, width))
        if (x >= margin && x + 8 + margin <= width)
            mean_eight(line, x, width, is_weighted, true, mean, weight);
        else
            mean_eight(line, x, width, is_weighted, false, mean, weight);
}

void aqm_mean_row_avx2(const AqmMeanLine *line, size_t width, float *mean, float *weight) {
    if (width < 8)
        loops_mean_row(line, width, mean, weight);
    else if (line->weights)
        mean_all(line, width, true, mean, weight);
    else
        mean_all(line, width, false, mean, weight);
}
