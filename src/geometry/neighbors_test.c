#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "geometry/neighbors.h"
#include "math/rng.h"

enum { N = 3000 };

typedef enum Shape { SURFACE, PLANE_2D, LINE, HEAPS, OUTLIERS, GRID, SHAPES } Shape;

/* Clouds that are easy, flat, thin, full of equal points, far-flung, and full of equal distances.
 */
static void fill(Shape shape, float *points) {
    AqmRng rng = aqm_rng(11, (uint64_t)shape);
    for (int i = 0; i < N; i++) {
        float *p = points + 3 * i;
        for (int a = 0; a < 3; a++)
            p[a] = (float)aqm_rng_uniform(&rng);
        if (shape == SURFACE)
            p[2] = 0.05f * sinf(9.0f * p[0]);
        if (shape == PLANE_2D)
            p[2] = 0.0f;
        if (shape == LINE)
            p[0] = p[1] = 0.25f;
        if (shape == HEAPS && i % 4)
            p[0] = p[1] = p[2] = (float)(i % 3);
        if (shape == OUTLIERS && i % 100 == 0)
            for (int a = 0; a < 3; a++)
                p[a] = 1e6f * (float)aqm_rng_normal(&rng);
        if (shape == GRID)
            p[0] = (float)(i % 15), p[1] = (float)(i / 15 % 15), p[2] = (float)(i / 225);
    }
}

typedef struct Hit {
    float distance2;
    uint32_t index;
} Hit;

static int compare_hits(const void *a, const void *b) {
    const Hit *p = a, *q = b;
    if (p->distance2 != q->distance2)
        return p->distance2 < q->distance2 ? -1 : 1;
    return p->index < q->index ? -1 : p->index > q->index;
}

static void brute_force(const float *points, size_t count, const float q[3], Hit *hits) {
    for (size_t i = 0; i < count; i++) {
        const float dx = points[3 * i] - q[0], dy = points[3 * i + 1] - q[1],
                    dz = points[3 * i + 2] - q[2];
        hits[i] = (Hit){dx * dx + dy * dy + dz * dz, (uint32_t)i};
    }
    qsort(hits, count, sizeof *hits, compare_hits);
}

static void check_query(const AqmNeighbors *tree, const float *points, const float q[3]) {
    static Hit hits[N];
    static uint32_t indices[N];
    static float distances2[N];
    const int ks[] = {1, 7, 20, 64, 65, N + 5};
    brute_force(points, N, q, hits);
    for (int j = 0; j < 6; j++) {
        int found = 0;
        const int want = ks[j] < N ? ks[j] : N;
        assert_int_equal(aqm_neighbors_nearest(tree, q, ks[j], indices, distances2, &found, NULL),
                         AQM_OK);
        assert_int_equal(found, want);
        for (int i = 0; i < want; i++) {
            assert_true(distances2[i] == hits[i].distance2);
            /* those as far as the last may be any; the others are in order */
            if (hits[i].distance2 < hits[want - 1].distance2)
                assert_int_equal(indices[i], hits[i].index);
        }
    }
    float distance = -1.0f;
    uint32_t index = 0;
    const float nearest = sqrtf(hits[0].distance2);
    assert_true(aqm_neighbors_distance(tree, q, INFINITY, &distance, &index));
    assert_true(distance == nearest);
    const float radius = sqrtf(hits[40].distance2);
    size_t inside = 0;
    while (inside < N && hits[inside].distance2 <= radius * radius)
        inside++;
    assert_int_equal(aqm_neighbors_within(tree, q, radius, indices, 10), inside);
    assert_int_equal(aqm_neighbors_within(tree, q, radius, NULL, 0), inside);
    assert_int_equal(aqm_neighbors_within(tree, q, radius, indices, N), inside);
    double sum = 0.0, expected = 0.0;
    for (size_t i = 0; i < inside; i++) {
        sum += indices[i];
        expected += hits[i].index;
    }
    assert_true(sum == expected);
    distance = -1.0f;
    if (nearest > 0.0f)
        assert_false(aqm_neighbors_distance(tree, q, 0.999f * nearest, &distance, NULL));
    assert_true(nearest == 0.0f || distance == -1.0f);
}

