/* The learned pathways from images to files, with models whose answers are the truth of a rendered
 * scene: what is left as error is our own. Then models that answer with nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aquamvs/learned.h"
#include "aquamvs/undistort.h"
#include "pathways_util.h"
#include "stages/learned/test_models.h"
#include "stages/picture/fontconfig_leak.h"

enum { WIDTH = 192, HEIGHT = 160, CAMERAS = 5, ORDERED_PAIRS = CAMERAS * (CAMERAS - 1) };

static char folder[PATH_MAX], scene[PATH_MAX], board[PATH_MAX], two[PATH_MAX];

static void render_here(const char *dir, AqmScene kind, int frames) {
    AqmSynthOptions options = aqm_synth_options_default();
    options.scene = kind;
    options.width = WIDTH;
    options.height = HEIGHT;
    options.frames = frames;
    AqmDiag diag = {0};
    if (aqm_synth_write(&options, dir, NULL, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
}

/* Half the light in the second frame of `two`, so that a model can tell it from the first. */
static void darken_second_frame(void) {
    char path[PATH_MAX], name[96];
    for (int c = 0; c < CAMERAS; c++) {
        AqmImage *image = NULL;
        snprintf(name, sizeof name, "images/cam%02d/frame_000001.png", c);
        assert_int_equal(aqm_image_read(in_folder(path, two, name), &image, NULL), AQM_OK);
        for (size_t i = 0; i < image->stride * (size_t)image->height; i++)
            ((uint8_t *)image->data)[i] /= 2;
        const AqmImageView picture = aqm_image_view(image);
        assert_int_equal(aqm_png_write(path, &picture, NULL), AQM_OK);
        aqm_image_destroy(&image);
    }
}

static int set_up(void **state) {
    if (make_test_folder(state) != 0)
        return -1;
    snprintf(folder, sizeof folder, "%s", (const char *)*state);
    render_here(in_folder(scene, folder, "scene"), AQM_SCENE_UNDULATING, 1);
    render_here(in_folder(board, folder, "board"), AQM_SCENE_BOARD, 1);
    render_here(in_folder(two, folder, "two"), AQM_SCENE_UNDULATING, 2);
    darken_second_frame();
    return 0;
}

/* An empty folder for models. */
static const char *models_folder(char path[PATH_MAX], const char *name) {
    assert_int_equal(aqm_make_folders(in_folder(path, folder, name), NULL), AQM_OK);
    return path;
}

/* ---- what the models know -------------------------------------------------------------------- */

/* A frame of a scene: its views, the keys of its undistorted images, its truth. */
typedef struct Frame {
    AqmConfig *config;
    AqmInputs *inputs;
    Known known;
    float keys[CAMERAS][3], gray_keys[CAMERAS];
} Frame;

static void open_frame(Frame *frame, const char *dir, int number) {
    char path[PATH_MAX], name[96];
    frame->config = read_config(dir, folder, "sift", "sparse", NULL);
    frame->inputs = open_inputs(frame->config);
    frame->known = know(dir, number);
    for (size_t c = 0; c < CAMERAS; c++) {
        const AqmInput *input = &frame->inputs->cameras[c];
        AqmImage *raw = NULL, *straight = NULL;
        snprintf(name, sizeof name, "images/%s/frame_%06d.png", input->camera->name, number);
        assert_int_equal(aqm_image_read(in_folder(path, dir, name), &raw, NULL), AQM_OK);
        const AqmImageView view = aqm_image_view(raw);
        assert_int_equal(
            aqm_undistort_image(input->camera, input->K_new, &view, 1, &straight, NULL), AQM_OK);
        const AqmImageView seen = aqm_image_view(straight);
        test_image_key(&seen, 3, frame->keys[c]);
        test_image_key(&seen, 1, &frame->gray_keys[c]);
        aqm_image_destroy(&raw);
        aqm_image_destroy(&straight);
        for (size_t k = 0; k < c; k++) /* far more than rounding */
            assert_true(fabsf(frame->gray_keys[c] - frame->gray_keys[k]) > 1e-4f);
    }
}

static void close_frame(Frame *frame) {
    aqm_truth_destroy(&frame->known.truth);
    aqm_inputs_close(&frame->inputs);
    aqm_config_destroy(&frame->config);
}

static const AqmView *view_of(const Frame *frame, size_t camera) {
    return &frame->inputs->cameras[camera].view;
}

