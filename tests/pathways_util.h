/* What the tests of whole pathways share: a rendered scene, a run of it, and its truth. Include
 * after cmocka.h.
 *
 * The rig is ring5 at 200 x 150 px, f = 175 px: five cameras 0.6 m over the water, neighbours
 * 0.29 m apart, a bed 0.2 m below it. A pixel on the bed is 4.3 mm wide, and half a pixel in the
 * same direction in all cameras is 9 mm of depth. */
#ifndef AQM_TESTS_PATHWAYS_UTIL_H
#define AQM_TESTS_PATHWAYS_UTIL_H

#include <jansson.h>
#include <math.h>

#include "aquamvs/evaluate.h"
#include "aquamvs/geometry.h"
#include "aquamvs/io.h"
#include "evaluate/truth.h"
#include "pipeline/frame.h"
#include "pipeline/pipeline_test_util.h"

enum { SETTINGS_MAX = 16 };
/* key, value, key, value, ..., NULL */
typedef const char *Settings[2 * SETTINGS_MAX + 1];

static const Settings small_scene_settings = {"reconstruction.num_depths",
                                              "32",
                                              "reconstruction.window_size",
                                              "7",
                                              "reconstruction.voxel_size",
                                              "0.002",
                                              "reconstruction.grid_resolution",
                                              "0.01",
                                              "reconstruction.depth_tolerance",
                                              "0.008",
                                              "runtime.threads",
                                              "1",
                                              "runtime.save_features",
                                              "true",
                                              "sparse_matching.filter_threshold",
                                              "0.1"};

