/* The numbers of one pose; docs/verify.md has them all with their formulas.
 *
 * Sums run in the order of the corners and of the cloud's points, so that the numbers do not depend
 * on threads: there are none here. Cost: 0.2 s for 12 cameras and a cloud of a million points. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "aquamvs/charuco.h"
#include "base/alloc.h"
#include "evaluate/board_flatness.h"
#include "evaluate/board_points.h"
#include "evaluate/rigid_board.h"
#include "math/solve.h"
#include "math/vec.h"

typedef struct Work {
    const AqmBoardView *views;
    size_t view_count, corner_count;
    const AqmBoard *board;
    const AqmBoardMeasureOptions *options;
    AqmBoardPoint *points;
    double (*direction)[3]; /* per corner */
    double (*on_board)[2], (*in_space)[3];
    AqmRigidBoard rigid;
    AqmBoardMeasures *out;
} Work;

AqmBoardMeasureOptions aqm_board_measure_options_default(void) {
    return (AqmBoardMeasureOptions){
        .max_error_px = 1.0, .min_views = 3, .rim_m = 0.003, .gate_m = 0.02};
}

static AqmStatus check(const AqmBoardMeasureOptions *o, size_t view_count, AqmDiag *diag) {
    if (!(o->max_error_px > 0.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "max_error of %g px: must be above 0",
                        o->max_error_px);
    if (o->min_views < 2)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "min_views of %d: must be at least 2",
                        o->min_views);
    if (!(o->rim_m >= 0.0) || !(o->gate_m > 0.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "rim of %g m and gate of %g m: must be 0 or more and above 0", o->rim_m,
                        o->gate_m);
    if (view_count < 2)
        return aqm_fail(diag, AQM_ERROR_NO_DATA, "%zu camera(s): a board needs two", view_count);
    return AQM_OK;
}

static double root_mean(double sum, size_t count) {
    return count > 0 ? sqrt(sum / (double)count) : (double)NAN;
}

/* ---- corners --------------------------------------------------------------------------------- */

static void triangulate(Work *w) {
    int min_views = w->options->min_views;
    if ((size_t)min_views > w->view_count)
        min_views = (int)w->view_count;
    double errors = 0.0, freedoms = 0.0;
    for (size_t i = 0; i < w->corner_count; i++) {
        AqmBoardPoint *p = &w->points[i];
        *p = (AqmBoardPoint){
            .error_px = (double)NAN, .range_m = (double)NAN, .lateral_m = (double)NAN};
        for (int k = 0; k < 3; k++)
            p->position[k] = p->residual_m[k] = p->map_position[k] = (double)NAN;
        aqm_board_triangulate(w->views, w->view_count, (uint32_t)i, w->options->max_error_px,
                              min_views, p, w->direction[i]);
        w->out->dropped += (size_t)p->dropped;
        if (p->views == 0)
            continue;
        aqm_board_corner(w->board, i, w->on_board[w->out->corners]);
        memcpy(w->in_space[w->out->corners], p->position, sizeof p->position);
        w->out->corners++;
        w->out->sightings += (size_t)p->views;
        const double freedom = 2.0 * p->views - 3.0;
        errors += p->error_px * p->error_px * freedom;
        freedoms += freedom;
    }
    w->out->reprojection_px = freedoms > 0.0 ? sqrt(errors / freedoms) : (double)NAN;
    for (size_t v = 0; v < w->view_count; v++)
        w->out->cameras += w->views[v].sighting && w->views[v].sighting->count >= 4;
}

static AqmStatus fit_rigid(Work *w, AqmDiag *diag) {
    const size_t count = w->out->corners;
    if (count < 4 || !aqm_rigid_board_fit((const double(*)[2])w->on_board,
                                          (const double(*)[3])w->in_space, count, &w->rigid))
        return aqm_fail(diag, AQM_ERROR_NO_DATA,
                        "%zu corners of the board are seen by enough cameras: 4 that do not lie on "
                        "a line are needed",
                        count);
    memcpy(w->out->board_to_rig, w->rigid.R, sizeof w->rigid.R);
    memcpy(w->out->origin, w->rigid.origin, sizeof w->rigid.origin);
    w->out->tilt_deg = acos(fmin(fabs(w->rigid.R[8]), 1.0)) * 57.29577951308232;
    w->out->scale_error_pct = 100.0 * (w->rigid.scale - 1.0);
    double depth = 0.0;
    for (size_t i = 0; i < count; i++)
        depth += (w->in_space[i][2] - w->views[0].view->water_z) / (double)count;
    w->out->depth_m = depth;
    return AQM_OK;
}

/* Residuals of the triangulated corners, whole and along the rays. */
static void measure_grid(Work *w) {
    double all = 0.0, range = 0.0, lateral = 0.0;
    for (size_t i = 0; i < w->corner_count; i++) {
        AqmBoardPoint *p = &w->points[i];
        double xy[2], ideal[3], off[3];
        if (p->views == 0)
            continue;
        aqm_board_corner(w->board, i, xy);
        aqm_rigid_board_place(&w->rigid, xy, ideal);
        for (int k = 0; k < 3; k++)
            off[k] = p->position[k] - ideal[k];
        aqm_mul33tv(w->rigid.R, off, p->residual_m);
        const double square = aqm_dot3(off, off);
        p->range_m = aqm_dot3(off, w->direction[i]);
        p->lateral_m = sqrt(fmax(square - p->range_m * p->range_m, 0.0));
        all += square;
        range += p->range_m * p->range_m;
        lateral += p->lateral_m * p->lateral_m;
    }
    w->out->grid_rms_mm = 1000.0 * root_mean(all, w->out->corners);
    w->out->range_rms_mm = 1000.0 * root_mean(range, w->out->corners);
    w->out->lateral_rms_mm = 1000.0 * root_mean(lateral, w->out->corners);
}

static void measure_corner_plane(Work *w) {
    const size_t count = w->out->corners;
    double mean[3] = {0}, C[9] = {0}, values[3], vectors[9];
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < 3; k++)
            mean[k] += w->in_space[i][k] / (double)count;
    for (size_t i = 0; i < count; i++)
        for (int j = 0; j < 3; j++)
            for (int k = 0; k < 3; k++)
                C[3 * j + k] += (w->in_space[i][j] - mean[j]) * (w->in_space[i][k] - mean[k]);
    aqm_eigen_sym3(C, values, vectors);
    w->out->corner_flatness_mm = 1000.0 * root_mean(fmax(values[0], 0.0), count);
}

