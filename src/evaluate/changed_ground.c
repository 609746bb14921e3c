/* Where a mound comes or goes the bed is steeper, and errors are larger, than on the stable ground
 * where they are measured: 35 to 40 against 16 to 20 micrometres on slopes of 20 degrees of ring12.
 * Hugonnet et al. (2022) model sigma over slope and curvature; slopes that the stable ground does
 * not have cannot be learned from it, so the changed ground is asked itself. A change is smooth
 * over some cells, errors are not: fourth differences
 *
 *     q = |d(-4) - 4 d(-2) + 6 d(0) - 4 d(2) + d(4)| / sigma        (cells along X and along Y)
 *
 * take away what is cubic over 8 cells (of a mound of 30 mm and 50 mm sigma they leave 4
 * micrometres at steps of 2 mm) and keep the errors. The factor is the median q in a window of 24 x
 * 24 cells over that of the stable ground, in 1..4: edges fill a small part of a window, and where
 * the change itself is so rough that q says nothing of errors, the sigmas are 4 times as large and
 * no more. Cost: 9 cells of a window a cell. */
#include "evaluate/changed_ground.h"

#include <math.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "math/stats.h"

enum { LAG = 2, TILE = 8, WINDOW = 24, FEWEST = 40 };
static const double largest = 4.0;

/* The fourth difference along one direction (stride in cells); NaN where a part is not known. */
static double fourth_difference(const float *z, size_t at, size_t stride) {
    const float *p = z + at;
    const ptrdiff_t s = (ptrdiff_t)(LAG * stride);
    return (double)p[-2 * s] - 4.0 * (double)p[-s] + 6.0 * (double)p[0] - 4.0 * (double)p[s] +
           (double)p[2 * s];
}

static double roughness_at(const AqmHeightMap *map, const float *sigma, int i, int j) {
    const size_t at = (size_t)j * (size_t)map->columns + (size_t)i;
    double along_x = NAN, along_y = NAN;
    if (i >= 2 * LAG && i + 2 * LAG < map->columns)
        along_x = fabs(fourth_difference(map->z_m, at, 1));
    if (j >= 2 * LAG && j + 2 * LAG < map->rows)
        along_y = fabs(fourth_difference(map->z_m, at, (size_t)map->columns));
    const double q = isnan(along_x)   ? along_y
                     : isnan(along_y) ? along_x
                                      : 0.5 * (along_x + along_y);
    return q / (double)sigma[at];
}

/* Median of what is known on the stable ground; 0 where nothing is. */
static double stable_roughness(const float *roughness, const uint8_t *stable, size_t cells,
                               double *sorted) {
    size_t count = 0;
    for (size_t c = 0; c < cells; c++)
        if (stable[c] && !isnan(roughness[c]))
            sorted[count++] = (double)roughness[c];
    return count >= FEWEST ? aqm_percentile_f64(sorted, count, 50.0) : 0.0;
}

/* Median of the changed cells around the tile that begins at (i0, j0); NaN for too few. */
static double tile_roughness(const AqmHeightMap *map, const float *roughness, const uint8_t *stable,
                             int i0, int j0, double *sorted) {
    enum { MARGIN = (WINDOW - TILE) / 2 };
    size_t count = 0;
    for (int j = j0 - MARGIN; j < j0 + TILE + MARGIN; j++)
        for (int i = i0 - MARGIN; i < i0 + TILE + MARGIN; i++) {
            if (i < 0 || j < 0 || i >= map->columns || j >= map->rows)
                continue;
            const size_t at = (size_t)j * (size_t)map->columns + (size_t)i;
            if (!stable[at] && !isnan(roughness[at]))
                sorted[count++] = (double)roughness[at];
        }
    return count >= FEWEST ? aqm_percentile_f64(sorted, count, 50.0) : (double)NAN;
}

static void fill_tile(const AqmHeightMap *map, const uint8_t *stable, int i0, int j0, double value,
                      float *factor) {
    for (int j = j0; j < j0 + TILE && j < map->rows; j++)
        for (int i = i0; i < i0 + TILE && i < map->columns; i++) {
            const size_t at = (size_t)j * (size_t)map->columns + (size_t)i;
            if (!stable[at] && value > 1.0) /* false for NaN */
                factor[at] = (float)fmin(value, largest);
        }
}

AqmStatus aqm_changed_ground_factors(const AqmHeightMap *difference, const float *sigma,
                                     const uint8_t *stable, float *factor, AqmDiag *diag) {
    const AqmHeightMap *map = difference;
    const size_t cells = (size_t)map->columns * (size_t)map->rows;
    const size_t room = cells > WINDOW * WINDOW ? cells : (size_t)WINDOW * WINDOW;
    float *roughness = aqm_alloc(cells, sizeof *roughness);
    double *sorted = aqm_alloc(room, sizeof *sorted);
    AqmStatus status = AQM_OK;
    if (roughness && sorted) {
        for (size_t c = 0; c < cells; c++) {
            roughness[c] = (float)roughness_at(map, sigma, (int)(c % (size_t)map->columns),
                                               (int)(c / (size_t)map->columns));
            factor[c] = 1.0f;
        }
        const double usual = stable_roughness(roughness, stable, cells, sorted);
        for (int j = 0; usual > 0.0 && j < map->rows; j += TILE)
            for (int i = 0; i < map->columns; i += TILE)
                fill_tile(map, stable, i, j,
                          tile_roughness(map, roughness, stable, i, j, sorted) / usual, factor);
    } else {
        status = aqm_fail_memory(diag, "the roughness of a change", cells, 12);
    }
    aqm_free(roughness);
    aqm_free(sorted);
    return status;
}
