/* SIFT features of an image, spread over it (Lowe 2004): scale_space.c, extrema.c and descriptor.c
 * do the work, here is chosen what is kept.
 *
 * The image is divided into square cells, one for every CELL_SHARE features wanted. The strongest
 * extremum of every cell comes first, then the second strongest of every cell, and so on: a
 * textured corner takes no more than its share while there are others. Within a cell strength
 * decides, so that another camera that sees the same place chooses the same points. Orientations
 * and descriptors are computed of those alone.
 *
 * Cost for 1600 x 1200 px and 2048 features: 0.13 s of one core and 62 MB (bench/matching). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/features.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "stages/features/descriptor.h"

enum { CELL_SHARE = 16 };

/* ---- options --------------------------------------------------------------------------------- */

AqmFeatureOptions aqm_feature_options_default(void) {
    return (AqmFeatureOptions){.max_keypoints = 2048, .detection_threshold = 0.005};
}

AqmStatus aqm_feature_options_validate(const AqmFeatureOptions *options, AqmDiag *diag) {
    if (options->max_keypoints < 16 || options->max_keypoints > 100000)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "max_keypoints is %d: must be in 16..100000",
                        options->max_keypoints);
    if (!(options->detection_threshold >= 0.0 && options->detection_threshold <= 1.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "detection_threshold is %g: must be in 0..1",
                        options->detection_threshold);
    return AQM_OK;
}

static AqmStatus check(const AqmImageView *gray, const AqmImageView *mask,
                       const AqmFeatureOptions *options, AqmDiag *diag) {
    AQM_TRY(aqm_feature_options_validate(options, diag));
    if (gray->channels != 1 || gray->type != AQM_U8)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "features: the image has %d channels of %d bits, must have 1 of 8",
                        gray->channels, 8 * (int)gray->type);
    if (mask && (mask->channels != 1 || mask->type != AQM_U8 || mask->width != gray->width ||
                 mask->height != gray->height))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "features: the mask is %d x %d px, %d channels of %d bits; must be %d x %d "
                        "px, 1 of 8",
                        mask->width, mask->height, mask->channels, 8 * (int)mask->type, gray->width,
                        gray->height);
    return AQM_OK;
}

/* ---- masks ----------------------------------------------------------------------------------- */

/* counts[y (width + 1) + x] = masked pixels above and left of (x, y). */
static uint32_t *count_masked(const AqmImageView *mask) {
    const size_t pitch = (size_t)mask->width + 1;
    uint32_t *counts = aqm_calloc(pitch * ((size_t)mask->height + 1), sizeof *counts);
    for (size_t y = 0; counts && y < (size_t)mask->height; y++) {
        const uint8_t *row = (const uint8_t *)mask->data + y * mask->stride;
        const uint32_t *above = counts + y * pitch;
        uint32_t *here = counts + (y + 1) * pitch, sum = 0;
        for (size_t x = 0; x < (size_t)mask->width; x++) {
            sum += row[x] == 0;
            here[x + 1] = above[x + 1] + sum;
        }
    }
    return counts;
}

static size_t bound(float value, int most) {
    return value < 0.0f ? 0 : value > (float)most ? (size_t)most : (size_t)value;
}

/* Position and blur in the image. */
typedef struct Place {
    float u, v, sigma;
} Place;

static Place place_of(const AqmExtremum *e) {
    const float unit = (float)(1 << e->octave);
    return (Place){unit * e->at_x, unit * e->at_y,
                   unit * AQM_SCALE_SIGMA * exp2f(e->at_scale / AQM_SCALES)};
}

/* Drops extrema that would see what is masked. */
static AqmStatus keep_unmasked(AqmExtrema *extrema, const AqmImageView *mask, AqmDiag *diag) {
    uint32_t *counts = count_masked(mask);
    if (!counts)
        return aqm_fail_memory(diag, "counts of a mask", (size_t)mask->width * (size_t)mask->height,
                               sizeof *counts);
    const size_t pitch = (size_t)mask->width + 1;
    size_t kept = 0;
    for (size_t k = 0; k < extrema->count; k++) {
        const Place at = place_of(&extrema->entries[k]);
        const float reach = AQM_DESCRIPTOR_REACH * at.sigma;
        const size_t left = bound(at.u - reach, mask->width);
        const size_t right = bound(at.u + reach + 1.0f, mask->width);
        const size_t top = bound(at.v - reach, mask->height);
        const size_t bottom = bound(at.v + reach + 1.0f, mask->height);
        if (counts[bottom * pitch + right] - counts[bottom * pitch + left] ==
            counts[top * pitch + right] - counts[top * pitch + left])
            extrema->entries[kept++] = extrema->entries[k];
    }
    extrema->count = kept;
    aqm_free(counts);
    return AQM_OK;
}

/* ---- choice ---------------------------------------------------------------------------------- */

/* Strongest first, then by place. */
static int compare_strength(const void *a, const void *b) {
    const AqmExtremum *left = a, *right = b;
    if (left->contrast != right->contrast)
        return left->contrast > right->contrast ? -1 : 1;
    const Place p = place_of(left), q = place_of(right);
    if (p.v != q.v)
        return p.v < q.v ? -1 : 1;
    if (p.u != q.u)
        return p.u < q.u ? -1 : 1;
    return (p.sigma > q.sigma) - (p.sigma < q.sigma);
}

