/* Search over resolutions: a window of the same number of pixels covers twice the surface at half
 * the resolution and so finds the texture that a weakly textured spot lacks at full resolution.
 * Each level is swept on its own over the whole range (an eighth of the cost of the one above: a
 * quarter of the pixels, half of the planes). Then, from coarse to fine, a pixel keeps the finer
 * answer unless that one is unsure and the coarser one surer, or that one is alone among the pixels
 * around it (noise matched with noise says something else everywhere) and the coarser one is not.
 * The coarse answer then stands in, at a little less than its confidence, for the refinement to
 * sharpen. Nothing is lost where the texture is good. */
#include "stages/stereo/exhaustive.h"

#include <math.h>

#include "base/alloc.h"
#include "stages/stereo/level.h"

enum { LEVELS = 4, MIN_SIDE = 48, MIN_PLANES = 24 };
enum { LONELY = 3 }; /* of eight, at most */
static const float unsure = 0.25f, surer_by = 1.4f, stand_in_share = 0.85f;
static const double same_px = 3.0; /* answers nearer than that, in fine pixels, are the same */

typedef struct Answer {
    int width, height;
    float *h, *confidence; /* one block */
    uint8_t *company;      /* of a coarse answer: see company(); NULL at full resolution */
} Answer;

static void answer_free(Answer *answer) {
    aqm_free(answer->h);
    aqm_free(answer->company);
    *answer = (Answer){0};
}

static AqmStatus answer_create(Answer *answer, const AqmView *view, AqmDiag *diag) {
    const size_t pixels = (size_t)view->width * (size_t)view->height;
    float *block = aqm_alloc(2 * pixels, sizeof *block);
    if (!block)
        return aqm_fail_memory(diag, "a depth map", 2 * pixels, sizeof *block);
    *answer = (Answer){view->width, view->height, block, block + pixels, NULL};
    return AQM_OK;
}

/* How many of the eight pixels a window's reach away say the same depth. Matches of noise with
 * noise say something else everywhere; a surface, even a thin one, does not. */
static int company(const AqmSweep *sweep, const Answer *answer, int x, int y) {
    const int reach = sweep->window / 2 + 2, width = answer->width;
    const float h = answer->h[(size_t)y * (size_t)width + (size_t)x];
    const double near_m = same_px * aqm_sweep_metres_per_px(sweep, (double)h);
    int count = 0;
    for (int k = 0; k < 9; k++) {
        const int nx = x + (k % 3 - 1) * reach, ny = y + (k / 3 - 1) * reach;
        const bool is_inside = nx >= 0 && ny >= 0 && nx < width && ny < answer->height;
        count += k != 4 && is_inside &&
                 fabs((double)(answer->h[(size_t)ny * (size_t)width + (size_t)nx] - h)) < near_m;
    }
    return count;
}

/* Should the coarser answer at (cx, cy) stand in for the finer one at (x, y)? */
static bool is_better(const AqmSweep *sweep, const Answer *coarse, int cx, int cy,
                      const Answer *fine, int x, int y) {
    const size_t at = (size_t)y * (size_t)fine->width + (size_t)x;
    const size_t from = (size_t)cy * (size_t)coarse->width + (size_t)cx;
    const float own = fine->confidence[at], other = stand_in_share * coarse->confidence[from];
    const double near_m = same_px * aqm_sweep_metres_per_px(sweep, (double)coarse->h[from]);
    if (sweep->image->gray[y * sweep->image->stride + x] == AQM_GRAY_MISSING || !(other > 0.0f) ||
        fabs((double)(fine->h[at] - coarse->h[from])) < near_m)
        return false;
    if (own < unsure && other > surer_by * own)
        return true;
    return company(sweep, fine, x, y) <= LONELY && coarse->company[from] > LONELY;
}

/* Lets the coarser answer stand in where the finer one is unsure or alone with what it says. */
static AqmStatus stand_in(const AqmSweep *sweep, const Answer *coarse, const Answer *fine,
                          AqmDiag *diag) {
    const size_t pixels = (size_t)fine->width * (size_t)fine->height;
    bool *wanted = aqm_calloc(pixels, sizeof *wanted);
    if (!wanted)
        return aqm_fail_memory(diag, "a depth map", pixels, sizeof *wanted);
#pragma omp parallel for num_threads(sweep->threads) schedule(static)
    for (int y = 0; y < fine->height; y++)
        for (int x = 0; x < fine->width; x++) {
            const int cx = x / 2 < coarse->width ? x / 2 : coarse->width - 1;
            const int cy = y / 2 < coarse->height ? y / 2 : coarse->height - 1;
            wanted[(size_t)y * (size_t)fine->width + (size_t)x] =
                is_better(sweep, coarse, cx, cy, fine, x, y);
        }
    for (size_t at = 0; at < pixels; at++) {
        const int x = (int)(at % (size_t)fine->width) / 2, y = (int)(at / (size_t)fine->width) / 2;
        const size_t from =
            (size_t)(y < coarse->height ? y : coarse->height - 1) * (size_t)coarse->width +
            (size_t)(x < coarse->width ? x : coarse->width - 1);
        if (wanted[at]) {
            fine->h[at] = coarse->h[from];
            fine->confidence[at] = stand_in_share * coarse->confidence[from];
        }
    }
    aqm_free(wanted);
    return AQM_OK;
}

