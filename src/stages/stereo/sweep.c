/* Plane sweep (Collins 1996; Yang & Pollefeys 2003) through refracting water, exhaustive.
 *
 * Hypotheses are horizontal planes h_k below the surface: the bed of a tank is nearly horizontal,
 * and a plane of constant h fits it better than one of constant ray depth in a tilted camera. They
 * are even in 1 / (h_c + h / n), the inverse apparent depth, in which a step moves a source pixel
 * by about the same amount everywhere (h_c: camera over the water; n: refractive index).
 *
 * The reference image is cut into tiles; each tile is one thread's work from first to last plane,
 * so no cost volume is ever held, only `batch` planes of a tile's scores. The warp is exact at
 * knots 8 px apart and linear between them (at most 0.009 px off on a ring of twelve). A source is
 * sampled through it once for a slab of neighbouring planes, which then are that picture moved
 * block by block (slab.c); where pixels are missing, and where planes lie too far apart, each plane
 * is sampled through its own warp. Scores of the sources are joined plane by plane (kernels.h,
 * join); what survives at each pixel are the two best local maxima over the planes. The answer is
 * the better one, refined by a parabola through its neighbours; how far it stands above the other
 * and how sharp it is make the confidence. A pixel whose best score lies on the first or last plane
 * has no answer: its depth is outside.
 *
 * Cost: pixels * planes * sources samples; the sums do not depend on the window. */
#include "stages/stereo/sweep.h"

#include <math.h>

#include "aquamvs/geometry.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "stages/stereo/slab.h"

/* A tile may have that many sources more than asked for, where several see but a part of it. */
enum { MORE = 2 };

static AqmProjector projector_of(const AqmView *view) {
    AqmProjector p = {.fx = view->fx,
                      .fy = view->fy,
                      .cx = view->cx,
                      .cy = view->cy,
                      .water_z = view->water_z,
                      .n = view->n};
    for (int k = 0; k < 9; k++)
        p.R[k] = view->R[k];
    for (int k = 0; k < 3; k++)
        p.C[k] = view->C[k];
    return p;
}

/* How far, in source pixels, the middle of the reference image moves per unit of 1 / apparent
 * depth: focal length times baseline, the largest and the median over the sources. */
static void find_scales(AqmSweep *sweep) {
    double scales[AQM_SOURCES_MAX];
    const size_t count = sweep->source_count;
    for (size_t s = 0; s < count; s++) {
        const AqmProjector *p = &sweep->sources[s].projector;
        const double dx = p->C[0] - sweep->view->C[0], dy = p->C[1] - sweep->view->C[1];
        const double dz = p->C[2] - sweep->view->C[2];
        const double scale = fmax(p->fx, p->fy) * sqrt(dx * dx + dy * dy + dz * dz);
        size_t k = s;
        for (; k > 0 && scales[k - 1] > scale; k--)
            scales[k] = scales[k - 1];
        scales[k] = scale;
    }
    sweep->disparity_scale = scales[count - 1];
    sweep->median_scale = scales[count / 2];
}

AqmStatus aqm_sweep_create(AqmSweep **out, const AqmStereoView *views, size_t reference,
                           const size_t *sources, size_t source_count, size_t spare_count,
                           AqmCost cost, int window, int threads, AqmDiag *diag) {
    AqmSweep *sweep = aqm_calloc(1, sizeof *sweep);
    const size_t candidates = source_count + spare_count;
    AqmSweepSource *made = aqm_calloc(candidates, sizeof *made);
    if (!sweep || !made) {
        aqm_free(sweep);
        aqm_free(made);
        return aqm_fail_memory(diag, "a plane sweep", candidates, sizeof *made);
    }
    for (size_t s = 0; s < candidates; s++)
        made[s] = (AqmSweepSource){projector_of(views[sources[s]].view), views[sources[s]].image};
    *sweep = (AqmSweep){.kernels = aqm_kernels(aqm_cpu_features()),
                        .near_kernels = aqm_near_kernels(aqm_cpu_features()),
                        .view = views[reference].view,
                        .image = views[reference].image,
                        .sources = made,
                        .source_count = source_count,
                        .spare_count = spare_count,
                        .most = source_count + (spare_count < MORE ? spare_count : MORE),
                        .cost = cost,
                        .window = window,
                        .threads = aqm_thread_count(threads)};
    find_scales(sweep);
    *out = sweep;
    return AQM_OK;
}