static bool is_inside(const double pixel[2], double margin) {
    return pixel[0] >= margin - 0.5 && pixel[1] >= margin - 0.5 &&
           pixel[0] <= WIDTH - 0.5 - margin && pixel[1] <= HEIGHT - 0.5 - margin;
}

/* Warps of all ordered pairs of cameras, and rows for more. */
typedef struct Warps {
    TestWarps table;
    float *keys, *targets, *overlap;
    size_t certain; /* cells with an answer, pairs counted once */
} Warps;

static void fill_row(Warps *warps, const Frame *frame, size_t row, size_t a, size_t b) {
    const int width = warps->table.width, height = warps->table.height;
    memcpy(warps->keys + 6 * row, frame->keys[a], sizeof frame->keys[a]);
    memcpy(warps->keys + 6 * row + 3, frame->keys[b], sizeof frame->keys[b]);
    for (int j = 0; j < height; j++)
        for (int i = 0; i < width; i++) {
            const size_t cell = (row * (size_t)height + (size_t)j) * (size_t)width + (size_t)i;
            double depth, point[3] = {0}, pixel[2] = {0};
            assert_true(true_point(&frame->known, view_of(frame, a),
                                   (i + 0.5) * WIDTH / width - 0.5,
                                   (j + 0.5) * HEIGHT / height - 0.5, &depth, point));
            assert_true(aqm_view_project(view_of(frame, b), point, pixel));
            warps->targets[2 * cell] = (float)((pixel[0] + 0.5) / WIDTH * 2.0 - 1.0);
            warps->targets[2 * cell + 1] = (float)((pixel[1] + 0.5) / HEIGHT * 2.0 - 1.0);
            warps->overlap[cell] = is_inside(pixel, 0.0) ? 1.0f : 0.0f;
            warps->certain += a < b && is_inside(pixel, 0.0);
        }
}

static Warps make_warps(const Frame *frame, int width, int height, size_t more_rows) {
    const size_t rows = ORDERED_PAIRS + more_rows, cells = (size_t)width * (size_t)height;
    Warps warps = {.table = {.rows = rows, .width = width, .height = height},
                   .keys = calloc(rows * 6, sizeof(float)),
                   .targets = calloc(rows * cells * 2, sizeof(float)),
                   .overlap = calloc(rows * cells, sizeof(float))};
    size_t row = 0;
    assert_true(warps.keys && warps.targets && warps.overlap);
    for (size_t a = 0; a < CAMERAS; a++)
        for (size_t b = 0; b < CAMERAS; b++)
            if (a != b)
                fill_row(&warps, frame, row++, a, b);
    warps.table.keys = warps.keys;
    warps.table.targets = warps.targets;
    warps.table.overlap = warps.overlap;
    return warps;
}

static void free_warps(Warps *warps) {
    free(warps->keys);
    free(warps->targets);
    free(warps->overlap);
}

/* roma.onnx for a frame of a scene; how many cells have an answer, pairs counted once. */
static size_t write_roma(const char *models, const char *dir, int width, int height) {
    char path[PATH_MAX];
    Frame frame;
    open_frame(&frame, dir, 0);
    Warps warps = make_warps(&frame, width, height, 0);
    assert_true(test_write_dense_table(in_folder(path, models, "roma.onnx"), &warps.table));
    free_warps(&warps);
    close_frame(&frame);
    return warps.certain;
}

/* ---- roma ------------------------------------------------------------------------------------ */

static void true_warps_give_the_true_bed(void **state) {
    (void)state;
    char models[PATH_MAX], output[PATH_MAX];
    const size_t certain = write_roma(models_folder(models, "true_warps"), scene, WIDTH, HEIGHT);
    const Settings with = {"runtime.models_dir", models};
    print_message("roma sparse: ");
    reconstruct(scene, in_folder(output, folder, "roma_sparse"), "roma", "sparse", with);
    const AqmEvaluation sparse = judge(scene, output, "sparse");
    /* the outermost pixels of an undistorted image are not all whole */
    assert_true(sparse.points > certain / 100 * 97 && sparse.points <= certain);
    assert_true(sparse.all.p99_mm < 0.003 && sparse.all.max_mm < 0.02);
    print_message("roma full: ");
    reconstruct(scene, in_folder(output, folder, "roma_full"), "roma", "full", with);
    const AqmEvaluation full = judge(scene, output, "fused");
    /* fusion averages over 2 mm of a bed with a curvature of up to 79 / m: 0.04 mm */
    assert_true(full.points > 50000 && full.all.median_mm < 0.06 && full.all.p95_mm < 0.18);
    assert_true(full.coverage_pct[0] > 75.0);
}

