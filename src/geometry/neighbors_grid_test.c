/* The grid against the tree, which is tested against brute force (neighbors_test.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "geometry/neighbors.h"
#include "math/rng.h"

enum { N = 30000 };

typedef enum Shape {
    BED,     /* a wavy surface */
    WALL,    /* a steep one */
    CROWDED, /* half of it twenty times as dense, and a hole */
    STRAYS,  /* some near it, some a thousand kilometres away, and some that are no points */
    LAYERS,  /* three above each other */
    LATTICE, /* many equal distances, and all points twice */
    VOLUME,  /* the others are for the tree */
    HEAPS,
    LINE,
    SHAPES
} Shape;

static float uniform(AqmRng *rng) {
    return (float)aqm_rng_uniform(rng);
}

static void move_stray(AqmRng *rng, int i, float *p) {
    if (i % 50 == 0)
        p[2] += 0.05f * uniform(rng);
    if (i % 500 == 0)
        p[i / 500 % 3] = 1e6f * (float)aqm_rng_normal(rng);
    if (i % 700 == 0)
        p[i / 700 % 3] = i % 1400 ? NAN : 3e30f;
}

static void fill(Shape shape, float *points) {
    AqmRng rng = aqm_rng(31, (uint64_t)shape);
    for (int i = 0; i < N; i++) {
        float *p = points + 3 * i;
        for (int a = 0; a < 3; a++)
            p[a] = uniform(&rng);
        if (shape == CROWDED && i % 20)
            p[0] *= 0.5f;
        if (shape == CROWDED && fabsf(p[0] - 0.7f) < 0.1f)
            p[0] = 0.9f;
        const float wave = 0.02f * sinf(9.0f * p[0]) * cosf(7.0f * p[1]) + 0.001f * p[2];
        if (shape == BED || shape == CROWDED || shape == STRAYS)
            p[2] = wave;
        if (shape == WALL)
            p[2] = p[0], p[0] = 3.0f + 0.1f * wave;
        if (shape == LAYERS)
            p[2] = wave + 0.05f * (float)(i % 3);
        if (shape == LATTICE)
            p[0] = (float)(i / 2 % 150), p[1] = (float)(i / 300), p[2] = 0.0f;
        if (shape == HEAPS && i % 4)
            p[0] = p[1] = p[2] = (float)(i % 3);
        if (shape == LINE)
            p[0] = p[1] = 0.25f;
        if (shape == STRAYS)
            move_stray(&rng, i, p);
    }
}

static void mean_distances_are_those_of_the_tree(void **state) {
    (void)state;
    static const int neighbors[] = {1, 20, 31, 40}; /* few, as usual, the most of few, many */
    static float points[3 * N], tree[N], one[N], many[N];
    for (int shape = 0; shape < SHAPES; shape++) {
        fill((Shape)shape, points);
        AqmNeighbors *search = NULL;
        assert_int_equal(aqm_neighbors_create(&search, points, N, 2, NULL), AQM_OK);
        for (int j = 0; j < 4; j++) {
            const int k = neighbors[j];
            double worst = 0.0;
            assert_int_equal(aqm_neighbors_mean_knn_distance(search, k, 2, tree, NULL), AQM_OK);
            assert_int_equal(aqm_mean_knn_distance(points, N, k, 1, one, NULL), AQM_OK);
            assert_int_equal(aqm_mean_knn_distance(points, N, k, 3, many, NULL), AQM_OK);
            for (int i = 0; i < N; i++) {
                assert_true(one[i] == many[i] || (isnan(one[i]) && isnan(many[i])));
                assert_true(isnan(tree[i]) == isnan(one[i]));
                if (!isnan(tree[i]))
                    worst = fmax(worst,
                                 fabs((double)one[i] - (double)tree[i]) - 1e-6 * (double)tree[i]);
            }
            assert_true(worst <= 0.0);
        }
        aqm_neighbors_destroy(&search);
    }
}

static void small_clouds_are_fine(void **state) {
    (void)state;
    const float points[9] = {3, 4, 0, 3, 4, 12, NAN, 0, 0};
    float mean[3] = {-1, -1, -1};
    AqmDiag diag = {0};
    assert_int_equal(aqm_mean_knn_distance(points, 0, 3, 2, mean, &diag), AQM_OK);
    assert_true(mean[0] == -1.0f);
    assert_int_equal(aqm_mean_knn_distance(points, 1, 3, 2, mean, &diag), AQM_OK);
    assert_true(mean[0] == 0.0f && mean[1] == -1.0f);
    assert_int_equal(aqm_mean_knn_distance(points, 3, 3, 2, mean, &diag), AQM_OK);
    assert_true(mean[0] == 12.0f && mean[1] == 12.0f && isnan(mean[2]));
}

/* On a surface no tree is needed: its memory would show. */
static void a_surface_needs_no_tree(void **state) {
    (void)state;
    static float points[3 * N], mean[N];
    fill(BED, points);
    const size_t before = aqm_alloc_count().total_bytes;
    assert_int_equal(aqm_mean_knn_distance(points, N, 20, 1, mean, NULL), AQM_OK);
    assert_true(aqm_alloc_count().total_bytes - before < (size_t)32 * N);
    fill(VOLUME, points);
    const size_t middle = aqm_alloc_count().total_bytes;
    assert_int_equal(aqm_mean_knn_distance(points, N, 20, 1, mean, NULL), AQM_OK);
    assert_true(aqm_alloc_count().total_bytes - middle > (size_t)40 * N);
}

static void lack_of_memory_is_reported_without_a_leak(void **state) {
    (void)state;
    static float points[3 * N], mean[N];
    fill(STRAYS, points);
    const size_t before = aqm_alloc_count().live_bytes;
    size_t n = 1;
    for (;; n++) {
        AqmDiag diag = {0};
        aqm_alloc_fail_from(n);
        const AqmStatus status = aqm_mean_knn_distance(points, N, 20, 2, mean, &diag);
        aqm_alloc_fail_from(0);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
        if (status == AQM_OK)
            break;
        assert_int_equal(status, AQM_ERROR_MEMORY);
        assert_true(diag.message[0] != '\0');
    }
    print_message("%zu allocations\n", n - 1);
    assert_true(n > 20); /* the grid's, two searchers', and the tree's */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mean_distances_are_those_of_the_tree),
        cmocka_unit_test(small_clouds_are_fine),
        cmocka_unit_test(a_surface_needs_no_tree),
        cmocka_unit_test(lack_of_memory_is_reported_without_a_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
