/* A window that holds an edge reports the depth of the texture on either side, so beside a blank
 * background a foreground grows by half a window. The image knows better: a pixel looks like the
 * side it is of. Each pixel near a step takes the median of the disparities in a square around it,
 * weighted by likeness to its own colour and by nearness (Ma, He, Wei, Sun & Wu 2013, "Constant
 * time weighted median filtering for stereo matching and beyond"; there over the whole image, here
 * only beside steps, and only where the answer changes sides: a surface without steps stays as it
 * was measured).
 *
 * What a neighbour says is worth the root of its confidence. After a search the pixels right beside
 * a step are worth a share of that: there the map is wrong, and the pixels of a rim that has grown
 * look alike and would confirm each other.
 *
 * The same median is the best guess for what has no disparity at all: gaps of a few pixels where no
 * source agrees with any depth. On real pairs two thirds to nine tenths of such pixels come within
 * a pixel of the truth.
 *
 * The median is found by bisection: sums of weights below a value, which run in vectors. Cost: 225
 * samples x 13 for a pixel that may change, a quarter of them once for the others near a step. */
#include "stages/stereo/steps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { REACH = 7, SIDE = 2 * REACH + 1, AREA = SIDE * SIDE, HALVINGS = 12 };
/* Beside a step the map is wrong for half a window of 7 px, of which a pixel is the step's. */
enum { RIM = 2 };
enum { IN_REACH = 1, IN_RIM = 2 }; /* marks of pixels near a step */
static const float step_px = 1.0f; /* between neighbours */
static const float slope_ratio = 2.5f;
static const float across_px = 0.5f; /* a smaller change is not one of sides */
static const float side_px = 0.7f;   /* what differs by less is of one side */
static const float most_own = 0.45f; /* of the weight on the pixel's own side: else it stays */
/* The same of a quarter of the pixels: no need to look closer. */
static const float clearly_own = 0.6f;
static const double likeness = 96.0; /* difference where the weight falls to 1 / e: 12 levels */
static const double nearness = REACH / 1.5; /* px, standard deviation */
/* A difference of tints counts half: they hold twice the noise of luminance. */
enum { TINT_WEIGHT = AQM_TINT_UNIT / 2 };

typedef struct Weights {
    float of_gray[AQM_GRAY_WHITE + 1]; /* by difference */
    float of_place[AREA];
} Weights;

static void fill_weights(Weights *weights) {
    for (int d = 0; d <= AQM_GRAY_WHITE; d++)
        weights->of_gray[d] = (float)exp(-d / likeness);
    for (int k = 0; k < AREA; k++) {
        const int dx = k % SIDE - REACH, dy = k / SIDE - REACH;
        weights->of_place[k] = (float)exp(-(dx * dx + dy * dy) / (2.0 * nearness * nearness));
    }
}

/* What surrounds a pixel. */
typedef struct Around {
    int count;
    float value[AREA], weight[AREA];
} Around;

/* What is looked at: the image, the disparities as they were (NaN = none) and what each is worth.
 */
typedef struct Scene {
    const AqmStereoImage *image;
    const float *from, *say;
    const AqmStepRules *rules;
} Scene;

/* How much two pixels differ, in units of gray. */
static inline int difference(const AqmStereoImage *image, int gray, int other, size_t at,
                             size_t other_at) {
    int off = abs(gray - other);
    if (image->tint) {
        const int8_t *a = image->tint + 2 * at, *b = image->tint + 2 * other_at;
        off += TINT_WEIGHT * (abs(a[0] - b[0]) + abs(a[1] - b[1]));
    }
    return off < AQM_GRAY_WHITE ? off : AQM_GRAY_WHITE;
}

/* Every pixel in reach, or every `stride`-th of every `stride`-th row. */
static void look_around(const Scene *scene, int x, int y, int stride, const Weights *weights,
                        Around *around) {
    const AqmStereoImage *image = scene->image;
    const size_t width = (size_t)image->width, own_at = (size_t)y * width + (size_t)x;
    const int own = image->gray[y * image->stride + x];
    around->count = 0;
    for (int dy = -REACH; dy <= REACH; dy += stride) {
        if (y + dy < 0 || y + dy >= image->height)
            continue;
        const int16_t *gray = image->gray + (y + dy) * image->stride;
        const size_t row = (size_t)(y + dy) * width;
        for (int dx = -REACH; dx <= REACH; dx += stride) {
            const int column = x + dx;
            const size_t at = row + (size_t)column;
            if (column < 0 || column >= image->width || gray[column] == AQM_GRAY_MISSING ||
                isnan(scene->from[at]) || !(scene->say[at] > 0.0f))
                continue;
            const int off = difference(image, own, gray[column], own_at, at);
            around->value[around->count] = scene->from[at];
            around->weight[around->count++] = weights->of_gray[off] * scene->say[at] *
                                              weights->of_place[(dy + REACH) * SIDE + dx + REACH];
        }
    }
}

