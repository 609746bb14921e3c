/* Whole runs over a small scene: which frames, what is skipped, stopped, redone, and that nothing
 * leaks or crashes when memory is out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <sys/stat.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "io/atomic_file.h"
#include "math/vec.h"
#include "pipeline/pipeline_test_util.h"

enum { FRAMES = 5 };
static char folder[PATH_MAX];

static int set_up(void **state) {
    if (make_test_folder(state) != 0)
        return -1;
    snprintf(folder, sizeof folder, "%s", (const char *)*state);
    write_scene(folder, "pair", AQM_RIG_PAIR, FRAMES);
    write_scene(folder, "ring", AQM_RIG_RING5, 1);
    return 0;
}

/* One run of a scene into {folder}/{output}. */
static AqmStatus run(const char *scene, const char *output, AqmRunOptions options,
                     AqmRunResult *result, Heard *heard) {
    AqmConfig *config = scene_config(folder, scene, output);
    AqmRunResult own;
    AqmDiag diag = {0};
    if (heard)
        options.log = (AqmLog){hear, heard};
    const AqmStatus status = aqm_run(config, &options, result ? result : &own, &diag);
    if (status != AQM_OK && heard)
        hear(heard, AQM_LOG_WARNING, diag.message);
    aqm_config_destroy(&config);
    return status;
}

static bool is_finished(const char *output, int frame) {
    char name[PATH_MAX];
    snprintf(name, sizeof name, "%s/frame_%06d/frame.json", output, frame);
    return exists(folder, name);
}

/* The finished frames of an output, bit by bit. */
static unsigned finished(const char *output) {
    unsigned frames = 0;
    for (int f = 0; f < FRAMES + 2; f++)
        frames |= (unsigned)is_finished(output, f) << f;
    return frames;
}

static void assert_same_outputs(const char *one, const char *other, int frame) {
    static const char *const files[] = {"frame.json", "depth_maps/cam00.npz",
                                        "depth_maps/cam01.npz", "point_cloud/fused.ply",
                                        "mesh/surface.ply"};
    char left[PATH_MAX], right[PATH_MAX], name[64];
    for (size_t k = 0; k < sizeof files / sizeof files[0]; k++) {
        snprintf(name, sizeof name, "frame_%06d/%s", frame, files[k]);
        assert_same_file(in_folder(left, folder, one), in_folder(right, folder, other), name);
    }
}

static AqmRunOptions frames_of(int start, int stop, int step) {
    return (AqmRunOptions){
        .has_frames = true, .frame_start = start, .frame_stop = stop, .frame_step = step};
}

static void a_run_makes_every_frame_once(void **state) {
    (void)state;
    AqmRunResult result;
    Heard heard = {""};
    assert_int_equal(run("pair", "whole", (AqmRunOptions){0}, &result, &heard), AQM_OK);
    assert_int_equal(result.frames_total, FRAMES);
    assert_int_equal(result.frames_done, FRAMES);
    assert_int_equal(finished("whole"), 0x1f);
    assert_true(exists(folder, "whole/config.yaml"));
    assert_true(exists(folder, "whole/undistorted_K.json"));
    assert_true(exists(folder, "whole/run.json"));
    assert_int_equal(run("pair", "whole", (AqmRunOptions){0}, &result, &heard), AQM_OK);
    assert_int_equal(result.frames_done, 0);
    assert_int_equal(result.frames_skipped, FRAMES);
    assert_true(was_heard(&heard, "5 frames were finished before"));
}

