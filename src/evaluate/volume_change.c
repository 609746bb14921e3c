/* Change of volume between two height maps, with its uncertainty.
 *
 * With d_i the change of Z at node i (Z points down), a the area of a cell and K a set of cells,
 *
 *     net = -a sum_K d_i,   deposition = a sum_K max(-d_i, 0),   erosion = a sum_K max(d_i, 0).
 *
 * Each is a weighted sum of errors, w_i = a s_i where d_i counts, so its variance is
 *
 *     sum_ij w_i w_j C(h_ij),
 *
 * s_i the sigma that the maps state and C the covariance of errors in units of it, which is
 * measured where nothing changed (stable_ground.c, nested_covariance.c): it is 1 at h = 0 only if
 * the stated sigmas are right, so it holds the scale too, and a common offset as a part that is the
 * same for all h. Where the ground changed, the s_i are widened first, by as much as errors are
 * larger there (changed_ground.c). The sigmas given back are s_i sqrt(V(1)). Rolstad, Haug & Denby
 * (2009) and Hugonnet et al. (2022) are the sources; that single cells count as changed beyond 1.96
 * sigma follows Lane, Westaway & Hicks (2003, Earth Surf. Process. Landforms 28, 249-271). We
 * differ in measuring C by block means alone, and about 0: an offset of the stable ground is not
 * taken off, for only the user can know that it is no change; it widens the interval instead.
 *
 * If one map was aligned to the other, its transform has errors too: the change of Z at a point r
 * from the centre is n . (shift + turn x r), n = (-dZ/dX, -dZ/dY, 1), linear in the six, so a
 * volume has the gradient g = a sum (r x n, n) and the variance g' P g more, P the covariance of
 * the transform.
 *
 * Errors that follow from the shape do not show where nothing changed: windows and fits are off by
 * some micrometres on slopes, in either direction. On rendered mounds of 20 degrees (ring12, 4
 * seeds) they came to 0.02 to 0.04 % of the volume, so 0.03 % of the gross volume is added to
 * sigma.
 *
 * The interval is t times the root of the sum; t is Student's for as many degrees of freedom as
 * blocks of the largest size fit side by side into the stable ground, for the variance is an
 * estimate itself.
 *
 * Without stable ground (under 400 cells, or too thin for blocks of 4 x 4) nothing can be measured:
 * then all errors are taken as one and the same, which no correlation can exceed, with the sigmas
 * as stated or, where none are, the robust spread of all the changes. is_measured tells.
 *
 * Errors do not average out of deposition and erosion over cells that did not change: noise_m3 = a
 * sum s_i / sqrt(2 pi) of either, the mean of max(e, 0). The significant cells leave it out, but
 * for one unchanged cell in twenty. */
#include <math.h>
#include <string.h>

#include "aquamvs/evaluate.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "evaluate/changed_ground.h"
#include "evaluate/nested_covariance.h"
#include "evaluate/stable_ground.h"
#include "math/stats.h"
#include "math/vec.h"

enum { FEWEST_STABLE = 400, FEWEST_RUNGS = 5 };
static const double shape_share = 3e-4; /* see above */
static const double z_95 = 1.959963984540054, mean_of_positive = 0.3989422804014327;

typedef struct Work {
    const AqmVolumeOptions *options;
    const AqmHeightMap *map;
    size_t cells;
    double cell_area;
    float *sigma;  /* as stated, or 1 everywhere */
    float *values; /* change over sigma; NaN = not known */
    float *weights;
    uint8_t *stable, *in_region, *significant;
    AqmNestedCovariance covariance;
    AqmVolumeChange result;
} Work;

static bool work_alloc(Work *w) {
    w->sigma = aqm_alloc(w->cells, sizeof *w->sigma);
    w->values = aqm_alloc(w->cells, sizeof *w->values);
    w->weights = aqm_alloc(w->cells, sizeof *w->weights);
    w->stable = aqm_calloc(w->cells, 1);
    w->in_region = aqm_calloc(w->cells, 1);
    w->significant = aqm_calloc(w->cells, 1);
    return w->sigma && w->values && w->weights && w->stable && w->in_region && w->significant;
}

static void work_free(Work *w) {
    aqm_free(w->sigma);
    aqm_free(w->values);
    aqm_free(w->weights);
    aqm_free(w->stable);
    aqm_free(w->in_region);
    aqm_free(w->significant);
}

static double node_x(const AqmHeightMap *map, size_t cell) {
    return (map->first_column + (double)(cell % (size_t)map->columns)) * map->step_m;
}

static double node_y(const AqmHeightMap *map, size_t cell) {
    return (map->first_row + (double)(cell / (size_t)map->columns)) * map->step_m;
}

