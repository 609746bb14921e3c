/* Correlation of a whole tile by AVX2, in strips.
 *
 * Along a row, sums over windows want the running sum of columns, which in one vector costs more
 * than all else. So a row is cut into eight strips, one to a lane, and the columns of a strip come
 * one vector after the other: the running sum is then an addition and a subtraction. Sixteen lanes
 * of 16 bits hold the strips of two rows, half of the tile apart.
 *
 *     strip length S = ceil(width / 8); lane l of a vector at k: column l S + k, k < S + window - 1
 *
 * Strips overlap by what their last windows reach over. Reference and statistics are put in this
 * order once for a tile, a source's rows as they come in, and the scores back at the end. Sums and
 * scores do the operations of window_stats.h in its order, so the bits are those of `ncc`.
 *
 * The order of 32-bit lanes is that which unpacking makes of 16-bit ones: the first vector has
 * strips 0..3 of the upper row and 0..3 of the lower one, the second has strips 4..7 of both. */
#include <immintrin.h>

#include "kernels/strips.h"
#include "kernels/window_stats.h"

enum { LANES = 16 };

/* Two vectors of 32-bit values or floats: all lanes at k. */
typedef struct Wide {
    __m256i first, second;
} Wide;

/* Statistics of the reference windows at one k. */
typedef struct Known {
    int16_t mean[LANES];
    float share[LANES], inverse[LANES]; /* the rest over the count; of the deviation */
} Known;

/* Sums over the height of a window at one k; those of 16 bits hold 31 grays. */
typedef struct Column {
    int16_t j[LANES];
    int32_t jj[LANES], ij[LANES];
} Column;

/* Eight windows in each vector at one k, on their way to scores. */
typedef struct Window {
    float covariance[LANES], variance[LANES]; /* the covariance over the reference's deviation */
} Window;

/* A window becomes a score in two steps, a column apart: in line the second would wait for the
 * first, and what waits keeps the processor from looking ahead. */
enum { STEPS = 1, RING = 2 };

/* A tile's room, cut up. */
typedef struct Strips {
    size_t length, whole, longest; /* strip; with the windows' reach; that in whole blocks of 8 */
    size_t half, lower;            /* rows of windows of each half; the first of the lower half */
    size_t window;
    int16_t (*i)[LANES];    /* half + window - 1 rows of `longest` */
    Known *known;           /* half x length, and STEPS that do not count */
    int16_t (*j)[LANES];    /* ring of window + 1 rows of `longest` */
    Column *columns;        /* window of zeros, then `longest` and STEPS that do not count */
    Window *windows;        /* RING, in turn */
    float (*scores)[LANES]; /* STEPS that do not count, then `length` */
} Strips;

static Strips strips_of(const AqmWholeTile *tile) {
    Strips s = {.length = ((size_t)tile->width + 7) / 8,
                .half = ((size_t)tile->height + 1) / 2,
                .window = (size_t)tile->window};
    s.whole = s.length + s.window - 1;
    s.longest = (s.whole + 7) / 8 * 8;
    s.lower = (size_t)tile->height - s.half;
    s.i = tile->room;
    s.j = s.i + (s.half + s.window - 1) * s.longest;
    s.known = (Known *)(void *)(s.j + (s.window + 1) * s.longest);
    s.columns = (Column *)(void *)(s.known + s.half * s.length + STEPS);
    s.windows = (Window *)(void *)(s.columns + s.window + s.longest + STEPS);
    s.scores = (float(*)[LANES])(void *)(s.windows + RING);
    return s;
}

static inline __m256i load(const void *p) {
    return _mm256_load_si256((const __m256i *)p);
}

static inline void store(void *p, __m256i x) {
    _mm256_store_si256((__m256i *)p, x);
}

/* ---- into strips and back -------------------------------------------------------------------- */

/* Eight columns of one strip of both rows, with what is missing as 0. */
static inline __m256i load_pair(const int16_t *upper, const int16_t *lower) {
    const __m256i low =
        _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)upper));
    const __m256i both =
        _mm256_inserti128_si256(low, _mm_loadu_si128((const __m128i *)(const void *)lower), 1);
    return _mm256_andnot_si256(_mm256_cmpeq_epi16(both, _mm256_set1_epi16(AQM_GRAY_MISSING)), both);
}

