/* Correlation of a whole tile by AVX2, in strips.
 *
 * Along a row, sums over windows want the running sum of columns, which in one vector costs more
 * than all else. So a row is cut into eight strips, one to a lane, and the columns of a strip come
 * one vector after the other: the running sum is then an addition and a subtraction. Sixteen lanes
 * of 16 bits hold the strips of two sources, which share what is loaded of the reference.
 *
 *     strip length S = ceil(width / 8); lane l of a vector at k: column l S + k, k < S + window - 1
 *
 * Strips overlap by what their last windows reach over. Reference and statistics are put in this
 * order once for a tile, a source's rows as they come in, and the scores back at the end. Sums and
 * scores do the operations of window_stats.h in its order, so the bits are those of `ncc`.
 *
 * The order of 32-bit lanes is that which unpacking makes of 16-bit ones: the first vector has
 * strips 0..3 of the first source and 0..3 of the second, the second vector has strips 4..7. */
#include <immintrin.h>

#include "kernels/strips.h"
#include "kernels/window_stats.h"

enum { STRIPS = 8, LANES = 2 * STRIPS };

/* Two vectors of 32-bit values or floats: all lanes at k. */
typedef struct Wide {
    __m256i first, second;
} Wide;

/* Statistics of the reference windows of the strips at one k. */
typedef struct Known {
    float mean[STRIPS];
    float inverse[STRIPS]; /* AQM_SCORE_ONE over the deviation: a power of two changes no bit */
} Known;

/* Sums over the height of a window at one k; those of 16 bits hold 31 grays. */
typedef struct Column {
    int16_t j[LANES];
    int32_t jj[LANES], ij[LANES];
} Column;

/* How many pixels the windows of the strips have, where some reach over a border. */
typedef struct Share {
    float inverse[STRIPS], flat[STRIPS]; /* 1 / count; the variance that is not enough */
} Share;

/* A tile's room, cut up. */
typedef struct Strips {
    size_t length, whole, longest; /* strip; with the windows' reach; that in whole blocks of 8 */
    size_t height, window;         /* windows */
    int16_t (*i)[STRIPS];          /* height + window - 1 rows of `longest` */
    Known *known;                  /* height x length */
    int16_t (*j)[LANES];           /* ring of window + 1 rows of `longest` */
    Column *columns;               /* window of zeros, then `longest` */
    Share *shares;                 /* of a row, `length` */
    int16_t (*scores)[LANES];      /* of a row, `length` */
} Strips;

static Strips strips_of(const AqmWholeTile *tile) {
    Strips s = {.length = ((size_t)tile->width + STRIPS - 1) / STRIPS,
                .height = (size_t)tile->height,
                .window = (size_t)tile->window};
    s.whole = s.length + s.window - 1;
    s.longest = (s.whole + 7) / 8 * 8;
    s.j = tile->room;
    s.columns = (Column *)(void *)(s.j + (s.window + 1) * s.longest);
    s.shares = (Share *)(void *)(s.columns + s.window + s.longest);
    s.scores = (int16_t(*)[LANES])(void *)(s.shares + s.length);
    s.known = (Known *)(void *)(s.scores + s.length);
    s.i = (int16_t(*)[STRIPS])(void *)(s.known + s.height * s.length);
    return s;
}

static inline __m256i load(const void *p) {
    return _mm256_load_si256((const __m256i *)p);
}

static inline void store(void *p, __m256i x) {
    _mm256_store_si256((__m256i *)p, x);
}

/* The same four values or eight shorts in both halves. */
static inline __m256i load_twice(const void *p) {
    return _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)p));
}

static inline __m256 load_floats_twice(const float *p) {
    return _mm256_castsi256_ps(load_twice(p));
}

/* ---- into strips and back -------------------------------------------------------------------- */

/* Eight columns of one strip of two rows, with what is missing as 0. */
static inline __m256i load_pair(const int16_t *first, const int16_t *second) {
    const __m256i low =
        _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)first));
    const __m256i both =
        _mm256_inserti128_si256(low, _mm_loadu_si128((const __m128i *)(const void *)second), 1);
    return _mm256_andnot_si256(_mm256_cmpeq_epi16(both, _mm256_set1_epi16(AQM_GRAY_MISSING)), both);
}

