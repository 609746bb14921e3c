#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "base/alloc.h"
#include "math/stats.h"
#include "stages/fusion/fusion_coarse.h"
#include "stages/fusion/fusion_scene.h"

/* Odd: the last column and row stand for nothing. 1.1 mm a pixel. */
enum { WIDTH = 161, HEIGHT = 121, VIEWS = 3 };
static const double FOCAL = 1000.0;

typedef struct Fixture {
    AqmSurfaceModel *model;
    Scene scene;
    AqmFusionOptions options;
    AqmCoarseViews coarse;
} Fixture;

static void fixture_make(Fixture *f, double amplitude, double slope) {
    f->model = scene_wave(amplitude, 0.05, slope);
    f->options = aqm_fusion_options_default();
    scene_make(&f->scene, VIEWS, WIDTH, HEIGHT, FOCAL, f->model);
}

static void coarsen(Fixture *f, double voxel_m) {
    f->options.voxel_size_m = voxel_m;
    scene_require(aqm_coarse_views_init(&f->coarse, f->scene.fusion, VIEWS, &f->options, NULL));
}

static void fixture_free(Fixture *f) {
    scene_free(&f->scene);
    aqm_surface_model_destroy(&f->model);
}

static void pixels_are_halved_while_they_fit_into_voxels(void **state) {
    (void)state;
    static const struct {
        double voxel_m;
        int step;
    } cases[] = {{0.0005, 1}, {0.0017, 1}, {0.0021, 2}, {0.0035, 2}, {0.006, 4}, {0.1, 4}};
    Fixture f;
    fixture_make(&f, 0.0, 0.0);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        coarsen(&f, cases[k].voxel_m);
        for (size_t i = 0; i < VIEWS; i++) {
            const AqmFusionView *view = &f.coarse.views[i];
            assert_int_equal(f.coarse.steps[i], cases[k].step);
            assert_int_equal(view->depth->width, WIDTH / cases[k].step);
            assert_int_equal(view->depth->height, HEIGHT / cases[k].step);
            assert_int_equal(view->view->width, view->depth->width);
            assert_int_equal(view->color->height, view->depth->height);
            if (cases[k].step == 1)
                assert_ptr_equal(view->depth, f.scene.maps[i]);
        }
        aqm_coarse_views_free(&f.coarse);
    }
    fixture_free(&f);
}

/* A camera off by half a pixel of the given map puts the points 0.2 mm off the slopes. */
static void coarse_pixels_lie_on_the_surface(void **state) {
    (void)state;
    Fixture f;
    fixture_make(&f, 0.002, 0.3);
    coarsen(&f, 0.006);
    size_t count = 0;
    double worst = 0.0;
    for (size_t i = 0; i < VIEWS; i++) {
        const AqmFusionView *view = &f.coarse.views[i];
        assert_int_equal(f.coarse.steps[i], 4);
        for (int v = 0; v < view->depth->height; v++)
            for (int u = 0; u < view->depth->width; u++) {
                AqmRay ray;
                double point[3];
                const float depth = view->depth->depth_m[v * view->depth->width + u];
                assert_true(depth > 0.0f && aqm_view_cast(view->view, u, v, &ray));
                for (int k = 0; k < 3; k++)
                    point[k] = ray.origin[k] + (double)depth * ray.direction[k];
                worst = fmax(worst, fabs(aqm_surface_distance(f.model, point)));
                count++;
            }
    }
    print_message("%zu coarse points, at most %.4f mm off\n", count, 1e3 * worst);
    assert_int_equal(count, VIEWS * (WIDTH / 4) * (HEIGHT / 4));
    /* a wave of 2 mm bends by 32 / m: the mean over 4 px of 1.1 mm sags by 5 / 4 px^2 half of it */
    assert_true(worst < 0.00004);
    aqm_coarse_views_free(&f.coarse);
    fixture_free(&f);
}

static float *depth_at(Fixture *f, int u, int v) {
    return f->scene.maps[0]->depth_m + v * WIDTH + u;
}

