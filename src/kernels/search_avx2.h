/* The search over planes by AVX2: the operations of match_loops.h, sixteen windows at a time; a row
 * is gone through in whole vectors. Included by files compiled for AVX2. */
#ifndef AQM_KERNELS_SEARCH_AVX2_H
#define AQM_KERNELS_SEARCH_AVX2_H

#include <immintrin.h>

#include "kernels/kernels.h"

static inline __m256i load_scores(const int16_t *p) {
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

static inline void store_scores(int16_t *p, __m256i scores) {
    _mm256_storeu_si256((__m256i *)(void *)p, scores);
}

static inline __m256i mean_of_two_16(__m256i a, __m256i b) {
    return _mm256_add_epi16(a, _mm256_srai_epi16(_mm256_sub_epi16(b, a), 1));
}

/* Where `mask` is set `b`, else `a`. */
static inline __m256i choose(__m256i a, __m256i b, __m256i mask) {
    return _mm256_blendv_epi8(a, b, mask);
}

/* `depth`: how many of the best can count. */
static inline __m256i join_best(const int16_t *const *scores, size_t source_count, size_t x,
                                int depth) {
    const __m256i missing = _mm256_set1_epi16(AQM_SCORE_MISSING);
    __m256i top[4] = {missing, missing, missing, missing};
    __m256i valid = _mm256_setzero_si256(); /* counted downwards: masks are -1 */
    for (size_t s = 0; s < source_count; s++) {
        __m256i value = load_scores(scores[s] + x);
        valid = _mm256_add_epi16(valid, _mm256_cmpgt_epi16(value, missing));
        for (int k = 0; k < depth; k++) {
            const __m256i lesser = _mm256_min_epi16(top[k], value);
            top[k] = _mm256_max_epi16(value, top[k]);
            value = lesser;
        }
    }
    const __m256i third = _mm256_set1_epi16(10923), two = mean_of_two_16(top[0], top[1]);
    const __m256i three = _mm256_add_epi16(
        _mm256_add_epi16(_mm256_mulhrs_epi16(top[0], third), _mm256_mulhrs_epi16(top[1], third)),
        _mm256_mulhrs_epi16(top[2], third));
    const __m256i means[3] = {two, three, mean_of_two_16(two, mean_of_two_16(top[2], top[3]))};
    static const int least[3] = {2, 5, 7};
    __m256i mean = top[0];
    for (int k = 0; k < depth - 1; k++)
        mean = choose(mean, means[k],
                      _mm256_cmpgt_epi16(_mm256_set1_epi16((int16_t)(1 - least[k])), valid));
    return mean;
}

/* The same of at most four: the second best says whether there are two. */
static inline __m256i join_best_two(const int16_t *const *scores, size_t source_count, size_t x) {
    const __m256i missing = _mm256_set1_epi16(AQM_SCORE_MISSING);
    __m256i best = missing, second = missing;
    for (size_t s = 0; s < source_count; s++) {
        const __m256i value = load_scores(scores[s] + x);
        second = _mm256_max_epi16(_mm256_min_epi16(best, value), second);
        best = _mm256_max_epi16(value, best);
    }
    return choose(best, mean_of_two_16(best, second), _mm256_cmpgt_epi16(second, missing));
}

static void join_avx2(const int16_t *const *scores, size_t source_count, size_t n, int16_t *out) {
    for (size_t x = 0; x < n; x += 16)
        store_scores(out + x, source_count <= 4   ? join_best_two(scores, source_count, x)
                              : source_count <= 6 ? join_best(scores, source_count, x, 3)
                                                  : join_best(scores, source_count, x, 4));
}

/* The state of the search at sixteen pixels. */
typedef struct Peaks {
    __m256i before, last, best, below, above, second, plane;
} Peaks;

static inline Peaks load_peaks(const AqmPeaks *p, size_t x) {
    return (Peaks){load_scores(p->before + x),     load_scores(p->last + x),
                   load_scores(p->best + x),       load_scores(p->best_below + x),
                   load_scores(p->best_above + x), load_scores(p->second + x),
                   load_scores(p->best_plane + x)};
}

static inline void store_peaks(const Peaks *s, const AqmPeaks *p, size_t x) {
    store_scores(p->before + x, s->before);
    store_scores(p->last + x, s->last);
    store_scores(p->best + x, s->best);
    store_scores(p->best_below + x, s->below);
    store_scores(p->best_above + x, s->above);
    store_scores(p->second + x, s->second);
    store_scores(p->best_plane + x, s->plane);
}

/* Takes the scores of one plane in. */
static inline void take_plane(Peaks *s, __m256i a, int plane, __m256i merge) {
    const __m256i missing = _mm256_set1_epi16(AQM_SCORE_MISSING);
    const __m256i here = _mm256_set1_epi16((int16_t)(plane - 1));
    const __m256i b = s->before, c = s->last;
    const __m256i falls = _mm256_cmpgt_epi16(c, a), rises = _mm256_cmpgt_epi16(a, c);
    const __m256i top = _mm256_andnot_si256(rises, _mm256_cmpgt_epi16(c, b));
    const __m256i known =
        _mm256_and_si256(_mm256_cmpgt_epi16(b, missing), _mm256_cmpgt_epi16(a, missing));
    const __m256i inner = _mm256_set1_epi16(plane >= 2 ? -1 : 0);
    const __m256i peak = _mm256_and_si256(inner, _mm256_and_si256(top, known));
    const __m256i better = _mm256_and_si256(peak, _mm256_cmpgt_epi16(c, s->best));
    const __m256i other = _mm256_cmpgt_epi16(_mm256_sub_epi16(here, s->plane), merge);
    /* of the two maxima apart from each other, the lesser */
    const __m256i apart = _mm256_and_si256(peak, other);
    const __m256i edge = _mm256_and_si256(_mm256_set1_epi16(plane == 1 ? -1 : 0), falls);
    __m256i rival = choose(missing, choose(c, s->best, better), apart);
    rival = choose(rival, c, edge);
    s->second = _mm256_max_epi16(rival, s->second);
    s->best = choose(s->best, c, better);
    s->below = choose(s->below, b, better);
    s->above = choose(s->above, a, better);
    s->plane = choose(s->plane, here, better);
    s->before = c;
    s->last = a;
}

static void track_avx2(const int16_t *scores, size_t pitch, int first, int count, int merge_planes,
                       size_t n, const AqmPeaks *peaks) {
    const __m256i merge = _mm256_set1_epi16((int16_t)(merge_planes < 32767 ? merge_planes : 32767));
    for (size_t x = 0; x < n; x += 16) {
        Peaks s = load_peaks(peaks, x);
        for (int k = 0; k < count; k++)
            take_plane(&s, load_scores(scores + (size_t)k * pitch + x), first + k, merge);
        store_peaks(&s, peaks, x);
    }
}

#endif