static void every_answer_is_that_of_brute_force(void **state) {
    (void)state;
    static float points[3 * N];
    for (int shape = 0; shape < SHAPES; shape++) {
        fill((Shape)shape, points);
        AqmNeighbors *tree = NULL;
        assert_int_equal(aqm_neighbors_create(&tree, points, N, 2, NULL), AQM_OK);
        AqmRng rng = aqm_rng(2, 0);
        for (int i = 0; i < 12; i++) {
            const float near[3] = {(float)aqm_rng_uniform(&rng), (float)aqm_rng_uniform(&rng),
                                   0.1f};
            const float far[3] = {1e4f, -3.0f, (float)aqm_rng_normal(&rng)};
            check_query(tree, points, near);
            check_query(tree, points, far);
            check_query(tree, points, points + 3 * (size_t)(i * 71));
        }
        aqm_neighbors_destroy(&tree);
        assert_null(tree);
    }
}

static void mean_distances_are_those_of_brute_force(void **state) {
    (void)state;
    static float points[3 * N], one[N], many[N];
    static Hit hits[N];
    for (int shape = 0; shape < SHAPES; shape++) {
        fill((Shape)shape, points);
        AqmNeighbors *tree = NULL;
        assert_int_equal(aqm_neighbors_create(&tree, points, N, 1, NULL), AQM_OK);
        assert_int_equal(aqm_neighbors_mean_knn_distance(tree, 20, 1, one, NULL), AQM_OK);
        assert_int_equal(aqm_neighbors_mean_knn_distance(tree, 20, 3, many, NULL), AQM_OK);
        assert_memory_equal(one, many, sizeof one);
        for (size_t i = 0; i < N; i += 13) {
            double sum = 0.0;
            brute_force(points, N, points + 3 * i, hits);
            for (int j = 1; j <= 20; j++) /* the first is the point itself, or one like it */
                sum += sqrt((double)hits[j].distance2);
            assert_true(fabs(one[i] - sum / 20.0) <= 1e-6 * (sum / 20.0));
        }
        aqm_neighbors_destroy(&tree);
    }
}

static void small_and_broken_clouds_are_fine(void **state) {
    (void)state;
    const float q[3] = {0, 0, 0}, two[6] = {3, 4, 0, 3, 4, 12};
    const float broken[15] = {NAN, 0, 0, 1, 0, 0, 0, INFINITY, 0, 4, 4, 0, 0, 0, -3e30f};
    AqmNeighbors *tree = NULL;
    float distance = -1.0f, mean[5] = {-1, -1, -1, -1, -1}, d2[5];
    uint32_t index[5];
    int found = -1;
    assert_int_equal(aqm_neighbors_create(&tree, NULL, 0, 2, NULL), AQM_OK);
    assert_int_equal(aqm_neighbors_nearest(tree, q, 5, index, d2, &found, NULL), AQM_OK);
    assert_int_equal(found, 0);
    assert_false(aqm_neighbors_distance(tree, q, INFINITY, &distance, NULL));
    assert_int_equal(aqm_neighbors_within(tree, q, 1e9f, NULL, 0), 0);
    assert_int_equal(aqm_neighbors_mean_knn_distance(tree, 3, 2, mean, NULL), AQM_OK);
    assert_true(mean[0] == -1.0f);
    aqm_neighbors_destroy(&tree);

    assert_int_equal(aqm_neighbors_create(&tree, two, 1, 2, NULL), AQM_OK);
    assert_int_equal(aqm_neighbors_mean_knn_distance(tree, 3, 2, mean, NULL), AQM_OK);
    assert_true(mean[0] == 0.0f && mean[1] == -1.0f);
    assert_true(aqm_neighbors_distance(tree, q, 5.0f, &distance, index)); /* inclusive */
    assert_true(distance == 5.0f && index[0] == 0);
    assert_false(aqm_neighbors_distance(tree, q, 4.9f, &distance, NULL));
    aqm_neighbors_destroy(&tree);

    assert_int_equal(aqm_neighbors_create(&tree, two, 2, 2, NULL), AQM_OK);
    assert_int_equal(aqm_neighbors_mean_knn_distance(tree, 3, 2, mean, NULL), AQM_OK);
    assert_true(mean[0] == 12.0f && mean[1] == 12.0f);
    aqm_neighbors_destroy(&tree);

    assert_int_equal(aqm_neighbors_create(&tree, broken, 5, 2, NULL), AQM_OK);
    assert_int_equal(aqm_neighbors_nearest(tree, q, 5, index, d2, &found, NULL), AQM_OK);
    assert_true(found == 2 && index[0] == 1 && index[1] == 3 && d2[1] == 32.0f);
    assert_int_equal(aqm_neighbors_mean_knn_distance(tree, 1, 2, mean, NULL), AQM_OK);
    assert_true(isnan(mean[0]) && mean[1] == 5.0f && isnan(mean[2]) && isnan(mean[4]));
    aqm_neighbors_destroy(&tree);
    aqm_neighbors_destroy(NULL);
}