void aqm_sweep_destroy(AqmSweep **sweep) {
    if (!sweep || !*sweep)
        return;
    aqm_free((*sweep)->sources);
    aqm_free(*sweep);
    *sweep = NULL;
}

/* ---- planes ---------------------------------------------------------------------------------- */

static double inverse_depth(const AqmView *view, double h) {
    return 1.0 / (view->water_z - view->C[2] + h / view->n);
}

int aqm_plane_count_for(const AqmSweep *sweep, double h_min_m, double h_max_m, double step_px) {
    const double span = inverse_depth(sweep->view, h_min_m) - inverse_depth(sweep->view, h_max_m);
    return 1 + (int)ceil(span * sweep->disparity_scale / step_px);
}

double aqm_sweep_metres_per_px(const AqmSweep *sweep, double h) {
    const double inverse = inverse_depth(sweep->view, h);
    return sweep->view->n / (inverse * inverse * fmax(sweep->disparity_scale, 1e-9));
}

AqmPlanes aqm_planes(const AqmSweep *sweep, double h_min_m, double h_max_m, int count) {
    const double first = inverse_depth(sweep->view, h_min_m);
    const double step = (inverse_depth(sweep->view, h_max_m) - first) / (double)(count - 1);
    return (AqmPlanes){
        .inverse_first = first,
        .inverse_step = step,
        .camera_height_m = sweep->view->water_z - sweep->view->C[2],
        .n = sweep->view->n,
        .count = count,
        .step_px = fmax(1e-6, -step * sweep->disparity_scale),
    };
}

double aqm_plane_h(const AqmPlanes *planes, double index) {
    const double inverse = planes->inverse_first + index * planes->inverse_step;
    return planes->n * (1.0 / inverse - planes->camera_height_m);
}

/* ---- one tile -------------------------------------------------------------------------------- */

typedef struct Scratch {
    AqmTileScratch tile;
    AqmKnots *knots;
    AqmSlabGrid *grid;
    AqmSlab *slabs;    /* of each source */
    int16_t *pictures; /* of all slabs */
    int16_t *scores;   /* batch x sources x tile area */
    int16_t *peaks;    /* 7 x tile area */
    int16_t *joined;   /* a row of each plane of a batch */
    bool *is_seen;     /* batch x sources */
} Scratch;

static const size_t tile_area = (size_t)AQM_TILE_WIDTH * AQM_TILE_HEIGHT;

static void scratch_free(Scratch *scratch) {
    aqm_sweep_tile_scratch_free(&scratch->tile);
    aqm_free(scratch->knots);
    aqm_free(scratch->grid);
    aqm_free(scratch->slabs);
    aqm_free(scratch->pictures);
    aqm_free(scratch->scores);
    aqm_free(scratch->peaks);
    aqm_free(scratch->joined);
    aqm_free(scratch->is_seen);
}

