/* Ball pivoting, internal: points sorted into cubic cells. Only cells that hold points exist, so a
 * few points far away cost next to nothing. */
#ifndef AQM_STAGES_SURFACE_BPA_GRID_H
#define AQM_STAGES_SURFACE_BPA_GRID_H

#include <stddef.h>
#include <stdint.h>

#include "aquamvs/status.h"

#define AQM_BPA_NONE UINT32_MAX

enum { AQM_BPA_ROWS = 9 };

typedef struct AqmBpaCell {
    int32_t x, y, z; /* the cube from cell_m x to cell_m (x + 1), and so on */
    uint32_t first;  /* its first place; the next cell's is behind its last */
} AqmBpaCell;

/* Cells begin..end - 1, neighbours along X, so that their places follow each other. */
typedef struct AqmBpaRow {
    uint32_t begin, end;
} AqmBpaRow;

/* A place is where a point stands in the order of the cells. */
typedef struct AqmBpaGrid {
    double cell_m;
    size_t count, cell_count;
    AqmBpaCell *cells;                 /* by y, z, x; one more behind the last */
    AqmBpaRow (*around)[AQM_BPA_ROWS]; /* of each cell: the 3 x 3 x 3 cells around it, in rows */
    size_t most_around;                /* points in any of these */
    float *x, *y, *z;                  /* by place */
    uint32_t *point;                   /* by place: index of the point */
    uint32_t *cell_of;                 /* by point; AQM_BPA_NONE for one that is left out */
} AqmBpaGrid;

/* Of the points `which` (NULL = all), `count` of them; those that are not finite or farther than
 * 2^30 cells from the origin are left out. point_count: how many there are in all. MEMORY; ARGUMENT
 * for 2^32 - 1 points or more. */
AqmStatus aqm_bpa_grid_create(AqmBpaGrid **out, const float *position, size_t point_count,
                              const uint32_t *which, size_t count, double cell_m, int threads,
                              AqmDiag *diag);
void aqm_bpa_grid_destroy(AqmBpaGrid **grid);

/* The places within `reach_m` of `center` (and perhaps a few just beyond) in the cells around
 * `cell`, into `places` (room for most_around); returns how many. */
size_t aqm_bpa_grid_within(const AqmBpaGrid *grid, uint32_t cell, const double center[3],
                           double reach_m, uint32_t *places);

/* Chooses points no two of which are nearer than distance_m <= cell_m, but that those with
 * fixed[point] != AQM_BPA_NONE (NULL: there are none such) stay wherever they are: a point stays
 * unless one that stays and is fixed, or stands before it in the order of the cells, is nearer.
 * Their indices, in that order, go to `chosen` (room for `count`), how many to chosen_count.
 * MEMORY. */
AqmStatus aqm_bpa_grid_thin(const AqmBpaGrid *grid, double distance_m, const uint32_t *fixed,
                            uint32_t *chosen, size_t *chosen_count, AqmDiag *diag);

#endif
