/* The kernels of fusion: the reference against definitions in double, every variant against the
 * reference, bit for bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "kernels/fusion_kernels.h"
#include "math/rng.h"

enum { N = 128, SIDE = 32, PITCH = 44, ROWS = SIDE + 6, W = 61, H = 47, MAP_PITCH = W + 2 };

static const AqmFusionKernels *variants[2];
static int variant_count;

static int collect_variants(void **state) {
    (void)state;
    variants[variant_count++] = &aqm_fusion_kernels_reference;
    if (aqm_fusion_kernels(aqm_cpu_features()) != &aqm_fusion_kernels_reference)
        variants[variant_count++] = aqm_fusion_kernels(aqm_cpu_features());
    else
        print_message("no other variant than the reference runs on this machine\n");
    return 0;
}

static double uniform(AqmRng *rng, double low, double high) {
    return low + (high - low) * aqm_rng_uniform(rng);
}

/* Tilted by up to 0.4 rad about each horizontal axis, turned by any angle. */
static AqmSightCamera random_camera(AqmRng *rng, double n) {
    const double a = uniform(rng, -0.4, 0.4), b = uniform(rng, -0.4, 0.4),
                 c = uniform(rng, 0, 6.28);
    const double A[9] = {1, 0, 0, 0, cos(a), -sin(a), 0, sin(a), cos(a)};
    const double B[9] = {cos(b), 0, sin(b), 0, 1, 0, -sin(b), 0, cos(b)};
    const double C[9] = {cos(c), -sin(c), 0, sin(c), cos(c), 0, 0, 0, 1};
    double AB[9] = {0}, R[9] = {0};
    for (int i = 0; i < 9; i++)
        for (int k = 0; k < 3; k++)
            AB[i] += A[i / 3 * 3 + k] * B[3 * k + i % 3];
    for (int i = 0; i < 9; i++)
        for (int k = 0; k < 3; k++)
            R[i] += AB[i / 3 * 3 + k] * C[3 * k + i % 3];
    AqmSightCamera camera = {.C = {(float)uniform(rng, -0.4, 0.4), (float)uniform(rng, -0.4, 0.4)},
                             .water_z = 0.98f,
                             .h_c = 0.98f,
                             .n = (float)n,
                             .fx = 80.0f,
                             .fy = 81.0f,
                             .cx = 30.3f,
                             .cy = 22.9f};
    for (int i = 0; i < 9; i++)
        camera.R[i] = (float)R[i];
    return camera;
}

/* The ray of a pixel by Snell's law in double: offset on the water, direction. */
static void exact_ray(const AqmSightCamera *c, double u, double v, double ray[5]) {
    const double p[3] = {(u - (double)c->cx) / (double)c->fx, (v - (double)c->cy) / (double)c->fy,
                         1};
    double d[3] = {0}, length = 0.0;
    for (int i = 0; i < 9; i++)
        d[i % 3] += (double)c->R[i] * p[i / 3];
    for (int i = 0; i < 3; i++)
        length += d[i] * d[i];
    length = sqrt(length);
    ray[0] = (double)c->h_c * d[0] / d[2], ray[1] = (double)c->h_c * d[1] / d[2];
    ray[2] = d[0] / length / (double)c->n, ray[3] = d[1] / length / (double)c->n;
    ray[4] = sqrt(1.0 - ray[2] * ray[2] - ray[3] * ray[3]);
}

typedef struct RayBlock {
    float values[5][N];
} RayBlock;

static AqmRayRow row_of(RayBlock *block) {
    return (AqmRayRow){
        block->values[0], block->values[1], {block->values[2], block->values[3], block->values[4]}};
}

static void rays_obey_snell(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(1, 1);
    for (int trial = 0; trial < 20; trial++) {
        const AqmSightCamera camera = random_camera(&rng, trial % 2 ? 1.0 : 1.333);
        RayBlock blocks[2];
        const float v = (float)uniform(&rng, -5.0, 60.0);
        for (int k = 0; k < variant_count; k++) {
            const AqmRayRow row = row_of(&blocks[k]);
            variants[k]->rays(&camera, -30.0f, v, N, &row);
        }
        for (int x = 0; x < N; x++) {
            double ray[5];
            exact_ray(&camera, x - 30.0, (double)v, ray);
            for (int i = 0; i < 5; i++)
                assert_true(fabs((double)blocks[0].values[i][x] - ray[i]) < 5e-7);
        }
        for (int k = 1; k < variant_count; k++)
            assert_memory_equal(&blocks[k], &blocks[0], sizeof blocks[0]);
    }
}

