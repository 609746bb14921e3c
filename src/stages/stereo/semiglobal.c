/* Semi-global matching (Hirschmueller 2008) over the costs of a plane sweep.
 *
 * A plane's cost at a pixel is what its correlation lacks to 1. Where texture is weak many planes
 * cost about the same; what decides then is the neighbourhood: along eight straight paths to the
 * pixel a change of plane by one costs `jump_one`, any other `jump`, less where the image has an
 * edge. The plane with the smallest sum over the paths is the answer, refined by the parabola
 * through the sums beside it. Horizontal planes as hypotheses make "no change" mean a level bed.
 *
 * A pixel's scores count for what its window is worth (worth.c): one that holds nothing but noise
 * says nothing, and its neighbours speak for it.
 *
 * Two passes over the rows carry four paths each. To run on several threads, the image is cut into
 * strips of STRIP rows, each of which starts its paths WARM_UP rows outside: what a path brings
 * from farther away has faded. The strips do not depend on the number of threads.
 *
 * Memory: a byte for each pixel and plane, and two for those of a strip per thread. */
#include "stages/stereo/semiglobal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "stages/stereo/near_warp.h"
#include "stages/stereo/smooth.h"
#include "stages/stereo/worth.h"

enum { STRIP = 96, WARM_UP = 24, PATHS = 8 };
/* As costs: a step by a plane is worth 0.3 of correlation, one to anywhere 2. Smaller, it favours
 * slopes; larger, what has no texture. Chosen on real pairs with known depth (docs/method.md); half
 * or twice of each changes their error rates by a tenth. */
enum { JUMP_ONE = 18, JUMP = AQM_COST_JUMP_MAX };
/* The surface that is followed: smooth over a dozen pixels, but not over steps of a plane or two.
 */
enum { SURFACE_PASSES = 3 };
static const float surface_tolerance_px = 1.0f;
static const float edge_gray = 300.0f; /* a difference of grays that halves the cost of a jump */

typedef struct Scratch {
    uint8_t *paths; /* 6 rows of path costs, and two pixels along the row */
    uint8_t *least;
    uint8_t *jump; /* of a row */
    uint16_t *sum; /* STRIP rows */
    AqmPass pass;
} Scratch;

static void scratch_free(Scratch *scratch) {
    aqm_free(scratch->paths);
    aqm_free(scratch->least);
    aqm_free(scratch->jump);
    aqm_free(scratch->sum);
}

static AqmStatus scratch_create(Scratch *scratch, const AqmCostVolume *volume) {
    const size_t width = (size_t)volume->width, pitch = volume->pitch + 2 * AQM_PATH_PAD;
    const size_t row = (width + 2) * pitch, bytes = 6 * row + 2 * pitch;
    *scratch = (Scratch){
        .paths = aqm_alloc(bytes, 1),
        .least = aqm_calloc(6 * (width + 2) + 2, 1),
        .jump = aqm_alloc(width, 1),
        .sum = aqm_alloc((size_t)STRIP * width * volume->pitch, sizeof(uint16_t)),
    };
    if (!scratch->paths || !scratch->least || !scratch->jump || !scratch->sum) {
        scratch_free(scratch);
        return AQM_ERROR_MEMORY;
    }
    memset(scratch->paths, 255, bytes); /* the pads stay so */
    AqmPass *pass = &scratch->pass;
    *pass = (AqmPass){.width = width,
                      .planes = volume->pitch,
                      .pitch = pitch,
                      .jump_one = JUMP_ONE,
                      .jump = scratch->jump};
    for (size_t k = 0; k < 6; k++) {
        const AqmPathRow path = {scratch->paths + k * row + pitch + AQM_PATH_PAD,
                                 scratch->least + k * (width + 2) + 1};
        *(k < 3 ? &pass->before[k] : &pass->now[k - 3]) = path;
    }
    pass->along =
        (AqmPathRow){scratch->paths + 6 * row + AQM_PATH_PAD, scratch->least + 6 * (width + 2)};
    return AQM_OK;
}

/* Sets a row's path costs to nothing, as outside the image. */
static void clear_path_row(const AqmPass *pass, AqmPathRow *row) {
    for (ptrdiff_t x = -1; x <= (ptrdiff_t)pass->width; x++)
        memset(row->cost + x * (ptrdiff_t)pass->pitch, 0, pass->planes);
    memset(row->least - 1, 0, pass->width + 2);
}

static void swap_rows(AqmPass *pass) {
    for (int path = 0; path < 3; path++) {
        const AqmPathRow row = pass->before[path];
        pass->before[path] = pass->now[path];
        pass->now[path] = row;
    }
}

/* What a jump of several planes costs the paths that reach each pixel of a row: less where the
 * image has an edge to the pixel before, which lies `step` columns or rows back. */
