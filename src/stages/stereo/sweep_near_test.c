/* Which pixels lie beside a step: only those are swept where nothing else is. */
#include "stages/stereo/test_scene.h"

#include "stages/stereo/near_warp.h"
#include "stages/stereo/sweep_near.h"

enum { MIDDLE = WIDTH / 2 };

/* Pixels of `base` that a sweep beside steps alone changes. */
static int count_changed(const AqmSweep *sweep, const float *base) {
    static float disparity[WIDTH * HEIGHT];
    const AqmNearOptions options = {.step_px = 0.5f, .steps = 2, .only_steps = true};
    assert_int_equal(aqm_sweep_near(sweep, base, &options, disparity, NULL), AQM_OK);
    int changed = 0;
    for (int k = 0; k < WIDTH * HEIGHT; k++)
        changed += disparity[k] != base[k];
    return changed;
}

/* Between two levels, `slope` a pixel. */
static void fill(float *base, float level, float slope, bool is_down) {
    for (int k = 0; k < WIDTH * HEIGHT; k++) {
        const int x = is_down ? k / WIDTH + MIDDLE - HEIGHT / 2 : k % WIDTH;
        base[k] = level + fminf(fmaxf(slope * ((float)x - MIDDLE + 0.5f), -3.0f), 3.0f);
    }
}

static void a_step_is_swept_and_a_steep_slope_is_none(void **state) {
    (void)state;
    static const size_t others[] = {1, 2, 3};
    static float base[WIDTH * HEIGHT];
    Scene *scene = scene_create(1.333, 0.0, 1.0);
    AqmSweep *sweep = NULL;
    assert_int_equal(
        aqm_sweep_create(&sweep, scene->stereo, 0, others, 3, 0, AQM_COST_NCC, 7, 2, NULL), AQM_OK);
    const float level = aqm_disparity_of(sweep, bed_z - water_z);
    for (int is_down = 0; is_down < 2; is_down++) {
        fill(base, level, 0.9f, is_down);
        assert_int_equal(count_changed(sweep, base), 0);
        fill(base, level, 1000.0f, is_down);
        const int changed = count_changed(sweep, base), side = is_down ? WIDTH : HEIGHT;
        /* four pixels on either side, but where nothing matches */
        print_message("%d of %d pixels beside the step\n", changed, 8 * side);
        assert_true(changed > 4 * side && changed <= 8 * side);
    }
    aqm_sweep_destroy(&sweep);
    scene_free(scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_is_swept_and_a_steep_slope_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
