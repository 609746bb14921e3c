/* NEON variants for 64-bit ARM; contracts in kernels.h. Projection is the loop of match_loops.h,
 * the rest is written by hand and does the same operations in the same order, so that the bits are
 * the same too: maxima are chosen by comparison, which keeps the sign of a zero. */
#include <arm_neon.h>
#include <stdbool.h>

#include "kernels/match_loops.h"
#include "kernels/strips.h"

/* ---- positions and samples ------------------------------------------------------------------- */

static void spread_neon(const float *top, const float *bottom, float down, size_t cells,
                        float *out) {
    const float32x4_t low = {0, 1, 2, 3}, high = {4, 5, 6, 7};
    float left = top[0] + down * (bottom[0] - top[0]);
    for (size_t c = 0; c < cells; c++) {
        const float right = top[c + 1] + down * (bottom[c + 1] - top[c + 1]);
        const float step = (right - left) * 0.125f;
        const float32x4_t from = vdupq_n_f32(left);
        vst1q_f32(out + 8 * c, vaddq_f32(from, vmulq_n_f32(low, step)));
        vst1q_f32(out + 8 * c + 4, vaddq_f32(from, vmulq_n_f32(high, step)));
        left = right;
    }
}

/* The left and right texels of four positions, as 32-bit pairs with the lower row in the high half.
 */
typedef struct Texels {
    int32x4_t left, right;
} Texels;

static inline int32x4_t load_two(const uint32_t *pairs, uint32x4_t at, bool is_high) {
    const uint32_t first = is_high ? vgetq_lane_u32(at, 2) : vgetq_lane_u32(at, 0);
    const uint32_t second = is_high ? vgetq_lane_u32(at, 3) : vgetq_lane_u32(at, 1);
    return vreinterpretq_s32_u32(vcombine_u32(vld1_u32(pairs + first), vld1_u32(pairs + second)));
}

/* Positions in 1/256 px, below an exponent (match_ref.c, fixed_position). */
static inline uint32x4_t fixed_positions(float32x4_t x) {
    const uint32x4_t bits = vreinterpretq_u32_f32(vaddq_f32(x, vdupq_n_f32(32768.0f)));
    return vandq_u32(bits, vdupq_n_u32(0x7fffff));
}

static inline Texels load_texels(const AqmGray *image, uint32x4_t x, uint32x4_t y) {
    const uint32x4_t at =
        vmlaq_n_u32(vshrq_n_u32(x, 8), vshrq_n_u32(y, 8), (uint32_t)image->stride);
    const int32x4_t low = load_two(image->pairs, at, false);
    const int32x4_t high = load_two(image->pairs, at, true);
    return (Texels){vuzp1q_s32(low, high), vuzp2q_s32(low, high)};
}

/* 256 a + (b - a) weight */
static inline int32x4_t between(int32x4_t a, int32x4_t b, int32x4_t weight) {
    return vmlaq_s32(vshlq_n_s32(a, 8), vsubq_s32(b, a), weight);
}

static inline int32x4_t blend(Texels t, uint32x4_t x, uint32x4_t y) {
    const uint32x4_t fraction = vdupq_n_u32(255);
    const int32x4_t wu = vreinterpretq_s32_u32(vandq_u32(x, fraction));
    const int32x4_t wv = vreinterpretq_s32_u32(vandq_u32(y, fraction));
    const int32x4_t left =
        between(vshrq_n_s32(vshlq_n_s32(t.left, 16), 16), vshrq_n_s32(t.left, 16), wv);
    const int32x4_t right =
        between(vshrq_n_s32(vshlq_n_s32(t.right, 16), 16), vshrq_n_s32(t.right, 16), wv);
    return vrshrq_n_s32(between(left, right, wu), 16);
}

static void sample_neon(const AqmGray *image, const float *u, const float *v, size_t n,
                        int16_t *out) {
    for (size_t k = 0; k < n; k += 4) {
        const uint32x4_t x = fixed_positions(vld1q_f32(u + k));
        const uint32x4_t y = fixed_positions(vld1q_f32(v + k));
        vst1_s16(out + k, vmovn_s32(blend(load_texels(image, x, y), x, y)));
    }
}

