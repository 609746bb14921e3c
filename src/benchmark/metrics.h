/* The measures of a benchmark: which there are, which way is better, and how far each may move
 * before a comparison calls it a regression. */
#ifndef AQM_BENCHMARK_METRICS_H
#define AQM_BENCHMARK_METRICS_H

#include <stdbool.h>
#include <stddef.h>

#include "aquamvs/evaluate.h"

typedef enum AqmMetricGroup {
    AQM_GROUP_ACCURACY,     /* mm: less is better */
    AQM_GROUP_COMPLETENESS, /* percent: more is better */
    AQM_GROUP_TIME,         /* s: less is better; varies from run to run */
    AQM_GROUP_MEMORY,       /* MB: less is better; varies a little */
    AQM_GROUP_NONE          /* told, never judged */
} AqmMetricGroup;
enum { AQM_GROUP_COUNT = AQM_GROUP_NONE };

/* "accuracy", "completeness", "time", "memory", "none". */
const char *aqm_group_name(AqmMetricGroup group);

/* +1 where more is better, -1 where less is, 0 where neither. */
int aqm_group_direction(AqmMetricGroup group);

/* The measures of a cloud or a mesh, in the order of tables. */
typedef struct AqmSurfaceMetric {
    const char *name;
    AqmMetricGroup group;
    double (*value)(const AqmEvaluation *evaluation); /* NaN = not known */
} AqmSurfaceMetric;

enum { AQM_SURFACE_METRICS = 11 };
extern const AqmSurfaceMetric aqm_surface_metrics[AQM_SURFACE_METRICS];

/* The group of a measure by its full name: "cloud.rms_mm", "seconds.wall", "stages.stereo.cpu",
 * "memory_mb.allocated", ... */
AqmMetricGroup aqm_metric_group(const char *name);

/* ---- thresholds ------------------------------------------------------------------------------ */

enum { AQM_THRESHOLDS_MAX = 64 };

/* Percent for the worse; NaN = not judged. */
typedef struct AqmThreshold {
    char name[96]; /* a group, or the beginning of a full name up to a dot or its end */
    double percent;
} AqmThreshold;

/* A measure goes by the longest of the names that fits, else by its group. */
typedef struct AqmThresholds {
    double group_percent[AQM_GROUP_COUNT];
    double least_s;  /* differences of time below this are none */
    double least_mb; /* the same of memory: threads that meet or not move its peak */
    AqmThreshold own[AQM_THRESHOLDS_MAX];
    size_t own_count;
} AqmThresholds;

/* accuracy 5, completeness 5, time 10, memory 10 percent; least_s 0.05, least_mb 2. */
AqmThresholds aqm_thresholds_default(void);
double aqm_threshold_of(const AqmThresholds *thresholds, const char *name);
/* Whether a name can be that of a threshold: a group, or something that measures are called. */
bool aqm_threshold_is_known(const char *name);

/* ---- several runs ---------------------------------------------------------------------------- */

/* Of the same work done again and again. */
typedef struct AqmSpread {
    size_t count;
    double median, least, most; /* NaN for count 0 */
} AqmSpread;

/* Values that are NaN are left out. Reorders nothing; count <= 50. */
AqmSpread aqm_spread_of(const double *values, size_t count);

#endif