/* An extremum's turn: its rank within its cell, then its rank among all. */
typedef struct Turn {
    uint32_t rank, index;
} Turn;

static int compare_turns(const void *a, const void *b) {
    const Turn *left = a, *right = b;
    if (left->rank != right->rank)
        return left->rank < right->rank ? -1 : 1;
    return (left->index > right->index) - (left->index < right->index);
}

/* The turns of extrema that are sorted by strength. NULL when memory is out. */
static Turn *take_turns(const AqmExtrema *extrema, int width, int height, int wanted) {
    const double area = (double)width * height * CELL_SHARE / wanted;
    const double side = fmax(sqrt(area), 1.0);
    const size_t columns = (size_t)(width / side) + 1, rows = (size_t)(height / side) + 1;
    Turn *turns = aqm_alloc(extrema->count, sizeof *turns);
    uint32_t *taken = aqm_calloc(columns * rows, sizeof *taken);
    for (size_t k = 0; turns && taken && k < extrema->count; k++) {
        const Place at = place_of(&extrema->entries[k]);
        const size_t column = bound((float)(at.u / side), (int)columns - 1);
        const size_t row = bound((float)(at.v / side), (int)rows - 1);
        turns[k] = (Turn){taken[row * columns + column]++, (uint32_t)k};
    }
    if (!taken) {
        aqm_free(turns);
        turns = NULL;
    }
    aqm_free(taken);
    return turns;
}

/* ---- features -------------------------------------------------------------------------------- */

/* A blob of standard deviation t answers most to the difference of Gaussians of blurs s and k s
 * where t^2 = k s^2. */
static float blob_of(float sigma) {
    return sigma * exp2f(0.5f / AQM_SCALES);
}

static void describe(AqmFeatures *features, const AqmScaleSpace *space,
                     const AqmDescriptorTables *tables, const AqmExtrema *extrema,
                     const Turn *turns) {
    for (size_t k = 0; k < features->count; k++) {
        const AqmExtremum *e = &extrema->entries[turns[k].index];
        const Place at = place_of(e);
        features->position[2 * k] = at.u;
        features->position[2 * k + 1] = at.v;
        features->scale[k] = blob_of(at.sigma);
        features->orientation[k] = aqm_orientation(tables, space, e);
        features->score[k] = e->contrast;
        aqm_descriptor(tables, space, e, features->orientation[k],
                       features->descriptor + AQM_DESCRIPTOR_SIZE * k);
    }
}

/* Whose turn comes within the first `wanted`, back in the order of strength. */
static size_t choose(Turn *turns, size_t extremum_count, size_t wanted) {
    const size_t count = extremum_count < wanted ? extremum_count : wanted;
    qsort(turns, extremum_count, sizeof *turns, compare_turns);
    for (size_t k = 0; k < count; k++)
        turns[k].rank = 0;
    qsort(turns, count, sizeof *turns, compare_turns);
    return count;
}

static AqmStatus make_features(AqmFeatures **out, const AqmScaleSpace *space, AqmExtrema *extrema,
                               int wanted, AqmDiag *diag) {
    const AqmOctave *first = &space->octaves[0];
    if (extrema->count == 0) /* qsort asks for an array */
        return aqm_features_create(out, 0, AQM_DESCRIPTOR_SIZE, diag);
    qsort(extrema->entries, extrema->count, sizeof *extrema->entries, compare_strength);
    Turn *turns = take_turns(extrema, first->width, first->height, wanted);
    if (!turns)
        return aqm_fail_memory(diag, "the choice of features", extrema->count, sizeof *turns);
    const size_t count = choose(turns, extrema->count, (size_t)wanted);
    AqmDescriptorTables *tables = NULL;
    AqmStatus status = aqm_descriptor_tables_create(&tables, diag);
    if (status == AQM_OK)
        status = aqm_features_create(out, count, AQM_DESCRIPTOR_SIZE, diag);
    if (status == AQM_OK)
        describe(*out, space, tables, extrema, turns);
    aqm_descriptor_tables_destroy(&tables);
    aqm_free(turns);
    return status;
}

AqmStatus aqm_features_detect(AqmFeatures **out, const AqmImageView *gray, const AqmImageView *mask,
                              const AqmFeatureOptions *options, AqmDiag *diag) {
    AQM_TRY(check(gray, mask, options, diag));
    AqmScaleSpace space;
    AqmExtrema extrema = {0};
    AQM_TRY(aqm_scale_space_create(&space, gray, diag));
    AqmStatus status =
        aqm_extrema_find(&extrema, &space, (float)options->detection_threshold, diag);
    if (status == AQM_OK && mask)
        status = keep_unmasked(&extrema, mask, diag);
    if (status == AQM_OK)
        status = make_features(out, &space, &extrema, options->max_keypoints, diag);
    aqm_extrema_free(&extrema);
    aqm_scale_space_free(&space);
    return status;
}
