#include "math/stats.h"

#include <math.h>

#define DEFINE_SELECT(name, type)                                                                  \
    type name(type *values, size_t n, size_t k) {                                                  \
        size_t low = 0, high = n - 1;                                                              \
        while (low < high) {                                                                       \
            const type pivot = values[low + (high - low) / 2];                                     \
            size_t i = low, j = high;                                                              \
            for (;;) {                                                                             \
                while (values[i] < pivot)                                                          \
                    i++;                                                                           \
                while (pivot < values[j])                                                          \
                    j--;                                                                           \
                if (i >= j)                                                                        \
                    break;                                                                         \
                const type swap = values[i];                                                       \
                values[i++] = values[j];                                                           \
                values[j--] = swap;                                                                \
            }                                                                                      \
            if (k <= j)                                                                            \
                high = j;                                                                          \
            else                                                                                   \
                low = j + 1;                                                                       \
        }                                                                                          \
        return values[k];                                                                          \
    }

DEFINE_SELECT(aqm_select_f32, float)
DEFINE_SELECT(aqm_select_f64, double)

double aqm_percentile_f64(double *values, size_t n, double percent) {
    const double position = percent / 100.0 * (double)(n - 1);
    const size_t below = (size_t)floor(position);
    const double low = aqm_select_f64(values, n, below);
    if (below + 1 >= n)
        return low;
    double next = values[below + 1];
    for (size_t i = below + 2; i < n; i++)
        next = values[i] < next ? values[i] : next;
    return low + (position - (double)below) * (next - low);
}
