/* A Gaussian scale space (Lowe 2004, section 3): three scales an octave, each level blurred from
 * the one below, each octave begun from the level of twice the blur by leaving out every other row
 * and column. So positions need no offset between octaves.
 *
 * The image counts as blurred by half a pixel already. A kernel ends at three standard deviations
 * and is normalised; beyond its border the image goes on as its outermost pixels. Cost: 1.33 times
 * 5 blurs of 9 to 21 taps along and across, 25 ms for 2 megapixels and as much for the first touch
 * of the memory; 32 bytes a pixel. */
#include "stages/features/scale_space.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "kernels/scale_kernels.h"

static const float blur_of_image = 0.5f; /* px */
enum { SMALLEST_SIDE = 8 };              /* px, of an octave other than the first */

typedef struct Gauss {
    int radius;
    float weights[AQM_SCALE_RADIUS + 1];
} Gauss;

static Gauss gauss_of(double sigma) {
    Gauss gauss = {.radius = (int)ceil(3.0 * sigma)};
    double sum = 1.0;
    for (int i = 1; i <= gauss.radius; i++)
        sum += 2.0 * exp(-0.5 * i * i / (sigma * sigma));
    for (int i = 0; i <= gauss.radius; i++)
        gauss.weights[i] = (float)(exp(-0.5 * i * i / (sigma * sigma)) / sum);
    return gauss;
}

/* The blur that takes level - 1 to `level`; that takes the image to level 0. */
static double step_sigma(int level) {
    const double sigma = (double)AQM_SCALE_SIGMA, own = (double)blur_of_image;
    if (level == 0)
        return sqrt(sigma * sigma - own * own);
    const double ratio = exp2(1.0 / AQM_SCALES);
    return sigma * pow(ratio, level - 1) * sqrt(ratio * ratio - 1.0);
}

static int clamp(int value, int count) {
    return value < 0 ? 0 : value >= count ? count - 1 : value;
}

/* `line`: a row with AQM_SCALE_BLOCK values of margin before it and after its stride. `to` may be
 * `from` for no level. */
static void blur(const AqmOctave *octave, const float *from, float *to, double sigma, float *line) {
    const AqmScaleKernels *kernels = aqm_scale_kernels(aqm_cpu_features());
    const Gauss gauss = gauss_of(sigma);
    const float *rows[2 * AQM_SCALE_RADIUS + 1];
    for (int y = 0; y < octave->height; y++) {
        for (int i = -gauss.radius; i <= gauss.radius; i++)
            rows[gauss.radius + i] = from + (size_t)clamp(y + i, octave->height) * octave->stride;
        kernels->blur_down(rows, gauss.weights, gauss.radius, octave->stride, line);
        for (int i = 1; i <= gauss.radius; i++) {
            line[-i] = line[0];
            line[octave->width - 1 + i] = line[octave->width - 1];
        }
        kernels->blur_along(line, gauss.weights, gauss.radius, octave->stride,
                            to + (size_t)y * octave->stride);
    }
}

/* Into a level that is overwritten afterwards; what lies between width and stride is 0. */
static void convert(const AqmImageView *gray, const AqmOctave *octave, float *to) {
    for (int y = 0; y < gray->height; y++) {
        const uint8_t *from = (const uint8_t *)gray->data + (size_t)y * gray->stride;
        float *row = to + (size_t)y * octave->stride;
        for (int x = 0; x < gray->width; x++)
            row[x] = (float)from[x] * (1.0f / 255.0f);
        for (size_t x = (size_t)gray->width; x < octave->stride; x++)
            row[x] = 0.0f;
    }
}

static void decimate(const AqmOctave *from, const AqmOctave *to) {
    for (int y = 0; y < to->height; y++) {
        const float *source = from->levels[AQM_SCALES] + 2 * (size_t)y * from->stride;
        float *row = to->levels[0] + (size_t)y * to->stride;
        for (int x = 0; x < to->width; x++)
            row[x] = source[2 * x];
        for (size_t x = (size_t)to->width; x < to->stride; x++)
            row[x] = 0.0f;
    }
}

static size_t plan(AqmScaleSpace *space, const AqmImageView *gray) {
    size_t total = 0;
    int width = gray->width, height = gray->height;
    space->octave_count = 0;
    while (space->octave_count < AQM_OCTAVES) {
        AqmOctave *octave = &space->octaves[space->octave_count++];
        *octave = (AqmOctave){.width = width, .height = height};
        octave->stride = ((size_t)width + AQM_SCALE_BLOCK - 1) / AQM_SCALE_BLOCK * AQM_SCALE_BLOCK;
        total += AQM_SCALE_LEVELS * octave->stride * (size_t)height;
        width = (width + 1) / 2, height = (height + 1) / 2;
        if (width < SMALLEST_SIDE || height < SMALLEST_SIDE)
            break;
    }
    return total;
}

static void place_levels(AqmScaleSpace *space) {
    float *at = space->block;
    for (int o = 0; o < space->octave_count; o++)
        for (int l = 0; l < AQM_SCALE_LEVELS; l++) {
            space->octaves[o].levels[l] = at;
            at += space->octaves[o].stride * (size_t)space->octaves[o].height;
        }
}

AqmStatus aqm_scale_space_create(AqmScaleSpace *space, const AqmImageView *gray, AqmDiag *diag) {
    const size_t total = plan(space, gray);
    const size_t line_length =
        space->octaves[0].stride + AQM_SCALE_RADIUS + AQM_SCALE_BLOCK + AQM_SCALE_RADIUS;
    space->block = aqm_alloc(total, sizeof(float));
    float *line = aqm_calloc(line_length, sizeof *line);
    if (!space->block || !line) {
        aqm_free(line);
        aqm_scale_space_free(space);
        return aqm_fail_memory(diag, "a scale space", total, sizeof(float));
    }
    place_levels(space);
    for (int o = 0; o < space->octave_count; o++) {
        const AqmOctave *octave = &space->octaves[o];
        if (o == 0) {
            convert(gray, octave, octave->levels[1]);
            blur(octave, octave->levels[1], octave->levels[0], step_sigma(0),
                 line + AQM_SCALE_RADIUS);
        } else {
            decimate(&space->octaves[o - 1], octave);
        }
        for (int l = 1; l < AQM_SCALE_LEVELS; l++)
            blur(octave, octave->levels[l - 1], octave->levels[l], step_sigma(l),
                 line + AQM_SCALE_RADIUS);
    }
    aqm_free(line);
    return AQM_OK;
}

void aqm_scale_space_free(AqmScaleSpace *space) {
    aqm_free(space->block);
    space->block = NULL;
}