static AqmStatus scratch_create(Scratch *scratch, const AqmSweep *sweep, int batch, AqmDiag *diag) {
    const size_t slots = (size_t)batch * sweep->most;
    *scratch = (Scratch){0};
    const AqmStatus status = aqm_sweep_tile_scratch_create(&scratch->tile, sweep, diag);
    const size_t picture = aqm_slab_picture_size(sweep);
    scratch->knots = aqm_alloc(1, sizeof *scratch->knots);
    scratch->grid = aqm_alloc(1, sizeof *scratch->grid);
    scratch->slabs = aqm_calloc(sweep->most, sizeof *scratch->slabs);
    scratch->pictures = aqm_alloc(sweep->most * picture, sizeof *scratch->pictures);
    scratch->scores = aqm_alloc(slots * tile_area, sizeof *scratch->scores);
    scratch->peaks = aqm_alloc(7 * tile_area, sizeof *scratch->peaks);
    scratch->joined = aqm_alloc((size_t)batch * AQM_TILE_WIDTH, sizeof *scratch->joined);
    scratch->is_seen = aqm_alloc(slots, sizeof(bool));
    if (status != AQM_OK || !scratch->knots || !scratch->grid || !scratch->slabs ||
        !scratch->pictures || !scratch->scores || !scratch->peaks || !scratch->joined ||
        !scratch->is_seen) {
        scratch_free(scratch);
        return aqm_fail_memory(diag, "a tile of the plane sweep", slots * tile_area,
                               sizeof(int16_t));
    }
    for (size_t s = 0; s < sweep->most; s++)
        scratch->slabs[s].picture = scratch->pictures + s * picture;
    return AQM_OK;
}

/* Casts the rays of a tile; no slab of the tile before it counts any more. */
static void cast_tile(const AqmSweep *sweep, const AqmTile *tile, bool has_slabs,
                      Scratch *scratch) {
    aqm_knots_cast(scratch->knots, sweep->view, tile->x0 - tile->radius, tile->y0 - tile->radius,
                   AQM_KNOT, (int)(tile->pitch / AQM_KNOT) + 1,
                   (tile->rows + AQM_KNOT - 1) / AQM_KNOT + 1);
    if (has_slabs)
        aqm_slab_grid_cast(scratch->grid, sweep->view, tile);
    for (size_t s = 0; s < sweep->most; s++)
        scratch->slabs[s] = (AqmSlab){.picture = scratch->slabs[s].picture};
}

typedef struct KnotRows {
    const AqmKernels *kernels;
    const AqmKnots *knots;
} KnotRows;

static void positions_from_knots(const void *context, int row, float *u, float *v) {
    const KnotRows *rows = context;
    aqm_knots_row(rows->knots, rows->kernels, row, 0, (size_t)rows->knots->across - 1, u, v);
}

/* What a row of a slab is sampled from. */
typedef struct SlabRows {
    const AqmKernels *kernels;
    const AqmTile *tile;
    const AqmSlab *slab;
    const AqmKnots *knots; /* of the plane, where the slab has blocks with gaps; NULL: as the
                              picture has them */
    AqmGray gray;
    float *u, *v; /* a row's */
} SlabRows;

/* A gap takes one pixel more on every side from a picture that was resampled than from the source:
 * samples the blocks of a row with one anew. */
static void sample_gaps_anew(const SlabRows *rows, int row, int16_t *out, AqmRowGaps *gaps) {
    const AqmTile *tile = rows->tile;
    const size_t blocks = tile->pitch / AQM_ROW_MULTIPLE;
    const uint32_t unsure = gaps->any & rows->slab->mixed[row / AQM_SLAB_BLOCK];
    for (size_t b = 0, end; unsure && b < blocks; b = end) {
        const size_t at = b * AQM_ROW_MULTIPLE;
        end = aqm_run_end(unsure, b, blocks);
        const size_t n = end * AQM_ROW_MULTIPLE - at;
        if (!(unsure >> b & 1))
            continue;
        aqm_knots_row(rows->knots, rows->kernels, row, at / AQM_KNOT, n / AQM_KNOT, rows->u,
                      rows->v);
        rows->kernels->sample_masked(&rows->gray, rows->u, rows->v, n, out + at);
    }
    for (size_t c = (size_t)tile->columns; unsure && c < tile->pitch; c++)
        out[c] = 0;
    gaps->any = (gaps->any & ~unsure) | aqm_gaps_in(rows->kernels, out, unsure, blocks);
}

