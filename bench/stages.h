/* What the files of the benchmark of the stages share: a case, its scene, and what is measured. */
#ifndef AQM_BENCH_STAGES_H
#define AQM_BENCH_STAGES_H

#include "aquamvs/pipeline.h"
#include "aquamvs/synth.h"

enum { STAGES_MAX_THREADS = 8, STAGES_MAX_REPEATS = 31, STAGES_PATH_MAX = 3072 };

/* One row of the table, but for the threads. */
typedef struct StagesCase {
    AqmScene scene;
    AqmRigKind rig;
    int width, height; /* of the images, px */
    AqmPreset preset;
    AqmSearch search;
    int depths;  /* 0 = the preset's */
    int sources; /* num_neighbors */
} StagesCase;

/* How to measure. */
typedef struct StagesPlan {
    int repeats;
    double patience_s; /* no further repeat of a case once its runs took as long */
    int retries;       /* of a run that other programs disturbed */
    int threads[STAGES_MAX_THREADS], thread_count;
    const char *folder; /* of the scenes and the output */
} StagesPlan;

/* What one number of threads needs for one piece of work: medians over the repeats. */
typedef struct StagesCost {
    double wall_s, cpu_s, peak_mb; /* the memory of the whole process; NaN = not known */
    double speedup; /* to the first number of threads, by the wall clock, over paired runs */
} StagesCost;

/* Of all depth maps of a case, along the rays; on a sample of the pixels. */
typedef struct StagesDepthScore {
    double median_mm;    /* of |error| */
    double within_pct;   /* of all pixels: those off by less than 0.5 mm */
    double sigma_pct[2]; /* of all depths with a sigma: those off by less than 1, 2 sigma */
} StagesDepthScore;

typedef struct StagesResult {
    int runs;
    double others_pct; /* of the machine's CPU time, taken by other programs in the worst run */
    int depths;        /* as configured */
    double pixels, samples;               /* of all references; pixel x depth x source */
    StagesCost depth[STAGES_MAX_THREADS]; /* images in memory to depth maps */
    StagesCost frame[STAGES_MAX_THREADS]; /* files to files */
    StagesDepthScore score;
    double cloud_rms_mm, coverage_pct; /* of the region that enough cameras see; within 1 mm */
} StagesResult;

/* Renders the scene of a case below plan->folder unless it is there; its folder goes to `path`. */
AqmStatus stages_render(const StagesCase *what, const StagesPlan *plan, char path[STAGES_PATH_MAX],
                        AqmDiag *diag);
/* Runs a case and fills *result. `folder` is that of its scene. */
AqmStatus stages_measure(const StagesCase *what, const StagesPlan *plan, const char *folder,
                         StagesResult *result, AqmDiag *diag);

/* The depth stage of a scene with its images in memory. */
typedef struct StagesViews StagesViews;
AqmStatus stages_views_open(StagesViews **out, const AqmConfig *config, const char *folder,
                            AqmDiag *diag);
void stages_views_close(StagesViews **views);
/* Ranges, sources and depth maps of all references; replaces the maps of an earlier call. Adds up
 * pixels, and pixels x depths x sources. */
AqmStatus stages_views_estimate(StagesViews *views, const AqmConfig *config, double *pixels,
                                double *samples, AqmDiag *diag);
/* The maps of the last call against the true surface. */
AqmStatus stages_views_score(const StagesViews *views, StagesDepthScore *score, AqmDiag *diag);

#endif