static double side_between(const AqmBoardPoint *a, const AqmBoardPoint *b) {
    double d[3];
    for (int k = 0; k < 3; k++)
        d[k] = a->position[k] - b->position[k];
    return aqm_norm3(d); /* NaN where one is not known */
}

static void measure_squares(Work *w) {
    const size_t columns = (size_t)w->board->squares_x - 1;
    double sum = 0.0, squares = 0.0;
    size_t count = 0;
    for (size_t i = 0; i < w->corner_count; i++)
        for (int k = 0; k < 2; k++) {
            const size_t next = k == 0 ? i + 1 : i + columns;
            if ((k == 0 && next % columns == 0) || next >= w->corner_count)
                continue;
            /* from the true side: the digits stay */
            const double more = side_between(&w->points[i], &w->points[next]) - w->board->square_m;
            if (!isfinite(more))
                continue;
            sum += more, squares += more * more;
            count++;
        }
    const double mean = sum / (double)count; /* NaN for none */
    const double variance = (squares - sum * mean) / ((double)count - 1.0);
    w->out->squares = count;
    w->out->square_mm = 1000.0 * (w->board->square_m + mean);
    w->out->square_error_pct = 100.0 * mean / w->board->square_m;
    w->out->square_cv_pct =
        count > 1 ? 100.0 * sqrt(fmax(variance, 0.0)) / (w->board->square_m + mean) : (double)NAN;
}

/* ---- depth maps ------------------------------------------------------------------------------ */

typedef struct MapSums {
    double pair, around, range, range_square, lateral_square; /* m, m2 */
    size_t pairs, freedoms, points;
} MapSums;