/* Cells of two pixels, and of one and a half by two and a half, on a bed that is a plane. */
static void cells_need_not_be_pixels(void **state) {
    (void)state;
    static const int sizes[2][2] = {{96, 80}, {128, 64}};
    char models[PATH_MAX], output[PATH_MAX];
    for (size_t k = 0; k < 2; k++) {
        write_roma(models_folder(models, "coarse_warps"), board, sizes[k][0], sizes[k][1]);
        const Settings with = {"runtime.models_dir", models};
        reconstruct(board, in_folder(output, folder, "coarse"), "roma", "full", with);
        const AqmEvaluation full = judge(board, output, "fused");
        assert_true(full.points > 20000 && full.all.median_mm < 0.02 && full.all.p95_mm < 0.1);
        reconstruct(board, output, "roma", "sparse", with);
        const AqmEvaluation sparse = judge(board, output, "sparse");
        assert_true(sparse.points > 5000 && sparse.all.p99_mm < 0.003);
    }
}

static void fewer_correspondences_are_as_right(void **state) {
    (void)state;
    char models[PATH_MAX], output[PATH_MAX];
    write_roma(models_folder(models, "true_warps"), scene, WIDTH, HEIGHT);
    const Settings with = {"runtime.models_dir", models, "dense_matching.max_correspondences",
                           "1000"};
    reconstruct(scene, in_folder(output, folder, "fewer"), "roma", "sparse", with);
    const AqmEvaluation sparse = judge(scene, output, "sparse");
    assert_true(sparse.points > 6000 && sparse.points <= 10000 && sparse.all.p99_mm < 0.003);
}

static void masks_hold_for_warps(void **state) {
    (void)state;
    char models[PATH_MAX], masks[PATH_MAX], output[PATH_MAX];
    static const int sizes[2][2] = {{WIDTH, HEIGHT}, {WIDTH / 4, HEIGHT / 4}};
    static const char *const clouds[2][2] = {{"sparse", "sparse"}, {"full", "fused"}};
    write_masks(board, in_folder(masks, folder, "masks"));
    for (size_t k = 0; k < 4; k++) {
        const int *size = sizes[k / 2];
        write_roma(models_folder(models, "masked_warps"), board, size[0], size[1]);
        const Settings with = {"runtime.models_dir", models, "mask_dir", masks};
        size_t count;
        reconstruct(board, in_folder(output, folder, "masked"), "roma", clouds[k % 2][0], with);
        const double least = least_x(output, clouds[k % 2][1], &count);
        print_message("%d x %d, %s: %zu points, X > %.2f mm\n", size[0], size[1], clouds[k % 2][0],
                      count, 1e3 * least);
        assert_true(count > 500 && least > -0.004);
    }
}

/* ---- lightglue ------------------------------------------------------------------------------- */

enum { POINTS = 400, DESCRIPTOR = 128 };

/* Points of the bed, and what the cameras see of them. A camera that does not see one has a feature
 * that no other camera knows in its place. */
typedef struct Points {
    float keys[CAMERAS * 3];
    float positions[CAMERAS * POINTS * 2], descriptors[CAMERAS * POINTS * DESCRIPTOR];
    float scores[CAMERAS * POINTS];
    size_t seen; /* points that two cameras see */
} Points;

static void draw_descriptor(AqmRng *rng, float *descriptor) {
    for (size_t d = 0; d < DESCRIPTOR; d++)
        descriptor[d] = (aqm_rng_u32(rng) & 64u ? 1.0f : -1.0f) / sqrtf((float)DESCRIPTOR);
}

