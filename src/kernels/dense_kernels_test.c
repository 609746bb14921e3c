/* Variants against the reference, bit for bit, on random and extreme pixels and depths, all
 * lengths; what lies beyond the length is untouched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "kernels/dense_kernels.h"
#include "math/rng.h"

enum { CHUNK = AQM_DENSE_CHUNK };

typedef struct Results {
    AqmDenseRays rays, along;
    AqmDensePoints points;
    AqmDensePixels pixels;
    float depth[CHUNK];
    AqmDenseOffsets offsets;
    AqmDenseMeetings meetings;
} Results;

/* A camera looking down, tilted a little and turned. */
static AqmDenseCamera random_camera(AqmRng *rng) {
    const double turn = 6.28 * aqm_rng_uniform(rng), tilt = 0.5 * aqm_rng_uniform(rng);
    const double c = cos(turn), s = sin(turn), ct = cos(tilt), st = sin(tilt);
    return (AqmDenseCamera){.R = {(float)c, (float)s, 0.0f, (float)(-s * ct), (float)(c * ct),
                                  (float)st, (float)(s * st), (float)(-c * st), (float)ct},
                            .x = (float)(aqm_rng_uniform(rng) - 0.5),
                            .y = (float)(aqm_rng_uniform(rng) - 0.5),
                            .h_c = (float)(0.3 + aqm_rng_uniform(rng)),
                            .n = aqm_rng_uniform(rng) < 0.2 ? 1.0f : 1.333f,
                            .fx = 1400.0f,
                            .fy = 1390.0f,
                            .cx = 800.0f,
                            .cy = 600.0f};
}

static float random_value(AqmRng *rng, double low, double high) {
    static const float extreme[6] = {NAN, INFINITY, -INFINITY, 0.0f, -1e30f, 1e-30f};
    if (aqm_rng_uniform(rng) < 0.1)
        return extreme[aqm_rng_u32(rng) % 6];
    return (float)(low + (high - low) * aqm_rng_uniform(rng));
}

static void run_all(const AqmDenseKernels *kernels, const AqmDenseCamera cameras[2],
                    const AqmDensePixels pixels[2], const float *depth, size_t n, Results *out) {
    memset(out, 0x5a, sizeof *out);
    kernels->rays(&cameras[0], &pixels[0], n, &out->rays);
    kernels->points(&out->rays, depth, n, &out->points);
    kernels->project(&cameras[1], &out->points, n, &out->pixels);
    kernels->sight(&cameras[1], &out->points, n, out->depth, &out->along);
    kernels->offsets(&cameras[1], &out->rays, depth, &pixels[1], n, &out->offsets);
    kernels->meet(&cameras[0], &out->rays, &cameras[1], &pixels[1], n, &out->meetings);
}

static void variants_give_the_reference_bits(void **state) {
    (void)state;
    const AqmDenseKernels *variant = aqm_dense_kernels(aqm_cpu_features());
    AqmRng rng = aqm_rng(1, 0);
    print_message("%s against %s\n", variant->name, aqm_dense_kernels_reference.name);
    for (int round = 0; round < 400; round++) {
        const size_t n = (size_t)round % (CHUNK + 1);
        const AqmDenseCamera cameras[2] = {random_camera(&rng), random_camera(&rng)};
        AqmDensePixels pixels[2];
        float depth[CHUNK];
        Results expected, got;
        for (size_t k = 0; k < CHUNK; k++) {
            depth[k] = random_value(&rng, 0.0, 2.0);
            for (int i = 0; i < 2; i++) {
                pixels[i].u[k] = random_value(&rng, 0.0, 1600.0);
                pixels[i].v[k] = random_value(&rng, 0.0, 1200.0);
            }
        }
        run_all(&aqm_dense_kernels_reference, cameras, pixels, depth, n, &expected);
        run_all(variant, cameras, pixels, depth, n, &got);
        const float *a = (const float *)(const void *)&expected,
                    *b = (const float *)(const void *)&got;
        for (size_t k = 0; k < sizeof got / sizeof *a; k++)
            assert_true(memcmp(&a[k], &b[k], sizeof *a) == 0 || (isnan(a[k]) && isnan(b[k])));
        for (size_t k = n; k < CHUNK; k++) { /* untouched */
            uint32_t bits;
            memcpy(&bits, &got.meetings.depth[k], sizeof bits);
            assert_int_equal(bits, 0x5a5a5a5a);
        }
    }
}

/* Out and back: the meeting of a point's own pixels is the point. */
static void rays_meet_where_they_come_from(void **state) {
    (void)state;
    const AqmDenseKernels *kernels = &aqm_dense_kernels_reference;
    AqmRng rng = aqm_rng(2, 0);
    int checked = 0;
    for (int round = 0; round < 100; round++) {
        AqmDenseCamera cameras[2] = {random_camera(&rng), random_camera(&rng)};
        AqmDensePixels pixels, targets;
        AqmDenseRays rays;
        AqmDensePoints points;
        AqmDenseMeetings meetings;
        float depth[CHUNK];
        cameras[0].x = cameras[0].y = 0.0f;
        cameras[1].n = cameras[0].n, cameras[1].h_c = cameras[0].h_c;
        for (size_t k = 0; k < CHUNK; k++) {
            depth[k] = (float)(0.1 + 0.5 * aqm_rng_uniform(&rng));
            pixels.u[k] = (float)(1600.0 * aqm_rng_uniform(&rng));
            pixels.v[k] = (float)(1200.0 * aqm_rng_uniform(&rng));
        }
        kernels->rays(&cameras[0], &pixels, CHUNK, &rays);
        kernels->points(&rays, depth, CHUNK, &points);
        kernels->project(&cameras[1], &points, CHUNK, &targets);
        kernels->meet(&cameras[0], &rays, &cameras[1], &targets, CHUNK, &meetings);
        for (size_t k = 0; k < CHUNK; k++) {
            if (!(meetings.px_per_m[k] > 50.0f && fabsf(targets.u[k]) < 3000.0f &&
                  fabsf(targets.v[k]) < 3000.0f))
                continue;
            checked++;
            /* 0.005 px in the image */
            assert_true(fabsf(meetings.depth[k] - depth[k]) * meetings.px_per_m[k] < 0.005f);
            assert_true(meetings.miss_px[k] < 0.01f);
        }
    }
    assert_true(checked > 3000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variants_give_the_reference_bits),
        cmocka_unit_test(rays_meet_where_they_come_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
