/* Coarse to fine: semi-global matching over all planes at a low resolution, where it costs little;
 * then, at twice the resolution each time, a sweep over a few surfaces parallel to the answer so
 * far. What a cascade may lose are things too thin for the first resolution, and which side of a
 * step a pixel is on. So the first resolution is the finest one that the effort asked for
 * (num_depths) can pay with what it adds to the levels after it, and beside steps both sides stay
 * in the race at every resolution (sweep_near.c). A step of least squares (refine.c) ends every
 * level between the first and the full one: a quarter of the pixels at half the resolution, it
 * saves one at the full. At the full one, where the search began two or more levels below, only
 * what lies beside steps is swept again: elsewhere least squares finds the same from half a pixel
 * away.
 *
 * Disparities here are those of the source at the median distance: measured by the farthest, one
 * view from far away would make every slope look like a step.
 *
 * Cost: with the search at 1/4 of the resolution, planes / 16 + 5 / 4 samples a pixel and source.
 */
#include "stages/stereo/cascade.h"

#include <math.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/recorder.h"
#include "stages/stereo/level.h"
#include "stages/stereo/near_warp.h"
#include "stages/stereo/refine.h"
#include "stages/stereo/semiglobal.h"
#include "stages/stereo/smooth.h"
#include "stages/stereo/steps.h"
#include "stages/stereo/sweep_near.h"

enum { MIN_PLANES = 8, MIN_SIDE = 48, MOST_HALVINGS = 4 };
enum { NEAR_WINDOW = 7, NEAR_STEPS = 2 };
static const double plane_step_px = 0.7;      /* a peak of the score is two pixels wide */
static const float grown_rim_share = 0.2f;    /* of its worth, of what lies beside a step */
static const double cells_per_depth2 = 640.0; /* 128 depths: 10 million cells */
/* What a start above 1/4 adds at the full resolution, where more is swept and fitted (stereo.c), in
 * cells of a search for each pixel; and the share of the effort that it may take. */
static const double more_cells = 7.0, more_share = 0.6;
static const float near_step_px = 0.5f, smooth_tolerance_px = 2.0f;

typedef struct Cascade {
    const AqmStereoView *views;
    size_t view_count, reference;
    const size_t *sources;
    size_t source_count, spare_count;
    double h_min_m, h_max_m;
    const AqmStereoOptions *options;
} Cascade;

typedef struct Answer {
    int width, height;
    float *disparity, *confidence;
} Answer;

/* ---- maps ------------------------------------------------------------------------------------ */

static AqmStatus answer_create(Answer *answer, const AqmView *view, AqmDiag *diag) {
    const size_t pixels = (size_t)view->width * (size_t)view->height;
    float *block = aqm_alloc(2 * pixels, sizeof *block);
    if (!block)
        return aqm_fail_memory(diag, "a depth map", 2 * pixels, sizeof *block);
    *answer = (Answer){view->width, view->height, block, block + pixels};
    return AQM_OK;
}

static int clamp(int value, int end) {
    return value < 0 ? 0 : value < end ? value : end - 1;
}

/* Twice a disparity, bilinear between it and its neighbours beside, above or below, and across,
 * where all are of one surface; else its own. */
static inline float enlarged(float own, float beside, float over, float across) {
    const bool is_one =
        (fabsf(beside - own) < 1.0f) & (fabsf(over - own) < 1.0f) & (fabsf(across - own) < 1.5f);
    const float mean = 0.5625f * own + 0.1875f * (beside + over) + 0.0625f * across;
    return 2.0f * (is_one ? mean : own);
}