static void sample_slab(const void *context, int row, int count, int16_t *out, AqmRowGaps *gaps) {
    const SlabRows *rows = context;
    aqm_slab_rows(rows->slab, rows->kernels, rows->tile, row, count, out, gaps);
    for (int r = 0; r < count && rows->knots; r++)
        sample_gaps_anew(rows, row + r, out + (size_t)r * rows->tile->pitch, &gaps[r]);
}

/* Adds a source at plane k of its slab to what is scored. */
static void add_slab(const AqmSweep *sweep, const AqmTile *tile, const AqmSweepSource *source,
                     AqmSlab *slab, int k, Scratch *scratch, int16_t *score) {
    aqm_slab_move(slab, k);
    const bool is_unsure = slab->has_mixed && !scratch->tile.drops_partial;
    const SlabRows rows = {.kernels = sweep->kernels,
                           .tile = tile,
                           .slab = slab,
                           .knots = is_unsure ? scratch->knots : NULL,
                           .gray = aqm_stereo_image_gray(source->image),
                           .u = scratch->tile.u,
                           .v = scratch->tile.v};
    if (is_unsure)
        aqm_slab_warp(slab, scratch->grid, k, scratch->knots);
    aqm_sweep_tile_add_rows(sweep, tile, sample_slab, &rows, &scratch->tile, score);
}

/* Adds source s at plane k to what is scored; false where it sees nothing of the tile.
 * slab_planes: 0 = none. */
static bool add_plane(const AqmSweep *sweep, const AqmTile *tile, const AqmPlanes *planes,
                      int slab_planes, size_t s, int k, Scratch *scratch, int16_t *score) {
    const AqmSweepSource *source = &sweep->sources[s];
    AqmSlab *slab = &scratch->slabs[s];
    if (slab_planes > 0 && (k < slab->first || k >= slab->end)) {
        const int first = k / slab_planes * slab_planes, end = first + slab_planes;
        aqm_slab_load(slab, scratch->grid, sweep, tile, source, planes, first,
                      end < planes->count ? end : planes->count);
    }
    if (slab->is_usable) {
        if (slab->is_seen)
            add_slab(sweep, tile, source, slab, k, scratch, score);
        return slab->is_seen;
    }
    const double h = aqm_plane_h(planes, k);
    const KnotRows rows = {sweep->kernels, scratch->knots};
    bool is_seen;
    aqm_knots_warp(scratch->knots, sweep->kernels, source, h);
    const bool is_inside = aqm_knots_are_inside(scratch->knots, source, &is_seen);
    if (is_seen)
        aqm_sweep_tile_add(sweep, tile, source, is_inside, positions_from_knots, &rows,
                           &scratch->tile, score);
    return is_seen;
}

static AqmPeaks peaks_at(const Scratch *scratch, size_t at) {
    int16_t *p = scratch->peaks + at;
    return (AqmPeaks){.before = p,
                      .last = p + tile_area,
                      .best = p + 2 * tile_area,
                      .best_below = p + 3 * tile_area,
                      .best_above = p + 4 * tile_area,
                      .second = p + 5 * tile_area,
                      .best_plane = p + 6 * tile_area};
}

static void clear_peaks(Scratch *scratch) {
    for (size_t k = 0; k < 6 * tile_area; k++)
        scratch->peaks[k] = AQM_SCORE_MISSING;
    for (size_t k = 6 * tile_area; k < 7 * tile_area; k++)
        scratch->peaks[k] = -1; /* planes */
}

/* Joins the sources' scores of row y of one plane. */
static void join_row(const AqmSweep *sweep, const AqmTile *tile, size_t slot, int y,
                     const Scratch *scratch, int16_t *joined) {
    const int16_t *rows[64];
    const size_t at = (size_t)y * AQM_TILE_WIDTH, n = (size_t)tile->width;
    size_t seen = 0;
    for (size_t s = 0; s < sweep->source_count && seen < 64; s++)
        if (scratch->is_seen[slot + s])
            rows[seen++] = scratch->scores + (slot + s) * tile_area + at;
    sweep->kernels->join(rows, seen, n, joined);
}

