/* Height maps as .npz, for numpy and for comparing runs. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "io/height_map_check.h"
#include "io/npz_read.h"

/* How far a node may lie from its multiple of the step, in steps: positions that somebody stored as
 * float are off by 6e-8 of themselves, a few hundred steps from the origin by 1e-5 steps. */
static const double node_tolerance = 1e-3;

AqmStatus aqm_height_map_check(const char *path, const AqmHeightMap *map, AqmDiag *diag) {
    const bool fits = map->columns >= 1 && map->rows >= 1 &&
                      map->first_column <= INT32_MAX - (map->columns - 1) &&
                      map->first_row <= INT32_MAX - (map->rows - 1);
    if (fits && map->step_m > 0 && isfinite(map->step_m))
        return AQM_OK;
    return aqm_fail(
        diag, AQM_ERROR_ARGUMENT, "%s: %d x %d nodes from (%d, %d), %g m apart, are no height map",
        path, map->columns, map->rows, (int)map->first_column, (int)map->first_row, map->step_m);
}

/* ---- writing ----------------------------------------------------------------------------------
 */

/* (first + i) * step for each of `count` nodes; NULL where memory is out. */
static double *make_nodes(int32_t first, int count, double step) {
    double *nodes = aqm_alloc((size_t)count, sizeof *nodes);
    for (int i = 0; nodes && i < count; i++)
        nodes[i] = (first + i) * step;
    return nodes;
}