static void level_rays_are_not_known(void **state) {
    (void)state;
    AqmSightCamera camera = {.R = {1, 0, 0, 0, 0, -1, 0, 1, 0}, /* looks along +Y: v < cy is up */
                             .h_c = 1.0f,
                             .n = 1.333f,
                             .fx = 50.0f,
                             .fy = 50.0f};
    camera.R[5] = -1.0f;
    for (int k = 0; k < variant_count; k++) {
        RayBlock block;
        const AqmRayRow row = row_of(&block);
        variants[k]->rays(&camera, 0.0f, 10.0f, 8, &row);
        const bool up = !(block.values[0][0] == block.values[0][0]);
        variants[k]->rays(&camera, 0.0f, -10.0f, 8, &row);
        const bool down = !(block.values[0][0] == block.values[0][0]);
        assert_true(up != down); /* one looks into the water, the other does not */
    }
}

/* ---- slopes and normals ---------------------------------------------------------------------- */

/* A field with steps and holes; `hole`: their share. */
static void fill_depths(AqmRng *rng, double hole, float depth[ROWS * PITCH]) {
    for (int i = 0; i < ROWS * PITCH; i++) {
        const int x = i % PITCH, y = i / PITCH;
        depth[i] = (float)(0.3 + 0.0003 * x - 0.0002 * y + (x > 20 ? 0.05 : 0.0) +
                           0.0001 * aqm_rng_normal(rng));
        if (aqm_rng_uniform(rng) < hole)
            depth[i] = NAN;
    }
}

static void slopes_are_those_of_a_plane(void **state) {
    (void)state;
    float depth[ROWS * PITCH], u[SIDE * SIDE], v[SIDE * SIDE];
    for (int i = 0; i < ROWS * PITCH; i++)
        depth[i] = 0.3f + 0.0003f * (float)(i % PITCH) - 0.0002f * (float)(i / PITCH);
    const float *corner = depth + 3 * PITCH + 3;
    for (int k = 0; k < variant_count; k++) {
        variants[k]->slopes(corner, PITCH, 0.005f, SIDE, SIDE, u, v);
        for (int i = 0; i < SIDE * SIDE; i++) {
            assert_true(fabsf(u[i] - 0.0003f) < 1e-7f);
            assert_true(fabsf(v[i] + 0.0002f) < 1e-7f);
        }
    }
    /* everything left of column 12 is missing: there the slope is that to the right */
    for (int i = 0; i < ROWS * PITCH; i++)
        depth[i] = i % PITCH < 15 ? NAN : depth[i];
    for (int k = 0; k < variant_count; k++) {
        variants[k]->slopes(corner, PITCH, 0.005f, SIDE, SIDE, u, v);
        assert_true(fabsf(u[10 * SIDE + 12] - 0.0003f) < 1e-7f);
        assert_true(u[10 * SIDE + 8] != u[10 * SIDE + 8]);
    }
}

static void variants_find_the_same_slopes_and_normals(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(2, 2);
    for (int trial = 0; trial < 20; trial++) {
        float depth[ROWS * PITCH], u[2][SIDE * SIDE], v[2][SIDE * SIDE], normal[2][3][SIDE];
        fill_depths(&rng, 0.1 * (trial % 5), depth);
        const AqmSightCamera camera = random_camera(&rng, 1.333);
        RayBlock here, below;
        const AqmRayRow top = row_of(&here), low = row_of(&below);
        variants[0]->rays(&camera, 0.0f, 4.0f, 40, &top);
        variants[0]->rays(&camera, 0.0f, 5.0f, 40, &low);
        const float *corner = depth + 3 * PITCH + 3;
        for (int k = 0; k < variant_count; k++) {
            float *const out[3] = {normal[k][0], normal[k][1], normal[k][2]};
            variants[k]->slopes(corner, PITCH, 0.005f, SIDE, SIDE, u[k], v[k]);
            variants[k]->normals(&top, &low, corner, u[k], v[k], SIDE, out);
        }
        for (int k = 1; k < variant_count; k++)
            for (int i = 0; i < SIDE * SIDE; i++) {
                assert_true(u[k][i] == u[0][i] || (u[k][i] != u[k][i] && u[0][i] != u[0][i]));
                assert_true(v[k][i] == v[0][i] || (v[k][i] != v[k][i] && v[0][i] != v[0][i]));
            }
        for (int k = 1; k < variant_count; k++)
            for (int i = 0; i < 3 * SIDE; i++) {
                const float a = normal[0][i / SIDE][i % SIDE], b = normal[k][i / SIDE][i % SIDE];
                assert_true(a == b || (a != a && b != b));
            }
    }
}