/* Takes the scores of the planes first .. end - 1 into the search, row by row: the state of a row
 * stays in the cache. */
static void search_planes(const AqmSweep *sweep, const AqmTile *tile, int first, int end,
                          int merge_planes, Scratch *scratch) {
    for (int y = 0; y < tile->height; y++) {
        const AqmPeaks peaks = peaks_at(scratch, (size_t)y * AQM_TILE_WIDTH);
        for (size_t k = 0; k < (size_t)(end - first); k++)
            join_row(sweep, tile, k * sweep->source_count, y, scratch,
                     scratch->joined + k * AQM_TILE_WIDTH);
        sweep->kernels->track(scratch->joined, AQM_TILE_WIDTH, first, end - first, merge_planes,
                              (size_t)tile->width, &peaks);
    }
}

/* Keeps the costs of one plane. */
static void keep_plane(const AqmSweep *sweep, const AqmTile *tile, int plane, size_t slot,
                       Scratch *scratch, const AqmCostVolume *volume) {
    for (int y = 0; y < tile->height; y++) {
        join_row(sweep, tile, slot, y, scratch, scratch->joined);
        uint8_t *out = aqm_cost_volume_at(volume, tile->x0, tile->y0 + y) + plane;
        const float *weight =
            volume->weight + (size_t)(tile->y0 + y) * (size_t)volume->width + (size_t)tile->x0;
        for (int x = 0; x < tile->width; x++)
            out[(size_t)x * volume->pitch] = aqm_cost_of(scratch->joined[x], weight[x]);
    }
}

/* Confidence from a maximum, its runner-up and the drop in score a pixel away from it.
 * The drop is what the parabola says for a shift of one source pixel; 0.1 is a broad, unsafe peak.
 * The root spreads the values: 0.1 is a match hardly better than chance, 0.5 and more a good one.
 */
float aqm_match_confidence(float best, float second, float drop_px) {
    const float lead = best - (second > 0.0f ? second : 0.0f);
    if (!(lead > 0.0f) || !(drop_px > 0.0f))
        return 0.0f;
    const float uniqueness = lead / best, sharpness = drop_px / (drop_px + 0.1f);
    return sqrtf((best < 1.0f ? best : 1.0f) * sqrtf(uniqueness) * sharpness);
}

static void finish_tile(const AqmSweep *sweep, const AqmTile *tile, const AqmPlanes *planes,
                        const Scratch *scratch, float *h, float *confidence) {
    const float step2 = (float)(planes->step_px * planes->step_px);
    for (int y = 0; y < tile->height; y++) {
        const AqmPeaks p = peaks_at(scratch, (size_t)y * AQM_TILE_WIDTH);
        const size_t row = (size_t)(tile->y0 + y) * (size_t)sweep->view->width;
        const int16_t *center =
            scratch->tile.reference + (size_t)(y + tile->radius) * tile->pitch + tile->radius;
        for (int x = 0; x < tile->width; x++) {
            const size_t at = row + (size_t)(tile->x0 + x);
            const bool is_known = p.best_plane[x] >= 0 && p.best[x] > 0 &&
                                  center[x] != AQM_GRAY_MISSING && p.last[x] <= p.best[x] &&
                                  p.second[x] <= p.best[x];
            h[at] = NAN;
            confidence[at] = 0.0f;
            if (!is_known)
                continue;
            const float below = aqm_score_value(p.best_below[x]);
            const float best = aqm_score_value(p.best[x]);
            const float above = aqm_score_value(p.best_above[x]);
            const float shift = aqm_parabola_peak(below, best, above);
            const float drop = (best - 0.5f * (below + above)) / step2;
            h[at] = (float)aqm_plane_h(planes, (double)p.best_plane[x] + (double)shift);
            confidence[at] = aqm_match_confidence(best, aqm_score_value(p.second[x]), drop);
        }
    }
}

