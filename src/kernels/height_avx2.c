/* AVX2 variants of the kernels of the heightfield: the loops of height_loops.h compiled for AVX2,
 * and points collected eight at a time, by the same operations as the reference. */
#include <immintrin.h>

#include "kernels/front_avx2.h"
#include "kernels/height_loops.h"

static void collect_avx2(const AqmHeightPoints *given, size_t first, size_t end, float x, float y,
                         float inverse_radius, AqmHeightWindow *window) {
    const __m256 vx = _mm256_set1_ps(x), vy = _mm256_set1_ps(y), one = _mm256_set1_ps(1.0f);
    const __m256 inverse = _mm256_set1_ps(inverse_radius), rim = _mm256_set1_ps(RIM);
    /* copies, as what is stored might lie anywhere else */
    const AqmHeightPoints points = *given;
    const AqmHeightWindow out = *window;
    size_t at = out.count;
    for (size_t i = first; i < end; i += LANES) {
        const __m256 dx = _mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(points.x + i), vx), inverse);
        const __m256 dy = _mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(points.y + i), vy), inverse);
        const __m256 r2 = _mm256_add_ps(_mm256_mul_ps(dx, dx), _mm256_mul_ps(dy, dy));
        const __m256 fall = _mm256_sub_ps(one, r2);
        const __m256 kernel = _mm256_mul_ps(_mm256_mul_ps(fall, fall), fall);
        const unsigned valid = end - i < LANES ? (1u << (end - i)) - 1u : 255u;
        const unsigned mask =
            valid & (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(r2, rim, _CMP_LT_OQ));
        const __m256i order = front_order(mask);
        store_front(out.x + at, dx, order);
        store_front(out.y + at, dy, order);
        store_front(out.z + at, _mm256_loadu_ps(points.z + i), order);
        store_front(out.base + at, _mm256_mul_ps(_mm256_loadu_ps(points.weight + i), kernel),
                    order);
        store_front((float *)(void *)(out.color + at),
                    _mm256_loadu_ps((const float *)(const void *)(points.color + i)), order);
        at += (size_t)__builtin_popcount(mask);
    }
    window->count = at;
}