/* The value nearest to where half of the weight lies on either side. */
static float weighted_median(const Around *around) {
    float low = INFINITY, high = -INFINITY, total = 0.0f;
    for (int k = 0; k < around->count; k++) {
        low = around->value[k] < low ? around->value[k] : low;
        high = around->value[k] > high ? around->value[k] : high;
        total += around->weight[k];
    }
    for (int pass = 0; pass < HALVINGS; pass++) {
        const float middle = 0.5f * (low + high);
        float below = 0.0f;
        for (int k = 0; k < around->count; k++)
            below += around->value[k] <= middle ? around->weight[k] : 0.0f;
        if (below >= 0.5f * total)
            high = middle;
        else
            low = middle;
    }
    float best = around->value[0];
    for (int k = 1; k < around->count; k++)
        if (fabsf(around->value[k] - high) < fabsf(best - high))
            best = around->value[k];
    return best;
}

/* The share of the weight that lies on the side of `own`. A thin thing that looks like what is
 * behind it is outweighed, but not by that much. */
static float own_share(const Around *around, float own, float side) {
    float same = 0.0f, total = 0.0f;
    for (int k = 0; k < around->count; k++) {
        total += around->weight[k];
        same += fabsf(around->value[k] - own) < side ? around->weight[k] : 0.0f;
    }
    return same / total;
}

/* Where a row of n values steps to the next: both the two that meet and the two beyond them differ,
 * so a lone pixel that is off makes no step, nor does a slope, over which the two beyond differ
 * three times as much. The rows are those of the values before, at, after and behind; no step where
 * one is NaN. */
static void find_steps(const float *before, const float *a, const float *b, const float *behind,
                       int n, float step, uint8_t *steps) {
    for (int x = 0; x < n; x++) {
        const float meet = fabsf(b[x] - a[x]), beyond = fabsf(behind[x] - before[x]);
        steps[x] |= (uint8_t)((meet >= step) & (beyond >= step) & (beyond < slope_ratio * meet));
    }
}

/* Marks what lies within reach, along the row, of the pixels x and x + 1. */
static void mark_around(int x, int reach, int width, uint8_t mark, uint8_t *marks) {
    const int from = x < reach ? 0 : x - reach;
    const int to = x + reach + 1 < width ? x + reach + 1 : width - 1;
    for (int k = from; k <= to; k++)
        marks[k] |= mark;
}

/* Marks all within reach, along the row, of pixels on either side of a step, and the rims of it. Is
 * there any? */
static bool mark_row(const float *disparity, int width, int height, int y, float step,
                     uint8_t *steps, uint8_t *marks) {
    const float *row = disparity + (size_t)y * (size_t)width;
    const float *above = y > 0 ? row - width : row, *below = y + 1 < height ? row + width : row;
    memset(steps, 0, (size_t)width);
    if (width > 3)
        find_steps(row, row + 1, row + 2, row + 3, width - 3, step, steps + 1);
    find_steps(above, row, below, y + 2 < height ? below + width : below, width, step, steps);
    bool any = false;
    const uint8_t *end = steps + width, *at = steps;
    while (at < end && (at = memchr(at, 1, (size_t)(end - at)))) {
        const int x = (int)(at++ - steps);
        mark_around(x, REACH, width, IN_REACH, marks);
        mark_around(x, RIM, width, IN_RIM, marks);
        any = true;
    }
    return any;
}

/* Marks of all rows, and which rows have any. */
typedef struct Marks {
    uint8_t *marks;
    bool *rows;
    int width, height;
} Marks;

/* The marks of one kind of a row and of those within its reach; false where there are none. */
static bool gather_marks(const Marks *marks, int y, int reach, uint8_t kind, uint8_t *near) {
    const size_t width = (size_t)marks->width;
    bool any = false;
    memset(near, 0, width);
    for (int k = y > reach ? y - reach - 1 : 0; k <= y + reach && k < marks->height; k++) {
        if (!marks->rows[k])
            continue;
        const uint8_t *row = marks->marks + (size_t)k * width;
        for (size_t x = 0; x < width; x++)
            near[x] |= row[x] & kind;
        any = true;
    }
    return any;
}