static inline void render(const char *dir, AqmScene scene, int width, int frames, uint64_t seed) {
    AqmSynthOptions options = aqm_synth_options_default();
    options.scene = scene;
    options.width = width;
    options.height = width * 3 / 4;
    options.frames = frames;
    options.seed = seed;
    AqmDiag diag = {0};
    if (aqm_synth_write(&options, dir, NULL, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
}

static inline void apply(AqmConfig *config, const Settings settings) {
    AqmDiag diag = {0};
    for (size_t k = 0; settings[k]; k += 2)
        if (aqm_config_set(config, settings[k], settings[k + 1], &diag) != AQM_OK)
            fail_msg("%s", diag.message);
}

static inline AqmConfig *read_config(const char *dir, const char *output, const char *matcher,
                                     const char *mode, const Settings more) {
    char path[PATH_MAX];
    AqmConfig *config = NULL;
    AqmDiag diag = {0};
    if (aqm_config_read(in_folder(path, dir, "config.yaml"), NULL, 0, NULL, &config, &diag) !=
        AQM_OK)
        fail_msg("%s", diag.message);
    apply(config, small_scene_settings);
    apply(config,
          (const Settings){"output_dir", output, "matcher_type", matcher, "pipeline_mode", mode});
    if (more)
        apply(config, more);
    return config;
}

/* Runs all frames anew. */
static inline AqmStatus run_scene(const char *dir, const char *output, const char *matcher,
                                  const char *mode, const Settings more, AqmRunResult *result,
                                  Heard *heard, AqmDiag *diag) {
    AqmConfig *config = read_config(dir, output, matcher, mode, more);
    AqmRunResult own;
    AqmRunOptions options = {.force = true};
    if (heard)
        options.log = (AqmLog){hear, heard};
    const AqmStatus status = aqm_run(config, &options, result ? result : &own, diag);
    aqm_config_destroy(&config);
    return status;
}

/* The same, and it must go well. */
static inline void reconstruct(const char *dir, const char *output, const char *matcher,
                               const char *mode, const Settings more) {
    AqmRunResult result;
    AqmDiag diag = {0};
    static Heard heard;
    heard = (Heard){""};
    const AqmStatus status = run_scene(dir, output, matcher, mode, more, &result, &heard, &diag);
    if (status != AQM_OK || result.frames_failed > 0)
        fail_msg("%s %s: %s\n%s", matcher, mode, diag.message, heard.text);
}

static inline AqmEvaluation judge(const char *dir, const char *output, const char *cloud) {
    char path[PATH_MAX], name[128];
    AqmEvaluation found;
    AqmDiag diag = {0};
    AqmEvaluateOptions options = aqm_evaluate_options_default();
    options.region_step_m = 0.004;
    snprintf(name, sizeof name, "frame_000000/point_cloud/%s.ply", cloud);
    if (aqm_evaluate_ply(in_folder(path, output, name), dir, &options, &found, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    print_message("%zu points off by %.4f mm (median), %.4f (95 %%), %.4f (most), bias %+.4f; "
                  "%.1f %% of the bed covered to 5 mm\n",
                  found.points, found.all.median_mm, found.all.p95_mm, found.all.max_mm,
                  found.all.bias_mm, found.coverage_pct[3]);
    return found;
}

/* ---- truth ----------------------------------------------------------------------------------- */

typedef struct Known {
    AqmTruth *truth;
    AqmSurfaceBounds bounds;
} Known;

static inline Known know(const char *dir, int frame) {
    Known known = {NULL, {0}};
    AqmDiag diag = {0};
    if (aqm_truth_read(&known.truth, dir, frame, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    known.bounds = aqm_surface_bounds(known.truth->surface, 3.0);
    return known;
}

/* Where the ray of a pixel of an undistorted view meets the bed. */
static inline bool true_point(const Known *known, const AqmView *view, double u, double v,
                              double *depth_m, double point[3]) {
    AqmRay ray;
    if (!aqm_view_cast(view, u, v, &ray) ||
        !aqm_surface_intersect(known->truth->surface, &known->bounds, &ray, 0.2, depth_m))
        return false;
    for (int k = 0; k < 3; k++)
        point[k] = ray.origin[k] + *depth_m * ray.direction[k];
    return true;
}

static inline AqmInputs *open_inputs(const AqmConfig *config) {
    AqmInputs *inputs = NULL;
    AqmDiag diag = {0};
    if (aqm_inputs_open(&inputs, config, NULL, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    return inputs;
}

/* ---- masks, clouds, calibrations ------------------------------------------------------------- */

/* Masks that leave what lies at X > 0. */
static inline void write_masks(const char *dir, const char *masks) {
    char path[PATH_MAX], name[96];
    AqmConfig *config = read_config(dir, masks, "sift", "full", NULL);
    AqmInputs *inputs = open_inputs(config);
    const Known known = know(dir, 0);
    assert_int_equal(aqm_make_folders(masks, NULL), AQM_OK);
    for (size_t c = 0; c < inputs->camera_count; c++) {
        const AqmView *view = &inputs->cameras[c].view;
        AqmImage *mask = NULL;
        assert_int_equal(aqm_image_create(&mask, view->width, view->height, 1, AQM_U8, NULL),
                         AQM_OK);
        for (int y = 0; y < view->height; y++)
            for (int x = 0; x < view->width; x++) {
                double depth = 0.0, point[3] = {0};
                assert_true(true_point(&known, view, x, y, &depth, point));
                ((uint8_t *)mask->data)[(size_t)y * mask->stride + (size_t)x] =
                    point[0] > 0.0 ? 255 : 0;
            }
        const AqmImageView picture = aqm_image_view(mask);
        snprintf(name, sizeof name, "%s.png", inputs->cameras[c].camera->name);
        assert_int_equal(aqm_png_write(in_folder(path, masks, name), &picture, NULL), AQM_OK);
        aqm_image_destroy(&mask);
    }
    AqmTruth *truth = known.truth;
    aqm_truth_destroy(&truth);
    aqm_inputs_close(&inputs);
    aqm_config_destroy(&config);
}

/* The least X of a cloud, metres. */
static inline double least_x(const char *output, const char *cloud_name, size_t *count) {
    char path[PATH_MAX], name[96];
    AqmCloud *cloud = NULL;
    AqmMesh *mesh = NULL;
    double least = INFINITY;
    snprintf(name, sizeof name, "frame_000000/point_cloud/%s.ply", cloud_name);
    assert_int_equal(aqm_ply_read(in_folder(path, output, name), &cloud, &mesh, NULL), AQM_OK);
    for (size_t k = 0; k < cloud->count; k++)
        least = fmin(least, (double)cloud->position[3 * k]);
    *count = cloud->count;
    aqm_cloud_destroy(&cloud);
    return least;
}

/* Changes calibration.json of a scene, camera by camera. */
static inline void edit_cameras(const char *dir, void (*edit)(json_t *camera, const char *name)) {
    char path[PATH_MAX];
    const char *name;
    json_t *camera, *root = json_load_file(in_folder(path, dir, "calibration.json"), 0, NULL);
    assert_non_null(root);
    json_object_foreach(json_object_get(root, "cameras"), name, camera) edit(camera, name);
    assert_int_equal(json_dump_file(root, path, 0), 0);
    json_decref(root);
}

/* ---- folders --------------------------------------------------------------------------------- */

/* Fails unless every file below `one` is below `other` with the same bytes. run.json holds times,
 * config.yaml the folder and the number of threads. Returns how many there are. */
static inline size_t assert_holds_all(const char *one, const char *other) {
    DIR *listing = opendir(one);
    if (!listing)
        fail_msg("%s cannot be listed", one);
    size_t count = 0;
    for (const struct dirent *entry; (entry = readdir(listing));) {
        char path[PATH_MAX], beside[PATH_MAX];
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "run.json") == 0 ||
            strcmp(name, "config.yaml") == 0)
            continue;
        in_folder(path, one, name);
        in_folder(beside, other, name);
        if (access(beside, F_OK) != 0)
            fail_msg("%s is there, %s is not", path, beside);
        if (entry->d_type == DT_DIR) {
            count += assert_holds_all(path, beside);
            continue;
        }
        assert_same_file(one, other, name);
        count++;
    }
    closedir(listing);
    return count;
}

static inline size_t assert_same_folders(const char *one, const char *other) {
    const size_t count = assert_holds_all(one, other);
    assert_int_equal(assert_holds_all(other, one), count);
    return count;
}

#endif