/* Of four pixels, a pair that face each other is enough; one surface must hold all that count. */
static void means_are_of_what_is_usable_and_of_one_surface(void **state) {
    (void)state;
    Fixture f;
    fixture_make(&f, 0.0, 0.0);
    AqmDepthMap *map = f.scene.maps[0];
    for (int k = 0; k < WIDTH * HEIGHT; k++) {
        map->depth_m[k] = 0.3f + 0.0001f * (float)(k % WIDTH) + 0.0002f * (float)(k / WIDTH);
        map->confidence[k] = 0.5f;
        map->sigma_m[k] = 0.001f;
    }
    *depth_at(&f, 10, 10) = NAN;                         /* 5, 5: the other pair */
    *depth_at(&f, 20, 10) = *depth_at(&f, 21, 10) = NAN; /* 10, 5: no pair */
    *depth_at(&f, 30, 10) += 0.1f;                       /* 15, 5: a step */
    map->confidence[10 * WIDTH + 41] = 0.01f;            /* 20, 5: as if it were not there */
    map->depth_m[10 * WIDTH + 41] += 0.1f;
    map->sigma_m[10 * WIDTH + 50] = 0.003f; /* 25, 5 */
    map->sigma_m[10 * WIDTH + 60] = NAN;    /* 30, 5: not known */
    map->confidence[10 * WIDTH + 70] = 0.9f;
    coarsen(&f, 0.0021);
    const AqmDepthMap *half = f.coarse.views[0].depth;
    const float *row = half->depth_m + 5 * half->width, *sigma = half->sigma_m + 5 * half->width;
    for (int x = 0; x < half->width; x++) {
        const double mean = 0.3 + 0.0001 * (2 * x + 0.5) + 0.0002 * 10.5;
        assert_true(x == 10 || x == 15 ? isnan(row[x]) : fabs((double)row[x] - mean) < 1e-7);
    }
    const float *confidence = half->confidence + 5 * half->width;
    assert_true(confidence[10] == 0.0f && confidence[15] == 0.0f && isnan(sigma[10]));
    assert_true(confidence[20] == 0.5f && fabsf(confidence[35] - 0.6f) < 1e-6f);
    assert_true(fabsf(sigma[25] - 0.0015f) < 1e-8f && isnan(sigma[30]) && row[30] > 0.0f);
    aqm_coarse_views_free(&f.coarse);
    fixture_free(&f);
}

static void colors_are_means(void **state) {
    (void)state;
    Fixture f;
    fixture_make(&f, 0.0, 0.0);
    AqmImage *bytes = NULL, *words = NULL;
    scene_require(aqm_image_create(&bytes, WIDTH, HEIGHT, 3, AQM_U8, NULL));
    scene_require(aqm_image_create(&words, WIDTH, HEIGHT, 1, AQM_U16, NULL));
    for (int v = 0; v < HEIGHT; v++)
        for (int u = 0; u < WIDTH; u++) {
            uint8_t *p = (uint8_t *)bytes->data + (size_t)v * bytes->stride + 3 * u;
            p[0] = (uint8_t)u, p[1] = (uint8_t)v, p[2] = 255;
            ((uint16_t *)((char *)words->data + (size_t)v * words->stride))[u] =
                (uint16_t)(65535 - 3 * u - v);
        }
    f.scene.colors[0] = aqm_image_view(bytes);
    f.scene.colors[1] = aqm_image_view(words);
    f.scene.fusion[2].color = NULL;
    coarsen(&f, 0.0021);
    const AqmImageView *a = f.coarse.views[0].color, *b = f.coarse.views[1].color;
    for (int v = 0; v < HEIGHT / 2; v++)
        for (int u = 0; u < WIDTH / 2; u++) {
            const uint8_t *p = (const uint8_t *)a->data + (size_t)v * a->stride + 3 * u;
            const uint16_t *q =
                (const uint16_t *)(const void *)((const char *)b->data + (size_t)v * b->stride);
            assert_int_equal(p[0], 2 * u + 1); /* 2 u + 0.5, rounded up */
            assert_int_equal(p[1], 2 * v + 1);
            assert_int_equal(p[2], 255);
            assert_int_equal(q[u], 65535 - 6 * u - 2 * v - 2);
        }
    assert_null(f.coarse.views[2].color);
    aqm_coarse_views_free(&f.coarse);
    aqm_image_destroy(&bytes);
    aqm_image_destroy(&words);
    fixture_free(&f);
}

/* Of unknown spacing: as it is. */
static void maps_without_depths_stay(void **state) {
    (void)state;
    Fixture f;
    fixture_make(&f, 0.0, 0.0);
    for (int k = 0; k < WIDTH * HEIGHT; k++)
        f.scene.maps[1]->depth_m[k] = NAN;
    coarsen(&f, 0.0021);
    assert_int_equal(f.coarse.steps[0], 2);
    assert_int_equal(f.coarse.steps[1], 1);
    assert_ptr_equal(f.coarse.views[1].depth, f.scene.maps[1]);
    aqm_coarse_views_free(&f.coarse);
    fixture_free(&f);
}

