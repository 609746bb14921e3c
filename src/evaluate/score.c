/* Accuracy: the distance of every point to the surface, or to the plate over it if that is nearer.
 * Completeness: the share of the true surface, the uppermost at each place, sampled on a square
 * grid on the map where at least min_views cameras see it, that has a point closer than a limit
 * (Knapitsch et al. 2017, "Tanks and Temples", call it recall). Coverage asks instead for a point
 * whose own error is below the limit within 2 mm on the map: holes cannot hide behind a loose
 * limit. F = 2 P R / (P + R).
 *
 * Raw completeness is coverage without a limit. The plane that fits best goes through the centroid,
 * its normal is the eigenvector of the smallest eigenvalue of the covariance, and that eigenvalue
 * is the mean squared distance to it.
 *
 * Neighbours: the largest limit is 5 mm (more only where a larger tolerance is asked for), so
 * points are sorted into square cells of at least that size over the footprint, and a sample looks
 * at nine cells. Linear in points; some 0.1 us times the points per cell for a sample. Sums run in
 * the order of the points, so that the number of threads changes nothing. */
#include "evaluate/score.h"

#include <math.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "math/solve.h"
#include "math/stats.h"

static const double limits_mm[AQM_EVAL_LIMITS] = {0.5, 1.0, 2.0, 5.0};
static const double largest_m = 0.005; /* of the limits */
static const double cover_m = 0.002;
enum { MOST_CELLS_A_SIDE = 2000 };
static const double most_samples = 5e7;

/* The finite points: position, signed error, and whether they lie in the region. Owns. */
typedef struct Scored {
    size_t count;
    double *xyz, *error_mm;
    uint8_t *in_region;
} Scored;

typedef struct Cells {
    double x0, y0, size, tolerance_mm;
    int nx, ny;
    size_t *begin;   /* nx * ny + 1: where each cell starts in `members` */
    size_t *members; /* indices of points, cell by cell, in order */
} Cells;

static void free_scored(Scored *s) {
    aqm_free(s->xyz);
    aqm_free(s->error_mm);
    aqm_free(s->in_region);
}

static AqmStatus gather(const float *points, size_t count, Scored *out, AqmDiag *diag) {
    *out = (Scored){0, aqm_alloc(count, 3 * sizeof(double)), aqm_alloc(count, sizeof(double)),
                    aqm_alloc(count, 1)};
    if (!out->xyz || !out->error_mm || !out->in_region)
        return aqm_fail_memory(diag, "the errors of a cloud", count, 4 * sizeof(double) + 1);
    for (size_t i = 0; i < count; i++) {
        const float *p = points + 3 * i;
        if (!isfinite(p[0]) || !isfinite(p[1]) || !isfinite(p[2]))
            continue;
        double *q = out->xyz + 3 * out->count++;
        q[0] = p[0], q[1] = p[1], q[2] = p[2];
    }
    return AQM_OK;
}

/* A point counts where the true surface below it is seen, so that one floating far above still
 * counts where it belongs. */
static bool region_has(const AqmTruth *truth, double x, double y, int min_views, double foot[3]) {
    aqm_truth_top(truth, x, y, foot);
    return aqm_truth_count_views(truth, foot) >= min_views;
}

static void measure(const AqmTruth *truth, const AqmEvaluateOptions *options, Scored *s) {
#pragma omp parallel for schedule(static, 1024) num_threads(aqm_thread_count(options->threads))
    for (size_t i = 0; i < s->count; i++) {
        const double *p = s->xyz + 3 * i;
        double foot[3];
        s->error_mm[i] = 1000.0 * aqm_truth_distance(truth, p);
        s->in_region[i] = region_has(truth, p[0], p[1], options->min_views, foot);
    }
}