/* What the pixels of a row are worth, if one that may change can ask them. */
static void weigh_row(const Marks *marks, const float *confidence, float rim_share, int y,
                      float *say) {
    const size_t width = (size_t)marks->width, at = (size_t)y * width;
    uint8_t rim[AQM_GRAY_MAX_SIZE];
    bool is_asked = false;
    for (int k = y - 2 * REACH - 1; k <= y + 2 * REACH + 1; k++)
        is_asked |= k >= 0 && k < marks->height && marks->rows[k];
    if (!is_asked)
        return;
    gather_marks(marks, y, RIM, IN_RIM, rim);
    for (size_t x = 0; x < width; x++)
        say[at + x] = sqrtf(confidence[at + x]) * (rim[x] ? rim_share : 1.0f);
}

static void align_row(const Scene *scene, int y, const uint8_t *near, const Weights *weights,
                      float *to) {
    const AqmStereoImage *image = scene->image;
    for (int x = 0; x < image->width; x++) {
        const size_t at = (size_t)y * (size_t)image->width + (size_t)x;
        const float own = scene->from[at];
        if (!near[x] || isnan(own) || image->gray[y * image->stride + x] == AQM_GRAY_MISSING)
            continue;
        Around around;
        look_around(scene, x, y, 2, weights, &around);
        if (own_share(&around, own, side_px * scene->rules->unit_px) >=
            clearly_own) /* nearly always */
            continue;
        look_around(scene, x, y, 1, weights, &around);
        if (own_share(&around, own, side_px * scene->rules->unit_px) >= most_own)
            continue;
        const float median = weighted_median(&around);
        if (fabsf(median - own) > across_px * scene->rules->unit_px)
            to[at] = median;
    }
}

static void align(const Scene *scene, const Marks *marks, const float *confidence,
                  const Weights *weights, int threads, float *say, float *disparity) {
    const size_t width = (size_t)marks->width;
#pragma omp parallel num_threads(threads)
    {
        uint8_t near[AQM_GRAY_MAX_SIZE];
#pragma omp for schedule(static)
        for (int y = 0; y < marks->height; y++)
            marks->rows[y] =
                mark_row(scene->from, marks->width, marks->height, y,
                         step_px * scene->rules->unit_px, near, marks->marks + (size_t)y * width);
#pragma omp for schedule(static)
        for (int y = 0; y < marks->height; y++)
            weigh_row(marks, confidence, scene->rules->rim_share, y, say);
#pragma omp for schedule(dynamic, 8)
        for (int y = 0; y < marks->height; y++)
            if (gather_marks(marks, y, REACH, IN_REACH, near))
                align_row(scene, y, near, weights, disparity);
    }
}

AqmStatus aqm_align_steps(const AqmStereoImage *image, const float *confidence,
                          const AqmStepRules *rules, float *disparity, int threads, AqmDiag *diag) {
    const size_t width = (size_t)image->width, height = (size_t)image->height;
    const size_t pixels = width * height;
    float *from = aqm_alloc(2 * pixels, sizeof *from);
    uint8_t *marks = aqm_calloc(pixels, 1);
    bool *has_marks = aqm_calloc(height, sizeof *has_marks);
    Weights *weights = aqm_alloc(1, sizeof *weights);
    AqmStatus status = AQM_OK;
    if (!from || !marks || !has_marks || !weights) {
        status = aqm_fail_memory(diag, "the steps of a depth map", pixels, 9);
    } else {
        const Scene scene = {image, from, from + pixels, rules};
        const Marks all = {marks, has_marks, image->width, image->height};
        fill_weights(weights);
        for (size_t k = 0; k < pixels; k++)
            from[k] = confidence[k] > 0.0f ? disparity[k] : NAN;
        align(&scene, &all, confidence, weights, threads, from + pixels, disparity);
    }
    aqm_free(from);
    aqm_free(marks);
    aqm_free(has_marks);
    aqm_free(weights);
    return status;
}

/* ---- gaps ------------------------------------------------------------------------------------ */

enum { MOST_IN_GAP = 100, LEAST_AROUND = 8 };
static const float gap_confidence = 0.05f; /* worse than chance: a guess */
static const float gap_sigma_px = 1.0f;    /* two thirds or more of them are that near */

/* Pixels without disparity. */
typedef struct Gaps {
    uint32_t *at;
    float *value;
    size_t count;
} Gaps;

/* Is there an image but no disparity? */
static inline bool is_gap(int16_t gray, float confidence, float disparity) {
    return (gray != AQM_GRAY_MISSING) & !((confidence > 0.0f) & !isnan(disparity));
}

