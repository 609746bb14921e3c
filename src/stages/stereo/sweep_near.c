/* The second look: a sweep over surfaces parallel to what the first one found.
 *
 * A window that fits a horizontal plane to a slope or a wave reports the average of what it covers;
 * the wider the window, the larger that bias. Here the hypotheses are the surfaces base + k * step,
 * k = -steps .. steps, with the base a smoothed first answer: the window then lies in the surface,
 * sloped and curved with it, and a small window suffices because only the nearest maximum is
 * wanted. (Slanted support as in Bleyer, Rhemann & Rother 2011, but taken from the neighbourhood's
 * answer instead of being searched.)
 *
 * Each pixel's ray is cast once; its positions in a source are exact at the two ends of the reach
 * and linear between them (0.01 px off at most on a ring of twelve). Scores come from the same
 * running sums as the first sweep. Sources whose peak score is well below the best source's do not
 * see the surface there and are left out for all k alike, so the joined curve is smooth and its
 * parabola means something. */
#include <math.h>

#include "aquamvs/geometry.h"
#include "base/alloc.h"
#include "stages/stereo/sweep.h"

static const size_t tile_area = (size_t)AQM_TILE_WIDTH * AQM_TILE_HEIGHT;
static const float source_floor = 0.6f, source_full = 0.8f; /* of the best source's peak */

typedef struct Surface {
    size_t pitch;
    float *u, *v, *du, *dv; /* rows x pitch: position at the base, and its move per step */
    int step;               /* the hypothesis at work */
} Surface;

typedef struct Scratch {
    AqmTileScratch tile;
    double *ox, *oy, *tx, *ty; /* rows x pitch: rays of the tile */
    double *X, *Y, *Z;         /* a row of points */
    float *ends;               /* four rows of positions */
    Surface surface;
    float *scores; /* sources x (2 steps + 1) x tile area */
    bool *is_seen; /* sources */
} Scratch;

static void scratch_free(Scratch *scratch) {
    aqm_sweep_tile_scratch_free(&scratch->tile);
    aqm_free(scratch->ox);
    aqm_free(scratch->X);
    aqm_free(scratch->ends);
    aqm_free(scratch->surface.u);
    aqm_free(scratch->scores);
    aqm_free(scratch->is_seen);
}

static AqmStatus scratch_create(Scratch *scratch, const AqmSweep *sweep, int steps, AqmDiag *diag) {
    const size_t pitch = (size_t)AQM_TILE_WIDTH + 48, rows = (size_t)AQM_TILE_HEIGHT + 32;
    const size_t area = rows * pitch, slots = sweep->source_count * (size_t)(2 * steps + 1);
    *scratch = (Scratch){0};
    const AqmStatus status = aqm_sweep_tile_scratch_create(&scratch->tile, sweep->window, diag);
    scratch->ox = aqm_alloc(4 * area, sizeof(double));
    scratch->X = aqm_alloc(3 * pitch, sizeof(double));
    scratch->ends = aqm_alloc(4 * pitch, sizeof(float));
    scratch->surface.u = aqm_alloc(4 * area, sizeof(float));
    scratch->scores = aqm_alloc(slots * tile_area, sizeof(float));
    scratch->is_seen = aqm_alloc(sweep->source_count, sizeof(bool));
    if (status != AQM_OK || !scratch->ox || !scratch->X || !scratch->ends || !scratch->surface.u ||
        !scratch->scores || !scratch->is_seen) {
        scratch_free(scratch);
        return aqm_fail_memory(diag, "a tile of the second sweep", slots * tile_area,
                               sizeof(float));
    }
    scratch->oy = scratch->ox + area;
    scratch->tx = scratch->oy + area;
    scratch->ty = scratch->tx + area;
    scratch->Y = scratch->X + pitch;
    scratch->Z = scratch->Y + pitch;
    scratch->surface.v = scratch->surface.u + area;
    scratch->surface.du = scratch->surface.v + area;
    scratch->surface.dv = scratch->surface.du + area;
    return AQM_OK;
}

/* The base at a pixel of the tile, halo included; NaN outside the image. */
static float base_at(const AqmView *view, const float *base, int x, int y) {
    const bool is_inside = x >= 0 && y >= 0 && x < view->width && y < view->height;
    return is_inside ? base[(size_t)y * (size_t)view->width + (size_t)x] : NAN;
}

static void cast_tile(const AqmSweep *sweep, const AqmTile *tile, Scratch *scratch) {
    for (int r = 0; r < tile->rows; r++)
        for (int c = 0; c < (int)tile->pitch; c++) {
            const size_t at = (size_t)r * tile->pitch + (size_t)c;
            AqmRay ray;
            const bool hits = aqm_view_cast(sweep->view, tile->x0 - tile->radius + c,
                                            tile->y0 - tile->radius + r, &ray);
            scratch->ox[at] = hits ? ray.origin[0] : (double)NAN;
            scratch->oy[at] = hits ? ray.origin[1] : (double)NAN;
            scratch->tx[at] = hits ? ray.direction[0] / ray.direction[2] : (double)NAN;
            scratch->ty[at] = hits ? ray.direction[1] / ray.direction[2] : (double)NAN;
        }
}

