/* The renderer against scenes that independent code has rendered, and against our own evaluation:
 * across layers, hence not a unit test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "aquamvs/evaluate.h"
#include "aquamvs/io.h"
#include "aquamvs/synth.h"
#include "evaluate/truth.h"
#include "io/io_test_util.h"
#include "synth/synth_render.h"

static void compare_camera(const AqmTruth *truth, const char *dir, size_t camera,
                           const AqmSurfaceBounds *bounds) {
    char path[PATH_MAX];
    float *expected = NULL;
    size_t shape[3] = {0};
    int dimensions = 0;
    AqmTrace *trace = NULL;
    AqmDiag diag = {0};
    const int length = snprintf(path, sizeof path, "%s/gt/frame_000000/%s_depth_raw.npz", dir,
                                truth->rig->cameras[camera].name);
    assert_true(length > 0 && length < PATH_MAX);
    if (aqm_npz_read(path, "depth", &expected, shape, &dimensions, &diag) != AQM_OK ||
        aqm_trace_camera(truth->rig, camera, truth->surface, bounds, NULL, &trace, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    assert_int_equal(dimensions, 2);
    assert_true(shape[0] == (size_t)trace->height && shape[1] == (size_t)trace->width);
    for (size_t i = 0; i < shape[0] * shape[1]; i++) {
        assert_int_equal(isnan(expected[i]), isnan(trace->depth_m[i]));
        if (fabsf(expected[i] - trace->depth_m[i]) > 1e-7f)
            fail_msg("camera %zu, pixel %zu: %.9g m, expected %.9g m", camera, i,
                     (double)trace->depth_m[i], (double)expected[i]);
    }
    aqm_trace_destroy(&trace);
    aqm_free_buffer(expected);
}

static void ray_depths_are_those_of_an_independent_renderer(void **state) {
    static const char *const scenes[] = {"data/rendered/r5-undulating", "data/rendered/r5-sandbed",
                                         "data/rendered/r5-board"};
    (void)state;
    for (int i = 0; i < 3; i++) {
        char dir[PATH_MAX];
        AqmTruth *truth = NULL;
        AqmDiag diag = {0};
        shared_path(dir, scenes[i]);
        if (aqm_truth_read(&truth, dir, 0, &diag) != AQM_OK)
            fail_msg("%s", diag.message);
        const AqmSurfaceBounds bounds = aqm_surface_bounds(truth->surface, 3.0);
        for (size_t camera = 0; camera < truth->rig->camera_count; camera += 4)
            compare_camera(truth, dir, camera, &bounds);
        aqm_truth_destroy(&truth);
    }
}

/* A new scene's own surface mesh is its truth up to the flatness of 2 mm triangles. */
static void a_written_scene_is_read_back_as_its_own_truth(void **state) {
    char dir[PATH_MAX], ply[PATH_MAX];
    AqmSynthOptions options = aqm_synth_options_default();
    options.scene = AQM_SCENE_SANDBED;
    options.width = 160, options.height = 120;
    options.frames = 2;
    AqmDiag diag = {0};
    if (aqm_synth_write(&options, in_folder(dir, *state, "scene"), NULL, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    AqmEvaluateOptions judge = aqm_evaluate_options_default();
    judge.region_step_m = 0.004;
    judge.mesh_spacing_m = 0.002;
    AqmEvaluation same, other;
    (void)in_folder(ply, dir, "gt/frame_000001/surface.ply");
    judge.frame = 1;
    if (aqm_evaluate_ply(ply, dir, &judge, &same, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    assert_true(same.is_mesh);
    assert_true(same.in_region.count > 50000);
    assert_true(same.in_region.rms_mm < 0.05 && fabs(same.in_region.bias_mm) < 0.02);
    assert_true(same.coverage_pct[0] > 90.0 && same.precision_pct[1] == 100.0);
    judge.frame = 0; /* the mound and the ripples have moved in between */
    if (aqm_evaluate_ply(ply, dir, &judge, &other, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    assert_true(other.in_region.rms_mm > 0.5);

    char *text = NULL;
    assert_int_equal(aqm_evaluation_to_json(&same, &text, NULL), AQM_OK);
    assert_non_null(strstr(text, "\"rms_mm\""));
    aqm_free_buffer(text);

    judge.frame = 2;
    assert_int_equal(aqm_evaluate_ply(ply, dir, &judge, &other, &diag), AQM_ERROR_FORMAT);
    assert_non_null(strstr(diag.message, "frame 2"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ray_depths_are_those_of_an_independent_renderer),
        cmocka_unit_test_setup_teardown(a_written_scene_is_read_back_as_its_own_truth,
                                        make_test_folder, remove_test_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
