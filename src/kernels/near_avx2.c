/* AVX2 variants of near_kernels.h; near_rows_avx2.c has the means. Sums, fits and answers are
 * written by hand, eight pixels at a time, and do the operations of near_loops.h in the same order,
 * so that the bits are the same. The rest (and rows shorter than a vector) is those loops, compiled
 * for AVX2: gcc makes vectors of them. */
#include <immintrin.h>

#include "kernels/boxes_avx2.h"
#include "kernels/near_avx2.h"
#include "kernels/near_loops.h"

static inline __m256i load(const void *p) {
    return _mm256_loadu_si256((const __m256i *)p);
}

/* ---- column sums ----------------------------------------------------------------------------- */

/* Sixteen values of a row that comes in and one that leaves, interleaved; and with the leaving ones
 * negated. */
typedef struct Pairs {
    __m256i low, high, signed_low, signed_high;
} Pairs;

static inline Pairs interleave(__m256i in, __m256i out) {
    const __m256i minus = _mm256_sub_epi16(_mm256_setzero_si256(), out);
    return (Pairs){_mm256_unpacklo_epi16(in, out), _mm256_unpackhi_epi16(in, out),
                   _mm256_unpacklo_epi16(in, minus), _mm256_unpackhi_epi16(in, minus)};
}

/* Adds in x in' - out x out' of sixteen columns. */
static inline void accumulate(int32_t *sums, const Pairs *x, __m256i low, __m256i high) {
    const __m256i l = _mm256_madd_epi16(x->low, low), h = _mm256_madd_epi16(x->high, high);
    __m256i *to = (__m256i *)(void *)sums;
    _mm256_storeu_si256(to, _mm256_add_epi32(load(to), _mm256_permute2x128_si256(l, h, 0x20)));
    _mm256_storeu_si256(to + 1,
                        _mm256_add_epi32(load(to + 1), _mm256_permute2x128_si256(l, h, 0x31)));
}

static inline void accumulate_products(const Pairs *i, const Pairs *a, const Pairs *b, size_t k,
                                       const AqmPairSums *sums) {
    accumulate(sums->aa + k, a, a->signed_low, a->signed_high);
    accumulate(sums->ab + k, a, b->signed_low, b->signed_high);
    accumulate(sums->bb + k, b, b->signed_low, b->signed_high);
    accumulate(sums->ia + k, a, i->signed_low, i->signed_high);
    accumulate(sums->ib + k, b, i->signed_low, i->signed_high);
}

static void pair_columns_avx2(const AqmPairRow *in, const AqmPairRow *out, size_t n,
                              const AqmPairSums *sums) {
    const __m256i one = _mm256_set1_epi16(1), minus = _mm256_set1_epi16(-1);
    const __m256i plus_minus = _mm256_unpacklo_epi16(one, minus);
    for (size_t k = 0; k < n; k += 16) {
        const Pairs i = interleave(load(in->i + k), load(out->i + k));
        const Pairs a = interleave(load(in->a + k), load(out->a + k));
        const Pairs b = interleave(load(in->b + k), load(out->b + k));
        accumulate(sums->a + k, &a, plus_minus, plus_minus);
        accumulate(sums->b + k, &b, plus_minus, plus_minus);
        accumulate_products(&i, &a, &b, k, sums);
    }
}

/* Sixteen pixels, 0 where one of the three is missing; `present` is -1 where none is. */
typedef struct Present {
    __m256i i, a, b, present;
} Present;

static inline Present load_present(const AqmPairRow *row, size_t k) {
    const __m256i missing = _mm256_set1_epi16(AQM_GRAY_MISSING);
    const __m256i i = load(row->i + k), a = load(row->a + k), b = load(row->b + k);
    const __m256i no_a = _mm256_cmpeq_epi16(a, missing), no_b = _mm256_cmpeq_epi16(b, missing);
    const __m256i hole =
        _mm256_or_si256(_mm256_cmpeq_epi16(i, missing), _mm256_or_si256(no_a, no_b));
    return (Present){_mm256_andnot_si256(hole, i), _mm256_andnot_si256(hole, a),
                     _mm256_andnot_si256(hole, b), _mm256_xor_si256(hole, _mm256_set1_epi16(-1))};
}

