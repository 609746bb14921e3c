/* Undistortion: every pixel of the new image is looked up in the raw one, bilinearly.
 *
 * There are no stored maps (two floats a pixel and camera would be 200 MB for 13 cameras). A row's
 * lookups are computed a span at a time: exactly for every 16th pixel, and between these by a cubic
 * through the nearest four, which is off by less than 1e-4 px; where differences of fourth order
 * say that it may be more, exactly for every pixel of the span.
 * Positions are rounded to 1/2048 px and the four weights are integers that sum to 2^22, so that
 * the result is the same on every machine: at most half a grey level from the real-valued bilinear
 * value plus gradient * (1 / 4096 + 1e-4). A pixel whose footprint is not whole is 0, in image and
 * mask. Beyond the radius where the lens model turns or has a pole it would show the scene a second
 * time, folded: 0 there too.
 * Cost: 3 ns a pixel for three 8-bit channels, one thread, whatever the lens. */
#include "aquamvs/undistort.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/cpu.h"
#include "base/diag.h"
#include "geometry/lens.h"
#include "kernels/remap_kernels.h"

enum {
    SPAN = AQM_REMAP_CELLS_MAX * AQM_REMAP_CELL, /* pixels whose lookups are computed at once */
    WEIGHT_BITS = AQM_REMAP_BITS,                /* of each axis; 2^22 * 255 fits in 32 bits */
    WEIGHT_ONE = 1 << WEIGHT_BITS,
    HALF = 1 << (2 * WEIGHT_BITS - 1)
};

/* A camera's undistortion. */
typedef struct Lookup {
    const AqmCamera *camera;
    const double *K_new;
    double reach2;
    const AqmRemapKernels *kernels;
} Lookup;

static Lookup lookup_of(const AqmCamera *camera, const double *K_new) {
    return (Lookup){camera, K_new, aqm_lens_reach2(camera), aqm_remap_kernels(aqm_cpu_features())};
}

/* Where a pixel's footprint begins and the weights of its right and lower half, 0..WEIGHT_ONE - 1.
 */
typedef struct Footprint {
    int x, y;
    unsigned right, low;
} Footprint;

/* The footprints of a span. */
typedef struct Span {
    int32_t u[SPAN], v[SPAN];
} Span;

static void raw_positions(const Lookup *lookup, int row, int first, int step, int count, double *u,
                          double *v) {
    aqm_raw_span_from_undistorted(lookup->camera, lookup->K_new, lookup->reach2, first, step, row,
                                  count, u, v);
}

static void find_footprints(const Lookup *lookup, int row, int first, int count, Span *span) {
    const AqmCamera *camera = lookup->camera;
    const AqmFootprints out = {span->u, span->v};
    const int cells = (count + AQM_REMAP_CELL - 1) / AQM_REMAP_CELL;
    double u[SPAN], v[SPAN];
    raw_positions(lookup, row, first - 2 * AQM_REMAP_CELL, AQM_REMAP_CELL, cells + 5, u, v);
    if (lookup->kernels->between(u, v, (size_t)cells, camera->width, camera->height, &out))
        return;
    raw_positions(lookup, row, first, 1, count, u, v);
    lookup->kernels->footprints(u, v, (size_t)count, camera->width, camera->height, &out);
}

/* Byte offsets of the neighbours to the right and below; 0 where they have no weight. */
#define STEP_RIGHT(f, pixel_bytes) ((f).right ? (size_t)(pixel_bytes) : 0)
#define STEP_LOW(f, stride) ((f).low ? (stride) : 0)

#define BLEND(type, wide, p, x, y, w00, w10, w01, w11)                                             \
    (type)(((wide)(p)[0] * (w00) + (wide) * (const type *)((const char *)(p) + (x)) * (w10) +      \
            (wide) * (const type *)((const char *)(p) + (y)) * (w01) +                             \
            (wide) * (const type *)((const char *)(p) + (x) + (y)) * (w11) + HALF) >>              \
           (2 * WEIGHT_BITS))

#define DEFINE_SAMPLE(name, type, wide)                                                            \
    static inline void name(const AqmImageView *raw, Footprint f, int channels, type *out) {       \
        const size_t pixel = (size_t)channels * sizeof(type);                                      \
        const size_t x = STEP_RIGHT(f, pixel), y = STEP_LOW(f, raw->stride);                       \
        const type *p = (const type *)((const char *)raw->data + (size_t)f.y * raw->stride +       \
                                       (size_t)f.x * pixel);                                       \
        const unsigned w11 = f.right * f.low, w10 = f.right * WEIGHT_ONE - w11;                    \
        const unsigned w01 = f.low * WEIGHT_ONE - w11;                                             \
        const unsigned w00 = WEIGHT_ONE * WEIGHT_ONE - w10 - w01 - w11;                            \
        for (int c = 0; c < channels; c++)                                                         \
            out[c] = BLEND(type, wide, p + c, x, y, w00, w10, w01, w11);                           \
    }

DEFINE_SAMPLE(sample_u8, uint8_t, uint32_t)
DEFINE_SAMPLE(sample_u16, uint16_t, uint64_t)

