/* Sweep over surfaces parallel to a known one.
 *
 * A window that fits a horizontal plane to a slope or a wave reports the average of what it covers;
 * the wider the window, the larger that bias. Here the hypotheses are the surfaces base + k * step
 * in disparity, k = -steps .. steps: the window then lies in the surface, sloped and curved with
 * it, and a small window suffices because only the nearest maximum is wanted. (Slanted support as
 * in Bleyer, Rhemann & Rother 2011, but taken from the neighbourhood's answer instead of being
 * searched.)
 *
 * Beside a step of the base it is not known which side a pixel is on. There two surfaces are tried,
 * one with the nearer side grown over the step, one with the farther, and the better match wins:
 * that puts the edge where the image has it. A step is where the base changes from one pixel to the
 * next by more than on either side of them: a steep slope, which changes as much within reach, is
 * none, and pieces of horizontal planes in its place would be wrong.
 *
 * Sources whose peak score is well below the best source's do not see the surface there and are
 * left out for all k alike, so the joined curve is smooth and its parabola means something. */
#include "stages/stereo/sweep_near.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "stages/stereo/near_warp.h"

static const size_t tile_area = (size_t)AQM_TILE_WIDTH * AQM_TILE_HEIGHT;
static const float source_floor = 0.6f, source_full = 0.8f; /* of the best source's peak */
static const float step_tolerance_px = 1.5f, jump_px = 1.0f;
enum { STEP_REACH = 4 };
/* what a match a pixel away must be better by, so that flat curves stay at the base */
static const float prior = 0.005f;

/* ---- the two sides of a step ----------------------------------------------------------------- */

typedef struct Layers {
    float *front, *back; /* the base, but beside a step its nearer or farther side */
    float *rows;         /* scratch */
    uint8_t *marks;      /* is there a jump of the row within reach? */
    bool *has_marks;     /* rows */
} Layers;

static inline float larger(float a, float b) {
    return a > b ? a : b;
}
static inline float smaller(float a, float b) {
    return a < b ? a : b;
}

static inline float extreme(float a, float b, bool is_largest) {
    return is_largest ? larger(a, b) : smaller(a, b);
}

/* The extreme of a value and those `first` .. `last` strides away. */
static inline float extreme_of(const float *at, ptrdiff_t stride, int first, int last,
                               bool is_largest) {
    float value = *at;
    for (int k = first; k <= last; k++)
        value = extreme(value, at[k * stride], is_largest);
    return value;
}

/* The extremes of n values in a row with all their neighbours: in vectors, with the taps in
 * registers. */
static inline void inner_extremes(const float *restrict in, ptrdiff_t stride, int n,
                                  bool is_largest, float *restrict out) {
    for (int x = 0; x < n; x++)
        out[x] = extreme_of(in + x, stride, -STEP_REACH, STEP_REACH, is_largest);
}

/* Largest or smallest of 2 STEP_REACH + 1 neighbours of every pixel along a row. */
static void extremes_along(const float *row, int width, bool is_largest, float *out) {
    for (int x = 0; x < width; x++) {
        if (x == STEP_REACH && width > 2 * STEP_REACH) {
            const int n = width - 2 * STEP_REACH;
            if (is_largest)
                inner_extremes(row + x, 1, n, true, out + x);
            else
                inner_extremes(row + x, 1, n, false, out + x);
            x += n;
        }
        const int first = x < STEP_REACH ? -x : -STEP_REACH;
        const int last = width - 1 - x < STEP_REACH ? width - 1 - x : STEP_REACH;
        out[x] = extreme_of(row + x, 1, first, last, is_largest);
    }
}

/* The same of the rows around y. */
static void extremes_down(const float *in, int width, int height, int y, bool is_largest,
                          float *out) {
    const float *row = in + (size_t)y * (size_t)width;
    const int first = y < STEP_REACH ? -y : -STEP_REACH;
    const int last = height - 1 - y < STEP_REACH ? height - 1 - y : STEP_REACH;
    if (first > -STEP_REACH || last < STEP_REACH)
        for (int x = 0; x < width; x++)
            out[x] = extreme_of(row + x, width, first, last, is_largest);
    else if (is_largest)
        inner_extremes(row, width, width, true, out);
    else
        inner_extremes(row, width, width, false, out);
}

/* Where n values jump to the next. The rows are those of the values before, at, after and behind;
 * no jump where one is NaN. */
static void find_jumps(const float *before, const float *a, const float *b, const float *behind,
                       int n, uint8_t *jumps) {
    for (int x = 0; x < n; x++) {
        const float rise = larger(fabsf(a[x] - before[x]), fabsf(behind[x] - b[x]));
        jumps[x] |= fabsf(b[x] - a[x]) - rise > jump_px;
    }
}

