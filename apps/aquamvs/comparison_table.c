#include "comparison_table.h"

#include <math.h>
#include <stdio.h>

static void print_alignment(const AqmAlignment *a) {
    printf(
        "\nalignment of B to A      %d iterations%s, %zu of %zu points paired, %.1f %% inliers\n",
        a->iterations, a->converged ? "" : " (not settled)", a->pairs, a->points,
        100.0 * a->inlier_share);
    printf("  distance along normals %.4f mm RMS before, %.4f after, %.4f of the inliers\n",
           1000.0 * a->rms_before_m, 1000.0 * a->rms_after_m, 1000.0 * a->inlier_rms_m);
    printf("  sigma of the shift     X %.4f  Y %.4f  Z %.4f mm\n", 1000.0 * a->sigma_shift_m[0],
           1000.0 * a->sigma_shift_m[1], 1000.0 * a->sigma_shift_m[2]);
    printf("  sigma of the turn      X %.4f  Y %.4f  Z %.4f mrad\n", 1000.0 * a->sigma_turn_rad[0],
           1000.0 * a->sigma_turn_rad[1], 1000.0 * a->sigma_turn_rad[2]);
    if (a->free_directions > 0)
        printf("  not told by the shapes %d of 6 directions of motion\n", a->free_directions);
}

static void print_volume_row(const char *name, double volume, double half, double area,
                             double unit) {
    printf("  %-22s %12.2f +- %-10.2f %10.4f\n", name, unit * volume, unit * half, area);
}

static void print_volumes(const char *name, const AqmVolumes *v, double unit) {
    printf("%s: %zu cells\n", name, v->cells);
    print_volume_row("net (+ = gained)", v->net_m3, v->net_95_m3, v->area_m2, unit);
    print_volume_row("deposition", v->deposition_m3, v->deposition_95_m3, v->deposition_area_m2,
                     unit);
    print_volume_row("erosion", v->erosion_m3, v->erosion_95_m3, v->erosion_area_m2, unit);
    printf("  %-22s %12.2f\n", "noise in each, about", unit * v->noise_m3);
}

static void print_errors(const AqmVolumeChange *v) {
    if (!v->is_measured) {
        printf(
            "\nerrors                   no unchanged ground to measure them on: taken as one and "
            "the same\n");
        return;
    }
    printf("\nunchanged ground         %.4f m2: mean %+.4f mm, RMS %.4f mm\n", v->stable_area_m2,
           1000.0 * v->stable_mean_m, 1000.0 * v->stable_rms_m);
    if (v->sigma_known)
        printf("sigmas of the maps       times %.3f fit it\n", v->sigma_scale);
    else
        printf("sigma of a cell          %.4f mm (the maps state none)\n", 1000.0 * v->sigma_scale);
    printf("on changed ground        times %.2f more, on average\n", v->changed_scale);
    printf("correlation of errors   ");
    for (size_t k = 0; k < v->component_count; k++)
        if (v->component_range_m[k] == 0.0)
            printf(" %.1f %% of single cells", 100.0 * v->component_share[k]);
        else if (isinf(v->component_range_m[k]))
            printf(" %.2g %% common to all", 100.0 * v->component_share[k]);
        else
            printf(" %.1f %% over %g mm", 100.0 * v->component_share[k],
                   1000.0 * v->component_range_m[k]);
    printf("\n");
}

static void print_distance_row(const char *name, const AqmCloudDistances *d) {
    printf("%-16s %9zu %8.3f %8.3f %8.3f %8.3f %9.3f %+9.3f %8.3f\n", name, d->count, d->mean_mm,
           d->median_mm, d->rms_mm, d->p95_mm, d->max_mm, d->signed_mean_mm, d->signed_rms_mm);
}

static void print_share_row(const char *name, const AqmCloudDistances *d) {
    printf("%-16s", name);
    for (int k = 0; k < AQM_EVAL_LIMITS; k++)
        printf(" %8.2f", d->within_pct[k]);
    printf("\n");
}

static void print_distances(const AqmComparison *c) {
    printf("\n%-16s %9s %8s %8s %8s %8s %9s %9s %8s\n", "nearest point, mm", "points", "mean",
           "median", "RMS", "p95", "max", "signed", "RMS");
    print_distance_row("A to B", &c->a_to_b);
    print_distance_row("B to A", &c->b_to_a);
    printf("  (signed: along the normals, of points within 5 mm; + = deeper)\n\n%-16s",
           "percent within");
    for (int k = 0; k < AQM_EVAL_LIMITS; k++)
        printf(" %5g mm", c->a_to_b.limit_mm[k]);
    printf("\n");
    print_share_row("A to B", &c->a_to_b);
    print_share_row("B to A", &c->b_to_a);
}

void print_comparison(const AqmComparison *c) {
    const AqmVolumeChange *v = &c->volume;
    const bool in_cm3 = v->all.deposition_m3 < 0.01 && v->all.erosion_m3 < 0.01;
    printf("A  %s\nB  %s\n", c->name_a, c->name_b);
    if (c->is_aligned)
        print_alignment(&c->alignment);
    printf("\nchange of Z, B - A       mean %+.4f  median %+.4f  RMS %.4f  p95 %.4f  max %.4f mm "
           "(+ = deeper)\n",
           1000.0 * c->mean_m, 1000.0 * c->median_m, 1000.0 * c->rms_m, 1000.0 * c->p95_abs_m,
           1000.0 * c->max_abs_m);
    print_errors(v);
    printf("\n%-24s %12s +- %-10s %10s   steps of %g mm\n", "volume", in_cm3 ? "cm3" : "litres",
           "95 %", "m2", 1000.0 * c->difference->step_m);
    print_volumes(c->has_region ? "the region" : "all that both cover", &v->all,
                  in_cm3 ? 1e6 : 1e3);
    print_volumes("where the change is more than 1.96 sigma", &v->significant, in_cm3 ? 1e6 : 1e3);
    if (c->has_distances)
        print_distances(c);
}
