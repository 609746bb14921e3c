/* The inner loops of matching near a known surface: raw pointers, no allocation, cannot fail.
 * Images and window sums are those of kernels.h; references and variants too: integers agree bit
 * for bit, floats within the bound stated.
 *
 * Along a pixel's ray a source is taken as linear between two samples a and b, `spacing` apart:
 * J(t) = (a + b) / 2 + (b - a) t / spacing. What a window's correlation with the reference I does
 * when all its pixels move by t then follows from seven sums (Psarakis & Evangelidis 2005). */
#ifndef AQM_KERNELS_NEAR_KERNELS_H
#define AQM_KERNELS_NEAR_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"

/* Column sums of a window's height over the samples of a pair of rows; the last three for windows
 * with missing pixels only. */
typedef struct AqmPairSums {
    int32_t *a, *b, *aa, *ab, *bb, *ia, *ib;
    int32_t *count, *i, *ii;
} AqmPairSums;

/* Three rows of equal length: reference and the two samples. */
typedef struct AqmPairRow {
    const int16_t *i, *a, *b;
} AqmPairRow;

/* Of each window: its correlation with the reference at t = 0, the derivative of the correlation by
 * t, and the information: the squared change of the normalised source window per unit of t, less
 * what a change of brightness or contrast explains. All 0 where a window is flat or missing. */
typedef struct AqmPairFit {
    float *score, *slope, *information;
} AqmPairFit;

/* How the sources of a pixel are weighed and what is made of them (refine.c has the formulas). */
typedef struct AqmPairRules {
    float weight_floor, weight_full; /* shares of the best source's score */
    float noise_share;               /* of information, per unit of 1 - score^2 */
    float prior, most_px;            /* prior > 0: information that the base counts for */
    float gain, floor_px, shift_share, base_px; /* of the standard deviation */
} AqmPairRules;

/* Score curves of a row of pixels over `length` hypotheses: those of source s and hypothesis k
 * start at scores + (s * length + k) * stride; sources with !is_seen[s] have none. */
typedef struct AqmCurves {
    const int16_t *scores; /* as kernels.h has them */
    const bool *is_seen;
    size_t source_count, stride;
    int length;
    float weight_floor, weight_full; /* shares of the best source's highest score */
    const float *penalty;            /* of each hypothesis, taken off the joined score */
} AqmCurves;

enum { AQM_QUADRIC_TAPS = 7, AQM_QUADRIC_BLOCK = 16 };
enum { AQM_CURVE_MAX = 33 };      /* hypotheses */
#define AQM_CURVE_MISSING (-2.0f) /* the value of no curve; others are within -1..1, about */

/* Weighted means along a line: tap k of `taps` (odd; the middle one is the pixel's own) lies at
 * rows[k][x + shift[k]], with weights of the same shape; NULL: not there. What differs from the
 * pixel's own by `reach` or more, or is NaN, is left out; so is a shifted tap within its shift of
 * either end, that a slope stays where it is. */
typedef struct AqmMeanLine {
    const float *const *rows, *const *weights; /* weights NULL: all 1 */
    const int *shift;
    int taps;
    const float *reach; /* of each pixel */
} AqmMeanLine;

/* Seven rows of a map around the one at work (in the middle), `spacing` rows apart, and the weights
 * of its values; NULL: not there. Quadrics are fitted through taps `spacing` px apart. */
typedef struct AqmQuadricRows {
    const float *values[AQM_QUADRIC_TAPS], *weights[AQM_QUADRIC_TAPS]; /* 0: not known */
    const float *sigma;                                                /* of the row at work */
    int spacing;                                                       /* at most 8 */
    float reach, reach_sigmas; /* taps that differ from the pixel's own value by reach +
                                  reach_sigmas sigma or more are left out; so are NaN */
    size_t width;
} AqmQuadricRows;

