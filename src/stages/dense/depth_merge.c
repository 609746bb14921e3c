/* One depth map from several of the same view.
 *
 * A chunk of a row at a time, a lane a pixel: the depths of all maps are sorted lane by lane by
 * exchanges (as many for every pixel, so that they vectorise), the median taken, and the maps gone
 * through once more for those near it. Sums run in the order of the maps.
 * Cost: about 6 ns a pixel and map of CPU time for five maps, the exchanges growing with the square
 * of their number. */
#include <math.h>

#include "aquamvs/dense.h"
#include "base/cpu.h"
#include "base/diag.h"

enum { CHUNK = 64, MOST_MAPS = 255 };
/* A depth said to be better than this counts no more: what calibration leaves. */
static const float LEAST_SIGMA_M = 1e-6f;

typedef float Lanes[CHUNK];

/* Depths of the n pixels from `at` on, INFINITY where not known and in the lanes left over;
 * `found`: how many are known. */
static void gather(const AqmDepthMap *const *maps, size_t count, size_t at, size_t n, Lanes *sorted,
                   int *restrict found) {
    for (size_t m = 0; m < count; m++) {
        const float *depth = maps[m]->depth_m + at;
        float *restrict lane = sorted[m];
        for (size_t k = n; k < CHUNK; k++)
            lane[k] = INFINITY;
        for (size_t k = 0; k < n; k++) {
            const int is_known = (depth[k] > 0.0f) & (depth[k] < INFINITY);
            lane[k] = is_known ? depth[k] : INFINITY;
            found[k] += is_known;
        }
    }
}

static void exchange(float *restrict low, float *restrict high) {
    for (size_t k = 0; k < CHUNK; k++) {
        const float a = low[k], b = high[k];
        low[k] = a < b ? a : b;
        high[k] = a > b ? a : b; /* written so that both are one instruction */
    }
}

static void sort_lanes(Lanes *values, size_t count) {
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0; j--)
            exchange(values[j - 1], values[j]);
}

/* Of the known ones, which are the first; of an even number the mean of the middle two. */
static void find_medians(const Lanes *sorted, size_t count, const int *found,
                         float *restrict median) {
    float low[CHUNK] = {0}, high[CHUNK] = {0};
    for (int i = 0; i < (int)count; i++)
        for (size_t k = 0; k < CHUNK; k++) {
            const float value = sorted[i][k];
            const int is_low = (2 * i + 1 == found[k]) | (2 * i + 2 == found[k]);
            const int is_high = (2 * i == found[k]) | (2 * i + 1 == found[k]);
            low[k] = is_low ? value : low[k];
            high[k] = is_high ? value : high[k];
        }
    for (size_t k = 0; k < CHUNK; k++)
        median[k] = 0.5f * (low[k] + high[k]);
}

/* What the depths near the median say: sums over them, depths from the median. */
typedef struct Agreement {
    float weight[CHUNK], offset[CHUNK], squares[CHUNK], confidence[CHUNK], count[CHUNK];
} Agreement;

static void agree(const AqmDepthMap *const *maps, size_t count, size_t at, size_t n,
                  const float *median, float tolerance, Agreement *restrict sums) {
    for (size_t m = 0; m < count; m++) {
        const float *depth = maps[m]->depth_m + at, *sigma = maps[m]->sigma_m + at,
                    *confidence = maps[m]->confidence + at;
        for (size_t k = 0; k < n; k++) {
            const float away = depth[k] - median[k];
            const int agrees = (fabsf(away) <= tolerance) & (depth[k] > 0.0f); /* not if NaN */
            const float known = sigma[k] == sigma[k] ? sigma[k] : tolerance;
            const float held = known > LEAST_SIGMA_M ? known : LEAST_SIGMA_M;
            const float weight = agrees ? 1.0f / (held * held) : 0.0f;
            const float offset = agrees ? away : 0.0f;
            sums->weight[k] += weight;
            sums->offset[k] += weight * offset;
            sums->squares[k] += weight * offset * offset;
            sums->confidence[k] += agrees ? confidence[k] : 0.0f;
            sums->count[k] += agrees ? 1.0f : 0.0f;
        }
    }
}

static void merge_chunk(const AqmDepthMap *const *maps, size_t count, size_t at, size_t n,
                        float tolerance, float min_agree, const AqmDepthMap *out) {
    Lanes sorted[MOST_MAPS];
    int found[CHUNK] = {0};
    float median[CHUNK];
    Agreement sums = {0};
    gather(maps, count, at, n, sorted, found);
    sort_lanes(sorted, count);
    find_medians((const Lanes *)sorted, count, found, median);
    agree(maps, count, at, n, median, tolerance, &sums);
    for (size_t k = 0; k < n; k++) {
        const float agreeing = sums.count[k], offset = sums.offset[k] / sums.weight[k];
        if (!(agreeing >= min_agree && agreeing >= 1.0f))
            continue; /* stays as it was made: not known */
        const float variance = fmaxf(sums.squares[k] / sums.weight[k] - offset * offset, 0.0f);
        const float spread = agreeing > 1.0f ? variance * agreeing / (agreeing - 1.0f) : 0.0f;
        out->depth_m[at + k] = median[k] + offset;
        out->sigma_m[at + k] = sqrtf(fmaxf(1.0f / sums.weight[k], spread));
        out->confidence[at + k] = sums.confidence[k] / (float)found[k];
    }
}

static AqmStatus check(const AqmDepthMap *const *maps, size_t count, double tolerance_m,
                       int min_agree, AqmDiag *diag) {
    if (count < 1 || count > MOST_MAPS)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "%zu depth maps to merge: must be 1..%d", count,
                        (int)MOST_MAPS);
    if (min_agree < 1 || (size_t)min_agree > count)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "min_agree is %d: must be in 1..%zu, the maps",
                        min_agree, count);
    if (!(tolerance_m > 0.0 && tolerance_m < (double)INFINITY))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "tolerance_m is %g: must be positive",
                        tolerance_m);
    for (size_t m = 1; m < count; m++)
        if (maps[m]->width != maps[0]->width || maps[m]->height != maps[0]->height)
            return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                            "depth map %zu is %d x %d px, depth map 0 %d x %d", m, maps[m]->width,
                            maps[m]->height, maps[0]->width, maps[0]->height);
    return AQM_OK;
}

AqmStatus aqm_depth_merge(AqmDepthMap **out, const AqmDepthMap *const *maps, size_t count,
                          double tolerance_m, int min_agree, int threads, AqmDiag *diag) {
    AQM_TRY(check(maps, count, tolerance_m, min_agree, diag));
    const int width = maps[0]->width, height = maps[0]->height;
    AqmDepthMap *map = NULL;
    AQM_TRY(aqm_depth_map_create(&map, width, height, diag));
#pragma omp parallel for num_threads(aqm_thread_count(threads)) schedule(static)
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x += CHUNK)
            merge_chunk(maps, count, (size_t)y * (size_t)width + (size_t)x,
                        (size_t)(width - x < CHUNK ? width - x : CHUNK), (float)tolerance_m,
                        (float)min_agree, map);
    *out = map;
    return AQM_OK;
}
