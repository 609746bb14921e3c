/* Detection on images whose blobs are given by formula: positions to 0.05 px, so that half a pixel
 * lost between octaves fails, scales, orientations, and descriptors that turn with the image. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/features.h"
#include "base/alloc.h"
#include "math/rng.h"

static AqmImage *blank(int width, int height, uint8_t value) {
    AqmImage *image = NULL;
    assert_int_equal(aqm_image_create(&image, width, height, 1, AQM_U8, NULL), AQM_OK);
    memset(image->data, value, image->stride * (size_t)height);
    return image;
}

static AqmFeatures *detect_with(const AqmImage *image, const AqmImage *mask, int most) {
    AqmFeatures *features = NULL;
    AqmDiag diag = {0};
    AqmFeatureOptions options = aqm_feature_options_default();
    options.max_keypoints = most;
    const AqmImageView view = aqm_image_view(image);
    AqmImageView keep = {0};
    if (mask)
        keep = aqm_image_view(mask);
    if (aqm_features_detect(&features, &view, mask ? &keep : NULL, &options, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    return features;
}

static AqmFeatures *detect(const AqmImage *image) {
    return detect_with(image, NULL, 2048);
}

typedef struct Blob {
    double u, v, sigma, height;
} Blob;

static void add_blob(double *levels, int width, int height, const Blob *blob) {
    const int reach = (int)(5.0 * blob->sigma) + 1;
    const int left = (int)fmax(blob->u - reach, 0), right = (int)fmin(blob->u + reach, width - 1);
    const int top = (int)fmax(blob->v - reach, 0), bottom = (int)fmin(blob->v + reach, height - 1);
    for (int y = top; y <= bottom; y++)
        for (int x = left; x <= right; x++) {
            const double dx = x - blob->u, dy = y - blob->v;
            levels[y * width + x] +=
                blob->height * exp(-0.5 * (dx * dx + dy * dy) / (blob->sigma * blob->sigma));
        }
}

/* Blobs on gray; rounding to levels is dithered, as noise would. */
static AqmImage *draw(int width, int height, const Blob *blobs, size_t count) {
    AqmImage *image = blank(width, height, 0);
    double *levels = aqm_calloc((size_t)width * (size_t)height, sizeof *levels);
    assert_non_null(levels);
    for (size_t k = 0; k < count; k++)
        add_blob(levels, width, height, &blobs[k]);
    AqmRng rng = aqm_rng(8, 1);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const double level = 110.0 + levels[y * width + x] + aqm_rng_uniform(&rng);
            ((uint8_t *)image->data)[(size_t)y * image->stride + (size_t)x] =
                (uint8_t)fmin(fmax(level, 0.0), 255.0);
        }
    aqm_free(levels);
    return image;
}

/* The strongest feature within 3 px of (u, v). */
static size_t nearest(const AqmFeatures *features, double u, double v) {
    for (size_t k = 0; k < features->count; k++)
        if (hypot((double)features->position[2 * k] - u,
                  (double)features->position[2 * k + 1] - v) < 3.0)
            return k;
    fail_msg("no feature at %g %g", u, v);
    return 0;
}

static void a_blob_is_found_where_it_is_in_every_octave(void **state) {
    (void)state;
    const Blob blobs[] = {{60.3, 50.7, 2.5, 90},     {150.45, 60.2, 3.7, -80},
                          {70.8, 150.1, 5.1, 90},    {160.6, 160.4, 7.3, 90},
                          {250.2, 100.9, 11.0, -80}, {260.7, 210.3, 3.0, 60}};
    const size_t count = sizeof blobs / sizeof *blobs;
    AqmImage *image = draw(320, 256, blobs, count);
    AqmFeatures *features = detect(image);
    for (size_t k = 0; k < count; k++) {
        const size_t f = nearest(features, blobs[k].u, blobs[k].v);
        const double du = (double)features->position[2 * f] - blobs[k].u;
        const double dv = (double)features->position[2 * f + 1] - blobs[k].v;
        print_message("sigma %.1f: off by %.4f %.4f px, scale %.3f\n", blobs[k].sigma, du, dv,
                      (double)features->scale[f]);
        assert_true(fabs(du) < 0.05 && fabs(dv) < 0.05);
        assert_true(fabs((double)features->scale[f] / blobs[k].sigma - 1.0) < 0.06);
        /* k = 2^(1/3): the largest answer to a blob of height 1 is (k - 1) / (k + 1) */
        const double expected = 0.11504 * fabs(blobs[k].height) / 255.0;
        assert_true(fabs((double)features->score[f] / expected - 1.0) < 0.05);
    }
    aqm_features_destroy(&features);
    aqm_image_destroy(&image);
}

