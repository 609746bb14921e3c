/* The reference of the kernels of undistortion; contracts in remap_kernels.h. */
#include "base/cpu.h"
#include "kernels/remap_loops.h"

/* At t of a cell, to the nearest. */
static int32_t at_cell(const Cubics *cubics, size_t cell, float t) {
    const float rest =
        ((cubics->c3[cell] * t + cubics->c2[cell]) * t + cubics->c1[cell]) * t + cubics->c0[cell];
    return cubics->whole[cell] + (int32_t)lrintf(rest);
}

static bool between(const double *raw_u, const double *raw_v, size_t cells, int32_t width,
                    int32_t height, const AqmFootprints *out) {
    const int32_t last_u = (width - 1) * ONE, last_v = (height - 1) * ONE;
    Cubics cubics[2];
    if (!knots_are_even(raw_u, cells) || !knots_are_even(raw_v, cells))
        return false;
    fit_cubics(raw_u, cells, &cubics[0]);
    fit_cubics(raw_v, cells, &cubics[1]);
    for (size_t i = 0; i < cells * AQM_REMAP_CELL; i++) {
        const float t = (float)(i % AQM_REMAP_CELL) / AQM_REMAP_CELL;
        const int32_t u = at_cell(&cubics[0], i / AQM_REMAP_CELL, t);
        const int32_t v = at_cell(&cubics[1], i / AQM_REMAP_CELL, t);
        const bool is_whole = u >= 0 && v >= 0 && u <= last_u && v <= last_v;
        out->u[i] = is_whole ? u : -1;
        out->v[i] = v;
    }
    return true;
}

static void sample3(const AqmRemapImage *image, const AqmFootprints *at, size_t n, uint8_t *out) {
    for (size_t i = 0; i < n; i++)
        if (at->u[i] >= 0)
            sample_one(image, at->u[i], at->v[i], out + 3 * i);
}

const AqmRemapKernels aqm_remap_kernels_reference = {
    .name = "reference",
    .pinhole = loops_pinhole,
    .footprints = loops_footprints,
    .between = between,
    .sample3 = sample3,
};

const AqmRemapKernels *aqm_remap_kernels(unsigned cpu_features) {
#if defined(__x86_64__)
    if (cpu_features & AQM_CPU_AVX2)
        return &aqm_remap_kernels_avx2;
#else
    (void)cpu_features;
#endif
    return &aqm_remap_kernels_reference;
}
