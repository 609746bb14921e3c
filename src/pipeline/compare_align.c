/* Alignment in two rounds. The robust weights of the first leave out what lies far off, but not the
 * foot of a mound, which hides in the noise and pulls (by 0.03 mm for a mound of 10 mm over a
 * quarter of the ground with noise of 0.1 mm). So the first difference shows which ground did not
 * change (stable_ground.c), and the second round aligns with that alone, as terrain models are
 * co-registered on stable ground (Nuth & Kaab 2011, Cryosphere 5, 271-290). */
#include <math.h>
#include <string.h>

#include "aquamvs/config.h"
#include "aquamvs/surface.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "evaluate/stable_ground.h"
#include "math/vec.h"
#include "pipeline/compare_pair.h"

static const double fewest_stable = 0.1; /* of the points */

void aqm_compare_drop_map(const AqmComparePair *pair, AqmCompareInput *input, const char *why) {
    if (!input->map)
        return;
    if (why)
        aqm_log(&pair->options->log, AQM_LOG_INFO, "%s: not used: %s", input->map_path, why);
    aqm_height_map_destroy(&input->map);
    input->map_is_file = false;
}

AqmStatus aqm_compare_make_map(const AqmComparePair *pair, AqmCompareInput *input, AqmDiag *diag) {
    AqmHeightfieldOptions options = aqm_heightfield_options_default();
    options.grid_resolution_m = pair->step_m;
    options.threads = pair->options->threads;
    if (!input->cloud)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "%s cannot be compared with a step of %g m: it has another step or water "
                        "surface, and there are no points to make a map from",
                        input->map_path, pair->step_m);
    return aqm_surface_height_map(input->cloud, &options, &input->map, diag);
}

static AqmStatus choose_reach(const AqmComparePair *pair, double *reach_m, AqmDiag *diag) {
    AqmConfig *config = NULL;
    *reach_m = pair->options->icp_max_distance_m;
    if (*reach_m > 0.0)
        return AQM_OK;
    *reach_m = aqm_icp_options_default().max_distance_m;
    if (!pair->a.config_path[0])
        return AQM_OK;
    AQM_TRY(aqm_config_read(pair->a.config_path, NULL, 0, NULL, &config, diag));
    *reach_m = config->runtime.icp_max_distance;
    aqm_config_destroy(&config);
    return AQM_OK;
}

static void tell_alignment(const AqmComparePair *pair) {
    const AqmAlignment *a = &pair->out->alignment;
    const AqmLog *log = &pair->options->log;
    if (!a->converged)
        aqm_log(log, AQM_LOG_WARNING, "the alignment had not settled after %d iterations",
                a->iterations);
    if (a->free_directions > 0)
        aqm_log(log, AQM_LOG_WARNING,
                "the surfaces do not tell %d of 6 directions of motion (a plane slides along "
                "itself): B was not moved along them",
                a->free_directions);
    if (a->inlier_share < 0.6)
        aqm_log(log, AQM_LOG_WARNING,
                "%.0f %% of the pairs fit the alignment: where less than half of the ground is "
                "unchanged, it is not to be trusted",
                100.0 * a->inlier_share);
}

/* ---- the ground that did not change ---------------------------------------------------------- */

/* Changes over their sigmas (over 1 where most have none). */
static void standardise(const AqmHeightMap *map, float *values) {
    const size_t cells = (size_t)map->columns * (size_t)map->rows;
    size_t all = 0, known = 0;
    for (size_t c = 0; c < cells; c++) {
        all += isfinite(map->z_m[c]) != 0;
        known += isfinite(map->z_m[c]) && map->sigma_m[c] > 0.0f;
    }
    for (size_t c = 0; c < cells; c++) {
        const bool has_sigma = map->sigma_m[c] > 0.0f && isfinite(map->sigma_m[c]);
        values[c] = 2 * known < all ? map->z_m[c] : has_sigma ? map->z_m[c] / map->sigma_m[c] : NAN;
    }
}

static bool is_on(const AqmHeightMap *map, const uint8_t *stable, const float *p) {
    const double i = round((double)p[0] / map->step_m) - map->first_column;
    const double j = round((double)p[1] / map->step_m) - map->first_row;
    return i >= 0.0 && j >= 0.0 && i < map->columns && j < map->rows &&
           stable[(size_t)j * (size_t)map->columns + (size_t)i]; /* false for NaN */
}

