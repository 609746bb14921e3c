/* Coarser views for coarse voxels. Where a voxel holds four or more pixels of a view, these show
 * the same surface through the same windows, and to fuse every one costs four times as much as to
 * fuse their mean. So maps are halved while the points of adjacent pixels then lie at most WIDEST
 * voxels apart, as they do on maps of about one pixel a voxel, which are never halved: a voxel that
 * the surface crosses has pixels of each view that sees it. On four views of 1920 x 1080 px over a
 * wave (0.52 mm a pixel, voxels of 1 mm) it leaves the error as it is (0.032 mm RMS) and 80.3
 * of 80.5 % coverage, and takes a third of the time; a tenth of the points goes, in voxels whose
 * corners the surface cuts.
 *
 * The mean of 2 x 2 depths is the depth at their common corner to the second order (a curved
 * surface is off by a quarter of its curvature per px^2, a hundredth of what a matching window of
 * 11 px does). Their errors are those of overlapping windows: the mean's standard deviation is
 * taken to be theirs.
 *
 * How far apart the points of pixels are is measured on a few of them, SPAN px apart so that noise
 * does not count; a tenth may be farther apart.
 * Cost: about 3 ns a pixel that is halved. */
#include "stages/fusion/fusion_coarse.h"

#include <math.h>

#include "aquamvs/geometry.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "math/stats.h"
#include "stages/fusion/fusion_views.h"

enum {
    SAMPLES = 32, /* along each axis of a map */
    SPAN = 8,     /* px between the two pixels that are compared */
    LEAST_SIDE = 32
};

/* In voxels: how far apart halved pixels may be. */
static const double WIDEST = 1.2;

/* What stands for one view. */
struct AqmCoarseView {
    AqmView view;
    AqmDepthMap *depth;
    AqmImage *image;
    AqmImageView color;
};

static inline float least(float a, float b) {
    return a < b ? a : b;
}

static inline float most(float a, float b) {
    return a > b ? a : b;
}

/* ---- how far apart pixels are ---------------------------------------------------------------- */

static bool point_at(const AqmFusionView *view, int u, int v, float least_confidence,
                     double point[3]) {
    const AqmDepthMap *map = view->depth;
    const size_t at = (size_t)v * (size_t)map->width + (size_t)u;
    const float depth = map->depth_m[at];
    AqmRay ray;
    if (!(depth > 0.0f && depth < INFINITY && map->confidence[at] >= least_confidence) ||
        !aqm_view_cast(view->view, u, v, &ray))
        return false;
    for (int i = 0; i < 3; i++)
        point[i] = ray.origin[i] + (double)depth * ray.direction[i];
    return true;
}

static double distance(const double a[3], const double b[3]) {
    const double x = a[0] - b[0], y = a[1] - b[1], z = a[2] - b[2];
    return sqrt(x * x + y * y + z * z);
}

/* Metres between the points of adjacent pixels that nine of ten are within; INFINITY if unknown. */
static double spacing_of(const AqmFusionView *view, const AqmFusionOptions *options) {
    float found[2 * SAMPLES * SAMPLES];
    size_t count = 0;
    const AqmDepthMap *map = view->depth;
    const float least_confidence = aqm_fusion_least_confidence(options);
    for (int j = 0; j < SAMPLES; j++)
        for (int i = 0; i < SAMPLES; i++) {
            double here[3], there[3];
            const int u = (map->width - SPAN) * i / SAMPLES, v = (map->height - SPAN) * j / SAMPLES;
            if (!point_at(view, u, v, least_confidence, here))
                continue;
            if (point_at(view, u + SPAN, v, least_confidence, there))
                found[count++] = (float)(distance(here, there) / SPAN);
            if (point_at(view, u, v + SPAN, least_confidence, there))
                found[count++] = (float)(distance(here, there) / SPAN);
        }
    return count > 0 ? (double)aqm_select_f32(found, count, count * 9 / 10) : INFINITY;
}

/* ---- halving --------------------------------------------------------------------------------- */

static AqmView halved_camera(const AqmView *view) {
    AqmView half = *view;
    half.width = view->width / 2, half.height = view->height / 2;
    half.fx = 0.5 * view->fx, half.fy = 0.5 * view->fy;
    half.cx = 0.5 * (view->cx - 0.5), half.cy = 0.5 * (view->cy - 0.5);
    return half;
}

/* The mean of two values and of the other two, as far as they count. */
static inline float mean_of(float a, float d, int one, float b, float c, int other) {
    const float first = one ? a + d : 0.0f, second = other ? b + c : 0.0f;
    return (one & other) ? 0.25f * (first + second) : 0.5f * (first + second);
}