static void only_the_frames_asked_for_are_made(void **state) {
    (void)state;
    Heard heard = {""};
    AqmRunResult result;
    assert_int_equal(run("pair", "some", frames_of(1, 4, 2), &result, NULL), AQM_OK);
    assert_int_equal(result.frames_total, 2);
    assert_int_equal(finished("some"), 1u << 1 | 1u << 3);
    /* a stop beyond the end is the end; what is there stays */
    assert_int_equal(run("pair", "some", frames_of(3, 99, 1), &result, NULL), AQM_OK);
    assert_int_equal(result.frames_skipped, 1);
    assert_int_equal(finished("some"), 1u << 1 | 1u << 3 | 1u << 4);
    assert_int_equal(run("pair", "none", frames_of(5, -1, 1), NULL, &heard), AQM_ERROR_NO_DATA);
    assert_true(was_heard(&heard, "the input has frames 0..4, asked for are 5:end:1"));
    assert_int_equal(run("pair", "none", frames_of(0, -1, 0), NULL, NULL), AQM_ERROR_ARGUMENT);
    assert_int_equal(run("pair", "none", frames_of(-1, -1, 1), NULL, NULL), AQM_ERROR_ARGUMENT);
    assert_false(exists(folder, "none"));
}

static void shards_share_the_frames(void **state) {
    (void)state;
    for (int count = 2; count <= 3; count++) {
        unsigned before = 0;
        size_t total = 0;
        char output[32], record[PATH_MAX];
        snprintf(output, sizeof output, "shards%d", count);
        for (int k = 1; k <= count; k++) {
            AqmRunResult result;
            AqmRunOptions options = frames_of(0, -1, 1);
            options.shard_index = k;
            options.shard_count = count;
            assert_int_equal(run("pair", output, options, &result, NULL), AQM_OK);
            assert_int_equal(result.frames_skipped, 0); /* no other shard has done them */
            total += result.frames_done;
            assert_true(finished(output) > before);
            before = finished(output);
            snprintf(record, sizeof record, "%s/run_%d_of_%d.json", output, k, count);
            assert_true(exists(folder, record));
        }
        assert_int_equal(total, FRAMES);
        assert_int_equal(before, 0x1f);
    }
    const AqmRunOptions wrong = {.shard_index = 3, .shard_count = 2};
    assert_int_equal(run("pair", "none", wrong, NULL, NULL), AQM_ERROR_ARGUMENT);
}

typedef struct Stop {
    int calls, at;
    volatile int cancel;
} Stop;

static void stop_at(void *user, const AqmProgress *progress) {
    Stop *stop = user;
    assert_true(progress->fraction >= 0.0 && progress->fraction <= 1.0 + 1e-9);
    assert_true(progress->elapsed_s >= 0.0 && !(progress->remaining_s < 0.0));
    if (stop->calls++ == stop->at)
        stop->cancel = 1;
}

static void a_stopped_run_is_taken_up_and_ends_in_the_same_bytes(void **state) {
    (void)state;
    Stop stop = {.at = -1};
    AqmRunOptions options = frames_of(0, 3, 1);
    options.progress = stop_at;
    options.progress_user = &stop;
    options.cancel = &stop.cancel;
    assert_int_equal(run("pair", "straight", options, NULL, NULL), AQM_OK);
    const int steps = stop.calls;
    assert_true(steps > 3 * 8);
    AqmStatus status = AQM_ERROR_INTERRUPTED;
    int runs = 0;
    for (int at = 3; status != AQM_OK; at += 4, runs++) {
        AqmRunResult result;
        stop = (Stop){.at = at};
        status = run("pair", "stopped", options, &result, NULL);
        assert_true(status == AQM_OK || status == AQM_ERROR_INTERRUPTED);
        assert_true(runs < steps);
        if (status == AQM_OK)
            assert_int_equal(result.frames_done + result.frames_skipped, 3);
    }
    assert_true(runs > 2);
    for (int f = 0; f < 3; f++)
        assert_same_outputs("straight", "stopped", f);
    char path[PATH_MAX];
    json_t *record = json_load_file(in_folder(path, folder, "stopped/run.json"), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(record, "status")), "done");
    assert_int_equal(json_object_size(json_object_get(record, "frames")), 3);
    json_decref(record);
}

