/* Statistics of a window from its sums of grays and of their squares, and the scores they make.
 *
 * With the mean split into a whole number m and the rest, sum = N m + r with |r| <= N / 2 or so,
 *
 *     sum of (i - mean_i)(j - mean_j) = [sum of ij - m_i sum_j] - r_i sum_j / N.
 *
 * The bracket is an integer below 2^31, computed exactly; what is taken off it is below 512 N, of
 * which a float keeps all but 1e-4 N, a hundred-thousandth of the least variance that counts. So
 * nothing cancels, though all that is needed are 32-bit integers and floats.
 *
 * Slopes are differences of such numbers and need them so; of a plane's score a hundredth is
 * enough. There the source's variance and the covariance are taken from the same exact sums in
 * floats alone,
 *
 *     N var = sum of jj - (sum_j)^2 / N,   N cov = sum of ij - sum_j mean_i,
 *
 * three roundings to 2^-24 of sums of at most N times the square of the brightest gray: on pure
 * white or black at most a twentieth of the least variance that counts, where noise alone makes
 * scores of a tenth, and 3e-3 of that of one 8-bit level. The sums do not depend on where a row or
 * a tile began, so neither do the scores.
 *
 * These functions are the definition: the variants do the same operations in the same order and get
 * the same bits. */
#ifndef AQM_KERNELS_WINDOW_STATS_H
#define AQM_KERNELS_WINDOW_STATS_H

#include <math.h>

#include "kernels/kernels.h"

typedef struct AqmWindowStats {
    int32_t mean, rest; /* sum = count * mean + rest */
    float variance;     /* times the count */
} AqmWindowStats;

/* The whole number nearest to the mean, in float: off by one at most, near a tie. */
static inline int32_t aqm_window_mean(int32_t sum, float inverse_count) {
    return (int32_t)lrintf((float)sum * inverse_count);
}

static inline AqmWindowStats aqm_window_stats(int32_t sum, int32_t squares, int32_t count,
                                              float inverse_count) {
    const int32_t mean = aqm_window_mean(sum, inverse_count), rest = sum - count * mean;
    const float correction = (float)rest * ((float)rest * inverse_count);
    return (AqmWindowStats){mean, rest, (float)(squares - mean * (sum + rest)) - correction};
}

/* Covariance times the count. */
static inline float aqm_window_covariance(int32_t ij, int32_t sum_j, int32_t mean_i, int32_t rest_i,
                                          float inverse_count) {
    const float correction = (float)sum_j * ((float)rest_i * inverse_count);
    return (float)(ij - mean_i * sum_j) - correction;
}

/* The mean as one number. */
static inline float aqm_window_mean_value(int32_t mean, int32_t rest, float inverse_count) {
    return (float)mean + (float)rest * inverse_count;
}

/* Times the count, for a score: of the source, and with the reference. */
static inline float aqm_score_variance(int32_t sum, int32_t squares, float inverse_count) {
    return (float)squares - (float)sum * ((float)sum * inverse_count);
}

static inline float aqm_score_covariance(int32_t ij, int32_t sum_j, float mean_i) {
    return (float)ij - (float)sum_j * mean_i;
}

/* Windows whose standard deviation is below a quarter of an 8-bit level hold nothing but rounding.
 */
#define AQM_FLAT_DEVIATION (0.25f * (float)AQM_GRAY_WHITE / 255.0f)

static inline float aqm_flat_variance(float count) {
    return AQM_FLAT_DEVIATION * AQM_FLAT_DEVIATION * count;
}

static inline float aqm_inverse_deviation(float variance, float flat) {
    const float inverse = 1.0f / sqrtf(variance > flat ? variance : 1.0f);
    return variance > flat ? inverse : 0.0f;
}

static inline float aqm_window_ncc(float covariance, float inverse_deviation_i, float variance_j,
                                   float flat) {
    const float value =
        covariance * inverse_deviation_i / sqrtf(variance_j > flat ? variance_j : 1.0f);
    return variance_j > flat ? value : 0.0f;
}

/* A score as it is kept. */
static inline int16_t aqm_score_of(float value) {
    return (int16_t)lrintf((float)AQM_SCORE_ONE * value);
}

/* Structural similarity: both its fractions over one denominator, times the counts. */
#define AQM_SSIM_C1 (0.01f * 0.01f * (float)AQM_GRAY_WHITE * (float)AQM_GRAY_WHITE)
#define AQM_SSIM_C2 (0.03f * 0.03f * (float)AQM_GRAY_WHITE * (float)AQM_GRAY_WHITE)

static inline float aqm_window_level(float mean) {
    return mean + (float)AQM_GRAY_CENTER;
}

static inline float aqm_window_ssim(float level_i, float level_j, float variances, float covariance,
                                    float inverse_count) {
    const float product = level_i * level_j;
    const float squares = level_i * level_i + level_j * level_j;
    const float above = (product + product + AQM_SSIM_C1) *
                        ((covariance + covariance) * inverse_count + AQM_SSIM_C2);
    const float below = (squares + AQM_SSIM_C1) * (variances * inverse_count + AQM_SSIM_C2);
    return above / below;
}

#endif