/* Of the first `count` signed errors, which it reorders. */
static AqmErrorStats summarise(double *error_mm, size_t count) {
    AqmErrorStats s = {.count = count};
    if (count == 0)
        return s;
    double sum = 0.0, sum_abs = 0.0, sum_squares = 0.0;
    for (size_t i = 0; i < count; i++) {
        const double e = error_mm[i], a = fabs(e);
        sum += e;
        sum_abs += a;
        sum_squares += e * e;
        s.max_mm = fmax(s.max_mm, a);
    }
    s.bias_mm = sum / (double)count;
    double sum_spread = 0.0;
    for (size_t i = 0; i < count; i++) {
        const double off = error_mm[i] - s.bias_mm;
        sum_spread += off * off;
        error_mm[i] = fabs(error_mm[i]);
    }
    s.std_mm = sqrt(sum_spread / (double)count);
    s.mean_mm = sum_abs / (double)count;
    s.rms_mm = sqrt(sum_squares / (double)count);
    s.median_mm = aqm_percentile_f64(error_mm, count, 50.0);
    s.p90_mm = aqm_percentile_f64(error_mm, count, 90.0);
    s.p95_mm = aqm_percentile_f64(error_mm, count, 95.0);
    s.p99_mm = aqm_percentile_f64(error_mm, count, 99.0);
    return s;
}

static double percent(size_t part, size_t whole) {
    return whole ? 100.0 * (double)part / (double)whole : 0.0;
}

static bool is_plane(const AqmSurfaceModel *surface) {
    for (size_t i = 0; i < surface->count; i++)
        if (surface->terms[i].kind != AQM_TERM_PLANE)
            return false;
    return surface->count > 0;
}

/* RMS distance of the points in the region to their own plane. */
static double plane_fit_rmse(const Scored *s) {
    double mean[3] = {0.0}, scatter[9] = {0.0}, values[3], vectors[9];
    size_t count = 0;
    for (size_t i = 0; i < s->count; i++) {
        for (int k = 0; s->in_region[i] && k < 3; k++)
            mean[k] += s->xyz[3 * i + (size_t)k];
        count += s->in_region[i];
    }
    if (count < 3)
        return (double)NAN;
    for (int k = 0; k < 3; k++)
        mean[k] /= (double)count;
    for (size_t i = 0; i < s->count; i++)
        for (int k = 0; s->in_region[i] && k < 9; k++)
            scatter[k] += (s->xyz[3 * i + (size_t)(k / 3)] - mean[k / 3]) *
                          (s->xyz[3 * i + (size_t)(k % 3)] - mean[k % 3]);
    aqm_eigen_sym3(scatter, values, vectors);
    return 1000.0 * sqrt(fmax(values[0], 0.0) / (double)count);
}

static AqmStatus accuracy(const Scored *s, AqmEvaluation *out, AqmDiag *diag) {
    double *errors = aqm_alloc(s->count, sizeof *errors);
    if (!errors)
        return aqm_fail_memory(diag, "the errors of a cloud", s->count, sizeof *errors);
    size_t within[AQM_EVAL_LIMITS] = {0}, tolerated = 0, inside = 0;
    for (size_t i = 0; i < s->count; i++) {
        for (int k = 0; k < AQM_EVAL_LIMITS; k++)
            within[k] += fabs(s->error_mm[i]) < limits_mm[k];
        tolerated += fabs(s->error_mm[i]) < out->tolerance_mm;
        if (s->in_region[i])
            errors[inside++] = s->error_mm[i];
    }
    out->in_region = summarise(errors, inside);
    for (size_t i = 0; i < s->count; i++)
        errors[i] = s->error_mm[i];
    out->all = summarise(errors, s->count);
    for (int k = 0; k < AQM_EVAL_LIMITS; k++)
        out->precision_pct[k] = percent(within[k], s->count);
    out->tolerance_precision_pct = percent(tolerated, s->count);
    out->off_by_5mm_pct = percent(s->count - within[AQM_EVAL_LIMITS - 1], s->count);
    aqm_free(errors);
    return AQM_OK;
}

/* The cell of a point, or -1 outside the grid. */
static long cell_of(const Cells *cells, double x, double y) {
    const double i = floor((x - cells->x0) / cells->size), j = floor((y - cells->y0) / cells->size);
    if (!(i >= 0.0 && j >= 0.0 && i < cells->nx && j < cells->ny))
        return -1;
    return (long)j * cells->nx + (long)i;
}

