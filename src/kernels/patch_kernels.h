/* The inner loops of features and their matching: small patches of images. Raw pointers, no
 * allocation, cannot fail; the variants give the same bits as the reference. */
#ifndef AQM_KERNELS_PATCH_KERNELS_H
#define AQM_KERNELS_PATCH_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum { AQM_PATCH_BLOCK = 8 };

/* A grid of side x side samples, (dx, dy) from each to the next along a row, (-dy, dx) from row to
 * row; (x, y) is its first. */
typedef struct AqmPatchGrid {
    float x, y, dx, dy;
    int side;
} AqmPatchGrid;

/* Where samples lie in an image: at (x, y) + M (right, down) from a whole pixel. */
typedef struct AqmPatchPlace {
    float x, y, M[4];
} AqmPatchPlace;

typedef struct AqmPatchKernels {
    const char *name;

    /* Bilinear samples of a level (stride in values) at the places of a grid, row by row. Every
     * place lies at 0 or more and before the last column and row. */
    void (*grid)(const float *level, size_t stride, const AqmPatchGrid *grid, float *out);

    /* Of n values in a row of a patch whose rows lie `pitch` apart: the length of the central
     * difference (x: the value after less that before; y: that below less that above) and its
     * direction in turns, 0 .. 1, with an error below 2e-4. A gradient of 0 has the direction 0. */
    void (*gradients)(const float *patch, size_t pitch, size_t n, float *size, float *turn);

    /* Samples by Keys' cubic (1981, a = -1/2) at n places, n a multiple of AQM_PATCH_BLOCK.
     * `pixel`: the whole pixel that places count from. The pixels from one before to two after
     * each place can be read. |place| < 2^15 pixels. */
    void (*cubic)(const uint8_t *pixel, size_t stride, const AqmPatchPlace *place,
                  const float *right, const float *down, size_t n, float *out);
} AqmPatchKernels;

/* The fastest table this processor can run (features as aqm_cpu_features gives them). */
const AqmPatchKernels *aqm_patch_kernels(unsigned cpu_features);

extern const AqmPatchKernels aqm_patch_kernels_reference;
#if defined(__x86_64__)
extern const AqmPatchKernels aqm_patch_kernels_avx2;
#endif

#endif