static AqmStatus choose_region(Work *w, AqmDiag *diag) {
    const double *r = w->options->region;
    size_t inside = 0;
    if (r && !(r[0] < r[2] && r[1] < r[3]))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "region of X %g..%g, Y %g..%g m: the first must be smaller", r[0], r[2],
                        r[1], r[3]);
    for (size_t c = 0; c < w->cells; c++) {
        const double x = node_x(w->map, c), y = node_y(w->map, c);
        w->in_region[c] =
            isfinite(w->map->z_m[c]) && (!r || (x >= r[0] && x <= r[2] && y >= r[1] && y <= r[3]));
        inside += w->in_region[c];
    }
    if (inside == 0)
        return aqm_fail(diag, AQM_ERROR_NO_DATA, "no cell that both surfaces know lies in the %s",
                        r ? "region" : "map");
    return AQM_OK;
}

/* ---- sigmas ---------------------------------------------------------------------------------- */

static bool has_sigma(const AqmHeightMap *map, size_t cell) {
    return isfinite(map->z_m[cell]) && isfinite(map->sigma_m[cell]) && map->sigma_m[cell] > 0.0f;
}

/* The stated sigmas, their median where one is missing; 1 for all if most are. */
static AqmStatus choose_sigmas(Work *w, AqmDiag *diag) {
    double *known = aqm_alloc(w->cells, sizeof *known);
    size_t count = 0, all = 0;
    if (!known)
        return aqm_fail_memory(diag, "the sigmas of a map", w->cells, sizeof *known);
    for (size_t c = 0; c < w->cells; c++) {
        all += isfinite(w->map->z_m[c]) != 0;
        if (has_sigma(w->map, c))
            known[count++] = (double)w->map->sigma_m[c];
    }
    w->result.sigma_known = count > 0 && 2 * count >= all;
    const double usual = w->result.sigma_known ? aqm_percentile_f64(known, count, 50.0) : 1.0;
    for (size_t c = 0; c < w->cells; c++) {
        const bool is_own = w->result.sigma_known && has_sigma(w->map, c);
        w->sigma[c] = is_own ? w->map->sigma_m[c] : (float)usual;
        w->values[c] = isfinite(w->map->z_m[c]) ? w->map->z_m[c] / w->sigma[c] : NAN;
    }
    aqm_free(known);
    return AQM_OK;
}

/* ---- what the stable ground tells ------------------------------------------------------------ */

static void describe_stable(Work *w, size_t stable) {
    double sum = 0.0, squares = 0.0;
    for (size_t c = 0; c < w->cells; c++)
        if (w->stable[c]) {
            sum += (double)w->map->z_m[c];
            squares += (double)w->map->z_m[c] * (double)w->map->z_m[c];
        }
    w->result.stable_area_m2 = (double)stable * w->cell_area;
    w->result.stable_mean_m = stable > 0 ? sum / (double)stable : (double)NAN;
    w->result.stable_rms_m = stable > 0 ? sqrt(squares / (double)stable) : (double)NAN;
}

/* Student's 97.5 % point (Hill 1970's expansion about the normal one), for 3 or more. */
static double student_975(double freedom) {
    const double z = z_95, z3 = z * z * z, z5 = z3 * z * z;
    return z + (z3 + z) / (4.0 * freedom) +
           (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * freedom * freedom);
}

static AqmStatus assume_one_error(Work *w, AqmDiag *diag) {
    double variance = 1.0;
    if (!w->result.sigma_known) {
        double *change = aqm_alloc(w->cells, sizeof *change);
        size_t count = 0;
        if (!change)
            return aqm_fail_memory(diag, "the changes of a map", w->cells, sizeof *change);
        for (size_t c = 0; c < w->cells; c++)
            if (!isnan(w->values[c]))
                change[count++] = fabs((double)w->values[c]);
        variance = pow(1.4826 * aqm_percentile_f64(change, count, 50.0), 2.0);
        aqm_free(change);
    }
    w->covariance =
        (AqmNestedCovariance){.count = 1, .range = {(double)INFINITY}, .variance = {variance}};
    w->result.sigma_scale = sqrt(variance);
    w->result.coverage_factor = z_95;
    w->result.changed_scale = 1.0;
    return AQM_OK;
}

/* Root mean square of the stated sigmas on the stable ground: from units of them to metres. */
static double stable_sigma(const Work *w) {
    double squares = 0.0;
    size_t count = 0;
    for (size_t c = 0; c < w->cells; c++)
        if (w->stable[c]) {
            squares += (double)w->sigma[c] * (double)w->sigma[c];
            count++;
        }
    return count > 0 ? sqrt(squares / (double)count) : 0.0;
}