/* Adds sixteen 16-bit values, more - less, to 32-bit sums. The differences fit 16 bits: they are of
 * grays or of masks. */
static inline void add_difference(int32_t *sums, __m256i more, __m256i less) {
    const __m256i values = _mm256_sub_epi16(more, less);
    const __m256i first = _mm256_cvtepi16_epi32(_mm256_castsi256_si128(values));
    const __m256i second = _mm256_cvtepi16_epi32(_mm256_extracti128_si256(values, 1));
    __m256i *to = (__m256i *)(void *)sums;
    _mm256_storeu_si256(to, _mm256_add_epi32(load(to), first));
    _mm256_storeu_si256(to + 1, _mm256_add_epi32(load(to + 1), second));
}

static void pair_columns_masked_avx2(const AqmPairRow *in, const AqmPairRow *out, size_t n,
                                     const AqmPairSums *sums) {
    for (size_t k = 0; k < n; k += 16) {
        const Present to = load_present(in, k), from = load_present(out, k);
        if (_mm256_testz_si256(_mm256_or_si256(to.present, from.present), _mm256_set1_epi16(-1)))
            continue;
        const Pairs i = interleave(to.i, from.i), a = interleave(to.a, from.a);
        const Pairs b = interleave(to.b, from.b);
        add_difference(sums->count + k, from.present, to.present);
        add_difference(sums->i + k, to.i, from.i);
        add_difference(sums->a + k, to.a, from.a);
        add_difference(sums->b + k, to.b, from.b);
        accumulate(sums->ii + k, &i, i.signed_low, i.signed_high);
        accumulate_products(&i, &a, &b, k, sums);
    }
}

/* ---- fits ------------------------------------------------------------------------------------ */

typedef struct Stats {
    __m256i mean, rest;
    __m256 variance;
} Stats;

static inline Stats stats_of(__m256i sum, __m256i squares, __m256i count, __m256 inverse) {
    const __m256i mean = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_cvtepi32_ps(sum), inverse));
    const __m256i rest = _mm256_sub_epi32(sum, _mm256_mullo_epi32(count, mean));
    const __m256 r = _mm256_cvtepi32_ps(rest);
    const __m256 correction = _mm256_mul_ps(r, _mm256_mul_ps(r, inverse));
    const __m256i whole =
        _mm256_sub_epi32(squares, _mm256_mullo_epi32(mean, _mm256_add_epi32(sum, rest)));
    return (Stats){mean, rest, _mm256_sub_ps(_mm256_cvtepi32_ps(whole), correction)};
}

static inline __m256 covariance_of(__m256i ij, __m256i sum_j, const Stats *i, __m256 inverse) {
    const __m256 correction = _mm256_mul_ps(_mm256_cvtepi32_ps(sum_j),
                                            _mm256_mul_ps(_mm256_cvtepi32_ps(i->rest), inverse));
    const __m256i whole = _mm256_sub_epi32(ij, _mm256_mullo_epi32(i->mean, sum_j));
    return _mm256_sub_ps(_mm256_cvtepi32_ps(whole), correction);
}

static inline __m256i load_short(const int16_t *p) {
    return _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
}

/* Running sums of the rows a, b, aa, ab, bb, ia, ib and, for masked windows, count, i, ii. */
typedef struct Boxes {
    const int32_t *first;
    size_t pitch;
    int window;
} Boxes;

enum { COUNT_ROW = 7 };

static Boxes boxes_of(const AqmPairSums *sums, int window, size_t n, int32_t *scratch) {
    const int32_t *columns[7] = {sums->a,  sums->b,  sums->aa, sums->ab,
                                 sums->bb, sums->ia, sums->ib};
    const size_t pitch = prefix_pitch(n, window);
    for (size_t k = 0; k < 7; k++)
        prefix_sums(columns[k], n + (size_t)window - 1, scratch + LEAD + k * pitch);
    return (Boxes){scratch + LEAD, pitch, window};
}