static void the_normal_of_a_level_plane_is_vertical(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(3, 3);
    for (int k = 0; k < variant_count; k++) {
        const AqmSightCamera camera = random_camera(&rng, 1.333);
        RayBlock here, below;
        const AqmRayRow top = row_of(&here), low = row_of(&below);
        variants[k]->rays(&camera, 10.0f, 20.0f, 40, &top);
        variants[k]->rays(&camera, 10.0f, 21.0f, 40, &low);
        float depth[SIDE], u[SIDE], v[SIDE], normal[3][SIDE];
        for (int x = 0; x < SIDE; x++) {
            depth[x] = 0.4f / here.values[4][x];
            u[x] = 0.4f / here.values[4][x + 1] - depth[x];
            v[x] = 0.4f / below.values[4][x] - depth[x];
        }
        float *const out[3] = {normal[0], normal[1], normal[2]};
        variants[k]->normals(&top, &low, depth, u, v, SIDE, out);
        for (int x = 0; x < SIDE; x++) {
            assert_true(fabsf(normal[0][x]) < 2e-4f && fabsf(normal[1][x]) < 2e-4f);
            assert_true(fabsf(normal[2][x] + 1.0f) < 1e-6f);
        }
    }
}

/* ---- sight ----------------------------------------------------------------------------------- */

typedef struct Map {
    uint32_t texels[(H + 2) * MAP_PITCH];
    float depth[H * W], confidence[H * W], deviation[H * W];
} Map;

static AqmSightMap pack_map(Map *map, const AqmFusionKernels *kernels, float least) {
    memset(map->texels, 0, sizeof map->texels);
    const AqmPackRules rules = {least, 0.003f};
    for (int y = 0; y < H; y++) {
        const AqmDepthRow row = {map->depth + y * W, map->confidence + y * W,
                                 map->deviation + y * W};
        kernels->pack(&row, &rules, W, map->texels + (y + 1) * MAP_PITCH + 1);
    }
    return (AqmSightMap){map->texels + MAP_PITCH + 1, MAP_PITCH, W, H};
}

static void deviations_are_rounded_to_a_byte(void **state) {
    (void)state;
    for (uint32_t code = 1; code < 256; code++) {
        const float deviation = aqm_deviation_of(code);
        assert_int_equal(aqm_deviation_code(deviation), code);
        assert_int_equal(aqm_deviation_code(1.03f * deviation), code);
        assert_true(deviation > aqm_deviation_of(code - 1));
    }
    assert_int_equal(aqm_deviation_code(0.0f), 1);
    assert_int_equal(aqm_deviation_code(1e30f), 255);
    assert_int_equal(aqm_deviation_code(NAN), 255);
}

