/* What near_rows_avx2.c gives to the table in near_avx2.c; contracts in near_kernels.h. */
#ifndef AQM_KERNELS_NEAR_AVX2_H
#define AQM_KERNELS_NEAR_AVX2_H

#include "kernels/near_kernels.h"

void aqm_bend_row_avx2(const AqmBentKnots *knots, const float *q, size_t cells, float half,
                       float *const out[4]);
void aqm_mean_row_avx2(const AqmMeanLine *line, size_t width, float *mean, float *weight);

#endif