static void sample_masked_neon(const AqmGray *image, const float *u, const float *v, size_t n,
                               int16_t *out) {
    const float32x4_t zero = vdupq_n_f32(0.0f), right = vdupq_n_f32((float)(image->width - 1)),
                      last = vdupq_n_f32((float)(image->height - 1));
    const int16x8_t missing = vdupq_n_s16(AQM_GRAY_MISSING);
    for (size_t k = 0; k < n; k += 4) {
        const float32x4_t pu = vld1q_f32(u + k), pv = vld1q_f32(v + k);
        /* the nearest pixel for what lies outside or is NaN, which then is dropped */
        const float32x4_t near_u = vminnmq_f32(vmaxnmq_f32(pu, zero), right);
        const float32x4_t near_v = vminnmq_f32(vmaxnmq_f32(pv, zero), last);
        const uint32x4_t inside = vandq_u32(vceqq_f32(pu, near_u), vceqq_f32(pv, near_v));
        const uint32x4_t x = fixed_positions(near_u), y = fixed_positions(near_v);
        const Texels t = load_texels(image, x, y);
        const uint16x8_t hole = vorrq_u16(vceqq_s16(vreinterpretq_s16_s32(t.left), missing),
                                          vceqq_s16(vreinterpretq_s16_s32(t.right), missing));
        const uint32x4_t holes = vreinterpretq_u32_u16(hole);
        const uint32x4_t keep = vbicq_u32(inside, vtstq_u32(holes, holes));
        const int32x4_t value = vbslq_s32(keep, blend(t, x, y), vdupq_n_s32(AQM_GRAY_MISSING));
        vst1_s16(out + k, vmovn_s32(value));
    }
}

/* from + (to - from) weight / 2^15, rounded. */
static inline int16x8_t shift_between(int16x8_t from, int16x8_t to, int16x8_t weight) {
    return vaddq_s16(from, vqrdmulhq_s16(vsubq_s16(to, from), weight));
}

/* Eight pixels of a row of a block, moved across; least: of their neighbours, less than any gray
 * where one is missing. */
typedef struct ShiftRow {
    int16x8_t across, least;
} ShiftRow;

static inline ShiftRow shift_across(const int16_t *p, int16x8_t weight) {
    const int16x8_t left = vld1q_s16(p), right = vld1q_s16(p + 1);
    return (ShiftRow){shift_between(left, right, weight), vminq_s16(left, right)};
}

/* Half of a block: every row is the lower one of one sample and the upper one of the next. */
static inline void shift_half(const int16_t *p, ptrdiff_t stride, const AqmShift *shift, int rows,
                              bool is_masked, int16_t *out, size_t pitch) {
    const int16x8_t missing = vdupq_n_s16(AQM_GRAY_MISSING);
    const int16x8_t across = vdupq_n_s16(shift->across), down = vdupq_n_s16(shift->down);
    ShiftRow upper = shift_across(p, across);
    for (int r = 0; r < rows; r++, out += pitch) {
        p += stride;
        const ShiftRow lower = shift_across(p, across);
        int16x8_t value = shift_between(upper.across, lower.across, down);
        if (is_masked) {
            const int16x8_t least = vminq_s16(upper.least, lower.least);
            value = vbslq_s16(vceqq_s16(least, missing), missing, value);
        }
        vst1q_s16(out, value);
        upper = lower;
    }
}

static inline void shift_halves(const int16_t *from, ptrdiff_t stride, const AqmShift *shifts,
                                size_t n, int rows, bool is_masked, int16_t *out, size_t pitch) {
    for (size_t k = 0; k < n; k += 8) {
        const AqmShift *shift = &shifts[k / AQM_ROW_MULTIPLE];
        shift_half(from + k + shift->offset, stride, shift, rows, is_masked, out + k, pitch);
    }
}

