/* Points of the bed from coarse depth maps (coarse.c) over ranges that are known.
 *
 * Matches stop short of the rim of an image, where few other cameras look; a window of a low
 * resolution matches there too. One pixel in CELL x CELL is asked; those that are sure become
 * points. At a quarter of 640 x 480 px, with a window of 5 px (the bed is steep against 9), they
 * are off by 2.4 mm (RMS) and cover 93 % of an image of which other cameras see 97 %.
 *
 * A view of which less than half is sure (a body before nothing, a bed without texture) gives none:
 * what is sure there says little of the rest.
 *
 * Planes a whole pixel apart do, as the peak of the score is two wide; so do three sources, with
 * spares where those do not see. */
#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "stages/stereo/coarse.h"

enum { FIRST = 1, CELL = 3, WINDOW = 5, MOST_SOURCES = 3, MOST_UNSURE = 2 };
static const double plane_step_px = 1.0, agree_px = 0.5;

/* The sure points of view k. */
static AqmStatus collect(const AqmCoarse *coarse, size_t k, AqmCloud **out) {
    const AqmView *view = coarse->views[k].view;
    AqmCloud *cloud = NULL;
    const size_t columns = (size_t)(view->width / CELL + 1),
                 rows = (size_t)(view->height / CELL + 1);
    AQM_TRY(aqm_cloud_create(&cloud, columns * rows, NULL));
    for (int y = FIRST; y < view->height; y += CELL)
        for (int x = FIRST; x < view->width; x += CELL) {
            double point[3];
            if (!aqm_coarse_is_sure(coarse, k, x, y, point))
                continue;
            for (int i = 0; i < 3; i++)
                cloud->position[3 * cloud->count + (size_t)i] = (float)point[i];
            cloud->count++;
        }
    if (MOST_UNSURE * cloud->count < columns * rows)
        cloud->count = 0;
    *out = cloud;
    return AQM_OK;
}

static AqmStatus collect_all(const AqmCoarse *coarse, AqmCloud **clouds, AqmDiag *diag) {
    int failed = 0;
#pragma omp parallel for num_threads(aqm_thread_count(coarse->options.threads)) schedule(dynamic, 1)
    for (size_t k = 0; k < coarse->view_count; k++)
        if (coarse->views[k].h && collect(coarse, k, &clouds[k]) != AQM_OK) {
#pragma omp atomic write
            failed = 1;
        }
    return failed ? aqm_fail_memory(diag, "points of a coarse depth map", coarse->view_count,
                                    sizeof **clouds)
                  : AQM_OK;
}

AqmStatus aqm_stereo_find_points(const AqmStereoView *views, size_t view_count, int num_neighbors,
                                 bool include_center, const AqmDepthRange *ranges, int threads,
                                 AqmCloud **clouds, AqmDiag *diag) {
    for (size_t k = 0; k < view_count; k++)
        clouds[k] = NULL;
    if (view_count > AQM_COARSE_VIEWS_MAX)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "%zu views: at most %d", view_count,
                        AQM_COARSE_VIEWS_MAX);
    AqmCoarse *coarse = aqm_calloc(1, sizeof *coarse);
    if (!coarse)
        return aqm_fail_memory(diag, "the coarse sweep", 1, sizeof *coarse);
    const AqmCoarseOptions options = {.num_neighbors = num_neighbors < MOST_SOURCES ? num_neighbors
                                                                                    : MOST_SOURCES,
                                      .threads = threads,
                                      .include_center = include_center,
                                      .ranges = ranges,
                                      .window = WINDOW,
                                      .plane_step_px = plane_step_px,
                                      .agree_px = agree_px};
    AqmStatus status = aqm_coarse_sweep(coarse, views, view_count, &options, 0, diag);
    if (status == AQM_OK)
        status = collect_all(coarse, clouds, diag);
    for (size_t k = 0; k < view_count && status != AQM_OK; k++)
        aqm_cloud_destroy(&clouds[k]);
    aqm_coarse_free(coarse);
    aqm_free(coarse);
    return status;
}
