/* The sweep over tiles of the reference image; the method is told in sweep.c.
 *
 * Inside this stage a hypothesis is `h`, metres straight down from the water surface; ray depth is
 * h / d_z with d the refracted ray's unit direction. */
#ifndef AQM_STEREO_SWEEP_H
#define AQM_STEREO_SWEEP_H

#include "kernels/near_kernels.h"
#include "kernels/paths_kernels.h"
#include "stages/stereo/stereo_image.h"

enum { AQM_SOURCES_MAX = 64 };

typedef struct AqmSweepSource {
    AqmProjector projector;
    const AqmStereoImage *image;
} AqmSweepSource;

typedef struct AqmSweep {
    const AqmKernels *kernels;
    const AqmNearKernels *near_kernels;
    const AqmView *view; /* reference */
    const AqmStereoImage *image;
    AqmSweepSource *sources; /* in the order of preference, spares last */
    size_t source_count, spare_count;
    size_t most; /* sources a tile may have */
    AqmCost cost;
    int window, threads;
    double disparity_scale; /* px of the farthest source per unit of 1 / apparent depth */
    double median_scale;    /* the same of the source in the middle, or the one above it */
} AqmSweep;

AqmStatus aqm_sweep_create(AqmSweep **out, const AqmStereoView *views, size_t reference,
                           const size_t *sources, size_t source_count, size_t spare_count,
                           AqmCost cost, int window, int threads, AqmDiag *diag);
void aqm_sweep_destroy(AqmSweep **sweep);

/* Horizontal planes h_k, evenly spaced in 1 / (h_c + h / n). */
typedef struct AqmPlanes {
    double inverse_first, inverse_step; /* of 1 / apparent depth; step < 0 */
    double camera_height_m, n;
    int count;
    double step_px; /* largest move of a source pixel from one plane to the next, about */
} AqmPlanes;

AqmPlanes aqm_planes(const AqmSweep *sweep, double h_min_m, double h_max_m, int count);
double aqm_plane_h(const AqmPlanes *planes, double index);
/* The number of planes that keeps step_px at `step_px`. */
int aqm_plane_count_for(const AqmSweep *sweep, double h_min_m, double h_max_m, double step_px);

/* Searches all planes at every reference pixel; h (NaN = none) and confidence: height x width. */
AqmStatus aqm_sweep_planes(const AqmSweep *sweep, const AqmPlanes *planes, int batch, float *h,
                           float *confidence, AqmDiag *diag);

/* Costs of all planes at every pixel: rows of width x pitch bytes, planes side by side. */
typedef struct AqmCostVolume {
    int width, height;
    size_t pitch; /* planes, rounded up to AQM_COST_MULTIPLE */
    uint8_t *cost;
    const float *weight; /* width x height, 0..1: how much a pixel's scores are worth */
} AqmCostVolume;

static inline uint8_t *aqm_cost_volume_at(const AqmCostVolume *volume, int x, int y) {
    return volume->cost + ((size_t)y * (size_t)volume->width + (size_t)x) * volume->pitch;
}

/* Cost of a joined score times `weight`: 0 (1) .. AQM_COST_MAX (-1), or AQM_COST_MISSING. */
static inline uint8_t aqm_cost_of(int16_t score, float weight) {
    return score == AQM_SCORE_MISSING
               ? AQM_COST_MISSING
               : (uint8_t)(0.5f * AQM_COST_MAX * (1.0f - weight * aqm_score_value(score)) + 0.5f);
}

/* Fills the volume with the costs of all planes; entries beyond planes->count are left alone. */
AqmStatus aqm_sweep_volume(const AqmSweep *sweep, const AqmPlanes *planes, int batch,
                           const AqmCostVolume *volume, AqmDiag *diag);

/* Metres of h that move a source pixel by one pixel at depth h, about. */
double aqm_sweep_metres_per_px(const AqmSweep *sweep, double h);

/* ---- tiles, shared by both ------------------------------------------------------------------- */

enum {
    AQM_TILE_WIDTH = 336,
    AQM_TILE_HEIGHT = 96,
    AQM_TILE_ROWS = AQM_TILE_HEIGHT + 30, /* with the halo of the largest window, 31 px */
    AQM_KNOT = 8,
    AQM_LEAST_WHOLE = 64, /* windows across, of what is scored as a whole */
};

typedef struct AqmTile {
    int x0, y0, width, height; /* output pixels */
    int radius;                /* half window */
    int columns, rows;         /* with the halo */
    size_t pitch;              /* columns rounded up to AQM_ROW_MULTIPLE */
} AqmTile;

/* Which blocks of AQM_ROW_MULTIPLE columns need masked sums, as a tile is gone through row by row.
 */
typedef struct AqmMasks {
    uint32_t gaps[AQM_TILE_ROWS]; /* blocks with a gap, of every row so far: set by the caller */
    int last_gap;                 /* the last row that has one */
    uint32_t windows;             /* blocks of windows that have a gap */
    uint32_t columns;             /* blocks of columns that keep the masked sums */
    int alike;                    /* rows before the last one with the same gaps */
} AqmMasks;

void aqm_masks_start(AqmMasks *masks, int window);
/* Moves the masks down to row r, whose gaps are there. */
void aqm_masks_move(AqmMasks *masks, int r, int window);
/* Of the blocks of a row whose bits are set, those that miss a pixel; count: all blocks. */
uint32_t aqm_gaps_in(const AqmKernels *kernels, const int16_t *row, uint32_t blocks, size_t count);
/* The end of the run of equal bits that starts at `first`, at most `count`. */
size_t aqm_run_end(uint32_t bits, size_t first, size_t count);