static void jumps_of_row(const AqmStereoImage *image, int y, int step, uint8_t *jump) {
    const int16_t *row = image->gray + y * image->stride;
    const bool has_before = y - step >= 0 && y - step < image->height;
    const int16_t *before = has_before ? row - step * image->stride : row;
    for (int x = 0; x < image->width; x++) {
        const int from = x - step < 0 || x - step >= image->width ? x : x - step;
        const int along = abs(row[x] - row[from]), across = abs(row[x] - before[x]);
        const float edge = (float)(along > across ? along : across);
        const float value = (float)JUMP * edge_gray / (edge_gray + edge);
        jump[x] = (uint8_t)(value > (float)(JUMP_ONE + 4) ? value : (float)(JUMP_ONE + 4));
    }
}

/* One pass over rows first, first + step, .. before end; the rows from y0 on count. */
static void run_pass(const AqmSweep *sweep, const AqmCostVolume *volume, const int16_t *surface,
                     int first, int end, int step, int y0, int y1, Scratch *scratch) {
    const AqmPathKernels *paths = aqm_path_kernels(aqm_cpu_features());
    AqmPass *pass = &scratch->pass;
    pass->step = step;
    for (int path = 0; path < 3; path++) {
        clear_path_row(pass, &pass->before[path]);
        clear_path_row(pass, &pass->now[path]); /* the columns beside the image stay so */
    }
    const size_t row_cells = pass->width * pass->planes;
    for (int y = first; y != end; y += step) {
        jumps_of_row(sweep->image, y, step, scratch->jump);
        pass->surface = surface ? surface + (size_t)y * pass->width : NULL;
        pass->surface_before =
            surface && y != first ? surface + (size_t)(y - step) * pass->width : NULL;
        uint16_t *sum = y >= y0 && y < y1 ? scratch->sum + (size_t)(y - y0) * row_cells : NULL;
        paths->aggregate(pass, aqm_cost_volume_at(volume, 0, y), sum);
        swap_rows(pass);
    }
}

static float parabola_of_sums(const uint16_t *sum) {
    return aqm_parabola_peak(-(float)sum[-1], -(float)sum[0], -(float)sum[1]);
}

static float score_of(uint8_t cost) {
    return 1.0f - (float)cost / (0.5f * AQM_COST_MAX);
}

/* Confidence of plane `at`: from its score, how far the sum of the best maximum elsewhere lies
 * above its own, and how steeply the sums rise beside it. */
static float confidence_at(const uint16_t *sum, uint8_t cost, int count, int at, int merge_planes,
                           double step_px) {
    const float to_score = 1.0f / (0.5f * AQM_COST_MAX * PATHS);
    int rival = PATHS * AQM_COST_MAX / 2 + sum[at];
    for (int d = 1; d + 1 < count; d++)
        if (sum[d] < rival && abs(d - at) > merge_planes && sum[d] <= sum[d - 1] &&
            sum[d] <= sum[d + 1])
            rival = sum[d];
    const float lead = (float)(rival - sum[at]) * to_score;
    const float rise = 0.5f * (float)(sum[at - 1] + sum[at + 1] - 2 * sum[at]) * to_score;
    const float best = fmaxf(score_of(cost), 0.05f);
    return aqm_match_confidence(best, best * (1.0f - fminf(lead, 1.0f)),
                                rise / (float)(step_px * step_px));
}

/* A pixel that is missing or that no source sees here takes its neighbours' answer: at the full
 * resolution it may be seen. */
static void answer_row(const AqmSweep *sweep, const AqmPlanes *planes, const AqmCostVolume *volume,
                       int y, const uint16_t *sums, float *disparity, float *confidence) {
    const AqmPathKernels *paths = aqm_path_kernels(aqm_cpu_features());
    const int merge_planes = 1 + (int)ceil(1.0 / planes->step_px);
    for (int x = 0; x < volume->width; x++) {
        const uint16_t *sum = sums + (size_t)x * volume->pitch;
        const int at = (int)paths->lowest(sum, volume->pitch);
        disparity[x] = NAN;
        confidence[x] = 0.0f;
        if (at < 1 || at + 1 >= planes->count)
            continue;
        const double index = (double)at + (double)parabola_of_sums(sum + at);
        disparity[x] = (float)(sweep->disparity_scale *
                               (planes->inverse_first + index * planes->inverse_step));
        confidence[x] = confidence_at(sum, aqm_cost_volume_at(volume, x, y)[at], planes->count, at,
                                      merge_planes, planes->step_px);
    }
}

static void run_strip(const AqmSweep *sweep, const AqmPlanes *planes, const AqmCostVolume *volume,
                      const int16_t *surface, int strip, Scratch *scratch, float *disparity,
                      float *confidence) {
    const int y0 = strip * STRIP;
    const int y1 = y0 + STRIP < volume->height ? y0 + STRIP : volume->height;
    const int above = y0 > WARM_UP ? y0 - WARM_UP : 0;
    const int below = y1 + WARM_UP < volume->height ? y1 + WARM_UP : volume->height;
    const size_t row_cells = (size_t)volume->width * volume->pitch;
    memset(scratch->sum, 0, (size_t)(y1 - y0) * row_cells * sizeof *scratch->sum);
    run_pass(sweep, volume, surface, above, y1, 1, y0, y1, scratch);
    run_pass(sweep, volume, surface, below - 1, y0 - 1, -1, y0, y1, scratch);
    for (int y = y0; y < y1; y++) {
        const size_t at = (size_t)y * (size_t)volume->width;
        answer_row(sweep, planes, volume, y, scratch->sum + (size_t)(y - y0) * row_cells,
                   disparity + at, confidence + at);
    }
}

