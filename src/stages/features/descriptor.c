/* Orientation and descriptor (Lowe 2004, sections 5 and 6), from patches of fixed size: the level
 * of blur next to the feature's is sampled on a grid that is turned and scaled as the feature is,
 * and gradients are differences on that grid. So their directions come out relative to the
 * feature, the weights of samples are the same for all features and are tabled, and the cost does
 * not depend on the scale: 361 samples for the orientation, 400 for the descriptor, some 15 us
 * for both, half of it until the rows of the level have come. With sigma the blur of the level, a
 * signal of it is sampled without loss to speak of at 0.75 sigma.
 *
 * Orientation: a histogram of 36 bins over a Gaussian window of 1.5 sigma, smoothed to 14 degrees;
 * its maximum, refined by a parabola. Lowe makes a feature of every maximum of 0.8 of the highest
 * as well; here they would take a quarter of the features that may be kept, and of rendered sand a
 * quarter more matches is found without.  Descriptor:
 * 4 x 4 places of 3 sigma by 8 directions, filled trilinearly under a Gaussian of 6 sigma; of unit
 * length, cut at 0.2, again of unit length. */
#include "stages/features/descriptor.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "kernels/patch_kernels.h"

enum {
    TURN_SIDE = 19,  /* samples of the orientation, 0.5 sigma apart */
    PLACE_SIDE = 20, /* samples of the descriptor, 0.75 sigma apart: four a bin, five bins */
    SIDE_MOST = PLACE_SIDE,
    PATCH_MOST = SIDE_MOST + 2,
    TURN_BINS = 36,
    PLACES = 4,
    DIRECTIONS = 8
};
static const float turn_step = 0.5f, place_step = 0.75f; /* sigma */
static const float pi = 3.14159265f;

struct AqmDescriptorTables {
    const AqmPatchKernels *kernels;
    float turn_weight[TURN_SIDE * TURN_SIDE];
    float place_weight[PLACE_SIDE * PLACE_SIDE];
    /* along one axis: the lower of the two bins that a sample goes to (counted from the one before
     * the first), and the share of the upper one */
    int bin[PLACE_SIDE];
    float upper[PLACE_SIDE];
};

AqmStatus aqm_descriptor_tables_create(AqmDescriptorTables **out, AqmDiag *diag) {
    AqmDescriptorTables *tables = aqm_calloc(1, sizeof *tables);
    if (!tables)
        return aqm_fail_memory(diag, "tables of the descriptor", 1, sizeof *tables);
    tables->kernels = aqm_patch_kernels(aqm_cpu_features());
    for (int k = 0; k < TURN_SIDE * TURN_SIDE; k++) {
        const double x = 0.5 * (k % TURN_SIDE - TURN_SIDE / 2),
                     y = 0.5 * (k / TURN_SIDE - TURN_SIDE / 2), r2 = x * x + y * y;
        tables->turn_weight[k] = r2 > 4.5 * 4.5 ? 0.0f : (float)exp(-0.5 * r2 / (1.5 * 1.5));
    }
    for (int k = 0; k < PLACE_SIDE; k++) {
        const double bin = (k - 0.5 * (PLACE_SIDE - 1)) / 4.0 + 2.5;
        tables->bin[k] = (int)bin;
        tables->upper[k] = (float)(bin - floor(bin));
    }
    for (int k = 0; k < PLACE_SIDE * PLACE_SIDE; k++) {
        const double x = (k % PLACE_SIDE - 0.5 * (PLACE_SIDE - 1)) / 4.0,
                     y = (k / PLACE_SIDE - 0.5 * (PLACE_SIDE - 1)) / 4.0;
        tables->place_weight[k] = (float)exp(-0.5 * (x * x + y * y) / (2.0 * 2.0));
    }
    *out = tables;
    return AQM_OK;
}

void aqm_descriptor_tables_destroy(AqmDescriptorTables **tables) {
    if (!tables || !*tables)
        return;
    aqm_free(*tables);
    *tables = NULL;
}

/* ---- patches --------------------------------------------------------------------------------- */

/* A grid of side x side samples about (x, y), (dx, dy) from each to the next. */
typedef struct Patch {
    float x, y, dx, dy;
    int side;
} Patch;