/* Marks the pixels without disparity; returns their number. `marks` are 0. */
static size_t mark_gaps(const AqmStereoImage *image, const AqmMeasured *map, uint8_t *marks) {
    size_t count = 0;
    for (int y = 0; y < image->height; y++) {
        const int16_t *gray = image->gray + y * image->stride;
        const size_t row = (size_t)y * (size_t)image->width;
        const float *confidence = map->confidence + row, *disparity = map->disparity + row;
        int32_t in_row = 0; /* most rows have none: a loop of vectors */
        for (int x = 0; x < image->width; x++)
            in_row += is_gap(gray[x], confidence[x], disparity[x]);
        for (int x = 0; x < image->width && in_row > 0; x++)
            marks[row + (size_t)x] = is_gap(gray[x], confidence[x], disparity[x]);
        count += (size_t)in_row;
    }
    return count;
}

/* Adds the gap that pixel `seed` is of, unless it is too large. Pixels that are marked wait to be
 * taken; the list itself is the queue. */
static void add_gap(const AqmStereoImage *image, size_t seed, uint8_t *marks, Gaps *gaps) {
    const size_t width = (size_t)image->width, height = (size_t)image->height, first = gaps->count;
    gaps->at[gaps->count++] = (uint32_t)seed;
    marks[seed] = 0;
    for (size_t k = first; k < gaps->count; k++) {
        const size_t at = gaps->at[k], x = at % width, y = at / width;
        const size_t beside[4] = {x > 0 ? at - 1 : at, x + 1 < width ? at + 1 : at,
                                  y > 0 ? at - width : at, y + 1 < height ? at + width : at};
        for (int n = 0; n < 4; n++)
            if (marks[beside[n]]) {
                marks[beside[n]] = 0;
                gaps->at[gaps->count++] = (uint32_t)beside[n];
            }
    }
    if (gaps->count - first > MOST_IN_GAP)
        gaps->count = first;
}

/* What a pixel of a gap takes; NaN where too little is around. */
static float gap_value(const Scene *scene, size_t at, const Weights *weights) {
    const int width = scene->image->width;
    Around around;
    look_around(scene, (int)(at % (size_t)width), (int)(at / (size_t)width), 1, weights, &around);
    return around.count < LEAST_AROUND ? NAN : weighted_median(&around);
}

static void fill_gaps(const Scene *scene, const Weights *weights, const Gaps *gaps, int threads) {
#pragma omp parallel for num_threads(threads) schedule(dynamic, 16)
    for (size_t k = 0; k < gaps->count; k++)
        gaps->value[k] = gap_value(scene, gaps->at[k], weights);
}

/* Lists the pixels of all small gaps. */
static void list_gaps(const AqmStereoImage *image, uint8_t *marks, Gaps *gaps) {
    const size_t pixels = (size_t)image->width * (size_t)image->height;
    const uint8_t *end = marks + pixels, *at = marks;
    while (at < end && (at = memchr(at, 1, (size_t)(end - at))))
        add_gap(image, (size_t)(at - marks), marks, gaps);
}

AqmStatus aqm_fill_gaps(const AqmStereoImage *image, float unit_px, const AqmMeasured *map,
                        int threads, AqmDiag *diag) {
    const size_t pixels = (size_t)image->width * (size_t)image->height;
    uint8_t *marks = aqm_calloc(pixels, 1);
    if (!marks)
        return aqm_fail_memory(diag, "the gaps of a depth map", pixels, 1);
    const size_t count = mark_gaps(image, map, marks);
    Gaps gaps = {aqm_alloc(count + 1, sizeof *gaps.at), aqm_alloc(count + 1, sizeof *gaps.value),
                 0};
    Weights *weights = aqm_alloc(1, sizeof *weights);
    AqmStatus status = AQM_OK;
    if (!gaps.at || !gaps.value || !weights)
        status = aqm_fail_memory(diag, "the gaps of a depth map", count + 1, 8);
    if (status == AQM_OK && count > 0) {
        list_gaps(image, marks, &gaps);
        fill_weights(weights);
        /* confidences are what neighbours are worth here: 0 where there is no disparity */
        const Scene scene = {image, map->disparity, map->confidence, NULL};
        fill_gaps(&scene, weights, &gaps, threads);
    }
    for (size_t k = 0; k < gaps.count; k++)
        if (!isnan(gaps.value[k])) {
            map->disparity[gaps.at[k]] = gaps.value[k];
            map->sigma_px[gaps.at[k]] = gap_sigma_px * unit_px;
            map->confidence[gaps.at[k]] = gap_confidence;
        }
    aqm_free(marks);
    aqm_free(gaps.at);
    aqm_free(gaps.value);
    aqm_free(weights);
    return status;
}
