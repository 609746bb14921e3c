/* The reference of the kernels of patches; contracts in patch_kernels.h. */
#include "base/cpu.h"
#include "kernels/patch_loops.h"

static void grid(const float *level, size_t stride, const AqmPatchGrid *grid, float *out) {
    for (int j = 0; j < grid->side; j++) {
        const float x_first = grid->x - (float)j * grid->dy;
        const float y_first = grid->y + (float)j * grid->dx;
        for (int i = 0; i < grid->side; i++) {
            const float x = x_first + (float)i * grid->dx, y = y_first + (float)i * grid->dy;
            const int column = (int)x, row = (int)y;
            const float a = x - (float)column, b = y - (float)row;
            const float *p = level + (size_t)row * stride + (size_t)column;
            const float above = p[0] + a * (p[1] - p[0]);
            const float below = p[stride] + a * (p[stride + 1] - p[stride]);
            *out++ = above + b * (below - above);
        }
    }
}

static void cubic_weights(float t, float w[4]) {
    w[0] = t * (-0.5f + t * (1.0f - 0.5f * t));
    w[1] = 1.0f + t * t * (-2.5f + 1.5f * t);
    w[2] = t * (0.5f + t * (2.0f - 1.5f * t));
    w[3] = t * t * (-0.5f + 0.5f * t);
}

static void cubic(const uint8_t *pixel, size_t stride, const AqmPatchPlace *place,
                  const float *right, const float *down, size_t n, float *out) {
    const float *M = place->M;
    for (size_t k = 0; k < n; k++) {
        const float x = place->x + (M[0] * right[k] + M[1] * down[k]);
        const float y = place->y + (M[2] * right[k] + M[3] * down[k]);
        const float column = floorf(x), row = floorf(y);
        const uint8_t *p = pixel + ((ptrdiff_t)row - 1) * (ptrdiff_t)stride + (ptrdiff_t)column - 1;
        float across[4], along[4], sum = 0.0f;
        cubic_weights(x - column, across);
        cubic_weights(y - row, along);
        for (int j = 0; j < 4; j++, p += stride)
            sum += along[j] *
                   (((across[0] * p[0] + across[1] * p[1]) + across[2] * p[2]) + across[3] * p[3]);
        out[k] = sum;
    }
}

const AqmPatchKernels aqm_patch_kernels_reference = {
    .name = "reference",
    .grid = grid,
    .gradients = loops_gradients,
    .cubic = cubic,
};

const AqmPatchKernels *aqm_patch_kernels(unsigned cpu_features) {
#if defined(__x86_64__)
    if (cpu_features & AQM_CPU_AVX2)
        return &aqm_patch_kernels_avx2;
#else
    (void)cpu_features;
#endif
    return &aqm_patch_kernels_reference;
}