/* Beyond the image its outermost pixels go on; one of width or height 1 has none between. */
static float bilinear_clamped(const AqmOctave *octave, const float *level, float x, float y) {
    const float right = (float)(octave->width - 1), bottom = (float)(octave->height - 1);
    x = x > 0.0f ? (x < right ? x : right) : 0.0f;
    y = y > 0.0f ? (y < bottom ? y : bottom) : 0.0f;
    const int left = (int)x, top = (int)y;
    const int next = left + (left < octave->width - 1), low = top + (top < octave->height - 1);
    const float *upper = level + (size_t)top * octave->stride;
    const float *lower = level + (size_t)low * octave->stride;
    const float a = x - (float)left, b = y - (float)top;
    const float above = upper[left] + a * (upper[next] - upper[left]);
    const float below = lower[left] + a * (lower[next] - lower[left]);
    return above + b * (below - above);
}

static void sample_clamped(const AqmOctave *octave, const float *level, const AqmPatchGrid *grid,
                           float *out) {
    for (int j = 0; j < grid->side; j++)
        for (int i = 0; i < grid->side; i++) {
            const float x = grid->x + (float)i * grid->dx - (float)j * grid->dy;
            const float y = grid->y + (float)i * grid->dy + (float)j * grid->dx;
            *out++ = bilinear_clamped(octave, level, x, y);
        }
}

static void sample(const AqmPatchKernels *kernels, const AqmOctave *octave, const float *level,
                   const Patch *patch, float *out) {
    const float half = 0.5f * (float)(patch->side - 1);
    const float reach = half * (fabsf(patch->dx) + fabsf(patch->dy)) + 1.0f;
    const AqmPatchGrid grid = {.x = patch->x - half * patch->dx + half * patch->dy,
                               .y = patch->y - half * patch->dy - half * patch->dx,
                               .dx = patch->dx,
                               .dy = patch->dy,
                               .side = patch->side};
    if (patch->x > reach && patch->y > reach && patch->x + reach < (float)(octave->width - 1) &&
        patch->y + reach < (float)(octave->height - 1))
        kernels->grid(level, octave->stride, &grid, out);
    else
        sample_clamped(octave, level, &grid, out);
}

/* Size and direction (in turns) of the gradients at the inner side x side samples of a patch, in
 * rows that lie as far apart as the patch's. */
typedef struct Gradients {
    float size[PATCH_MOST * PATCH_MOST], turn[PATCH_MOST * PATCH_MOST];
} Gradients;

static void gradients_of(const AqmDescriptorTables *tables, const AqmScaleSpace *space,
                         const AqmExtremum *extremum, const Patch *patch, Gradients *gradients) {
    float values[PATCH_MOST * PATCH_MOST];
    const size_t pitch = (size_t)patch->side, side = pitch - 2;
    const float *level = space->octaves[extremum->octave].levels[extremum->scale];
    sample(tables->kernels, &space->octaves[extremum->octave], level, patch, values);
    tables->kernels->gradients(values + pitch + 1, pitch, (side - 1) * pitch + side,
                               gradients->size, gradients->turn);
}

static float sigma_of(const AqmExtremum *e) {
    return AQM_SCALE_SIGMA * exp2f(e->at_scale / AQM_SCALES);
}

/* ---- orientation ----------------------------------------------------------------------------- */

static void smooth_circle(float bins[TURN_BINS]) {
    float before[TURN_BINS];
    memcpy(before, bins, sizeof before);
    for (int k = 0; k < TURN_BINS; k++) {
        const float near = before[(k + 1) % TURN_BINS] + before[(k + TURN_BINS - 1) % TURN_BINS];
        const float far = before[(k + 2) % TURN_BINS] + before[(k + TURN_BINS - 2) % TURN_BINS];
        bins[k] = (6.0f * before[k] + 4.0f * near + far) / 16.0f;
    }
}

/* The maximum of the histogram, between bins by a parabola. */
static float highest_turn(const float bins[TURN_BINS]) {
    int highest = 0;
    for (int k = 1; k < TURN_BINS; k++)
        highest = bins[k] > bins[highest] ? k : highest;
    const float here = bins[highest], left = bins[(highest + TURN_BINS - 1) % TURN_BINS],
                right = bins[(highest + 1) % TURN_BINS], bend = left - 2.0f * here + right;
    const float offset = bend < 0.0f ? 0.5f * (left - right) / bend : 0.0f;
    return ((float)highest + offset + 0.5f) / TURN_BINS;
}