/* Sides of what the model is given, and its channels. */
static Points *make_points(const Frame *frame, int width, int height, int channels) {
    Points *points = calloc(1, sizeof *points);
    assert_non_null(points);
    AqmRng rng = aqm_rng(7, 7);
    const double *box = frame->known.truth->footprint;
    for (size_t c = 0; c < CAMERAS; c++)
        memcpy(points->keys + c * (size_t)channels,
               channels == 3 ? frame->keys[c] : &frame->gray_keys[c],
               (size_t)channels * sizeof(float));
    for (size_t k = 0; k < POINTS; k++) {
        double point[3] = {box[0] + (box[1] - box[0]) * aqm_rng_uniform(&rng),
                           box[2] + (box[3] - box[2]) * aqm_rng_uniform(&rng), 0.0};
        float own[DESCRIPTOR];
        size_t seen = 0;
        point[2] = aqm_surface_height(frame->known.truth->surface, point[0], point[1]);
        draw_descriptor(&rng, own);
        for (size_t c = 0; c < CAMERAS; c++) {
            const size_t at = c * POINTS + k;
            double pixel[2] = {0};
            assert_true(aqm_view_project(view_of(frame, c), point, pixel));
            const bool is_seen = is_inside(pixel, 2.0);
            seen += is_seen;
            memcpy(points->descriptors + at * DESCRIPTOR, own, sizeof own);
            if (!is_seen) {
                pixel[0] = WIDTH * aqm_rng_uniform(&rng) - 0.5;
                pixel[1] = HEIGHT * aqm_rng_uniform(&rng) - 0.5;
                draw_descriptor(&rng, points->descriptors + at * DESCRIPTOR);
            }
            points->positions[2 * at] = (float)((pixel[0] + 0.5) * width / WIDTH - 0.5);
            points->positions[2 * at + 1] = (float)((pixel[1] + 0.5) * height / HEIGHT - 0.5);
            points->scores[at] = 0.9f - 0.001f * (float)k;
        }
        points->seen += seen >= 2;
    }
    return points;
}

static TestKeypoints table_of(const Points *points, int channels) {
    return (TestKeypoints){.rows = CAMERAS,
                           .count = POINTS,
                           .channels = channels,
                           .descriptor_size = DESCRIPTOR,
                           .keys = points->keys,
                           .positions = points->positions,
                           .descriptors = points->descriptors,
                           .scores = points->scores};
}

typedef enum Form { AT_ANY_SIZE, AT_HALF_SIZE, JOINED, COLMAP, FORMS } Form;
static const char *const extractors[FORMS] = {"superpoint", "disk", "superpoint", "aliked"};

/* The models of a form, which know the points of the first frame; how many two cameras see. */
static size_t write_lightglue(const char *models, const char *dir, Form form) {
    char first[PATH_MAX], second[PATH_MAX];
    const int part = form == AT_HALF_SIZE ? 2 : 1, channels = form == AT_HALF_SIZE ? 1 : 3;
    Frame frame;
    open_frame(&frame, dir, 0);
    Points *points = make_points(&frame, WIDTH / part, HEIGHT / part, channels);
    const TestKeypoints table = table_of(points, channels);
    const size_t seen = points->seen;
    bool is_written = false;
    if (form == AT_ANY_SIZE)
        is_written = test_write_extractor(in_folder(first, models, "superpoint.onnx"), &table,
                                          "1 3 H W", false, true) &&
                     test_write_matcher(in_folder(second, models, "lightglue_superpoint.onnx"),
                                        TEST_MATCHER_PAIRS, DESCRIPTOR, false);
    else if (form == AT_HALF_SIZE)
        is_written = test_write_extractor(in_folder(first, models, "disk.onnx"), &table,
                                          "1 1 80 96", false, false) &&
                     test_write_matcher(in_folder(second, models, "lightglue_disk.onnx"),
                                        TEST_MATCHER_PADDED, DESCRIPTOR, false);
    else if (form == JOINED)
        is_written = test_write_pipeline(
            in_folder(first, models, "lightglue_superpoint_pipeline.onnx"), &table, "2 3 H W");
    else
        is_written = test_write_colmap_extractor(in_folder(first, models, "aliked.onnx"), &table) &&
                     test_write_matcher(in_folder(second, models, "lightglue_aliked.onnx"),
                                        TEST_MATCHER_COLMAP, DESCRIPTOR, false);
    assert_true(is_written);
    free(points);
    close_frame(&frame);
    return seen;
}