static void packed_depths_are_rounded_by_a_millionth(void **state) {
    (void)state;
    static const float odd[] = {0.0f, -1.0f, 1e-7f, 5e3f, 4096.0f, INFINITY, 3e38f};
    static const float unknown[] = {NAN, 0.0f, -1.0f, INFINITY};
    AqmRng rng = aqm_rng(4, 4);
    for (int k = 0; k < variant_count; k++) {
        float depth[100], confidence[100], deviation[100];
        const AqmPackRules rules = {0.3f, 0.003f};
        const AqmDepthRow row = {depth, confidence, deviation};
        uint32_t texels[100];
        for (int i = 0; i < 100; i++) {
            depth[i] = (float)exp(uniform(&rng, -13.0, 8.3));
            confidence[i] = (float)uniform(&rng, 0.0, 1.0);
            deviation[i] = i % 3 ? (float)exp(uniform(&rng, -13.5, 8.2)) : unknown[i % 4];
        }
        for (int i = 0; i < 7; i++)
            depth[i] = odd[i];
        depth[7] = NAN;
        variants[k]->pack(&row, &rules, 100, texels);
        for (int i = 0; i < 100; i++) {
            const uint32_t bits = (texels[i] >> 8 << AQM_TEXEL_SHIFT) + AQM_TEXEL_BIAS;
            float back;
            memcpy(&back, &bits, sizeof back);
            if (i < 8 || confidence[i] < 0.3f) {
                assert_int_equal(texels[i], 0);
                continue;
            }
            assert_true(fabsf(back - depth[i]) <= 1e-6f * depth[i]);
            const float expected = i % 3 ? deviation[i] : 0.003f / sqrtf(confidence[i]);
            assert_true(fabsf(aqm_deviation_of(texels[i]) - expected) <= 0.0626f * expected);
        }
    }
}

typedef struct Points {
    float position[3][N], normal[3][N], facing[N], descent[N];
} Points;

static AqmSightPoints sight_points(const Points *p) {
    return (AqmSightPoints){{p->position[0], p->position[1], p->position[2]},
                            {p->normal[0], p->normal[1], p->normal[2]},
                            p->facing,
                            p->descent};
}

/* Points along the camera's own rays at random pixels of the first `part` of the image, `off`
 * metres beyond what the map says. */
static void points_beyond(AqmRng *rng, const AqmSightCamera *camera, double part, double off,
                          Points *points, double pixels[N][2]) {
    for (int i = 0; i < N; i++) {
        double ray[5];
        pixels[i][0] = uniform(rng, 0.0, part * (W - 1));
        pixels[i][1] = uniform(rng, 0.0, part * (H - 1));
        exact_ray(camera, pixels[i][0], pixels[i][1], ray);
        const double depth = 0.4 + 0.0002 * pixels[i][0] + 0.0003 * pixels[i][1] + off;
        points->position[0][i] = (float)((double)camera->C[0] + ray[0] + depth * ray[2]);
        points->position[1][i] = (float)((double)camera->C[1] + ray[1] + depth * ray[3]);
        points->position[2][i] = (float)((double)camera->water_z + depth * ray[4]);
        points->normal[0][i] = points->normal[1][i] = 0.0f;
        points->normal[2][i] = -1.0f;
        points->facing[i] = -0.9f;
        points->descent[i] = 0.9f;
    }
}

static void fill_map(Map *map) {
    for (int i = 0; i < W * H; i++) {
        map->depth[i] = 0.4f + 0.0002f * (float)(i % W) + 0.0003f * (float)(i / W);
        map->confidence[i] = 0.6f;
        map->deviation[i] = 0.0005f; /* as a code 0.000519 */
    }
}

/* The region of r^2 and h that points take in. */
static void find_region(const AqmSightCamera *camera, const Points *points, float r2[2],
                        float h[2]) {
    r2[0] = h[0] = INFINITY, r2[1] = h[1] = 0.0f;
    for (int i = 0; i < N; i++) {
        const float x = points->position[0][i] - camera->C[0];
        const float y = points->position[1][i] - camera->C[1];
        const float far2 = x * x + y * y, down = points->position[2][i] - camera->water_z;
        r2[0] = fminf(r2[0], far2), r2[1] = fmaxf(r2[1], far2);
        h[0] = fminf(h[0], down), h[1] = fmaxf(h[1], down);
    }
}

/* By iterating z = h_c + h / sqrt(n^2 + (n^2 - 1) r^2 / z^2), which contracts. */
static double seeming_height(const AqmSightCamera *camera, double r2, double h) {
    const double n2 = (double)camera->n * (double)camera->n;
    double z = (double)camera->h_c + h;
    for (int step = 0; step < 60; step++)
        z = (double)camera->h_c + h / sqrt(n2 + (n2 - 1.0) * r2 / (z * z));
    return z;
}

