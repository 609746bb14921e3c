/* AVX2 variants of paths_kernels.h: 32 planes at a time, the four paths of a pass together so that
 * costs and sums are read once. */
#include <immintrin.h>
#include <string.h>

#include "kernels/paths_kernels.h"

static inline __m256i load(const uint8_t *p) {
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

static inline uint8_t least_of(__m256i v) {
    __m128i x = _mm_min_epu8(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    x = _mm_min_epu8(x, _mm_srli_si128(x, 1)); /* the smaller of each pair, in even bytes */
    x = _mm_and_si128(x, _mm_set1_epi16(0xff));
    return (uint8_t)_mm_extract_epi16(_mm_minpos_epu16(x), 0);
}

static inline void add_wide(uint16_t *sum, __m256i low, __m256i high) {
    __m256i *out = (__m256i *)(void *)sum;
    _mm256_storeu_si256(out, _mm256_add_epi16(_mm256_loadu_si256(out), low));
    _mm256_storeu_si256(out + 1, _mm256_add_epi16(_mm256_loadu_si256(out + 1), high));
}

/* One pixel's four paths: where they come from, and where they go. */
typedef struct Step {
    const uint8_t *from[4];
    uint8_t *to[4];
    __m256i from_least[4], jump[4], least[4]; /* jump: from_least + P2 */
} Step;

static inline void advance(Step *step, const uint8_t *cost, __m256i jump_one, size_t planes,
                           uint16_t *sum) {
    for (int path = 0; path < 4; path++)
        step->least[path] = _mm256_set1_epi8(-1);
    for (size_t d = 0; d < planes; d += 32) {
        const __m256i c = load(cost + d);
        __m256i low = _mm256_setzero_si256(), high = low;
        for (int path = 0; path < 4; path++) {
            const uint8_t *from = step->from[path] + d;
            const __m256i beside = _mm256_min_epu8(load(from - 1), load(from + 1));
            const __m256i near_by = _mm256_adds_epu8(beside, jump_one);
            __m256i best = _mm256_min_epu8(_mm256_min_epu8(load(from), near_by), step->jump[path]);
            best = _mm256_adds_epu8(c, _mm256_sub_epi8(best, step->from_least[path]));
            _mm256_storeu_si256((__m256i *)(void *)(step->to[path] + d), best);
            step->least[path] = _mm256_min_epu8(step->least[path], best);
            low = _mm256_add_epi16(low, _mm256_cvtepu8_epi16(_mm256_castsi256_si128(best)));
            high = _mm256_add_epi16(high, _mm256_cvtepu8_epi16(_mm256_extracti128_si256(best, 1)));
        }
        if (sum)
            add_wide(sum + d, low, high);
    }
}

static inline void set_path(Step *step, int path, const uint8_t *from, uint8_t from_least,
                            uint8_t jump, uint8_t *to) {
    step->from[path] = from;
    step->to[path] = to;
    step->from_least[path] = _mm256_set1_epi8((char)from_least);
    step->jump[path] =
        _mm256_adds_epu8(_mm256_set1_epi8((char)from_least), _mm256_set1_epi8((char)jump));
}

static void aggregate_avx2(const AqmPass *pass, const uint8_t *cost, uint16_t *sum) {
    const ptrdiff_t pitch = (ptrdiff_t)pass->pitch, width = (ptrdiff_t)pass->width;
    const __m256i jump_one = _mm256_set1_epi8((char)pass->jump_one);
    const AqmPathRow *along = &pass->along;
    memset(along->cost, 0, pass->planes);
    along->least[0] = 0;
    for (ptrdiff_t k = 0; k < width; k++) {
        const ptrdiff_t x = pass->step > 0 ? k : width - 1 - k, last = k & 1;
        const uint8_t jump = pass->jump[x];
        Step step;
        for (int path = 0; path < 3; path++) {
            const ptrdiff_t from = x + (path - 1) * pass->step;
            const ptrdiff_t shift = aqm_path_shift(pass, pass->surface_before, from, x);
            set_path(&step, path, pass->before[path].cost + from * pitch + shift,
                     pass->before[path].least[from], jump, pass->now[path].cost + x * pitch);
        }
        const ptrdiff_t shift = aqm_path_shift(pass, pass->surface, x - pass->step, x);
        set_path(&step, 3, along->cost + last * pitch + shift, along->least[last], jump,
                 along->cost + (1 - last) * pitch);
        advance(&step, cost + (size_t)x * pass->planes, jump_one, pass->planes,
                sum ? sum + (size_t)x * pass->planes : NULL);
        for (int path = 0; path < 3; path++)
            pass->now[path].least[x] = least_of(step.least[path]);
        along->least[1 - last] = least_of(step.least[3]);
    }
}

static size_t lowest_avx2(const uint16_t *sum, size_t n) {
    size_t best = 0;
    unsigned least = 65536;
    for (size_t d = 0; d < n; d += 8) {
        const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(sum + d));
        const unsigned found = (unsigned)_mm_cvtsi128_si32(_mm_minpos_epu16(v));
        if ((found & 0xffff) < least) {
            least = found & 0xffff;
            best = d + ((found >> 16) & 7);
        }
    }
    return best;
}

const AqmPathKernels aqm_path_kernels_avx2 = {"avx2", aggregate_avx2, lowest_avx2};