static void shift_neon(const int16_t *from, ptrdiff_t stride, const AqmShift *shifts, size_t n,
                       int rows, int16_t *out, size_t pitch) {
    shift_halves(from, stride, shifts, n, rows, false, out, pitch);
}

static void shift_masked_neon(const int16_t *from, ptrdiff_t stride, const AqmShift *shifts,
                              size_t n, int rows, int16_t *out, size_t pitch) {
    shift_halves(from, stride, shifts, n, rows, true, out, pitch);
}

static uint32_t gaps_neon(const int16_t *row, size_t n) {
    uint32_t gaps = 0;
    for (size_t k = 0; k < n; k += 16) {
        const int16x8_t least = vminq_s16(vld1q_s16(row + k), vld1q_s16(row + k + 8));
        gaps |= (uint32_t)(vminvq_s16(least) == AQM_GRAY_MISSING) << k / 16;
    }
    return gaps;
}

/* ---- column sums ----------------------------------------------------------------------------- */

/* Adds a a' - b b' of eight columns. */
static inline void add_products(int32_t *sums, int16x8_t a, int16x8_t a2, int16x8_t b,
                                int16x8_t b2) {
    int32x4_t low = vld1q_s32(sums), high = vld1q_s32(sums + 4);
    low = vmlal_s16(low, vget_low_s16(a), vget_low_s16(a2));
    high = vmlal_high_s16(high, a, a2);
    vst1q_s32(sums, vmlsl_s16(low, vget_low_s16(b), vget_low_s16(b2)));
    vst1q_s32(sums + 4, vmlsl_high_s16(high, b, b2));
}

/* Adds eight differences of two grays, which fit 16 bits. */
static inline void add_wide(int32_t *sums, int16x8_t values) {
    vst1q_s32(sums, vaddw_s16(vld1q_s32(sums), vget_low_s16(values)));
    vst1q_s32(sums + 4, vaddw_high_s16(vld1q_s32(sums + 4), values));
}

static void columns_neon(const int16_t *i_new, const int16_t *j_new, const int16_t *i_old,
                         const int16_t *j_old, size_t n, const AqmColumnSums *sums) {
    for (size_t k = 0; k < n; k += 8) {
        const int16x8_t in = vld1q_s16(i_new + k), jn = vld1q_s16(j_new + k);
        const int16x8_t io = vld1q_s16(i_old + k), jo = vld1q_s16(j_old + k);
        add_wide(sums->j + k, vsubq_s16(jn, jo));
        add_products(sums->jj + k, jn, jn, jo, jo);
        add_products(sums->ij + k, in, jn, io, jo);
    }
}

/* All ones where both rows have a pixel. */
static inline int16x8_t present(int16x8_t i, int16x8_t j) {
    const int16x8_t missing = vdupq_n_s16(AQM_GRAY_MISSING);
    const uint16x8_t hole = vorrq_u16(vceqq_s16(i, missing), vceqq_s16(j, missing));
    return vreinterpretq_s16_u16(vmvnq_u16(hole));
}

static void columns_masked_neon(const int16_t *i_new, const int16_t *j_new, const int16_t *i_old,
                                const int16_t *j_old, size_t n, const AqmColumnSums *sums) {
    for (size_t k = 0; k < n; k += 8) {
        const int16x8_t has_new = present(vld1q_s16(i_new + k), vld1q_s16(j_new + k));
        const int16x8_t has_old = present(vld1q_s16(i_old + k), vld1q_s16(j_old + k));
        const int16x8_t in = vandq_s16(vld1q_s16(i_new + k), has_new);
        const int16x8_t jn = vandq_s16(vld1q_s16(j_new + k), has_new);
        const int16x8_t io = vandq_s16(vld1q_s16(i_old + k), has_old);
        const int16x8_t jo = vandq_s16(vld1q_s16(j_old + k), has_old);
        add_wide(sums->count + k, vsubq_s16(has_old, has_new)); /* masks are -1 */
        add_wide(sums->i + k, vsubq_s16(in, io));
        add_wide(sums->j + k, vsubq_s16(jn, jo));
        add_products(sums->ii + k, in, in, io, io);
        add_products(sums->jj + k, jn, jn, jo, jo);
        add_products(sums->ij + k, in, jn, io, jo);
    }
}

