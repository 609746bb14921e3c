/* The built-in pathways from images to files: sift and dense, sparse and full, on rendered scenes
 * whose truth is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "pathways_util.h"
#include "stages/picture/fontconfig_leak.h"

static char folder[PATH_MAX], scene[PATH_MAX], little[PATH_MAX];

static int set_up(void **state) {
    if (make_test_folder(state) != 0)
        return -1;
    snprintf(folder, sizeof folder, "%s", (const char *)*state);
    render(in_folder(scene, folder, "scene"), AQM_SCENE_UNDULATING, 200, 1, 1);
    render(in_folder(little, folder, "little"), AQM_SCENE_SANDBED, 128, 1, 2);
    return 0;
}

/* What a pathway is called, and what it must come to on `scene`. */
typedef struct Pathway {
    const char *matcher, *mode, *cloud;
    size_t least_points;
    double median_mm, p95_mm, bias_mm;
} Pathway;

enum { SIFT_SPARSE, SIFT_FULL, DENSE_SPARSE, DENSE_FULL, PATHWAYS };
static const Pathway pathways[PATHWAYS] = {
    [SIFT_SPARSE] = {"sift", "sparse", "sparse", 150, 1.4, 4.0, 0.6},
    [SIFT_FULL] = {"sift", "full", "fused", 30000, 1.2, 3.2, 0.5},
    [DENSE_SPARSE] = {"dense", "sparse", "sparse", 80000, 1.4, 4.0, 0.5},
    [DENSE_FULL] = {"dense", "full", "fused", 30000, 1.3, 3.5, 0.5},
};

static bool is_as_good(const Pathway *pathway, const AqmEvaluation *found) {
    return found->points >= pathway->least_points && found->all.median_mm < pathway->median_mm &&
           found->all.p95_mm < pathway->p95_mm && fabs(found->all.bias_mm) < pathway->bias_mm;
}

/* ---- accuracy -------------------------------------------------------------------------------- */

static void clouds_are_near_the_truth(void **state) {
    (void)state;
    for (size_t k = 0; k < PATHWAYS; k++) {
        const Pathway *p = &pathways[k];
        char output[PATH_MAX];
        print_message("%s %s: ", p->matcher, p->mode);
        reconstruct(scene, in_folder(output, folder, "accuracy"), p->matcher, p->mode, NULL);
        const AqmEvaluation found = judge(scene, output, p->cloud);
        if (!is_as_good(p, &found))
            fail_msg("%s %s is too far from the truth", p->matcher, p->mode);
        assert_true(strcmp(p->mode, "sparse") == 0 || found.coverage_pct[3] > 90.0);
    }
}

static void move_half_a_pixel(json_t *camera, const char *name) {
    (void)name;
    json_t *row = json_array_get(json_object_get(json_object_get(camera, "intrinsics"), "K"), 1);
    assert_int_equal(
        json_array_set_new(row, 2, json_real(json_number_value(json_array_get(row, 2)) + 0.5)), 0);
}

/* The bounds above would not let it pass. */
static void half_a_pixel_is_noticed(void **state) {
    (void)state;
    char dir[PATH_MAX], output[PATH_MAX];
    render(in_folder(dir, folder, "moved"), AQM_SCENE_UNDULATING, 200, 1, 1);
    edit_cameras(dir, move_half_a_pixel);
    for (size_t k = 0; k < PATHWAYS; k++) {
        const Pathway *p = &pathways[k];
        if (k == DENSE_SPARSE) /* as DENSE_FULL, and takes as long */
            continue;
        reconstruct(dir, in_folder(output, folder, "moved_output"), p->matcher, p->mode, NULL);
        const AqmEvaluation found = judge(scene, output, p->cloud);
        assert_false(is_as_good(p, &found));
    }
}

/* ---- files ----------------------------------------------------------------------------------- */

typedef struct File {
    const char *name;
    unsigned pathways; /* bit by bit: those that make it */
} File;

