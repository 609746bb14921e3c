/* Two maps of one step share their nodes (types.h), so nothing is interpolated. */
#include <math.h>

#include "aquamvs/evaluate.h"
#include "base/diag.h"

/* Columns and rows that both cover, counted from the origin: first, end. */
typedef struct Overlap {
    int64_t column[2], row[2];
} Overlap;

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static Overlap overlap_of(const AqmHeightMap *a, const AqmHeightMap *b) {
    return (Overlap){
        {larger(a->first_column, b->first_column),
         smaller((int64_t)a->first_column + a->columns, (int64_t)b->first_column + b->columns)},
        {larger(a->first_row, b->first_row),
         smaller((int64_t)a->first_row + a->rows, (int64_t)b->first_row + b->rows)}};
}

static size_t node(const AqmHeightMap *map, int64_t column, int64_t row) {
    return (size_t)(row - map->first_row) * (size_t)map->columns +
           (size_t)(column - map->first_column);
}

/* The smallest box of nodes that both know; false where there is none. */
static bool shrink(const AqmHeightMap *a, const AqmHeightMap *b, Overlap *o) {
    Overlap box = {{INT64_MAX, INT64_MIN}, {INT64_MAX, INT64_MIN}};
    for (int64_t j = o->row[0]; j < o->row[1]; j++)
        for (int64_t i = o->column[0]; i < o->column[1]; i++) {
            if (!isfinite(a->z_m[node(a, i, j)]) || !isfinite(b->z_m[node(b, i, j)]))
                continue;
            box.column[0] = smaller(box.column[0], i), box.column[1] = larger(box.column[1], i + 1);
            box.row[0] = smaller(box.row[0], j), box.row[1] = larger(box.row[1], j + 1);
        }
    *o = box;
    return box.column[0] < box.column[1];
}

AqmStatus aqm_height_difference(const AqmHeightMap *a, const AqmHeightMap *b, AqmHeightMap **out,
                                AqmDiag *diag) {
    AqmHeightMap *map = NULL;
    if (!(fabs(a->step_m - b->step_m) <= 1e-9 * a->step_m))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "height maps with steps of %g and %g m cannot be compared: make both with "
                        "one step",
                        a->step_m, b->step_m);
    Overlap o = overlap_of(a, b);
    if (!shrink(a, b, &o))
        return aqm_fail(
            diag, AQM_ERROR_NO_DATA,
            "the two surfaces have no ground in common: A covers X %.3f..%.3f, Y "
            "%.3f..%.3f m, B X %.3f..%.3f, Y %.3f..%.3f m",
            a->first_column * a->step_m, (a->first_column + (double)a->columns - 1.0) * a->step_m,
            a->first_row * a->step_m, (a->first_row + (double)a->rows - 1.0) * a->step_m,
            b->first_column * b->step_m, (b->first_column + (double)b->columns - 1.0) * b->step_m,
            b->first_row * b->step_m, (b->first_row + (double)b->rows - 1.0) * b->step_m);
    AQM_TRY(aqm_height_map_create(&map, (int)(o.column[1] - o.column[0]),
                                  (int)(o.row[1] - o.row[0]), diag));
    map->first_column = (int32_t)o.column[0], map->first_row = (int32_t)o.row[0];
    map->step_m = a->step_m;
    for (int64_t j = o.row[0]; j < o.row[1]; j++)
        for (int64_t i = o.column[0]; i < o.column[1]; i++) {
            const size_t at = node(map, i, j), in_a = node(a, i, j), in_b = node(b, i, j);
            if (!isfinite(a->z_m[in_a]) || !isfinite(b->z_m[in_b]))
                continue;
            map->z_m[at] = b->z_m[in_b] - a->z_m[in_a];
            map->sigma_m[at] = hypotf(a->sigma_m[in_a], b->sigma_m[in_b]);
        }
    *out = map;
    return AQM_OK;
}
