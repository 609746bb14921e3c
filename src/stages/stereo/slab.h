/* Neighbouring planes of a sweep sampled out of one resampled picture; the method is told in
 * slab.c.
 */
#ifndef AQM_STEREO_SLAB_H
#define AQM_STEREO_SLAB_H

#include "stages/stereo/knots.h"

enum {
    AQM_SLAB_MARGIN = AQM_KNOT_MARGIN * AQM_KNOT, /* of the picture around the tile, pixels */
    AQM_SLAB_BLOCK = AQM_ROW_MULTIPLE,            /* as wide as the kernel has them, and as high */
    AQM_SLAB_BLOCKS_X = (AQM_TILE_WIDTH + 48) / AQM_SLAB_BLOCK,
    AQM_SLAB_BLOCKS_Y = (AQM_TILE_HEIGHT + 32) / AQM_SLAB_BLOCK,
    AQM_SLAB_BLOCKS = AQM_SLAB_BLOCKS_X * AQM_SLAB_BLOCKS_Y,
    AQM_SLAB_ROWS = AQM_TILE_HEIGHT + 32 + 2 * AQM_SLAB_MARGIN
};

/* What the slabs of all sources share while a tile is at work. */
typedef struct AqmSlabGrid {
    AqmKnots wide;                                      /* the tile's, with the margin */
    AqmKnots centers;                                   /* of the blocks */
    float u[AQM_TILE_WIDTH + 48 + 2 * AQM_SLAB_MARGIN]; /* a row of positions */
    float v[AQM_TILE_WIDTH + 48 + 2 * AQM_SLAB_MARGIN];
} AqmSlabGrid;

void aqm_slab_grid_cast(AqmSlabGrid *grid, const AqmView *view, const AqmTile *tile);

/* One source resampled for the planes first .. end - 1. */
typedef struct AqmSlab {
    int first, end; /* empty: none yet */
    bool is_usable; /* no plane moves too far, and all blocks can be found; else nothing below
                       counts */
    bool is_seen;   /* by the source, at least in part; else there is no picture */
    bool is_whole;  /* nothing is missing in the picture */
    int blocks_x, blocks_y;
    ptrdiff_t stride;
    int16_t *picture;               /* the tile with the margin */
    double middle, half;            /* planes */
    float odd[2][AQM_SLAB_BLOCKS];  /* a block of plane `middle + half t` lies odd t + even t^2 */
    float even[2][AQM_SLAB_BLOCKS]; /* pixels to the right (0) and down (1) of its place */
    float knots[3][2][AQM_KNOTS];   /* where the picture has gaps, the grid's knots' u (0) and v (1)
                                       at   plane `middle + half t`: [0] + t [1] + t^2 [2] */
    uint32_t gaps[AQM_SLAB_ROWS];   /* of the picture's rows that blocks which start here take, the
                                       blocks of columns that miss a pixel */
    uint32_t seen[AQM_SLAB_ROWS];   /* of these rows and two more to either side, those that have
                                       one */
    AqmShift shifts[AQM_SLAB_BLOCKS]; /* of the plane at work */
    /* of each row of blocks there, those that may miss a pixel and those that have none */
    uint32_t mixed[AQM_SLAB_BLOCKS_Y], blank[AQM_SLAB_BLOCKS_Y];
    bool has_mixed; /* any of them */
} AqmSlab;

/* How many planes make a slab; 0: they lie too far apart for any. */
int aqm_slab_planes(const AqmPlanes *planes);

size_t aqm_slab_picture_size(const AqmSweep *sweep); /* pixels, for the largest tile */

/* Resamples the source for planes first .. end - 1; the picture is the caller's. */
void aqm_slab_load(AqmSlab *slab, AqmSlabGrid *grid, const AqmSweep *sweep, const AqmTile *tile,
                   const AqmSweepSource *source, const AqmPlanes *planes, int first, int end);

/* Puts the blocks where plane `plane` of the slab has them. */
void aqm_slab_move(AqmSlab *slab, int plane);

/* Warps the knots of the tile to that plane, where the picture has gaps. */
void aqm_slab_warp(const AqmSlab *slab, const AqmSlabGrid *grid, int plane, AqmKnots *knots);

/* Rows row .. row + count - 1 of the tile at that plane, all of a row of blocks: tile->pitch
 * samples each, those beyond the columns 0 where any is missing; and what gaps they have. */
void aqm_slab_rows(const AqmSlab *slab, const AqmKernels *kernels, const AqmTile *tile, int row,
                   int count, int16_t *out, AqmRowGaps *gaps);

#endif
