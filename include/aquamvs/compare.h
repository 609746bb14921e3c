/* Compares two results: two runs, two frames of a run, or two PLY files. docs/compare.md tells the
 * method and every number; evaluate.h has the parts. */
#ifndef AQUAMVS_COMPARE_H
#define AQUAMVS_COMPARE_H

#include "aquamvs/evaluate.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct AqmCompareOptions {
    int frame_a, frame_b;      /* where a run folder is named; default 0, and -1 = as frame_a */
    bool align;                /* lay B on A first; default false: a rig does not move */
    double icp_max_distance_m; /* of the alignment; 0 = as A's configuration has it where A is of a
                                  run, else 0.01; default 0 */
    double grid_step_m;        /* of the height maps; 0 = that of the maps there are, else 0.002;
                                  default 0 */
    bool has_region;           /* default false: all that both surfaces cover */
    double region[4];          /* x min, y min, x max, y max, metres */
    int threads;               /* 0 = all cores */
    AqmLog log;                /* warnings */
} AqmCompareOptions;

AQM_API AqmCompareOptions aqm_compare_options_default(void);

enum { AQM_COMPARED_MAX = 4096 };

/* Owns difference and significant. */
typedef struct AqmComparison {
    char name_a[AQM_COMPARED_MAX], name_b[AQM_COMPARED_MAX]; /* the files compared */
    bool is_aligned;
    AqmAlignment alignment; /* A from B */
    bool has_distances;     /* false where one side is a height map alone */
    AqmCloudDistances a_to_b, b_to_a;
    double mean_m, median_m, rms_m, p95_abs_m, max_abs_m; /* of the change of Z in the region */
    AqmVolumeChange volume;
    AqmHeightMap *difference; /* B - A; its sigmas fit the ground that did not change */
    uint8_t *significant;     /* as difference: 1 where it is more than 1.96 sigma */
    double world_from_rig[9]; /* the maps are in the rig frame (types.h) */
    bool has_region;
    double region[4];
} AqmComparison;

/* `a` and `b`: each the output folder of a run, a folder frame_NNNNNN of one, a PLY file (of a mesh
 * its vertices are taken), or a height map (.npz). Of a frame mesh/height_map.npz is used where it
 * is there and has the step; otherwise, and always of B where it is aligned, the map is made from
 * the points. *out is written on AQM_OK alone; the caller destroys it. ARGUMENT for an option out
 * of range; IO or FORMAT where a file is not there or not what it should be; NO_DATA where the two
 * have no ground in common or cannot be aligned; CONFIG for a configuration that cannot be read;
 * MEMORY. */
AQM_API AQM_NODISCARD AqmStatus aqm_compare(const char *a, const char *b,
                                            const AqmCompareOptions *options, AqmComparison **out,
                                            AqmDiag *diag);
AQM_API void aqm_comparison_destroy(AqmComparison **comparison);

/* Writes comparison.json, comparison.csv, height_difference.npz, .tif and .png to a folder, which
 * is made. IO, MEMORY; what is written before a failure stays. */
AQM_API AQM_NODISCARD AqmStatus aqm_comparison_write(const AqmComparison *comparison,
                                                     const char *folder, AqmDiag *diag);
/* As a JSON object (*text, freed with aqm_free_buffer). MEMORY; *text is untouched then. */
AQM_API AQM_NODISCARD AqmStatus aqm_comparison_to_json(const AqmComparison *comparison, char **text,
                                                       AqmDiag *diag);

#ifdef __cplusplus
}
#endif
#endif
