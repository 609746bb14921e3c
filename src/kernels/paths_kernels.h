/* The inner loops of semi-global matching: raw pointers, no allocation, cannot fail. References and
 * variants as in kernels.h; everything is integer and agrees bit for bit.
 *
 * A pixel has `planes` costs side by side (a multiple of AQM_COST_MULTIPLE; entries beyond the last
 * real plane hold 255). Along a path from neighbour q to pixel p (Hirschmueller 2008, eq. 13)
 *
 *     L(p, d) = C(p, d) + min(L(q, d), L(q, d -+ 1) + P1, min_k L(q, k) + P2) - min_k L(q, k)
 *
 * which is at most AQM_COST_MISSING + P2 and so fits a byte.
 *
 * With a surface S (a plane number for every pixel) "the same plane" means the same distance from
 * it: L(q, d) above becomes L(q, d + S(q) - S(p)), and what lies beyond the planes 255, so that
 * following the surface costs nothing however steep it is (Scharstein, Taniai & Sinha 2017). */
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
    AQM_PATH_SHIFT_MAX = 14, /* of S from one pixel to the next; larger ones count as this */
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
    /* S of the row and of the row before (NULL there for the first row). Both NULL: level. */
    const int16_t *surface, *surface_before;
} AqmPass;

/* What the plane number of a path that reaches pixel x changes by, seen from the pixel it comes
 * from; 0 where that lies outside. `from_row`: the surface of that pixel's row, or NULL. */
static inline ptrdiff_t aqm_path_shift(const AqmPass *pass, const int16_t *from_row, ptrdiff_t from,
                                       ptrdiff_t x) {
    if (!from_row || from < 0 || from >= (ptrdiff_t)pass->width)
        return 0;
    const int shift = from_row[from] - pass->surface[x];
    return shift < -AQM_PATH_SHIFT_MAX  ? -AQM_PATH_SHIFT_MAX
           : shift > AQM_PATH_SHIFT_MAX ? AQM_PATH_SHIFT_MAX
                                        : shift;
}

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