static void true_features_give_true_points(void **state) {
    (void)state;
    for (int form = 0; form < FORMS; form++) {
        char models[PATH_MAX], output[PATH_MAX], frame[PATH_MAX], name[32];
        snprintf(name, sizeof name, "form_%d", form);
        const size_t seen = write_lightglue(models_folder(models, name), scene, (Form)form);
        const Settings with = {"runtime.models_dir", models, "sparse_matching.extractor_type",
                               extractors[form]};
        print_message("form %d, %zu points: ", form, seen);
        reconstruct(scene, in_folder(output, folder, "lightglue"), "lightglue", "sparse", with);
        const AqmEvaluation found = judge(scene, output, "sparse");
        assert_true(found.points <= seen && found.points + 3 >= seen);
        assert_true(found.all.p95_mm < 0.002 && found.all.max_mm < 0.02);
        in_folder(frame, output, "frame_000000");
        assert_true(exists(frame, "features/cam00.npz"));
        assert_true(exists(frame, "features/matches_cam03_cam04.npz"));
        assert_true(exists(frame, "sparse/sparse_cloud.ply"));
        assert_false(exists(frame, "depth_maps"));
    }
}

static void true_features_guide_the_sweep(void **state) {
    (void)state;
    char models[PATH_MAX], output[PATH_MAX];
    static Heard heard;
    AqmRunResult result;
    write_lightglue(models_folder(models, "form_2"), scene, JOINED);
    const Settings with = {"runtime.models_dir", models, "runtime.threads", "2"};
    heard = (Heard){""};
    assert_int_equal(run_scene(scene, in_folder(output, folder, "guided"), "lightglue", "full",
                               with, &result, &heard, NULL),
                     AQM_OK);
    assert_true(was_heard(&heard, "cam04: depth range 0.1") && was_heard(&heard, "from matches"));
    const AqmEvaluation found = judge(scene, output, "fused");
    assert_true(found.points > 30000 && found.all.median_mm < 1.3 && found.all.p95_mm < 3.5);
}

static void masks_hold_for_features(void **state) {
    (void)state;
    static const int forms[] = {AT_ANY_SIZE, JOINED};
    char models[PATH_MAX], masks[PATH_MAX], output[PATH_MAX];
    write_masks(scene, in_folder(masks, folder, "feature_masks"));
    for (size_t k = 0; k < 2; k++) {
        size_t count;
        write_lightglue(models_folder(models, k ? "form_2" : "form_0"), scene, (Form)forms[k]);
        const Settings with = {"runtime.models_dir", models, "mask_dir", masks};
        reconstruct(scene, in_folder(output, folder, "masked"), "lightglue", "sparse", with);
        const double least = least_x(output, "sparse", &count);
        print_message("form %d: %zu points, X > %.2f mm\n", forms[k], count, 1e3 * least);
        assert_true(count > POINTS / 5 && least > -0.004);
    }
}

/* ---- files and threads ----------------------------------------------------------------------- */

static void a_pathway_leaves_its_own_files_alone(void **state) {
    (void)state;
    static const char *const order[][2] = {
        {"lightglue", "full"}, {"roma", "sparse"}, {"lightglue", "sparse"}, {"roma", "full"}};
    char models[PATH_MAX], shared[PATH_MAX], own[PATH_MAX], name[64];
    models_folder(models, "both");
    write_roma(models, scene, WIDTH / 2, HEIGHT / 2);
    write_lightglue(models, scene, AT_ANY_SIZE);
    for (size_t k = 0; k < 4; k++) {
        const Settings one = {"runtime.models_dir", models, "runtime.viz_enabled", "true"};
        const Settings three = {"runtime.models_dir", models, "runtime.viz_enabled", "true",
                                "runtime.threads",    "3"};
        snprintf(name, sizeof name, "own_%zu", k);
        reconstruct(scene, in_folder(shared, folder, "shared"), order[k][0], order[k][1], three);
        reconstruct(scene, in_folder(own, folder, name), order[k][0], order[k][1], one);
        print_message("%s %s: %zu files\n", order[k][0], order[k][1],
                      assert_same_folders(shared, own));
    }
}

/* ---- models that fail ------------------------------------------------------------------------ */

/* roma.onnx that knows the second frame of `two`, and for its first one says what `first_row` of
 * targets and overlap holds, or fails (is_failing). */
static void write_half_roma(const char *models, float target, float overlap, bool is_failing) {
    char path[PATH_MAX];
    const int width = WIDTH / 2, height = HEIGHT / 2;
    const size_t cells = (size_t)width * (size_t)height, row = ORDERED_PAIRS;
    Frame frame, first;
    open_frame(&frame, two, 1);
    open_frame(&first, two, 0);
    Warps warps = make_warps(&frame, width, height, 1);
    for (size_t k = 0; k < 6; k++)
        warps.keys[6 * row + k] = first.keys[0][k % 3];
    for (size_t k = 0; k < cells; k++) {
        warps.targets[2 * (row * cells + k)] = warps.targets[2 * (row * cells + k) + 1] = target;
        warps.overlap[row * cells + k] = overlap;
    }
    in_folder(path, models, "roma.onnx");
    warps.table.lacks = is_failing ? 1 : 0;
    assert_true(test_write_dense_table(path, &warps.table));
    free_warps(&warps);
    close_frame(&frame);
    close_frame(&first);
}