static AqmStatus aggregate_volume(const AqmSweep *sweep, const AqmPlanes *planes,
                                  const AqmCostVolume *volume, const int16_t *surface,
                                  float *disparity, float *confidence, AqmDiag *diag) {
    const int strips = (volume->height + STRIP - 1) / STRIP;
    int failed = 0;
#pragma omp parallel num_threads(sweep->threads)
    {
        Scratch scratch;
        const bool is_ready = scratch_create(&scratch, volume) == AQM_OK;
        if (!is_ready) {
#pragma omp atomic write
            failed = 1;
        }
#pragma omp for schedule(dynamic, 1)
        for (int strip = 0; strip < strips; strip++)
            if (is_ready)
                run_strip(sweep, planes, volume, surface, strip, &scratch, disparity, confidence);
        if (is_ready)
            scratch_free(&scratch);
    }
    return failed ? aqm_fail_memory(diag, "the paths of semi-global matching",
                                    (size_t)STRIP * (size_t)volume->width * volume->pitch, 2)
                  : AQM_OK;
}

/* The planes nearest to a smooth surface through the answer so far. */
static AqmStatus find_surface(const AqmSweep *sweep, const AqmPlanes *planes,
                              const float *disparity, int16_t *surface, AqmDiag *diag) {
    const int width = sweep->view->width, height = sweep->view->height;
    const size_t pixels = (size_t)width * (size_t)height;
    float *maps = aqm_alloc(2 * pixels, sizeof *maps);
    if (!maps)
        return aqm_fail_memory(diag, "a disparity map", 2 * pixels, sizeof *maps);
    float *filled = maps, *smooth = maps + pixels;
    memcpy(filled, disparity, pixels * sizeof *filled);
    aqm_fill_holes(filled, width, height);
    const AqmStatus status = aqm_smooth_surface(filled, width, height, surface_tolerance_px,
                                                SURFACE_PASSES, sweep->threads, smooth, diag);
    for (size_t k = 0; status == AQM_OK && k < pixels; k++) {
        const double index = ((double)smooth[k] / sweep->disparity_scale - planes->inverse_first) /
                             planes->inverse_step;
        surface[k] = isnan(index) ? 0 : (int16_t)floor(index + 0.5);
    }
    aqm_free(maps);
    return status;
}

/* Chooses the planes twice: the second time what follows the surface found first is free of cost.
 */
static AqmStatus choose_planes(const AqmSweep *sweep, const AqmPlanes *planes,
                               const AqmCostVolume *volume, float *disparity, float *confidence,
                               AqmDiag *diag) {
    const size_t pixels = (size_t)volume->width * (size_t)volume->height;
    int16_t *surface = aqm_alloc(pixels, sizeof *surface);
    if (!surface)
        return aqm_fail_memory(diag, "a surface", pixels, sizeof *surface);
    AqmStatus status = aggregate_volume(sweep, planes, volume, NULL, disparity, confidence, diag);
    if (status == AQM_OK)
        status = find_surface(sweep, planes, disparity, surface, diag);
    if (status == AQM_OK)
        status = aggregate_volume(sweep, planes, volume, surface, disparity, confidence, diag);
    aqm_free(surface);
    return status;
}

AqmStatus aqm_semiglobal(const AqmSweep *sweep, const AqmPlanes *planes, int batch,
                         float *disparity, float *confidence, AqmDiag *diag) {
    const size_t pitch =
        ((size_t)planes->count + AQM_COST_MULTIPLE - 1) / AQM_COST_MULTIPLE * AQM_COST_MULTIPLE;
    const size_t pixels = (size_t)sweep->view->width * (size_t)sweep->view->height;
    float *weight = aqm_alloc(pixels, sizeof *weight);
    const AqmCostVolume volume = {sweep->view->width, sweep->view->height, pitch,
                                  aqm_alloc(pixels * pitch, 1), weight};
    AqmStatus status =
        volume.cost && weight ? AQM_OK : aqm_fail_memory(diag, "a cost volume", pixels, pitch);
    if (status == AQM_OK) {
        memset(volume.cost, 255, pixels * pitch);
        status = aqm_window_worth(sweep->image, sweep->window / 2, weight, diag);
    }
    if (status == AQM_OK)
        status = aqm_sweep_volume(sweep, planes, batch, &volume, diag);
    if (status == AQM_OK)
        status = choose_planes(sweep, planes, &volume, disparity, confidence, diag);
    aqm_free(volume.cost);
    aqm_free(weight);
    return status;
}
