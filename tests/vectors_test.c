/* Geometry against reference vectors that AquaCal and OpenCV made in double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "geometry/lens.h"

/* NULL (with a line that says so) where the shared folder is not there; json_decref it. */
static json_t *load_vectors(void) {
    const char *shared = getenv("AQUAMVS_SHARED");
    char path[4096];
    snprintf(path, sizeof path, "%s/data/vectors/refraction_vectors.json", shared ? shared : ".");
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    if (!root)
        printf("skipped: no reference vectors at %s (set AQUAMVS_SHARED)\n", path);
    return root;
}

/* Numbers of a (nested) array, row by row; how many there were. */
static size_t read_numbers(const json_t *value, double *out, size_t capacity) {
    if (json_is_number(value)) {
        if (capacity > 0)
            *out = json_number_value(value);
        return 1;
    }
    size_t count = 0, index;
    json_t *item;
    json_array_foreach(value, index, item) {
        count += read_numbers(item, out + count, count < capacity ? capacity - count : 0);
    }
    return count;
}

static double number_of(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static double pixel_error(const double a[2], const double b[2]) {
    return hypot(a[0] - b[0], a[1] - b[1]);
}

static AqmCamera camera_of(const json_t *item) {
    const char *model = json_string_value(json_object_get(item, "model"));
    AqmCamera camera = {.lens = strstr(model, "fisheye") ? AQM_LENS_FISHEYE : AQM_LENS_PINHOLE};
    double size[2];
    assert_int_equal(read_numbers(json_object_get(item, "K"), camera.K, 9), 9);
    assert_true(read_numbers(json_object_get(item, "dist"), camera.distortion, 8) <= 8);
    assert_int_equal(read_numbers(json_object_get(item, "image_size"), size, 2), 2);
    camera.width = (int)size[0];
    camera.height = (int)size[1];
    return camera;
}

static void undistortion_matches_the_vectors(void **state) {
    (void)state;
    json_t *root = load_vectors();
    if (!root)
        skip();
    size_t index;
    json_t *item;
    static double data[4][4096];
    json_array_foreach(json_object_get(root, "undistortion"), index, item) {
        const AqmCamera camera = camera_of(item);
        double K_new[9], expected[9];
        assert_int_equal(read_numbers(json_object_get(item, "K_new"), expected, 9), 9);
        assert_int_equal(aqm_new_camera_matrix(&camera, K_new, NULL), AQM_OK);
        for (int i = 0; i < 9; i++)
            assert_true(fabs(K_new[i] - expected[i]) < 0.01);
        const char *keys[] = {"col", "row", "map_x", "map_y"};
        size_t count = 0;
        for (int i = 0; i < 4; i++)
            count = read_numbers(json_object_get(item, keys[i]), data[i], 4096);
        assert_true(count >= 100);
        for (size_t i = 0; i < count; i++) {
            double u, v;
            aqm_raw_from_undistorted(&camera, expected, data[0][i], data[1][i], &u, &v);
            assert_true(fabs(u - data[2][i]) < 0.001 && fabs(v - data[3][i]) < 0.001);
            aqm_raw_span_from_undistorted(&camera, expected, INFINITY, data[0][i], 1.0, data[1][i],
                                          1, &u, &v);
            assert_true(fabs(u - data[2][i]) < 0.001 && fabs(v - data[3][i]) < 0.001);
        }
    }
    assert_int_equal(index, 4);
    json_decref(root);
}

static AqmView vector_view(const json_t *root, const json_t *set) {
    const json_t *pose = json_object_get(json_object_get(root, "cameras"),
                                         json_string_value(json_object_get(set, "camera")));
    AqmCamera camera = {.name = "vector", .width = 1600, .height = 1200};
    double K[9];
    assert_int_equal(read_numbers(json_object_get(root, "K"), K, 9), 9);
    assert_int_equal(read_numbers(json_object_get(pose, "R"), camera.R, 9), 9);
    assert_int_equal(read_numbers(json_object_get(pose, "t"), camera.t, 3), 3);
    const AqmRig rig = {.camera_count = 1,
                        .cameras = &camera,
                        .water_z = number_of(set, "water_z"),
                        .n_air = number_of(set, "n_air"),
                        .n_water = number_of(set, "n_water")};
    AqmView view;
    assert_int_equal(aqm_view_create(&view, &rig, 0, K, NULL), AQM_OK);
    return view;
}

static void projections_match_the_vectors(void **state) {
    (void)state;
    json_t *root = load_vectors();
    if (!root)
        skip();
    size_t index, i, compared = 0;
    json_t *set, *item;
    json_array_foreach(json_object_get(root, "projection"), index, set) {
        const AqmView view = vector_view(root, set);
        json_array_foreach(json_object_get(set, "points"), i, item) {
            const json_t *expected = json_array_get(json_object_get(set, "pixels"), i);
            double p[3], want[2], got[2], fast[2];
            assert_int_equal(read_numbers(item, p, 3), 3);
            assert_int_equal(aqm_view_project(&view, p, got), !json_is_null(expected));
            assert_int_equal(aqm_view_project_fast(&view, p, fast), !json_is_null(expected));
            if (json_is_null(expected))
                continue;
            assert_int_equal(read_numbers(expected, want, 2), 2);
            assert_true(pixel_error(got, want) < 1e-6);
            assert_true(pixel_error(fast, got) < 1e-4);
            compared++;
        }
    }
    assert_int_equal(index, 8);
    assert_true(compared > 2000);
    json_decref(root);
}

static void rays_match_the_vectors(void **state) {
    (void)state;
    json_t *root = load_vectors();
    if (!root)
        skip();
    size_t index, i, compared = 0;
    json_t *set, *item;
    json_array_foreach(json_object_get(root, "back_projection"), index, set) {
        const AqmView view = vector_view(root, set);
        json_array_foreach(json_object_get(set, "pixels"), i, item) {
            const json_t *origin = json_array_get(json_object_get(set, "origins"), i);
            const json_t *direction = json_array_get(json_object_get(set, "directions"), i);
            double uv[2], o[3], d[3];
            AqmRay ray;
            assert_int_equal(read_numbers(item, uv, 2), 2);
            assert_int_equal(aqm_view_cast(&view, uv[0], uv[1], &ray), !json_is_null(origin));
            if (json_is_null(origin))
                continue;
            read_numbers(origin, o, 3);
            read_numbers(direction, d, 3);
            for (int k = 0; k < 3; k++) {
                assert_true(fabs(ray.origin[k] - o[k]) < 1e-9 * fmax(1.0, fabs(o[k])));
                assert_true(fabs(ray.direction[k] - d[k]) < 1e-9);
            }
            compared++;
        }
    }
    assert_int_equal(index, 8);
    assert_true(compared > 1000);
    json_decref(root);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(undistortion_matches_the_vectors),
        cmocka_unit_test(projections_match_the_vectors),
        cmocka_unit_test(rays_match_the_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