/* A fine row from the coarse row it lies in and the one next to it. */
static void enlarge_row(const float *restrict row, const float *restrict other, int coarse_width,
                        int width, float *restrict out) {
    const int end = coarse_width - 1 < width / 2 ? coarse_width - 1 : width / 2;
    for (int k = 1; k < end; k++) { /* inside, two at a time: in vectors */
        out[2 * k] = enlarged(row[k], row[k - 1], other[k], other[k - 1]);
        out[2 * k + 1] = enlarged(row[k], row[k + 1], other[k], other[k + 1]);
    }
    for (int x = 0; x < width; x++) {
        if (x == 2 && end > 1)
            x = 2 * end;
        if (x >= width)
            return;
        const int k = clamp(x / 2, coarse_width);
        const int beside = clamp(k + (x & 1 ? 1 : -1), coarse_width);
        out[x] = enlarged(row[k], row[beside], other[k], other[beside]);
    }
}

/* Each value twice. */
static void double_row(const float *restrict row, int coarse_width, int width,
                       float *restrict out) {
    const int end = coarse_width < width / 2 ? coarse_width : width / 2;
    for (int k = 0; k < end; k++)
        out[2 * k] = out[2 * k + 1] = row[k];
    for (int x = 2 * end; x < width; x++)
        out[x] = row[clamp(x / 2, coarse_width)];
}

/* Twice the resolution. */
static void enlarge(const Answer *coarse, const Answer *fine, int threads) {
    const size_t coarse_width = (size_t)coarse->width, width = (size_t)fine->width;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int y = 0; y < fine->height; y++) {
        const int k = clamp(y / 2, coarse->height);
        const int over = clamp(k + (y & 1 ? 1 : -1), coarse->height);
        const size_t row = (size_t)k * coarse_width, at = (size_t)y * width;
        enlarge_row(coarse->disparity + row, coarse->disparity + (size_t)over * coarse_width,
                    coarse->width, fine->width, fine->disparity + at);
        double_row(coarse->confidence + row, coarse->width, fine->width, fine->confidence + at);
    }
}

/* ---- levels ---------------------------------------------------------------------------------- */

static AqmStatus create_level(const Cascade *cascade, int halvings, AqmLevel *level,
                              AqmDiag *diag) {
    int *times = aqm_calloc(cascade->view_count, sizeof *times);
    if (!times)
        return aqm_fail_memory(diag, "views at low resolution", cascade->view_count, sizeof *times);
    times[cascade->reference] = halvings;
    for (size_t s = 0; s < cascade->source_count + cascade->spare_count; s++)
        times[cascade->sources[s]] = halvings;
    const AqmStatus status =
        aqm_level_create(level, cascade->views, cascade->view_count, times, diag);
    aqm_free(times);
    return status;
}

static AqmStatus create_sweep(const Cascade *cascade, const AqmStereoView *views, int window,
                              AqmSweep **sweep, AqmDiag *diag) {
    AQM_TRY(aqm_sweep_create(sweep, views, cascade->reference, cascade->sources,
                             cascade->source_count, cascade->spare_count, cascade->options->cost,
                             window, cascade->options->threads, diag));
    (*sweep)->disparity_scale = (*sweep)->median_scale;
    return AQM_OK;
}

/* To disparities of the farthest source, in which the caller works. */
static AqmStatus rescale(const Cascade *cascade, float *disparity, AqmDiag *diag) {
    const AqmView *view = cascade->views[cascade->reference].view;
    AqmSweep *sweep = NULL;
    AQM_TRY(aqm_sweep_create(&sweep, cascade->views, cascade->reference, cascade->sources,
                             cascade->source_count, cascade->spare_count, cascade->options->cost,
                             NEAR_WINDOW, cascade->options->threads, diag));
    const float factor = (float)(sweep->disparity_scale / sweep->median_scale);
    aqm_sweep_destroy(&sweep);
    for (size_t k = 0; k < (size_t)view->width * (size_t)view->height; k++)
        disparity[k] *= factor;
    return AQM_OK;
}