/* 100 000 equal points, and as many with some a thousand kilometres away, are no harder than
 * others: without care each of their queries would visit all. */
static void heaps_and_strays_do_not_slow_the_search(void **state) {
    (void)state;
    enum { MANY = 100000 };
    float *points = aqm_calloc(MANY, 3 * sizeof(float)), *mean = aqm_calloc(MANY, sizeof(float));
    assert_true(points && mean);
    AqmNeighbors *tree = NULL;
    assert_int_equal(aqm_neighbors_create(&tree, points, MANY, 2, NULL), AQM_OK);
    assert_int_equal(aqm_neighbors_mean_knn_distance(tree, 20, 2, mean, NULL), AQM_OK);
    for (int i = 0; i < MANY; i++)
        assert_true(mean[i] == 0.0f);
    aqm_neighbors_destroy(&tree);
    AqmRng rng = aqm_rng(21, 0);
    for (size_t i = 0; i < MANY; i++)
        for (size_t a = 0; a < 3; a++)
            points[3 * i + a] =
                (float)(i % 7 ? 0.001 * aqm_rng_uniform(&rng) : 1e6 * aqm_rng_normal(&rng));
    const size_t before = aqm_alloc_count().live_bytes;
    assert_int_equal(aqm_neighbors_create(&tree, points, MANY, 2, NULL), AQM_OK);
    assert_true(aqm_alloc_count().live_bytes - before < 22 * MANY);
    assert_int_equal(aqm_neighbors_mean_knn_distance(tree, 20, 2, mean, NULL), AQM_OK);
    for (int i = 0; i < MANY; i++)
        assert_true(i % 7 ? mean[i] < 0.001f : mean[i] > 1000.0f);
    aqm_neighbors_destroy(&tree);
    aqm_free(points);
    aqm_free(mean);
}

static void lack_of_memory_is_reported_without_a_leak(void **state) {
    (void)state;
    static float points[3 * N], mean[N];
    fill(SURFACE, points);
    const size_t before = aqm_alloc_count().live_bytes;
    size_t n = 1;
    for (;; n++) {
        AqmNeighbors *tree = NULL;
        int found = 0;
        aqm_alloc_fail_from(n);
        AqmStatus status = aqm_neighbors_create(&tree, points, N, 1, NULL);
        if (status == AQM_OK)
            status = aqm_neighbors_mean_knn_distance(tree, 20, 1, mean, NULL);
        if (status == AQM_OK)
            status = aqm_neighbors_nearest(tree, points, 100, NULL, NULL, &found, NULL);
        aqm_alloc_fail_from(0);
        aqm_neighbors_destroy(&tree);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
        if (status == AQM_OK)
            break;
        assert_int_equal(status, AQM_ERROR_MEMORY);
    }
    assert_int_equal(n, 11);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_is_that_of_brute_force),
        cmocka_unit_test(mean_distances_are_those_of_brute_force),
        cmocka_unit_test(small_and_broken_clouds_are_fine),
        cmocka_unit_test(heaps_and_strays_do_not_slow_the_search),
        cmocka_unit_test(lack_of_memory_is_reported_without_a_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