static void describe_covariance(Work *w, const AqmBlockMoments *moments) {
    AqmVolumeChange *r = &w->result;
    const double sigma = stable_sigma(w), step = w->map->step_m;
    double total = 0.0;
    for (size_t k = 0; k < w->covariance.count; k++)
        total += w->covariance.variance[k];
    for (size_t k = 0; k < w->covariance.count; k++) {
        if (!(w->covariance.variance[k] > 1e-9 * total))
            continue;
        r->component_range_m[r->component_count] = w->covariance.range[k] * step;
        r->component_share[r->component_count++] = w->covariance.variance[k] / total;
    }
    r->block_count = moments->count;
    for (size_t k = 0; k < moments->count; k++) {
        r->block_m[k] = moments->side[k] * step;
        r->block_sigma_m[k] = sigma * sqrt(moments->moment[k]);
        r->block_model_m[k] =
            sigma * sqrt(aqm_nested_block_moment(&w->covariance, moments->side[k]));
    }
}

/* Errors are larger on the changed ground: its sigmas are, too. */
static AqmStatus widen_changed(Work *w, AqmDiag *diag) {
    double sum = 0.0;
    size_t count = 0;
    AQM_TRY(aqm_changed_ground_factors(w->map, w->sigma, w->stable, w->weights, diag));
    for (size_t c = 0; c < w->cells; c++) {
        w->sigma[c] *= w->weights[c]; /* scratch here */
        if (!w->stable[c] && isfinite(w->map->z_m[c])) {
            sum += (double)w->weights[c];
            count++;
        }
    }
    w->result.changed_scale = count > 0 ? sum / (double)count : 1.0;
    return AQM_OK;
}

static AqmStatus measure_errors(Work *w, AqmDiag *diag) {
    AqmBlockMoments moments;
    size_t stable = 0;
    AQM_TRY(aqm_stable_ground(w->values, w->map->columns, w->map->rows, w->stable, diag));
    for (size_t c = 0; c < w->cells; c++) {
        stable += w->stable[c];
        w->weights[c] = w->stable[c] ? w->values[c] : NAN; /* scratch here */
    }
    describe_stable(w, stable);
    AQM_TRY(aqm_block_moments(w->weights, w->map->columns, w->map->rows, &moments, diag));
    w->result.is_measured = stable >= FEWEST_STABLE && moments.count >= FEWEST_RUNGS;
    if (!w->result.is_measured)
        return assume_one_error(w, diag);
    aqm_nested_covariance_fit(&moments, &w->covariance);
    w->result.sigma_scale = sqrt(moments.moment[0]);
    w->result.coverage_factor = student_975(moments.freedom[moments.count - 2]);
    describe_covariance(w, &moments);
    return widen_changed(w, diag);
}

/* ---- volumes --------------------------------------------------------------------------------- */

/* dZ/dX and dZ/dY of the surface at a node of the difference, from the neighbours it knows. */
static void slope_at(const AqmHeightMap *s, int64_t column, int64_t row, double slope[2]) {
    const int64_t i = column - s->first_column, j = row - s->first_row;
    for (int axis = 0; axis < 2; axis++) {
        const int64_t di = axis == 0, dj = axis == 1;
        double z[2];
        for (int k = 0; k < 2; k++) {
            const int64_t x = i + (k ? di : -di), y = j + (k ? dj : -dj);
            const bool is_inside = x >= 0 && y >= 0 && x < s->columns && y < s->rows;
            z[k] = is_inside ? (double)s->z_m[(size_t)y * (size_t)s->columns + (size_t)x]
                             : (double)NAN;
        }
        slope[axis] = isfinite(z[1] - z[0]) ? (z[1] - z[0]) / (2.0 * s->step_m) : 0.0;
    }
}

/* g' P g for the weights: signed areas over sigma. */
static double alignment_variance(const Work *w) {
    const AqmAlignment *a = w->options->alignment;
    const AqmHeightMap *s = w->options->surface;
    double g[AQM_RIGID] = {0}, variance = 0.0;
    if (!a || !s)
        return 0.0;
    for (size_t c = 0; c < w->cells; c++) {
        if (w->weights[c] == 0.0f)
            continue;
        const int64_t column = w->map->first_column + (int64_t)(c % (size_t)w->map->columns);
        const int64_t row = w->map->first_row + (int64_t)(c / (size_t)w->map->columns);
        const int64_t i = column - s->first_column, j = row - s->first_row;
        if (i < 0 || j < 0 || i >= s->columns || j >= s->rows)
            continue;
        const double z = (double)s->z_m[(size_t)j * (size_t)s->columns + (size_t)i];
        double slope[2], turned[3];
        slope_at(s, column, row, slope);
        const double n[3] = {-slope[0], -slope[1], 1.0};
        const double r[3] = {node_x(w->map, c) - a->center[0], node_y(w->map, c) - a->center[1],
                             isfinite(z) ? z - a->center[2] : 0.0};
        const double area = (double)w->weights[c] / (double)w->sigma[c];
        aqm_cross3(r, n, turned);
        for (int k = 0; k < 3; k++) {
            g[k] += area * turned[k];
            g[3 + k] += area * n[k];
        }
    }
    for (int i = 0; i < AQM_RIGID; i++)
        for (int j = 0; j < AQM_RIGID; j++)
            variance += g[i] * a->covariance[AQM_RIGID * i + j] * g[j];
    return variance;
}