/* The points that the maps give for one corner. */
static void compare_maps(Work *w, size_t i, MapSums *s) {
    AqmBoardPoint *p = &w->points[i];
    double at[AQM_BOARD_VIEWS_MAX][3], mean[3] = {0}, xy[2], ideal[3];
    size_t n = 0;
    aqm_board_corner(w->board, i, xy);
    aqm_rigid_board_place(&w->rigid, xy, ideal);
    for (size_t v = 0; v < w->view_count && n < AQM_BOARD_VIEWS_MAX; v++) {
        const AqmBoardCorner *corner = aqm_board_find_corner(w->views[v].sighting, (uint32_t)i);
        double ray[3], off[3];
        if (!corner || !aqm_board_map_point(&w->views[v], corner, at[n], ray))
            continue;
        for (int k = 0; k < 3; k++)
            off[k] = at[n][k] - ideal[k];
        const double range = aqm_dot3(off, ray);
        s->range += range, s->range_square += range * range;
        s->lateral_square += fmax(aqm_dot3(off, off) - range * range, 0.0);
        s->points++, n++;
    }
    p->map_views = (int)n;
    for (size_t v = 0; v < n; v++)
        for (int k = 0; k < 3; k++)
            mean[k] += at[v][k] / (double)n;
    if (n > 0)
        memcpy(p->map_position, mean, sizeof mean);
    double around = 0.0;
    for (size_t v = 0; v < n; v++)
        for (int k = 0; k < 3; k++)
            around += (at[v][k] - mean[k]) * (at[v][k] - mean[k]);
    if (n < 2)
        return;
    w->out->map_corners++;
    s->around += around;
    s->freedoms += n - 1;
    s->pair += (double)n * around; /* sum over pairs of |a - b|^2 = n sum |a - mean|^2 */
    s->pairs += n * (n - 1) / 2;
}

static void measure_maps(Work *w) {
    MapSums s = {0};
    AqmRigidBoard anew;
    size_t count = 0;
    for (size_t i = 0; i < w->corner_count; i++) {
        compare_maps(w, i, &s);
        if (w->points[i].map_views < 2)
            continue;
        aqm_board_corner(w->board, i, w->on_board[count]);
        memcpy(w->in_space[count++], w->points[i].map_position, 3 * sizeof(double));
    }
    AqmBoardMeasures *m = w->out;
    m->cross_camera_mm = 1000.0 * root_mean(s.pair, s.pairs);
    m->cross_sigma_mm = 1000.0 * root_mean(s.around, s.freedoms);
    m->map_range_rms_mm = 1000.0 * root_mean(s.range_square, s.points);
    m->map_range_bias_mm = s.points > 0 ? 1000.0 * s.range / (double)s.points : (double)NAN;
    m->map_lateral_rms_mm = 1000.0 * root_mean(s.lateral_square, s.points);
    m->map_grid_rms_mm = (double)NAN;
    if (count < 4 || !aqm_rigid_board_fit((const double(*)[2])w->on_board,
                                          (const double(*)[3])w->in_space, count, &anew))
        return;
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        double ideal[3];
        aqm_rigid_board_place(&anew, w->on_board[i], ideal);
        for (int k = 0; k < 3; k++)
            sum += (w->in_space[i][k] - ideal[k]) * (w->in_space[i][k] - ideal[k]);
    }
    m->map_grid_rms_mm = 1000.0 * root_mean(sum, count);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static AqmStatus measure(Work *w, const AqmCloud *cloud, AqmHeightMap **deviations, AqmDiag *diag) {
    triangulate(w);
    AQM_TRY(fit_rigid(w, diag));
    measure_grid(w);
    measure_corner_plane(w);
    measure_squares(w);
    measure_maps(w);
    return aqm_board_flatness(cloud, w->board, &w->rigid, w->options, w->out, deviations, diag);
}

AqmStatus aqm_board_measure(const AqmBoardView *views, size_t view_count, const AqmCloud *cloud,
                            const AqmBoard *board, const AqmBoardMeasureOptions *options,
                            AqmBoardPoint *points, AqmBoardMeasures *out, AqmHeightMap **deviations,
                            AqmDiag *diag) {
    if (deviations)
        *deviations = NULL;
    AQM_TRY(aqm_board_validate(board, diag));
    AQM_TRY(check(options, view_count, diag));
    const size_t corners = aqm_board_corner_count(board);
    *out = (AqmBoardMeasures){0};
    Work w = {.views = views,
              .view_count = view_count,
              .corner_count = corners,
              .board = board,
              .options = options,
              .points = points,
              .direction = aqm_calloc(corners, sizeof *w.direction),
              .on_board = aqm_calloc(corners, sizeof *w.on_board),
              .in_space = aqm_calloc(corners, sizeof *w.in_space),
              .out = out};
    const AqmStatus status = w.direction && w.on_board && w.in_space
                                 ? measure(&w, cloud, deviations, diag)
                                 : aqm_fail_memory(diag, "the corners of a board", corners, 64);
    aqm_free(w.direction);
    aqm_free(w.on_board);
    aqm_free(w.in_space);
    return status;
}
