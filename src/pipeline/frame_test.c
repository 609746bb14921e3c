/* One frame: its images, its stages, its files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "base/alloc.h"
#include "pipeline/frame.h"
#include "pipeline/pipeline_test_util.h"
#include "stages/picture/fontconfig_leak.h"

static char folder[PATH_MAX];

static int set_up(void **state) {
    if (make_test_folder(state) != 0)
        return -1;
    snprintf(folder, sizeof folder, "%s", (const char *)*state);
    write_scene(folder, "scene", AQM_RIG_RING5, 1);
    return 0;
}

static AqmImage *gray16(uint16_t value) {
    AqmImage *image = NULL;
    assert_int_equal(aqm_image_create(&image, 4, 3, 1, AQM_U16, NULL), AQM_OK);
    memset(image->data, 0, image->stride * 3);
    ((uint16_t *)(void *)((char *)image->data + image->stride))[2] = value;
    return image;
}

static void white_is_that_of_the_smallest_usual_bit_depth(void **state) {
    (void)state;
    static const struct {
        uint16_t largest;
        double white;
    } cases[] = {{0, 255}, /* nothing to tell by */
                 {1, 1023},     {1023, 1023},   {1024, 4095},  {4095, 4095},
                 {4096, 16383}, {16384, 65535}, {65535, 65535}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        /* the brightest camera decides for all; one without an image and one of 8 bits do not */
        AqmImage *eight = NULL;
        assert_int_equal(aqm_image_create(&eight, 4, 3, 1, AQM_U8, NULL), AQM_OK);
        memset(eight->data, 255, eight->stride * 3);
        AqmImage *images[] = {gray16(0), NULL, eight, gray16(cases[k].largest)};
        assert_true(aqm_frame_full_scale(images, 4) == cases[k].white);
        assert_true(aqm_frame_full_scale(images + 1, 2) == 255.0);
        for (size_t i = 0; i < 4; i++)
            aqm_image_destroy(&images[i]);
    }
}

/* A frame of the scene, ready to be made. */
typedef struct Fixture {
    AqmConfig *config;
    AqmInputs *inputs;
    AqmDepthRange ranges[8];
    AqmFrameReport report;
    AqmFrameJob job;
    char output[PATH_MAX];
    Heard heard;
    AqmLog log;
} Fixture;

static void open_fixture(Fixture *f, const char *output) {
    *f = (Fixture){.config = scene_config(folder, "scene", output)};
    f->log = (AqmLog){hear, &f->heard};
    in_folder(f->output, folder, output);
    assert_int_equal(aqm_inputs_open(&f->inputs, f->config, &f->log, NULL), AQM_OK);
    assert_int_equal(f->inputs->camera_count, 5);
    assert_int_equal(aqm_make_folders(f->output, NULL), AQM_OK);
    f->report.ranges = f->ranges;
    f->job = (AqmFrameJob){
        .config = f->config, .inputs = f->inputs, .folder = f->output, .log = &f->log};
}

static void close_fixture(Fixture *f) {
    aqm_inputs_close(&f->inputs);
    aqm_config_destroy(&f->config);
}

static void images_of_another_size_are_left_out(void **state) {
    (void)state;
    Fixture f;
    open_fixture(&f, "read");
    AqmImage *images[5];
    AqmCamera *cameras = f.inputs->rig->cameras;
    cameras[1].width = 63;
    f.inputs->index[3] = -1;
    assert_int_equal(aqm_frame_read(f.inputs, 0, 2, images, &f.log, NULL), AQM_OK);
    assert_true(images[0] && !images[1] && images[2] && !images[3] && images[4]);
    assert_true(was_heard(&f.heard, "warning: frame 0: camera cam01 is left out: "));
    assert_true(
        was_heard(&f.heard, "frame_000000.png is 64 x 48 px, the calibration says 63 x 48"));
    assert_true(was_heard(&f.heard, "cam03 has no image for this frame"));
    for (size_t c = 0; c < 5; c++)
        aqm_image_destroy(&images[c]);
    /* too few, and too few references */
    AqmDiag diag = {0};
    f.inputs->index[0] = f.inputs->index[2] = -1;
    assert_int_equal(aqm_frame_read(f.inputs, 0, 1, images, NULL, &diag), AQM_ERROR_NO_DATA);
    assert_non_null(strstr(diag.message, "1 of 5 cameras"));
    aqm_image_destroy(&images[4]);
    f.inputs->index[2] = 0;
    cameras[2].is_auxiliary = cameras[4].is_auxiliary = true;
    assert_int_equal(aqm_frame_read(f.inputs, 0, 1, images, NULL, NULL), AQM_ERROR_NO_DATA);
    for (size_t c = 0; c < 5; c++)
        aqm_image_destroy(&images[c]);
    close_fixture(&f);
}