/* Positions in the source of one tile row, at an offset in pixels of depth step from the base. */
static void project_row(const AqmSweep *sweep, const AqmTile *tile, const AqmSweepSource *source,
                        const float *base, int row, double offset_px, Scratch *scratch, float *u,
                        float *v) {
    for (int c = 0; c < (int)tile->pitch; c++) {
        const size_t at = (size_t)row * tile->pitch + (size_t)c;
        const double h0 = (double)base_at(sweep->view, base, tile->x0 - tile->radius + c,
                                          tile->y0 - tile->radius + row);
        const double h = h0 + offset_px * aqm_sweep_metres_per_px(sweep, h0);
        scratch->X[c] = scratch->ox[at] + h * scratch->tx[at];
        scratch->Y[c] = scratch->oy[at] + h * scratch->ty[at];
        scratch->Z[c] = source->projector.water_z + h;
    }
    sweep->kernels->project(&source->projector, scratch->X, scratch->Y, scratch->Z, tile->pitch, u,
                            v);
}

/* Fills the surface's positions for one source. Says whether any is seen; returns whether all are.
 */
static bool warp_surface(const AqmSweep *sweep, const AqmTile *tile, const AqmSweepSource *source,
                         const float *base, double step_px, int steps, Scratch *scratch,
                         bool *is_seen) {
    const float right = (float)(source->image->width - 1),
                last = (float)(source->image->height - 1);
    const size_t pitch = tile->pitch;
    float *u0 = scratch->ends, *v0 = u0 + pitch, *u1 = v0 + pitch, *v1 = u1 + pitch;
    const double reach_px = step_px * steps;
    const float per_step = 0.5f / (float)steps;
    bool all = true, any = false;
    float low_u = INFINITY, low_v = INFINITY, high_u = -INFINITY, high_v = -INFINITY;
    for (int r = 0; r < tile->rows; r++) {
        project_row(sweep, tile, source, base, r, -reach_px, scratch, u0, v0);
        project_row(sweep, tile, source, base, r, reach_px, scratch, u1, v1);
        const size_t at = (size_t)r * pitch;
        for (size_t c = 0; c < pitch; c++) {
            scratch->surface.u[at + c] = 0.5f * (u0[c] + u1[c]);
            scratch->surface.v[at + c] = 0.5f * (v0[c] + v1[c]);
            scratch->surface.du[at + c] = per_step * (u1[c] - u0[c]);
            scratch->surface.dv[at + c] = per_step * (v1[c] - v0[c]);
            const float u_min = fminf(u0[c], u1[c]), u_max = fmaxf(u0[c], u1[c]);
            const float v_min = fminf(v0[c], v1[c]), v_max = fmaxf(v0[c], v1[c]);
            /* half a pixel of room for the rounding of u + k du; one end may be NaN, which fminf
             * and fmaxf would pass over, the sum is then NaN too */
            const bool is_in = !isnan(u0[c] + u1[c]) && u_min >= 0.5f && v_min >= 0.5f &&
                               u_max <= right - 0.5f && v_max <= last - 0.5f;
            all &= is_in;
            any |= is_in;
            low_u = fminf(low_u, u_min);
            low_v = fminf(low_v, v_min);
            high_u = fmaxf(high_u, u_max);
            high_v = fmaxf(high_v, v_max);
        }
    }
    *is_seen = any;
    return all && aqm_stereo_image_is_whole(source->image, (int)low_u, (int)low_v, (int)high_u + 1,
                                            (int)high_v + 1);
}

static void positions_on_surface(const void *context, int row, float *u, float *v) {
    const Surface *surface = context;
    const size_t at = (size_t)row * surface->pitch;
    const float k = (float)surface->step;
    for (size_t c = 0; c < surface->pitch; c++) {
        u[c] = surface->u[at + c] + k * surface->du[at + c];
        v[c] = surface->v[at + c] + k * surface->dv[at + c];
    }
}

