/* Two surfaces, from their files to the difference between them.
 *
 * Two frames of one rig are in one frame of reference: the rig and its calibration are the same, so
 * nothing is aligned unless it is asked for. Alignment would take a true offset, such as a bed that
 * has settled everywhere, for an error, and add its own. It is for results that do not share a
 * frame of reference: a rig calibrated anew, or taken down and put up again. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "aquamvs/compare.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "math/stats.h"
#include "math/vec.h"
#include "pipeline/compare_pair.h"

static const double usual_step_m = 0.002;

AqmCompareOptions aqm_compare_options_default(void) {
    return (AqmCompareOptions){.frame_b = -1};
}

void aqm_comparison_destroy(AqmComparison **comparison) {
    if (!comparison || !*comparison)
        return;
    aqm_height_map_destroy(&(*comparison)->difference);
    aqm_free((*comparison)->significant);
    aqm_free(*comparison);
    *comparison = NULL;
}

static AqmStatus check(const AqmCompareOptions *o, AqmDiag *diag) {
    const double *r = o->region;
    if (o->frame_a < 0 || o->frame_b < -1)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "frames %d and %d: must not be negative",
                        o->frame_a, o->frame_b);
    if (o->grid_step_m != 0.0 && !(o->grid_step_m >= 1e-6 && o->grid_step_m <= 1e3))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "grid step of %g m: must be in 1e-6..1000",
                        o->grid_step_m);
    if (o->icp_max_distance_m != 0.0 &&
        !(o->icp_max_distance_m >= 1e-9 && o->icp_max_distance_m <= 1000.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "icp_max_distance of %g m: must be in 1e-9..1000",
                        o->icp_max_distance_m);
    if (o->has_region && !(r[0] < r[2] && r[1] < r[3]))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "region of X %g..%g, Y %g..%g m: the first must be smaller", r[0], r[2],
                        r[1], r[3]);
    return AQM_OK;
}

/* ---- one frame of reference, one step -------------------------------------------------------- */

static bool are_same(const double a[9], const double b[9]) {
    for (int i = 0; i < 9; i++)
        if (fabs(a[i] - b[i]) > 1e-6)
            return false;
    return true;
}

