/* The inner loops of undistortion. Raw pointers, no allocation, cannot fail; the variants give the
 * same bits as the reference. */
#ifndef AQM_KERNELS_REMAP_KERNELS_H
#define AQM_KERNELS_REMAP_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    AQM_REMAP_BITS = 11,
    AQM_REMAP_ONE = 1 << AQM_REMAP_BITS,
    AQM_REMAP_CELL = 16,      /* pixels */
    AQM_REMAP_CELLS_MAX = 32, /* of one call */
};

/* Where fourth differences are this large the error of a cubic is estimated to be 0.9e-4 px. */
#define AQM_REMAP_BEND (1.0 / 256.0)

/* A lens (AqmCamera.distortion in its order) and the raw image's matrix. reach2: squared radius on
 * the plane Z = 1 beyond which the model does not hold. */
typedef struct AqmRemapLens {
    double k[8], fx, cx, fy, cy, reach2;
} AqmRemapLens;

/* Positions in a raw image in 1 / AQM_REMAP_ONE px; u = -1 where the footprint is not whole: where
 * one of the four pixels that have weight is not in the image. */
typedef struct AqmFootprints {
    int32_t *u, *v;
} AqmFootprints;

/* Interleaved samples of 8 bits. `size`: bytes from `data` on that may be read. */
typedef struct AqmRemapImage {
    const uint8_t *data;
    size_t stride, size;
    int32_t width, height;
} AqmRemapImage;

typedef struct AqmRemapKernels {
    const char *name;

    /* Raw pixels of n points (x + i step, y) of the plane Z = 1; raw_u is NaN beyond the reach. */
    void (*pinhole)(const AqmRemapLens *lens, double x, double step, double y, size_t n,
                    double *raw_u, double *raw_v);

    /* The footprints of n raw pixels in a width x height image, rounded to 1 / AQM_REMAP_ONE. */
    void (*footprints)(const double *raw_u, const double *raw_v, size_t n, int32_t width,
                       int32_t height, const AqmFootprints *out);

    /* The same of `cells` cells of AQM_REMAP_CELL pixels, from the raw pixels of every
     * AQM_REMAP_CELL-th alone: cells + 5 of them, of which the third is that of the first pixel.
     * In between a cubic through the nearest four, which is off by 0.0234 fourth differences.
     * False, and `out` means nothing, where one of these is above AQM_REMAP_BEND px, so that the
     * error may be above 1e-4 px, or a raw pixel is missing or far away. */
    bool (*between)(const double *raw_u, const double *raw_v, size_t cells, int32_t width,
                    int32_t height, const AqmFootprints *out);

    /* Bilinear samples of n footprints, three channels: sum of the four pixels times their weights,
     * which are integers of sum 2^22, rounded. Where u = -1 `out` stays. */
    void (*sample3)(const AqmRemapImage *image, const AqmFootprints *at, size_t n, uint8_t *out);
} AqmRemapKernels;

/* The fastest table this processor can run (features as aqm_cpu_features gives them). */
const AqmRemapKernels *aqm_remap_kernels(unsigned cpu_features);

extern const AqmRemapKernels aqm_remap_kernels_reference;
#if defined(__x86_64__)
extern const AqmRemapKernels aqm_remap_kernels_avx2;
#endif

#endif