/* The smallest side of the images at work. */
static int smallest_side(const Cascade *cascade) {
    int side = cascade->views[cascade->reference].view->height;
    for (size_t s = 0; s <= cascade->source_count + cascade->spare_count; s++) {
        const bool is_source = s < cascade->source_count + cascade->spare_count;
        const AqmView *view =
            cascade->views[is_source ? cascade->sources[s] : cascade->reference].view;
        side = view->height < side ? view->height : side;
        side = view->width < side ? view->width : side;
    }
    return side;
}

/* How often to halve the resolution before the search. */
static AqmStatus choose_start(const Cascade *cascade, int *halvings, AqmDiag *diag) {
    const AqmView *view = cascade->views[cascade->reference].view;
    const double effort =
        cells_per_depth2 * cascade->options->num_depths * cascade->options->num_depths;
    const int side = smallest_side(cascade);
    AqmSweep *sweep = NULL;
    AQM_TRY(create_sweep(cascade, cascade->views, NEAR_WINDOW, &sweep, diag));
    for (*halvings = 0; *halvings < MOST_HALVINGS && side >> (*halvings + 1) >= MIN_SIDE;
         ++*halvings) {
        const int planes = aqm_plane_count_for(sweep, cascade->h_min_m, cascade->h_max_m,
                                               plane_step_px * (1 << *halvings));
        const double pixels = (double)(view->width >> *halvings) * (view->height >> *halvings);
        const double more = *halvings < 2 ? more_cells * view->width * view->height : 0.0;
        if (planes <= cascade->options->num_depths && pixels * planes <= effort &&
            more <= more_share * effort)
            break;
    }
    aqm_sweep_destroy(&sweep);
    return AQM_OK;
}

static AqmStatus search(const Cascade *cascade, const AqmLevel *level, const Answer *answer,
                        AqmDiag *diag) {
    const int half = cascade->options->window_size / 2, window = half < 3 ? 3 : half | 1;
    AqmSweep *sweep = NULL;
    AQM_TRY(create_sweep(cascade, level->stereo, window, &sweep, diag));
    const int wanted =
        aqm_plane_count_for(sweep, cascade->h_min_m, cascade->h_max_m, plane_step_px);
    const int most = cascade->options->num_depths;
    const int count = wanted < MIN_PLANES ? MIN_PLANES : wanted < most ? wanted : most;
    const AqmPlanes planes = aqm_planes(sweep, cascade->h_min_m, cascade->h_max_m, count);
    AqmStatus status = aqm_semiglobal(sweep, &planes, cascade->options->depth_batch_size,
                                      answer->disparity, answer->confidence, diag);
    if (status == AQM_OK) {
        aqm_fill_holes(answer->disparity, answer->width, answer->height);
        const AqmStepRules rules = {1.0f, grown_rim_share};
        status = aqm_align_steps(sweep->image, answer->confidence, &rules, answer->disparity,
                                 sweep->threads, diag);
    }
    aqm_sweep_destroy(&sweep);
    return status;
}

/* Moves the answer of the level to the best match near by. */
static AqmStatus sharpen(const Cascade *cascade, const AqmLevel *level, bool is_last,
                         const Answer *answer, AqmDiag *diag) {
    const size_t pixels = (size_t)answer->width * (size_t)answer->height;
    AqmSweep *sweep = NULL;
    AQM_TRY(create_sweep(cascade, level->stereo, NEAR_WINDOW, &sweep, diag));
    float *base = aqm_alloc(pixels, sizeof *base);
    AqmStatus status = base ? AQM_OK : aqm_fail_memory(diag, "a depth map", pixels, sizeof *base);
    if (status == AQM_OK)
        status = aqm_smooth_surface(answer->disparity, answer->width, answer->height,
                                    smooth_tolerance_px, 1, sweep->threads, base, diag);
    const AqmNearOptions options = {near_step_px, NEAR_STEPS, is_last};
    if (status == AQM_OK)
        status = aqm_sweep_near(sweep, base, &options, answer->disparity, diag);
    aqm_free(base);
    aqm_sweep_destroy(&sweep);
    return status;
}