static double quadratic_at(const float a[6], double x, double y) {
    return (double)a[0] + (double)a[1] * x + (double)a[2] * y + (double)a[3] * x * x +
           (double)a[4] * x * y + (double)a[5] * y * y;
}

/* Off by what the contract allows, anywhere in the region. */
static void check_bend(AqmRng *rng, const AqmSightCamera *camera, const AqmSightBend *bend,
                       const float r2[2], const float h[2]) {
    for (int i = 0; i < 200; i++) {
        const double far2 = uniform(rng, (double)r2[0], (double)r2[1]);
        const double down = uniform(rng, (double)h[0], (double)h[1]);
        const double x = (far2 - (double)bend->middle[0]) * (double)bend->per_half[0];
        const double y = (down - (double)bend->middle[1]) * (double)bend->per_half[1];
        const double z = seeming_height(camera, far2, down), h_c = (double)camera->h_c;
        const double in_water = (z - h_c) / z,
                     depth = sqrt(far2 * in_water * in_water + down * down);
        assert_true(fabs(x) < 1.0001 && fabs(y) < 1.0001);
        assert_true(fabs(h_c + down * quadratic_at(bend->apparent, x, y) - z) < 1.5e-5 * z);
        assert_true(fabs(down * quadratic_at(bend->slant, x, y) - depth) < 3e-5 * depth);
    }
}

static void bends_are_exact_or_say_that_they_are_not(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(8, 8);
    int exact = 0, regions = 0;
    for (int trial = 0; trial < 400; trial++) {
        const AqmSightCamera camera = random_camera(&rng, trial % 8 ? 1.333 : 1.0);
        const bool small = trial % 2;
        const double r = uniform(&rng, 0.0, 1.2), wide = uniform(&rng, 0.02, small ? 0.1 : 0.6);
        const double low = uniform(&rng, 0.02, 0.6), tall = uniform(&rng, 0.0, small ? 0.1 : 0.5);
        const float r2[2] = {(float)(r * r), (float)((r + wide) * (r + wide))};
        const float h[2] = {(float)low, (float)(low + tall)};
        AqmSightBend bends[2];
        int good[2] = {0};
        for (int k = 0; k < variant_count; k++)
            good[k] = variants[k]->bend(&camera, r2, h, &bends[k]);
        assert_true(variant_count < 2 || good[0] == good[1]);
        assert_true(variant_count < 2 || !memcmp(&bends[0], &bends[1], sizeof *bends));
        assert_true(good[0] || !small);
        exact += good[0] && !small, regions += !small;
        if (good[0])
            check_bend(&rng, &camera, &bends[0], r2, h);
    }
    print_message("%d of %d wide regions are exact\n", exact, regions);
    assert_true(exact > regions / 10 && exact < regions * 9 / 10);
}

static void nothing_bends_over_no_region(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(9, 9);
    const AqmSightCamera camera = random_camera(&rng, 1.333);
    for (int k = 0; k < variant_count; k++) {
        AqmSightBend bend;
        assert_true(!variants[k]->bend(&camera, (float[]){INFINITY, -INFINITY},
                                       (float[]){0.0f, 0.0f}, &bend));
        assert_true(!variants[k]->bend(&camera, (float[]){NAN, NAN}, (float[]){0.1f, 0.2f}, &bend));
        assert_true(
            variants[k]->bend(&camera, (float[]){0.0f, 0.0f}, (float[]){0.0f, 0.0f}, &bend));
        assert_true(
            variants[k]->bend(&camera, (float[]){0.3f, 0.3f}, (float[]){0.4f, 0.4f}, &bend));
    }
}