static void a_frame_leaves_its_files_and_a_report(void **state) {
    (void)state;
    Fixture f;
    open_fixture(&f, "made");
    AqmDiag diag = {0};
    if (aqm_frame_make(&f.job, &f.report, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    assert_int_equal(f.report.cameras_used, 5);
    assert_int_equal(f.report.references, 5);
    assert_true(f.report.points > 1000 && f.report.vertices > 100 && f.report.triangles > 100);
    assert_true(f.ranges[4].min_m == 0.15 && f.ranges[4].max_m == 0.3);
    assert_string_equal(f.report.warnings, "");
    assert_true(exists(f.output, "depth_maps/cam04.npz"));
    assert_true(exists(f.output, "point_cloud/fused.ply"));
    assert_true(exists(f.output, "mesh/surface.ply"));
    assert_true(exists(f.output, "mesh/height_map.npz"));
    assert_true(exists(f.output, "mesh/height_map.tif"));
    assert_false(exists(f.output, "consistency_maps"));
    assert_false(exists(f.output, "frame.json")); /* that is for the caller to say */
    close_fixture(&f);
}

/* The plane lies at Z = 1.2 m; sigma and colours as every method leaves them. */
static void check_mesh(const Fixture *f) {
    char path[PATH_MAX];
    AqmCloud *cloud = NULL;
    AqmMesh *mesh = NULL;
    size_t off = 0, unseen = 0, colored = 0, up = 0;
    assert_int_equal(
        aqm_ply_read(in_folder(path, f->output, "mesh/surface.ply"), &cloud, &mesh, NULL), AQM_OK);
    assert_int_equal(mesh->vertex_count, f->report.vertices);
    assert_int_equal(mesh->triangle_count, f->report.triangles);
    for (size_t i = 0; i < mesh->vertex_count; i++) {
        const uint8_t *color = mesh->color + 3 * i;
        off += !(fabsf(mesh->position[3 * i + 2] - mesh->position[2]) < 0.02f);
        unseen += mesh->views[i] == 0;
        colored += color[0] != color[1] || color[1] != color[2];
        assert_true(mesh->views[i] > 0 || color[1] == 0);
        assert_true(mesh->sigma_m[i] > 0.0f);
        up += mesh->normal[3 * i + 2] < -0.5f;
    }
    assert_int_equal(unseen, f->report.unseen_vertices);
    assert_true(off == 0 && unseen * 20 < mesh->vertex_count && colored * 2 > mesh->vertex_count);
    assert_true(up * 10 > mesh->vertex_count * 9);
    aqm_mesh_destroy(&mesh);
}

static void every_method_gives_a_colored_surface(void **state) {
    (void)state;
    static const char *const methods[] = {"heightfield", "poisson", "bpa"};
    Fixture f;
    open_fixture(&f, "methods");
    for (size_t k = 0; k < 3; k++) {
        assert_int_equal(
            aqm_config_set(f.config, "reconstruction.surface_method", methods[k], NULL), AQM_OK);
        assert_int_equal(aqm_frame_make(&f.job, &f.report, NULL), AQM_OK);
        print_message("%s: %zu vertices, %zu unseen\n", methods[k], f.report.vertices,
                      f.report.unseen_vertices);
        check_mesh(&f);
        /* only heightfields have a map, and none is left of an earlier making */
        assert_true(exists(f.output, "mesh/height_map.npz") == (k == 0));
        assert_true(exists(f.output, "mesh/height_map.tif") == (k == 0));
    }
    const size_t all = f.report.triangles;
    assert_int_equal(aqm_config_set(f.config, "reconstruction.target_faces", "200", NULL), AQM_OK);
    assert_int_equal(aqm_frame_make(&f.job, &f.report, NULL), AQM_OK);
    assert_true(all > 500 && f.report.triangles <= 300 && f.report.triangles > 100);
    check_mesh(&f);
    close_fixture(&f);
}

static void what_an_earlier_making_left_goes(void **state) {
    (void)state;
    static const char *const stale[] = {"depth_maps/gone.npz", "depth_maps/cam0.npz",
                                        "consistency_maps/cam00.npz"};
    char path[PATH_MAX];
    Fixture f;
    open_fixture(&f, "stale");
    assert_int_equal(aqm_make_folders(in_folder(path, f.output, "depth_maps"), NULL), AQM_OK);
    assert_int_equal(aqm_make_folders(in_folder(path, f.output, "consistency_maps"), NULL), AQM_OK);
    for (size_t k = 0; k < 3; k++)
        write_bytes(in_folder(path, f.output, stale[k]), "old", 3);
    write_bytes(in_folder(path, f.output, "depth_maps/notes.txt"), "mine", 4);
    assert_int_equal(aqm_frame_make(&f.job, &f.report, NULL), AQM_OK);
    for (size_t k = 0; k < 3; k++)
        assert_false(exists(f.output, stale[k]));
    assert_false(exists(f.output, "consistency_maps"));
    assert_true(exists(f.output, "depth_maps/cam00.npz"));
    assert_true(exists(f.output, "depth_maps/notes.txt"));
    close_fixture(&f);
}

static void consistency_maps_do_not_need_the_depth_maps_kept(void **state) {
    (void)state;
    Fixture f;
    open_fixture(&f, "consistency");
    assert_int_equal(aqm_config_set(f.config, "runtime.save_consistency_maps", "true", NULL),
                     AQM_OK);
    assert_int_equal(aqm_config_set(f.config, "runtime.keep_intermediates", "false", NULL), AQM_OK);
    assert_int_equal(aqm_frame_make(&f.job, &f.report, NULL), AQM_OK);
    assert_true(exists(f.output, "consistency_maps/cam00.npz"));
    assert_true(exists(f.output, "consistency_maps/cam04.npz"));
    assert_false(exists(f.output, "depth_maps"));
    close_fixture(&f);
}

/* The surface lies at 0.2 m. */
static void a_range_without_the_surface_is_told(void **state) {
    (void)state;
    static const char *const ranges[] = {"[0.4,0.6]", "[0.02,0.1]", "[1,1.3]"};
    for (size_t k = 0; k < 3; k++) {
        Fixture f;
        open_fixture(&f, "wrong_range");
        assert_int_equal(aqm_config_set(f.config, "reconstruction.depth_range", ranges[k], NULL),
                         AQM_OK);
        AqmDiag diag = {0};
        const AqmStatus status = aqm_frame_make(&f.job, &f.report, &diag);
        assert_true(status == AQM_OK || status == AQM_ERROR_NO_DATA);
        if (!strstr(f.report.warnings, "is reconstruction.depth_range right"))
            fail_msg("%s: nothing said but %s%s", ranges[k], f.report.warnings, diag.message);
        assert_true(was_heard(&f.heard, "is reconstruction.depth_range right"));
        close_fixture(&f);
    }
}

static void a_frame_without_points_leaves_nothing(void **state) {
    (void)state;
    Fixture f;
    open_fixture(&f, "no_points");
    f.config->reconstruction.fusion.min_consistent_views = 6; /* of 5: cameras fell out */
    AqmDiag diag = {0};
    assert_int_equal(aqm_frame_make(&f.job, &f.report, &diag), AQM_ERROR_NO_DATA);
    assert_non_null(strstr(diag.message, "no point is agreed on by 6 views"));
    assert_false(exists(f.output, "point_cloud/fused.ply"));
    close_fixture(&f);
}

/* A file where the folder of the pictures would be. */
static void a_picture_that_cannot_be_written_is_missed(void **state) {
    (void)state;
    char path[PATH_MAX];
    Fixture f;
    open_fixture(&f, "no_pictures");
    assert_int_equal(aqm_config_set(f.config, "runtime.viz_enabled", "true", NULL), AQM_OK);
    write_bytes(in_folder(path, f.output, "viz"), "mine", 4);
    AqmDiag diag = {0};
    if (aqm_frame_make(&f.job, &f.report, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    assert_non_null(strstr(f.report.warnings, "a picture is missing: "));
    assert_true(exists(f.output, "point_cloud/fused.ply"));
    close_fixture(&f);
}

/* Makes the scene's images 16-bit ones with the value `white` for 128 and above; the first camera
 * has half the light. */
static void deepen_images(const AqmInputs *inputs, const char *scene, double white) {
    char path[PATH_MAX], name[128];
    for (size_t c = 0; c < inputs->camera_count; c++) {
        snprintf(name, sizeof name, "%s/images/%s/frame_000000.png", scene,
                 inputs->cameras[c].camera->name);
        AqmImage *image = NULL, *deep = NULL;
        assert_int_equal(aqm_image_read(in_folder(path, folder, name), &image, NULL), AQM_OK);
        assert_int_equal(
            aqm_image_create(&deep, image->width, image->height, image->channels, AQM_U16, NULL),
            AQM_OK);
        const size_t samples = image->stride * (size_t)image->height;
        for (size_t i = 0; i < samples; i++)
            ((uint16_t *)deep->data)[i] =
                (uint16_t)(white *
                           fmin(1.0, ((const uint8_t *)image->data)[i] * (c ? 1.0 : 0.5) / 128.0));
        const AqmImageView view = aqm_image_view(deep);
        assert_int_equal(aqm_png_write(path, &view, NULL), AQM_OK);
        aqm_image_destroy(&image);
        aqm_image_destroy(&deep);
    }
}

static double mean_color(const Fixture *f) {
    char path[PATH_MAX];
    AqmCloud *cloud = NULL;
    AqmMesh *mesh = NULL;
    double sum = 0.0;
    assert_int_equal(
        aqm_ply_read(in_folder(path, f->output, "point_cloud/fused.ply"), &cloud, &mesh, NULL),
        AQM_OK);
    for (size_t i = 0; i < 3 * cloud->count; i++)
        sum += cloud->color[i];
    sum /= 3.0 * (double)cloud->count;
    aqm_cloud_destroy(&cloud);
    return sum;
}

/* The gain lifts the darker camera and saturates samples of the brighter ones: white must not be
 * guessed anew from the result. */
static void sixteen_bits_are_as_bright_as_eight_after_normalisation(void **state) {
    (void)state;
    double brightness[2];
    for (int method = 0; method < 2; method++) {
        for (int deep = 0; deep < 2; deep++) {
            Fixture f;
            write_scene(folder, "deep", AQM_RIG_RING5, 1);
            open_fixture(&f, "bits");
            deepen_images(f.inputs, "deep", deep ? 4095.0 : 65535.0);
            close_fixture(&f);
            f.config = scene_config(folder, "deep", deep ? "bits12" : "bits16");
            in_folder(f.output, folder, deep ? "bits12" : "bits16");
            assert_int_equal(aqm_make_folders(f.output, NULL), AQM_OK);
            assert_int_equal(aqm_inputs_open(&f.inputs, f.config, NULL, NULL), AQM_OK);
            assert_true(f.inputs->white_16 == (deep ? 4095.0 : 65535.0));
            f.config->preprocessing.color_norm_enabled = true;
            f.config->preprocessing.color_norm_method = (AqmColorNorm)method;
            f.job.config = f.config;
            f.job.inputs = f.inputs;
            assert_int_equal(aqm_frame_make(&f.job, &f.report, NULL), AQM_OK);
            brightness[deep] = mean_color(&f);
            close_fixture(&f);
        }
        assert_true(brightness[0] > 40.0 && fabs(brightness[0] - brightness[1]) < 2.0);
    }
}

/* A scene with lenses of twice the usual distortion. */
static void write_bent_scene(void) {
    char path[PATH_MAX];
    AqmSynthOptions options = aqm_synth_options_default();
    options.scene = AQM_SCENE_PLANE;
    options.rig = AQM_RIG_RING5;
    options.width = 64;
    options.height = 48;
    options.frames = 1;
    options.distortion = 2.0;
    assert_int_equal(aqm_synth_write(&options, in_folder(path, folder, "bent"), NULL, NULL),
                     AQM_OK);
}

/* A mask drawn on the exported image of cam00: the left half and a chequerboard of its rest. */
static bool is_drawn(int x, int y) {
    return x < 32 || (x / 4 + y / 4) % 2 == 0;
}

static void draw_mask(const char *output) {
    char path[PATH_MAX], name[128];
    AqmImage *image = NULL, *mask = NULL;
    snprintf(name, sizeof name, "%s/reference_images/cam00.png", output);
    assert_int_equal(aqm_image_read(in_folder(path, folder, name), &image, NULL), AQM_OK);
    assert_int_equal(aqm_image_create(&mask, image->width, image->height, 1, AQM_U8, NULL), AQM_OK);
    for (int y = 0; y < mask->height; y++)
        for (int x = 0; x < mask->width; x++)
            ((uint8_t *)mask->data)[(size_t)y * mask->stride + (size_t)x] = is_drawn(x, y) ? 9 : 0;
    const AqmImageView view = aqm_image_view(mask);
    assert_int_equal(aqm_make_folders(in_folder(path, folder, "drawn"), NULL), AQM_OK);
    assert_int_equal(aqm_png_write(in_folder(path, folder, "drawn/cam00.png"), &view, NULL),
                     AQM_OK);
    aqm_image_destroy(&image);
    aqm_image_destroy(&mask);
}

/* The depths of cam00 of the scene "bent", with masks from {folder}/drawn or without. */
static AqmDepthMap *depths_of_bent(const char *output, bool is_masked) {
    char path[PATH_MAX];
    AqmDepthMap *map = NULL;
    Fixture f = {.config = scene_config(folder, "bent", output)};
    if (is_masked)
        assert_int_equal(
            aqm_config_set(f.config, "mask_dir", in_folder(path, folder, "drawn"), NULL), AQM_OK);
    else
        assert_int_equal(aqm_export_references(f.config, 0, NULL, NULL), AQM_OK);
    in_folder(f.output, folder, output);
    assert_int_equal(aqm_inputs_open(&f.inputs, f.config, NULL, NULL), AQM_OK);
    f.report.ranges = f.ranges;
    f.job = (AqmFrameJob){.config = f.config, .inputs = f.inputs, .folder = f.output};
    assert_int_equal(aqm_make_folders(f.output, NULL), AQM_OK);
    AqmDiag diag = {0};
    if (aqm_frame_make(&f.job, &f.report, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    in_folder(path, f.output, "depth_maps/cam00.npz");
    assert_int_equal(aqm_depth_map_read(path, &map, NULL), AQM_OK);
    close_fixture(&f);
    return map;
}

static void a_mask_removes_the_pixels_it_was_drawn_on(void **state) {
    (void)state;
    write_bent_scene();
    AqmDepthMap *whole = depths_of_bent("bent_whole", false);
    draw_mask("bent_whole");
    AqmDepthMap *masked = depths_of_bent("bent_masked", true);
    size_t removed = 0, kept = 0, left = 0;
    for (int y = 0; y < whole->height; y++)
        for (int x = 0; x < whole->width; x++) {
            const size_t i = (size_t)y * (size_t)whole->width + (size_t)x;
            const bool had = !isnan(whole->depth_m[i]), has = !isnan(masked->depth_m[i]);
            if (!is_drawn(x, y)) {
                assert_false(has);
                removed += had;
            } else if (had) {
                kept++;
                left += has;
            }
        }
    /* windows at the edges of the mask have less to go by, so not every pixel need keep its depth
     */
    assert_true(removed > 200 && kept > 800);
    if (10 * left < 9 * kept)
        fail_msg("%zu of %zu pixels kept by the mask have a depth", left, kept);
    aqm_depth_map_destroy(&whole);
    aqm_depth_map_destroy(&masked);
}

typedef struct Stop {
    int calls, at;
} Stop;

static bool stop_at(void *user, AqmStage stage, size_t done, size_t total) {
    Stop *stop = user;
    assert_true(stage < AQM_STAGE_COUNT && done < total);
    return stop->calls++ == stop->at;
}

static void a_frame_stops_at_every_place_it_can(void **state) {
    (void)state;
    Fixture f;
    open_fixture(&f, "stopped");
    Stop stop = {.at = -1};
    f.job.enter = stop_at;
    f.job.user = &stop;
    assert_int_equal(aqm_frame_make(&f.job, &f.report, NULL), AQM_OK);
    const int places = stop.calls;
    /* no colours to normalise, no pictures (two stages); 5 references */
    assert_int_equal(places, AQM_STAGE_COUNT - 3 + 5);
    const size_t live = aqm_alloc_count().live_bytes;
    for (int at = 0; at < places; at++) {
        stop = (Stop){.at = at};
        AqmDiag diag = {0};
        assert_int_equal(aqm_frame_make(&f.job, &f.report, &diag), AQM_ERROR_INTERRUPTED);
        assert_int_equal(stop.calls, at + 1);
        assert_non_null(strstr(diag.message, "interrupted at stage "));
        assert_int_equal(aqm_alloc_count().live_bytes, live);
    }
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(white_is_that_of_the_smallest_usual_bit_depth),
        cmocka_unit_test(images_of_another_size_are_left_out),
        cmocka_unit_test(a_frame_leaves_its_files_and_a_report),
        cmocka_unit_test(every_method_gives_a_colored_surface),
        cmocka_unit_test(what_an_earlier_making_left_goes),
        cmocka_unit_test(consistency_maps_do_not_need_the_depth_maps_kept),
        cmocka_unit_test(a_range_without_the_surface_is_told),
        cmocka_unit_test(a_frame_without_points_leaves_nothing),
        cmocka_unit_test(a_picture_that_cannot_be_written_is_missed),
        cmocka_unit_test(sixteen_bits_are_as_bright_as_eight_after_normalisation),
        cmocka_unit_test(a_mask_removes_the_pixels_it_was_drawn_on),
        cmocka_unit_test(a_frame_stops_at_every_place_it_can),
    };
    return cmocka_run_group_tests(tests, set_up, remove_test_folder);
}