/* Puts eight columns of all strips in order: an 8 x 8 transposition in each half. */
static inline void transpose_block(const int16_t *upper, const int16_t *lower, size_t length,
                                   int16_t (*out)[LANES]) {
    __m256i a[8], b[8];
    for (size_t s = 0; s < 8; s++)
        a[s] = load_pair(upper + s * length, lower + s * length);
    for (size_t s = 0; s < 4; s++) {
        b[2 * s] = _mm256_unpacklo_epi16(a[2 * s], a[2 * s + 1]);
        b[2 * s + 1] = _mm256_unpackhi_epi16(a[2 * s], a[2 * s + 1]);
    }
    for (size_t s = 0; s < 2; s++)
        for (size_t k = 0; k < 2; k++) {
            a[4 * s + 2 * k] = _mm256_unpacklo_epi32(b[4 * s + k], b[4 * s + 2 + k]);
            a[4 * s + 2 * k + 1] = _mm256_unpackhi_epi32(b[4 * s + k], b[4 * s + 2 + k]);
        }
    for (size_t k = 0; k < 4; k++) {
        store(out[2 * k], _mm256_unpacklo_epi64(a[k], a[4 + k]));
        store(out[2 * k + 1], _mm256_unpackhi_epi64(a[k], a[4 + k]));
    }
}

/* Rows `row` of the upper and the lower half. */
static inline void transpose_rows(const Strips *s, const int16_t *rows, size_t pitch, size_t row,
                                  int16_t (*out)[LANES]) {
    const int16_t *upper = rows + row * pitch, *lower = upper + s->lower * pitch;
    for (size_t k = 0; k < s->longest; k += 8)
        transpose_block(upper + k, lower + k, s->length, out + k);
}

static inline void store_both(float *upper, float *lower, __m256 x) {
    _mm_storeu_ps(upper, _mm256_castps256_ps128(x));
    _mm_storeu_ps(lower, _mm256_extractf128_ps(x, 1));
}

/* Four scores of four strips of both rows. */
static inline void restore_block(float (*scores)[LANES], size_t half, size_t length, float *upper,
                                 float *lower) {
    const __m256 a = _mm256_load_ps(scores[0] + half), b = _mm256_load_ps(scores[1] + half);
    const __m256 c = _mm256_load_ps(scores[2] + half), d = _mm256_load_ps(scores[3] + half);
    const __m256 ab = _mm256_unpacklo_ps(a, b), cd = _mm256_unpacklo_ps(c, d);
    const __m256 AB = _mm256_unpackhi_ps(a, b), CD = _mm256_unpackhi_ps(c, d);
    store_both(upper, lower, _mm256_shuffle_ps(ab, cd, 0x44));
    store_both(upper + length, lower + length, _mm256_shuffle_ps(ab, cd, 0xee));
    store_both(upper + 2 * length, lower + 2 * length, _mm256_shuffle_ps(AB, CD, 0x44));
    store_both(upper + 3 * length, lower + 3 * length, _mm256_shuffle_ps(AB, CD, 0xee));
}

static inline void restore_rows(const Strips *s, float *upper, float *lower) {
    for (size_t k = 0; k < s->length;
         k = k + 4 < s->length && k + 8 > s->length ? s->length - 4 : k + 4)
        for (size_t half = 0; half < 2; half++) {
            const size_t at = 4 * half * s->length + k;
            restore_block(s->scores + STEPS + k, 8 * half, s->length, upper + at, lower + at);
        }
}

/* ---- sums and scores ------------------------------------------------------------------------- */

static inline Wide load_wide(const void *p) {
    return (Wide){load(p), load((const char *)p + 32)};
}

static inline Wide madd(__m256i a, __m256i b, __m256i c, __m256i d) {
    return (Wide){_mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), _mm256_unpacklo_epi16(c, d)),
                  _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), _mm256_unpackhi_epi16(c, d))};
}

static inline void add_to(int32_t *sums, Wide x) {
    store(sums, _mm256_add_epi32(load(sums), x.first));
    store(sums + 8, _mm256_add_epi32(load(sums + 8), x.second));
}