/* The first frame fails, with a sentence; the second is made. */
static void expect_first_to_fail(const char *matcher, const char *mode, const char *models,
                                 const char *words) {
    char output[PATH_MAX], path[PATH_MAX];
    static Heard heard;
    AqmRunResult result;
    AqmDiag diag = {0};
    heard = (Heard){""};
    const Settings with = {"runtime.models_dir", models};
    const AqmStatus status = run_scene(two, in_folder(output, folder, "failing"), matcher, mode,
                                       with, &result, &heard, &diag);
    if (status != AQM_OK)
        fail_msg("%s", diag.message);
    const char *failure = strstr(heard.text, "frame 0 failed: ");
    print_message("%s %s: %s", matcher, mode, failure ? failure : heard.text);
    if (!failure || !strstr(failure, words))
        fail_msg("no sentence with \"%s\"", words);
    assert_int_equal(result.frames_failed, 1);
    assert_int_equal(result.frames_done, 1);
    assert_false(exists(output, "frame_000000/frame.json"));
    assert_true(exists(output, "frame_000001/frame.json"));
    size_t size;
    unsigned char *record = read_bytes(in_folder(path, output, "run.json"), &size);
    assert_non_null(strstr((const char *)record, "\"failed\""));
    free(record);
}

static void a_model_that_fails_costs_its_frame(void **state) {
    (void)state;
    char models[PATH_MAX];
    models_folder(models, "failing_models");
    for (int mode = 0; mode < 2; mode++) {
        const char *name = mode ? "full" : "sparse";
        write_half_roma(models, NAN, 1.0f, false);
        expect_first_to_fail("roma", name, models,
                             "cameras cam00 and cam01: "); /* and what it says */
        write_half_roma(models, 0.0f, 1.0f, true);
        expect_first_to_fail("roma", name, models, "cameras cam00 and cam01: ");
        write_half_roma(models, 0.0f, 0.0f, false);
        expect_first_to_fail("roma", name, models,
                             mode ? "no point is agreed on by"
                                  : "no point could be triangulated from 0 matches");
    }
}

/* A matcher that says the same of every pair: `count` matches. */
static void write_flood(const char *path, size_t count, int64_t features) {
    int64_t *pairs = malloc(2 * count * sizeof *pairs);
    float *scores = malloc(count * sizeof *scores);
    char shape[2][32];
    assert_true(pairs && scores);
    for (size_t k = 0; k < count; k++) {
        pairs[2 * k] = (int64_t)(k % (size_t)features);
        pairs[2 * k + 1] = (int64_t)(k * 7 % (size_t)features);
        scores[k] = 0.2f + 0.7f * (float)(k % 101) / 101.0f;
    }
    snprintf(shape[0], sizeof shape[0], "%zu 2", count);
    snprintf(shape[1], sizeof shape[1], "%zu", count);
    const TestPort in[] = {{"kpts0", TEST_FLOAT, "1 M 2", "", NULL},
                           {"kpts1", TEST_FLOAT, "1 N 2", "", NULL},
                           {"desc0", TEST_FLOAT, "1 M 128", "", NULL},
                           {"desc1", TEST_FLOAT, "1 N 128", "", NULL}};
    const TestPort out[] = {{"matches0", TEST_INT64, "K 2", shape[0], pairs},
                            {"mscores0", TEST_FLOAT, "K", shape[1], scores}};
    assert_true(test_write_constant(path, in, 4, out, 2));
    free(pairs);
    free(scores);
}