/* Marks what lies within reach, along the row, of its jumps. Are there any? */
static bool mark_jumps(const float *base, int width, int height, int y, uint8_t *jumps,
                       uint8_t *marks) {
    const float *row = base + (size_t)y * (size_t)width;
    memset(jumps, 0, (size_t)width);
    memset(marks, 0, (size_t)width);
    if (width > 3)
        find_jumps(row, row + 1, row + 2, row + 3, width - 3, jumps + 1);
    if (y > 0 && y + 2 < height)
        find_jumps(row - width, row, row + width, row + 2 * width, width, jumps);
    bool any = false;
    const uint8_t *end = jumps + width, *at = jumps;
    while (at < end && (at = memchr(at, 1, (size_t)(end - at)))) {
        const int x = (int)(at++ - jumps), from = x > STEP_REACH ? x - STEP_REACH : 0;
        const int to = x + STEP_REACH < width ? x + STEP_REACH : width - 1;
        memset(marks + from, 1, (size_t)(to - from + 1));
        any = true;
    }
    return any;
}

static bool any_marks(const Layers *layers, int height, int y, int reach) {
    bool any = false;
    for (int k = y > reach ? y - reach : 0; k <= y + reach && k < height; k++)
        any |= layers->has_marks[k];
    return any;
}

/* Takes the larger of the neighbours within reach (the smaller for the back) where a jump is. */
static void grow_row(const float *base, int width, int height, int y, bool is_front,
                     const Layers *layers, float *to) {
    const size_t w = (size_t)width;
    const float *own = base + (size_t)y * w;
    uint8_t near[AQM_GRAY_MAX_SIZE];
    memset(near, 0, w);
    for (int k = y > STEP_REACH ? y - STEP_REACH : 0; k <= y + STEP_REACH && k < height; k++)
        for (int x = 0; x < width && layers->has_marks[k]; x++)
            near[x] |= layers->marks[(size_t)k * w + (size_t)x];
    extremes_down(layers->rows, width, height, y, is_front, to);
    for (int x = 0; x < width; x++)
        to[x] = near[x] && fabsf(to[x] - own[x]) > step_tolerance_px ? to[x] : own[x];
}

static void grow(const AqmSweep *sweep, const float *base, bool is_front, const Layers *layers,
                 float *out) {
    const int width = sweep->view->width, height = sweep->view->height;
    const size_t w = (size_t)width;
#pragma omp parallel for num_threads(sweep->threads) schedule(dynamic, 16)
    for (int y = 0; y < height; y++)
        if (any_marks(layers, height, y, 2 * STEP_REACH))
            extremes_along(base + (size_t)y * w, width, is_front, layers->rows + (size_t)y * w);
#pragma omp parallel for num_threads(sweep->threads) schedule(dynamic, 16)
    for (int y = 0; y < height; y++) {
        float *to = out + (size_t)y * w;
        if (any_marks(layers, height, y, STEP_REACH))
            grow_row(base, width, height, y, is_front, layers, to);
        else
            memcpy(to, base + (size_t)y * w, w * sizeof *to);
    }
}

static void find_layers(const AqmSweep *sweep, const float *base, const Layers *layers) {
    const int width = sweep->view->width, height = sweep->view->height;
#pragma omp parallel for num_threads(sweep->threads) schedule(static)
    for (int y = 0; y < height; y++) {
        uint8_t jumps[AQM_GRAY_MAX_SIZE];
        layers->has_marks[y] =
            mark_jumps(base, width, height, y, jumps, layers->marks + (size_t)y * (size_t)width);
    }
    grow(sweep, base, true, layers, layers->front);
    grow(sweep, base, false, layers, layers->back);
}

/* The part of a tile that holds its pixels beside steps; empty (width 0) where there are none. */
static AqmTile step_part(const AqmSweep *sweep, const AqmTile *tile, const Layers *layers) {
    int left = tile->width, right = -1, top = tile->height, bottom = -1;
    for (int y = 0; y < tile->height; y++) {
        const size_t at = (size_t)(tile->y0 + y) * (size_t)sweep->view->width + (size_t)tile->x0;
        for (int x = 0; x < tile->width; x++)
            if (layers->front[at + (size_t)x] !=
                layers->back[at + (size_t)x]) { /* neither is NaN */
                left = x < left ? x : left;
                right = x > right ? x : right;
                top = y < top ? y : top;
                bottom = y;
            }
    }
    if (right < 0)
        return (AqmTile){0};
    return aqm_sweep_tile_at(sweep, tile->x0 + left, tile->y0 + top, right - left + 1,
                             bottom - top + 1);
}