/* A blob on a slope of brightness: more of its gradients point up the slope than elsewhere. */
static double orientation_towards(double angle) {
    const double u = 100.3, v = 90.6;
    AqmImage *image = draw(200, 180, &(Blob){u, v, 4.0, 30}, 1);
    uint8_t *pixels = image->data;
    AqmRng rng = aqm_rng(6, 6);
    for (int y = 0; y < 180; y++)
        for (int x = 0; x < 200; x++)
            pixels[(size_t)y * image->stride + (size_t)x] =
                (uint8_t)(pixels[(size_t)y * image->stride + (size_t)x] +
                          0.8 * ((x - u) * cos(angle) + (y - v) * sin(angle)) +
                          aqm_rng_uniform(&rng));
    AqmFeatures *features = detect(image);
    const double found = (double)features->orientation[nearest(features, u, v)];
    aqm_features_destroy(&features);
    aqm_image_destroy(&image);
    return found;
}

static void orientation_turns_with_the_image_from_u_to_v(void **state) {
    (void)state;
    for (int k = 0; k < 12; k++) {
        const double angle = 0.15 + 0.5235987755982988 * k, found = orientation_towards(angle);
        const double off = remainder(found - angle, 6.283185307179586);
        assert_true(fabs(off) < 0.1);
    }
}

static AqmImage *noise(int width, int height, uint64_t seed) {
    enum { COUNT = 400 };
    Blob blobs[COUNT];
    AqmRng rng = aqm_rng(seed, 5);
    for (int k = 0; k < COUNT; k++)
        blobs[k] = (Blob){width * aqm_rng_uniform(&rng), height * aqm_rng_uniform(&rng),
                          1.5 + 3.0 * aqm_rng_uniform(&rng), 40.0 * aqm_rng_normal(&rng)};
    return draw(width, height, blobs, COUNT);
}

/* The image turned by a quarter: pixel (x, y) goes to (height - 1 - y, x). */
static AqmImage *turned(const AqmImage *image) {
    AqmImage *out = blank(image->height, image->width, 0);
    for (int y = 0; y < image->height; y++)
        for (int x = 0; x < image->width; x++)
            ((uint8_t *)out->data)[(size_t)x * out->stride + (size_t)(image->height - 1 - y)] =
                ((const uint8_t *)image->data)[(size_t)y * image->stride + (size_t)x];
    return out;
}

static float distance2(const AqmFeatures *a, size_t i, const AqmFeatures *b, size_t j) {
    float sum = 0.0f;
    for (size_t k = 0; k < 128; k++) {
        const float d = a->descriptor[128 * i + k] - b->descriptor[128 * j + k];
        sum += d * d;
    }
    return sum;
}

/* Of sizes 2^k + 1 every octave's grid turns onto itself. */
static void descriptors_do_not_see_a_turn(void **state) {
    (void)state;
    AqmImage *image = noise(257, 193, 3), *other = turned(image);
    AqmFeatures *a = detect(image), *b = detect(other);
    size_t agree = 0;
    for (size_t i = 0; i < a->count; i++) {
        size_t best = 0;
        for (size_t j = 1; j < b->count; j++)
            if (distance2(a, i, b, j) < distance2(a, i, b, best))
                best = j;
        const double u = 192.0 - (double)a->position[2 * i + 1], v = (double)a->position[2 * i];
        const double off =
            hypot((double)b->position[2 * best] - u, (double)b->position[2 * best + 1] - v);
        const double turn =
            remainder((double)(b->orientation[best] - a->orientation[i]) - 1.5707963267948966,
                      6.283185307179586);
        agree += off < 0.05 && fabs(turn) < 0.01 && distance2(a, i, b, best) < 0.01f;
    }
    print_message("%zu features, %zu found again\n", a->count, agree);
    assert_true(a->count > 150 && (double)agree > 0.97 * (double)a->count);
    aqm_features_destroy(&a);
    aqm_features_destroy(&b);
    aqm_image_destroy(&image);
    aqm_image_destroy(&other);
}