static inline int is_usable(float depth, float confidence, float least_confidence) {
    return (depth > 0.0f) & (depth < INFINITY) & (confidence >= least_confidence);
}

/* Two rows of each plane, one after the other, to one row. Facing pixels have their mean in the
 * middle, whatever the slope. */
static void halve_row(const AqmDepthMap *from, AqmDepthMap *to, int y, float least_confidence,
                      float tolerance) {
    const ptrdiff_t below = from->width;
    const size_t first = (size_t)y * (size_t)to->width;
    const float *s = from->depth_m + 2 * (ptrdiff_t)y * below,
                *q = from->confidence + (s - from->depth_m);
    const float *e = from->sigma_m + (s - from->depth_m);
    float *restrict depth = to->depth_m + first, *restrict confidence = to->confidence + first;
    float *restrict sigma = to->sigma_m + first;
    for (int x = 0; x < to->width; x++, s += 2, q += 2, e += 2) {
        const float a = s[0], b = s[1], c = s[below], d = s[below + 1];
        const int one =
            is_usable(a, q[0], least_confidence) & is_usable(d, q[below + 1], least_confidence);
        const int other =
            is_usable(b, q[1], least_confidence) & is_usable(c, q[below], least_confidence);
        const float low = least(one ? least(a, d) : INFINITY, other ? least(b, c) : INFINITY);
        const float high = most(one ? most(a, d) : 0.0f, other ? most(b, c) : 0.0f);
        const int known = (one | other) & (high - low < tolerance);
        const float mean = mean_of(a, d, one, b, c, other);
        const float trust = mean_of(q[0], q[below + 1], one, q[1], q[below], other);
        const float spread = mean_of(e[0], e[below + 1], one, e[1], e[below], other);
        depth[x] = known ? mean : NAN;
        confidence[x] = known ? trust : 0.0f;
        sigma[x] = known ? spread : NAN;
    }
}

static AqmStatus halve_depth(const AqmDepthMap *from, const AqmFusionOptions *options,
                             AqmDepthMap **out, AqmDiag *diag) {
    AqmDepthMap *half = NULL;
    AQM_TRY(aqm_depth_map_create(&half, from->width / 2, from->height / 2, diag));
#pragma omp parallel for schedule(static) num_threads(aqm_thread_count(options->threads))
    for (int y = 0; y < half->height; y++)
        halve_row(from, half, y, aqm_fusion_least_confidence(options),
                  (float)options->depth_tolerance_m);
    *out = half;
    return AQM_OK;
}

#define DEFINE_HALVE(name, type)                                                                   \
    static void name(const type *upper, const type *lower, int width, int channels,                \
                     type *restrict out) {                                                         \
        for (int x = 0; x < width; x++)                                                            \
            for (int i = 0; i < channels; i++) {                                                   \
                const int at = 2 * x * channels + i;                                               \
                out[x * channels + i] = (type)((upper[at] + upper[at + channels] + lower[at] +     \
                                                lower[at + channels] + 2) /                        \
                                               4);                                                 \
            }                                                                                      \
    }

DEFINE_HALVE(halve_bytes, uint8_t)
DEFINE_HALVE(halve_words, uint16_t)

static AqmStatus halve_image(const AqmImageView *from, int threads, AqmImage **out, AqmDiag *diag) {
    AqmImage *half = NULL;
    AQM_TRY(aqm_image_create(&half, from->width / 2, from->height / 2, from->channels, from->type,
                             diag));
#pragma omp parallel for schedule(static) num_threads(aqm_thread_count(threads))
    for (int y = 0; y < half->height; y++) {
        const char *upper = (const char *)from->data + (size_t)(2 * y) * from->stride;
        const char *lower = upper + from->stride;
        char *row = (char *)half->data + (size_t)y * half->stride;
        if (from->type == AQM_U8)
            halve_bytes((const uint8_t *)upper, (const uint8_t *)lower, half->width, half->channels,
                        (uint8_t *)row);
        else
            halve_words((const uint16_t *)upper, (const uint16_t *)lower, half->width,
                        half->channels, (uint16_t *)row);
    }
    *out = half;
    return AQM_OK;
}

static void coarse_view_free(AqmCoarseView *made) {
    aqm_depth_map_destroy(&made->depth);
    aqm_image_destroy(&made->image);
}

/* What stands for `view`, of half its width and height. */
static AqmStatus halve(const AqmFusionView *view, const AqmFusionOptions *options,
                       AqmCoarseView *out, AqmDiag *diag) {
    AqmCoarseView half = {.view = halved_camera(view->view)};
    AQM_TRY(halve_depth(view->depth, options, &half.depth, diag));
    if (view->color) {
        const AqmStatus status = halve_image(view->color, options->threads, &half.image, diag);
        if (status != AQM_OK) {
            coarse_view_free(&half);
            return status;
        }
        half.color = aqm_image_view(half.image);
    }
    coarse_view_free(out);
    *out = half;
    return AQM_OK;
}