static void a_run_cancelled_beforehand_makes_nothing(void **state) {
    (void)state;
    const volatile int cancel = 1;
    const AqmRunOptions options = {.cancel = &cancel};
    AqmRunResult result;
    Heard heard = {""};
    assert_int_equal(run("pair", "cancelled", options, &result, &heard), AQM_ERROR_INTERRUPTED);
    assert_true(was_heard(&heard, "interrupted before frame 0"));
    assert_int_equal(result.frames_total, FRAMES);
    assert_int_equal(result.frames_done, 0);
    assert_int_equal(finished("cancelled"), 0);
}

static void force_redoes_and_other_settings_are_told(void **state) {
    (void)state;
    AqmRunOptions options = frames_of(0, 1, 1);
    AqmRunResult result;
    Heard heard = {""};
    char path[PATH_MAX];
    assert_int_equal(run("pair", "forced", options, NULL, NULL), AQM_OK);
    write_bytes(in_folder(path, folder, "forced/frame_000000/depth_maps/old.npz"), "old", 3);
    write_bytes(in_folder(path, folder, "forced/frame_000000/mesh/.surface.ply.1.tmp"), "old", 3);
    AqmConfig *config = scene_config(folder, "pair", "forced");
    options.log = (AqmLog){hear, &heard};
    assert_int_equal(aqm_config_set(config, "reconstruction.num_depths", "12", NULL), AQM_OK);
    assert_int_equal(aqm_run(config, &options, &result, NULL), AQM_OK);
    assert_int_equal(result.frames_skipped, 1);
    assert_true(was_heard(&heard, "warning: 1 finished frame is skipped though made with another "
                                  "configuration; --force redoes it"));
    options.force = true;
    assert_int_equal(aqm_run(config, &options, &result, NULL), AQM_OK);
    assert_int_equal(result.frames_done, 1);
    assert_false(exists(folder, "forced/frame_000000/depth_maps/old.npz"));
    aqm_config_destroy(&config);
    options.log = (AqmLog){0};
    assert_int_equal(run("pair", "forced", options, NULL, NULL), AQM_OK);
    assert_int_equal(run("pair", "fresh", options, NULL, NULL), AQM_OK);
    assert_same_outputs("forced", "fresh", 0);
}

static void a_broken_image_fails_its_frame_only(void **state) {
    (void)state;
    AqmRunResult result;
    Heard heard = {""};
    char path[PATH_MAX];
    write_scene(folder, "broken", AQM_RIG_PAIR, 3);
    write_bytes(in_folder(path, folder, "broken/images/cam01/frame_000001.png"), "no", 2);
    assert_int_equal(run("broken", "broken_out", (AqmRunOptions){0}, &result, &heard), AQM_OK);
    assert_int_equal(result.frames_done, 2);
    assert_int_equal(result.frames_failed, 1);
    assert_int_equal(finished("broken_out"), 1u << 0 | 1u << 2);
    assert_true(was_heard(&heard, "warning: frame 1 failed: 1 of 2 cameras"));
    json_t *record = json_load_file(in_folder(path, folder, "broken_out/run.json"), 0, NULL);
    const json_t *frame = json_object_get(json_object_get(record, "frames"), "000001");
    assert_string_equal(json_string_value(json_object_get(frame, "status")), "failed");
    assert_non_null(strstr(json_string_value(json_object_get(frame, "reason")), "frame_000001"));
    json_decref(record);
}