/* ---- horizontal sums ------------------------------------------------------------------------- */

/* Room before a row of running sums, of which the last entry is zero. */
enum { LEAD = 4 };

/* Running sums of columns: prefix[k] = c[0] + ... + c[k] modulo 2^32, for k up to `length` rounded
 * up to 4, and prefix[-1] = 0. The difference of two is exact wherever the true sum fits 32 bits.
 */
static inline void prefix_sums(const int32_t *c, size_t length, int32_t *prefix) {
    const int32x4_t zero = vdupq_n_s32(0);
    int32x4_t carry = zero;
    prefix[-1] = 0;
    for (size_t k = 0; k < length; k += 4) {
        int32x4_t x = vld1q_s32(c + k);
        x = vaddq_s32(x, vextq_s32(zero, x, 3));
        x = vaddq_s32(x, vextq_s32(zero, x, 2));
        vst1q_s32(prefix + k, vaddq_s32(x, carry));
        carry = vaddq_s32(carry, vdupq_laneq_s32(x, 3));
    }
}

/* The sums of four windows from x on. */
static inline int32x4_t window_sums(const int32_t *prefix, size_t x, int window) {
    const int32_t *from = prefix + x - 1;
    return vsubq_s32(vld1q_s32(from + window), vld1q_s32(from));
}

static inline size_t prefix_pitch(size_t n, int window) {
    return LEAD + (n + (size_t)window + 2) / 4 * 4;
}

/* ---- scores ---------------------------------------------------------------------------------- */

/* Statistics of four windows; window_stats.h. */
typedef struct Stats {
    int32x4_t mean, rest;
    float32x4_t variance;
} Stats;

static inline Stats stats_of(int32x4_t sum, int32x4_t squares, int32x4_t count,
                             float32x4_t inverse) {
    const int32x4_t mean = vcvtnq_s32_f32(vmulq_f32(vcvtq_f32_s32(sum), inverse));
    const int32x4_t rest = vmlsq_s32(sum, count, mean);
    const float32x4_t r = vcvtq_f32_s32(rest);
    const int32x4_t whole = vmlsq_s32(squares, mean, vaddq_s32(sum, rest));
    const float32x4_t correction = vmulq_f32(r, vmulq_f32(r, inverse));
    return (Stats){mean, rest, vsubq_f32(vcvtq_f32_s32(whole), correction)};
}

/* The mean as one number, and that of a source. */
static inline float32x4_t mean_value(int32x4_t mean, int32x4_t rest, float32x4_t inverse) {
    return vaddq_f32(vcvtq_f32_s32(mean), vmulq_f32(vcvtq_f32_s32(rest), inverse));
}

/* The moments of a source's windows, and with the reference's, as scores take them. */
typedef struct Moments {
    float32x4_t mean, variance, covariance;
} Moments;

static inline Moments moments_of(int32x4_t j, int32x4_t jj, int32x4_t ij, float32x4_t mean_i,
                                 float32x4_t inverse) {
    const float32x4_t sum = vcvtq_f32_s32(j), mean = vmulq_f32(sum, inverse);
    return (Moments){mean, vsubq_f32(vcvtq_f32_s32(jj), vmulq_f32(sum, mean)),
                     vsubq_f32(vcvtq_f32_s32(ij), vmulq_f32(sum, mean_i))};
}

/* value where `mask` is set, else 0 */
static inline float32x4_t keep(uint32x4_t mask, float32x4_t value) {
    return vreinterpretq_f32_u32(vandq_u32(mask, vreinterpretq_u32_f32(value)));
}