/* Counting sort of the points into cells over the footprint and one reach around it. */
static AqmStatus sort_into_cells(const AqmTruth *truth, const Scored *s, Cells *cells,
                                 AqmDiag *diag) {
    const double *box = truth->footprint;
    const double reach_m = fmax(largest_m, 1e-3 * cells->tolerance_mm);
    const double wide = box[1] - box[0] + 2 * reach_m, high = box[3] - box[2] + 2 * reach_m;
    cells->size = fmax(reach_m, fmax(wide, high) / MOST_CELLS_A_SIDE);
    cells->x0 = box[0] - reach_m, cells->y0 = box[2] - reach_m;
    cells->nx = (int)ceil(wide / cells->size) + 1, cells->ny = (int)ceil(high / cells->size) + 1;
    const size_t count = (size_t)cells->nx * (size_t)cells->ny;
    cells->begin = aqm_calloc(count + 1, sizeof *cells->begin);
    cells->members = aqm_alloc(s->count, sizeof *cells->members);
    if (!cells->begin || !cells->members)
        return aqm_fail_memory(diag, "a grid of points", count + s->count, sizeof(size_t));
    for (size_t i = 0; i < s->count; i++) {
        const long cell = cell_of(cells, s->xyz[3 * i], s->xyz[3 * i + 1]);
        if (cell >= 0)
            cells->begin[cell + 1]++;
    }
    for (size_t c = 0; c < count; c++)
        cells->begin[c + 1] += cells->begin[c];
    for (size_t i = s->count; i-- > 0;) { /* backwards: cells fill from their ends */
        const long cell = cell_of(cells, s->xyz[3 * i], s->xyz[3 * i + 1]);
        if (cell >= 0)
            cells->members[--cells->begin[cell + 1]] = i;
    }
    /* begin[c + 1] is now the start of cell c: shift down */
    size_t inside = 0;
    for (size_t i = 0; i < s->count; i++)
        inside += cell_of(cells, s->xyz[3 * i], s->xyz[3 * i + 1]) >= 0;
    for (size_t c = 0; c < count; c++)
        cells->begin[c] = cells->begin[c + 1];
    cells->begin[count] = inside;
    return AQM_OK;
}

/* For a sample of the surface: the distance of the nearest point, and the smallest error of the
 * points within 2 mm on the map; INFINITY for none. */
static void look_around(const Cells *cells, const Scored *s, const double sample[3],
                        double *nearest_mm, double *best_error_mm) {
    const int ci = (int)floor((sample[0] - cells->x0) / cells->size);
    const int cj = (int)floor((sample[1] - cells->y0) / cells->size);
    double nearest = INFINITY, best = INFINITY;
    for (int j = cj - 1; j <= cj + 1; j++)
        for (int i = ci - 1; i <= ci + 1; i++) {
            if (i < 0 || j < 0 || i >= cells->nx || j >= cells->ny)
                continue;
            const size_t cell = (size_t)j * (size_t)cells->nx + (size_t)i;
            for (size_t m = cells->begin[cell]; m < cells->begin[cell + 1]; m++) {
                const double *p = s->xyz + 3 * cells->members[m];
                const double dx = p[0] - sample[0], dy = p[1] - sample[1], dz = p[2] - sample[2];
                const double flat = dx * dx + dy * dy;
                nearest = fmin(nearest, flat + dz * dz);
                if (flat <= cover_m * cover_m)
                    best = fmin(best, fabs(s->error_mm[cells->members[m]]));
            }
        }
    *nearest_mm = 1000.0 * sqrt(nearest);
    *best_error_mm = best;
}

typedef struct Tally {
    size_t samples, complete[AQM_EVAL_LIMITS], covered[AQM_EVAL_LIMITS];
    size_t any, tolerance_complete, tolerance_covered;
} Tally;