float aqm_orientation(const AqmDescriptorTables *tables, const AqmScaleSpace *space,
                      const AqmExtremum *extremum) {
    Gradients gradients;
    float bins[TURN_BINS + 1] = {0};
    const Patch patch = {.x = extremum->at_x,
                         .y = extremum->at_y,
                         .dx = turn_step * sigma_of(extremum),
                         .side = TURN_SIDE + 2};
    gradients_of(tables, space, extremum, &patch, &gradients);
    for (int j = 0; j < TURN_SIDE; j++)
        for (int i = 0; i < TURN_SIDE; i++) {
            const int k = j * patch.side + i;
            const float size = tables->turn_weight[j * TURN_SIDE + i] * gradients.size[k];
            const float at = gradients.turn[k] * TURN_BINS + 0.5f; /* bin k: k - 0.5 to k + 0.5 */
            const int bin = (int)at;
            const float part = at - (float)bin;
            bins[bin % TURN_BINS] += size * part;
            bins[(bin + TURN_BINS - 1) % TURN_BINS] += size * (1.0f - part);
        }
    smooth_circle(bins);
    smooth_circle(bins);
    const float turns = highest_turn(bins);
    return 2.0f * pi * (turns > 0.5f ? turns - 1.0f : turns);
}

/* ---- descriptor ------------------------------------------------------------------------------ */

/* Places with a margin of one on each side, and the first direction once more at the end. */
typedef float Histogram[PLACES + 2][PLACES + 2][DIRECTIONS + 1];

static void fill(const AqmDescriptorTables *tables, const Gradients *gradients, Histogram bins) {
    for (int j = 0; j < PLACE_SIDE; j++)
        for (int i = 0; i < PLACE_SIDE; i++) {
            const int k = j * (PLACE_SIDE + 2) + i, row = tables->bin[j], column = tables->bin[i];
            const float size = tables->place_weight[j * PLACE_SIDE + i] * gradients->size[k];
            const float at = gradients->turn[k] * DIRECTIONS;
            const int direction = at < DIRECTIONS ? (int)at : 0;
            const float part = at < DIRECTIONS ? at - (float)direction : 0.0f;
            const float low = size * tables->upper[j], high = size - low;
            const float w[2][2] = {{high * (1.0f - tables->upper[i]), high * tables->upper[i]},
                                   {low * (1.0f - tables->upper[i]), low * tables->upper[i]}};
            for (int b = 0; b < 2; b++)
                for (int a = 0; a < 2; a++) {
                    float *at_place = &bins[row + b][column + a][direction];
                    at_place[0] += w[b][a] * (1.0f - part);
                    at_place[1] += w[b][a] * part;
                }
        }
}

static void normalize(float *values) {
    float sum = 0.0f;
    for (int k = 0; k < AQM_DESCRIPTOR_SIZE; k++)
        sum += values[k] * values[k];
    const float scale = sum > 0.0f ? 1.0f / sqrtf(sum) : 0.0f;
    for (int k = 0; k < AQM_DESCRIPTOR_SIZE; k++)
        values[k] *= scale;
}

void aqm_descriptor(const AqmDescriptorTables *tables, const AqmScaleSpace *space,
                    const AqmExtremum *extremum, float angle,
                    float descriptor[AQM_DESCRIPTOR_SIZE]) {
    Gradients gradients;
    Histogram bins;
    memset(bins, 0, sizeof bins);
    const float step = place_step * sigma_of(extremum);
    const Patch patch = {.x = extremum->at_x,
                         .y = extremum->at_y,
                         .dx = step * cosf(angle),
                         .dy = step * sinf(angle),
                         .side = PLACE_SIDE + 2};
    gradients_of(tables, space, extremum, &patch, &gradients);
    fill(tables, &gradients, bins);
    for (int j = 0; j < PLACES; j++)
        for (int i = 0; i < PLACES; i++) {
            float *from = bins[j + 1][i + 1], *to = descriptor + (j * PLACES + i) * DIRECTIONS;
            from[0] += from[DIRECTIONS];
            memcpy(to, from, DIRECTIONS * sizeof *to);
        }
    normalize(descriptor);
    for (int k = 0; k < AQM_DESCRIPTOR_SIZE; k++)
        descriptor[k] = descriptor[k] < 0.2f ? descriptor[k] : 0.2f;
    normalize(descriptor);
}