typedef enum Part { NET, DEPOSITION, EROSION } Part;

/* A volume over the cells of `set`, and half its interval. */
static AqmStatus integrate(Work *w, const uint8_t *set, Part part, double *volume, double *half,
                           AqmDiag *diag) {
    double sum = 0.0, gross = 0.0, variance = 0.0;
    for (size_t c = 0; c < w->cells; c++) {
        const double d = (double)w->map->z_m[c];
        const bool counts = set[c] && (part == NET || (part == DEPOSITION ? d < 0.0 : d > 0.0));
        sum += counts ? (part == EROSION ? d : -d) : 0.0;
        gross += counts ? fabs(d) : 0.0;
        w->weights[c] = counts ? (float)w->cell_area * w->sigma[c] : 0.0f;
    }
    AQM_TRY(aqm_nested_sum_variance(&w->covariance, w->weights, w->map->columns, w->map->rows,
                                    w->options->threads, &variance, diag));
    variance += alignment_variance(w) + pow(shape_share * w->cell_area * gross, 2.0);
    *volume = w->cell_area * sum;
    *half = w->result.coverage_factor * sqrt(variance);
    return AQM_OK;
}

static AqmStatus fill_volumes(Work *w, const uint8_t *set, AqmVolumes *v, AqmDiag *diag) {
    size_t down = 0, up = 0;
    double noise = 0.0;
    for (size_t c = 0; c < w->cells; c++) {
        v->cells += set[c];
        down += set[c] && w->map->z_m[c] > 0.0f;
        up += set[c] && w->map->z_m[c] < 0.0f;
        noise += set[c] ? (double)w->sigma[c] : 0.0;
    }
    v->area_m2 = (double)v->cells * w->cell_area;
    v->deposition_area_m2 = (double)up * w->cell_area;
    v->erosion_area_m2 = (double)down * w->cell_area;
    v->noise_m3 = mean_of_positive * w->cell_area * noise * w->result.sigma_scale;
    AQM_TRY(integrate(w, set, NET, &v->net_m3, &v->net_95_m3, diag));
    AQM_TRY(integrate(w, set, DEPOSITION, &v->deposition_m3, &v->deposition_95_m3, diag));
    return integrate(w, set, EROSION, &v->erosion_m3, &v->erosion_95_m3, diag);
}

static void find_significant(Work *w) {
    for (size_t c = 0; c < w->cells; c++) {
        const double sigma = (double)w->sigma[c] * w->result.sigma_scale;
        w->significant[c] = w->in_region[c] && fabs((double)w->map->z_m[c]) > z_95 * sigma;
    }
}

static AqmStatus work_through(Work *w, AqmDiag *diag) {
    AQM_TRY(choose_region(w, diag));
    AQM_TRY(choose_sigmas(w, diag));
    AQM_TRY(measure_errors(w, diag));
    find_significant(w);
    AQM_TRY(fill_volumes(w, w->in_region, &w->result.all, diag));
    return fill_volumes(w, w->significant, &w->result.significant, diag);
}

AqmStatus aqm_volume_change(AqmHeightMap *difference, const AqmVolumeOptions *options,
                            uint8_t *significant, AqmVolumeChange *out, AqmDiag *diag) {
    Work w = {.options = options,
              .map = difference,
              .cells = (size_t)difference->columns * (size_t)difference->rows,
              .cell_area = difference->step_m * difference->step_m};
    AqmStatus status = AQM_OK;
    if (!work_alloc(&w))
        status = aqm_fail_memory(diag, "the change between two maps", w.cells, 15);
    if (status == AQM_OK)
        status = work_through(&w, diag);
    for (size_t c = 0; status == AQM_OK && c < w.cells; c++)
        difference->sigma_m[c] =
            isfinite(difference->z_m[c]) ? (float)((double)w.sigma[c] * w.result.sigma_scale) : NAN;
    if (status == AQM_OK && significant)
        memcpy(significant, w.significant, w.cells);
    if (status == AQM_OK)
        *out = w.result;
    work_free(&w);
    return status;
}
