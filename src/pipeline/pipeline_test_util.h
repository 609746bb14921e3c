/* What the tests of this layer share: a small rendered scene, cheap settings for it, what was said,
 * and files to compare. Include after cmocka.h. */
#ifndef AQM_PIPELINE_PIPELINE_TEST_UTIL_H
#define AQM_PIPELINE_PIPELINE_TEST_UTIL_H

#include "aquamvs/pipeline.h"
#include "aquamvs/synth.h"
#include "io/io_test_util.h"

/* Everything that a run says, a line each. */
typedef struct Heard {
    char text[16384];
} Heard;

static inline void hear(void *user, AqmLogLevel level, const char *message) {
    Heard *heard = user;
    const size_t used = strlen(heard->text);
    static const char *const names[] = {"warning", "info", "debug"};
    snprintf(heard->text + used, sizeof heard->text - used, "%s: %s\n", names[level], message);
}

static inline bool was_heard(const Heard *heard, const char *words) {
    return strstr(heard->text, words) != NULL;
}

/* A plane 0.2 m under water, 64 x 48 px a camera, below {folder}/{name}. */
static inline void write_scene(const char *folder, const char *name, AqmRigKind rig, int frames) {
    char path[PATH_MAX];
    AqmSynthOptions options = aqm_synth_options_default();
    options.scene = AQM_SCENE_PLANE;
    options.rig = rig;
    options.width = 64;
    options.height = 48;
    options.frames = frames;
    options.noise = 0.0;
    options.gain_spread = 0.0;
    AqmDiag diag = {0};
    if (aqm_synth_write(&options, in_folder(path, folder, name), NULL, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
}

/* The scene's own configuration with few planes and coarse cells, and the output elsewhere. */
static inline AqmConfig *scene_config(const char *folder, const char *name, const char *output) {
    static const char *const settings[][2] = {
        {"reconstruction.num_depths", "16"},
        {"reconstruction.window_size", "7"},
        {"reconstruction.depth_range", "[0.15,0.3]"},
        {"reconstruction.voxel_size", "0.004"},
        {"reconstruction.grid_resolution", "0.02"},
        {"reconstruction.min_consistent_views", "2"},
        {"runtime.threads", "1"},
    };
    char path[PATH_MAX], scene[PATH_MAX];
    AqmConfig *config = NULL;
    AqmDiag diag = {0};
    in_folder(scene, folder, name);
    if (aqm_config_read(in_folder(path, scene, "config.yaml"), NULL, 0, NULL, &config, &diag) !=
        AQM_OK)
        fail_msg("%s", diag.message);
    for (size_t k = 0; k < sizeof settings / sizeof settings[0]; k++)
        if (aqm_config_set(config, settings[k][0], settings[k][1], &diag) != AQM_OK)
            fail_msg("%s", diag.message);
    assert_int_equal(aqm_config_set(config, "output_dir", in_folder(path, folder, output), NULL),
                     AQM_OK);
    return config;
}

static inline bool exists(const char *folder, const char *name) {
    char path[PATH_MAX];
    return access(in_folder(path, folder, name), F_OK) == 0;
}

/* Fails unless both folders hold a file `name` with the same bytes. */
static inline void assert_same_file(const char *one, const char *other, const char *name) {
    char path[PATH_MAX];
    size_t size, other_size;
    unsigned char *data = read_bytes(in_folder(path, one, name), &size);
    unsigned char *other_data = read_bytes(in_folder(path, other, name), &other_size);
    assert_int_equal(size, other_size);
    assert_memory_equal(data, other_data, size);
    free(data);
    free(other_data);
}

#endif
