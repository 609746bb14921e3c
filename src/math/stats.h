/* Order statistics. */
#ifndef AQM_MATH_STATS_H
#define AQM_MATH_STATS_H

#include <stddef.h>

/* The k-th smallest (0-based) of n values; reorders them (Hoare's quickselect). n > k. */
float aqm_select_f32(float *values, size_t n, size_t k);
double aqm_select_f64(double *values, size_t n, size_t k);

/* Percentile in 0..100 with linear interpolation, as numpy's default; reorders. n > 0. */
double aqm_percentile_f64(double *values, size_t n, double percent);

#endif