/* A source at one plane, sampled over a tile. */
typedef struct AqmSampled {
    int16_t *grays;                /* rows x pitch */
    uint32_t empty[AQM_TILE_ROWS]; /* of each row, the blocks that have no pixel */
    AqmMasks masks;
    bool has_gaps; /* or the reference has */
    int16_t *score;
} AqmSampled;

/* Some of the windows of a tile: x0 .. x1 - 1, y0 .. y1 - 1. */
typedef struct AqmPart {
    int x0, y0, x1, y1;
} AqmPart;

/* What one thread needs to score a tile; sized for the largest tile of the sweep. */
typedef struct AqmTileScratch {
    int16_t *reference;    /* rows x pitch */
    AqmSampled sampled[2]; /* the first `waiting` are there to be scored */
    size_t waiting;
    uint32_t reference_gaps[AQM_TILE_ROWS];  /* of each row, the blocks that miss a pixel */
    uint32_t reference_holes[AQM_TILE_ROWS]; /* the same, but for what is in `beyond` */
    AqmBeyond outside; /* pixels along the tile's ends that lie outside of the reference image */
    AqmBeyond beyond;  /* the same, if the kernels know of them: they are no gaps then */
    int16_t *blank, *missing; /* a row of zeros, a row of missing pixels */
    float *u, *v;             /* a row of positions */
    AqmColumnSums sums;       /* pitch each, in one block at sums.j */
    size_t sums_size;         /* of that block, bytes */
    int32_t *box;
    void *whole;        /* what whole_ncc keeps of the reference */
    bool has_holes;     /* any in reference_holes */
    bool can_be_whole;  /* worth it */
    AqmPart loaded;     /* of the reference that `whole` holds */
    bool drops_partial; /* blocks of windows of which a source misses a pixel get no score of it */
    int16_t *reference_mean, *reference_rest; /* height x AQM_TILE_WIDTH, as kernels.h has them */
    float *reference_variance, *reference_inverse; /* height x AQM_TILE_WIDTH */
    AqmSweepSource *sources;                       /* of the tile */
} AqmTileScratch;

/* The sweep with the sources of one tile: the first ones that see it at about depth h, as many as
 * make up for those that do not. `room`: sweep->most sources. */
AqmSweep aqm_sweep_for_tile(const AqmSweep *sweep, const AqmTile *tile, double h,
                            AqmSweepSource *room);

/* Whether some sources see all of the tile, from depth h_min to h_max, as many as are joined: what
 * another sees of a window in part then only costs time. */
bool aqm_tile_has_enough(const AqmSweep *sweep, const AqmTile *tile, double h_min, double h_max);

size_t aqm_sweep_tile_count(const AqmView *view);
AqmTile aqm_sweep_tile(const AqmSweep *sweep, size_t index);
/* Any rectangle of the image, at most AQM_TILE_WIDTH x AQM_TILE_HEIGHT. */
AqmTile aqm_sweep_tile_at(const AqmSweep *sweep, int x0, int y0, int width, int height);
AqmStatus aqm_sweep_tile_scratch_create(AqmTileScratch *scratch, const AqmSweep *sweep,
                                        AqmDiag *diag);
void aqm_sweep_tile_scratch_free(AqmTileScratch *scratch);

/* Copies the reference region in and takes the statistics of its whole windows. */
void aqm_sweep_tile_load(const AqmSweep *sweep, AqmTile *tile, AqmTileScratch *scratch);

/* Sets to 0 what of row r of a tile lies beyond; of the row's gaps, those that are left. */
uint32_t aqm_tile_gaps_within(const AqmKernels *kernels, const AqmTile *tile,
                              const AqmBeyond *beyond, int r, uint32_t gaps, int16_t *row);

/* The gaps of a row of a sampled tile: blocks that miss a pixel, and those of them that have none.
 */
typedef struct AqmRowGaps {
    uint32_t any, all;
} AqmRowGaps;

enum { AQM_SAMPLED_ROWS = 16 }; /* at once */

/* Samples rows row .. row + count - 1 of a source, tile->pitch grays each, and finds their gaps;
 * row: a multiple of AQM_SAMPLED_ROWS, count: that many, or what is left of the tile. */
typedef void (*AqmSampleRows)(const void *context, int row, int count, int16_t *out,
                              AqmRowGaps *gaps);

/* Samples a source over the tile, to score all windows against it: soon, or with what is added
 * next; aqm_sweep_tile_finish leaves nothing unscored. score: height x AQM_TILE_WIDTH. */
void aqm_sweep_tile_add_rows(const AqmSweep *sweep, const AqmTile *tile, AqmSampleRows sample,
                             const void *context, AqmTileScratch *scratch, int16_t *score);
void aqm_sweep_tile_finish(const AqmSweep *sweep, const AqmTile *tile, AqmTileScratch *scratch);

/* Fills u, v of one row (0 .. tile->rows - 1) of positions in the source. */
typedef void (*AqmRowPositions)(const void *context, int row, float *u, float *v);

/* The same of a source at the given positions. `is_inside`: all positions lie inside the source and
 * on present pixels. */
void aqm_sweep_tile_add(const AqmSweep *sweep, const AqmTile *tile, const AqmSweepSource *source,
                        bool is_inside, AqmRowPositions positions, const void *context,
                        AqmTileScratch *scratch, int16_t *score);

/* Confidence of a maximum `best` with the best maximum elsewhere and the drop in score a pixel away
 * from it. */
float aqm_match_confidence(float best, float second, float drop_px);

/* Peak of the parabola through scores at -1, 0, 1, in -0.5..0.5. */
float aqm_parabola_peak(float below, float best, float above);

#endif
