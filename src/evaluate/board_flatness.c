/* The points of the cloud within the board, in the board's frame (z = distance from the plane of
 * the corners, positive = deeper), and the plane z = z0 + gx x + gy y through them with the least
 * squared distances along its normal (the eigenvector of the smallest eigenvalue of their
 * covariance). No point within the gate is left out: what is rough stays rough. */
#include "evaluate/board_flatness.h"

#include <math.h>

#include "base/alloc.h"
#include "math/solve.h"
#include "math/stats.h"
#include "math/vec.h"

static const double map_step_m = 0.002, cell_m = 0.004;

typedef struct BoardCloud {
    double *point; /* x y z in the board's frame */
    size_t count, outside;
    double mean[3], normal[3]; /* of the plane; the normal points down the board's Z */
} BoardCloud;

/* A point within the board's outline; false where it is not. */
static bool is_within(const AqmBoard *board, double rim, const double q[3]) {
    return q[0] >= rim && q[1] >= rim && q[0] <= board->squares_x * board->square_m - rim &&
           q[1] <= board->squares_y * board->square_m - rim;
}

static AqmStatus gather(const AqmCloud *cloud, const AqmBoard *board, const AqmRigidBoard *rigid,
                        const AqmBoardMeasureOptions *options, BoardCloud *out, AqmDiag *diag) {
    size_t capacity = 0;
    for (size_t i = 0; i < cloud->count; i++) {
        double q[3];
        for (size_t k = 0; k < 3; k++)
            q[k] = (double)cloud->position[3 * i + k] - rigid->origin[k];
        aqm_mul33tv(rigid->R, q, q);
        if (!is_within(board, options->rim_m, q)) /* false for NaN */
            continue;
        if (!(fabs(q[2]) <= options->gate_m)) {
            out->outside++;
            continue;
        }
        if (out->count == capacity) {
            capacity = capacity ? 2 * capacity : 65536;
            double *grown = aqm_realloc(out->point, capacity, 3 * sizeof *grown);
            if (!grown)
                return aqm_fail_memory(diag, "the points of a board", capacity, 3 * sizeof *grown);
            out->point = grown;
        }
        for (size_t k = 0; k < 3; k++)
            out->point[3 * out->count + k] = q[k];
        out->count++;
    }
    return AQM_OK;
}

static void fit_plane(BoardCloud *c) {
    double C[9] = {0}, values[3], vectors[9];
    for (size_t i = 0; i < c->count; i++)
        for (size_t k = 0; k < 3; k++)
            c->mean[k] += c->point[3 * i + k] / (double)c->count;
    for (size_t i = 0; i < c->count; i++)
        for (size_t j = 0; j < 3; j++)
            for (size_t k = 0; k < 3; k++)
                C[3 * j + k] += (c->point[3 * i + j] - c->mean[j]) *
                                (c->point[3 * i + k] - c->mean[k]) / (double)c->count;
    aqm_eigen_sym3(C, values, vectors);
    const double sign = vectors[2] < 0.0 ? -1.0 : 1.0;
    for (int k = 0; k < 3; k++)
        c->normal[k] = sign * vectors[k];
}

static double distance(const BoardCloud *c, size_t i) {
    double d = 0.0;
    for (size_t k = 0; k < 3; k++)
        d += (c->point[3 * i + k] - c->mean[k]) * c->normal[k];
    return d;
}

/* Of the absolute distances: *rms and *p95. */
static AqmStatus sum_up(const BoardCloud *c, double *rms, double *p95, AqmDiag *diag) {
    double *size = aqm_alloc(c->count, sizeof *size), sum = 0.0;
    if (!size)
        return aqm_fail_memory(diag, "the points of a board", c->count, sizeof *size);
    for (size_t i = 0; i < c->count; i++) {
        size[i] = fabs(distance(c, i));
        sum += size[i] * size[i];
    }
    *rms = sqrt(sum / (double)c->count);
    *p95 = aqm_percentile_f64(size, c->count, 95.0);
    aqm_free(size);
    return AQM_OK;
}

