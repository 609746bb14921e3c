#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "aquamvs/dense.h"
#include "base/alloc.h"
#include "math/rng.h"

enum { WIDTH = 77, HEIGHT = 5, PIXELS = WIDTH * HEIGHT, MAPS = 5 };

/* MAPS maps, all of 0.3 m, confidence 0.1 (m + 1), sigma 1 mm. */
static void maps_make(AqmDepthMap *maps[MAPS]) {
    for (int m = 0; m < MAPS; m++) {
        maps[m] = NULL;
        assert_int_equal(aqm_depth_map_create(&maps[m], WIDTH, HEIGHT, NULL), AQM_OK);
        for (int p = 0; p < PIXELS; p++) {
            maps[m]->depth_m[p] = 0.3f;
            maps[m]->confidence[p] = 0.1f * (float)(m + 1);
            maps[m]->sigma_m[p] = 0.001f;
        }
    }
}

static void maps_free(AqmDepthMap *maps[MAPS]) {
    for (int m = 0; m < MAPS; m++)
        aqm_depth_map_destroy(&maps[m]);
}

static AqmDepthMap *merge(AqmDepthMap *const *maps, size_t count, double tolerance, int min_agree) {
    AqmDepthMap *out = NULL;
    assert_int_equal(aqm_depth_merge(&out, (const AqmDepthMap *const *)maps, count, tolerance,
                                     min_agree, 0, NULL),
                     AQM_OK);
    return out;
}

static void those_that_agree_are_averaged(void **state) {
    (void)state;
    AqmDepthMap *maps[MAPS];
    maps_make(maps);
    /* pixel 0: three agree; 1: an unknown one; 2: weights 1 and 4; 3: two; 4: none */
    maps[1]->depth_m[0] = 0.4f, maps[3]->depth_m[0] = 0.2f;
    maps[2]->depth_m[1] = NAN;
    for (int m = 0; m < MAPS; m++)
        maps[m]->depth_m[2] = m == 4 ? 0.302f : m == 0 ? 0.3f : NAN;
    maps[4]->sigma_m[2] = 0.0005f;
    for (int m = 0; m < MAPS; m++)
        maps[m]->depth_m[3] = m < 2 ? 0.3f : 0.4f + 0.1f * (float)m;
    for (int m = 0; m < MAPS; m++)
        maps[m]->depth_m[4] = m % 2 ? NAN : m % 4 ? -1.0f : INFINITY;
    AqmDepthMap *out = merge(maps, MAPS, 0.005, 2);
    assert_true(fabsf(out->depth_m[0] - 0.3f) < 1e-6f);
    assert_true(fabsf(out->confidence[0] - 0.9f / 5.0f) < 1e-6f); /* mean 0.3, 3 of 5 */
    assert_true(fabsf(out->sigma_m[0] - 0.001f / sqrtf(3.0f)) < 1e-6f);
    assert_true(fabsf(out->depth_m[1] - 0.3f) < 1e-6f);
    assert_true(fabsf(out->confidence[1] - 1.2f / 4.0f) < 1e-6f);
    assert_true(fabsf(out->depth_m[2] - 0.3016f) < 1e-6f);
    /* the spread of 0.3 and 0.302 about that with weights 1 and 4, as of two values */
    assert_true(fabsf(out->sigma_m[2] - 0.0008f * sqrtf(2.0f)) < 1e-6f);
    assert_true(isnan(out->depth_m[3])); /* the median lies with neither */
    assert_true(isnan(out->depth_m[4]) && out->confidence[4] == 0.0f && isnan(out->sigma_m[4]));
    assert_true(fabsf(out->depth_m[PIXELS - 1] - 0.3f) < 1e-6f);
    aqm_depth_map_destroy(&out);
    out = merge(maps, MAPS, 0.005, 4);
    assert_true(isnan(out->depth_m[0]) && isnan(out->depth_m[2]) && !isnan(out->depth_m[1]));
    aqm_depth_map_destroy(&out);
    maps_free(maps);
}

static void one_map_stays_as_it_is(void **state) {
    (void)state;
    AqmDepthMap *maps[MAPS];
    maps_make(maps);
    maps[0]->depth_m[7] = NAN;
    maps[0]->sigma_m[8] = NAN; /* as good as the tolerance */
    AqmDepthMap *out = merge(maps, 1, 0.005, 1);
    assert_true(isnan(out->depth_m[7]) && out->confidence[7] == 0.0f);
    assert_true(out->depth_m[6] == 0.3f && fabsf(out->confidence[6] - 0.1f) < 1e-7f);
    assert_true(fabsf(out->sigma_m[6] - 0.001f) < 1e-7f);
    assert_true(fabsf(out->sigma_m[8] - 0.005f) < 1e-7f);
    aqm_depth_map_destroy(&out);
    maps_free(maps);
}