/* Moves the column sums down a row: `i` and `j` come in, those of `old` leave. */
static inline void move_down(const Strips *s, int16_t (*i)[LANES], int16_t (*j)[LANES],
                             int16_t (*i_old)[LANES], int16_t (*j_old)[LANES]) {
    const __m256i zero = _mm256_setzero_si256();
    Column *column = s->columns + s->window;
    for (size_t k = 0; k < s->whole; k++, column++) {
        const __m256i in = load(i[k]), jn = load(j[k]), io = load(i_old[k]), jo = load(j_old[k]);
        const __m256i both = _mm256_sub_epi16(jn, jo);
        store(column->j, _mm256_add_epi16(load(column->j), both));
        add_to(column->jj, madd(jn, jo, jn, _mm256_sub_epi16(zero, jo)));
        add_to(column->ij, madd(jn, jo, in, _mm256_sub_epi16(zero, io)));
    }
}

/* Running sums over the columns of windows. */
typedef struct Sums {
    Wide j, jj, ij;
} Sums;

static inline Wide move_wide(Wide sum, Wide in, Wide out) {
    return (Wide){_mm256_add_epi32(sum.first, _mm256_sub_epi32(in.first, out.first)),
                  _mm256_add_epi32(sum.second, _mm256_sub_epi32(in.second, out.second))};
}

static inline void move_along(Sums *sums, const Column *in, const Column *out) {
    const __m256i one = _mm256_set1_epi16(1), minus = _mm256_set1_epi16(-1);
    const Wide j = madd(load(in->j), load(out->j), one, minus);
    sums->j = (Wide){_mm256_add_epi32(sums->j.first, j.first),
                     _mm256_add_epi32(sums->j.second, j.second)};
    sums->jj = move_wide(sums->jj, load_wide(in->jj), load_wide(out->jj));
    sums->ij = move_wide(sums->ij, load_wide(in->ij), load_wide(out->ij));
}

typedef struct Rules {
    __m256i count;
    __m256 inverse, flat;
} Rules;

static inline __m256i load_shorts(const int16_t *p) {
    return _mm256_cvtepi16_epi32(_mm_load_si128((const __m128i *)(const void *)p));
}

/* The first step, for eight windows: aqm_window_covariance and the variance of
 * aqm_window_stats. */
static inline void compare(__m256i j, __m256i jj, __m256i ij, const Known *known, size_t half,
                           const Rules *rules, Window *window) {
    const __m256 sum = _mm256_cvtepi32_ps(j);
    const __m256i mean = _mm256_cvtps_epi32(_mm256_mul_ps(sum, rules->inverse));
    const __m256i mean_i = load_shorts(known->mean + half);
    const __m256i products = _mm256_sub_epi32(ij, _mm256_mullo_epi32(mean_i, j));
    const __m256i rest = _mm256_sub_epi32(j, _mm256_madd_epi16(rules->count, mean));
    const __m256 r = _mm256_cvtepi32_ps(rest);
    const __m256i squares =
        _mm256_sub_epi32(jj, _mm256_mullo_epi32(mean, _mm256_add_epi32(j, rest)));
    const __m256 correction = _mm256_mul_ps(sum, _mm256_load_ps(known->share + half));
    const __m256 covariance = _mm256_sub_ps(_mm256_cvtepi32_ps(products), correction);
    _mm256_store_ps(window->covariance + half,
                    _mm256_mul_ps(covariance, _mm256_load_ps(known->inverse + half)));
    _mm256_store_ps(window->variance + half,
                    _mm256_sub_ps(_mm256_cvtepi32_ps(squares),
                                  _mm256_mul_ps(r, _mm256_mul_ps(r, rules->inverse))));
}

/* The second: aqm_window_ncc. */
static inline void finish(const Window *window, size_t half, const Rules *rules, float *score) {
    const __m256 variance = _mm256_load_ps(window->variance + half);
    const __m256 usable = _mm256_cmp_ps(variance, rules->flat, _CMP_GT_OQ);
    const __m256 value =
        _mm256_div_ps(_mm256_load_ps(window->covariance + half), _mm256_sqrt_ps(variance));
    _mm256_store_ps(score + half, _mm256_and_ps(value, usable));
}

