/* The share of errors that views have in common: closed forms, random draws, odd rigs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "math/rng.h"
#include "stages/fusion/fusion_errors.h"

typedef struct Rig {
    AqmView views[AQM_FUSION_VIEWS_MAX];
    AqmFusionView fusion[AQM_FUSION_VIEWS_MAX];
} Rig;

static Rig rig;

static void ring_of(size_t count, double radius) {
    memset(&rig, 0, sizeof rig);
    for (size_t i = 0; i < count; i++) {
        const double turn = 6.283185307179586 * (double)i / (double)count + 0.3;
        rig.views[i].C[0] = 1.0 + radius * cos(turn);
        rig.views[i].C[1] = -2.0 + radius * sin(turn);
        rig.fusion[i].view = &rig.views[i];
    }
}

static void rings_have_their_closed_forms(void **state) {
    (void)state;
    AqmFusionErrors errors;
    for (size_t n = 3; n <= 9; n++) {
        ring_of(n, 0.4);
        aqm_fusion_errors_init(&errors, rig.fusion, n, 0);
        assert_true(fabs((double)errors.share[n] - 4.0 / ((double)n + 2.0)) < 1e-6);
    }
    ring_of(12, 7.0); /* the size does not matter */
    aqm_fusion_errors_init(&errors, rig.fusion, 12, 4);
    const double sum =
        4.0 * (1.0 - cos(0.5235987755982988)) + 4.0 * (1.0 - cos(1.0471975511965976));
    assert_true(fabs((double)errors.share[12] - 4.0 / (12.0 * (1.0 + 4.0 / sum))) < 1e-6);
}

/* The least squares depths of a ring whose images are each shifted by a random vector. */
static void shares_are_those_of_random_shifts(void **state) {
    (void)state;
    enum { N = 5, DRAWS = 20000 };
    AqmFusionErrors errors;
    AqmRng rng = aqm_rng(1, 1);
    double of_one = 0.0, of_mean = 0.0;
    ring_of(N, 0.25);
    for (int draw = 0; draw < DRAWS; draw++) {
        double shift[N][2], mean = 0.0;
        for (int i = 0; i < 2 * N; i++)
            shift[i / 2][i % 2] = aqm_rng_normal(&rng);
        for (int a = 0; a < N; a++) {
            double error = 0.0, sum = 0.0;
            for (int s = 0; s < 2 * N; s++) {
                const double baseline = rig.views[s / 2].C[s % 2] - rig.views[a].C[s % 2];
                error += baseline * (shift[s / 2][s % 2] - shift[a][s % 2]);
                sum += baseline * baseline;
            }
            of_one += error / sum * (error / sum) / N;
            mean += error / sum / N;
        }
        of_mean += mean * mean;
    }
    aqm_fusion_errors_init(&errors, rig.fusion, N, 4);
    print_message("share %.4f, drawn %.4f\n", (double)errors.share[N], of_mean / of_one);
    assert_true(fabs((double)errors.share[N] - of_mean / of_one) < 0.02);
}

static void more_views_are_never_less_certain(void **state) {
    (void)state;
    static const size_t counts[] = {1, 2, 3, 12, 40, 255};
    for (int k = 0; k < 6; k++)
        for (int matched = 0; matched < 8; matched += 3) {
            AqmFusionErrors errors;
            ring_of(counts[k], 0.5);
            aqm_fusion_errors_init(&errors, rig.fusion, counts[k], matched);
            assert_true(errors.share[0] == 1.0f && errors.share[1] == 1.0f);
            for (int n = 2; n < 256; n++) {
                assert_true(errors.share[n] > 0.0f && errors.share[n] <= errors.share[n - 1]);
                assert_true(errors.doubt[n] > 0.0f && errors.doubt[n] < INFINITY);
            }
        }
}

static void cameras_in_one_place_tell_no_more_than_one(void **state) {
    (void)state;
    AqmFusionErrors errors;
    ring_of(4, 0.0);
    aqm_fusion_errors_init(&errors, rig.fusion, 4, 4);
    assert_true(errors.share[4] == 1.0f);
}

static void views_that_differ_too_much_are_doubted(void **state) {
    (void)state;
    AqmFusionErrors errors;
    ring_of(5, 0.25);
    aqm_fusion_errors_init(&errors, rig.fusion, 5, 4);
    const float calm = aqm_fused_variance(errors.share[5], errors.doubt[5], 4e-8f, 0.0f);
    assert_true(fabsf(calm - 4e-8f * errors.share[5]) < 1e-10f);
    /* the mean misfit: n (1 - share) / 2 */
    const float misfit = 2.5f * (1.0f - errors.share[5]);
    assert_true(aqm_fused_variance(errors.share[5], errors.doubt[5], 4e-8f, 2.9f * misfit) == calm);
    assert_true(
        fabsf(aqm_fused_variance(errors.share[5], errors.doubt[5], 4e-8f, 6.0f * misfit) / calm -
              2.0f) < 1e-4f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rings_have_their_closed_forms),
        cmocka_unit_test(shares_are_those_of_random_shifts),
        cmocka_unit_test(more_views_are_never_less_certain),
        cmocka_unit_test(cameras_in_one_place_tell_no_more_than_one),
        cmocka_unit_test(views_that_differ_too_much_are_doubted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