static void other_input_in_the_same_place_is_told_once(void **state) {
    (void)state;
    AqmRunResult result;
    Heard heard = {""}, again = {""};
    char path[PATH_MAX];
    write_scene(folder, "changing", AQM_RIG_PAIR, 3);
    assert_int_equal(run("changing", "changed", (AqmRunOptions){0}, &result, NULL), AQM_OK);
    assert_int_equal(run("changing", "changed", (AqmRunOptions){0}, &result, &heard), AQM_OK);
    assert_false(was_heard(&heard, "other input"));
    FILE *file = fopen(in_folder(path, folder, "changing/calibration.json"), "ab");
    assert_non_null(file);
    assert_true(fputs("\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(run("changing", "changed", (AqmRunOptions){0}, &result, &again), AQM_OK);
    assert_int_equal(result.frames_skipped, 3);
    assert_true(was_heard(&again, "warning: 3 finished frames are skipped though made from other"));
    assert_false(was_heard(&again, "another configuration"));
}

static void a_run_with_nothing_to_do_writes_nothing(void **state) {
    (void)state;
    static const char *const files[] = {"idle/config.yaml", "idle/undistorted_K.json",
                                        "idle/run.json"};
    char path[PATH_MAX];
    struct stat before, after;
    AqmRunResult result;
    AqmRunOptions options = frames_of(0, 1, 1);
    assert_int_equal(run("pair", "idle", options, &result, NULL), AQM_OK);
    for (size_t k = 0; k < sizeof files / sizeof files[0]; k++) {
        assert_int_equal(stat(in_folder(path, folder, files[k]), &before), 0);
        assert_int_equal(run("pair", "idle", options, &result, NULL), AQM_OK);
        assert_int_equal(result.frames_skipped, 1);
        assert_int_equal(stat(path, &after), 0);
        assert_true(before.st_ino == after.st_ino);
        assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof before.st_mtim);
    }
    /* but the record of a run that was killed at its very end is brought to that end */
    write_bytes(in_folder(path, folder, "idle/run.json"), "{\"status\": \"running\"}", 21);
    assert_int_equal(run("pair", "idle", options, &result, NULL), AQM_OK);
    assert_string_equal(result.record, path);
    json_t *record = json_load_file(path, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(record, "status")), "done");
    json_decref(record);
}

/* --force on a frame whose images are gone leaves what an earlier run made of it. */
static void force_destroys_nothing_that_cannot_be_redone(void **state) {
    (void)state;
    AqmRunResult result;
    Heard heard = {""};
    char path[PATH_MAX];
    AqmRunOptions options = {.force = true};
    write_scene(folder, "lost", AQM_RIG_PAIR, 1);
    assert_int_equal(run("lost", "lost_out", options, &result, NULL), AQM_OK);
    assert_int_equal(run("lost", "lost_before", options, &result, NULL), AQM_OK);
    assert_int_equal(aqm_make_folders(in_folder(path, folder, "lost_out/frame_000000/viz"), NULL),
                     AQM_OK);
    write_bytes(in_folder(path, folder, "lost_out/frame_000000/viz/scene.png"), "", 0);
    write_bytes(in_folder(path, folder, "lost/images/cam01/frame_000000.png"), "no", 2);
    assert_int_equal(run("lost", "lost_out", options, &result, &heard), AQM_OK);
    assert_int_equal(result.frames_failed, 1);
    assert_true(was_heard(&heard, "what an earlier run made of it is kept"));
    assert_same_outputs("lost_out", "lost_before", 0);
    assert_true(exists(folder, "lost_out/frame_000000/viz/scene.png"));
    /* once it can be read it is begun anew, and if that fails it is not finished */
    write_scene(folder, "lost", AQM_RIG_PAIR, 1);
    assert_int_equal(unlink(in_folder(path, folder, "lost_out/frame_000000/point_cloud/fused.ply")),
                     0);
    assert_int_equal(rmdir(in_folder(path, folder, "lost_out/frame_000000/point_cloud")), 0);
    write_bytes(path, "a file", 6);
    assert_int_equal(run("lost", "lost_out", options, &result, NULL), AQM_OK);
    assert_int_equal(result.frames_failed, 1);
    assert_false(is_finished("lost_out", 0));
}

