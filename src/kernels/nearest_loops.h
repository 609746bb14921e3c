/* Loops of the search for nearest points in plain C: the reference (nearest_ref.c), and compiled
 * once more for AVX2 (nearest_avx2.c). Contracts in nearest_kernels.h.
 *
 * The k-th smallest is found by counting: `low` has fewer than k values at or below it, `high` has
 * k or more. On a surface the number of points within a distance rises about linearly with its
 * square, so a chord between the two lands near the answer; every third step halves the interval
 * instead. Counting is a fraction of a cycle a value, and nothing depends on the order of the
 * values. */
#ifndef AQM_KERNELS_NEAREST_LOOPS_H
#define AQM_KERNELS_NEAREST_LOOPS_H

#include <math.h>
#include <stdint.h>

#include "kernels/nearest_kernels.h"

enum { LANES = AQM_NEAREST_LANES };

static size_t loops_distances2(const float *x, const float *y, const float *z, size_t count,
                               const float query[3], float *restrict out) {
    const float qx = query[0], qy = query[1], qz = query[2];
    const size_t padded = (count + LANES - 1) / LANES * LANES;
    for (size_t i = 0; i < padded; i++) {
        const float dx = x[i] - qx, dy = y[i] - qy, dz = z[i] - qz;
        out[i] = dx * dx + dy * dy + dz * dz;
    }
    for (size_t i = count; i < padded; i++)
        out[i] = INFINITY;
    return padded;
}

static void loops_gaps2(const float *const sides[6], size_t n, const float query[3],
                        float *restrict out) {
    for (size_t i = 0; i < n; i++) {
        float sum = 0.0f;
        for (int a = 0; a < 3; a++) {
            const float below = sides[a][i] - query[a], above = query[a] - sides[3 + a][i];
            const float larger = below > above ? below : above, gap = larger > 0.0f ? larger : 0.0f;
            sum += gap * gap;
        }
        out[i] = sum;
    }
}

/* How many values are at or below the limit: of the variant's own. */
static inline size_t count_to(const float *values, size_t n, float limit);

/* The largest value not above `limit`. */
static inline float largest_to(const float *values, size_t n, float limit) {
    float most[LANES] = {0}, largest = 0.0f;
    for (size_t i = 0; i < n; i += LANES)
        for (int k = 0; k < LANES; k++) {
            const float value = values[i + (size_t)k], held = value <= limit ? value : 0.0f;
            most[k] = held > most[k] ? held : most[k];
        }
    for (int k = 0; k < LANES; k++)
        largest = most[k] > largest ? most[k] : largest;
    return largest;
}

static inline float largest_finite(const float *values, size_t n) {
    return largest_to(values, n, 3.4e38f);
}

/* Between `low` (fewer than k values at or below it) and `high` (k or more). */
typedef struct Interval {
    float low, high;
    size_t at_low, at_high;
} Interval;

static inline float next_middle(const Interval *in, size_t k, int step) {
    const float from = in->low < 0.0f ? 0.0f : in->low, width = in->high - from;
    const float share =
        ((float)k - 0.5f - (float)in->at_low) / ((float)in->at_high - (float)in->at_low);
    const float middle = from + width * (step % 3 == 0 ? 0.5f : share);
    return middle > in->low && middle < in->high ? middle : from + 0.5f * width;
}

static float loops_bound(const float *values, size_t n, size_t k, size_t spare, float guess) {
    Interval in = {-1.0f, INFINITY, 0, n};
    float middle = guess >= 0.0f && guess < INFINITY ? guess : 0.0f;
    for (int step = 1;; step++) {
        const size_t count = count_to(values, n, middle);
        if (count >= k && count <= k + spare)
            return middle;
        if (count < k)
            in.low = middle, in.at_low = count;
        else
            in.high = middle, in.at_high = count;
        if (in.high == INFINITY && in.low >= 0.0f) {
            in.high = largest_finite(values, n); /* has k: that many are finite */
            in.at_high = count_to(values, n, in.high);
            if (in.at_high <= k + spare)
                return in.high;
        }
        middle = next_middle(&in, k, step);
        if (!(middle > in.low && middle < in.high))
            return in.high; /* neighbours: all between them equal `high` */
    }
}

static double loops_sum_of_roots(const float *values, size_t n, size_t k, float limit) {
    float sums[LANES] = {0};
    double sum = 0.0;
    int32_t counts[LANES] = {0}, taken = 0;
    for (size_t i = 0; i < n; i += LANES)
        for (int lane = 0; lane < LANES; lane++) {
            const float value = values[i + (size_t)lane];
            const int counted = value <= limit;
            sums[lane] += sqrtf(counted ? value : 0.0f);
            counts[lane] += counted;
        }
    for (int lane = 0; lane < LANES; lane++) {
        sum += (double)sums[lane];
        taken += counts[lane];
    }
    /* those too many equal the limit */
    return sum - (double)(taken - (int32_t)k) * sqrt((double)limit);
}

#endif
