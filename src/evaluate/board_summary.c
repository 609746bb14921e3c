/* Many poses as one line: root mean squares for what is an error, means for what is a bias. */
#include <math.h>

#include "aquamvs/charuco.h"
#include "math/solve.h"

/* Root mean square of what is known of a number, `offset` bytes into the measures. */
static double root_mean_square(const AqmBoardMeasures *poses, size_t count, size_t offset) {
    double sum = 0.0;
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        const double value = *(const double *)(const void *)((const char *)&poses[i] + offset);
        if (isfinite(value))
            sum += value * value, used++;
    }
    return used > 0 ? sqrt(sum / (double)used) : (double)NAN;
}

static double mean_offset(const AqmBoardMeasures *poses, size_t count) {
    double sum = 0.0;
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        if (isfinite(poses[i].plane_offset_mm))
            sum += poses[i].plane_offset_mm, used++;
    return used > 0 ? sum / (double)used : (double)NAN;
}

static void summarise_squares(const AqmBoardMeasures *poses, size_t count, AqmBoardSummary *out) {
    double sum = 0.0, squares = 0.0;
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        if (isfinite(poses[i].square_error_pct))
            sum += poses[i].square_error_pct, used++;
    const double mean = sum / (double)used;
    for (size_t i = 0; i < count; i++)
        if (isfinite(poses[i].square_error_pct))
            squares += (poses[i].square_error_pct - mean) * (poses[i].square_error_pct - mean);
    out->square_error_pct = mean;
    out->square_cv_pct =
        used > 1 ? sqrt(squares / ((double)used - 1.0)) / (1.0 + mean / 100.0) : (double)NAN;
}

/* The size as c0 + c1 (tilt / 10 degrees) + c2 (depth / 100 mm). */
static void find_trends(const AqmBoardMeasures *poses, size_t count, AqmBoardSummary *out) {
    double A[9] = {0}, b[3] = {0}, c[3], tilt = 0.0, depth = 0.0;
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        if (isfinite(poses[i].square_error_pct))
            tilt += poses[i].tilt_deg, depth += poses[i].depth_m, used++;
    tilt /= (double)used, depth /= (double)used;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(poses[i].square_error_pct))
            continue;
        const double row[3] = {1.0, (poses[i].tilt_deg - tilt) / 10.0,
                               (poses[i].depth_m - depth) / 0.1};
        for (int j = 0; j < 3; j++) {
            b[j] += row[j] * poses[i].square_error_pct;
            for (int k = 0; k < 3; k++)
                A[3 * j + k] += row[j] * row[k];
        }
    }
    const bool is_known = used >= 4 && aqm_solve_spd(A, b, 3, c);
    out->square_per_10deg_pct = is_known ? c[1] : (double)NAN;
    out->square_per_100mm_pct = is_known ? c[2] : (double)NAN;
}

void aqm_board_summarise(const AqmBoardMeasures *poses, size_t count, AqmBoardSummary *out) {
#define ROOT_MEAN_SQUARE(field) root_mean_square(poses, count, offsetof(AqmBoardMeasures, field))
    *out = (AqmBoardSummary){
        .poses = count,
        .tilt_min_deg = count ? INFINITY : (double)NAN,
        .tilt_max_deg = count ? -INFINITY : (double)NAN,
        .depth_min_m = count ? INFINITY : (double)NAN,
        .depth_max_m = count ? -INFINITY : (double)NAN,
        .flatness_mm = ROOT_MEAN_SQUARE(flatness_mm),
        .cross_camera_mm = ROOT_MEAN_SQUARE(cross_camera_mm),
        .grid_rms_mm = ROOT_MEAN_SQUARE(grid_rms_mm),
        .range_rms_mm = ROOT_MEAN_SQUARE(range_rms_mm),
        .lateral_rms_mm = ROOT_MEAN_SQUARE(lateral_rms_mm),
        .map_range_rms_mm = ROOT_MEAN_SQUARE(map_range_rms_mm),
        .map_lateral_rms_mm = ROOT_MEAN_SQUARE(map_lateral_rms_mm),
        .reprojection_px = ROOT_MEAN_SQUARE(reprojection_px),
        .plane_offset_mm = mean_offset(poses, count),
    };
#undef ROOT_MEAN_SQUARE
    for (size_t i = 0; i < count; i++) {
        out->tilt_min_deg = fmin(out->tilt_min_deg, poses[i].tilt_deg);
        out->tilt_max_deg = fmax(out->tilt_max_deg, poses[i].tilt_deg);
        out->depth_min_m = fmin(out->depth_min_m, poses[i].depth_m);
        out->depth_max_m = fmax(out->depth_max_m, poses[i].depth_m);
    }
    summarise_squares(poses, count, out);
    find_trends(poses, count, out);
}