static void the_configuration_that_is_read_is_not_written_over(void **state) {
    (void)state;
    AqmRunOptions options = frames_of(0, 1, 1);
    AqmRunResult result;
    AqmDiag diag = {0};
    char path[PATH_MAX];
    AqmConfig *config = scene_config(folder, "pair", "pair");
    assert_int_equal(aqm_run(config, &options, &result, &diag), AQM_ERROR_CONFIG);
    assert_non_null(strstr(diag.message, "would overwrite"));
    assert_string_equal(result.record, "");
    assert_false(exists(folder, "pair/undistorted_K.json"));
    aqm_config_destroy(&config);
    /* what a run has written itself comes out the same */
    assert_int_equal(run("pair", "own", options, &result, NULL), AQM_OK);
    assert_int_equal(
        aqm_config_read(in_folder(path, folder, "own/config.yaml"), NULL, 0, NULL, &config, NULL),
        AQM_OK);
    options.frame_stop = 2;
    diag = (AqmDiag){0};
    if (aqm_run(config, &options, &result, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    assert_int_equal(result.frames_done, 1);
    assert_int_equal(result.frames_skipped, 1);
    aqm_config_destroy(&config);
}

static void only_shards_work_side_by_side(void **state) {
    (void)state;
    AqmFolderLock lock;
    AqmRunOptions options = frames_of(0, 2, 1), shard = options;
    Heard heard = {""};
    AqmRunResult result;
    char path[PATH_MAX];
    shard.shard_index = 1;
    shard.shard_count = 2;
    assert_int_equal(aqm_make_folders(in_folder(path, folder, "busy"), NULL), AQM_OK);
    assert_int_equal(aqm_folder_lock(path, true, &lock, NULL), AQM_OK);
    if (lock.is_held) {
        assert_int_equal(run("pair", "busy", options, &result, &heard), AQM_ERROR_IO);
        assert_true(was_heard(&heard, "another run is writing to"));
        assert_int_equal(run("pair", "busy", shard, &result, NULL), AQM_ERROR_IO);
        assert_false(exists(folder, "busy/config.yaml"));
    }
    aqm_folder_unlock(&lock);
    assert_int_equal(aqm_folder_lock(path, false, &lock, NULL), AQM_OK);
    write_bytes(in_folder(path, folder, "busy/.config.yaml.1.tmp"), "half", 4);
    assert_int_equal(run("pair", "busy", shard, &result, NULL), AQM_OK);
    assert_non_null(strstr(result.record, "/run_1_of_2.json"));
    assert_true(exists(folder, "busy/.config.yaml.1.tmp")); /* may be another shard's */
    if (lock.is_held)
        assert_int_equal(run("pair", "busy", options, &result, NULL), AQM_ERROR_IO);
    aqm_folder_unlock(&lock);
    assert_int_equal(run("pair", "busy", options, &result, NULL), AQM_OK);
    assert_false(exists(folder, "busy/.config.yaml.1.tmp"));
}

static void a_device_that_is_not_there_warns_or_refuses(void **state) {
    (void)state;
    AqmRunOptions options = frames_of(0, 1, 1);
    AqmRunResult result;
    AqmDiag diag = {0};
    Heard heard = {""};
    AqmConfig *config = scene_config(folder, "pair", "device");
    assert_int_equal(aqm_config_set(config, "runtime.device", "cuda", NULL), AQM_OK);
    options.log = (AqmLog){hear, &heard};
    options.require_device = true;
    assert_int_equal(aqm_run(config, &options, &result, &diag), AQM_ERROR_DEVICE);
    assert_false(exists(folder, "device"));
    options.require_device = false;
    assert_int_equal(aqm_run(config, &options, &result, NULL), AQM_OK);
    assert_true(was_heard(&heard, "warning: runtime.device is cuda"));
    assert_int_equal(finished("device"), 1);
    char path[PATH_MAX];
    json_t *record = json_load_file(in_folder(path, folder, "device/run.json"), 0, NULL);
    const json_t *warning = json_array_get(json_object_get(record, "warnings"), 0);
    assert_non_null(strstr(json_string_value(warning), "running on the CPU"));
    json_decref(record);
    aqm_config_destroy(&config);
}

/* ---- a water surface that is not level in the world -------------------------------------------
 */

/* Rotation by `angle` about a horizontal axis. */
static void tilt_by(double angle, double Q[9]) {
    const double x = 0.6, y = 0.8, c = cos(angle), s = sin(angle), d = 1 - c;
    const double made[9] = {c + x * x * d, x * y * d, y * s, x * y * d, c + y * y * d,
                            -x * s,        -y * s,    x * s, c};
    memcpy(Q, made, sizeof made);
}

static json_t *vector_of(const double v[3]) {
    return json_pack("[f,f,f]", v[0], v[1], v[2]);
}

/* Turns the world of a calibration by Q: p' = Q p, so R' = R Q^T and t' = t. */
static void turn_calibration(const char *path, const double Q[9]) {
    json_t *root = json_load_file(path, 0, NULL), *camera;
    const char *name;
    assert_non_null(root);
    json_object_foreach(json_object_get(root, "cameras"), name, camera) {
        json_t *R = json_object_get(json_object_get(camera, "extrinsics"), "R");
        for (size_t i = 0; i < 3; i++) {
            double row[3];
            for (size_t j = 0; j < 3; j++)
                row[j] = json_number_value(json_array_get(json_array_get(R, i), j));
            aqm_mul33v(Q, row, row);
            json_array_set_new(R, i, vector_of(row));
        }
        /* water_z is where the Z axis meets the surface, which now is slanted */
        const double water_z = json_number_value(json_object_get(camera, "water_z"));
        json_object_set_new(camera, "water_z", json_real(water_z / Q[8]));
    }
    const double up[3] = {-Q[2], -Q[5], -Q[8]};
    json_object_set_new(json_object_get(root, "interface"), "normal", vector_of(up));
    assert_int_equal(json_dump_file(root, path, JSON_REAL_PRECISION(17)), 0);
    json_decref(root);
}

static AqmCloud *read_cloud(const char *output) {
    char path[PATH_MAX], name[PATH_MAX];
    snprintf(name, sizeof name, "%s/frame_000000/point_cloud/fused.ply", output);
    AqmCloud *cloud = NULL;
    AqmMesh *mesh = NULL;
    assert_int_equal(aqm_ply_read(in_folder(path, folder, name), &cloud, &mesh, NULL), AQM_OK);
    return cloud;
}

/* Distance from p to the nearest point of a cloud, and that point's index. */
static double nearest(const AqmCloud *cloud, const double p[3], size_t *index) {
    double best = INFINITY;
    for (size_t i = 0; i < cloud->count; i++) {
        const float *q = cloud->position + 3 * i;
        const double d[3] = {p[0] - (double)q[0], p[1] - (double)q[1], p[2] - (double)q[2]};
        if (aqm_dot3(d, d) < best) {
            best = aqm_dot3(d, d);
            *index = i;
        }
    }
    return sqrt(best);
}

static void a_tilted_water_surface_gives_results_in_the_world(void **state) {
    (void)state;
    double Q[9];
    char path[PATH_MAX];
    tilt_by(0.05, Q);
    assert_int_equal(run("ring", "level", (AqmRunOptions){0}, NULL, NULL), AQM_OK);
    write_scene(folder, "tilted", AQM_RIG_RING5, 1);
    turn_calibration(in_folder(path, folder, "tilted/calibration.json"), Q);
    Heard heard = {""};
    assert_int_equal(run("tilted", "slanted", (AqmRunOptions){0}, NULL, &heard), AQM_OK);
    assert_true(was_heard(&heard, "the water surface is tilted by 2.865 degrees"));
    AqmCloud *level = read_cloud("level"), *slanted = read_cloud("slanted");
    assert_true(level->count > 1000);
    assert_true(fabs((double)slanted->count - (double)level->count) < 0.01 * (double)level->count);
    /* rounding may make a voxel choose another point now and then */
    size_t strays = 0;
    for (size_t i = 0; i < slanted->count; i++) {
        double p[3], normal[3];
        size_t k = 0;
        for (int j = 0; j < 3; j++) {
            p[j] = (double)slanted->position[3 * i + (size_t)j];
            normal[j] = (double)slanted->normal[3 * i + (size_t)j];
        }
        aqm_mul33tv(Q, p, p);
        aqm_mul33tv(Q, normal, normal);
        if (nearest(level, p, &k) > 2e-5) {
            strays++;
            continue;
        }
        for (int j = 0; j < 3; j++)
            assert_true(fabs(normal[j] - (double)level->normal[3 * k + (size_t)j]) < 0.02);
    }
    assert_true(strays * 100 < slanted->count);
    aqm_cloud_destroy(&level);
    aqm_cloud_destroy(&slanted);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void out_of_memory_is_an_error_anywhere(void **state) {
    (void)state;
    AqmConfig *config = scene_config(folder, "pair", "starved");
    assert_int_equal(aqm_config_set(config, "reconstruction.num_depths", "8", NULL), AQM_OK);
    AqmRunOptions options = frames_of(0, 1, 1);
    options.force = true;
    AqmRunResult result;
    /* counted where the folders are there already, as they will be */
    assert_int_equal(aqm_run(config, &options, &result, NULL), AQM_OK);
    const size_t first = aqm_alloc_count().calls;
    assert_int_equal(aqm_run(config, &options, &result, NULL), AQM_OK);
    const size_t calls = aqm_alloc_count().calls - first, live = aqm_alloc_count().live_bytes;
    assert_true(calls > 50);
    /* The first hundred one by one, where most kinds are; then ever more apart. The last of all is
     * for flushing the folder once run.json is in its place, which is done where it can be. */
    for (size_t n = 1; n < calls; n += 1 + n / 100 * 3) {
        AqmDiag diag = {0};
        Heard heard = {""};
        options.log = (AqmLog){hear, &heard};
        aqm_alloc_fail_from(n);
        const AqmStatus status = aqm_run(config, &options, &result, &diag);
        aqm_alloc_fail_from(0);
        options.log = (AqmLog){0};
        /* run.json is no reason to throw a good frame away: only a warning */
        if (status == AQM_OK && result.frames_failed != 1 && !was_heard(&heard, "out of memory"))
            fail_msg("allocation %zu of %zu failed, and nobody said so:\n%s", n, calls, heard.text);
        if (status != AQM_OK)
            assert_true(diag.message[0] != '\0');
        assert_int_equal(aqm_alloc_count().live_bytes, live);
    }
    assert_int_equal(aqm_run(config, &options, &result, NULL), AQM_OK);
    assert_int_equal(result.frames_done, 1);
    aqm_config_destroy(&config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_makes_every_frame_once),
        cmocka_unit_test(only_the_frames_asked_for_are_made),
        cmocka_unit_test(shards_share_the_frames),
        cmocka_unit_test(a_stopped_run_is_taken_up_and_ends_in_the_same_bytes),
        cmocka_unit_test(a_run_cancelled_beforehand_makes_nothing),
        cmocka_unit_test(force_redoes_and_other_settings_are_told),
        cmocka_unit_test(a_broken_image_fails_its_frame_only),
        cmocka_unit_test(other_input_in_the_same_place_is_told_once),
        cmocka_unit_test(a_run_with_nothing_to_do_writes_nothing),
        cmocka_unit_test(force_destroys_nothing_that_cannot_be_redone),
        cmocka_unit_test(the_configuration_that_is_read_is_not_written_over),
        cmocka_unit_test(only_shards_work_side_by_side),
        cmocka_unit_test(a_device_that_is_not_there_warns_or_refuses),
        cmocka_unit_test(a_tilted_water_surface_gives_results_in_the_world),
        cmocka_unit_test(out_of_memory_is_an_error_anywhere),
    };
    return cmocka_run_group_tests(tests, set_up, remove_test_folder);
}