/* Where the scores of a sweep go: into a search (h, confidence), or into a volume. */
typedef struct Result {
    float *h, *confidence;
    const AqmCostVolume *volume; /* NULL: a search */
} Result;

static void sweep_tile(const AqmSweep *whole, const AqmPlanes *planes, int batch, size_t index,
                       Scratch *scratch, const Result *result) {
    AqmTile tile = aqm_sweep_tile(whole, index);
    const AqmSweep for_tile = aqm_sweep_for_tile(
        whole, &tile, aqm_plane_h(planes, 0.5 * (planes->count - 1)), scratch->tile.sources);
    const AqmSweep *sweep = &for_tile;
    aqm_sweep_tile_load(sweep, &tile, &scratch->tile);
    /* a search is refined afterwards; the costs of a volume are used as they are, unblurred */
    const int slab_planes = result->volume ? 0 : aqm_slab_planes(planes);
    cast_tile(sweep, &tile, slab_planes > 0, scratch);
    scratch->tile.drops_partial = slab_planes > 0 && scratch->tile.can_be_whole &&
                                  aqm_tile_has_enough(sweep, &tile, aqm_plane_h(planes, 0),
                                                      aqm_plane_h(planes, planes->count - 1));
    clear_peaks(scratch);
    const int merge_planes = 1 + (int)ceil(1.0 / planes->step_px); /* a peak is 2 px wide or so */
    for (int first = 0; first < planes->count; first += batch) {
        const int end = first + batch < planes->count ? first + batch : planes->count;
        for (size_t s = 0; s < sweep->source_count; s++)
            for (int k = first; k < end; k++) {
                const size_t slot = (size_t)(k - first) * sweep->source_count + s;
                scratch->is_seen[slot] = add_plane(sweep, &tile, planes, slab_planes, s, k, scratch,
                                                   scratch->scores + slot * tile_area);
            }
        aqm_sweep_tile_finish(sweep, &tile, &scratch->tile);
        if (!result->volume)
            search_planes(sweep, &tile, first, end, merge_planes, scratch);
        for (int k = first; k < end && result->volume; k++)
            keep_plane(sweep, &tile, k, (size_t)(k - first) * sweep->source_count, scratch,
                       result->volume);
    }
    if (!result->volume)
        finish_tile(sweep, &tile, planes, scratch, result->h, result->confidence);
}

static AqmStatus sweep_all(const AqmSweep *sweep, const AqmPlanes *planes, int batch,
                           const Result *result, AqmDiag *diag) {
    const int tiles = (int)aqm_sweep_tile_count(sweep->view);
    int failed = 0;
#pragma omp parallel num_threads(sweep->threads)
    {
        Scratch scratch;
        const bool is_ready = scratch_create(&scratch, sweep, batch, NULL) == AQM_OK;
        if (!is_ready) {
#pragma omp atomic write
            failed = 1;
        }
#pragma omp for schedule(dynamic, 1)
        for (int index = 0; index < tiles; index++)
            if (is_ready)
                sweep_tile(sweep, planes, batch, (size_t)index, &scratch, result);
        if (is_ready)
            scratch_free(&scratch);
    }
    return failed ? aqm_fail_memory(diag, "the tiles of the plane sweep",
                                    (size_t)batch * sweep->most * tile_area, sizeof(int16_t))
                  : AQM_OK;
}

AqmStatus aqm_sweep_planes(const AqmSweep *sweep, const AqmPlanes *planes, int batch, float *h,
                           float *confidence, AqmDiag *diag) {
    const Result result = {h, confidence, NULL};
    return sweep_all(sweep, planes, batch, &result, diag);
}

AqmStatus aqm_sweep_volume(const AqmSweep *sweep, const AqmPlanes *planes, int batch,
                           const AqmCostVolume *volume, AqmDiag *diag) {
    const Result result = {NULL, NULL, volume};
    return sweep_all(sweep, planes, batch, &result, diag);
}