/* ---- one tile -------------------------------------------------------------------------------- */

typedef struct Surface {
    size_t pitch;
    float *u, *v, *du, *dv; /* rows x pitch: position at the base, and its move per px */
    float offset_px;        /* the hypothesis at work */
} Surface;

typedef struct Scratch {
    AqmTileScratch tile;
    AqmNearWarp warp;
    Surface surface;
    int16_t *scores; /* sources x (2 steps + 1) x tile area */
    float *best;     /* tile area: the best peak so far */
    bool *is_seen;   /* sources */
} Scratch;

static void scratch_free(Scratch *scratch) {
    aqm_sweep_tile_scratch_free(&scratch->tile);
    aqm_near_warp_free(&scratch->warp);
    aqm_free(scratch->surface.u);
    aqm_free(scratch->scores);
    aqm_free(scratch->best);
    aqm_free(scratch->is_seen);
}

static AqmStatus scratch_create(Scratch *scratch, const AqmSweep *sweep, int steps) {
    const size_t area = (size_t)AQM_WARP_ROWS * AQM_WARP_PITCH + AQM_KNOT;
    const size_t slots = sweep->most * (size_t)(2 * steps + 1);
    *scratch = (Scratch){0};
    AqmStatus status = aqm_sweep_tile_scratch_create(&scratch->tile, sweep, NULL);
    if (status == AQM_OK)
        status = aqm_near_warp_create(&scratch->warp, NULL);
    scratch->surface.u = aqm_alloc(4 * area, sizeof(float));
    scratch->scores = aqm_alloc(slots * tile_area, sizeof *scratch->scores);
    scratch->best = aqm_alloc(tile_area, sizeof(float));
    scratch->is_seen = aqm_alloc(sweep->most, sizeof(bool));
    if (status != AQM_OK || !scratch->surface.u || !scratch->scores || !scratch->best ||
        !scratch->is_seen) {
        scratch_free(scratch);
        return AQM_ERROR_MEMORY;
    }
    scratch->surface.v = scratch->surface.u + area;
    scratch->surface.du = scratch->surface.v + area;
    scratch->surface.dv = scratch->surface.du + area;
    return AQM_OK;
}

static void positions_on_surface(const void *context, int row, float *u, float *v) {
    const Surface *surface = context;
    const size_t at = (size_t)row * surface->pitch;
    const float k = surface->offset_px;
    for (size_t c = 0; c < surface->pitch; c++) {
        u[c] = surface->u[at + c] + k * surface->du[at + c];
        v[c] = surface->v[at + c] + k * surface->dv[at + c];
    }
}

/* Takes over what is better here than what is known so far. */
static void answer_tile(const AqmSweep *sweep, const AqmTile *tile, const float *base,
                        const AqmNearOptions *options, Scratch *scratch, float *disparity) {
    const AqmNearKernels *kernels = sweep->near_kernels;
    float penalty[AQM_CURVE_MAX], index[AQM_TILE_WIDTH], value[AQM_TILE_WIDTH];
    const int length = 2 * options->steps + 1;
    for (int k = 0; k < length; k++) {
        const float offset_px = (float)(k - options->steps) * options->step_px;
        penalty[k] = prior * offset_px * offset_px;
    }
    for (int y = 0; y < tile->height; y++) {
        const size_t line = (size_t)y * AQM_TILE_WIDTH;
        const size_t at = (size_t)(tile->y0 + y) * (size_t)sweep->view->width + (size_t)tile->x0;
        const AqmCurves curves = {scratch->scores + line,
                                  scratch->is_seen,
                                  sweep->source_count,
                                  tile_area,
                                  length,
                                  source_floor,
                                  source_full,
                                  penalty};
        kernels->curve_peak(&curves, (size_t)tile->width, index, value);
        for (int x = 0; x < tile->width; x++)
            if (value[x] > scratch->best[line + (size_t)x]) {
                const float steps = index[x] - (float)options->steps;
                scratch->best[line + (size_t)x] = value[x];
                disparity[at + (size_t)x] = base[at + (size_t)x] + options->step_px * steps;
            }
    }
}

