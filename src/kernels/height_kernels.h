/* The inner loops of the heightfield's local fits. Raw pointers, no allocation, cannot fail.
 * Floats, unfused; sums run in AQM_HEIGHT_LANES interleaved parts that are added in order, so the
 * variants give the same bits as the reference. */
#ifndef AQM_KERNELS_HEIGHT_KERNELS_H
#define AQM_KERNELS_HEIGHT_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum {
    AQM_HEIGHT_LANES = 8,
    AQM_HEIGHT_MOMENTS = 15, /* of 1, x, y, xx, xy, yy, xxx .. yyy, xxxx .. yyyy */
    AQM_HEIGHT_TERMS = 6,    /* 1, x, y, xx, xy, yy */
    AQM_HEIGHT_COLOR_SUMS = 6
};

/* Points to choose from; AQM_HEIGHT_LANES more of each are readable. color: R, G, B from the lowest
 * byte on, and the point's standard deviation as in deviation_code.h, 0 = not known. */
typedef struct AqmHeightPoints {
    float *x, *y, *z, *weight;
    uint32_t *color;
} AqmHeightPoints;

/* The points of a window: `count` of them, room for AQM_HEIGHT_LANES more. Where kernels read up to
 * the next multiple of AQM_HEIGHT_LANES, `base` is 0 there and z finite. */
typedef struct AqmHeightWindow {
    size_t count;
    float *x, *y;    /* relative to the node, in radii: x^2 + y^2 < 1 */
    float *z;        /* metres */
    float *base;     /* weight a priori, times the kernel (1 - x^2 - y^2)^3 */
    float *robust;   /* weight in the end: base times Tukey's biweight, 0 for outliers */
    float *error;    /* what `errors` makes */
    uint32_t *color; /* as AqmHeightPoints */
} AqmHeightWindow;

/* Over the points that are no outliers. */
typedef struct AqmHeightSums {
    float moments[AQM_HEIGHT_MOMENTS]; /* of the robust weights */
    float heights[AQM_HEIGHT_TERMS];   /* the same times z, up to the second order */
    float squares;                     /* the robust weights times z^2 */
    int32_t inliers;
    float reach;    /* the largest of x, -x, y, -y and along the diagonals, in the least of these */
    float nearest2; /* the smallest x^2 + y^2 */
} AqmHeightSums;

typedef struct AqmHeightKernels {
    const char *name;

    /* Appends those of the points first .. end - 1 that lie within a radius of (x, y) to the
     * window, in their order. */
    void (*collect)(const AqmHeightPoints *points, size_t first, size_t end, float x, float y,
                    float inverse_radius, AqmHeightWindow *window);

    /* Robust weights from the residuals of surface c, an outlier's is 1 / inverse_cut or more; and
     * the sums: of moments up to the second order and heights up to the first where `is_plane`. */
    void (*weigh)(AqmHeightWindow *window, const float c[AQM_HEIGHT_TERMS], float inverse_cut,
                  int is_plane, AqmHeightSums *sums);

    /* |z - c(x, y)| where the robust weight is not 0, INFINITY elsewhere, also up to the next
     * multiple of AQM_HEIGHT_LANES. */
    void (*errors)(AqmHeightWindow *window, const float c[AQM_HEIGHT_TERMS]);

    /* Sums of the squared robust weights: of R, G, B times them, of them alone, of the known
     * standard deviations times them, and of those that have one alone. */
    void (*colors)(const AqmHeightWindow *window, float sums[AQM_HEIGHT_COLOR_SUMS]);
} AqmHeightKernels;

/* The fastest table this processor can run (features as aqm_cpu_features gives them). */
const AqmHeightKernels *aqm_height_kernels(unsigned cpu_features);

extern const AqmHeightKernels aqm_height_kernels_reference;
#if defined(__x86_64__)
extern const AqmHeightKernels aqm_height_kernels_avx2;
#endif

#endif