/* Transposes the 8 x 8 shorts in each half of the vectors. */
static inline void transpose(__m256i a[8]) {
    __m256i b[8];
    for (size_t s = 0; s < 4; s++) {
        b[2 * s] = _mm256_unpacklo_epi16(a[2 * s], a[2 * s + 1]);
        b[2 * s + 1] = _mm256_unpackhi_epi16(a[2 * s], a[2 * s + 1]);
    }
    __m256i c[8];
    for (size_t s = 0; s < 2; s++)
        for (size_t k = 0; k < 2; k++) {
            c[4 * s + 2 * k] = _mm256_unpacklo_epi32(b[4 * s + k], b[4 * s + 2 + k]);
            c[4 * s + 2 * k + 1] = _mm256_unpackhi_epi32(b[4 * s + k], b[4 * s + 2 + k]);
        }
    for (size_t k = 0; k < 4; k++) {
        a[2 * k] = _mm256_unpacklo_epi64(c[k], c[4 + k]);
        a[2 * k + 1] = _mm256_unpackhi_epi64(c[k], c[4 + k]);
    }
}

static inline __m128i half_of(__m256i x, int half) {
    return half ? _mm256_extracti128_si256(x, 1) : _mm256_castsi256_si128(x);
}

/* Puts a row of each source in order. */
static inline void fill_strips(const Strips *s, const int16_t *first, const int16_t *second,
                               int16_t (*out)[LANES]) {
    for (size_t k = 0; k < s->longest; k += 8) {
        __m256i a[8];
        for (size_t l = 0; l < 8; l++)
            a[l] = load_pair(first + l * s->length + k, second + l * s->length + k);
        transpose(a);
        for (size_t l = 0; l < 8; l++)
            store(out[k + l], a[l]);
    }
}

/* Puts a row of scores of each source back. The last block of a strip may reach back over the one
 * before. */
