/* The reference of the kernels of the heightfield; contracts in height_kernels.h. */
#include "base/cpu.h"
#include "kernels/height_loops.h"

static void collect(const AqmHeightPoints *points, size_t first, size_t end, float x, float y,
                    float inverse_radius, AqmHeightWindow *window) {
    for (size_t i = first; i < end; i++) {
        const float dx = (points->x[i] - x) * inverse_radius;
        const float dy = (points->y[i] - y) * inverse_radius;
        const float r2 = dx * dx + dy * dy, fall = 1.0f - r2;
        const size_t at = window->count;
        if (!(r2 < RIM))
            continue;
        window->x[at] = dx, window->y[at] = dy, window->z[at] = points->z[i];
        window->base[at] = points->weight[i] * (fall * fall * fall);
        window->color[at] = points->color[i];
        window->count++;
    }
}

/* The weights of LANES points, which are returned too. */
static inline void weigh_lanes(const AqmHeightWindow *window, size_t i, const float *c,
                               float inverse_cut, Lanes weight) {
    const float *x = window->x + i, *y = window->y + i, *z = window->z + i,
                *base = window->base + i;
    for (int k = 0; k < LANES; k++) {
        const float t = (z[k] - surface_at(c, x[k], y[k])) * inverse_cut, t2 = t * t;
        const float fall = t2 < 1.0f ? 1.0f - t2 : 0.0f;
        weight[k] = base[k] * (fall * fall);
    }
    memcpy(window->robust + i, weight, sizeof(Lanes));
}

typedef struct Reach {
    Lanes most[8], near2, inliers;
} Reach;

static inline void extend(Lanes most, int k, int is_inlier, float value) {
    const float held = is_inlier ? value : -4.0f;
    most[k] = held > most[k] ? held : most[k];
}

static inline void reach_lanes(const float *x, const float *y, const Lanes weight, Reach *reach) {
    for (int k = 0; k < LANES; k++) {
        const int in = weight[k] > 0.0f;
        const float p = 0.70710678f * (x[k] + y[k]), q = 0.70710678f * (x[k] - y[k]);
        const float r2 = in ? x[k] * x[k] + y[k] * y[k] : 4.0f;
        extend(reach->most[0], k, in, x[k]), extend(reach->most[1], k, in, -x[k]);
        extend(reach->most[2], k, in, y[k]), extend(reach->most[3], k, in, -y[k]);
        extend(reach->most[4], k, in, p), extend(reach->most[5], k, in, -p);
        extend(reach->most[6], k, in, q), extend(reach->most[7], k, in, -q);
        reach->near2[k] = r2 < reach->near2[k] ? r2 : reach->near2[k];
        reach->inliers[k] += in ? 1.0f : 0.0f;
    }
}

static inline void finish_reach(const Reach *reach, AqmHeightSums *sums) {
    sums->inliers = (int32_t)sum_lanes(reach->inliers);
    sums->reach = sums->nearest2 = 4.0f;
    for (int side = 0; side < 8; side++) {
        float most = reach->most[side][0];
        for (int k = 1; k < LANES; k++)
            most = reach->most[side][k] > most ? reach->most[side][k] : most;
        sums->reach = most < sums->reach ? most : sums->reach;
    }
    for (int k = 0; k < LANES; k++)
        sums->nearest2 = reach->near2[k] < sums->nearest2 ? reach->near2[k] : sums->nearest2;
}

static inline void moment_lanes(const float *x, const float *y, const float *z, const Lanes weight,
                                int is_plane, Lanes *m, Lanes *b, Lanes squares) {
    for (int k = 0; k < LANES; k++) {
        const float w = weight[k], wx = w * x[k], wy = w * y[k], wz = w * z[k];
        const float wxx = wx * x[k], wxy = wx * y[k], wyy = wy * y[k];
        m[0][k] += w, m[1][k] += wx, m[2][k] += wy;
        m[3][k] += wxx, m[4][k] += wxy, m[5][k] += wyy;
        b[0][k] += wz, b[1][k] += wx * z[k], b[2][k] += wy * z[k];
        squares[k] += wz * z[k];
    }
    for (int k = 0; k < LANES && !is_plane; k++) {
        const float wxx = weight[k] * x[k] * x[k], wxy = weight[k] * x[k] * y[k];
        const float wyy = weight[k] * y[k] * y[k];
        const float wxxx = wxx * x[k], wxxy = wxx * y[k], wxyy = wxy * y[k], wyyy = wyy * y[k];
        m[6][k] += wxxx, m[7][k] += wxxy, m[8][k] += wxyy, m[9][k] += wyyy;
        m[10][k] += wxxx * x[k], m[11][k] += wxxy * x[k], m[12][k] += wxyy * x[k];
        m[13][k] += wyyy * x[k], m[14][k] += wyyy * y[k];
        b[3][k] += wxx * z[k], b[4][k] += wxy * z[k], b[5][k] += wyy * z[k];
    }
}

static inline void weigh(AqmHeightWindow *window, const float *c, float inverse_cut, int is_plane,
                         AqmHeightSums *sums) {
    Lanes m[AQM_HEIGHT_MOMENTS] = {{0}}, b[AQM_HEIGHT_TERMS] = {{0}}, squares = {0};
    Reach reach = {.inliers = {0}};
    for (int k = 0; k < LANES; k++) {
        reach.near2[k] = 4.0f;
        for (int side = 0; side < 8; side++)
            reach.most[side][k] = -4.0f;
    }
    for (size_t i = 0; i < window->count; i += LANES) {
        Lanes weight;
        const float *x = window->x + i, *y = window->y + i;
        weigh_lanes(window, i, c, inverse_cut, weight);
        reach_lanes(x, y, weight, &reach);
        moment_lanes(x, y, window->z + i, weight, is_plane, m, b, squares);
    }
    for (int i = 0; i < AQM_HEIGHT_MOMENTS; i++)
        sums->moments[i] = sum_lanes(m[i]);
    for (int i = 0; i < AQM_HEIGHT_TERMS; i++)
        sums->heights[i] = sum_lanes(b[i]);
    sums->squares = sum_lanes(squares);
    finish_reach(&reach, sums);
}

static void weigh_window(AqmHeightWindow *window, const float c[AQM_HEIGHT_TERMS],
                         float inverse_cut, int is_plane, AqmHeightSums *sums) {
    if (is_plane)
        weigh(window, c, inverse_cut, 1, sums);
    else
        weigh(window, c, inverse_cut, 0, sums);
}

const AqmHeightKernels aqm_height_kernels_reference = {
    .name = "reference",
    .collect = collect,
    .weigh = weigh_window,
    .errors = loops_errors,
    .colors = loops_colors,
};

const AqmHeightKernels *aqm_height_kernels(unsigned cpu_features) {
#if defined(__x86_64__)
    if (cpu_features & AQM_CPU_AVX2)
        return &aqm_height_kernels_avx2;
#else
    (void)cpu_features;
#endif
    return &aqm_height_kernels_reference;
}