/* Counts the company of every pixel of a coarse answer, for the finer level to ask. */
static AqmStatus count_company(const AqmSweep *sweep, Answer *answer, AqmDiag *diag) {
    const size_t pixels = (size_t)answer->width * (size_t)answer->height;
    answer->company = aqm_calloc(pixels, 1);
    if (!answer->company)
        return aqm_fail_memory(diag, "a depth map", pixels, 1);
    for (size_t at = 0; at < pixels; at++)
        answer->company[at] = (uint8_t)company(sweep, answer, (int)(at % (size_t)answer->width),
                                               (int)(at / (size_t)answer->width));
    return AQM_OK;
}

/* Sweeps one level and joins the coarser answer (NULL at the coarsest) in. */
static AqmStatus search_level(const AqmStereoView *views, size_t reference, const size_t *sources,
                              size_t source_count, size_t spare_count, double h_min_m,
                              double h_max_m, int halvings, const AqmStereoOptions *options,
                              const Answer *coarse, Answer *answer, AqmDiag *diag) {
    AqmSweep *sweep = NULL;
    AQM_TRY(aqm_sweep_create(&sweep, views, reference, sources, source_count, spare_count,
                             options->cost, options->window_size, options->threads, diag));
    const int fewer = options->num_depths >> halvings;
    const int count = halvings == 0 || fewer > MIN_PLANES ? fewer : MIN_PLANES;
    const AqmPlanes planes = aqm_planes(sweep, h_min_m, h_max_m, count);
    AqmStatus status = aqm_sweep_planes(sweep, &planes, options->depth_batch_size, answer->h,
                                        answer->confidence, diag);
    if (status == AQM_OK && coarse->h)
        status = stand_in(sweep, coarse, answer, diag);
    if (status == AQM_OK && halvings > 0)
        status = count_company(sweep, answer, diag);
    aqm_sweep_destroy(&sweep);
    return status;
}

static AqmStatus search_halved(const AqmStereoView *views, size_t view_count, size_t reference,
                               const size_t *sources, size_t source_count, size_t spare_count,
                               double h_min_m, double h_max_m, int halvings,
                               const AqmStereoOptions *options, Answer *coarse, AqmDiag *diag) {
    int *times = aqm_calloc(view_count, sizeof *times);
    if (!times)
        return aqm_fail_memory(diag, "views at low resolution", view_count, sizeof *times);
    times[reference] = halvings;
    for (size_t s = 0; s < source_count + spare_count; s++)
        times[sources[s]] = halvings;
    AqmLevel level = {0};
    Answer answer = {0};
    AqmStatus status = aqm_level_create(&level, views, view_count, times, diag);
    aqm_free(times);
    if (status == AQM_OK)
        status = answer_create(&answer, &level.views[reference], diag);
    if (status == AQM_OK)
        status = search_level(level.stereo, reference, sources, source_count, spare_count, h_min_m,
                              h_max_m, halvings, options, coarse, &answer, diag);
    aqm_level_free(&level);
    answer_free(coarse);
    *coarse = answer;
    return status;
}

/* Levels whose images are all large enough for the window to mean something. */
static int usable_halvings(const AqmStereoView *views, size_t reference, const size_t *sources,
                           size_t source_count, size_t spare_count) {
    int side = views[reference].view->height;
    for (size_t s = 0; s <= source_count + spare_count; s++) {
        const AqmView *view = views[s < source_count + spare_count ? sources[s] : reference].view;
        side = view->height < side ? view->height : side;
        side = view->width < side ? view->width : side;
    }
    int halvings = 0;
    while (halvings < LEVELS - 1 && side >> (halvings + 1) >= MIN_SIDE)
        halvings++;
    return halvings;
}

AqmStatus aqm_exhaustive(const AqmStereoView *views, size_t view_count, size_t reference,
                         const size_t *sources, size_t source_count, size_t spare_count,
                         double h_min_m, double h_max_m, const AqmStereoOptions *options, float *h,
                         float *confidence, AqmDiag *diag) {
    Answer coarse = {0};
    Answer full = {views[reference].view->width, views[reference].view->height, h, confidence,
                   NULL};
    AqmStatus status = AQM_OK;
    for (int halvings = usable_halvings(views, reference, sources, source_count, spare_count);
         halvings > 0 && status == AQM_OK; halvings--)
        status = search_halved(views, view_count, reference, sources, source_count, spare_count,
                               h_min_m, h_max_m, halvings, options, &coarse, diag);
    if (status == AQM_OK)
        status = search_level(views, reference, sources, source_count, spare_count, h_min_m,
                              h_max_m, 0, options, &coarse, &full, diag);
    answer_free(&coarse);
    return status;
}
