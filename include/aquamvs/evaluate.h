/* How far a cloud or mesh is from the truth of a scene with a known surface; and how two surfaces
 * differ: alignment, distances, change of height and of volume with its uncertainty. */
#ifndef AQUAMVS_EVALUATE_H
#define AQUAMVS_EVALUATE_H

#include "aquamvs/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of |distance to the true surface|, millimetres; bias and std are the mean and the standard
 * deviation (about that mean) of the signed distance, positive = deeper than the truth. */
typedef struct AqmErrorStats {
    size_t count;
    double bias_mm, std_mm, mean_mm, median_mm, rms_mm, p90_mm, p95_mm, p99_mm, max_mm;
} AqmErrorStats;

enum { AQM_EVAL_LIMITS = 4 }; /* 0.5, 1, 2, 5 mm */

typedef struct AqmEvaluation {
    bool is_mesh;
    size_t points, non_finite;
    AqmErrorStats all, in_region; /* region: where at least min_views cameras see the surface */
    double limit_mm[AQM_EVAL_LIMITS];
    double precision_pct[AQM_EVAL_LIMITS];    /* points closer to the surface than the limit */
    double completeness_pct[AQM_EVAL_LIMITS]; /* true surface with a point closer than the limit */
    double coverage_pct[AQM_EVAL_LIMITS]; /* true surface with a point of error < limit within 2 mm
                                             in X, Y */
    double fscore_pct[AQM_EVAL_LIMITS];
    double off_by_5mm_pct; /* share of the points off by more than 5 mm */
    /* true surface with any point within 2 mm in X, Y, however wrong: coverage without a limit */
    double raw_completeness_pct;
    double tolerance_mm; /* as asked for; what the lists above have for their limits, for this */
    double tolerance_precision_pct, tolerance_completeness_pct, tolerance_coverage_pct;
    /* Where the true surface is a plane: RMS distance of the points in the region to the plane that
     * fits them best, whatever the true one is. NaN elsewhere, and for fewer than 3 points. */
    double plane_fit_rmse_mm;
} AqmEvaluation;

typedef struct AqmEvaluateOptions {
    int frame;             /* default 0 */
    int min_views;         /* default 3 */
    double region_step_m;  /* spacing of the samples of the true surface; default 0.002 */
    double mesh_spacing_m; /* spacing of the samples of a mesh; default 0.0008 */
    double tolerance_m;    /* a limit of one's own; up to 0.1; default 0.001 */
    int threads;
} AqmEvaluateOptions;

AQM_API AqmEvaluateOptions aqm_evaluate_options_default(void);

/* Measures a PLY file (a mesh if it has faces, then on points drawn evenly from them by a fixed
 * seed; else a cloud) against the true surface. `truth_dir` is a data set as `aquamvs synth` writes
 * it: calibration.json, and gt/scene.json with the surface of each frame as a sum of terms.
 *
 * Distances are to the closest point of the surface, found exactly; points that are not finite are
 * counted and left out. The region is the part of the surface, and the points above or below it,
 * that at least min_views cameras (auxiliary ones do not count) have in their raw images; where no
 * camera does, in_region.count is 0 and completeness and coverage are 0. Precision is over all
 * points. The numbers are the same for any number of threads.
 *
 * *out is written on AQM_OK alone. ARGUMENT for options out of range, IO or FORMAT where a file
 * cannot be read or is not what it should be, NO_DATA for a mesh without area, UNSUPPORTED where
 * the water surface of the calibration is tilted, MEMORY. */
AQM_API AQM_NODISCARD AqmStatus aqm_evaluate_ply(const char *ply_path, const char *truth_dir,
                                                 const AqmEvaluateOptions *options,
                                                 AqmEvaluation *out, AqmDiag *diag);

/* As a JSON object (*text, freed with aqm_free_buffer). MEMORY; *text is untouched then. */
AQM_API AQM_NODISCARD AqmStatus aqm_evaluation_to_json(const AqmEvaluation *evaluation, char **text,
                                                       AqmDiag *diag);

/* ---- two surfaces ---------------------------------------------------------------------------- */

/* All below: the numbers are the same for any number of threads; points that are not finite are
 * passed over; *out is written on AQM_OK alone, and the caller destroys what it is given. */

typedef struct AqmIcpOptions {
    double max_distance_m; /* farther points are no pair; 1e-9..1000; default 0.01 */
    int max_iterations;    /* 1..1000; default 60 */
    size_t max_points;     /* of `moving` that are used, evenly taken; >= 100; default 50000 */
    int threads;           /* 0 = all cores */
} AqmIcpOptions;

AQM_API AqmIcpOptions aqm_icp_options_default(void);

/* Of six directions of motion, three turns about `center` along the axes and three shifts. */
enum { AQM_RIGID = 6 };

typedef struct AqmAlignment {
    double R[9], t[3]; /* fixed_from_moving: p_fixed = R p_moving + t */
    int iterations;
    bool converged; /* the last step was below 1e-8 m at the rim of the points */
    size_t points;  /* of `moving` that took part */
    size_t pairs;   /* those of them with a point of `fixed` within max_distance_m, at the end */
    double inlier_share; /* of the pairs: those that the robust weights do not leave out */
    double rms_before_m, rms_after_m; /* of the pairs' distances along the normals of `fixed` */
    double inlier_rms_m;              /* rms_after_m of the inliers alone */
    int free_directions;              /* combinations of the six that the surfaces do not fix, as a
                                         plane's own; nothing is moved along them */
    double center[3];                 /* of the pairs, in the frame of `fixed` */
    double covariance[AQM_RIGID * AQM_RIGID]; /* of a small turn (rad) about `center` and shift (m)
                                                 after R, t; nothing along free directions */
    double sigma_turn_rad[3], sigma_shift_m[3]; /* square roots of its diagonal */
} AqmAlignment;