/* Share of the cells within the rim that hold a point. */
static AqmStatus cover(const BoardCloud *c, const AqmBoard *board, double rim, double *percent,
                       AqmDiag *diag) {
    const double wide = board->squares_x * board->square_m - 2.0 * rim;
    const double high = board->squares_y * board->square_m - 2.0 * rim;
    const size_t columns = (size_t)fmax(floor(wide / cell_m), 1.0);
    const size_t rows = (size_t)fmax(floor(high / cell_m), 1.0);
    uint8_t *has = aqm_calloc(columns * rows, 1);
    if (!has)
        return aqm_fail_memory(diag, "the cells of a board", columns * rows, 1);
    for (size_t i = 0; i < c->count; i++) {
        const double x = (c->point[3 * i] - rim) / cell_m, y = (c->point[3 * i + 1] - rim) / cell_m;
        if (x < (double)columns && y < (double)rows)
            has[(size_t)y * columns + (size_t)x] = 1;
    }
    size_t count = 0;
    for (size_t k = 0; k < columns * rows; k++)
        count += has[k];
    *percent = 100.0 * (double)count / (double)(columns * rows);
    aqm_free(has);
    return AQM_OK;
}

static AqmStatus map_deviations(const BoardCloud *c, const AqmBoard *board, AqmHeightMap **out,
                                AqmDiag *diag) {
    AqmHeightMap *map = NULL;
    const int columns = (int)lround(board->squares_x * board->square_m / map_step_m) + 1;
    const int rows = (int)lround(board->squares_y * board->square_m / map_step_m) + 1;
    AQM_TRY(aqm_height_map_create(&map, columns, rows, diag));
    map->step_m = map_step_m;
    const size_t nodes = (size_t)columns * (size_t)rows;
    double *sum = aqm_calloc(nodes, sizeof *sum);
    uint32_t *count = aqm_calloc(nodes, sizeof *count);
    if (!sum || !count) {
        aqm_free(sum);
        aqm_free(count);
        aqm_height_map_destroy(&map);
        return aqm_fail_memory(diag, "the deviations of a board", nodes, 12);
    }
    for (size_t i = 0; i < c->count; i++) {
        const long x = lround(c->point[3 * i] / map_step_m);
        const long y = lround(c->point[3 * i + 1] / map_step_m);
        if (x < 0 || y < 0 || x >= columns || y >= rows)
            continue;
        const size_t at = (size_t)y * (size_t)columns + (size_t)x;
        sum[at] += distance(c, i);
        count[at]++;
    }
    for (size_t k = 0; k < nodes; k++)
        if (count[k] > 0)
            map->z_m[k] = (float)(sum[k] / count[k]);
    aqm_free(sum);
    aqm_free(count);
    *out = map;
    return AQM_OK;
}

/* Fills the numbers; the cloud has at least three points. */
static AqmStatus measure(BoardCloud *c, const AqmBoard *board,
                         const AqmBoardMeasureOptions *options, AqmBoardMeasures *out,
                         AqmHeightMap **deviations, AqmDiag *diag) {
    double rms = 0.0, p95 = 0.0;
    fit_plane(c);
    AQM_TRY(sum_up(c, &rms, &p95, diag));
    AQM_TRY(cover(c, board, options->rim_m, &out->cloud_coverage_pct, diag));
    out->flatness_mm = 1000.0 * rms;
    out->flatness_p95_mm = 1000.0 * p95;
    const double middle[2] = {0.5 * board->squares_x * board->square_m,
                              0.5 * board->squares_y * board->square_m};
    const double slope =
        c->normal[0] * (middle[0] - c->mean[0]) + c->normal[1] * (middle[1] - c->mean[1]);
    out->plane_offset_mm = 1000.0 * (c->mean[2] - slope / c->normal[2]);
    out->plane_turn_deg =
        57.29577951308232 * atan2(hypot(c->normal[0], c->normal[1]), c->normal[2]);
    return deviations ? map_deviations(c, board, deviations, diag) : AQM_OK;
}

AqmStatus aqm_board_flatness(const AqmCloud *cloud, const AqmBoard *board,
                             const AqmRigidBoard *rigid, const AqmBoardMeasureOptions *options,
                             AqmBoardMeasures *out, AqmHeightMap **deviations, AqmDiag *diag) {
    BoardCloud c = {0};
    out->flatness_mm = out->flatness_p95_mm = out->plane_offset_mm = (double)NAN;
    out->plane_turn_deg = out->cloud_outside_pct = out->cloud_coverage_pct = (double)NAN;
    if (!cloud)
        return AQM_OK;
    AqmStatus status = gather(cloud, board, rigid, options, &c, diag);
    out->cloud_points = c.count;
    if (c.count + c.outside > 0)
        out->cloud_outside_pct = 100.0 * (double)c.outside / (double)(c.count + c.outside);
    if (status == AQM_OK && c.count >= 3)
        status = measure(&c, board, options, out, deviations, diag);
    aqm_free(c.point);
    return status;
}