/* One step of least squares from a smooth surface through the answer; what no source sees stays. */
static AqmStatus fit(const Cascade *cascade, const AqmLevel *level, const Answer *answer,
                     AqmDiag *diag) {
    const size_t pixels = (size_t)answer->width * (size_t)answer->height;
    AqmSweep *sweep = NULL;
    AQM_TRY(create_sweep(cascade, level->stereo, NEAR_WINDOW, &sweep, diag));
    float *base = aqm_alloc(3 * pixels, sizeof *base);
    float *moves = aqm_calloc(aqm_sweep_tile_count(sweep->view), sizeof *moves);
    AqmStatus status =
        base && moves ? AQM_OK : aqm_fail_memory(diag, "a depth map", 3 * pixels, sizeof *base);
    const AqmRefined refined = {answer->disparity, base ? base + pixels : NULL,
                                base ? base + 2 * pixels : NULL};
    if (status == AQM_OK)
        status = aqm_smooth_surface(answer->disparity, answer->width, answer->height,
                                    smooth_tolerance_px, 1, sweep->threads, base, diag);
    if (status == AQM_OK)
        status = aqm_refine(sweep, base, &refined, 0.0f, moves, diag);
    for (size_t k = 0; status == AQM_OK && k < pixels; k++)
        if (isnan(answer->disparity[k]))
            answer->disparity[k] = base[k];
    aqm_free(base);
    aqm_free(moves);
    aqm_sweep_destroy(&sweep);
    return status;
}

/* One level: the search at the first one, else what the coarser one says, sharpened. */
static AqmStatus run_level(const Cascade *cascade, int start, int halvings, const Answer *coarse,
                           Answer *answer, AqmDiag *diag) {
    static const char *const scale_name[MOST_HALVINGS + 1] = {"1/1", "1/2", "1/4", "1/8", "1/16"};
    AqmLevel level = {0};
    AqmStatus status = create_level(cascade, halvings, &level, diag);
    if (status == AQM_OK && !answer->disparity)
        status = answer_create(answer, &level.views[cascade->reference], diag);
    const AqmScope scope = aqm_scope_begin(AQM_SCOPE_PART, coarse->disparity ? "sharpen" : "planes",
                                           scale_name[halvings]);
    if (status == AQM_OK && !coarse->disparity)
        status = search(cascade, &level, answer, diag);
    else if (status == AQM_OK) {
        enlarge(coarse, answer, aqm_thread_count(cascade->options->threads));
        status = sharpen(cascade, &level, halvings == 0 && start > 1, answer, diag);
        if (status == AQM_OK && halvings > 0)
            status = fit(cascade, &level, answer, diag);
    }
    aqm_scope_end(&scope);
    aqm_level_free(&level);
    return status;
}

AqmStatus aqm_cascade(const AqmStereoView *views, size_t view_count, size_t reference,
                      const size_t *sources, size_t source_count, size_t spare_count,
                      double h_min_m, double h_max_m, const AqmStereoOptions *options,
                      float *disparity, float *confidence, int *halvings, AqmDiag *diag) {
    const Cascade cascade = {views,       view_count, reference, sources, source_count,
                             spare_count, h_min_m,    h_max_m,   options};
    const AqmView *view = views[reference].view;
    Answer coarse = {0};
    AQM_TRY(choose_start(&cascade, halvings, diag));
    AqmStatus status = AQM_OK;
    for (int level = *halvings; level >= 0 && status == AQM_OK; level--) {
        Answer answer = {0};
        if (level == 0)
            answer = (Answer){view->width, view->height, disparity, confidence};
        status = run_level(&cascade, *halvings, level, &coarse, &answer, diag);
        aqm_free(coarse.disparity);
        coarse = level == 0 ? (Answer){0} : answer;
    }
    aqm_free(coarse.disparity);
    return status == AQM_OK ? rescale(&cascade, disparity, diag) : status;
}