/* Added as sum_lanes does. */
static inline float sum_of(__m256 v) {
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

static inline __m256 times(__m256 a, __m256 b) {
    return _mm256_mul_ps(a, b);
}

static inline __m256 plus(__m256 a, __m256 b) {
    return _mm256_add_ps(a, b);
}

/* As surface_at. */
static inline __m256 surface(const float *c, __m256 x, __m256 y) {
    const __m256 bend = plus(times(_mm256_set1_ps(c[3]), x), times(_mm256_set1_ps(c[4]), y));
    const __m256 along_x = times(x, plus(_mm256_set1_ps(c[1]), bend));
    const __m256 along_y = times(y, plus(_mm256_set1_ps(c[2]), times(_mm256_set1_ps(c[5]), y)));
    return plus(_mm256_set1_ps(c[0]), plus(along_x, along_y));
}

/* Along four directions. */
typedef struct Reach {
    __m256 most[4], least[4], near2;
} Reach;

/* Outliers are all ones, which is NaN: the second operand stays. */
static inline void extend_both(Reach *reach, int direction, __m256 is_outlier, __m256 value) {
    const __m256 held = _mm256_or_ps(value, is_outlier);
    reach->most[direction] = _mm256_max_ps(held, reach->most[direction]);
    reach->least[direction] = _mm256_min_ps(held, reach->least[direction]);
}

static inline float largest_of(__m256 v) {
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

static inline __m256 negative(__m256 v) {
    return _mm256_xor_ps(v, _mm256_set1_ps(-0.0f));
}

static inline void finish_reach(const Reach *reach, AqmHeightSums *sums) {
    sums->reach = 4.0f;
    for (int side = 0; side < 8; side++) {
        const __m256 lanes = side % 2 ? negative(reach->least[side / 2]) : reach->most[side / 2];
        const float most = largest_of(lanes);
        sums->reach = most < sums->reach ? most : sums->reach;
    }
    sums->nearest2 = -largest_of(negative(reach->near2));
}

/* Robust weights, and how far the inliers reach. */
static inline void weigh_all(const AqmHeightWindow *given, const float *c, float inverse_cut,
                             AqmHeightSums *sums) {
    const __m256 inverse = _mm256_set1_ps(inverse_cut), one = _mm256_set1_ps(1.0f);
    const __m256 zero = _mm256_setzero_ps(), four = _mm256_set1_ps(4.0f);
    const __m256 diagonal = _mm256_set1_ps(0.70710678f);
    const AqmHeightWindow window = *given; /* a copy, as what is stored might lie anywhere else */
    Reach reach = {.near2 = four};
    int inliers = 0;
    for (int direction = 0; direction < 4; direction++) {
        reach.most[direction] = _mm256_set1_ps(-4.0f);
        reach.least[direction] = four;
    }
    for (size_t i = 0; i < window.count; i += LANES) {
        const __m256 x = _mm256_loadu_ps(window.x + i), y = _mm256_loadu_ps(window.y + i);
        const __m256 z = _mm256_loadu_ps(window.z + i), base = _mm256_loadu_ps(window.base + i);
        const __m256 t = times(_mm256_sub_ps(z, surface(c, x, y)), inverse), t2 = times(t, t);
        const __m256 fall =
            _mm256_and_ps(_mm256_sub_ps(one, t2), _mm256_cmp_ps(t2, one, _CMP_LT_OQ));
        const __m256 weight = times(base, times(fall, fall));
        _mm256_storeu_ps(window.robust + i, weight);
        const __m256 out = _mm256_cmp_ps(weight, zero, _CMP_NGT_UQ);
        extend_both(&reach, 0, out, x);
        extend_both(&reach, 1, out, y);
        extend_both(&reach, 2, out, times(diagonal, plus(x, y)));
        extend_both(&reach, 3, out, times(diagonal, _mm256_sub_ps(x, y)));
        const __m256 r2 = _mm256_or_ps(plus(times(x, x), times(y, y)), out);
        reach.near2 = _mm256_min_ps(r2, reach.near2);
        inliers += LANES - __builtin_popcount((unsigned)_mm256_movemask_ps(out));
    }
    sums->inliers = inliers;
    finish_reach(&reach, sums);
}

static inline void low_moments(const AqmHeightWindow *window, AqmHeightSums *sums) {
    __m256 m[6], b[3], squares = _mm256_setzero_ps();
    for (int i = 0; i < 6; i++)
        m[i] = b[i / 2] = _mm256_setzero_ps();
    for (size_t i = 0; i < window->count; i += LANES) {
        const __m256 x = _mm256_loadu_ps(window->x + i), y = _mm256_loadu_ps(window->y + i);
        const __m256 z = _mm256_loadu_ps(window->z + i), w = _mm256_loadu_ps(window->robust + i);
        const __m256 wx = times(w, x), wy = times(w, y), wz = times(w, z);
        m[0] = plus(m[0], w), m[1] = plus(m[1], wx), m[2] = plus(m[2], wy);
        m[3] = plus(m[3], times(wx, x)), m[4] = plus(m[4], times(wx, y));
        m[5] = plus(m[5], times(wy, y));
        b[0] = plus(b[0], wz), b[1] = plus(b[1], times(wx, z));
        squares = plus(squares, times(wz, z));
        b[2] = plus(b[2], times(wy, z));
    }
    for (int i = 0; i < 6; i++)
        sums->moments[i] = sum_of(m[i]);
    for (int i = 0; i < 3; i++)
        sums->heights[i] = sum_of(b[i]);
    sums->squares = sum_of(squares);
}

static inline void high_moments(const AqmHeightWindow *window, AqmHeightSums *sums) {
    __m256 m[9], b[3];
    for (int i = 0; i < 9; i++)
        m[i] = b[i / 3] = _mm256_setzero_ps();
    for (size_t i = 0; i < window->count; i += LANES) {
        const __m256 x = _mm256_loadu_ps(window->x + i), y = _mm256_loadu_ps(window->y + i);
        const __m256 z = _mm256_loadu_ps(window->z + i), w = _mm256_loadu_ps(window->robust + i);
        const __m256 wx = times(w, x), wxx = times(wx, x), wxy = times(wx, y);
        const __m256 wyy = times(times(w, y), y);
        const __m256 wxxx = times(wxx, x), wxxy = times(wxx, y), wxyy = times(wxy, y);
        const __m256 wyyy = times(wyy, y);
        m[0] = plus(m[0], wxxx), m[1] = plus(m[1], wxxy), m[2] = plus(m[2], wxyy);
        m[3] = plus(m[3], wyyy), m[4] = plus(m[4], times(wxxx, x));
        m[5] = plus(m[5], times(wxxy, x)), m[6] = plus(m[6], times(wxyy, x));
        m[7] = plus(m[7], times(wyyy, x)), m[8] = plus(m[8], times(wyyy, y));
        b[0] = plus(b[0], times(wxx, z)), b[1] = plus(b[1], times(wxy, z));
        b[2] = plus(b[2], times(wyy, z));
    }
    for (int i = 0; i < 9; i++)
        sums->moments[6 + i] = sum_of(m[i]);
    for (int i = 0; i < 3; i++)
        sums->heights[3 + i] = sum_of(b[i]);
}

static void weigh_avx2(AqmHeightWindow *window, const float c[AQM_HEIGHT_TERMS], float inverse_cut,
                       int is_plane, AqmHeightSums *sums) {
    weigh_all(window, c, inverse_cut, sums);
    low_moments(window, sums);
    if (!is_plane) {
        high_moments(window, sums);
        return;
    }
    memset(sums->moments + 6, 0, 9 * sizeof(float));
    memset(sums->heights + 3, 0, 3 * sizeof(float));
}

const AqmHeightKernels aqm_height_kernels_avx2 = {
    .name = "avx2",
    .collect = collect_avx2,
    .weigh = weigh_avx2,
    .errors = loops_errors,
    .colors = loops_colors,
};