/* `out` is zero already. */
static void remap_span(const AqmRemapKernels *kernels, const AqmImageView *raw, const Span *span,
                       int count, void *out) {
    uint8_t *bytes = out;
    uint16_t *words = out;
    if (raw->type == AQM_U8 && raw->channels == 3) {
        const size_t size = (size_t)(raw->height - 1) * raw->stride + 3 * (size_t)raw->width;
        const AqmRemapImage image = {raw->data, raw->stride, size, raw->width, raw->height};
        const AqmFootprints at = {(int32_t *)(uintptr_t)span->u, (int32_t *)(uintptr_t)span->v};
        kernels->sample3(&image, &at, (size_t)count, bytes);
        return;
    }
    for (int i = 0; i < count; i++) {
        if (span->u[i] < 0)
            continue;
        const Footprint f = {span->u[i] >> WEIGHT_BITS, span->v[i] >> WEIGHT_BITS,
                             (unsigned)span->u[i] % WEIGHT_ONE, (unsigned)span->v[i] % WEIGHT_ONE};
        if (raw->type == AQM_U8)
            sample_u8(raw, f, 1, bytes + i);
        else
            sample_u16(raw, f, raw->channels, words + raw->channels * i);
    }
}

static bool is_identity(const AqmCamera *camera, const double K_new[9]) {
    return aqm_lens_is_ideal(camera) && memcmp(camera->K, K_new, sizeof camera->K) == 0;
}

static AqmStatus check_size(const AqmCamera *camera, const AqmImageView *view, const char *what,
                            AqmDiag *diag) {
    if (view->width != camera->width || view->height != camera->height)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "camera %s: its %s is %d x %d px, its calibration %d x %d px", camera->name,
                        what, view->width, view->height, camera->width, camera->height);
    return AQM_OK;
}

static int span_at(int x, int width) {
    return width - x < SPAN ? width - x : SPAN;
}

static void remap_row(const Lookup *lookup, const AqmImageView *raw, int row, char *out) {
    const size_t pixel = (size_t)raw->channels * (size_t)raw->type;
    for (int x = 0; x < raw->width; x += SPAN) {
        const int count = span_at(x, raw->width);
        Span span;
        find_footprints(lookup, row, x, count, &span);
        remap_span(lookup->kernels, raw, &span, count, out + (size_t)x * pixel);
    }
}

AqmStatus aqm_undistort_image(const AqmCamera *camera, const double K_new[9],
                              const AqmImageView *raw, int threads, AqmImage **out, AqmDiag *diag) {
    AQM_TRY(check_size(camera, raw, "image", diag));
    AqmImage *image = NULL;
    AQM_TRY(aqm_image_create(&image, raw->width, raw->height, raw->channels, raw->type, diag));
    const bool copy = is_identity(camera, K_new);
    const Lookup lookup = lookup_of(camera, K_new);
    const size_t row_bytes = (size_t)raw->width * (size_t)raw->channels * (size_t)raw->type;
#pragma omp parallel for num_threads(aqm_thread_count(threads)) schedule(static)
    for (int row = 0; row < raw->height; row++) {
        char *target = (char *)image->data + (size_t)row * image->stride;
        if (copy)
            memcpy(target, (const char *)raw->data + (size_t)row * raw->stride, row_bytes);
        else
            remap_row(&lookup, raw, row, target);
    }
    *out = image;
    return AQM_OK;
}

/* Any nonzero sample of a pixel keeps it. */
static bool keeps(const AqmImageView *mask, int x, int y) {
    const size_t bytes = (size_t)mask->channels * (size_t)mask->type;
    const char *p = (const char *)mask->data + (size_t)y * mask->stride + (size_t)x * bytes;
    for (size_t i = 0; i < bytes; i++)
        if (p[i] != 0)
            return true;
    return false;
}

static void mask_row(const Lookup *lookup, const AqmImageView *keep, int row, uint8_t *out) {
    const int width = lookup->camera->width;
    const bool exact = is_identity(lookup->camera, lookup->K_new);
    for (int x = 0; x < width; x += SPAN) {
        const int count = span_at(x, width);
        Span span;
        find_footprints(lookup, row, x, count, &span);
        for (int i = 0; i < count; i++) {
            const bool inside = exact || span.u[i] >= 0;
            if (inside && (!keep || keeps(keep, x + i, row)))
                out[x + i] = 255;
        }
    }
}

AqmStatus aqm_undistort_mask(const AqmCamera *camera, const double K_new[9],
                             const AqmImageView *keep, int threads, AqmImage **out, AqmDiag *diag) {
    if (keep)
        AQM_TRY(check_size(camera, keep, "mask", diag));
    AqmImage *mask = NULL;
    AQM_TRY(aqm_image_create(&mask, camera->width, camera->height, 1, AQM_U8, diag));
    const Lookup lookup = lookup_of(camera, K_new);
#pragma omp parallel for num_threads(aqm_thread_count(threads)) schedule(static)
    for (int row = 0; row < camera->height; row++)
        mask_row(&lookup, keep, row, (uint8_t *)mask->data + (size_t)row * mask->stride);
    *out = mask;
    return AQM_OK;
}