static inline float32x4_t ncc_of(float32x4_t covariance, float32x4_t inverse_i,
                                 float32x4_t variance_j, float32x4_t flat) {
    const uint32x4_t usable = vcgtq_f32(variance_j, flat);
    const float32x4_t deviation = vsqrtq_f32(vbslq_f32(usable, variance_j, vdupq_n_f32(1.0f)));
    return keep(usable, vdivq_f32(vmulq_f32(covariance, inverse_i), deviation));
}

static inline float32x4_t inverse_deviation_of(float32x4_t variance, float32x4_t flat) {
    const uint32x4_t usable = vcgtq_f32(variance, flat);
    const float32x4_t one = vdupq_n_f32(1.0f);
    return keep(usable, vdivq_f32(one, vsqrtq_f32(vbslq_f32(usable, variance, one))));
}

static inline float32x4_t level_of(float32x4_t mean) {
    return vaddq_f32(mean, vdupq_n_f32((float)AQM_GRAY_CENTER));
}

static inline float32x4_t ssim_of(float32x4_t level_i, float32x4_t level_j, float32x4_t variances,
                                  float32x4_t covariance, float32x4_t inverse) {
    const float32x4_t c1 = vdupq_n_f32(AQM_SSIM_C1), c2 = vdupq_n_f32(AQM_SSIM_C2);
    const float32x4_t product = vmulq_f32(level_i, level_j);
    const float32x4_t squares = vaddq_f32(vmulq_f32(level_i, level_i), vmulq_f32(level_j, level_j));
    const float32x4_t twice = vmulq_f32(vaddq_f32(covariance, covariance), inverse);
    const float32x4_t above =
        vmulq_f32(vaddq_f32(vaddq_f32(product, product), c1), vaddq_f32(twice, c2));
    const float32x4_t below =
        vmulq_f32(vaddq_f32(squares, c1), vaddq_f32(vmulq_f32(variances, inverse), c2));
    return vdivq_f32(above, below);
}

static inline int16x4_t score_of(float32x4_t value) {
    return vmovn_s32(vcvtnq_s32_f32(vmulq_n_f32(value, (float)AQM_SCORE_ONE)));
}

static inline int32x4_t load_shorts(const int16_t *p) {
    return vmovl_s16(vld1_s16(p));
}

/* The first window of the block after x: the last block ends with the row, over the one before. */
static inline size_t next_block(size_t x, size_t n) {
    return x + 4 < n && x + 8 > n ? n - 4 : x + 4;
}

/* Scores of at least four whole windows. */
static inline void score_whole(const AqmColumnSums *sums, const AqmReferenceStats *reference,
                               int window, size_t n, int32_t *scratch, bool is_ssim,
                               int16_t *score) {
    const size_t pitch = prefix_pitch(n, window), length = n + (size_t)window - 1;
    int32_t *j = scratch + LEAD, *jj = j + pitch, *ij = jj + pitch;
    prefix_sums(sums->j, length, j);
    prefix_sums(sums->jj, length, jj);
    prefix_sums(sums->ij, length, ij);
    const float number = (float)(window * window);
    const float32x4_t inverse = vdupq_n_f32(1.0f / number);
    const float32x4_t flat = vdupq_n_f32(aqm_flat_variance(number));
    for (size_t x = 0; x < n; x = next_block(x, n)) {
        const float32x4_t mean_i =
            mean_value(load_shorts(reference->mean + x), load_shorts(reference->rest + x), inverse);
        const Moments m = moments_of(window_sums(j, x, window), window_sums(jj, x, window),
                                     window_sums(ij, x, window), mean_i, inverse);
        float32x4_t value;
        if (is_ssim)
            value = ssim_of(level_of(mean_i), level_of(m.mean),
                            vaddq_f32(vld1q_f32(reference->variance + x), m.variance), m.covariance,
                            inverse);
        else
            value =
                ncc_of(m.covariance, vld1q_f32(reference->inverse_deviation + x), m.variance, flat);
        vst1_s16(score + x, score_of(value));
    }
}