static void what_is_given_keeps_its_promises(void **state) {
    (void)state;
    AqmImage *image = noise(300, 220, 5);
    AqmFeatures *all = detect(image), *few = detect_with(image, NULL, 50);
    assert_true(all->count > 150 && all->descriptor_size == 128);
    assert_int_equal(few->count, 50);
    for (size_t k = 0; k < all->count; k++) {
        double sum = 0.0;
        for (size_t i = 0; i < 128; i++)
            sum += (double)(all->descriptor[128 * k + i] * all->descriptor[128 * k + i]);
        assert_true(fabs(sum - 1.0) < 1e-5);
        assert_true(k == 0 || all->score[k] <= all->score[k - 1]);
        assert_true((double)all->score[k] >= 0.005 && isfinite(all->scale[k]));
        assert_true(fabs((double)all->orientation[k]) < 3.1416);
        assert_true(all->position[2 * k] > 0.0f && all->position[2 * k] < 299.0f);
        assert_true(all->position[2 * k + 1] > 0.0f && all->position[2 * k + 1] < 219.0f);
    }
    aqm_features_destroy(&all);
    aqm_features_destroy(&few);
    aqm_image_destroy(&image);
}

/* The left third has ten times the contrast. */
static void a_textured_corner_does_not_take_all(void **state) {
    (void)state;
    AqmImage *image = noise(600, 400, 9);
    uint8_t *pixels = image->data;
    for (int y = 0; y < 400; y++)
        for (int x = 200; x < 600; x++) {
            uint8_t *p = &pixels[(size_t)y * image->stride + (size_t)x];
            *p = (uint8_t)(110 + (*p - 110) / 4);
        }
    AqmFeatures *features = detect_with(image, NULL, 100);
    size_t right = 0;
    for (size_t k = 0; k < features->count; k++)
        right += features->position[2 * k] > 210.0f;
    print_message("%zu of %zu in the faint part\n", right, features->count);
    assert_int_equal(features->count, 100);
    assert_true(right >= 40); /* of two thirds of the area; by strength alone 22 would be */
    aqm_features_destroy(&features);
    aqm_image_destroy(&image);
}

static void what_is_masked_has_no_part_in_it(void **state) {
    (void)state;
    AqmImage *image = noise(300, 220, 6), *mask = blank(300, 220, 255);
    uint8_t *keep = mask->data, *pixels = image->data;
    for (int y = 0; y < 220; y++)
        memset(keep + (size_t)y * mask->stride + 180, 0, 120);
    AqmFeatures *before = detect_with(image, mask, 2048);
    for (int y = 0; y < 220; y++)
        for (int x = 180; x < 300; x++)
            pixels[(size_t)y * image->stride + (size_t)x] = (uint8_t)(x * y);
    AqmFeatures *after = detect_with(image, mask, 2048);
    assert_true(before->count > 50);
    assert_int_equal(before->count, after->count);
    for (size_t k = 0; k < before->count; k++) {
        assert_true(before->position[2 * k] < 180.0f);
        /* what little a blur carries over from beyond its three standard deviations */
        assert_true(distance2(before, k, after, k) < 1e-4f);
    }
    memset(mask->data, 0, mask->stride * 220);
    aqm_features_destroy(&after);
    after = detect_with(image, mask, 2048);
    assert_int_equal(after->count, 0);
    aqm_features_destroy(&before);
    aqm_features_destroy(&after);
    aqm_image_destroy(&image);
    aqm_image_destroy(&mask);
}

static void nothing_to_see_gives_no_features(void **state) {
    (void)state;
    static const int sizes[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 40};
    for (int i = 0; i < 10; i++)
        for (int j = 0; j < 10; j++) {
            AqmImage *image = blank(sizes[i], sizes[j], 77);
            AqmFeatures *features = detect(image);
            assert_int_equal(features->count, 0);
            aqm_features_destroy(&features);
            AqmRng rng = aqm_rng((uint64_t)i, (uint64_t)j);
            uint8_t *pixels = image->data;
            for (size_t k = 0; k < image->stride * (size_t)sizes[j]; k++)
                pixels[k] = (uint8_t)aqm_rng_u32(&rng); /* must not read beyond */
            features = detect(image);
            aqm_features_destroy(&features);
            aqm_image_destroy(&image);
        }
}

