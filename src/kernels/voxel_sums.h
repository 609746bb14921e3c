/* What fusion sums up voxel by voxel, and where a voxel stands in a hash table. */
#ifndef AQM_KERNELS_VOXEL_SUMS_H
#define AQM_KERNELS_VOXEL_SUMS_H

#include <math.h>
#include <stdint.h>

/* Voxels are cubes whose corners lie at multiples of `size_m` in the rig frame: the grid does not
 * depend on the data. They are numbered from a corner near it. */
typedef struct AqmVoxelGrid {
    double size_m, per_m; /* and its inverse */
    double corner[3];     /* in voxels */
} AqmVoxelGrid;

/* Each times the point's weight: its confidence times its views. Positions in the voxel, in its
 * sides. */
enum {
    AQM_SUM_WEIGHT,
    AQM_SUM_POSITION,
    AQM_SUM_CONFIDENCE = AQM_SUM_POSITION + 3,
    AQM_SUM_NORMAL,
    AQM_SUM_COLOR = AQM_SUM_NORMAL + 3,
    AQM_SUM_DEVIATION = AQM_SUM_COLOR + 3,
    AQM_VOXEL_SUMS
};

/* A voxel with the sums over its points, or a single point bound for it. 64 bytes: a line of the
 * cache. */
typedef struct AqmVoxelSums {
    int32_t index[3];
    uint32_t views; /* most of any point */
    float sums[AQM_VOXEL_SUMS];
} AqmVoxelSums;

/* Where to look for a voxel: from which slot on (modulo their number), and for which tag, which
 * tells most other voxels apart. */
typedef struct AqmVoxelPlace {
    uint32_t first, tag;
} AqmVoxelPlace;

/* Cubes of 4 x 4 x 4 voxels are scattered; within one the voxels stand side by side, so that those
 * of a tile share lines of the cache. Next to each other are those above each other: of these a
 * surface fills few, and a probe that finds its slot taken soon finds a free one. */
static inline AqmVoxelPlace aqm_voxel_place(int32_t x, int32_t y, int32_t z) {
    const uint32_t i = (uint32_t)x, j = (uint32_t)y, k = (uint32_t)z;
    const uint32_t within = (j & 3) << 4 | (i & 3) << 2 | (k & 3);
    const uint32_t a = i >> 2, b = j >> 2, c = k >> 2;
    uint32_t h = a * 0x9e3779b1u + b * 0x85ebca77u + c * 0xc2b2ae3du;
    h = (h ^ h >> 15) * 0x2c1b3c6du;
    h = (h ^ h >> 12) * 0x297a2d39u;
    h ^= h >> 15;
    const uint32_t tag = a + b * 0x0001f35du + c * 0x00d7b5a9u;
    return (AqmVoxelPlace){h << 6 | within, tag << 6 | within};
}

/* A coordinate in voxels from the grid's corner; beyond 2^30 voxels from it all are one. */
static inline double aqm_voxel_held(double cells) {
    const double above = cells > -0x1p30 ? cells : -0x1p30; /* NaN too */
    return above < 0x1p30 ? above : 0x1p30;
}

/* The number of the voxel along an axis: 0 X, 1 Y, 2 Z. */
static inline int32_t aqm_voxel_index(const AqmVoxelGrid *grid, int axis, float coordinate) {
    return (int32_t)floor(aqm_voxel_held((double)coordinate * grid->per_m - grid->corner[axis]));
}

#endif