AqmStatus aqm_height_map_write(const char *path, const AqmHeightMap *map,
                               const double *world_from_rig, AqmDiag *diag) {
    static const double identity[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    AQM_TRY(aqm_height_map_check(path, map, diag));
    const size_t columns = (size_t)map->columns, rows = (size_t)map->rows;
    double *x = make_nodes(map->first_column, map->columns, map->step_m);
    double *y = make_nodes(map->first_row, map->rows, map->step_m);
    const AqmNpyArray arrays[] = {
        {"z", AQM_NPY_F32, 2, {rows, columns}, map->z_m},
        {"sigma", AQM_NPY_F32, 2, {rows, columns}, map->sigma_m},
        {"x", AQM_NPY_F64, 1, {columns}, x},
        {"y", AQM_NPY_F64, 1, {rows}, y},
        {"step", AQM_NPY_F64, 1, {1}, &map->step_m},
        {"world_from_rig", AQM_NPY_F64, 2, {3, 3}, world_from_rig ? world_from_rig : identity},
    };
    const AqmStatus status =
        x && y ? aqm_npz_write(path, arrays, sizeof arrays / sizeof arrays[0], diag)
               : aqm_fail_memory(diag, path, columns + rows, sizeof *x);
    aqm_free(y);
    aqm_free(x);
    return status;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

/* Where the nodes of a file lie. */
typedef struct Nodes {
    double *x, *y; /* owned */
    size_t columns, rows;
    double step;
} Nodes;

static AqmStatus read_line(const char *path, const char *name, size_t count, double **line,
                           AqmDiag *diag) {
    size_t shape[3] = {0};
    int dimensions = 0;
    AQM_TRY(aqm_npz_read_double(path, name, line, shape, &dimensions, diag));
    if (dimensions == 1 && shape[0] == count)
        return AQM_OK;
    return aqm_fail(diag, AQM_ERROR_FORMAT, "%s: array \"%s\" is not of %zu values", path, name,
                    count);
}

static AqmStatus read_plane(const char *path, const char *name, size_t shape[3], float **plane,
                            AqmDiag *diag) {
    int dimensions = 0;
    AQM_TRY(aqm_npz_read(path, name, plane, shape, &dimensions, diag));
    if (dimensions == 2 && shape[0] >= 1 && shape[1] >= 1 && shape[0] <= INT_MAX &&
        shape[1] <= INT_MAX)
        return AQM_OK;
    return aqm_fail(diag, AQM_ERROR_FORMAT, "%s: array \"%s\" is not rows x columns", path, name);
}

/* The distance of the nodes, where a file does not say it: from the ends of the longer side, and
 * then from the node that is farthest from the origin, as so many steps. */
static double guess_step(const Nodes *nodes) {
    const bool by_x = nodes->columns >= nodes->rows;
    const double *line = by_x ? nodes->x : nodes->y;
    const size_t count = by_x ? nodes->columns : nodes->rows;
    if (count < 2)
        return NAN;
    const double step = (line[count - 1] - line[0]) / (double)(count - 1);
    const double farthest = fabs(line[0]) > fabs(line[count - 1]) ? line[0] : line[count - 1];
    const double steps = round(farthest / step);
    return steps != 0 ? farthest / steps : step;
}

static AqmStatus read_step(const char *path, Nodes *nodes, AqmDiag *diag) {
    if (aqm_npz_has(path, "step")) {
        double *step = NULL;
        const AqmStatus status = read_line(path, "step", 1, &step, diag);
        nodes->step = status == AQM_OK ? *step : NAN;
        aqm_free(step);
        AQM_TRY(status);
    } else {
        nodes->step = guess_step(nodes);
    }
    if (nodes->step > 0 && isfinite(nodes->step))
        return AQM_OK;
    return aqm_fail(diag, AQM_ERROR_FORMAT,
                    "%s: the distance of the nodes is neither in array \"step\" nor to be had from "
                    "\"x\" and \"y\"",
                    path);
}

/* The number of the first node, if all are multiples of the step. */
static AqmStatus number_nodes(const char *path, const char *name, const double *line, size_t count,
                              double step, int32_t *first, AqmDiag *diag) {
    const double start = round(line[0] / step);
    for (size_t i = 0; i < count; i++)
        if (!(fabs(line[i] / step - (start + (double)i)) <= node_tolerance))
            return aqm_fail(diag, AQM_ERROR_FORMAT,
                            "%s: %s[%zu] = %.9g: the nodes must be successive multiples of one "
                            "step, here of %.9g",
                            path, name, i, line[i], step);
    if (start < INT32_MIN || start + (double)count - 1 > INT32_MAX)
        return aqm_fail(diag, AQM_ERROR_FORMAT, "%s: %s[0] is %.9g steps from the origin", path,
                        name, start);
    *first = (int32_t)start;
    return AQM_OK;
}

static AqmStatus read_nodes(const char *path, Nodes *nodes, AqmHeightMap *map, AqmDiag *diag) {
    AQM_TRY(read_line(path, "x", nodes->columns, &nodes->x, diag));
    AQM_TRY(read_line(path, "y", nodes->rows, &nodes->y, diag));
    AQM_TRY(read_step(path, nodes, diag));
    map->step_m = nodes->step;
    AQM_TRY(
        number_nodes(path, "x", nodes->x, nodes->columns, nodes->step, &map->first_column, diag));
    return number_nodes(path, "y", nodes->y, nodes->rows, nodes->step, &map->first_row, diag);
}

static AqmStatus read_sigma(const char *path, AqmHeightMap *map, AqmDiag *diag) {
    if (!aqm_npz_has(path, "sigma"))
        return AQM_OK;
    float *sigma = NULL;
    size_t shape[3] = {0};
    AqmStatus status = read_plane(path, "sigma", shape, &sigma, diag);
    if (status == AQM_OK && (shape[0] != (size_t)map->rows || shape[1] != (size_t)map->columns))
        status = aqm_fail(diag, AQM_ERROR_FORMAT, "%s: z is %d x %d but sigma %zu x %zu", path,
                          map->rows, map->columns, shape[0], shape[1]);
    if (status == AQM_OK)
        memcpy(map->sigma_m, sigma, shape[0] * shape[1] * sizeof *sigma);
    aqm_free(sigma);
    return status;
}

AqmStatus aqm_height_map_read(const char *path, AqmHeightMap **out, AqmDiag *diag) {
    float *z = NULL;
    size_t shape[3] = {0};
    AqmHeightMap *map = NULL;
    AqmStatus status = read_plane(path, "z", shape, &z, diag);
    Nodes nodes = {.rows = shape[0], .columns = shape[1]};
    if (status == AQM_OK)
        status = aqm_height_map_create(&map, (int)nodes.columns, (int)nodes.rows, diag);
    if (status == AQM_OK) {
        memcpy(map->z_m, z, nodes.rows * nodes.columns * sizeof *z);
        status = read_nodes(path, &nodes, map, diag);
    }
    if (status == AQM_OK)
        status = read_sigma(path, map, diag);
    aqm_free(nodes.y);
    aqm_free(nodes.x);
    aqm_free(z);
    if (status != AQM_OK)
        aqm_height_map_destroy(&map);
    else
        *out = map;
    return status;
}
