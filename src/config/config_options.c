#include "config/config_options.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Each macro turns its literal limits and default into both the number that is compared and the
 * text that is shown, so the two cannot differ. */
#define PLACE(field) offsetof(AqmConfig, field)
#define BOOL(section, key, field, default_, flags, help)                                           \
    {                                                                                              \
        {section, key, "bool", #default_, "", "", help}, AQM_OPTION_BOOL, flags, PLACE(field), 0,  \
            0, 0                                                                                   \
    }
#define INT(section, key, field, default_, min, max, unit, flags, help)                            \
    {                                                                                              \
        {section, key, "int", #default_, #min ".." #max, unit, help}, AQM_OPTION_INT, flags,       \
            PLACE(field), min, max, 0                                                              \
    }
#define INT_OR_NULL(section, key, field, null_value, min, max, unit, flags, help)                  \
    {                                                                                              \
        {section, key, "int or null", "null", #min ".." #max, unit, help}, AQM_OPTION_INT,         \
            (flags) | AQM_OPTION_NULLABLE, PLACE(field), min, max, null_value                      \
    }
#define FLOAT(section, key, field, default_, min, max, unit, flags, help)                          \
    {                                                                                              \
        {section, key, "float", #default_, #min ".." #max, unit, help}, AQM_OPTION_FLOAT, flags,   \
            PLACE(field), min, max, 0                                                              \
    }
#define CHOICE(section, key, field, words, default_, flags, help)                                  \
    {                                                                                              \
        {section, key, words, #default_, "", "", help}, AQM_OPTION_CHOICE, flags, PLACE(field), 0, \
            0, 0                                                                                   \
    }
#define PATH(section, key, field, type, default_, flags, help)                                     \
    { {section, key, type, default_, "", "", help}, AQM_OPTION_PATH, flags, PLACE(field), 0, 0, 0 }

#define REC "reconstruction"
#define SPARSE "sparse_matching"
#define DENSE "dense_matching"
#define PRE "preprocessing"
#define RUN "runtime"
#define STEREO(field) reconstruction.stereo.field
#define FUSION(field) reconstruction.fusion.field

static const AqmOption options[] = {
    PATH("", "calibration_path", calibration_path, "path", "", AQM_OPTION_REQUIRED,
         "calibration.json of AquaCal"),
    PATH("", "output_dir", output_dir, "path", "", AQM_OPTION_REQUIRED,
         "folder of the results; made if it is not there"),
    {{"", "camera_input_map", "map of camera: path", "", "", "",
      "for each camera its video, or its folder of images"},
     AQM_OPTION_CAMERAS,
     AQM_OPTION_REQUIRED,
     PLACE(inputs),
     0,
     0,
     0},
    PATH("", "mask_dir", mask_dir, "path or null", "null", AQM_OPTION_NULLABLE,
         "masks {camera}.png of the undistorted images (of export-refs); nonzero = keep the pixel"),
    CHOICE(
        "", "pipeline_mode", pipeline_mode, "full|sparse", full, 0,
        "full: depth maps, cloud and surface; sparse: a cloud and surface of triangulated matches"),
    CHOICE("", "matcher_type", matcher_type, "sift|lightglue|dense|roma", sift, 0,
           "sift, lightglue: sparse matches, then plane sweep; dense, roma: a warp for each "
           "pair"),
    CHOICE("", "quality_preset", quality_preset, "null|fast|balanced|quality", null, 0,
           "numbers for the keys that neither the file nor --set gives"),

    BOOL(PRE, "color_norm_enabled", preprocessing.color_norm_enabled, false, 0,
         "make the cameras of a frame agree in brightness and colour"),
    CHOICE(PRE, "color_norm_method", preprocessing.color_norm_method, "gain|histogram", gain, 0,
           "gain: one factor a channel; histogram: the whole distribution"),
    INT(PRE, "frame_start", preprocessing.frame_start, 0, 0, 1000000000, "frames", 0,
        "first frame, counted from 0"),
    INT_OR_NULL(PRE, "frame_stop", preprocessing.frame_stop, -1, 1, 1000000000, "frames", 0,
                "the frame to stop before; null = to the end"),
    INT(PRE, "frame_step", preprocessing.frame_step, 1, 1, 1000000000, "frames", 0,
        "every n-th frame"),

    CHOICE(SPARSE, "extractor_type", sparse_matching.extractor_type, "superpoint|aliked|disk",
           superpoint, 0, "features of the learned matcher; only with matcher_type lightglue"),
    INT(SPARSE, "max_keypoints", sparse_matching.max_keypoints, 2048, 16, 100000, "", 0,
        "features kept per image"),
    FLOAT(SPARSE, "detection_threshold", sparse_matching.detection_threshold, 0.005, 0, 1, "", 0,
          "features weaker than this are dropped (sift: contrast, white = 1)"),
    BOOL(SPARSE, "clahe_enabled", sparse_matching.clahe_enabled, false, 0,
         "equalise local contrast before features are sought"),
    FLOAT(SPARSE, "clahe_clip_limit", sparse_matching.clahe_clip_limit, 2.0, 0.01, 1000, "", 0,
          "limit of that contrast gain"),
    INT(SPARSE, "num_neighbors", sparse_matching.num_neighbors, 4, 1, 64, "cameras", 0,
        "source views of each reference view, the auxiliary cameras not counted"),
    BOOL(SPARSE, "include_center", sparse_matching.include_center, true, 0,
         "auxiliary (centre) cameras also serve as source views"),
    FLOAT(SPARSE, "filter_threshold", sparse_matching.filter_threshold, 0.1, 0, 1, "", 0,
          "less certain matches are dropped (sift: certainty 1 - best / second best distance)"),
    CHOICE(SPARSE, "pair_selection", sparse_matching.pair_selection, "overlap|distance", overlap, 0,
           "source views: by overlap and angle, or the nearest cameras"),

    FLOAT(DENSE, "certainty_threshold", dense_matching.certainty_threshold, 0.5, 0, 1, "", 0,
          "warps less certain than this are dropped; only with matcher_type dense or roma"),
    INT(DENSE, "max_correspondences", dense_matching.max_correspondences, 100000, 100, 100000000,
        "", 0, "cells triangulated per pair; with roma, and with dense in pipeline_mode sparse"),
    INT(DENSE, "roma_anchor_width", dense_matching.roma_anchor_width, 512, 14, 8192, "px", 0,
        "size at which warps are computed; only with matcher_type roma"),
    INT(DENSE, "roma_anchor_height", dense_matching.roma_anchor_height, 512, 14, 8192, "px", 0,
        "size at which warps are computed; only with matcher_type roma"),

    CHOICE(REC, "search", STEREO(search), "cascade|exhaustive", cascade, 0,
           "coarse to fine with semi-global matching, or every plane at every pixel (slow)"),
    INT(REC, "num_depths", STEREO(num_depths), 128, 8, 4096, "planes", 0,
        "planes of an exhaustive search; the effort of a cascade (docs/method.md)"),
    CHOICE(REC, "cost_function", STEREO(cost), "ncc|ssim", ncc, 0,
           "similarity of two windows: normalised cross-correlation or structural similarity"),
    INT(REC, "window_size", STEREO(window_size), 11, 3, 31, "px", AQM_OPTION_ODD,
        "side of an exhaustive search's window, odd; the cascade's is half of it"),
    FLOAT(REC, "depth_margin", reconstruction.depth_margin, 0.05, 0, 1000, "m", 0,
          "widens a camera's depth range where it is found from the images"),
    INT(REC, "depth_batch_size", STEREO(depth_batch_size), 4, 1, 64, "planes", 0,
        "planes the sweep holds at once: memory against speed, same result"),
    INT(REC, "min_consistent_views", FUSION(min_consistent_views), 3, 1, 255, "views", 0,
        "views that must agree on a point, the reference view counted"),
    FLOAT(REC, "depth_tolerance", FUSION(depth_tolerance_m), 0.005, 1e-9, 1000, "m", 0,
          "views agree where their ray depths differ by less"),
    FLOAT(REC, "roma_depth_tolerance", reconstruction.roma_depth_tolerance, 0.02, 1e-9, 1000, "m",
          0, "the same for the depths of pairs; only with matcher_type dense or roma"),
    FLOAT(REC, "voxel_size", FUSION(voxel_size_m), 0.001, 1e-6, 1000, "m", 0,
          "one point a voxel of this side is kept; maps much finer than it are halved before"),
    FLOAT(REC, "min_confidence", FUSION(min_confidence), 0.1, 0, 1, "", 0,
          "less confident pixels of the depth maps are not fused"),
    CHOICE(REC, "surface_method", reconstruction.surface_method, "poisson|heightfield|bpa",
           heightfield, 0,
           "screened Poisson; a height over the horizontal plane; or ball pivoting"),
    INT(REC, "poisson_depth", reconstruction.poisson_depth, 9, 1, 16, "", 0,
        "levels of the octree; only with surface_method poisson"),
    FLOAT(REC, "grid_resolution", reconstruction.heightfield.grid_resolution_m, 0.002, 1e-6, 1000,
          "m", 0, "spacing of the heightfield's vertices"),
    {{REC, "bpa_radii", "list of float, or null", "null", "1e-9..1000", "m",
      "ball radii, null = chosen from the data; only with surface_method bpa"},
     AQM_OPTION_RADII,
     AQM_OPTION_NULLABLE,
     PLACE(reconstruction.bpa_radii),
     1e-9,
     1000,
     0},
    INT_OR_NULL(REC, "target_faces", reconstruction.target_faces, 0, 4, 2000000000, "faces", 0,
                "simplify the mesh to about this many faces; null = leave it"),
    BOOL(REC, "outlier_removal_enabled", FUSION(outlier_removal_enabled), true, 0,
         "drop points of the fused cloud that stand alone"),
    INT(REC, "outlier_nb_neighbors", FUSION(outlier_nb_neighbors), 20, 1, 1000, "points", 0,
        "neighbours whose mean distance is compared"),
    FLOAT(REC, "outlier_std_ratio", FUSION(outlier_std_ratio), 2.0, 0.001, 1000, "", 0,
          "standard deviations over the mean at which a point is dropped"),
    {{REC, "depth_range", "[min, max] or null", "null", "0..1000", "m",
      "ray depths swept, from the surface down along the ray; null = found for each camera"},
     AQM_OPTION_RANGE,
     AQM_OPTION_NULLABLE,
     PLACE(reconstruction.depth_range),
     0,
     1000,
     0},

    CHOICE(RUN, "device", runtime.device, "cpu|cuda|auto", cpu, 0,
           "where there is no CUDA device, cuda warns and runs on the CPU"),
    INT(RUN, "threads", runtime.threads, 0, 0, 1024, "", 0,
        "0 = all cores; the results are the same bytes for any number"),
    BOOL(RUN, "save_features", runtime.save_features, false, 0,
         "write features and matches to features/ (matcher_type sift and lightglue)"),
    BOOL(RUN, "save_consistency_maps", runtime.save_consistency_maps, false, 0,
         "write how many views agree on each pixel"),
    BOOL(RUN, "keep_intermediates", runtime.keep_intermediates, true, 0,
         "keep the depth maps once the cloud is fused"),
    BOOL(RUN, "viz_enabled", runtime.viz_enabled, false, 0,
         "draw pictures of the results into frame_NNNNNN/viz/"),
    {{RUN, "viz_stages", "list of " AQM_VIZ_STAGE_WORDS, "[]", "", "",
      "pictures viz_enabled draws; [] = all there are (summary comes later)"},
     AQM_OPTION_FLAGS,
     0,
     PLACE(runtime.viz_stages),
     0,
     0,
     0},
    FLOAT(RUN, "icp_max_distance", runtime.icp_max_distance, 0.01, 1e-9, 1000, "m", 0,
          "reach of the alignment when two runs are compared (evaluate --align)"),
    BOOL(RUN, "quiet", runtime.quiet, false, 0, "no progress, only warnings"),
    PATH(RUN, "models_dir", runtime.models_dir, "path or null", "null", AQM_OPTION_NULLABLE,
         "the .onnx files of the learned matchers; null = $XDG_DATA_HOME/aquamvs/models"),
};

enum { OPTION_COUNT = sizeof options / sizeof options[0] };

size_t aqm_option_count(void) {
    return OPTION_COUNT;
}

const AqmOption *aqm_option_at(size_t index) {
    assert(index < OPTION_COUNT);
    return &options[index];
}

const AqmOptionInfo *aqm_option_info(size_t index) {
    return &aqm_option_at(index)->info;
}

size_t aqm_option_index(const AqmOption *option) {
    return (size_t)(option - options);
}

const AqmOption *aqm_option_find(const char *section, const char *key) {
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (strcmp(options[i].info.section, section) == 0 && strcmp(options[i].info.key, key) == 0)
            return &options[i];
    return NULL;
}

bool aqm_option_is_section(const char *name) {
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (name[0] != '\0' && strcmp(options[i].info.section, name) == 0)
            return true;
    return false;
}

void aqm_option_name(const AqmOption *option, char name[AQM_OPTION_NAME_MAX]) {
    const char *section = option->info.section;
    snprintf(name, AQM_OPTION_NAME_MAX, "%s%s%s", section, *section ? "." : "", option->info.key);
}

/* ---- nearest name: Levenshtein (1966), two rows of the table ----------------------------------
 */

enum { WORD_MAX = 64 };

static int smallest(int a, int b, int c) {
    const int ab = a < b ? a : b;
    return ab < c ? ab : c;
}

static int edit_distance(const char *a, const char *b) {
    const size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length > WORD_MAX || b_length > WORD_MAX)
        return WORD_MAX;
    int row[WORD_MAX + 1];
    for (size_t j = 0; j <= b_length; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= a_length; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= b_length; j++) {
            const int above = row[j];
            const int replaced = diagonal + (a[i - 1] != b[j - 1]);
            row[j] = smallest(above + 1, row[j - 1] + 1, replaced);
            diagonal = above;
        }
    }
    return row[b_length];
}

const AqmOption *aqm_option_nearest(const char *section, const char *key) {
    const AqmOption *best = NULL;
    const int limit = strlen(key) < 6 ? 2 : (int)strlen(key) / 3;
    int best_cost = 2 * limit + 2; /* twice the distance, plus 1 in another section */
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const int elsewhere = strcmp(options[i].info.section, section) != 0;
        const int cost = 2 * edit_distance(key, options[i].info.key) + elsewhere;
        if (cost < best_cost) {
            best_cost = cost;
            best = &options[i];
        }
    }
    return best;
}

/* ---- word lists -------------------------------------------------------------------------------
 */

size_t aqm_words_count(const char *words) {
    size_t count = 1;
    for (; *words; words++)
        count += *words == '|';
    return count;
}

const char *aqm_words_at(const char *words, size_t index, size_t *length) {
    for (; index > 0; index--)
        words = strchr(words, '|') + 1;
    *length = strcspn(words, "|");
    return words;
}

int aqm_words_find(const char *words, const char *word) {
    for (size_t i = 0; i < aqm_words_count(words); i++) {
        size_t length;
        const char *at = aqm_words_at(words, i, &length);
        if (strlen(word) == length && memcmp(at, word, length) == 0)
            return (int)i;
    }
    return -1;
}
