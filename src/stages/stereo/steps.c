/* A window that holds an edge reports the depth of the texture on either side, so beside a blank
 * background a foreground grows by half a window. The image knows better: a pixel looks like the
 * side it is of. Each pixel near a step takes the median of the disparities in a square around it,
 * weighted by likeness to its own gray value and by nearness (Ma, He, Wei, Sun & Wu 2013,
 * "Constant time weighted median filtering for stereo matching and beyond"; there over the whole
 * image, here only beside steps, and only where the answer changes sides: a surface without steps
 * stays as it was measured).
 *
 * The median is found by bisection: sums of weights below a value, which run in vectors. Cost: 225
 * samples x 13 for a pixel that may change, a quarter of them once for the others near a step. */
#include "stages/stereo/steps.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

enum { REACH = 7, SIDE = 2 * REACH + 1, AREA = SIDE * SIDE, HALVINGS = 12 };
static const float step_px = 1.0f;   /* between neighbours */
static const float across_px = 0.5f; /* a smaller change is not one of sides */
static const float most_own = 0.3f;  /* of the weight on the pixel's own side: else it stays */
static const float clearly_own =
    0.45f; /* the same of a quarter of the pixels: no need to look closer */
static const double likeness = 64.0; /* gray difference where the weight falls to 1 / e: 8 levels */
static const double nearness = REACH / 1.5; /* px, standard deviation */

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

/* Every pixel in reach, or every `stride`-th of every `stride`-th row. */
static void look_around(const AqmStereoImage *image, const float *disparity, int x, int y,
                        int stride, const Weights *weights, Around *around) {
    const int own = image->gray[y * image->stride + x];
    around->count = 0;
    for (int dy = -REACH; dy <= REACH; dy += stride) {
        if (y + dy < 0 || y + dy >= image->height)
            continue;
        const int16_t *gray = image->gray + (y + dy) * image->stride;
        const float *row = disparity + (size_t)(y + dy) * (size_t)image->width;
        for (int dx = -REACH; dx <= REACH; dx += stride) {
            const int at = x + dx;
            if (at < 0 || at >= image->width || gray[at] == AQM_GRAY_MISSING || isnan(row[at]))
                continue;
            const int off = gray[at] > own ? gray[at] - own : own - gray[at];
            around->value[around->count] = row[at];
            around->weight[around->count++] =
                weights->of_gray[off] * weights->of_place[(dy + REACH) * SIDE + dx + REACH];
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
static float own_share(const Around *around, float own) {
    float same = 0.0f, total = 0.0f;
    for (int k = 0; k < around->count; k++) {
        total += around->weight[k];
        same += fabsf(around->value[k] - own) < step_px ? around->weight[k] : 0.0f;
    }
    return same / total;
}

/* Where a row of n values steps to the next: both the two that meet and the two beyond them differ,
 * so a lone pixel that is off makes no step. The rows are those of the values before, at, after and
 * behind; no step where one is NaN. */
static void find_steps(const float *before, const float *a, const float *b, const float *behind,
                       int n, uint8_t *steps) {
    for (int x = 0; x < n; x++)
        steps[x] |=
            (uint8_t)((fabsf(b[x] - a[x]) >= step_px) & (fabsf(behind[x] - before[x]) >= step_px));
}

/* Marks all within reach, along the row, of pixels on either side of a step. Is there any? */
static bool mark_row(const float *disparity, int width, int height, int y, uint8_t *steps,
                     uint8_t *marks) {
    const float *row = disparity + (size_t)y * (size_t)width;
    const float *above = y > 0 ? row - width : row, *below = y + 1 < height ? row + width : row;
    memset(steps, 0, (size_t)width);
    if (width > 3)
        find_steps(row, row + 1, row + 2, row + 3, width - 3, steps + 1);
    find_steps(above, row, below, y + 2 < height ? below + width : below, width, steps);
    bool any = false;
    const uint8_t *end = steps + width, *at = steps;
    while (at < end && (at = memchr(at, 1, (size_t)(end - at)))) {
        const int x = (int)(at++ - steps);
        const int from = x < REACH ? 0 : x - REACH;
        const int to = x + REACH + 1 < width ? x + REACH + 1 : width - 1;
        memset(marks + from, 1, (size_t)(to - from + 1));
        any = true;
    }
    return any;
}

/* The marks of a row and of those within its reach; false where there are none. */
static bool gather_marks(const uint8_t *marks, const bool *has_marks, int width, int height, int y,
                         uint8_t *near) {
    bool any = false;
    memset(near, 0, (size_t)width);
    for (int k = y > REACH ? y - REACH - 1 : 0; k <= y + REACH && k < height; k++) {
        if (!has_marks[k])
            continue;
        const uint8_t *row = marks + (size_t)k * (size_t)width;
        for (int x = 0; x < width; x++)
            near[x] |= row[x];
        any = true;
    }
    return any;
}

static void align_row(const AqmStereoImage *image, const float *from, int y, const uint8_t *near,
                      const Weights *weights, float *to) {
    for (int x = 0; x < image->width; x++) {
        const size_t at = (size_t)y * (size_t)image->width + (size_t)x;
        if (!near[x] || isnan(from[at]) || image->gray[y * image->stride + x] == AQM_GRAY_MISSING)
            continue;
        Around around;
        look_around(image, from, x, y, 2, weights, &around);
        if (own_share(&around, from[at]) >= clearly_own) /* nearly always */
            continue;
        look_around(image, from, x, y, 1, weights, &around);
        if (own_share(&around, from[at]) >= most_own)
            continue;
        const float median = weighted_median(&around);
        if (fabsf(median - from[at]) > across_px)
            to[at] = median;
    }
}

AqmStatus aqm_align_steps(const AqmStereoImage *image, const float *confidence, float *disparity,
                          int threads, AqmDiag *diag) {
    const size_t width = (size_t)image->width, height = (size_t)image->height;
    float *from = aqm_alloc(width * height, sizeof *from);
    uint8_t *marks = aqm_calloc(width * height, 1);
    bool *has_marks = aqm_calloc(height, sizeof *has_marks);
    Weights *weights = aqm_alloc(1, sizeof *weights);
    AqmStatus status = AQM_OK;
    if (!from || !marks || !has_marks || !weights) {
        status = aqm_fail_memory(diag, "the steps of a depth map", width * height, 5);
    } else {
        fill_weights(weights);
        for (size_t k = 0; k < width * height; k++)
            from[k] = confidence[k] > 0.0f ? disparity[k] : NAN;
#pragma omp parallel num_threads(threads)
        {
            uint8_t near[AQM_GRAY_MAX_SIZE];
#pragma omp for schedule(static)
            for (int y = 0; y < image->height; y++)
                has_marks[y] =
                    mark_row(from, image->width, image->height, y, near, marks + (size_t)y * width);
#pragma omp for schedule(dynamic, 8)
            for (int y = 0; y < image->height; y++)
                if (gather_marks(marks, has_marks, image->width, image->height, y, near))
                    align_row(image, from, y, near, weights, disparity);
        }
    }
    aqm_free(from);
    aqm_free(marks);
    aqm_free(has_marks);
    aqm_free(weights);
    return status;
}