static void the_same_bytes_from_threads_and_kernels(void **state) {
    (void)state;
    enum { RUNS = 8 };
    AqmImage *image = noise(300, 220, 7);
    AqmFeatures *expected = detect(image), *found[RUNS] = {NULL};
    const AqmImageView view = aqm_image_view(image);
    const AqmFeatureOptions options = aqm_feature_options_default();
#pragma omp parallel for num_threads(4)
    for (int k = 0; k < RUNS; k++)
        if (aqm_features_detect(&found[k], &view, NULL, &options, NULL) != AQM_OK)
            abort();
    setenv("AQUAMVS_CPU_MASK", "15", 1);
    AqmFeatures *reference = detect(image);
    unsetenv("AQUAMVS_CPU_MASK");
    for (int k = 0; k <= RUNS; k++) {
        AqmFeatures **one = k < RUNS ? &found[k] : &reference;
        assert_int_equal((*one)->count, expected->count);
        assert_memory_equal((*one)->position, expected->position, 8 * expected->count);
        assert_memory_equal((*one)->orientation, expected->orientation, 4 * expected->count);
        assert_memory_equal((*one)->descriptor, expected->descriptor, 512 * expected->count);
        aqm_features_destroy(one);
    }
    aqm_features_destroy(&expected);
    aqm_image_destroy(&image);
}

static void wrong_arguments_are_refused_with_the_value(void **state) {
    (void)state;
    AqmFeatureOptions options = aqm_feature_options_default();
    AqmDiag diag = {0};
    assert_int_equal(aqm_feature_options_validate(&options, NULL), AQM_OK);
    options.max_keypoints = 15;
    assert_int_equal(aqm_feature_options_validate(&options, &diag), AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "15"));
    options = aqm_feature_options_default();
    options.detection_threshold = NAN;
    assert_int_equal(aqm_feature_options_validate(&options, NULL), AQM_ERROR_ARGUMENT);
    options = aqm_feature_options_default();
    AqmFeatures *features = NULL;
    AqmImage *image = blank(20, 10, 0), *mask = blank(10, 20, 0);
    AqmImageView view = aqm_image_view(image);
    const AqmImageView keep = aqm_image_view(mask);
    assert_int_equal(aqm_features_detect(&features, &view, &keep, &options, NULL),
                     AQM_ERROR_ARGUMENT);
    view.type = AQM_U16;
    assert_int_equal(aqm_features_detect(&features, &view, NULL, &options, NULL),
                     AQM_ERROR_ARGUMENT);
    assert_null(features);
    aqm_image_destroy(&image);
    aqm_image_destroy(&mask);
}

static void failed_allocations_leave_nothing_behind(void **state) {
    (void)state;
    AqmImage *image = noise(120, 90, 2), *mask = blank(120, 90, 255);
    const AqmImageView view = aqm_image_view(image), keep = aqm_image_view(mask);
    const AqmFeatureOptions options = aqm_feature_options_default();
    const size_t before = aqm_alloc_count().live_bytes;
    size_t n = 1;
    for (;; n++) {
        AqmFeatures *features = NULL;
        aqm_alloc_fail_from(n);
        const AqmStatus status = aqm_features_detect(&features, &view, &keep, &options, NULL);
        aqm_alloc_fail_from(0);
        assert_int_equal(features != NULL, status == AQM_OK);
        aqm_features_destroy(&features);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
        if (status == AQM_OK)
            break;
        assert_int_equal(status, AQM_ERROR_MEMORY);
    }
    assert_true(n > 10);
    aqm_image_destroy(&image);
    aqm_image_destroy(&mask);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_blob_is_found_where_it_is_in_every_octave),
        cmocka_unit_test(orientation_turns_with_the_image_from_u_to_v),
        cmocka_unit_test(descriptors_do_not_see_a_turn),
        cmocka_unit_test(what_is_given_keeps_its_promises),
        cmocka_unit_test(a_textured_corner_does_not_take_all),
        cmocka_unit_test(what_is_masked_has_no_part_in_it),
        cmocka_unit_test(nothing_to_see_gives_no_features),
        cmocka_unit_test(the_same_bytes_from_threads_and_kernels),
        cmocka_unit_test(wrong_arguments_are_refused_with_the_value),
        cmocka_unit_test(failed_allocations_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