static void check_files(const char *output, int pathway) {
    static const unsigned sift = 1u << SIFT_SPARSE | 1u << SIFT_FULL, all = 15u;
    static const unsigned full = 1u << SIFT_FULL | 1u << DENSE_FULL;
    const File files[] = {
        {"frame.json", all},
        {"point_cloud/sparse.ply", all & ~full},
        {"point_cloud/fused.ply", full},
        {"sparse/sparse_cloud.ply", all & ~(1u << DENSE_FULL)},
        {"mesh/surface.ply", all},
        {"depth_maps/cam00.npz", full},
        {"consistency_maps/cam04.npz", full},
        {"features/cam03.npz", sift},
        {"features/matches_cam00_cam01.npz", sift},
        {"viz/features_cam02.png", sift},
        {"viz/matches_cam00_cam01.png", sift},
        {"viz/depth_cam02.png", full},
        {"viz/rig.png", all},
        {"viz/scene.png", all},
        {"depth_maps", full},
        {"features", sift},
        {"sparse", all & ~(1u << DENSE_FULL)},
        {"consistency_maps", full},
    };
    char frame[PATH_MAX];
    in_folder(frame, output, "frame_000000");
    for (size_t k = 0; k < sizeof files / sizeof files[0]; k++)
        if (exists(frame, files[k].name) != (files[k].pathways >> pathway & 1u))
            fail_msg("%s %s: %s", pathways[pathway].matcher, pathways[pathway].mode, files[k].name);
}

/* Into one folder, one after the other, by three threads; each alone, by one. */
static void a_pathway_leaves_its_own_files_alone(void **state) {
    (void)state;
    static const int order[] = {SIFT_FULL, SIFT_SPARSE, DENSE_FULL, DENSE_SPARSE, SIFT_FULL};
    const Settings one = {"runtime.viz_enabled", "true", "runtime.save_consistency_maps", "true"};
    const Settings three = {"runtime.viz_enabled", "true", "runtime.save_consistency_maps", "true",
                            "runtime.threads",     "3"};
    char shared[PATH_MAX], own[PATH_MAX];
    for (size_t k = 0; k < sizeof order / sizeof order[0]; k++) {
        const Pathway *p = &pathways[order[k]];
        char name[64];
        snprintf(name, sizeof name, "own_%d", order[k]);
        reconstruct(little, in_folder(shared, folder, "shared"), p->matcher, p->mode, three);
        if (!exists(folder, name))
            reconstruct(little, in_folder(own, folder, name), p->matcher, p->mode, one);
        in_folder(own, folder, name);
        check_files(own, order[k]);
        print_message("%s %s: %zu files\n", p->matcher, p->mode, assert_same_folders(shared, own));
    }
}

/* Other pairs, other files: those that are no longer made must go. */
static void pairs_by_distance_are_other_pairs(void **state) {
    (void)state;
    const Settings two = {"sparse_matching.num_neighbors", "2"};
    const Settings near = {"sparse_matching.num_neighbors", "2", "sparse_matching.pair_selection",
                           "distance"};
    char one[PATH_MAX], other[PATH_MAX], fresh[PATH_MAX], frame[PATH_MAX];
    reconstruct(scene, in_folder(one, folder, "by_overlap"), "sift", "sparse", two);
    reconstruct(scene, in_folder(other, folder, "by_distance"), "sift", "sparse", NULL);
    reconstruct(scene, other, "sift", "sparse", near);
    reconstruct(scene, in_folder(fresh, folder, "fresh"), "sift", "sparse", near);
    assert_same_folders(other, fresh);
    /* in a ring every camera goes with the next one, and no other */
    in_folder(frame, fresh, "frame_000000/features");
    for (int a = 0; a < 5; a++)
        for (int b = a + 1; b < 5; b++) {
            char name[64];
            snprintf(name, sizeof name, "matches_cam%02d_cam%02d.npz", a, b);
            assert_int_equal(exists(frame, name), b - a == 1 || b - a == 4);
        }
    in_folder(frame, one, "frame_000000/features");
    print_message("by overlap: %d files, ", count_files(frame));
    const AqmEvaluation overlap = judge(scene, one, "sparse");
    print_message("by distance: ");
    const AqmEvaluation distance = judge(scene, fresh, "sparse");
    assert_true(overlap.points > 100 && overlap.all.median_mm < 1.5);
    assert_true(distance.points > 100 && distance.all.median_mm < 1.5);
}

/* ---- depth ranges ---------------------------------------------------------------------------- */

static bool stop_at_stereo(void *user, AqmStage stage, size_t done, size_t total) {
    (void)user, (void)done, (void)total;
    return stage == AQM_STAGE_STEREO;
}

static size_t count_outside(const Known *known, const AqmInput *input, const AqmDepthRange *range) {
    size_t outside = 0;
    for (int y = 0; y < input->view.height; y += 2)
        for (int x = 0; x < input->view.width; x += 2) {
            double depth = 0.0, point[3] = {0};
            assert_true(true_point(known, &input->view, x, y, &depth, point));
            const double down = point[2] - input->view.water_z;
            outside += depth < range->min_m || depth > range->max_m || down < range->down_min_m ||
                       down > range->down_max_m;
        }
    return outside;
}