/* Halves view i until its pixels are no longer fine. */
static AqmStatus make_coarse(AqmCoarseViews *coarse, size_t i, const AqmFusionOptions *options,
                             AqmDiag *diag) {
    AqmFusionView *view = &coarse->views[i];
    AqmCoarseView *made = &coarse->made[i];
    double spacing = spacing_of(view, options);
    while (2.0 * spacing <= WIDEST * options->voxel_size_m && view->depth->width >= LEAST_SIDE &&
           view->depth->height >= LEAST_SIDE) {
        AQM_TRY(halve(view, options, made, diag));
        *view = (AqmFusionView){&made->view, made->depth, view->color ? &made->color : NULL,
                                view->full_scale};
        coarse->steps[i] *= 2;
        spacing *= 2.0;
    }
    return AQM_OK;
}

/* All views as they are, and room for what will stand for them. */
static AqmStatus begin(AqmCoarseViews *coarse, const AqmFusionView *views, size_t count,
                       AqmDiag *diag) {
    coarse->count = count;
    coarse->made = aqm_calloc(count, sizeof *coarse->made);
    if (!coarse->made)
        return aqm_fail_memory(diag, "coarser views", count, sizeof *coarse->made);
    for (size_t i = 0; i < count; i++) {
        coarse->views[i] = views[i];
        coarse->steps[i] = 1;
    }
    return AQM_OK;
}

AqmStatus aqm_coarse_views_init(AqmCoarseViews *coarse, const AqmFusionView *views, size_t count,
                                const AqmFusionOptions *options, AqmDiag *diag) {
    AQM_TRY(begin(coarse, views, count, diag));
    AqmStatus status = AQM_OK;
    for (size_t i = 0; i < count && status == AQM_OK; i++)
        status = make_coarse(coarse, i, options, diag);
    if (status != AQM_OK)
        aqm_coarse_views_free(coarse);
    return status;
}

/* ---- thinning -------------------------------------------------------------------------------- */

static void thin_row(const AqmDepthMap *from, AqmDepthMap *to, int y, int step) {
    const size_t row = (size_t)y * (size_t)step * (size_t)from->width;
    const size_t first = (size_t)y * (size_t)to->width;
    for (size_t x = 0; x < (size_t)to->width; x++) {
        const size_t at = row + x * (size_t)step;
        to->depth_m[first + x] = from->depth_m[at];
        to->confidence[first + x] = from->confidence[at];
        to->sigma_m[first + x] = from->sigma_m[at];
    }
}

static AqmView thinned_camera(const AqmView *view, int step) {
    AqmView thin = *view;
    thin.width = (view->width + step - 1) / step, thin.height = (view->height + step - 1) / step;
    thin.fx = view->fx / step, thin.fy = view->fy / step;
    thin.cx = view->cx / step, thin.cy = view->cy / step;
    return thin;
}

static AqmStatus make_thin(AqmCoarseViews *thin, size_t i, int step, int threads, AqmDiag *diag) {
    AqmCoarseView *made = &thin->made[i];
    const AqmDepthMap *from = thin->views[i].depth;
    made->view = thinned_camera(thin->views[i].view, step);
    AQM_TRY(aqm_depth_map_create(&made->depth, made->view.width, made->view.height, diag));
#pragma omp parallel for schedule(static) num_threads(aqm_thread_count(threads))
    for (int y = 0; y < made->depth->height; y++)
        thin_row(from, made->depth, y, step);
    thin->views[i] = (AqmFusionView){&made->view, made->depth, NULL, 255.0};
    thin->steps[i] = step;
    return AQM_OK;
}

AqmStatus aqm_thin_views_init(AqmCoarseViews *thin, const AqmFusionView *views, size_t count,
                              int step, int threads, AqmDiag *diag) {
    AQM_TRY(begin(thin, views, count, diag));
    AqmStatus status = AQM_OK;
    for (size_t i = 0; i < count && step > 1 && status == AQM_OK; i++)
        status = make_thin(thin, i, step, threads, diag);
    if (status != AQM_OK)
        aqm_coarse_views_free(thin);
    return status;
}

void aqm_coarse_views_free(AqmCoarseViews *coarse) {
    for (size_t i = 0; coarse->made && i < coarse->count; i++)
        coarse_view_free(&coarse->made[i]);
    aqm_free(coarse->made);
    coarse->made = NULL;
}