static void ncc_neon(const AqmColumnSums *sums, const AqmReferenceStats *reference, int window,
                     size_t n, int32_t *scratch, int16_t *score) {
    if (n < 4)
        loops_ncc(sums, reference, window, n, scratch, score);
    else
        score_whole(sums, reference, window, n, scratch, false, score);
}

static void ssim_neon(const AqmColumnSums *sums, const AqmReferenceStats *reference, int window,
                      size_t n, int32_t *scratch, int16_t *score) {
    if (n < 4)
        loops_ssim(sums, reference, window, n, scratch, score);
    else
        score_whole(sums, reference, window, n, scratch, true, score);
}

/* The same over masked sums. */
static inline void score_masked(const AqmColumnSums *sums, int window, int min_count, size_t n,
                                int32_t *scratch, bool is_ssim, int16_t *score) {
    const size_t pitch = prefix_pitch(n, window), length = n + (size_t)window - 1;
    const int32_t *columns[6] = {sums->count, sums->i, sums->ii, sums->j, sums->jj, sums->ij};
    const int32_t *box = scratch + LEAD;
    for (size_t k = 0; k < 6; k++)
        prefix_sums(columns[k], length, scratch + LEAD + k * pitch);
    const float32x4_t one = vdupq_n_f32(1.0f);
    for (size_t x = 0; x < n; x = next_block(x, n)) {
        const int32x4_t count = window_sums(box, x, window);
        const float32x4_t number = vmaxq_f32(vcvtq_f32_s32(count), one);
        const float32x4_t inverse = vdivq_f32(one, number);
        const Stats i = stats_of(window_sums(box + pitch, x, window),
                                 window_sums(box + 2 * pitch, x, window), count, inverse);
        const float32x4_t mean_i = mean_value(i.mean, i.rest, inverse);
        const Moments m = moments_of(window_sums(box + 3 * pitch, x, window),
                                     window_sums(box + 4 * pitch, x, window),
                                     window_sums(box + 5 * pitch, x, window), mean_i, inverse);
        float32x4_t value;
        if (is_ssim) {
            value = ssim_of(level_of(mean_i), level_of(m.mean), vaddq_f32(i.variance, m.variance),
                            m.covariance, inverse);
        } else {
            const float32x4_t flat = vmulq_n_f32(number, aqm_flat_variance(1.0f));
            value = ncc_of(m.covariance, inverse_deviation_of(i.variance, flat), m.variance, flat);
        }
        const uint32x4_t enough = vcgeq_s32(count, vdupq_n_s32(min_count));
        vst1_s16(score + x,
                 vbsl_s16(vmovn_u32(enough), score_of(value), vdup_n_s16(AQM_SCORE_MISSING)));
    }
}

static void ncc_masked_neon(const AqmColumnSums *sums, int window, int min_count, size_t n,
                            int32_t *scratch, int16_t *score) {
    if (n < 4)
        loops_ncc_masked(sums, window, min_count, n, scratch, score);
    else
        score_masked(sums, window, min_count, n, scratch, false, score);
}

static void ssim_masked_neon(const AqmColumnSums *sums, int window, int min_count, size_t n,
                             int32_t *scratch, int16_t *score) {
    if (n < 4)
        loops_ssim_masked(sums, window, min_count, n, scratch, score);
    else
        score_masked(sums, window, min_count, n, scratch, true, score);
}

/* ---- the search over planes ------------------------------------------------------------------ */

/* Of up to four sources the best two count; more are the loop's. */
static void join_neon(const int16_t *const *scores, size_t source_count, size_t n, int16_t *out) {
    const int16x8_t missing = vdupq_n_s16(AQM_SCORE_MISSING);
    if (source_count > 4) {
        loops_join(scores, source_count, n, out);
        return;
    }
    for (size_t x = 0; x < n; x += 8) {
        int16x8_t best = missing, second = missing;
        for (size_t s = 0; s < source_count; s++) {
            const int16x8_t value = vld1q_s16(scores[s] + x);
            second = vmaxq_s16(vminq_s16(best, value), second);
            best = vmaxq_s16(value, best);
        }
        vst1q_s16(out + x, vbslq_s16(vcgtq_s16(second, missing), vhaddq_s16(best, second), best));
    }
}

