/* Semi-global matching in plain C: the specification. */
#include "kernels/paths_kernels.h"

#include <string.h>

#include "base/cpu.h"

static int smaller(int a, int b) {
    return a < b ? a : b;
}

/* One path over one pixel; `from` has its pads. Returns the smallest of `to`. */
static uint8_t advance(const uint8_t *cost, const uint8_t *from, uint8_t from_least, int jump_one,
                       int jump, size_t planes, uint8_t *to, uint16_t *sum) {
    int least = 255;
    for (size_t d = 0; d < planes; d++) {
        const int near_by = smaller(from[(ptrdiff_t)d - 1], from[d + 1]) + jump_one;
        const int best = smaller(smaller(from[d], near_by), from_least + jump);
        const int value = smaller(cost[d] + best - from_least, 255);
        to[d] = (uint8_t)value;
        least = smaller(least, value);
        if (sum)
            sum[d] = (uint16_t)(sum[d] + value);
    }
    return (uint8_t)least;
}

static void aggregate(const AqmPass *pass, const uint8_t *cost, uint16_t *sum) {
    const ptrdiff_t pitch = (ptrdiff_t)pass->pitch, width = (ptrdiff_t)pass->width;
    const AqmPathRow *along = &pass->along;
    memset(along->cost, 0, pass->planes);
    along->least[0] = 0;
    for (ptrdiff_t k = 0; k < width; k++) {
        const ptrdiff_t x = pass->step > 0 ? k : width - 1 - k;
        const uint8_t *c = cost + (size_t)x * pass->planes;
        uint16_t *out = sum ? sum + (size_t)x * pass->planes : NULL;
        for (int path = 0; path < 3; path++) {
            const ptrdiff_t from = x + (path - 1) * pass->step;
            const AqmPathRow *before = &pass->before[path], *now = &pass->now[path];
            const ptrdiff_t shift = aqm_path_shift(pass, pass->surface_before, from, x);
            now->least[x] =
                advance(c, before->cost + from * pitch + shift, before->least[from], pass->jump_one,
                        pass->jump[x], pass->planes, now->cost + x * pitch, out);
        }
        const ptrdiff_t last = k & 1;
        const ptrdiff_t shift = aqm_path_shift(pass, pass->surface, x - pass->step, x);
        along->least[1 - last] =
            advance(c, along->cost + last * pitch + shift, along->least[last], pass->jump_one,
                    pass->jump[x], pass->planes, along->cost + (1 - last) * pitch, out);
    }
}

static size_t lowest(const uint16_t *sum, size_t n) {
    size_t best = 0;
    for (size_t d = 1; d < n; d++)
        best = sum[d] < sum[best] ? d : best;
    return best;
}

const AqmPathKernels aqm_path_kernels_reference = {"reference", aggregate, lowest};

const AqmPathKernels *aqm_path_kernels(unsigned cpu_features) {
#if defined(__x86_64__)
    if (cpu_features & AQM_CPU_AVX2)
        return &aqm_path_kernels_avx2;
#else
    (void)cpu_features;
#endif
    return &aqm_path_kernels_reference;
}