/* The same of masked windows, of all ten rows, where some have enough pixels. */
static Boxes masked_boxes_of(const AqmPairSums *sums, int window, int min_count, size_t n,
                             int32_t *scratch, BoxRange *range) {
    const int32_t *columns[10] = {sums->a,  sums->b,  sums->aa,    sums->ab, sums->bb,
                                  sums->ia, sums->ib, sums->count, sums->i,  sums->ii};
    const size_t pitch = prefix_pitch(n, window);
    int32_t *first = scratch + LEAD, *counts = first + COUNT_ROW * pitch;
    prefix_sums(sums->count, n + (size_t)window - 1, counts);
    *range = boxes_with(counts, window, min_count, n);
    for (size_t k = 0; k < 10 && range->columns > 0; k++)
        if (k != COUNT_ROW)
            prefix_sums(columns[k] + range->first, range->columns,
                        first + k * pitch + range->first);
    return (Boxes){first, pitch, window};
}

/* The sums of row k over the eight windows from x on. */
static inline __m256i box_of(const Boxes *boxes, size_t k, size_t x) {
    return window_sums(boxes->first + k * boxes->pitch, x, boxes->window);
}

/* What eight windows have in common, or each its own. */
typedef struct FitRules {
    __m256i count;
    __m256 inverse, inverse_spacing, flat;
} FitRules;

/* Variances and covariances of a, b and i (the reference) in eight windows. */
typedef struct Moments {
    __m256 aa, bb, ab, ia, ib, ii;
} Moments;

static inline Moments moments_of(const Boxes *boxes, const Stats *i, const FitRules *rules,
                                 size_t x) {
    const __m256i sum_a = box_of(boxes, 0, x), sum_b = box_of(boxes, 1, x);
    const Stats a = stats_of(sum_a, box_of(boxes, 2, x), rules->count, rules->inverse);
    const Stats b = stats_of(sum_b, box_of(boxes, 4, x), rules->count, rules->inverse);
    return (Moments){.aa = a.variance,
                     .bb = b.variance,
                     .ii = i->variance,
                     .ab = covariance_of(box_of(boxes, 3, x), sum_b, &a, rules->inverse),
                     .ia = covariance_of(box_of(boxes, 5, x), sum_a, i, rules->inverse),
                     .ib = covariance_of(box_of(boxes, 6, x), sum_b, i, rules->inverse)};
}

/* Score, slope and information; the formulas are those of fit_window. */
typedef struct Fit {
    __m256 score, slope, information;
} Fit;

static inline Fit fit_of(const Moments *m, const FitRules *rules) {
    const __m256 half = _mm256_set1_ps(0.5f), one = _mm256_set1_ps(1.0f),
                 per = rules->inverse_spacing;
    const __m256 both = _mm256_add_ps(m->aa, m->bb), twice = _mm256_add_ps(m->ab, m->ab);
    const __m256 vj = _mm256_mul_ps(_mm256_set1_ps(0.25f), _mm256_add_ps(both, twice));
    const __m256 vjg = _mm256_mul_ps(_mm256_mul_ps(half, _mm256_sub_ps(m->bb, m->aa)), per);
    const __m256 vg = _mm256_mul_ps(_mm256_mul_ps(_mm256_sub_ps(both, twice), per), per);
    const __m256 cij = _mm256_mul_ps(half, _mm256_add_ps(m->ia, m->ib));
    const __m256 cig = _mm256_mul_ps(_mm256_sub_ps(m->ib, m->ia), per);
    const __m256 usable = _mm256_and_ps(_mm256_cmp_ps(vj, rules->flat, _CMP_GT_OQ),
                                        _mm256_cmp_ps(m->ii, rules->flat, _CMP_GT_OQ));
    const __m256 safe_j = _mm256_blendv_ps(one, vj, usable);
    const __m256 safe_i = _mm256_blendv_ps(one, m->ii, usable);
    const __m256 norm =
        _mm256_div_ps(one, _mm256_mul_ps(_mm256_sqrt_ps(safe_j), _mm256_sqrt_ps(safe_i)));
    const __m256 share = _mm256_div_ps(vjg, safe_j);
    const __m256 information = _mm256_div_ps(_mm256_sub_ps(vg, _mm256_mul_ps(vjg, share)), safe_j);
    const __m256 slope = _mm256_mul_ps(_mm256_sub_ps(cig, _mm256_mul_ps(cij, share)), norm);
    const __m256 is_more = _mm256_cmp_ps(information, _mm256_setzero_ps(), _CMP_GT_OQ);
    return (Fit){_mm256_and_ps(usable, _mm256_mul_ps(cij, norm)), _mm256_and_ps(usable, slope),
                 _mm256_and_ps(_mm256_and_ps(usable, is_more), information)};
}