static void noise_is_averaged_and_strays_go(void **state) {
    (void)state;
    AqmDepthMap *maps[MAPS];
    maps_make(maps);
    AqmRng rng = aqm_rng(2, 0);
    for (int p = 0; p < PIXELS; p++)
        for (int m = 0; m < MAPS; m++)
            maps[m]->depth_m[p] += (float)(p % MAPS == m ? 0.05 : 0.001 * aqm_rng_normal(&rng));
    AqmDepthMap *out = merge(maps, MAPS, 0.01, 3);
    double squares = 0.0;
    for (int p = 0; p < PIXELS; p++) {
        const double e = (double)out->depth_m[p] - 0.3;
        squares += e * e;
    }
    const double rms = sqrt(squares / PIXELS); /* 1 mm / sqrt(4) */
    assert_true(rms > 0.00045 && rms < 0.00055);
    aqm_depth_map_destroy(&out);
    maps_free(maps);
}

static void bad_arguments_are_refused(void **state) {
    (void)state;
    AqmDepthMap *maps[MAPS], *small = NULL, *out = NULL;
    maps_make(maps);
    assert_int_equal(aqm_depth_map_create(&small, WIDTH, 1, NULL), AQM_OK);
    const AqmDepthMap *const same[2] = {maps[0], maps[1]};
    const AqmDepthMap *const other[2] = {maps[0], small};
    assert_int_equal(aqm_depth_merge(&out, same, 0, 0.01, 1, 0, NULL), AQM_ERROR_ARGUMENT);
    assert_int_equal(aqm_depth_merge(&out, same, 2, 0.01, 0, 0, NULL), AQM_ERROR_ARGUMENT);
    assert_int_equal(aqm_depth_merge(&out, same, 2, 0.01, 3, 0, NULL), AQM_ERROR_ARGUMENT);
    assert_int_equal(aqm_depth_merge(&out, same, 2, (double)NAN, 1, 0, NULL), AQM_ERROR_ARGUMENT);
    assert_int_equal(aqm_depth_merge(&out, same, 2, 0.0, 1, 0, NULL), AQM_ERROR_ARGUMENT);
    assert_int_equal(aqm_depth_merge(&out, other, 2, 0.01, 1, 0, NULL), AQM_ERROR_ARGUMENT);
    assert_null(out);
    aqm_depth_map_destroy(&small);
    maps_free(maps);
}

static void threads_and_memory_change_nothing(void **state) {
    (void)state;
    AqmDepthMap *maps[MAPS], *one = NULL, *three = NULL;
    maps_make(maps);
    AqmRng rng = aqm_rng(3, 0);
    for (int p = 0; p < PIXELS; p++)
        for (int m = 0; m < MAPS; m++)
            maps[m]->depth_m[p] = (float)(0.3 + 0.004 * aqm_rng_normal(&rng));
    const AqmDepthMap *const *all = (const AqmDepthMap *const *)maps;
    assert_int_equal(aqm_depth_merge(&one, all, MAPS, 0.005, 3, 1, NULL), AQM_OK);
    assert_int_equal(aqm_depth_merge(&three, all, MAPS, 0.005, 3, 3, NULL), AQM_OK);
    assert_memory_equal(one->depth_m, three->depth_m, PIXELS * sizeof(float));
    assert_memory_equal(one->sigma_m, three->sigma_m, PIXELS * sizeof(float));
    assert_memory_equal(one->confidence, three->confidence, PIXELS * sizeof(float));
    aqm_depth_map_destroy(&one);
    aqm_depth_map_destroy(&three);
    const size_t before = aqm_alloc_count().live_bytes;
    for (size_t n = 1; n <= 4; n++) {
        aqm_alloc_fail_from(n);
        const AqmStatus status = aqm_depth_merge(&one, all, MAPS, 0.005, 3, 1, NULL);
        aqm_alloc_fail_from(0);
        assert_int_equal(status, AQM_ERROR_MEMORY);
        assert_null(one);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
    }
    maps_free(maps);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_that_agree_are_averaged),
        cmocka_unit_test(one_map_stays_as_it_is),
        cmocka_unit_test(noise_is_averaged_and_strays_go),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(threads_and_memory_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