static void ranges_of(const char *dir, const char *matcher) {
    char output[PATH_MAX];
    AqmDepthRange ranges[8];
    Heard heard = {""};
    AqmConfig *config =
        read_config(dir, in_folder(output, folder, "ranges"), matcher, "full", NULL);
    AqmInputs *inputs = open_inputs(config);
    const AqmLog log = {hear, &heard};
    AqmFrameReport report = {.ranges = ranges};
    const AqmFrameJob job = {
        .config = config, .inputs = inputs, .folder = output, .log = &log, .enter = stop_at_stereo};
    assert_int_equal(aqm_make_folders(output, NULL), AQM_OK);
    assert_int_equal(aqm_frame_make(&job, &report, NULL), AQM_ERROR_INTERRUPTED);
    assert_true(
        was_heard(&heard, strcmp(matcher, "sift") == 0 ? "from matches" : "from a coarse sweep"));
    const Known known = know(dir, 0);
    for (size_t c = 0; c < inputs->camera_count; c++) {
        const size_t outside = count_outside(&known, &inputs->cameras[c], &ranges[c]);
        if (outside > 0 || ranges[c].max_m > 0.6)
            fail_msg("%s: cam%02zu: %zu true depths outside of %.4f..%.4f m", matcher, c, outside,
                     ranges[c].min_m, ranges[c].max_m);
    }
    AqmTruth *truth = known.truth;
    aqm_truth_destroy(&truth);
    aqm_inputs_close(&inputs);
    aqm_config_destroy(&config);
}

static void ranges_hold_all_true_depths(void **state) {
    (void)state;
    static const AqmScene scenes[] = {AQM_SCENE_UNDULATING, AQM_SCENE_SANDBED, AQM_SCENE_BOARD};
    char dir[PATH_MAX];
    for (uint64_t seed = 1; seed <= 3; seed++) {
        render(in_folder(dir, folder, "ranged"), scenes[seed - 1], 200, 1, seed);
        ranges_of(dir, "sift");
        ranges_of(dir, "dense");
    }
}

/* ---- masks and auxiliary cameras ------------------------------------------------------------- */

static void what_is_masked_stays_out(void **state) {
    (void)state;
    char masks[PATH_MAX], output[PATH_MAX];
    write_masks(scene, in_folder(masks, folder, "masks"));
    for (size_t k = 0; k < PATHWAYS; k++) {
        const Pathway *p = &pathways[k];
        size_t count;
        reconstruct(scene, in_folder(output, folder, "masked"), p->matcher, p->mode,
                    (const Settings){"mask_dir", masks});
        const double least = least_x(output, p->cloud, &count);
        print_message("%s %s: %zu points, X > %.2f mm\n", p->matcher, p->mode, count, 1e3 * least);
        /* a pixel is 4 mm wide; what is averaged of neighbouring pixels may lie half of one aside
         */
        assert_true(least > -0.004 && count > p->least_points / 8);
    }
}

static void make_auxiliary(json_t *camera, const char *name) {
    if (strcmp(name, "cam02") == 0)
        assert_int_equal(json_object_set_new(camera, "is_auxiliary", json_true()), 0);
}

static void an_auxiliary_camera_helps_and_has_no_depths(void **state) {
    (void)state;
    char dir[PATH_MAX], output[PATH_MAX], frame[PATH_MAX];
    render(in_folder(dir, folder, "auxiliary"), AQM_SCENE_UNDULATING, 200, 1, 1);
    edit_cameras(dir, make_auxiliary);
    for (size_t k = 0; k < PATHWAYS; k++) {
        const Pathway *p = &pathways[k];
        print_message("%s %s: ", p->matcher, p->mode);
        reconstruct(dir, in_folder(output, folder, "helped"), p->matcher, p->mode, NULL);
        const AqmEvaluation found = judge(dir, output, p->cloud);
        assert_true(found.points > p->least_points / 2 && found.all.median_mm < p->median_mm &&
                    found.all.p95_mm < p->p95_mm);
        if (strcmp(p->mode, "sparse") == 0)
            continue;
        in_folder(frame, output, "frame_000000");
        assert_false(exists(frame, "depth_maps/cam02.npz"));
        assert_true(exists(frame, "depth_maps/cam03.npz"));
    }
}

/* ---- without texture ------------------------------------------------------------------------- */