static void pair_fit_avx2(const AqmPairSums *sums, const AqmReferenceStats *reference, int window,
                          float spacing, size_t n, int32_t *scratch, const AqmPairFit *fit) {
    if (n < 8) {
        loops_pair_fit(sums, reference, window, spacing, n, scratch, fit);
        return;
    }
    const Boxes boxes = boxes_of(sums, window, n, scratch);
    const float count = (float)(window * window);
    const FitRules rules = {_mm256_set1_epi32(window * window), _mm256_set1_ps(1.0f / count),
                            _mm256_set1_ps(1.0f / spacing),
                            _mm256_set1_ps(aqm_flat_variance(count))};
    for (size_t x = 0; x < n; x = next_block(x, n)) {
        const Stats i = {load_short(reference->mean + x), load_short(reference->rest + x),
                         _mm256_loadu_ps(reference->variance + x)};
        const Moments moments = moments_of(&boxes, &i, &rules, x);
        const Fit eight = fit_of(&moments, &rules);
        _mm256_storeu_ps(fit->score + x, eight.score);
        _mm256_storeu_ps(fit->slope + x, eight.slope);
        _mm256_storeu_ps(fit->information + x, eight.information);
    }
}

/* Windows with fewer than `min_count` pixels count as flat. */
static inline FitRules masked_rules(__m256i count, int min_count, __m256 inverse_spacing) {
    const __m256 number = _mm256_cvtepi32_ps(count);
    const __m256 flat = _mm256_mul_ps(_mm256_set1_ps(aqm_flat_variance(1.0f)), number);
    const __m256i too_few = _mm256_cmpgt_epi32(_mm256_set1_epi32(min_count), count);
    return (FitRules){
        count, _mm256_div_ps(_mm256_set1_ps(1.0f), number), inverse_spacing,
        _mm256_blendv_ps(flat, _mm256_set1_ps(INFINITY), _mm256_castsi256_ps(too_few))};
}

