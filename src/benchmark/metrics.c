#include "benchmark/metrics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const group_names[] = {"accuracy", "completeness", "time", "memory", "none"};

const char *aqm_group_name(AqmMetricGroup group) {
    return group_names[group];
}

int aqm_group_direction(AqmMetricGroup group) {
    return group == AQM_GROUP_NONE ? 0 : group == AQM_GROUP_COMPLETENESS ? 1 : -1;
}

/* ---- measures of a surface ------------------------------------------------------------------- */

#define IN_REGION(member)                                                                          \
    static double value_##member(const AqmEvaluation *e) {                                         \
        return e->in_region.count > 0 ? e->in_region.member : (double)NAN;                         \
    }
IN_REGION(mean_mm)
IN_REGION(median_mm)
IN_REGION(std_mm)
IN_REGION(rms_mm)
IN_REGION(p90_mm)
IN_REGION(p95_mm)

static double value_points(const AqmEvaluation *e) {
    return (double)e->points;
}
static double value_raw(const AqmEvaluation *e) {
    return e->raw_completeness_pct;
}
static double value_completeness(const AqmEvaluation *e) {
    return e->tolerance_completeness_pct;
}
static double value_precision(const AqmEvaluation *e) {
    return e->tolerance_precision_pct;
}
static double value_plane(const AqmEvaluation *e) {
    return e->plane_fit_rmse_mm;
}

const AqmSurfaceMetric aqm_surface_metrics[AQM_SURFACE_METRICS] = {
    {"points", AQM_GROUP_NONE, value_points},
    {"mean_mm", AQM_GROUP_ACCURACY, value_mean_mm},
    {"median_mm", AQM_GROUP_ACCURACY, value_median_mm},
    {"std_mm", AQM_GROUP_ACCURACY, value_std_mm},
    {"rms_mm", AQM_GROUP_ACCURACY, value_rms_mm},
    {"p90_mm", AQM_GROUP_ACCURACY, value_p90_mm},
    {"p95_mm", AQM_GROUP_ACCURACY, value_p95_mm},
    {"raw_completeness_pct", AQM_GROUP_COMPLETENESS, value_raw},
    {"completeness_pct", AQM_GROUP_COMPLETENESS, value_completeness},
    {"precision_pct", AQM_GROUP_COMPLETENESS, value_precision},
    {"plane_fit_rmse_mm", AQM_GROUP_ACCURACY, value_plane},
};

static bool begins_with(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

AqmMetricGroup aqm_metric_group(const char *name) {
    if (begins_with(name, "seconds.") || begins_with(name, "stages."))
        return AQM_GROUP_TIME;
    if (begins_with(name, "memory_mb."))
        return AQM_GROUP_MEMORY;
    if (!begins_with(name, "cloud.") && !begins_with(name, "mesh."))
        return AQM_GROUP_NONE;
    const char *leaf = strchr(name, '.') + 1;
    for (int k = 0; k < AQM_SURFACE_METRICS; k++)
        if (strcmp(aqm_surface_metrics[k].name, leaf) == 0)
            return aqm_surface_metrics[k].group;
    return AQM_GROUP_NONE;
}

/* ---- thresholds ------------------------------------------------------------------------------ */

AqmThresholds aqm_thresholds_default(void) {
    return (AqmThresholds){
        .group_percent = {5.0, 5.0, 10.0, 10.0}, .least_s = 0.05, .least_mb = 2.0};
}

/* "cloud" and "cloud.rms_mm" fit cloud.rms_mm, "cloud.r" does not. */
static bool fits(const char *start, const char *name) {
    const size_t length = strlen(start);
    return begins_with(name, start) && (name[length] == '\0' || name[length] == '.');
}

double aqm_threshold_of(const AqmThresholds *thresholds, const char *name) {
    const AqmMetricGroup group = aqm_metric_group(name);
    if (group == AQM_GROUP_NONE)
        return (double)NAN;
    double percent = thresholds->group_percent[group];
    size_t longest = 0;
    for (size_t k = 0; k < thresholds->own_count; k++) {
        const AqmThreshold *own = &thresholds->own[k];
        if (fits(own->name, name) && strlen(own->name) > longest) {
            longest = strlen(own->name);
            percent = own->percent;
        }
    }
    return percent;
}

bool aqm_threshold_is_known(const char *name) {
    static const char *const sections[] = {"cloud",
                                           "mesh",
                                           "stages",
                                           "seconds",
                                           "seconds.wall",
                                           "seconds.cpu",
                                           "memory_mb",
                                           "memory_mb.resident",
                                           "memory_mb.allocated"};
    for (int k = 0; k < AQM_GROUP_COUNT; k++)
        if (strcmp(name, group_names[k]) == 0)
            return true;
    for (size_t k = 0; k < sizeof sections / sizeof sections[0]; k++)
        if (strcmp(name, sections[k]) == 0)
            return true;
    /* stages have the names that the pipeline gives them */
    if (begins_with(name, "stages.") && name[7] != '\0')
        return true;
    const AqmMetricGroup group = aqm_metric_group(name);
    return group == AQM_GROUP_ACCURACY || group == AQM_GROUP_COMPLETENESS;
}

/* ---- several runs ---------------------------------------------------------------------------- */

AqmSpread aqm_spread_of(const double *values, size_t count) {
    double sorted[64];
    AqmSpread spread = {0, (double)NAN, (double)NAN, (double)NAN};
    for (size_t i = 0; i < count && spread.count < sizeof sorted / sizeof sorted[0]; i++) {
        size_t at = spread.count;
        if (isnan(values[i]))
            continue;
        for (; at > 0 && sorted[at - 1] > values[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = values[i];
        spread.count++;
    }
    if (spread.count == 0)
        return spread;
    spread.least = sorted[0];
    spread.most = sorted[spread.count - 1];
    spread.median = 0.5 * (sorted[(spread.count - 1) / 2] + sorted[spread.count / 2]);
    return spread;
}