/* Scores the surfaces around one base. */
static void sweep_surface(const AqmSweep *sweep, const AqmTile *tile, const float *base,
                          const AqmNearOptions *options, Scratch *scratch, float *disparity) {
    Surface *surface = &scratch->surface;
    const float reach_px = options->step_px * (float)options->steps;
    if (!aqm_near_warp_load(&scratch->warp, sweep, tile, base, (double)reach_px))
        return;
    surface->pitch = tile->pitch;
    const size_t length = (size_t)(2 * options->steps + 1);
    for (size_t s = 0; s < sweep->source_count; s++) {
        bool is_inside;
        const AqmSweepSource *source = &sweep->sources[s];
        scratch->is_seen[s] = aqm_near_warp_source(&scratch->warp, sweep, source, &is_inside);
        if (!scratch->is_seen[s])
            continue;
        for (int r = 0; r < tile->rows; r++) {
            const size_t at = (size_t)r * tile->pitch;
            aqm_near_warp_row(&scratch->warp, sweep, r, surface->u + at, surface->v + at,
                              surface->du + at, surface->dv + at);
        }
        for (size_t k = 0; k < length; k++) {
            surface->offset_px = (float)((int)k - options->steps) * options->step_px;
            aqm_sweep_tile_add(sweep, tile, source, is_inside, positions_on_surface, surface,
                               &scratch->tile, scratch->scores + (s * length + k) * tile_area);
        }
    }
    aqm_sweep_tile_finish(sweep, tile, &scratch->tile);
    answer_tile(sweep, tile, base, options, scratch, disparity);
}

/* Scores the surfaces around a base, or around both sides of its steps, in a tile. */
static void sweep_part(const AqmSweep *whole, AqmTile tile, const float *const *bases,
                       size_t base_count, const AqmNearOptions *options, Scratch *scratch,
                       float *disparity) {
    const AqmSweep sweep =
        aqm_sweep_for_tile(whole, &tile, aqm_tile_h(whole, &tile, bases[0]), scratch->tile.sources);
    aqm_sweep_tile_load(&sweep, &tile, &scratch->tile);
    for (size_t k = 0; k < tile_area; k++)
        scratch->best[k] = AQM_CURVE_MISSING;
    for (size_t k = 0; k < base_count; k++)
        sweep_surface(&sweep, &tile, bases[k], options, scratch, disparity);
}

static void sweep_tile(const AqmSweep *sweep, const float *base, const Layers *layers,
                       const AqmNearOptions *options, size_t index, Scratch *scratch,
                       float *disparity) {
    const AqmTile tile = aqm_sweep_tile(sweep, index), part = step_part(sweep, &tile, layers);
    const float *const sides[2] = {layers->front, layers->back};
    for (int y = tile.y0; y < tile.y0 + tile.height; y++) {
        const size_t at = (size_t)y * (size_t)sweep->view->width + (size_t)tile.x0;
        memcpy(disparity + at, base + at, (size_t)tile.width * sizeof *disparity);
    }
    if (!options->only_steps)
        sweep_part(sweep, tile, &base, 1, options, scratch, disparity);
    if (part.width > 0)
        sweep_part(sweep, part, sides, 2, options, scratch, disparity);
}

static AqmStatus sweep_tiles(const AqmSweep *sweep, const float *base, const Layers *layers,
                             const AqmNearOptions *options, float *disparity, AqmDiag *diag) {
    const int tiles = (int)aqm_sweep_tile_count(sweep->view);
    int failed = 0;
#pragma omp parallel num_threads(sweep->threads)
    {
        Scratch scratch;
        const bool is_ready = scratch_create(&scratch, sweep, options->steps) == AQM_OK;
        if (!is_ready) {
#pragma omp atomic write
            failed = 1;
        }
#pragma omp for schedule(dynamic, 1)
        for (int index = 0; index < tiles; index++)
            if (is_ready)
                sweep_tile(sweep, base, layers, options, (size_t)index, &scratch, disparity);
        if (is_ready)
            scratch_free(&scratch);
    }
    return failed ? aqm_fail_memory(diag, "the tiles of the second sweep",
                                    sweep->most * (size_t)(2 * options->steps + 1) * tile_area,
                                    sizeof(int16_t))
                  : AQM_OK;
}

AqmStatus aqm_sweep_near(const AqmSweep *sweep, const float *base, const AqmNearOptions *options,
                         float *disparity, AqmDiag *diag) {
    const size_t pixels = (size_t)sweep->view->width * (size_t)sweep->view->height;
    float *maps = aqm_alloc(3 * pixels, sizeof *maps);
    uint8_t *marks = aqm_alloc(pixels, 1);
    bool *has_marks = aqm_alloc((size_t)sweep->view->height, sizeof *has_marks);
    AqmStatus status = AQM_OK;
    if (maps && marks && has_marks) {
        const Layers layers = {maps, maps + pixels, maps + 2 * pixels, marks, has_marks};
        find_layers(sweep, base, &layers);
        status = sweep_tiles(sweep, base, &layers, options, disparity, diag);
    } else {
        status = aqm_fail_memory(diag, "a disparity map", pixels, 3 * sizeof *maps + 1);
    }
    aqm_free(maps);
    aqm_free(marks);
    aqm_free(has_marks);
    return status;
}