static void pair_fit_masked_avx2(const AqmPairSums *sums, int window, int min_count, float spacing,
                                 size_t n, int32_t *scratch, const AqmPairFit *fit) {
    if (n < 8) {
        loops_pair_fit_masked(sums, window, min_count, spacing, n, scratch, fit);
        return;
    }
    BoxRange range;
    const Boxes boxes = masked_boxes_of(sums, window, min_count, n, scratch, &range);
    const __m256 inverse_spacing = _mm256_set1_ps(1.0f / spacing);
    const __m256 all = _mm256_set1_ps(1.0f / (float)(window * window));
    for (size_t x = 0; x < n; x++)
        fit->score[x] = fit->slope[x] = fit->information[x] = 0.0f;
    for (size_t x = range.first; x < range.end; x = next_block(x, n)) {
        const __m256i count = _mm256_max_epi32(box_of(&boxes, COUNT_ROW, x), _mm256_set1_epi32(1));
        const FitRules rules = masked_rules(count, min_count, inverse_spacing);
        const Stats i = stats_of(box_of(&boxes, 8, x), box_of(&boxes, 9, x), count, rules.inverse);
        const Moments moments = moments_of(&boxes, &i, &rules, x);
        const Fit eight = fit_of(&moments, &rules);
        const __m256 part = _mm256_mul_ps(_mm256_cvtepi32_ps(count), all);
        const __m256 part2 = _mm256_mul_ps(part, part), worth = _mm256_mul_ps(part2, part2);
        _mm256_storeu_ps(fit->score + x, eight.score);
        _mm256_storeu_ps(fit->slope + x, _mm256_mul_ps(eight.slope, worth));
        _mm256_storeu_ps(fit->information + x, _mm256_mul_ps(eight.information, worth));
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

/* near_larger and near_smaller: where either is NaN, the second. */
static inline __m256 larger(__m256 a, __m256 b) {
    return _mm256_max_ps(a, b);
}

static inline __m256 smaller(__m256 a, __m256 b) {
    return _mm256_min_ps(a, b);
}

static inline __m256 clamp(__m256 value, __m256 low, __m256 high) {
    return smaller(larger(value, low), high);
}

static inline __m256 is_above(__m256 a, __m256 b) {
    return _mm256_cmp_ps(a, b, _CMP_GT_OQ);
}

/* near_weight; `best` is at least 1e-6 already. */
static inline __m256 weight_of(__m256 score, __m256 best, __m256 floor, __m256 range) {
    const __m256 zero = _mm256_setzero_ps(), one = _mm256_set1_ps(1.0f);
    const __m256 share = _mm256_div_ps(_mm256_sub_ps(_mm256_div_ps(score, best), floor), range);
    return _mm256_and_ps(is_above(score, zero), clamp(share, zero, one));
}

/* The sources' sums of eight pixels. */
typedef struct Solve {
    __m256 weights, scores, slope, stiff, noise;
} Solve;

static inline void add_source(const AqmPairFit *fit, size_t x, __m256 best, __m256 range,
                              const AqmPairRules *rules, Solve *solve) {
    const __m256 r = _mm256_loadu_ps(fit->score + x), a = _mm256_loadu_ps(fit->information + x);
    const __m256 w = weight_of(r, best, _mm256_set1_ps(rules->weight_floor), range);
    const __m256 rest = _mm256_sub_ps(_mm256_set1_ps(1.0f), _mm256_mul_ps(r, r));
    const __m256 known =
        larger(_mm256_sub_ps(a, _mm256_mul_ps(_mm256_set1_ps(rules->noise_share), rest)),
               _mm256_setzero_ps());
    const __m256 wr = _mm256_mul_ps(w, r), dr = _mm256_loadu_ps(fit->slope + x);
    const __m256 noise = _mm256_mul_ps(_mm256_mul_ps(_mm256_mul_ps(w, w), a), rest);
    solve->weights = _mm256_add_ps(solve->weights, w);
    solve->scores = _mm256_add_ps(solve->scores, wr);
    solve->slope = _mm256_add_ps(solve->slope, _mm256_mul_ps(w, dr));
    solve->stiff = _mm256_add_ps(solve->stiff, _mm256_mul_ps(wr, known));
    solve->noise = _mm256_add_ps(solve->noise, noise);
}

static inline Solve sum_sources(const AqmPairFit *fits, size_t source_count, size_t x,
                                const AqmPairRules *rules) {
    const __m256 zero = _mm256_setzero_ps();
    const __m256 range = _mm256_set1_ps(rules->weight_full - rules->weight_floor);
    __m256 best = zero;
    for (size_t s = 0; s < source_count; s++)
        best = larger(best, _mm256_loadu_ps(fits[s].score + x));
    best = larger(best, _mm256_set1_ps(1e-6f));
    Solve solve = {zero, zero, zero, zero, zero};
    for (size_t s = 0; s < source_count; s++)
        add_source(&fits[s], x, best, range, rules, &solve);
    return solve;
}

/* The standard deviation of a move. */
static inline __m256 deviation_of(const Solve *solve, __m256 move, __m256 inverse,
                                  const AqmPairRules *rules) {
    const __m256 bend = _mm256_mul_ps(_mm256_set1_ps(rules->shift_share), move);
    const __m256 noise =
        _mm256_mul_ps(_mm256_set1_ps(rules->gain), larger(solve->noise, _mm256_setzero_ps()));
    const __m256 variance = _mm256_mul_ps(_mm256_mul_ps(noise, inverse), inverse);
    const __m256 left = _mm256_mul_ps(_mm256_set1_ps(rules->base_px * rules->prior), inverse);
    const __m256 floor = _mm256_set1_ps(rules->floor_px * rules->floor_px);
    const __m256 bent = _mm256_add_ps(_mm256_add_ps(variance, floor), _mm256_mul_ps(bend, bend));
    return _mm256_sqrt_ps(_mm256_add_ps(bent, _mm256_mul_ps(left, left)));
}

static void pair_solve_avx2(const AqmPairFit *fits, size_t source_count, const AqmPairRules *rules,
                            size_t n, float *shift, float *sigma, float *score) {
    if (n < 8) {
        loops_pair_solve(fits, source_count, rules, n, shift, sigma, score);
        return;
    }
    const __m256 one = _mm256_set1_ps(1.0f), none = _mm256_set1_ps(NAN);
    const __m256 most = _mm256_set1_ps(rules->most_px), least = _mm256_set1_ps(-rules->most_px);
    for (size_t x = 0; x < n; x = next_block(x, n)) {
        const Solve solve = sum_sources(fits, source_count, x, rules);
        const __m256 is_known = is_above(solve.weights, _mm256_setzero_ps());
        const __m256 inverse =
            _mm256_div_ps(one, _mm256_add_ps(solve.stiff, _mm256_set1_ps(rules->prior)));
        const __m256 move = clamp(_mm256_mul_ps(solve.slope, inverse), least, most);
        const __m256 deviation = deviation_of(&solve, move, inverse, rules);
        const __m256 mean = _mm256_div_ps(solve.scores, solve.weights);
        _mm256_storeu_ps(shift + x, _mm256_blendv_ps(none, move, is_known));
        _mm256_storeu_ps(sigma + x, _mm256_blendv_ps(none, deviation, is_known));
        _mm256_storeu_ps(score + x, _mm256_and_ps(is_known, mean));
    }
}

/* ---- curves ---------------------------------------------------------------------------------- */

enum { SEEN_MAX = 64 }; /* sources whose weights are held at a time */

/* The sources that have curves, and the weights that those of eight pixels get. */
typedef struct Seen {
    const int16_t *scores[SEEN_MAX];
    size_t count;
    __m256 weights[SEEN_MAX];
} Seen;

/* False where there are more than are held. */
static bool find_seen(const AqmCurves *curves, Seen *seen) {
    const size_t size = (size_t)curves->length * curves->stride;
    seen->count = 0;
    for (size_t s = 0; s < curves->source_count; s++) {
        if (!curves->is_seen[s])
            continue;
        if (seen->count == SEEN_MAX)
            return false;
        seen->scores[seen->count++] = curves->scores + s * size;
    }
    return true;
}

static inline __m128i load_scores(const int16_t *p) {
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline __m256 widen(__m128i scores) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(scores));
}

/* The highest score of a source, 0 where its curve is not whole. */
static inline __m256 top_of(const int16_t *scores, const AqmCurves *curves) {
    const __m128i missing = _mm_set1_epi16(AQM_SCORE_MISSING);
    __m128i top = load_scores(scores), low = top;
    for (int k = 1; k < curves->length; k++) {
        scores += curves->stride;
        top = _mm_max_epi16(top, load_scores(scores));
        low = _mm_min_epi16(low, load_scores(scores));
    }
    const __m128i above = _mm_max_epi16(top, _mm_setzero_si128());
    return widen(_mm_and_si128(_mm_cmpgt_epi16(low, missing), above));
}

/* Weighs the sources at x. Returns what makes a mean of their sums: 1 / (AQM_SCORE_ONE * the sum of
 * the weights), 0 where that is 0. */
static inline __m256 weigh_sources(const AqmCurves *curves, Seen *seen, size_t x) {
    const __m256 floor = _mm256_set1_ps(curves->weight_floor);
    const __m256 range = _mm256_set1_ps(curves->weight_full - curves->weight_floor);
    __m256 best = _mm256_setzero_ps(), total = best;
    for (size_t s = 0; s < seen->count; s++) {
        seen->weights[s] = top_of(seen->scores[s] + x, curves);
        best = larger(best, seen->weights[s]);
    }
    best = larger(best, _mm256_set1_ps(1e-6f));
    for (size_t s = 0; s < seen->count; s++) {
        seen->weights[s] = weight_of(seen->weights[s], best, floor, range);
        total = _mm256_add_ps(total, seen->weights[s]);
    }
    return _mm256_and_ps(is_above(total, _mm256_setzero_ps()),
                         _mm256_div_ps(_mm256_set1_ps(1.0f / AQM_SCORE_ONE), total));
}

/* The joined curve at hypothesis k. */
static inline __m256 joined_at(const AqmCurves *curves, const Seen *seen, __m256 inverse, size_t x,
                               int k) {
    const size_t at = (size_t)k * curves->stride + x;
    __m256 sum = _mm256_setzero_ps();
    for (size_t s = 0; s < seen->count; s++)
        sum = _mm256_add_ps(
            sum, _mm256_mul_ps(seen->weights[s], widen(load_scores(seen->scores[s] + at))));
    return _mm256_sub_ps(_mm256_mul_ps(sum, inverse), _mm256_set1_ps(curves->penalty[k]));
}

/* The highest hypothesis, its score, and those beside it. */
typedef struct Peak {
    __m256 where, best, below, above;
} Peak;

static inline void raise_peak(Peak *peak, __m256 before, __m256 now, __m256 after, int k) {
    const __m256 is_higher = is_above(now, peak->best);
    peak->best = _mm256_blendv_ps(peak->best, now, is_higher);
    peak->where = _mm256_blendv_ps(peak->where, _mm256_set1_ps((float)k), is_higher);
    peak->below = _mm256_blendv_ps(peak->below, before, is_higher);
    peak->above = _mm256_blendv_ps(peak->above, after, is_higher);
}

static inline Peak highest_of(const AqmCurves *curves, const Seen *seen, __m256 inverse, size_t x) {
    const __m256 zero = _mm256_setzero_ps();
    Peak peak = {zero, _mm256_set1_ps(AQM_CURVE_MISSING), zero, zero};
    __m256 now = joined_at(curves, seen, inverse, x, 0), before = now;
    for (int k = 1; k < curves->length; k++) {
        const __m256 after = joined_at(curves, seen, inverse, x, k);
        raise_peak(&peak, before, now, after, k - 1);
        before = now;
        now = after;
    }
    raise_peak(&peak, before, now, now, curves->length - 1);
    return peak;
}

/* The index of the highest point of the parabola through a peak, or of the peak itself. */
static inline __m256 index_of(const Peak *peak, int length) {
    const __m256 zero = _mm256_setzero_ps(), one = _mm256_set1_ps(1.0f),
                 half = _mm256_set1_ps(0.5f);
    const __m256 twice = _mm256_mul_ps(_mm256_set1_ps(2.0f), peak->best);
    const __m256 bend = _mm256_add_ps(_mm256_sub_ps(peak->below, twice), peak->above);
    const __m256 is_inside = _mm256_and_ps(
        is_above(peak->where, zero), is_above(_mm256_set1_ps((float)(length - 1)), peak->where));
    const __m256 is_peak = _mm256_and_ps(is_inside, is_above(_mm256_set1_ps(-1e-6f), bend));
    const __m256 fall = _mm256_mul_ps(half, _mm256_sub_ps(peak->below, peak->above));
    const __m256 fraction = _mm256_div_ps(fall, _mm256_blendv_ps(one, bend, is_peak));
    const __m256 inside = clamp(fraction, _mm256_set1_ps(-0.5f), half);
    return _mm256_add_ps(peak->where, _mm256_and_ps(is_peak, inside));
}

static void curve_peak_avx2(const AqmCurves *curves, size_t n, float *index, float *value) {
    Seen seen;
    if (n < 8 || !find_seen(curves, &seen)) {
        loops_curve_peak(curves, n, index, value);
        return;
    }
    for (size_t x = 0; x < n; x = next_block(x, n)) {
        const __m256 inverse = weigh_sources(curves, &seen, x);
        const Peak peak = highest_of(curves, &seen, inverse, x);
        const __m256 is_known = is_above(inverse, _mm256_setzero_ps());
        _mm256_storeu_ps(index + x, index_of(&peak, curves->length));
        _mm256_storeu_ps(value + x,
                         _mm256_blendv_ps(_mm256_set1_ps(AQM_CURVE_MISSING), peak.best, is_known));
    }
}

const AqmNearKernels aqm_near_kernels_avx2 = {
    .name = "avx2",
    .bend_row = aqm_bend_row_avx2,
    .pair_columns = pair_columns_avx2,
    .pair_columns_masked = pair_columns_masked_avx2,
    .pair_fit = pair_fit_avx2,
    .pair_fit_masked = pair_fit_masked_avx2,
    .pair_solve = pair_solve_avx2,
    .curve_peak = curve_peak_avx2,
    .median_row = loops_median_row,
    .quadric_row = loops_quadric_row,
    .mean_row = aqm_mean_row_avx2,
};
