/* How the errors of a map correlate from cell to cell, and what that makes of sums of cells. */
#ifndef AQM_EVALUATE_NESTED_COVARIANCE_H
#define AQM_EVALUATE_NESTED_COVARIANCE_H

#include "aquamvs/evaluate.h"

/* Means of square blocks: the second moment about 0 of those of each size. */
typedef struct AqmBlockMoments {
    size_t count;
    double side[AQM_SCALES_MAX];    /* cells, rising from 1; the last: all ground as one block */
    double moment[AQM_SCALES_MAX];  /* robust mean of the squared means */
    double freedom[AQM_SCALES_MAX]; /* blocks that do not overlap: what the moment rests on */
} AqmBlockMoments;

/* Covariance of two cells h apart: the sum of variance[k] S(h / range[k]), S being the spherical
 * model; a range of 0 is of each cell alone, INFINITY the same for all cells. */
typedef struct AqmNestedCovariance {
    size_t count;
    double range[AQM_SCALES_MAX]; /* cells */
    double variance[AQM_SCALES_MAX];
} AqmNestedCovariance;

/* Of the values that are not NaN (columns x rows). The ladder has one rung, all ground, where there
 * are too few for more; none where there are none. MEMORY. */
AQM_NODISCARD AqmStatus aqm_block_moments(const float *values, int columns, int rows,
                                          AqmBlockMoments *out, AqmDiag *diag);

/* The covariance whose block means vary most nearly as measured; moments->count >= 1. */
void aqm_nested_covariance_fit(const AqmBlockMoments *moments, AqmNestedCovariance *out);

/* Mean square of the mean of a square block under the covariance. */
double aqm_nested_block_moment(const AqmNestedCovariance *covariance, double side);

/* Variance of the sum of weights[i] times a cell's error, over columns x rows cells. MEMORY. */
AQM_NODISCARD AqmStatus aqm_nested_sum_variance(const AqmNestedCovariance *covariance,
                                                const float *weights, int columns, int rows,
                                                int threads, double *variance, AqmDiag *diag);

#endif
