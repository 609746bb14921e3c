/* The inner loops of a search for nearest points: squared distances, and the smallest of them. Raw
 * pointers, no allocation, cannot fail; the variants give the same bits as the reference. */
#ifndef AQM_KERNELS_NEAREST_KERNELS_H
#define AQM_KERNELS_NEAREST_KERNELS_H

#include <stddef.h>

enum { AQM_NEAREST_LANES = 8, AQM_NEAREST_FEW = 32 };

typedef struct AqmNearestKernels {
    const char *name;

    /* Squared distances of `count` points from `query`; INFINITY behind them up to the next
     * multiple of AQM_NEAREST_LANES. Returns that multiple. The points' coordinates are readable
     * up to there. */
    size_t (*distances2)(const float *x, const float *y, const float *z, size_t count,
                         const float query[3], float *out);

    /* Those of `count` points from `query` that are at most `limit`, in their order. Returns how
     * many; writes up to AQM_NEAREST_LANES values behind them. Readable as for distances2. */
    size_t (*near_distances2)(const float *x, const float *y, const float *z, size_t count,
                              const float query[3], float limit, float *out);

    /* Squared distances of n boxes from `query`, n a multiple of AQM_NEAREST_LANES: sides[axis] and
     * sides[3 + axis] are their low and high sides. They sum the same rounded squares in the same
     * order as distances2: no box is farther than a point in it. */
    void (*gaps2)(const float *const sides[6], size_t n, const float query[3], float *out);

    /* A value not below the k-th smallest of n values >= 0 (1 = the smallest), and with at most
     * `spare` more values at or below it, but for some that equal it. n a multiple of
     * AQM_NEAREST_LANES, at least k values finite. guess: where to look first; any value will do.
     */
    float (*bound)(const float *values, size_t n, size_t k, size_t spare, float guess);

    /* The sum of the square roots of the k smallest values; `limit`: as bound gives it with spare =
     * 0. Summed in float, to 1e-6 of itself. */
    double (*sum_of_roots)(const float *values, size_t n, size_t k, float limit);

    /* The same without a limit for 1 <= k <= n <= AQM_NEAREST_FEW, whatever the values' order; and
     * the k-th smallest. The values have room for AQM_NEAREST_FEW and AQM_NEAREST_LANES more: what
     * lies behind them is overwritten. */
    float (*roots_of_few)(float *values, size_t n, size_t k, float *last);
} AqmNearestKernels;

/* The fastest table this processor can run (features as aqm_cpu_features gives them). */
const AqmNearestKernels *aqm_nearest_kernels(unsigned cpu_features);

extern const AqmNearestKernels aqm_nearest_kernels_reference;
#if defined(__x86_64__)
extern const AqmNearestKernels aqm_nearest_kernels_avx2;
#endif

#endif
