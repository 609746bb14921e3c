/* The inner loops of dense warps: rays, projections and meetings of rays of many points at once.
 * Raw arrays, no allocation, cannot fail.
 *
 * Frame: X and Y from below the first view's camera, h downwards from the water surface; so rays
 * start at (x, y, 0), and no digits go into the world's origin. Everything is float and unfused,
 * every root and quotient correctly rounded: the variants give the same bits as the reference, but
 * for which NaN. n is at most AQM_DENSE_CHUNK. NaN goes in and comes out as "not known". */
#ifndef AQM_KERNELS_DENSE_KERNELS_H
#define AQM_KERNELS_DENSE_KERNELS_H

#include <stddef.h>

enum { AQM_DENSE_CHUNK = 64 };

/* A view as seen from below the first view's camera: x and y its own camera. */
typedef struct AqmDenseCamera {
    float R[9], x, y, h_c, n;
    float fx, fy, cx, cy;
} AqmDenseCamera;

typedef struct AqmDenseRays {
    float x[AQM_DENSE_CHUNK], y[AQM_DENSE_CHUNK];                        /* at the surface */
    float dx[AQM_DENSE_CHUNK], dy[AQM_DENSE_CHUNK], dh[AQM_DENSE_CHUNK]; /* unit, in water */
} AqmDenseRays;

typedef struct AqmDensePoints {
    float x[AQM_DENSE_CHUNK], y[AQM_DENSE_CHUNK], h[AQM_DENSE_CHUNK];
} AqmDensePoints;

typedef struct AqmDensePixels {
    float u[AQM_DENSE_CHUNK], v[AQM_DENSE_CHUNK];
} AqmDensePixels;

/* Where points on rays are seen, less their targets (e), and how that changes a metre along the
 * rays (g); with their distances from the camera along its axis. NaN as from `project`. */
typedef struct AqmDenseOffsets {
    float eu[AQM_DENSE_CHUNK], ev[AQM_DENSE_CHUNK];
    float gu[AQM_DENSE_CHUNK], gv[AQM_DENSE_CHUNK], away[AQM_DENSE_CHUNK];
} AqmDenseOffsets;

/* Where two views' rays of the same point come nearest. */
typedef struct AqmDenseMeetings {
    float depth[AQM_DENSE_CHUNK];    /* along the first's ray; NaN where they do not meet */
    float down[AQM_DENSE_CHUNK];     /* h there */
    float miss_px[AQM_DENSE_CHUNK];  /* how far they pass each other, in px of either image */
    float px_per_m[AQM_DENSE_CHUNK]; /* shift in the second image of a metre of depth */
} AqmDenseMeetings;

typedef struct AqmDenseKernels {
    const char *name;

    /* Rays of n pixels; NaN for those that never reach the water. */
    void (*rays)(const AqmDenseCamera *camera, const AqmDensePixels *pixels, size_t n,
                 AqmDenseRays *rays);

    /* The points at these depths along n rays. */
    void (*points)(const AqmDenseRays *rays, const float *depth, size_t n, AqmDensePoints *points);

    /* Pixels of n points, three Newton steps: within 1e-3 px of aqm_view_project over the working
     * volume; NaN at or above the water and behind the camera. */
    void (*project)(const AqmDenseCamera *camera, const AqmDensePoints *points, size_t n,
                    AqmDensePixels *pixels);

    /* The ray depths at which the camera sees n points, and the directions of those rays in water.
     */
    void (*sight)(const AqmDenseCamera *camera, const AqmDensePoints *points, size_t n,
                  float *depth, AqmDenseRays *directions);

    /* The offsets of the points at these depths along n rays. */
    void (*offsets)(const AqmDenseCamera *camera, const AqmDenseRays *rays, const float *depth,
                    const AqmDensePixels *targets, size_t n, AqmDenseOffsets *out);

    /* For n rays of `first` and their targets in `second`, the depths that come nearest to the
     * targets in the sense of least squares of pixels. */
    void (*meet)(const AqmDenseCamera *first, const AqmDenseRays *rays,
                 const AqmDenseCamera *second, const AqmDensePixels *targets, size_t n,
                 AqmDenseMeetings *out);
} AqmDenseKernels;

/* The fastest table this processor can run (features as aqm_cpu_features gives them). */
const AqmDenseKernels *aqm_dense_kernels(unsigned cpu_features);

extern const AqmDenseKernels aqm_dense_kernels_reference;
#if defined(__x86_64__)
extern const AqmDenseKernels aqm_dense_kernels_avx2;
#endif

#endif
