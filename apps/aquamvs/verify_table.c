#include "verify_table.h"

#include <math.h>
#include <stdio.h>

/* "-" for what is not known. */
static void print_number(double value, int width, int digits, bool is_signed) {
    if (!isfinite(value))
        printf(" %*s", width, "-");
    else
        printf(is_signed ? " %+*.*f" : " %*.*f", width, digits, value);
}

static void print_pose(const AqmVerifyPose *pose) {
    const AqmBoardMeasures *m = &pose->measures;
    if (pose->reason[0]) {
        printf("%6d   not measured: %s\n", pose->frame, pose->reason);
        return;
    }
    printf("%6d %5.1f %6.3f %4zu %5zu", pose->frame, m->tilt_deg, m->depth_m, m->cameras,
           m->corners);
    print_number(m->reprojection_px, 7, 3, false);
    print_number(m->flatness_mm, 8, 3, false);
    print_number(m->plane_offset_mm, 8, 3, true);
    print_number(m->cross_camera_mm, 8, 3, false);
    print_number(m->square_error_pct, 9, 4, true);
    print_number(m->grid_rms_mm, 7, 3, false);
    print_number(m->range_rms_mm, 7, 3, false);
    print_number(m->lateral_rms_mm, 7, 3, false);
    printf("\n");
}

static void print_line(const char *name, double value, int digits, bool is_signed,
                       const char *unit) {
    printf("  %-44s", name);
    print_number(value, 9, digits, is_signed);
    printf(" %s\n", unit);
}

void print_verification(const AqmVerification *v) {
    const AqmBoardSummary *s = &v->summary;
    printf("board of %d x %d squares of %g mm, %s\n\n", v->board.squares_x, v->board.squares_y,
           1000.0 * v->board.square_m, aqm_dictionary_name(v->board.dictionary));
    printf("%6s %5s %6s %4s %5s %7s %8s %8s %8s %9s %7s %7s %7s\n", "frame", "tilt", "depth",
           "cams", "crnrs", "reproj", "flatness", "offset", "cross-c.", "square", "grid", "range",
           "lateral");
    printf("%6s %5s %6s %4s %5s %7s %8s %8s %8s %9s %7s %7s %7s\n", "", "deg", "m", "", "", "px",
           "mm", "mm", "mm", "%", "mm", "mm", "mm");
    for (size_t k = 0; k < v->count; k++)
        print_pose(&v->poses[k]);
    printf("\n%zu pose%s, tilt %.1f..%.1f degrees, %.3f..%.3f m under water\n", s->poses,
           s->poses == 1 ? "" : "s", s->tilt_min_deg, s->tilt_max_deg, s->depth_min_m,
           s->depth_max_m);
    print_line("flatness of the surface, RMS", s->flatness_mm, 3, false, "mm");
    print_line("cross-camera agreement, RMS", s->cross_camera_mm, 3, false, "mm");
    print_line("square size, mean error", s->square_error_pct, 4, true, "%");
    print_line("square size, variation over poses (CV)", s->square_cv_pct, 4, false, "%");
    print_line("  change with 10 degrees of tilt", s->square_per_10deg_pct, 4, true, "%");
    print_line("  change with 100 mm of depth", s->square_per_100mm_pct, 4, true, "%");
    print_line("rigid grid, RMS", s->grid_rms_mm, 3, false, "mm");
    print_line("  along the rays (range), RMS", s->range_rms_mm, 3, false, "mm");
    print_line("  across them (lateral), RMS", s->lateral_rms_mm, 3, false, "mm");
    print_line("depth maps at corners: range, RMS", s->map_range_rms_mm, 3, false, "mm");
    print_line("depth maps at corners: lateral, RMS", s->map_lateral_rms_mm, 3, false, "mm");
    print_line("surface below (+) the corners, mean", s->plane_offset_mm, 3, true, "mm");
    print_line("reprojection of the corners, RMS", s->reprojection_px, 4, false, "px");
}
