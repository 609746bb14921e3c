/* Matching near a surface in plain C: the specification. */
#include "base/cpu.h"
#include "kernels/near_loops.h"

static void pair_columns(const AqmPairRow *in, const AqmPairRow *out, size_t n,
                         const AqmPairSums *sums) {
    for (size_t k = 0; k < n; k++) {
        const int32_t i = in->i[k], a = in->a[k], b = in->b[k];
        const int32_t io = out->i[k], ao = out->a[k], bo = out->b[k];
        sums->a[k] += a - ao;
        sums->b[k] += b - bo;
        sums->aa[k] += a * a - ao * ao;
        sums->ab[k] += a * b - ao * bo;
        sums->bb[k] += b * b - bo * bo;
        sums->ia[k] += i * a - io * ao;
        sums->ib[k] += i * b - io * bo;
    }
}

static inline void add_pair(const AqmPairRow *row, size_t k, int sign, const AqmPairSums *sums) {
    const int missing = AQM_GRAY_MISSING;
    const int has = (row->i[k] != missing) & (row->a[k] != missing) & (row->b[k] != missing);
    const int32_t i = has ? row->i[k] : 0, a = has ? row->a[k] : 0, b = has ? row->b[k] : 0;
    sums->count[k] += sign * has;
    sums->i[k] += sign * i;
    sums->ii[k] += sign * i * i;
    sums->a[k] += sign * a;
    sums->b[k] += sign * b;
    sums->aa[k] += sign * a * a;
    sums->ab[k] += sign * a * b;
    sums->bb[k] += sign * b * b;
    sums->ia[k] += sign * i * a;
    sums->ib[k] += sign * i * b;
}

static void pair_columns_masked(const AqmPairRow *in, const AqmPairRow *out, size_t n,
                                const AqmPairSums *sums) {
    for (size_t k = 0; k < n; k++) {
        add_pair(in, k, 1, sums);
        add_pair(out, k, -1, sums);
    }
}

const AqmNearKernels aqm_near_kernels_reference = {
    .name = "reference",
    .bend_row = loops_bend_row,
    .pair_columns = pair_columns,
    .pair_columns_masked = pair_columns_masked,
    .pair_fit = loops_pair_fit,
    .pair_fit_masked = loops_pair_fit_masked,
    .pair_solve = loops_pair_solve,
    .curve_peak = loops_curve_peak,
    .median_row = loops_median_row,
    .quadric_row = loops_quadric_row,
    .mean_row = loops_mean_row,
};

const AqmNearKernels *aqm_near_kernels(unsigned cpu_features) {
#if defined(__x86_64__)
    if (cpu_features & AQM_CPU_AVX2)
        return &aqm_near_kernels_avx2;
#else
    (void)cpu_features;
#endif
    return &aqm_near_kernels_reference;
}