/* A row of scores from the column sums. */
static inline void score_row(const Strips *s, const Known *known, const Rules *rules) {
    const __m256i zero = _mm256_setzero_si256();
    const Column *old = s->columns, *column = old + s->window;
    Sums sums = {{zero, zero}, {zero, zero}, {zero, zero}};
    for (size_t k = 0; k + 1 < s->window; k++)
        move_along(&sums, column++, old++);
    Window *first = s->windows, *last = first + 1;
    for (size_t k = 0; k < s->length + STEPS; k++, known++) {
        move_along(&sums, column++, old++);
        compare(sums.j.first, sums.jj.first, sums.ij.first, known, 0, rules, last);
        compare(sums.j.second, sums.jj.second, sums.ij.second, known, 8, rules, last);
        finish(first, 0, rules, s->scores[k]);
        finish(first, 8, rules, s->scores[k]);
        Window *const free = first;
        first = last;
        last = free;
    }
}

/* ---- tiles ----------------------------------------------------------------------------------- */

/* Where lane `lane` of 32 bits has its strip and its half. */
static inline size_t strip_of(size_t lane) {
    return lane % 4 + lane / 8 * 4;
}

static inline size_t is_lower(size_t lane) {
    return lane / 4 % 2;
}

static void load_known(const AqmWholeTile *tile, const Strips *s, size_t row) {
    const AqmReferenceStats *from = &tile->reference;
    const float inverse_count = 1.0f / (float)(tile->window * tile->window);
    Known *known = s->known + row * s->length;
    for (size_t lane = 0; lane < LANES; lane++) {
        const size_t at = (row + is_lower(lane) * s->lower) * tile->score_pitch;
        for (size_t k = 0, x = strip_of(lane) * s->length; k < s->length; k++, x++) {
            const size_t near_x = x < (size_t)tile->width ? x : (size_t)tile->width - 1;
            known[k].mean[lane] = from->mean[at + near_x];
            known[k].share[lane] = (float)from->rest[at + near_x] * inverse_count;
            known[k].inverse[lane] = from->inverse_deviation[at + near_x];
        }
    }
}

void aqm_whole_load_avx2(const AqmWholeTile *tile) {
    const Strips s = strips_of(tile);
    memset(s.known + s.half * s.length, 0, STEPS * sizeof *s.known);
    for (size_t r = 0; r < s.half + s.window - 1; r++)
        transpose_rows(&s, tile->i, tile->pitch, r, s.i + r * s.longest);
    for (size_t r = 0; r < s.half; r++)
        load_known(tile, &s, r);
}

void aqm_whole_ncc_avx2(const AqmWholeTile *tile, const int16_t *j, int32_t *scratch,
                        float *score) {
    (void)scratch;
    const Strips s = strips_of(tile);
    const float count = (float)(tile->window * tile->window);
    const Rules rules = {_mm256_set1_epi32(tile->window * tile->window),
                         _mm256_set1_ps(1.0f / count), _mm256_set1_ps(aqm_flat_variance(count))};
    const size_t ring = s.window + 1, rows = s.half + s.window - 1;
    memset(s.columns, 0, (s.window + s.longest + STEPS) * sizeof *s.columns);
    memset(s.windows, 0, RING * sizeof *s.windows);
    /* nothing leaves before a window's height is there: the ring starts with zeros */
    memset(s.j, 0, ring * s.longest * sizeof *s.j);
    for (size_t r = 0; r < rows; r++) {
        int16_t(*in)[LANES] = s.j + r % ring * s.longest;
        int16_t(*out)[LANES] = s.j + (r + 1) % ring * s.longest;
        int16_t(*i)[LANES] = s.i + r * s.longest;
        transpose_rows(&s, j, tile->pitch, r, in);
        move_down(&s, i, in, r >= s.window ? i - s.window * s.longest : i, out);
        if (r + 1 < s.window)
            continue;
        const size_t row = r + 1 - s.window;
        score_row(&s, s.known + row * s.length, &rules);
        restore_rows(&s, score + row * tile->score_pitch,
                     score + (row + s.lower) * tile->score_pitch);
    }
}