/* Takes the scores of one plane in, at eight pixels of all that are told of a row. */
static inline void take_plane(int16x8_t state[7], int16x8_t a, int plane, int16x8_t merge) {
    enum { BEFORE, LAST, BEST, BELOW, ABOVE, SECOND, PLANE };
    const int16x8_t missing = vdupq_n_s16(AQM_SCORE_MISSING);
    const int16x8_t here = vdupq_n_s16((int16_t)(plane - 1)), b = state[BEFORE], c = state[LAST];
    const uint16x8_t inner = vdupq_n_u16(plane >= 2 ? UINT16_MAX : 0);
    const uint16x8_t edge = vandq_u16(vdupq_n_u16(plane == 1 ? UINT16_MAX : 0), vcgtq_s16(c, a));
    const uint16x8_t top = vandq_u16(vcgtq_s16(c, b), vcgeq_s16(c, a));
    const uint16x8_t known = vandq_u16(vcgtq_s16(b, missing), vcgtq_s16(a, missing));
    const uint16x8_t peak = vandq_u16(inner, vandq_u16(top, known));
    const uint16x8_t better = vandq_u16(peak, vcgtq_s16(c, state[BEST]));
    const uint16x8_t other = vcgtq_s16(vsubq_s16(here, state[PLANE]), merge);
    /* of the two maxima apart from each other, the lesser */
    int16x8_t rival = vbslq_s16(vandq_u16(peak, other), vbslq_s16(better, state[BEST], c), missing);
    rival = vbslq_s16(edge, c, rival);
    state[SECOND] = vmaxq_s16(rival, state[SECOND]);
    state[BEST] = vbslq_s16(better, c, state[BEST]);
    state[BELOW] = vbslq_s16(better, b, state[BELOW]);
    state[ABOVE] = vbslq_s16(better, a, state[ABOVE]);
    state[PLANE] = vbslq_s16(better, here, state[PLANE]);
    state[BEFORE] = c;
    state[LAST] = a;
}

static void track_neon(const int16_t *scores, size_t pitch, int first, int count, int merge_planes,
                       size_t n, const AqmPeaks *p) {
    int16_t *const rows[7] = {p->before,     p->last,   p->best,      p->best_below,
                              p->best_above, p->second, p->best_plane};
    const int16x8_t merge =
        vdupq_n_s16((int16_t)(merge_planes < INT16_MAX ? merge_planes : INT16_MAX));
    for (size_t x = 0; x < n; x += 8) {
        int16x8_t state[7];
        for (int k = 0; k < 7; k++)
            state[k] = vld1q_s16(rows[k] + x);
        for (int k = 0; k < count; k++)
            take_plane(state, vld1q_s16(scores + (size_t)k * pitch + x), first + k, merge);
        for (int k = 0; k < 7; k++)
            vst1q_s16(rows[k] + x, state[k]);
    }
}

/* A whole tile, row by row. */
static void whole_ncc_neon(const AqmWholeTile *tile, const int16_t *const j[2], int32_t *scratch,
                           int16_t *const score[2]) {
    whole_by_rows(columns_neon, ncc_neon, tile, j, scratch, score);
}

const AqmKernels aqm_kernels_neon = {
    .name = "neon",
    .project = loops_project,
    .spread = spread_neon,
    .sample = sample_neon,
    .sample_masked = sample_masked_neon,
    .shift = shift_neon,
    .shift_masked = shift_masked_neon,
    .gaps = gaps_neon,
    .columns = columns_neon,
    .columns_masked = columns_masked_neon,
    .statistics = loops_statistics,
    .ncc = ncc_neon,
    .ncc_masked = ncc_masked_neon,
    .whole_load = whole_load_rows,
    .whole_ncc = whole_ncc_neon,
    .ssim = ssim_neon,
    .ssim_masked = ssim_masked_neon,
    .join = join_neon,
    .track = track_neon,
};