/* Runs `scene`, and tells what became of its frame. */
static AqmRunResult try_lightglue(const char *models, Heard *heard) {
    char output[PATH_MAX];
    AqmRunResult result;
    AqmDiag diag = {0};
    const Settings with = {"runtime.models_dir", models};
    *heard = (Heard){""};
    if (run_scene(scene, in_folder(output, folder, "flooded"), "lightglue", "sparse", with, &result,
                  heard, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    print_message("%s", heard->text);
    return result;
}

static void a_flood_of_matches_is_borne(void **state) {
    (void)state;
    char models[PATH_MAX], path[PATH_MAX];
    static Heard heard;
    write_lightglue(models_folder(models, "flood"), scene, AT_ANY_SIZE);
    in_folder(path, models, "lightglue_superpoint.onnx");
    write_flood(path, 100000, POINTS / 2);
    AqmRunResult result = try_lightglue(models, &heard);
    assert_int_equal(result.frames_done + result.frames_failed, 1);
    write_flood(path, 100000, POINTS + 1); /* one that is not there */
    result = try_lightglue(models, &heard);
    assert_int_equal(result.frames_failed, 1);
    assert_true(was_heard(&heard, "cameras cam00 and cam01: ") &&
                was_heard(&heard, "names feature "));
}

/* ---- models that are refused ----------------------------------------------------------------- */

/* Refused before anything is written; the sentence holds all `words`. */
static void expect_refusal(const char *matcher, const char *models, AqmStatus expected,
                           const char *const *words) {
    char output[PATH_MAX];
    AqmDiag diag = {0};
    const Settings with = {"runtime.models_dir", models};
    const AqmStatus status = run_scene(scene, in_folder(output, folder, "refused"), matcher,
                                       "sparse", with, NULL, NULL, &diag);
    print_message("%s\n", diag.message);
    assert_int_equal(status, expected);
    for (; *words; words++)
        if (!strstr(diag.message, *words))
            fail_msg("no \"%s\" in: %s", *words, diag.message);
    assert_false(exists(folder, "refused"));
}

static void models_that_are_not_what_they_should_be_are_refused(void **state) {
    (void)state;
    char models[PATH_MAX], path[PATH_MAX];
    models_folder(models, "refused_models");
    expect_refusal("roma", models, AQM_ERROR_UNSUPPORTED,
                   (const char *const[]){"roma.onnx", models, "docs/models.md",
                                         "--set matcher_type=dense", NULL});
    expect_refusal("lightglue", models, AQM_ERROR_UNSUPPORTED,
                   (const char *const[]){"superpoint.onnx and lightglue_superpoint.onnx",
                                         "lightglue_superpoint_pipeline.onnx", models,
                                         "docs/models.md", "--set matcher_type=sift", NULL});
    in_folder(path, models, "roma.onnx");
    write_bytes(path, "not a model at all", 18);
    expect_refusal("roma", models, AQM_ERROR_FORMAT, (const char *const[]){path, NULL});
    assert_true(test_write_matcher(path, TEST_MATCHER_PAIRS, DESCRIPTOR, false));
    expect_refusal("roma", models, AQM_ERROR_FORMAT,
                   (const char *const[]){path, "a model of another kind", "a dense matcher", NULL});
    in_folder(path, models, "superpoint.onnx");
    assert_true(test_write_matcher(path, TEST_MATCHER_PAIRS, DESCRIPTOR, false));
    expect_refusal("lightglue", models, AQM_ERROR_UNSUPPORTED,
                   (const char *const[]){"1 of 2 found", NULL});
    assert_true(test_write_matcher(in_folder(path, models, "lightglue_superpoint.onnx"),
                                   TEST_MATCHER_PAIRS, DESCRIPTOR, false));
    expect_refusal("lightglue", models, AQM_ERROR_FORMAT,
                   (const char *const[]){"superpoint.onnx", "a model of another kind", NULL});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(true_warps_give_the_true_bed),
        cmocka_unit_test(cells_need_not_be_pixels),
        cmocka_unit_test(fewer_correspondences_are_as_right),
        cmocka_unit_test(masks_hold_for_warps),
        cmocka_unit_test(true_features_give_true_points),
        cmocka_unit_test(true_features_guide_the_sweep),
        cmocka_unit_test(masks_hold_for_features),
        cmocka_unit_test(a_pathway_leaves_its_own_files_alone),
        cmocka_unit_test(a_model_that_fails_costs_its_frame),
        cmocka_unit_test(a_flood_of_matches_is_borne),
        cmocka_unit_test(models_that_are_not_what_they_should_be_are_refused),
    };
    AqmOnnx *onnx = NULL;
    AqmDiag diag = {0};
    if (aqm_onnx_open(&onnx, &diag) != AQM_OK) {
        printf("skipped, all of it needs ONNX Runtime: %s\n", diag.message);
        return 77;
    }
    aqm_onnx_close(&onnx);
    return cmocka_run_group_tests(tests, set_up, remove_test_folder);
}