static void a_map_says_how_far_its_surface_is(void **state) {
    (void)state;
    static Map map;
    AqmRng rng = aqm_rng(5, 5);
    fill_map(&map);
    for (int trial = 0; trial < 40; trial++) {
        const AqmSightCamera camera = random_camera(&rng, trial % 2 ? 1.0 : 1.333);
        const double off = uniform(&rng, -0.004, 0.004);
        const bool bent = trial >= 20; /* a tile's part of the image */
        Points points;
        double pixels[N][2];
        float r2[2], h[2];
        points_beyond(&rng, &camera, bent ? 0.12 : 1.0, off, &points, pixels);
        find_region(&camera, &points, r2, h);
        const AqmSightPoints given = sight_points(&points);
        for (int k = 0; k < variant_count; k++) {
            float beyond[N], weight[N], variance[N];
            AqmSightBend bend;
            const AqmSightMap sight = pack_map(&map, variants[k], 0.1f);
            assert_true(variants[k]->bend(&camera, r2, h, &bend) || !bent);
            for (int i = 0; i < N; i++)
                variance[i] = (float)i * 1e-8f;
            variants[k]->sight(&camera, bent ? &bend : NULL, &sight, &given, variance, 0.005f, N,
                               beyond, weight);
            for (int i = 0; i < N; i++) {
                double ray[5];
                exact_ray(&camera, pixels[i][0], pixels[i][1], ray);
                const double expected = -off * ray[4] / 0.9;
                assert_true(fabs((double)beyond[i] - expected) < (bent ? 1.5e-5 : 2e-6));
                const double theirs = (double)aqm_deviation_of(aqm_deviation_code(0.0005f));
                const double along = theirs * ray[4] / 0.9; /* as what the surface is beyond */
                const double inverse = along * along + i * 1e-8;
                assert_true(fabs((double)weight[i] * inverse - 1.0) < 2e-4);
            }
        }
    }
}

/* Noise, steps, holes, doubt, and points at the borders, above the water and not known at all. */
static void variants_see_the_same(void **state) {
    (void)state;
    static Map map;
    AqmRng rng = aqm_rng(6, 6);
    size_t agreeing = 0;
    for (int trial = 0; trial < 40; trial++) {
        const AqmSightCamera camera = random_camera(&rng, 1.333);
        Points points;
        float beyond[2][N], weight[2][N], variance[N];
        for (int i = 0; i < W * H; i++) {
            const double step = i % W > 30 ? 0.02 : 0.0;
            map.depth[i] = (float)(0.4 + step + 0.001 * aqm_rng_normal(&rng));
            map.depth[i] = aqm_rng_uniform(&rng) < 0.1 ? NAN : map.depth[i];
            map.confidence[i] = (float)aqm_rng_uniform(&rng);
            map.deviation[i] = (float)uniform(&rng, -0.001, 0.004);
        }
        for (int i = 0; i < N; i++) {
            double ray[5];
            const double u = uniform(&rng, -9.0, W + 9.0), v = uniform(&rng, -9.0, H + 9.0);
            exact_ray(&camera, u, v, ray);
            const double depth = uniform(&rng, -0.1, 0.7);
            for (int k = 0; k < 2; k++)
                points.position[k][i] = (float)((double)camera.C[k] + ray[k] + depth * ray[2 + k]);
            points.position[2][i] = (float)((double)camera.water_z + depth * ray[4]);
            points.position[0][i] = i % 17 == 0 ? NAN : points.position[0][i];
            for (int k = 0; k < 3; k++)
                points.normal[k][i] = (float)uniform(&rng, -1.0, 1.0);
            points.facing[i] = (float)uniform(&rng, -1.0, 0.2);
            points.descent[i] = (float)uniform(&rng, 0.5, 1.0);
            variance[i] = i % 7 ? (float)uniform(&rng, 0.0, 1e-6) : 0.0f;
        }
        const AqmSightPoints given = sight_points(&points);
        for (int k = 0; k < variant_count; k++) {
            const AqmSightMap sight = pack_map(&map, variants[k], 0.2f);
            variants[k]->sight(&camera, NULL, &sight, &given, variance, 0.3f, N, beyond[k],
                               weight[k]);
        }
        for (int i = 0; i < N; i++) {
            const float a = beyond[0][i];
            agreeing += a == a;
            for (int k = 1; k < variant_count; k++) {
                assert_true(a == beyond[k][i] || (a != a && beyond[k][i] != beyond[k][i]));
                assert_true(weight[0][i] == weight[k][i]);
            }
        }
    }
    assert_true(agreeing > 40 * 20);
}