static void turn_into_rig(AqmCompareInput *input, const double world_from_rig[9]) {
    static const double none[3] = {0};
    const double identity[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    double rig_from_world[9];
    if (!input->cloud || are_same(world_from_rig, identity))
        return;
    aqm_transpose33(world_from_rig, rig_from_world);
    aqm_cloud_move(input->cloud, rig_from_world, none);
}

/* Points lie in the world frame, maps in the rig's: all is brought into the rig frame of A or,
 * where A's file does not tell it, of B. */
static void choose_frame(AqmComparePair *pair) {
    AqmCompareInput *a = &pair->a, *b = &pair->b;
    double *R = pair->out->world_from_rig;
    memcpy(R, a->has_rotation ? a->world_from_rig : b->world_from_rig, 9 * sizeof *R);
    if (b->map && !are_same(R, b->world_from_rig))
        aqm_compare_drop_map(pair, b, "its water surface is tilted otherwise");
    if (a->map && !are_same(R, a->world_from_rig))
        aqm_compare_drop_map(pair, a, "its water surface is tilted otherwise");
    turn_into_rig(a, R);
    turn_into_rig(b, R);
}

static void choose_step(AqmComparePair *pair) {
    AqmCompareInput *sides[2] = {&pair->a, &pair->b};
    pair->step_m = pair->options->grid_step_m;
    for (int k = 0; k < 2 && pair->step_m == 0.0; k++)
        pair->step_m = sides[k]->map ? sides[k]->map->step_m : 0.0;
    if (pair->step_m == 0.0)
        pair->step_m = usual_step_m;
    for (int k = 0; k < 2; k++)
        if (sides[k]->map && !(fabs(sides[k]->map->step_m - pair->step_m) <= 1e-9 * pair->step_m))
            aqm_compare_drop_map(pair, sides[k], "its step is another");
}

/* ---- maps ------------------------------------------------------------------------------------ */

/* The heights of one side, and in `name` the file they come from. */
static AqmStatus take_map(const AqmComparePair *pair, AqmCompareInput *input,
                          char name[AQM_COMPARED_MAX], AqmDiag *diag) {
    snprintf(name, AQM_COMPARED_MAX, "%s",
             input->map_is_file ? input->map_path : input->cloud_path);
    if (input->map)
        return AQM_OK;
    const AqmStatus status = aqm_compare_make_map(pair, input, diag);
    if (status != AQM_OK)
        aqm_diag_prefix(diag, "%s: ", name);
    return status;
}

/* ---- what they say --------------------------------------------------------------------------- */

static AqmStatus summarise_change(AqmComparison *out, AqmDiag *diag) {
    const AqmHeightMap *map = out->difference;
    const size_t cells = (size_t)map->columns * (size_t)map->rows;
    double *dz = aqm_alloc(cells, sizeof *dz), sum = 0.0, squares = 0.0;
    size_t count = 0;
    if (!dz)
        return aqm_fail_memory(diag, "the changes of a map", cells, sizeof *dz);
    for (size_t c = 0; c < cells; c++) {
        const double x = (map->first_column + (double)(c % (size_t)map->columns)) * map->step_m;
        const double y = (map->first_row + (double)(c / (size_t)map->columns)) * map->step_m;
        const double *r = out->region;
        if (!isfinite(map->z_m[c]) ||
            (out->has_region && !(x >= r[0] && y >= r[1] && x <= r[2] && y <= r[3])))
            continue;
        dz[count] = (double)map->z_m[c];
        sum += dz[count];
        squares += dz[count] * dz[count];
        count++;
    }
    out->mean_m = sum / (double)count; /* aqm_volume_change has seen to it that there are cells */
    out->rms_m = sqrt(squares / (double)count);
    out->median_m = aqm_percentile_f64(dz, count, 50.0);
    for (size_t i = 0; i < count; i++) {
        dz[i] = fabs(dz[i]);
        out->max_abs_m = fmax(out->max_abs_m, dz[i]);
    }
    out->p95_abs_m = aqm_percentile_f64(dz, count, 95.0);
    aqm_free(dz);
    return AQM_OK;
}

static AqmStatus measure_volume(AqmComparePair *pair, AqmDiag *diag) {
    AqmComparison *out = pair->out;
    AQM_TRY(aqm_height_difference(pair->a.map, pair->b.map, &out->difference, diag));
    const size_t cells = (size_t)out->difference->columns * (size_t)out->difference->rows;
    out->significant = aqm_calloc(cells, 1);
    if (!out->significant)
        return aqm_fail_memory(diag, "the significant cells of a map", cells, 1);
    const AqmVolumeOptions options = {.region = out->has_region ? out->region : NULL,
                                      .alignment = out->is_aligned ? &out->alignment : NULL,
                                      .surface = out->is_aligned ? pair->b.map : NULL,
                                      .threads = pair->options->threads};
    AQM_TRY(aqm_volume_change(out->difference, &options, out->significant, &out->volume, diag));
    return summarise_change(out, diag);
}

/* Within the region, or the box that both maps cover: what lies beside it is no change. */
static AqmStatus measure_distances(AqmComparePair *pair, AqmDiag *diag) {
    AqmComparison *out = pair->out;
    const AqmHeightMap *map = out->difference;
    const double x = map->first_column * map->step_m, y = map->first_row * map->step_m;
    const double box[4] = {x, y, x + (map->columns - 1) * map->step_m,
                           y + (map->rows - 1) * map->step_m};
    const double *region = out->has_region ? out->region : box;
    const int threads = pair->options->threads;
    if (!pair->a.cloud || !pair->b.cloud)
        return AQM_OK;
    AqmStatus status =
        aqm_cloud_distances(pair->a.cloud, pair->b.cloud, region, threads, &out->a_to_b, NULL);
    if (status == AQM_OK)
        status =
            aqm_cloud_distances(pair->b.cloud, pair->a.cloud, region, threads, &out->b_to_a, NULL);
    if (status == AQM_ERROR_MEMORY)
        return aqm_fail(diag, status, "out of memory: distances between two clouds");
    out->has_distances = status == AQM_OK; /* no point in a box one cell wide is no failure */
    return AQM_OK;
}

static void tell_doubts(const AqmComparePair *pair) {
    const AqmVolumeChange *v = &pair->out->volume;
    const AqmLog *log = &pair->options->log;
    if (!v->is_measured)
        aqm_log(log, AQM_LOG_WARNING,
                "there is too little unchanged ground to measure errors on: the intervals take all "
                "errors as one and the same, and are too wide rather than too narrow");
    else if (v->block_count > 0 && fabs(v->stable_mean_m) > 2.0 * v->stable_rms_m / 3.0)
        aqm_log(log, AQM_LOG_WARNING,
                "the ground that seems unchanged lies %+.3f mm deeper in B: either all of it "
                "changed alike, or the two do not share a frame of reference; the intervals hold "
                "both",
                1000.0 * v->stable_mean_m);
    if (v->sigma_known && v->sigma_scale > 3.0) /* below 1: the part that both share cancels */
        aqm_log(log, AQM_LOG_WARNING,
                "on unchanged ground the two differ by %.1f times what their sigmas say; the "
                "sigmas were scaled",
                v->sigma_scale);
}

static AqmStatus compare(AqmComparePair *pair, const char *a, const char *b, AqmDiag *diag) {
    const AqmCompareOptions *o = pair->options;
    const int frame_b = o->frame_b < 0 ? o->frame_a : o->frame_b;
    AQM_TRY(aqm_compare_input_read(&pair->a, a, o->frame_a, &o->log, diag));
    AQM_TRY(aqm_compare_input_read(&pair->b, b, frame_b, &o->log, diag));
    choose_frame(pair);
    choose_step(pair);
    if (o->align)
        AQM_TRY(aqm_compare_align(pair, diag));
    AQM_TRY(take_map(pair, &pair->a, pair->out->name_a, diag));
    AQM_TRY(take_map(pair, &pair->b, pair->out->name_b, diag));
    AQM_TRY(measure_volume(pair, diag));
    AQM_TRY(measure_distances(pair, diag));
    tell_doubts(pair);
    return AQM_OK;
}

AqmStatus aqm_compare(const char *a, const char *b, const AqmCompareOptions *options,
                      AqmComparison **out, AqmDiag *diag) {
    AQM_TRY(check(options, diag));
    AqmComparison *comparison = aqm_calloc(1, sizeof *comparison);
    if (!comparison)
        return aqm_fail_memory(diag, "a comparison", 1, sizeof *comparison);
    comparison->has_region = options->has_region;
    memcpy(comparison->region, options->region, sizeof comparison->region);
    AqmComparePair *pair = aqm_calloc(1, sizeof *pair); /* its paths are too large for a stack */
    AqmStatus status = AQM_OK;
    if (pair) {
        pair->options = options;
        pair->out = comparison;
        status = compare(pair, a, b, diag);
        aqm_compare_input_free(&pair->a);
        aqm_compare_input_free(&pair->b);
    } else {
        status = aqm_fail_memory(diag, "a comparison", 1, sizeof *pair);
    }
    aqm_free(pair);
    if (status == AQM_OK)
        *out = comparison;
    else
        aqm_comparison_destroy(&comparison);
    return status;
}
