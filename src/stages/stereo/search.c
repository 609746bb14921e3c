/* Search over resolutions: a window of the same number of pixels covers twice the surface at half
 * the resolution and so finds the texture that a weakly textured spot lacks at full resolution.
 * Each level is swept on its own over the whole range (an eighth of the cost of the one above: a
 * quarter of the pixels, half of the planes). Then, from coarse to fine, a pixel keeps the finer
 * answer unless it is unsure of it and the coarser level is sure of another: the coarse answer then
 * stands in, at half its confidence, for the second look to sharpen. Nothing is lost where the
 * texture is good. */
#include "stages/stereo/search.h"

#include <math.h>

#include "base/alloc.h"
#include "stages/stereo/level.h"

enum { LEVELS = 4, MIN_SIDE = 48, MIN_PLANES = 24 };
static const float unsure = 0.25f, surer_by = 1.4f, stand_in_share = 0.85f;
static const double same_px = 3.0; /* answers nearer than that, in fine pixels, are the same */

typedef struct Answer {
    int width, height;
    float *h, *confidence;
} Answer;

static AqmStatus answer_create(Answer *answer, const AqmView *view, AqmDiag *diag) {
    const size_t pixels = (size_t)view->width * (size_t)view->height;
    float *block = aqm_alloc(2 * pixels, sizeof *block);
    if (!block)
        return aqm_fail_memory(diag, "a depth map", 2 * pixels, sizeof *block);
    *answer = (Answer){view->width, view->height, block, block + pixels};
    return AQM_OK;
}

/* Lets the coarser answer stand in where the finer one is unsure. */
static void stand_in(const AqmSweep *sweep, const Answer *coarse, const Answer *fine) {
    for (int y = 0; y < fine->height; y++)
        for (int x = 0; x < fine->width; x++) {
            const size_t at = (size_t)y * (size_t)fine->width + (size_t)x;
            const int cx = x / 2 < coarse->width ? x / 2 : coarse->width - 1;
            const int cy = y / 2 < coarse->height ? y / 2 : coarse->height - 1;
            const size_t from = (size_t)cy * (size_t)coarse->width + (size_t)cx;
            const float own = fine->confidence[at],
                        other = stand_in_share * coarse->confidence[from];
            const double near_m = same_px * aqm_sweep_metres_per_px(sweep, (double)coarse->h[from]);
            if (own >= unsure || !(other > surer_by * own) ||
                fabs((double)(fine->h[at] - coarse->h[from])) < near_m)
                continue;
            const int16_t *gray = sweep->image->gray + y * sweep->image->stride + x;
            if (*gray == AQM_GRAY_MISSING)
                continue;
            fine->h[at] = coarse->h[from];
            fine->confidence[at] = other;
        }
}

/* Sweeps one level and joins the coarser answer (NULL at the coarsest) in. */
static AqmStatus search_level(const AqmStereoView *views, size_t reference, const size_t *sources,
                              size_t source_count, double h_min_m, double h_max_m, int halvings,
                              const AqmStereoOptions *options, const Answer *coarse, Answer *answer,
                              AqmDiag *diag) {
    AqmSweep *sweep = NULL;
    AQM_TRY(aqm_sweep_create(&sweep, views, reference, sources, source_count, options->cost,
                             options->window_size, options->threads, diag));
    const int fewer = options->num_depths >> halvings;
    const int count = halvings == 0 || fewer > MIN_PLANES ? fewer : MIN_PLANES;
    const AqmPlanes planes = aqm_planes(sweep, h_min_m, h_max_m, count);
    const AqmStatus status = aqm_sweep_planes(sweep, &planes, options->depth_batch_size, answer->h,
                                              answer->confidence, diag);
    if (status == AQM_OK && coarse->h)
        stand_in(sweep, coarse, answer);
    aqm_sweep_destroy(&sweep);
    return status;
}

static AqmStatus search_halved(const AqmStereoView *views, size_t view_count, size_t reference,
                               const size_t *sources, size_t source_count, double h_min_m,
                               double h_max_m, int halvings, const AqmStereoOptions *options,
                               Answer *coarse, AqmDiag *diag) {
    int *times = aqm_calloc(view_count, sizeof *times);
    if (!times)
        return aqm_fail_memory(diag, "views at low resolution", view_count, sizeof *times);
    times[reference] = halvings;
    for (size_t s = 0; s < source_count; s++)
        times[sources[s]] = halvings;
    AqmLevel level = {0};
    Answer answer = {0};
    AqmStatus status = aqm_level_create(&level, views, view_count, times, diag);
    aqm_free(times);
    if (status == AQM_OK)
        status = answer_create(&answer, &level.views[reference], diag);
    if (status == AQM_OK)
        status = search_level(level.stereo, reference, sources, source_count, h_min_m, h_max_m,
                              halvings, options, coarse, &answer, diag);
    aqm_level_free(&level);
    aqm_free(coarse->h);
    *coarse = answer;
    return status;
}

/* Levels whose images are all large enough for the window to mean something. */
static int usable_halvings(const AqmStereoView *views, size_t reference, const size_t *sources,
                           size_t source_count) {
    int side = views[reference].view->height;
    for (size_t s = 0; s <= source_count; s++) {
        const AqmView *view = views[s < source_count ? sources[s] : reference].view;
        side = view->height < side ? view->height : side;
        side = view->width < side ? view->width : side;
    }
    int halvings = 0;
    while (halvings < LEVELS - 1 && side >> (halvings + 1) >= MIN_SIDE)
        halvings++;
    return halvings;
}

AqmStatus aqm_search(const AqmStereoView *views, size_t view_count, size_t reference,
                     const size_t *sources, size_t source_count, double h_min_m, double h_max_m,
                     const AqmStereoOptions *options, float *h, float *confidence, AqmDiag *diag) {
    Answer coarse = {0};
    Answer full = {views[reference].view->width, views[reference].view->height, h, confidence};
    AqmStatus status = AQM_OK;
    for (int halvings = usable_halvings(views, reference, sources, source_count);
         halvings > 0 && status == AQM_OK; halvings--)
        status = search_halved(views, view_count, reference, sources, source_count, h_min_m,
                               h_max_m, halvings, options, &coarse, diag);
    if (status == AQM_OK)
        status = search_level(views, reference, sources, source_count, h_min_m, h_max_m, 0, options,
                              &coarse, &full, diag);
    aqm_free(coarse.h);
    return status;
}
