/* Smoothing keeps what a surface is made of; holes take the nearest value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "math/rng.h"
#include "stages/stereo/smooth.h"

enum { WIDTH = 64, HEIGHT = 40 };

/* A slope with a step of 10 px in the middle. */
static double truth(int x, int y) {
    return 50.0 + 0.2 * x - 0.1 * y + (x >= WIDTH / 2 ? 10.0 : 0.0);
}

static void noise_goes_and_the_step_stays(void **state) {
    (void)state;
    static float noisy[WIDTH * HEIGHT], base[WIDTH * HEIGHT];
    AqmRng rng = aqm_rng(3, 1);
    for (int k = 0; k < WIDTH * HEIGHT; k++)
        noisy[k] = (float)(truth(k % WIDTH, k / WIDTH) + 0.2 * aqm_rng_normal(&rng));
    assert_int_equal(aqm_smooth_surface(noisy, WIDTH, HEIGHT, 2.0f, 2, 1, base, NULL), AQM_OK);
    double squares = 0.0, most = 0.0;
    for (int k = 0; k < WIDTH * HEIGHT; k++) {
        const double error = fabs((double)base[k] - truth(k % WIDTH, k / WIDTH));
        squares += error * error / (WIDTH * HEIGHT);
        most = fmax(most, error);
    }
    print_message("noise of 0.2 px: %.3f px left, at most %.3f\n", sqrt(squares), most);
    assert_true(sqrt(squares) < 0.12);
    assert_true(most < 0.6);
}

static void holes_take_the_nearest_of_their_row(void **state) {
    (void)state;
    float map[4 * 6] = {
        NAN, NAN, NAN, NAN, NAN, NAN, /* the row below */
        NAN, 1,   NAN, NAN, NAN, 2,   /* 2 columns from 1, then from 2 */
        3,   NAN, NAN, NAN, NAN, NAN, /* to the end */
        NAN, NAN, NAN, NAN, NAN, NAN, /* the row above */
    };
    const float expected[4 * 6] = {1, 1, 1, 1, 2, 2, 1, 1, 1, 1, 2, 2,
                                   3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3};
    aqm_fill_holes(map, 6, 4);
    for (int k = 0; k < 4 * 6; k++)
        assert_true(map[k] == expected[k]);
    float nothing[2] = {NAN, NAN};
    aqm_fill_holes(nothing, 2, 1);
    assert_true(isnan(nothing[0]) && isnan(nothing[1]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_goes_and_the_step_stays),
        cmocka_unit_test(holes_take_the_nearest_of_their_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
