/* Noise that is correlated goes from the noisy corner of a smooth bed; roughness and steps stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "math/rng.h"
#include "stages/stereo/settle.h"

enum { WIDTH = 160, HEIGHT = 120, PIXELS = WIDTH * HEIGHT, REACH = 2 };
enum { CORNER = 70, CORNER_PIXELS = CORNER * CORNER };
static const double elsewhere = 0.04; /* px of noise */

/* Waves of `amplitude` px, `length` px long, with a step of `step` px in the middle. */
typedef struct Bed {
    double amplitude, length, step;
} Bed;

static double truth(const Bed *bed, int x, int y) {
    return 50.0 + 0.02 * x +
           bed->amplitude * sin(2 * M_PI * x / bed->length) * cos(2 * M_PI * y / bed->length) +
           (x >= CORNER / 2 ? bed->step : 0.0);
}

/* Noise of deviation 1 that is alike over windows of 5 x 5. */
static void fill_noise(AqmRng *rng, float *noise) {
    static float white[(HEIGHT + 2 * REACH) * (WIDTH + 2 * REACH)];
    for (size_t k = 0; k < sizeof white / sizeof *white; k++)
        white[k] = (float)aqm_rng_normal(rng);
    for (int p = 0; p < PIXELS; p++) {
        float sum = 0.0f;
        for (int j = 0; j <= 2 * REACH; j++)
            for (int i = 0; i <= 2 * REACH; i++)
                sum += white[(p / WIDTH + j) * (WIDTH + 2 * REACH) + p % WIDTH + i];
        noise[p] = sum / (2 * REACH + 1);
    }
}

/* In the corner. */
typedef struct Outcome {
    double before, after; /* root mean square error, px */
    double within;        /* share within 1 sigma */
} Outcome;

static bool is_corner(int p) {
    return p % WIDTH < CORNER && p / WIDTH < CORNER;
}

static Outcome settle(const Bed *bed, double sigma, uint64_t seed) {
    static float noise[PIXELS], disparity[PIXELS], sigmas[PIXELS], score[PIXELS];
    AqmRng rng = aqm_rng(seed, 1);
    Outcome outcome = {0};
    fill_noise(&rng, noise);
    for (int p = 0; p < PIXELS; p++) {
        const double own_sigma = is_corner(p) ? sigma : elsewhere;
        const double error = own_sigma * (double)noise[p];
        disparity[p] = (float)(truth(bed, p % WIDTH, p / WIDTH) + error);
        sigmas[p] = (float)own_sigma;
        score[p] = 0.9f;
        outcome.before += is_corner(p) ? error * error / CORNER_PIXELS : 0.0;
    }
    const AqmRefined refined = {disparity, sigmas, score};
    assert_int_equal(aqm_settle(&refined, WIDTH, HEIGHT, 2, NULL), AQM_OK);
    for (int p = 0; p < PIXELS; p++) {
        const double error = (double)disparity[p] - truth(bed, p % WIDTH, p / WIDTH);
        outcome.after += is_corner(p) ? error * error / CORNER_PIXELS : 0.0;
        outcome.within +=
            is_corner(p) && fabs(error) < (double)sigmas[p] ? 1.0 / CORNER_PIXELS : 0.0;
    }
    outcome.before = sqrt(outcome.before);
    outcome.after = sqrt(outcome.after);
    print_message("sigma %.2f px: error %.3f -> %.3f px, %.2f within 1 sigma\n", sigma,
                  outcome.before, outcome.after, outcome.within);
    return outcome;
}

static void noise_goes_from_a_smooth_bed(void **state) {
    (void)state;
    const Bed waves = {1.0, 200.0, 0.0};
    const Outcome noisy = settle(&waves, 0.3, 1), little = settle(&waves, 0.15, 2);
    assert_true(noisy.after < 0.5 * noisy.before);
    assert_true(little.after < 0.75 * little.before);
    assert_true(noisy.within > 0.5 && little.within > 0.5);
    /* where matching is good little changes */
    const Outcome good = settle(&waves, 0.04, 3);
    assert_true(good.after < good.before && good.after > 0.7 * good.before);
}

/* Ripples of 24 px, as large as the noise: averaging over 19 px would take most of them. */
static void roughness_stays(void **state) {
    (void)state;
    const Bed ripples = {0.5, 24.0, 0.0};
    const Outcome o = settle(&ripples, 0.15, 4);
    assert_true(o.after < 1.1 * o.before);
}

static void steps_stay(void **state) {
    (void)state;
    const Bed step = {0.0, 100.0, 4.0};
    const Outcome o = settle(&step, 0.2, 5);
    assert_true(o.after < 0.6 * o.before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_goes_from_a_smooth_bed),
        cmocka_unit_test(roughness_stays),
        cmocka_unit_test(steps_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