static inline void empty_strips(const Strips *s, int16_t *first, int16_t *second) {
    for (size_t k = 0; k < s->length;
         k = k + 8 < s->length && k + 16 > s->length ? s->length - 8 : k + 8) {
        __m256i a[8];
        for (size_t l = 0; l < 8; l++)
            a[l] = load(s->scores[k + l]);
        transpose(a);
        for (size_t l = 0; l < 8; l++) {
            const size_t at = l * s->length + k;
            _mm_storeu_si128((__m128i *)(void *)(first + at), half_of(a[l], 0));
            _mm_storeu_si128((__m128i *)(void *)(second + at), half_of(a[l], 1));
        }
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

/* The sums of a column, in registers. */
typedef struct Heights {
    __m256i j;
    Wide jj, ij;
} Heights;

/* Running sums over the columns of windows. */
typedef struct Sums {
    Wide j, jj, ij;
} Sums;

static inline Wide add_wide(Wide a, Wide b) {
    return (Wide){_mm256_add_epi32(a.first, b.first), _mm256_add_epi32(a.second, b.second)};
}

static inline Wide sub_wide(Wide a, Wide b) {
    return (Wide){_mm256_sub_epi32(a.first, b.first), _mm256_sub_epi32(a.second, b.second)};
}

static inline void store_wide(int32_t *p, Wide x) {
    store(p, x.first);
    store(p + 8, x.second);
}

/* A row of the reference and of the sources in strips. */
typedef struct Row {
    int16_t (*i)[STRIPS], (*j)[LANES];
} Row;

/* Moves the sums of column k down a row. */
static inline Heights move_down(Column *column, size_t k, const Row *in, const Row *out) {
    const __m256i zero = _mm256_setzero_si256();
    const __m256i i = load_twice(in->i[k]), io = load_twice(out->i[k]);
    const __m256i j = load(in->j[k]), jo = load(out->j[k]);
    const Heights h = {
        _mm256_add_epi16(load(column->j), _mm256_sub_epi16(j, jo)),
        add_wide(load_wide(column->jj), madd(j, jo, j, _mm256_sub_epi16(zero, jo))),
        add_wide(load_wide(column->ij), madd(j, jo, i, _mm256_sub_epi16(zero, io))),
    };
    store(column->j, h.j);
    store_wide(column->jj, h.jj);
    store_wide(column->ij, h.ij);
    return h;
}

/* Moves the windows on by a column. */
static inline void move_along(Sums *sums, const Heights *in, const Column *out) {
    const __m256i one = _mm256_set1_epi16(1), minus = _mm256_set1_epi16(-1);
    sums->j = add_wide(sums->j, madd(in->j, load(out->j), one, minus));
    sums->jj = add_wide(sums->jj, sub_wide(in->jj, load_wide(out->jj)));
    sums->ij = add_wide(sums->ij, sub_wide(in->ij, load_wide(out->ij)));
}

typedef struct Rules {
    __m256 inverse, flat;
} Rules;

/* Scores of eight windows, the strips from `strip` on of both sources: aqm_window_ncc. */
static inline __m256i compare(__m256i j, __m256i jj, __m256i ij, const Known *known, size_t strip,
                              Rules rules) {
    const __m256 sum = _mm256_cvtepi32_ps(j);
    const __m256 covariance = _mm256_sub_ps(
        _mm256_cvtepi32_ps(ij), _mm256_mul_ps(sum, load_floats_twice(known->mean + strip)));
    const __m256 variance = _mm256_sub_ps(_mm256_cvtepi32_ps(jj),
                                          _mm256_mul_ps(sum, _mm256_mul_ps(sum, rules.inverse)));
    const __m256 enough = _mm256_cmp_ps(variance, rules.flat, _CMP_GT_OQ);
    const __m256 score =
        _mm256_div_ps(_mm256_mul_ps(covariance, load_floats_twice(known->inverse + strip)),
                      _mm256_sqrt_ps(variance));
    return _mm256_cvtps_epi32(_mm256_and_ps(score, enough));
}

/* The same where windows reach over a border. */
static inline Rules rules_of(const Share *share, size_t strip) {
    return (Rules){load_floats_twice(share->inverse + strip),
                   load_floats_twice(share->flat + strip)};
}

/* Moves the column sums down a row and goes along its windows. */
static inline void take_row(const Strips *s, const Row *in, const Row *out, const Known *known,
                            const Rules *rules, bool has_border) {
    const Wide none = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    Column *old = s->columns, *column = old + s->window;
    Sums sums = {none, none, none};
    for (size_t k = 0; k + 1 < s->window; k++) {
        const Heights h = move_down(column++, k, in, out);
        move_along(&sums, &h, old++);
    }
    for (size_t k = 0; k < s->length; k++) {
        const Heights h = move_down(column++, k + s->window - 1, in, out);
        move_along(&sums, &h, old++);
        const __m256i first = compare(sums.j.first, sums.jj.first, sums.ij.first, known + k, 0,
                                      has_border ? rules_of(s->shares + k, 0) : *rules);
        const __m256i second = compare(sums.j.second, sums.jj.second, sums.ij.second, known + k, 4,
                                       has_border ? rules_of(s->shares + k, 4) : *rules);
        store(s->scores[k], _mm256_packs_epi32(first, second));
    }
}

/* The same before the first row of windows. */
static inline void take_early_row(const Strips *s, const Row *in, const Row *out) {
    for (size_t k = 0; k < s->whole; k++)
        (void)move_down(s->columns + s->window + k, k, in, out);
}

/* ---- tiles ----------------------------------------------------------------------------------- */

/* How many of the rows of pixels of windows in row `row` are there. */
static int count_rows(const AqmWholeTile *tile, size_t row) {
    const AqmBeyond *beyond = &tile->beyond;
    return aqm_window_present((int)row, tile->window, tile->height, beyond->top, beyond->bottom);
}

static int count_columns(const AqmWholeTile *tile, size_t x) {
    const AqmBeyond *beyond = &tile->beyond;
    const int present =
        aqm_window_present((int)x, tile->window, tile->width, beyond->left, beyond->right);
    return present > 1 ? present : 1; /* what pads the strips */
}

static void fill_shares(const AqmWholeTile *tile, const Strips *s, int rows) {
    for (size_t strip = 0; strip < STRIPS; strip++)
        for (size_t k = 0; k < s->length; k++) {
            const int count = rows * count_columns(tile, strip * s->length + k);
            Share *share = &s->shares[k];
            share->inverse[strip] = 1.0f / (float)count;
            share->flat[strip] = aqm_flat_variance(1.0f) * (float)count;
        }
}

static void load_known(const AqmWholeTile *tile, const Strips *s, size_t row) {
    const AqmReferenceStats *from = &tile->reference;
    const int rows = count_rows(tile, row);
    const bool has_border = aqm_has_border(&tile->beyond);
    const float whole = 1.0f / (float)(tile->window * tile->window);
    Known *known = s->known + row * s->length;
    for (size_t strip = 0; strip < STRIPS; strip++)
        for (size_t k = 0, x = strip * s->length; k < s->length; k++, x++) {
            const size_t near_x = x < (size_t)tile->width ? x : (size_t)tile->width - 1;
            const size_t at = row * tile->score_pitch + near_x;
            const float share =
                has_border ? 1.0f / (float)(rows * count_columns(tile, near_x)) : whole;
            known[k].mean[strip] = aqm_window_mean_value(from->mean[at], from->rest[at], share);
            known[k].inverse[strip] = AQM_SCORE_ONE * from->inverse_deviation[at];
        }
}

/* The strips of the reference stand once, those of sources side by side. */
static void load_reference(const AqmWholeTile *tile, const Strips *s, size_t row) {
    const int16_t *from = tile->i + row * tile->pitch;
    int16_t(*out)[STRIPS] = s->i + row * s->longest;
    fill_strips(s, from, from, s->j);
    for (size_t k = 0; k < s->longest; k++)
        _mm_store_si128((__m128i *)(void *)out[k], half_of(load(s->j[k]), 0));
}

void aqm_whole_load_avx2(const AqmWholeTile *tile) {
    const Strips s = strips_of(tile);
    for (size_t r = 0; r < s.height + s.window - 1; r++)
        load_reference(tile, &s, r);
    for (size_t r = 0; r < s.height; r++)
        load_known(tile, &s, r);
}

void aqm_whole_ncc_avx2(const AqmWholeTile *tile, const int16_t *const j[2], int32_t *scratch,
                        int16_t *const score[2]) {
    (void)scratch;
    const Strips s = strips_of(tile);
    const float count = (float)(tile->window * tile->window);
    const Rules rules = {_mm256_set1_ps(1.0f / count), _mm256_set1_ps(aqm_flat_variance(count))};
    const size_t ring = s.window + 1, rows = s.height + s.window - 1, other = j[1] ? 1 : 0;
    const bool has_border = aqm_has_border(&tile->beyond);
    int row_count = -1; /* that the shares are for */
    memset(s.columns, 0, (s.window + s.longest) * sizeof *s.columns);
    /* nothing leaves before a window's height is there */
    int16_t(*const nothing)[LANES] = s.j + s.window * s.longest;
    memset(nothing, 0, s.longest * sizeof *nothing);
    for (size_t r = 0; r < rows; r++) {
        const bool is_full = r >= s.window;
        Row in = {s.i + r * s.longest, s.j + r % ring * s.longest};
        Row out = {is_full ? in.i - s.window * s.longest : in.i,
                   is_full ? s.j + (r + 1) % ring * s.longest : nothing};
        fill_strips(&s, j[0] + r * tile->pitch, j[other] + r * tile->pitch, in.j);
        if (r + 1 < s.window) {
            take_early_row(&s, &in, &out);
            continue;
        }
        const size_t row = r + 1 - s.window;
        const Known *known = s.known + row * s.length;
        if (has_border && row_count != count_rows(tile, row))
            fill_shares(tile, &s, row_count = count_rows(tile, row));
        if (has_border)
            take_row(&s, &in, &out, known, &rules, true);
        else
            take_row(&s, &in, &out, known, &rules, false);
        const size_t at = row * tile->score_pitch;
        empty_strips(&s, score[0] + at, score[other] + at);
    }
}