/* The joined score curve of one pixel; false where no source has a whole one. */
static bool join_curve(const float *scores, size_t source_count, const bool *is_seen,
                       int curve_length, size_t at, float *curve) {
    float peaks[64], best = 0.0f;
    for (size_t s = 0; s < source_count; s++) {
        peaks[s] = 0.0f;
        float lowest = 1.0f;
        for (int k = 0; k < curve_length && is_seen[s]; k++) {
            const float score = scores[(s * (size_t)curve_length + (size_t)k) * tile_area + at];
            peaks[s] = score > peaks[s] ? score : peaks[s];
            lowest = score < lowest ? score : lowest;
        }
        if (lowest < -1.5f)
            peaks[s] = 0.0f; /* missing somewhere */
        best = peaks[s] > best ? peaks[s] : best;
    }
    for (int k = 0; k < curve_length; k++)
        curve[k] = 0.0f;
    float total = 0.0f;
    for (size_t s = 0; s < source_count; s++) {
        const float share =
            (peaks[s] / fmaxf(best, 1e-6f) - source_floor) / (source_full - source_floor);
        const float weight = share < 0.0f ? 0.0f : share > 1.0f ? 1.0f : share;
        if (!(peaks[s] > 0.0f) || weight == 0.0f)
            continue;
        total += weight;
        for (int k = 0; k < curve_length; k++)
            curve[k] += weight * scores[(s * (size_t)curve_length + (size_t)k) * tile_area + at];
    }
    return total > 0.0f;
}

/* Index of the highest interior maximum, with its sub-step shift; false where there is none. */
static bool peak_of_curve(const float *curve, int length, float *index) {
    int best = -1;
    for (int k = 1; k + 1 < length; k++)
        if (curve[k] >= curve[k - 1] && curve[k] >= curve[k + 1] &&
            (best < 0 || curve[k] > curve[best]))
            best = k;
    if (best < 0)
        return false;
    *index = (float)best + aqm_parabola_peak(curve[best - 1], curve[best], curve[best + 1]);
    return true;
}

enum { MAX_CURVE = 33 };

static void answer_tile(const AqmSweep *sweep, const AqmTile *tile, const float *base,
                        double step_px, int steps, const Scratch *scratch, float *h) {
    const int length = 2 * steps + 1;
    for (int y = 0; y < tile->height; y++)
        for (int x = 0; x < tile->width; x++) {
            const size_t pixel =
                (size_t)(tile->y0 + y) * (size_t)sweep->view->width + (size_t)(tile->x0 + x);
            const double step_m = step_px * aqm_sweep_metres_per_px(sweep, (double)base[pixel]);
            if (!(fabs((double)(h[pixel] - base[pixel])) <= step_m * steps))
                continue;
            float curve[MAX_CURVE], index;
            if (join_curve(scratch->scores, sweep->source_count, scratch->is_seen, length,
                           (size_t)y * AQM_TILE_WIDTH + (size_t)x, curve) &&
                peak_of_curve(curve, length, &index))
                h[pixel] = base[pixel] + (float)(step_m * ((double)index - steps));
        }
}

static void sweep_tile(const AqmSweep *sweep, const float *base, double step_px, int steps,
                       size_t index, Scratch *scratch, float *h) {
    AqmTile tile = aqm_sweep_tile(sweep, index);
    aqm_sweep_tile_load(sweep, &tile, &scratch->tile);
    cast_tile(sweep, &tile, scratch);
    scratch->surface.pitch = tile.pitch;
    for (size_t s = 0; s < sweep->source_count; s++) {
        const AqmSweepSource *source = &sweep->sources[s];
        const bool is_inside =
            warp_surface(sweep, &tile, source, base, step_px, steps, scratch, &scratch->is_seen[s]);
        for (int k = 0; k < 2 * steps + 1 && scratch->is_seen[s]; k++) {
            scratch->surface.step = k - steps;
            aqm_sweep_tile_score(sweep, &tile, source, is_inside, positions_on_surface,
                                 &scratch->surface, &scratch->tile,
                                 scratch->scores +
                                     (s * (size_t)(2 * steps + 1) + (size_t)k) * tile_area);
        }
    }
    answer_tile(sweep, &tile, base, step_px, steps, scratch, h);
}

AqmStatus aqm_sweep_near(const AqmSweep *sweep, const float *base, double step_px, int steps,
                         float *h, AqmDiag *diag) {
    const int tiles = (int)aqm_sweep_tile_count(sweep->view);
    int failed = 0;
#pragma omp parallel num_threads(sweep->threads)
    {
        Scratch scratch;
        const bool is_ready = scratch_create(&scratch, sweep, steps, NULL) == AQM_OK;
        if (!is_ready) {
#pragma omp atomic write
            failed = 1;
        }
#pragma omp for schedule(dynamic, 1)
        for (int index = 0; index < tiles; index++)
            if (is_ready)
                sweep_tile(sweep, base, step_px, steps, (size_t)index, &scratch, h);
        if (is_ready)
            scratch_free(&scratch);
    }
    return failed ? aqm_fail_memory(diag, "the tiles of the second sweep",
                                    sweep->source_count * (size_t)(2 * steps + 1) * tile_area,
                                    sizeof(float))
                  : AQM_OK;
}