static Tally tally_row(const AqmTruth *truth, const Cells *cells, const Scored *s,
                       const AqmEvaluateOptions *options, double y) {
    const double x0 = truth->footprint[0], x1 = truth->footprint[1], step = options->region_step_m;
    const size_t count = (size_t)ceil((x1 - x0) / step);
    Tally tally = {0};
    for (size_t i = 0; i < count; i++) {
        double foot[3], nearest, best;
        if (!region_has(truth, x0 + (double)i * step, y, options->min_views, foot))
            continue;
        look_around(cells, s, foot, &nearest, &best);
        tally.samples++;
        tally.any += isfinite(best) != 0;
        tally.tolerance_complete += nearest < cells->tolerance_mm;
        tally.tolerance_covered += best < cells->tolerance_mm;
        for (int k = 0; k < AQM_EVAL_LIMITS; k++) {
            tally.complete[k] += nearest < limits_mm[k];
            tally.covered[k] += best < limits_mm[k];
        }
    }
    return tally;
}

/* Whole numbers: any order of the rows gives the same sums. */
static Tally tally_region(const AqmTruth *truth, const Cells *cells, const Scored *s,
                          const AqmEvaluateOptions *options) {
    const double y0 = truth->footprint[2], step = options->region_step_m;
    const size_t rows = (size_t)ceil((truth->footprint[3] - y0) / step);
    Tally sum = {0};
#pragma omp parallel for schedule(dynamic, 4) num_threads(aqm_thread_count(options->threads))
    for (size_t j = 0; j < rows; j++) {
        const Tally row = tally_row(truth, cells, s, options, y0 + (double)j * step);
#pragma omp critical(aqm_score_tally)
        {
            sum.samples += row.samples;
            sum.any += row.any;
            sum.tolerance_complete += row.tolerance_complete;
            sum.tolerance_covered += row.tolerance_covered;
            for (int k = 0; k < AQM_EVAL_LIMITS; k++) {
                sum.complete[k] += row.complete[k];
                sum.covered[k] += row.covered[k];
            }
        }
    }
    return sum;
}

static AqmStatus completeness(const AqmTruth *truth, const Scored *s,
                              const AqmEvaluateOptions *options, AqmEvaluation *out,
                              AqmDiag *diag) {
    const double area =
        (truth->footprint[1] - truth->footprint[0]) * (truth->footprint[3] - truth->footprint[2]);
    if (area / (options->region_step_m * options->region_step_m) > most_samples)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "region step of %g m: more than %g samples of %g m^2",
                        options->region_step_m, most_samples, area);
    Cells cells = {.tolerance_mm = out->tolerance_mm};
    const AqmStatus status = sort_into_cells(truth, s, &cells, diag);
    if (status == AQM_OK) {
        const Tally tally = tally_region(truth, &cells, s, options);
        for (int k = 0; k < AQM_EVAL_LIMITS; k++) {
            out->completeness_pct[k] = percent(tally.complete[k], tally.samples);
            out->coverage_pct[k] = percent(tally.covered[k], tally.samples);
        }
        out->raw_completeness_pct = percent(tally.any, tally.samples);
        out->tolerance_completeness_pct = percent(tally.tolerance_complete, tally.samples);
        out->tolerance_coverage_pct = percent(tally.tolerance_covered, tally.samples);
    }
    aqm_free(cells.begin);
    aqm_free(cells.members);
    return status;
}

AqmStatus aqm_score_points(const AqmTruth *truth, const float *points, size_t count,
                           const AqmEvaluateOptions *options, AqmEvaluation *out, AqmDiag *diag) {
    Scored scored;
    AqmEvaluation result = {.points = count,
                            .tolerance_mm = 1000.0 * options->tolerance_m,
                            .plane_fit_rmse_mm = (double)NAN};
    AqmStatus status = gather(points, count, &scored, diag);
    if (status == AQM_OK) {
        result.non_finite = count - scored.count;
        measure(truth, options, &scored);
        if (is_plane(truth->surface) && !truth->has_plate)
            result.plane_fit_rmse_mm = plane_fit_rmse(&scored);
        status = accuracy(&scored, &result, diag);
    }
    if (status == AQM_OK)
        status = completeness(truth, &scored, options, &result, diag);
    free_scored(&scored);
    for (int k = 0; k < AQM_EVAL_LIMITS; k++) {
        const double p = result.precision_pct[k], r = result.completeness_pct[k];
        result.limit_mm[k] = limits_mm[k];
        result.fscore_pct[k] = p + r > 0.0 ? 2.0 * p * r / (p + r) : 0.0;
    }
    if (status == AQM_OK)
        *out = result;
    return status;
}
