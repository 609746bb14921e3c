/* The inner loops of semi-global matching: raw pointers, no allocation, cannot fail. References and
 * variants as in kernels.h; everything is integer and agrees bit for bit.
 *
 * A pixel has `planes` costs side by side (a multiple of AQM_COST_MULTIPLE; entries beyond the last
 * real plane hold 255). Along a path from neighbour q to pixel p (Hirschmueller 2008, eq. 13)
 *
 *     L(p, d) = C(p, d) + min(L(q, d), L(q, d -+ 1) + P1, min_k L(q, k) + P2) - min_k L(q, k)
 *
 * which is at most AQM_COST_MISSING + P2 and so fits a byte. */
#ifndef AQM_KERNELS_PATHS_KERNELS_H
#define AQM_KERNELS_PATHS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum {
    AQM_COST_MULTIPLE = 32,
    AQM_COST_MAX = 120,      /* of a score of -1; a score of 1 costs nothing */
    AQM_COST_MISSING = 110,  /* not seen there: nearly as bad */
    AQM_COST_JUMP_MAX = 120, /* P2 */
    AQM_PATH_PAD = 16,       /* bytes of 255 around a pixel's path costs */
};

/* Path costs of one row of pixels in one direction: pixel x has its `planes` bytes at cost + x *
 * pitch, with AQM_PATH_PAD bytes of 255 before and after, x = -1 .. width; those outside the image
 * are 0. `least`: the smallest of each pixel, x = -1 .. width. */
typedef struct AqmPathRow {
    uint8_t *cost, *least;
} AqmPathRow;

/* A pass over the image in the direction `step`: +1 goes down and to the right, -1 up and to the
 * left. Paths 0, 1, 2 come from the row before at x - step, x, x + step. */
typedef struct AqmPass {
    size_t width, planes, pitch; /* pitch: planes + 2 * AQM_PATH_PAD */
    int step;
    uint8_t jump_one;     /* P1 */
    const uint8_t *jump;  /* P2 of each pixel of the row */
    AqmPathRow before[3]; /* of the row before; for the first row all zero but the pads */
    AqmPathRow now[3];    /* filled */
    AqmPathRow along;     /* the path within the row: two entries, x = 0 and 1 */
} AqmPass;

typedef struct AqmPathKernels {
    const char *name;

    /* Carries the four paths of a pass over one row of costs (width x planes bytes) and adds their
     * costs to `sum` (the same shape; NULL: not wanted). */
    void (*aggregate)(const AqmPass *pass, const uint8_t *cost, uint16_t *sum);

    /* The first of the smallest of n sums; n a multiple of 32. */
    size_t (*lowest)(const uint16_t *sum, size_t n);
} AqmPathKernels;

const AqmPathKernels *aqm_path_kernels(unsigned cpu_features);

extern const AqmPathKernels aqm_path_kernels_reference;
#if defined(__x86_64__)
extern const AqmPathKernels aqm_path_kernels_avx2;
#endif

#endif