/* The rigid motion that lays `moving` on `fixed`: iterated closest points with distances to planes
 * (icp.c), which begins where they are, so they must lie within max_distance_m of each other
 * already. Normals that are not known (0 0 0) are found from 16 neighbours. What changed between
 * the two is given no weight as long as most of the common surface did not change. ARGUMENT for an
 * option out of range; NO_DATA where fewer than 100 points have a pair; MEMORY. */
AQM_API AQM_NODISCARD AqmStatus aqm_icp_align(const AqmCloud *fixed, const AqmCloud *moving,
                                              const AqmIcpOptions *options, AqmAlignment *out,
                                              AqmDiag *diag);

/* Points and normals of a cloud, in place. */
AQM_API void aqm_cloud_move(AqmCloud *cloud, const double R[9], const double t[3]);

/* From each point of one cloud to the nearest of the other. */
typedef struct AqmCloudDistances {
    size_t count; /* points asked for: at most two million, evenly taken */
    double mean_mm, median_mm, rms_mm, p95_mm, max_mm;
    double limit_mm[AQM_EVAL_LIMITS];
    double within_pct[AQM_EVAL_LIMITS]; /* points closer than the limit */
    /* Along the normal of the nearest point, of the points within 5 mm: positive = deeper. NaN
     * where there are none. */
    size_t signed_count;
    double signed_mean_mm, signed_median_mm, signed_rms_mm;
} AqmCloudDistances;

/* From the points of `from` within `region` (x min, y min, x max, y max, metres; NULL = all) to
 * `to`. NO_DATA where either has no point there; MEMORY. */
AQM_API AQM_NODISCARD AqmStatus aqm_cloud_distances(const AqmCloud *from, const AqmCloud *to,
                                                    const double region[4], int threads,
                                                    AqmCloudDistances *out, AqmDiag *diag);

/* b - a on the nodes that both have: z_m is the change of Z (positive = deeper, eroded), sigma_m
 * the root of the sum of the squared sigmas (NaN where one is not known). The smallest map that
 * holds them. ARGUMENT for maps of different steps; NO_DATA where they share no node; MEMORY. */
AQM_API AQM_NODISCARD AqmStatus aqm_height_difference(const AqmHeightMap *a, const AqmHeightMap *b,
                                                      AqmHeightMap **out, AqmDiag *diag);

/* Volumes are the sums of the change of height times the area of a cell; each *_95_m3 is half the
 * width of its 95 % interval. Deposition is where the bed has risen (Z is smaller). */
typedef struct AqmVolumes {
    size_t cells;
    double area_m2, deposition_area_m2, erosion_area_m2;
    double net_m3, net_95_m3; /* deposition - erosion */
    double deposition_m3, deposition_95_m3, erosion_m3, erosion_95_m3;
    double noise_m3; /* what errors alone add to deposition and to erosion, about */
} AqmVolumes;

enum { AQM_SCALES_MAX = 16 };

typedef struct AqmVolumeChange {
    AqmVolumes all;         /* every common cell of the region */
    AqmVolumes significant; /* those whose change is more than 1.96 sigma */
    bool sigma_known;       /* else one sigma for all cells was found from the stable ground */
    bool is_measured;       /* false: no stable ground; the errors are taken as one for all cells */
    double sigma_scale;     /* what the sigmas were multiplied with to fit the stable ground */
    double
        changed_scale; /* mean of the further factors of cells elsewhere, whose errors are larger */
    double stable_area_m2; /* ground where nothing seems to have changed, in the whole maps */
    double stable_mean_m, stable_rms_m; /* of its change of height */
    double coverage_factor;             /* of a sigma of a volume: 1.96, more on little ground */
    /* The correlation of errors as found, a sum of spherical models of these ranges (0: of each
     * cell alone; INFINITY: of all cells alike), and their shares of a cell's variance. */
    size_t component_count;
    double component_range_m[AQM_SCALES_MAX], component_share[AQM_SCALES_MAX];
    /* What it was found from: blocks of block_m on the stable ground, standard deviation of their
     * mean change of height about 0 as measured and as the correlation gives it. */
    size_t block_count;
    double block_m[AQM_SCALES_MAX], block_sigma_m[AQM_SCALES_MAX], block_model_m[AQM_SCALES_MAX];
} AqmVolumeChange;

typedef struct AqmVolumeOptions {
    const double *region; /* x min, y min, x max, y max, metres; borrowed; NULL = all */
    /* If one map was aligned to the other: the alignment, whose uncertainty is added, and the map
     * whose slopes tell its effect; borrowed; both NULL where nothing was moved. */
    const AqmAlignment *alignment;
    const AqmHeightMap *surface;
    int threads; /* 0 = all cores */
} AqmVolumeOptions;

/* The change of volume from a difference of heights (volume_change.c has the mathematics). The
 * sigmas of `difference` are replaced by those that fit the stable ground; significant[] (may be
 * NULL, rows x columns) is 1 in cells of the region whose change is more than 1.96 of them.
 * ARGUMENT for a region that is none; NO_DATA for a region without a cell; MEMORY. `difference` and
 * significant are as before where it fails. */
AQM_API AQM_NODISCARD AqmStatus aqm_volume_change(AqmHeightMap *difference,
                                                  const AqmVolumeOptions *options,
                                                  uint8_t *significant, AqmVolumeChange *out,
                                                  AqmDiag *diag);

#ifdef __cplusplus
}
#endif
#endif