/* What is fitted at a pixel. */
typedef struct AqmQuadrics {
    float *value;    /* of the quadric, less the pixel's own */
    float *variance; /* of it, if the noise of the taps is independent */
    float
        *excess; /* weighted mean square of what the taps are off it, in units of their variance */
    float *weight; /* mean of 1 / sigma^2 over the taps; 0: too few taps */
} AqmQuadrics;

/* Two rows of knots 8 px apart, cells + 1 each, and a row of pixels `down` (0..1) between them. */
typedef struct AqmBentKnots {
    const float *top[6], *bottom[6]; /* c0 of u and v, c1 of u and v, c2 of u and v */
    float down, scale;
} AqmBentKnots;

enum { AQM_BENT_CELLS = 64 }; /* at most */

typedef struct AqmNearKernels {
    const char *name;

    /* Positions of a row of 8 * cells pixels, the same bits from every variant. c0, c1, c2 of u and
     * of v come from the knots as by kernels.h's spread; with q a pixel's own
     *
     *     value = c0 + q (c1 + q c2), slope = scale (c1 + 2 q c2).
     *
     * The first two of `out` are the values of u and v and the other two their slopes; or, where
     * `half` is not 0, value - half slope and value + half slope. */
    void (*bend_row)(const AqmBentKnots *knots, const float *q, size_t cells, float half,
                     float *const out[4]);

    /* Moves the sums down a row; all values present. n a multiple of 16. */
    void (*pair_columns)(const AqmPairRow *in, const AqmPairRow *out, size_t n,
                         const AqmPairSums *sums);
    /* The same with missing values (all ten sums): a pixel counts where all three are present. */
    void (*pair_columns_masked)(const AqmPairRow *in, const AqmPairRow *out, size_t n,
                                const AqmPairSums *sums);

    /* Fits n windows; window x covers columns x .. x + window - 1. `scratch` as for ncc, with room
     * for 12 rows. Variants agree to 1e-5 of the largest value. */
    void (*pair_fit)(const AqmPairSums *sums, const AqmReferenceStats *reference, int window,
                     float spacing, size_t n, int32_t *scratch, const AqmPairFit *fit);
    /* The same over the pixels that are present, 0 with fewer than `min_count`. What a part of a
     * window says counts for less: slope and information times (count / window^2)^4. */
    void (*pair_fit_masked)(const AqmPairSums *sums, int window, int min_count, float spacing,
                            size_t n, int32_t *scratch, const AqmPairFit *fit);

    /* The shift that maximises the weighted sum of the correlations of n pixels, its standard
     * deviation, and the weighted mean of the correlations; NaN, NaN and 0 where there are none.
     * `fits`: source_count of them. */
    void (*pair_solve)(const AqmPairFit *fits, size_t source_count, const AqmPairRules *rules,
                       size_t n, float *shift, float *sigma, float *score);

    /* The highest point of the joined curves of n pixels: its index with the parabola's fraction,
     * and its value; AQM_CURVE_MISSING where no source has a whole curve. */
    void (*curve_peak)(const AqmCurves *curves, size_t n, float *index, float *value);

    /* Medians of 3 x 3 for x = 1 .. width - 2; where one of the nine is NaN, and at the ends, the
     * value itself. */
    void (*median_row)(const float *above, const float *row, const float *below, size_t width,
                       float *out);

    /* Fits a quadric in the plane to the neighbourhood of each of n pixels from `first` on, by
     * least squares weighted by 1 / sigma^2. The same bits from every variant; n at most
     * AQM_QUADRIC_BLOCK. */
    void (*quadric_row)(const AqmQuadricRows *rows, size_t first, size_t n,
                        const AqmQuadrics *quadrics);

    /* The means of a line and, unless NULL, the sums of their weights. */
    void (*mean_row)(const AqmMeanLine *line, size_t width, float *mean, float *weight);
} AqmNearKernels;

const AqmNearKernels *aqm_near_kernels(unsigned cpu_features);

extern const AqmNearKernels aqm_near_kernels_reference;
#if defined(__x86_64__)
extern const AqmNearKernels aqm_near_kernels_avx2;
#endif

#endif
