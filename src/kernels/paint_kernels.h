/* The inner loops of a mesh's colours: where a camera over water sees vertices, what its view of
 * each is worth, and the sums of what it shows there. Raw pointers, no allocation, cannot fail.
 *
 * Everything is float and unfused, every root and quotient correctly rounded: the variants give the
 * same bits as the reference. Lengths n are multiples of AQM_PAINT_LANES. */
#ifndef AQM_KERNELS_PAINT_KERNELS_H
#define AQM_KERNELS_PAINT_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/fusion_kernels.h"

enum {
    AQM_PAINT_LANES = 8,
    AQM_PAINT_BLOCK = 256,   /* vertices that are painted together */
    AQM_PAINT_POWERS = 1024, /* steps of the cosine from 0 to 1 */
    AQM_SIGHT_CELL = 2       /* px from one cell of what lies nearest to the next */
};

/* Vertices: positions and unit normals. */
typedef struct AqmPaintPoints {
    const float *position[3], *normal[3];
} AqmPaintPoints;

/* How a camera sees vertices. */
typedef struct AqmPaintSights {
    float *u, *v;   /* px; NaN where it does not see one */
    float *depth;   /* along the ray in water, from the surface, metres */
    float *facing;  /* cosine between the ray, back to the camera, and the normal */
    float *density; /* px, in the image, of a metre across the ray */
} AqmPaintSights;

/* A grid of cells: cell (i, j) is centred on pixel (AQM_SIGHT_CELL i, AQM_SIGHT_CELL j). Its number
 * is j columns + i; `none` is that of what lies in no cell. */
typedef struct AqmPaintCells {
    int32_t columns, rows, none;
} AqmPaintCells;

/* The image of a camera, and what it may be used for. */
typedef struct AqmPaintView {
    int32_t width, height;
    const void *pixels;
    size_t stride; /* bytes */
    int channels;  /* 1 or 3 */
    bool is_16_bit;
    float scale;          /* of its values, to 0..255 */
    const uint8_t *mask;  /* NULL = none; else 0 = nothing is seen there */
    size_t mask_stride;   /* bytes */
    float inverse_border; /* 1 / px from the border of the image to where it counts in full */
    /* The nearest depth around the pixels (2i .. 2i + 1, 2j .. 2j + 1) at [j columns + i]. */
    const float *nearest;
    int32_t columns;
} AqmPaintView;

/* What counts how much. */
typedef struct AqmPaintRules {
    float least_facing;
    float least_weight; /* of a view at its very border */
    /* What lies farther than the nearest by this, or `tolerance_px` over the density, is hidden. */
    float tolerance_m, tolerance_px;
    float powers[AQM_PAINT_POWERS + 1]; /* weights of the cosines i / AQM_PAINT_POWERS */
} AqmPaintRules;

/* Sums over the views: of weights, of the colours times them, and how many see each vertex. */
typedef struct AqmPaintSums {
    float *weight, *color[3];
    int32_t *views;
} AqmPaintSums;

typedef struct AqmPaintKernels {
    const char *name;

    /* Three Newton steps (geometry/refraction.h): pixels within 2e-3 px in a ring rig's working
     * volume, all of it rounding. Points that are not under water or not before the camera are not
     * seen. */
    void (*sights)(const AqmSightCamera *camera, const AqmPaintPoints *points, size_t n,
                   const AqmPaintSights *sights);

    /* The same without the normals: facing and density are not written, but the number of the cell
     * each vertex lies in. */
    void (*places)(const AqmSightCamera *camera, const AqmPaintCells *cells,
                   const float *const position[3], size_t n, const AqmPaintSights *sights,
                   int32_t *cell);

    /* The weight of the view at each vertex: 0 where it lies outside of the image or the mask, is
     * turned away, or something lies before it; else the cosine's power, taken linearly between
     * those of the rules, times the density squared, times 0..1 over the border (smoothstep), plus
     * the least. Returns how many weights are not 0. */
    size_t (*weigh)(const AqmPaintView *view, const AqmPaintRules *rules,
                    const AqmPaintSights *sights, size_t n, float *weight);

    /* Adds what the view shows (bilinear) where its weight is not 0. */
    void (*blend)(const AqmPaintView *view, const float *u, const float *v, const float *weight,
                  size_t n, const AqmPaintSums *sums);
} AqmPaintKernels;

/* The fastest table this processor can run (features as aqm_cpu_features gives them). */
const AqmPaintKernels *aqm_paint_kernels(unsigned cpu_features);

extern const AqmPaintKernels aqm_paint_kernels_reference;
#if defined(__x86_64__)
extern const AqmPaintKernels aqm_paint_kernels_avx2;
#endif

#endif