/* ---- the mean -------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b) {
    const double p = *(const double *)a, q = *(const double *)b;
    return p < q ? -1 : p > q;
}

static double median(double *values, size_t count) {
    qsort(values, count, sizeof *values, by_value);
    return 0.5 * (values[(count - 1) / 2] + values[count / 2]);
}

/* As fusion_vote.c describes it, in double; and the misfit. */
static double robust_mean(const double *values, const double *weights, size_t count,
                          double tolerance, double *misfit) {
    double copy[16], final[16], low = 0.0, high = 0.0, sum = 0.0, total = 0.0;
    for (size_t i = 0; i < count; i++)
        copy[i] = values[i], low = fmin(low, values[i]), high = fmax(high, values[i]);
    const bool spread = high - low >= 0.2 * tolerance;
    const double middle = median(copy, count);
    for (size_t i = 0; i < count; i++)
        copy[i] = fabs(values[i] - middle);
    const double scale = fmax(1.4826 * median(copy, count), 0.1 * tolerance);
    for (size_t i = 0; i < count; i++) {
        const double t = (values[i] - middle) / (5.0 * scale);
        const double fall = t * t < 1.0 ? 1.0 - t * t : 0.0;
        const double weight = weights[i] * (spread ? fall * fall : 1.0);
        final[i] = weight;
        sum += weight * values[i];
        total += weight;
    }
    *misfit = 0.0;
    for (size_t i = 0; i < count; i++)
        *misfit += final[i] * (values[i] - sum / total) * (values[i] - sum / total);
    return sum / total;
}

static void means_are_robust(void **state) {
    (void)state;
    enum { VIEWS = 11 };
    static float beyond[VIEWS * N], weight[VIEWS * N], own[N], mean[2][N], misfit[2][N];
    uint8_t count[2][N];
    AqmRng rng = aqm_rng(7, 7);
    for (int trial = 0; trial < 30; trial++) {
        const double sigma = trial % 3 == 0 ? 0.0002 : 0.0015;
        for (int i = 0; i < VIEWS * N; i++) {
            const bool says = aqm_rng_uniform(&rng) < 0.1 * (trial % 11);
            beyond[i] = says ? (float)(sigma * aqm_rng_normal(&rng)) : NAN;
            weight[i] = says ? (float)uniform(&rng, 0.1, 1.0) : 0.0f;
        }
        for (int i = 0; i < N; i++)
            own[i] = (float)uniform(&rng, 0.1, 1.0);
        for (int k = 0; k < variant_count; k++) {
            const AqmSettled settled = {mean[k], misfit[k], count[k]};
            variants[k]->settle(beyond, weight, VIEWS, own, 0.005f, N, &settled);
        }
        for (int i = 0; i < N; i++) {
            double values[16] = {0.0}, weights[16] = {(double)own[i]};
            size_t found = 1;
            for (int view = 0; view < VIEWS; view++)
                if (beyond[view * N + i] == beyond[view * N + i]) {
                    values[found] = (double)beyond[view * N + i];
                    weights[found++] = (double)weight[view * N + i];
                }
            assert_int_equal(count[0][i], found);
            double expected;
            const double middle = robust_mean(values, weights, found, 0.005, &expected);
            assert_true(fabs((double)mean[0][i] - middle) < 2e-8);
            assert_true(fabs((double)misfit[0][i] - expected) < 1e-4 * expected + 1e-10);
        }
        for (int k = 1; k < variant_count; k++) {
            assert_memory_equal(mean[k], mean[0], sizeof mean[0]);
            assert_memory_equal(misfit[k], misfit[0], sizeof misfit[0]);
            assert_memory_equal(count[k], count[0], sizeof count[0]);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rays_obey_snell),
        cmocka_unit_test(level_rays_are_not_known),
        cmocka_unit_test(slopes_are_those_of_a_plane),
        cmocka_unit_test(variants_find_the_same_slopes_and_normals),
        cmocka_unit_test(the_normal_of_a_level_plane_is_vertical),
        cmocka_unit_test(deviations_are_rounded_to_a_byte),
        cmocka_unit_test(packed_depths_are_rounded_by_a_millionth),
        cmocka_unit_test(bends_are_exact_or_say_that_they_are_not),
        cmocka_unit_test(nothing_bends_over_no_region),
        cmocka_unit_test(a_map_says_how_far_its_surface_is),
        cmocka_unit_test(variants_see_the_same),
        cmocka_unit_test(means_are_robust),
    };
    return cmocka_run_group_tests(tests, collect_variants, NULL);
}
