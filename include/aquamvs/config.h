/* The configuration of a run: an AquaMVS config.yaml, read, checked, overridden, written out.
 * A configuration is changed by one thread at a time; any number may read it. */
#ifndef AQUAMVS_CONFIG_H
#define AQUAMVS_CONFIG_H

#include "aquamvs/color.h"
#include "aquamvs/fusion.h"
#include "aquamvs/stereo.h"
#include "aquamvs/surface.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum AqmPipelineMode { AQM_MODE_FULL, AQM_MODE_SPARSE } AqmPipelineMode;
typedef enum AqmMatcher {
    AQM_MATCHER_SIFT,
    AQM_MATCHER_LIGHTGLUE,
    AQM_MATCHER_DENSE,
    AQM_MATCHER_ROMA
} AqmMatcher;
typedef enum AqmPreset {
    AQM_PRESET_NONE,
    AQM_PRESET_FAST,
    AQM_PRESET_BALANCED,
    AQM_PRESET_QUALITY
} AqmPreset;
typedef enum AqmExtractor {
    AQM_EXTRACTOR_SUPERPOINT,
    AQM_EXTRACTOR_ALIKED,
    AQM_EXTRACTOR_DISK
} AqmExtractor;
typedef enum AqmPairSelection { AQM_PAIRS_BY_OVERLAP, AQM_PAIRS_BY_DISTANCE } AqmPairSelection;
typedef enum AqmSurfaceMethod {
    AQM_SURFACE_POISSON,
    AQM_SURFACE_HEIGHTFIELD,
    AQM_SURFACE_BPA
} AqmSurfaceMethod;
typedef enum AqmDevice { AQM_DEVICE_CPU, AQM_DEVICE_CUDA, AQM_DEVICE_AUTO } AqmDevice;

/* Where the frames of one camera are; path is absolute or relative to the working directory. */
typedef struct AqmCameraInput {
    char *camera;
    char *path;
} AqmCameraInput;

/* Every key of the file, with its default filled in. Strings are owned by the configuration. */
typedef struct AqmConfig {
    char *path; /* the file it was read from; NULL if none */

    char *calibration_path, *output_dir, *mask_dir; /* mask_dir may be NULL */
    AqmCameraInput *inputs;                         /* camera_input_map, in file order */
    size_t input_count;
    AqmPipelineMode pipeline_mode;
    AqmMatcher matcher_type;
    AqmPreset quality_preset;

    struct {
        bool color_norm_enabled;
        AqmColorNorm color_norm_method;
        int frame_start, frame_stop, frame_step; /* frame_stop -1 = to the end */
    } preprocessing;
    struct {
        AqmExtractor extractor_type;
        int max_keypoints;
        double detection_threshold;
        bool clahe_enabled;
        double clahe_clip_limit;
        int num_neighbors;
        bool include_center;
        double filter_threshold;
        AqmPairSelection pair_selection;
    } sparse_matching;
    struct {
        double certainty_threshold;
        int max_correspondences;
        int roma_anchor_width, roma_anchor_height;
    } dense_matching;
    struct {
        AqmStereoOptions stereo; /* num_depths, cost_function, window_size, depth_batch_size */
        AqmFusionOptions fusion; /* min_consistent_views, depth_tolerance, voxel_size,
                                    min_confidence, outlier_* */
        AqmHeightfieldOptions heightfield; /* grid_resolution */
        double depth_margin, roma_depth_tolerance;
        AqmSurfaceMethod surface_method;
        int poisson_depth;
        double *bpa_radii; /* NULL = chosen from the data */
        size_t bpa_radius_count;
        int target_faces; /* 0 = null: no decimation */
        bool has_depth_range;
        AqmDepthRange depth_range;
    } reconstruction;
    struct {
        AqmDevice device;
        int threads; /* 0 = all cores */
        bool save_features, save_consistency_maps, keep_intermediates, viz_enabled;
        /* bit i = the i-th of depth, features, scene, rig, summary; 0 = all there are */
        unsigned viz_stages;
        double icp_max_distance;
        bool quiet;
        char *models_dir; /* may be NULL */
    } runtime;
} AqmConfig;

/* Defaults of every key; no cameras, no paths. MEMORY; *out is NULL then. */
AQM_API AQM_NODISCARD AqmStatus aqm_config_create(AqmConfig **out, AqmDiag *diag);
/* Frees it and its strings and sets *config to NULL; NULL and *config == NULL are fine. */
AQM_API void aqm_config_destroy(AqmConfig **config);

/* Reads a YAML file, then applies the `overrides` ("section.key=value", as --set gives them), then
 * the preset (only to what neither wrote). Relative paths, those of overrides too, are taken
 * relative to the file. CONFIG errors read "file:line:column: key: what, the value, what is
 * allowed", or "--set key=value: ..." (an unknown key is an error there); IO where the file cannot
 * be read; MEMORY. Unknown keys of the file warn through `log` with file:line:column and the
 * nearest known name, and so does a quality_preset that changes nothing because all its keys are
 * given. `log` may be NULL. *out is NULL on failure. Where AquaMVS has another default:
 * matcher_type is sift and surface_method heightfield here; min_consistent_views counts the
 * reference view. */
AQM_API AQM_NODISCARD AqmStatus aqm_config_read(const char *path, const char *const *overrides,
                                                size_t override_count, const AqmLog *log,
                                                AqmConfig **out, AqmDiag *diag);

/* The configuration as YAML, all defaults written out; reading it back gives the same one. Paths
 * are written relative to `relative_to` (a folder) where they lie below it, NULL = absolute. The
 * caller frees *text with aqm_free_buffer. CONFIG if a path is not UTF-8 (YAML cannot hold it);
 * MEMORY; *text is NULL then. */
AQM_API AQM_NODISCARD AqmStatus aqm_config_to_yaml(const AqmConfig *config, const char *relative_to,
                                                   char **text, AqmDiag *diag);

/* Sets the numbers of a preset, whatever they were (for `init --preset`); quality_preset itself
 * stays as it is. AQM_PRESET_NONE sets nothing. */
AQM_API void aqm_config_apply_preset(AqmConfig *config, AqmPreset preset);

/* Sets one key by its name ("reconstruction.num_depths") from a text as --set takes it; relative
 * paths are taken relative to the working directory. CONFIG if there is no such key or the value is
 * not allowed (the configuration is unchanged then); MEMORY. */
AQM_API AQM_NODISCARD AqmStatus aqm_config_set(AqmConfig *config, const char *name,
                                               const char *value, AqmDiag *diag);

/* Adds a camera to the input map. CONFIG if its name is taken, too long (AQM_NAME_MAX), or cannot
 * be a file name; MEMORY; the map is as before then. */
AQM_API AQM_NODISCARD AqmStatus aqm_config_add_input(AqmConfig *config, const char *camera,
                                                     const char *path, AqmDiag *diag);

/* The option table, for --help and the documentation: one entry per key, in file order. */
typedef struct AqmOptionInfo {
    const char *section; /* "" for the top level */
    const char *key;
    const char *type;          /* "int", "float", "bool", "str", "a|b|c", ... */
    const char *default_value; /* as YAML */
    const char *range;         /* "8..4096" or "" */
    const char *unit;          /* "m", "px" or "" */
    const char *help;          /* one line */
} AqmOptionInfo;
AQM_API size_t aqm_option_count(void);
/* index < aqm_option_count(). Constant: valid as long as the library is loaded. */
AQM_API const AqmOptionInfo *aqm_option_info(size_t index);

#ifdef __cplusplus
}
#endif
#endif