/* A thinned view has some of the pixels, and the rays of these. */
static void thinned_views_are_some_of_the_pixels(void **state) {
    (void)state;
    Fixture f;
    fixture_make(&f, 0.002, 0.3);
    for (int step = 1; step <= 4; step++) {
        scene_require(aqm_thin_views_init(&f.coarse, f.scene.fusion, VIEWS, step, 2, NULL));
        const AqmFusionView *given = &f.scene.fusion[1], *thin = &f.coarse.views[1];
        assert_int_equal(thin->depth->width, (WIDTH + step - 1) / step);
        assert_int_equal(thin->depth->height, (HEIGHT + step - 1) / step);
        assert_int_equal(f.coarse.steps[1], step);
        for (int v = 0; v < thin->depth->height; v++)
            for (int u = 0; u < thin->depth->width; u++) {
                AqmRay ray, expected;
                const int at = v * thin->depth->width + u, from = step * (v * WIDTH + u);
                assert_true(thin->depth->depth_m[at] == given->depth->depth_m[from]);
                assert_true(thin->depth->confidence[at] == given->depth->confidence[from]);
                assert_true(aqm_view_cast(thin->view, u, v, &ray));
                assert_true(aqm_view_cast(given->view, u * step, v * step, &expected));
                for (int k = 0; k < 3; k++)
                    assert_true(fabs(ray.direction[k] - expected.direction[k]) < 1e-12);
            }
        aqm_coarse_views_free(&f.coarse);
    }
    fixture_free(&f);
}

static double median_sigma(Fixture *f, double voxel_m) {
    AqmCloud *cloud = NULL;
    f->options.voxel_size_m = voxel_m;
    scene_require(aqm_fuse(f->scene.fusion, VIEWS, &f->options, &cloud, NULL));
    assert_true(cloud->count > 1000);
    const double median = (double)aqm_select_f32(cloud->sigma_m, cloud->count, cloud->count / 2);
    aqm_cloud_destroy(&cloud);
    return median;
}

/* On a wave, sigma is what windows take from it: they are as large as they were. */
static void sigma_does_not_depend_on_the_voxels(void **state) {
    (void)state;
    Fixture f;
    fixture_make(&f, 0.002, 0.0);
    for (size_t i = 0; i < VIEWS; i++)
        for (int k = 0; k < WIDTH * HEIGHT; k++)
            f.scene.maps[i]->sigma_m[k] = 1e-6f;
    const double fine = median_sigma(&f, 0.0017), coarse = median_sigma(&f, 0.0021);
    print_message("sigma %.5f mm, of halved maps %.5f mm\n", 1e3 * fine, 1e3 * coarse);
    assert_true(fabs(coarse / fine - 1.0) < 0.15);
    fixture_free(&f);
}

static AqmStatus make(Fixture *f, int thinned, AqmDiag *diag) {
    return thinned ? aqm_thin_views_init(&f->coarse, f->scene.fusion, VIEWS, 2, 1, diag)
                   : aqm_coarse_views_init(&f->coarse, f->scene.fusion, VIEWS, &f->options, diag);
}

static void failed_allocations_leave_nothing_behind(void **state) {
    (void)state;
    Fixture f;
    fixture_make(&f, 0.0, 0.0);
    f.options.voxel_size_m = 0.006;
    const size_t before = aqm_alloc_count().live_bytes;
    for (int thinned = 0; thinned < 2; thinned++) {
        size_t n = 1;
        AqmStatus status = AQM_ERROR_MEMORY;
        for (; status != AQM_OK; n++) {
            AqmDiag diag = {0};
            aqm_alloc_fail_from(n);
            status = make(&f, thinned, &diag);
            aqm_alloc_fail_from(0);
            assert_true(status == AQM_OK || status == AQM_ERROR_MEMORY);
            assert_int_equal(diag.status, status);
            assert_true(status == AQM_OK || aqm_alloc_count().live_bytes == before);
        }
        aqm_coarse_views_free(&f.coarse);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
        assert_true(n > (thinned ? 1 : 2) * VIEWS * 4);
    }
    fixture_free(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_are_halved_while_they_fit_into_voxels),
        cmocka_unit_test(coarse_pixels_lie_on_the_surface),
        cmocka_unit_test(means_are_of_what_is_usable_and_of_one_surface),
        cmocka_unit_test(colors_are_means),
        cmocka_unit_test(maps_without_depths_stay),
        cmocka_unit_test(thinned_views_are_some_of_the_pixels),
        cmocka_unit_test(sigma_does_not_depend_on_the_voxels),
        cmocka_unit_test(failed_allocations_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