static void frames_without_texture_fail_with_a_sentence(void **state) {
    (void)state;
    char dir[PATH_MAX], output[PATH_MAX], path[PATH_MAX], name[96];
    static const char *const words[PATHWAYS] = {
        "no point could be triangulated from 0 matches in 10 pairs of cameras", "", "", ""};
    render(in_folder(dir, folder, "blank"), AQM_SCENE_PLANE, 96, 1, 1);
    for (int c = 0; c < 5; c++) {
        AqmImage *image = NULL;
        snprintf(name, sizeof name, "images/cam%02d/frame_000000.png", c);
        assert_int_equal(aqm_image_read(in_folder(path, dir, name), &image, NULL), AQM_OK);
        memset(image->data, 90 + c, image->stride * (size_t)image->height);
        const AqmImageView picture = aqm_image_view(image);
        assert_int_equal(aqm_png_write(path, &picture, NULL), AQM_OK);
        aqm_image_destroy(&image);
    }
    for (size_t k = 0; k < PATHWAYS; k++) {
        AqmRunResult result;
        Heard heard = {""};
        assert_int_equal(run_scene(dir, in_folder(output, folder, "blank_output"),
                                   pathways[k].matcher, pathways[k].mode, NULL, &result, &heard,
                                   NULL),
                         AQM_OK);
        print_message("%s %s: %s", pathways[k].matcher, pathways[k].mode,
                      strstr(heard.text, "frame 0 failed"));
        assert_int_equal(result.frames_failed, 1);
        assert_true(was_heard(&heard, "frame 0 failed: ") && was_heard(&heard, words[k]));
        in_folder(path, output, "frame_000000");
        assert_false(exists(path, "frame.json"));
    }
}

static void warps_without_a_certain_cell_fail_with_a_sentence(void **state) {
    (void)state;
    char output[PATH_MAX];
    AqmRunResult result;
    Heard heard = {""};
    const Settings strict = {"dense_matching.certainty_threshold", "1"};
    assert_int_equal(run_scene(little, in_folder(output, folder, "strict"), "dense", "sparse",
                               strict, &result, &heard, NULL),
                     AQM_OK);
    assert_int_equal(result.frames_failed, 1);
    assert_true(was_heard(&heard, "no point could be triangulated from 0 matches"));
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void failed_allocations_are_survived(void **state) {
    (void)state;
    char dir[PATH_MAX], output[PATH_MAX];
    render(in_folder(dir, folder, "tiny"), AQM_SCENE_PLANE, 64, 1, 1);
    in_folder(output, folder, "tiny_output");
    assert_int_equal(aqm_make_folders(output, NULL), AQM_OK);
    const Settings few = {"reconstruction.num_depths",     "16",
                          "runtime.save_consistency_maps", "true",
                          "sparse_matching.num_neighbors", "2"};
    for (size_t k = 0; k < PATHWAYS; k++) {
        const Pathway *p = &pathways[k];
        const bool is_dense =
            strcmp(p->matcher, "dense") == 0; /* sift has nothing to see in `dir` */
        AqmConfig *config = read_config(is_dense ? dir : little, output, p->matcher, p->mode, few);
        AqmInputs *inputs = open_inputs(config);
        AqmDepthRange ranges[8];
        const AqmFrameJob job = {.config = config, .inputs = inputs, .folder = output};
        const size_t live = aqm_alloc_count().live_bytes;
        size_t tries = 0;
        for (size_t n = 1;; n += 1 + n / 6, tries++) {
            AqmFrameReport report = {.ranges = ranges};
            AqmDiag diag = {0};
            aqm_alloc_fail_from(n);
            const AqmStatus status = aqm_frame_make(&job, &report, &diag);
            aqm_alloc_fail_from(0);
            assert_int_equal(aqm_alloc_count().live_bytes, live);
            if (status == AQM_OK)
                break;
            if (status != AQM_ERROR_MEMORY || !strstr(diag.message, "memory"))
                fail_msg("%s %s, allocation %zu: %s: %s", p->matcher, p->mode, n,
                         aqm_status_name(status), diag.message);
        }
        print_message("%s %s: %zu failures\n", p->matcher, p->mode, tries);
        assert_true(tries > 10);
        aqm_inputs_close(&inputs);
        aqm_config_destroy(&config);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clouds_are_near_the_truth),
        cmocka_unit_test(half_a_pixel_is_noticed),
        cmocka_unit_test(a_pathway_leaves_its_own_files_alone),
        cmocka_unit_test(pairs_by_distance_are_other_pairs),
        cmocka_unit_test(ranges_hold_all_true_depths),
        cmocka_unit_test(what_is_masked_stays_out),
        cmocka_unit_test(an_auxiliary_camera_helps_and_has_no_depths),
        cmocka_unit_test(frames_without_texture_fail_with_a_sentence),
        cmocka_unit_test(warps_without_a_certain_cell_fail_with_a_sentence),
        cmocka_unit_test(failed_allocations_are_survived),
    };
    return cmocka_run_group_tests(tests, set_up, remove_test_folder);
}