static AqmStatus points_on(const AqmCloud *cloud, const AqmHeightMap *map, const uint8_t *stable,
                           AqmCloud **out, AqmDiag *diag) {
    AqmCloud *chosen = NULL;
    size_t count = 0;
    for (size_t i = 0; i < cloud->count; i++)
        count += is_on(map, stable, cloud->position + 3 * i);
    AQM_TRY(aqm_cloud_create(&chosen, count, diag));
    for (size_t i = 0; i < cloud->count; i++)
        if (is_on(map, stable, cloud->position + 3 * i))
            memcpy(chosen->position + 3 * chosen->count++, cloud->position + 3 * i,
                   3 * sizeof *chosen->position);
    *out = chosen;
    return AQM_OK;
}

/* The points of B, as aligned so far, on ground that did not change. */
static AqmStatus choose_points(AqmComparePair *pair, AqmCloud **out, AqmDiag *diag) {
    AqmHeightMap *map = NULL;
    AQM_TRY(aqm_height_difference(pair->a.map, pair->b.map, &map, diag));
    const size_t cells = (size_t)map->columns * (size_t)map->rows;
    float *values = aqm_alloc(cells, sizeof *values);
    uint8_t *stable = aqm_alloc(cells, 1);
    AqmStatus status = AQM_OK;
    if (!values || !stable)
        status = aqm_fail_memory(diag, "where a map changed", cells, 5);
    if (status == AQM_OK) {
        standardise(map, values);
        status = aqm_stable_ground(values, map->columns, map->rows, stable, diag);
    }
    if (status == AQM_OK)
        status = points_on(pair->b.cloud, map, stable, out, diag);
    aqm_height_map_destroy(&map);
    aqm_free(values);
    aqm_free(stable);
    return status;
}

/* ---- both rounds ----------------------------------------------------------------------------- */

/* The second motion after the first. */
static void join(const AqmAlignment *first, AqmAlignment *second) {
    double R[9], t[3];
    aqm_mul33(second->R, first->R, R);
    aqm_mul33v(second->R, first->t, t);
    for (int k = 0; k < 3; k++)
        second->t[k] += t[k];
    memcpy(second->R, R, sizeof R);
    second->iterations += first->iterations;
    second->rms_before_m = first->rms_before_m;
}

static AqmStatus align_again(AqmComparePair *pair, const AqmIcpOptions *options,
                             const AqmCloud *points, AqmDiag *diag) {
    AqmAlignment second;
    if ((double)points->count < fewest_stable * (double)pair->b.cloud->count) {
        aqm_log(&pair->options->log, AQM_LOG_WARNING,
                "hardly any ground is unchanged: change may have pulled the alignment");
        return AQM_OK;
    }
    AQM_TRY(aqm_icp_align(pair->a.cloud, points, options, &second, diag));
    aqm_cloud_move(pair->b.cloud, second.R, second.t);
    join(&pair->out->alignment, &second);
    pair->out->alignment = second;
    return AQM_OK;
}

AqmStatus aqm_compare_align(AqmComparePair *pair, AqmDiag *diag) {
    AqmIcpOptions options = aqm_icp_options_default();
    AqmAlignment *alignment = &pair->out->alignment;
    AqmCloud *points = NULL;
    if (!pair->a.cloud || !pair->b.cloud)
        return aqm_fail(diag, AQM_ERROR_NO_DATA,
                        "alignment needs points, and %s is a height map alone",
                        pair->a.cloud ? pair->b.map_path : pair->a.map_path);
    options.threads = pair->options->threads;
    AQM_TRY(choose_reach(pair, &options.max_distance_m, diag));
    AQM_TRY(aqm_icp_align(pair->a.cloud, pair->b.cloud, &options, alignment, diag));
    aqm_cloud_move(pair->b.cloud, alignment->R, alignment->t);
    aqm_compare_drop_map(pair, &pair->b, NULL);
    AQM_TRY(aqm_compare_make_map(pair, &pair->b, diag));
    if (!pair->a.map)
        AQM_TRY(aqm_compare_make_map(pair, &pair->a, diag));
    AQM_TRY(choose_points(pair, &points, diag));
    const AqmStatus status = align_again(pair, &options, points, diag);
    aqm_cloud_destroy(&points);
    aqm_compare_drop_map(pair, &pair->b, NULL);
    pair->out->is_aligned = status == AQM_OK;
    if (status == AQM_OK)
        tell_alignment(pair);
    return status;
}
