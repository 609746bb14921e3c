#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/surface.h"
#include "base/alloc.h"
#include "geometry/mesh_shape.h"
#include "math/rng.h"
#include "math/vec.h"
#include "stages/surface/test_clouds.h"

static const double PI = 3.141592653589793;

/* The colour tells which point it is. */
static void add_point(AqmCloud *cloud, const double position[3], const double normal[3]) {
    const size_t i = cloud->count++;
    assert_true(i < cloud->capacity);
    for (int k = 0; k < 3; k++) {
        cloud->position[3 * i + k] = (float)position[k];
        cloud->normal[3 * i + k] = normal ? (float)normal[k] : 0.0f;
        cloud->color[3 * i + k] = (uint8_t)(i >> 8 * k);
    }
    cloud->confidence[i] = 0.5f;
    cloud->sigma_m[i] = (float)i;
    cloud->views[i] = (uint8_t)(i % 7);
}

static const double UP[3] = {0.0, 0.0, -1.0};

/* 5 mm waves of 50 mm over a tilted floor. */
static double wave(double x, double y) {
    return 1.2 + 0.1 * y + 0.005 * sin(2.0 * PI / 0.05 * x + 0.4);
}

/* A point in each square of 1 mm at a random place, as the mean of those in it would be: near the
 * middle more often than not. `keep` (may be NULL) says which. */
static AqmCloud *wave_cloud(int side, double noise, bool (*keep)(double, double)) {
    AqmCloud *cloud = empty_cloud((size_t)side * (size_t)side);
    AqmRng rng = aqm_rng(5, 0);
    for (int j = 0; j < side; j++)
        for (int i = 0; i < side; i++) {
            const double u = 0.5 * (aqm_rng_uniform(&rng) + aqm_rng_uniform(&rng));
            const double v = 0.5 * (aqm_rng_uniform(&rng) + aqm_rng_uniform(&rng));
            const double x = 0.001 * (i - side / 2 + u), y = 0.001 * (j - side / 2 + v);
            const double z = wave(x, y) + noise * aqm_rng_normal(&rng);
            if (!keep || keep(x, y))
                add_point(cloud, (const double[3]){x, y, z}, UP);
        }
    return cloud;
}

static AqmMesh *make_mesh_with(const AqmCloud *cloud, const double *radii, size_t count) {
    const AqmBpaOptions options = {.radii_m = radii, .radius_count = count, .threads = 1};
    AqmMesh *mesh = NULL;
    AqmDiag diag = {0};
    if (aqm_surface_bpa(cloud, &options, &mesh, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    return mesh;
}

static AqmMesh *make_mesh(const AqmCloud *cloud) {
    return make_mesh_with(cloud, NULL, 0);
}

static int by_vertices(const void *a, const void *b) {
    return memcmp(a, b, 3 * sizeof(uint32_t));
}

static void assert_no_triangle_twice(const AqmMesh *mesh) {
    uint32_t(*sorted)[3] = malloc(mesh->triangle_count * sizeof *sorted);
    for (size_t i = 0; i < mesh->triangle_count; i++) {
        uint32_t *t = memcpy(sorted[i], mesh->triangles + 3 * i, sizeof *sorted);
        for (int k = 0; k < 3; k++) /* three comparisons sort three values */
            if (t[k / 2] > t[k / 2 + 1]) {
                const uint32_t swap = t[k / 2];
                t[k / 2] = t[k / 2 + 1], t[k / 2 + 1] = swap;
            }
        if (t[0] > t[1]) {
            const uint32_t swap = t[0];
            t[0] = t[1], t[1] = swap;
        }
    }
    qsort(sorted, mesh->triangle_count, sizeof *sorted, by_vertices);
    for (size_t i = 1; i < mesh->triangle_count; i++)
        assert_true(by_vertices(sorted[i - 1], sorted[i]) != 0);
    free(sorted);
}

/* What holds of every result. */
static AqmMeshShape assert_sound(const AqmMesh *mesh) {
    AqmMeshShape shape;
    assert_int_equal(aqm_mesh_shape(mesh, &shape, NULL), AQM_OK);
    assert_true(mesh->triangle_count > 0);
    assert_int_equal(shape.non_manifold_edges, 0);
    assert_int_equal(shape.flipped_edges, 0);
    assert_int_equal(shape.degenerate_triangles, 0);
    assert_int_equal(shape.unused_vertices, 0);
    assert_no_triangle_twice(mesh);
    return shape;
}

/* 1 for a disc, 2 for a sphere; each hole takes one off. */
static long euler(const AqmMesh *mesh, const AqmMeshShape *shape) {
    return (long)mesh->vertex_count - (long)shape->edges + (long)mesh->triangle_count;
}

static void face(const AqmMesh *mesh, size_t triangle, double normal[3], double middle[3]) {
    const uint32_t *t = mesh->triangles + 3 * triangle;
    double side[2][3];
    for (int k = 0; k < 3; k++) {
        const double a = (double)mesh->position[3 * (size_t)t[0] + k];
        const double b = (double)mesh->position[3 * (size_t)t[1] + k];
        const double c = (double)mesh->position[3 * (size_t)t[2] + k];
        side[0][k] = b - a, side[1][k] = c - a;
        middle[k] = (a + b + c) / 3.0;
    }
    aqm_cross3(side[0], side[1], normal);
}

/* ---- surfaces -------------------------------------------------------------------------------- */

static void a_noisy_sheet_becomes_one_closed_sheet(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(200, 0.00007, NULL);
    AqmMesh *mesh = make_mesh(cloud);
    const AqmMeshShape shape = assert_sound(mesh);
    double squares = 0.0;
    size_t tilted_over = 0;
    for (size_t i = 0; i < mesh->triangle_count; i++) {
        double normal[3], middle[3];
        face(mesh, i, normal, middle);
        tilted_over += !(normal[2] < 0.0);
        squares += pow(middle[2] - wave(middle[0], middle[1]), 2.0);
    }
    const double rms_mm = 1000.0 * sqrt(squares / (double)mesh->triangle_count);
    print_message("sheet: %zu of %zu points used, RMS %.4f mm, area %.6f m2\n", mesh->vertex_count,
                  cloud->count, rms_mm, shape.area_m2);
    assert_int_equal(shape.components, 1);
    assert_int_equal(euler(mesh, &shape), 1); /* no holes */
    assert_true(mesh->vertex_count > cloud->count * 9 / 10);
    /* means of three of the noise of 0.07 mm, and chords of 1 mm that sag by 0.01 mm */
    assert_true(rms_mm < 0.06);
    assert_true(tilted_over <= 5); /* slivers that close the last holes */
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

/* Four points of a square lie on one circle, and all coordinates are exact. */
static void a_regular_grid_is_two_triangles_a_square(void **state) {
    (void)state;
    enum { N = 40 };
    AqmCloud *cloud = empty_cloud(N * N);
    for (int i = 0; i < N * N; i++)
        add_point(cloud, (const double[3]){0.25 * (i % N), 0.25 * (i / N), 2.0}, UP);
    const double radii[] = {0.1875, 0.5};
    for (int round = 0; round < 2; round++) {
        AqmMesh *mesh = round ? make_mesh(cloud) : make_mesh_with(cloud, radii, 2);
        const AqmMeshShape shape = assert_sound(mesh);
        assert_int_equal(mesh->triangle_count, 2 * (N - 1) * (N - 1));
        assert_int_equal(euler(mesh, &shape), 1);
        assert_true(fabs(shape.area_m2 - 0.0625 * (N - 1) * (N - 1)) < 1e-6);
        aqm_mesh_destroy(&mesh);
    }
    aqm_cloud_destroy(&cloud);
}

/* Fibonacci's spiral: even, and no four points on a circle. sign: of the normals; 0 = none. */
static AqmCloud *sphere_cloud(int count, double radius, double sign) {
    AqmCloud *cloud = empty_cloud((size_t)count);
    for (int i = 0; i < count; i++) {
        const double z = 1.0 - 2.0 * (i + 0.5) / count, turn = 2.399963229728653 * i;
        const double s = sqrt(1.0 - z * z), n[3] = {s * cos(turn), s * sin(turn), z};
        const double p[3] = {radius * n[0], radius * n[1], 1.0 + radius * n[2]};
        add_point(cloud, p, (const double[3]){sign * n[0], sign * n[1], sign * n[2]});
    }
    return cloud;
}

static void a_sphere_is_closed_and_faces_as_its_normals(void **state) {
    (void)state;
    const double volume = 4.0 / 3.0 * PI * 0.001;
    for (int sign = -1; sign <= 1; sign++) {
        AqmCloud *cloud = sphere_cloud(8000, 0.1, sign);
        AqmMesh *mesh = make_mesh(cloud);
        const AqmMeshShape shape = assert_sound(mesh);
        assert_true(shape.is_watertight);
        assert_int_equal(mesh->vertex_count, 8000);
        assert_int_equal(euler(mesh, &shape), 2);
        /* outwards unless the normals say otherwise: balls that see no normals roll outside */
        assert_true(fabs((sign < 0 ? -1.0 : 1.0) * shape.volume_m3 / volume - 1.0) < 0.002);
        for (size_t i = 0; i < mesh->vertex_count; i++) {
            const float *p = mesh->position + 3 * i, *n = mesh->normal + 3 * i;
            const float along = (n[0] * p[0] + n[1] * p[1] + n[2] * (p[2] - 1.0f)) / 0.1f;
            assert_true((sign < 0 ? -along : along) > 0.995f);
        }
        aqm_mesh_destroy(&mesh);
        aqm_cloud_destroy(&cloud);
    }
}

/* Balls that fall through gaps of an uneven cloud must not go on from below. */
static void a_sheet_without_normals_faces_up_and_is_whole(void **state) {
    (void)state;
    enum { N = 10000 };
    AqmCloud *cloud = empty_cloud(N);
    AqmRng rng = aqm_rng(9, 0);
    for (int i = 0; i < N; i++) { /* uneven: not one in each square */
        const double x = 0.1 * aqm_rng_uniform(&rng), y = 0.1 * aqm_rng_uniform(&rng);
        add_point(cloud, (const double[3]){x, y, wave(x, y)}, NULL);
    }
    AqmMesh *mesh = make_mesh(cloud);
    const AqmMeshShape shape = assert_sound(mesh);
    assert_int_equal(shape.components, 1);
    assert_int_equal(euler(mesh, &shape), 1);
    for (size_t i = 0; i < mesh->triangle_count; i++) {
        double normal[3], middle[3];
        face(mesh, i, normal, middle);
        assert_true(normal[2] < 0.0);
    }
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

/* Two sheets 0.4 mm apart, facing away from each other: normals alone keep them apart. */
static void a_thin_plate_stays_two_sheets(void **state) {
    (void)state;
    AqmCloud *cloud = empty_cloud(5000);
    AqmRng rng = aqm_rng(3, 0);
    for (int i = 0; i < 5000; i++) {
        const double x = 0.001 * (i % 2500 % 50 + aqm_rng_uniform(&rng));
        const double y = 0.001 * (i % 2500 / 50 + aqm_rng_uniform(&rng));
        const double down = i < 2500 ? -1.0 : 1.0;
        add_point(cloud, (const double[3]){x, y, 1.0 + 0.0002 * down},
                  (const double[3]){0.0, 0.0, down});
    }
    AqmMesh *mesh = make_mesh_with(cloud, (const double[]){0.002}, 1);
    assert_sound(mesh);
    size_t sheet[2] = {0};
    for (size_t i = 0; i < mesh->triangle_count; i++) {
        double normal[3], middle[3];
        face(mesh, i, normal, middle);
        if (fabs(middle[2] - 1.0) > 0.000199) {
            assert_true((normal[2] > 0.0) == (middle[2] > 1.0));
            sheet[middle[2] > 1.0]++;
        }
    }
    assert_true(sheet[0] > 3000 && sheet[1] > 3000);
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

/* ---- radii ----------------------------------------------------------------------------------- */

static bool quarter_beyond_zero(double x, double y) {
    return x < 0.0 || ((int)floor(x * 1000.0) % 2 == 0 && (int)floor((y + 1.0) * 1000.0) % 2 == 0);
}

static void larger_balls_go_on_where_smaller_ones_stop(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(80, 0.0, quarter_beyond_zero);
    const double radii[] = {0.003, 0.0012}; /* in any order */
    AqmMesh *small = make_mesh_with(cloud, radii + 1, 1), *both = make_mesh_with(cloud, radii, 2);
    assert_sound(small);
    const AqmMeshShape shape = assert_sound(both);
    print_message("two densities: area %.6f m2\n", shape.area_m2);
    assert_int_equal(shape.components, 1);
    assert_int_equal(euler(both, &shape), 1);
    double reach[2] = {0};
    for (int k = 0; k < 2; k++) {
        const AqmMesh *mesh = k ? both : small;
        for (size_t i = 0; i < mesh->triangle_count; i++) {
            double normal[3], middle[3];
            face(mesh, i, normal, middle);
            reach[k] += middle[0] > 0.002 ? 0.5 * aqm_norm3(normal) : 0.0;
        }
    }
    assert_true(reach[0] < 0.5 * reach[1]);
    aqm_mesh_destroy(&small);
    aqm_mesh_destroy(&both);
    aqm_cloud_destroy(&cloud);
}

static bool outside_discs(double x, double y) {
    return hypot(x - 0.02, y) > 0.002 && hypot(x + 0.02, y) > 0.012;
}

static void a_ball_closes_what_it_cannot_fall_through(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(100, 0.0, outside_discs);
    AqmMesh *mesh = make_mesh(cloud);
    const AqmMeshShape shape = assert_sound(mesh);
    assert_int_equal(euler(mesh, &shape), 0); /* one hole is left */
    for (size_t i = 0; i < mesh->triangle_count; i++) {
        double normal[3], middle[3];
        face(mesh, i, normal, middle);
        assert_true(hypot(middle[0] + 0.02, middle[1]) > 0.010);
    }
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

/* A ball that slips through between three points of a grid of triangles leaves a hole of three
 * edges, which no ball of this radius can close. */
static void a_hole_of_three_edges_is_closed(void **state) {
    (void)state;
    enum { N = 12 };
    AqmCloud *cloud = empty_cloud(N * N);
    for (int j = 0; j < N; j++)
        for (int i = 0; i < N; i++) {
            double p[3] = {0.01 * (i + 0.5 * (j % 2)), 0.01 * 0.8660254 * j, 1.0};
            /* the corners of one triangle, moved off its middle: its circle grows by a fifth */
            const double middle[2] = {0.055, 0.01 * (0.8660254 * 4 + 0.2886751)};
            if (hypot(p[0] - middle[0], p[1] - middle[1]) < 0.006)
                for (int k = 0; k < 2; k++)
                    p[k] += 0.2 * (p[k] - middle[k]);
            add_point(cloud, p, UP);
        }
    AqmMesh *mesh = make_mesh_with(cloud, (const double[]){0.0066}, 1);
    const AqmMeshShape shape = assert_sound(mesh);
    assert_int_equal(euler(mesh, &shape), 1);
    assert_int_equal(shape.components, 1);
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

static void radii_far_apart_cost_no_more_time(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(300, 0.00007, NULL);
    /* the smallest reaches nothing, the next has all the points within reach of every edge */
    AqmMesh *mesh = make_mesh_with(cloud, (const double[]){1e-6, 0.1}, 2);
    assert_sound(mesh);
    print_message("radii of 0.001 and 100 mm: %zu vertices\n", mesh->vertex_count);
    assert_true(mesh->vertex_count < 1000);
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

/* ---- points ---------------------------------------------------------------------------------- */

static void vertices_are_points_with_all_that_is_known(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(40, 0.00005, NULL);
    for (size_t i = 0; i < cloud->count; i += 3)
        memset(cloud->normal + 3 * i, 0, 3 * sizeof(float));
    AqmMesh *mesh = make_mesh(cloud);
    assert_sound(mesh);
    for (size_t v = 0; v < mesh->vertex_count; v++) {
        const uint8_t *c = mesh->color + 3 * v;
        const size_t i = c[0] | (size_t)c[1] << 8 | (size_t)c[2] << 16;
        const float *n = mesh->normal + 3 * v;
        assert_memory_equal(mesh->position + 3 * v, cloud->position + 3 * i, 3 * sizeof(float));
        assert_true(mesh->sigma_m[v] == cloud->sigma_m[i]);
        assert_int_equal(mesh->views[v], cloud->views[i]);
        if (i % 3 != 0)
            assert_memory_equal(n, cloud->normal + 3 * i, 3 * sizeof(float));
        else /* from the triangles: waves tilt by up to 32 degrees, the floor by 6 */
            assert_true(fabsf(n[0] * n[0] + n[1] * n[1] + n[2] * n[2] - 1.0f) < 1e-5f &&
                        n[2] < -0.75f);
    }
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

static void points_given_several_times_change_nothing(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(60, 0.00005, NULL), *copies = empty_cloud(5 * cloud->count);
    for (size_t i = 0; i < 5 * cloud->count; i++) {
        const float *p = cloud->position + 3 * (i / 5);
        add_point(copies, (const double[3]){(double)p[0], (double)p[1], (double)p[2]}, UP);
    }
    AqmMesh *once = make_mesh(cloud), *often = make_mesh(copies);
    assert_int_equal(often->vertex_count, once->vertex_count);
    assert_int_equal(often->triangle_count, once->triangle_count);
    assert_memory_equal(often->position, once->position, 12 * once->vertex_count);
    assert_memory_equal(often->triangles, once->triangles, 12 * once->triangle_count);
    aqm_mesh_destroy(&once);
    aqm_mesh_destroy(&often);
    aqm_cloud_destroy(&cloud);
    aqm_cloud_destroy(&copies);
}

static void far_and_broken_points_cost_nothing(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(60, 0.00005, NULL), *broken = empty_cloud(cloud->count + 2000);
    for (size_t i = 0; i < cloud->count; i++) {
        const float *p = cloud->position + 3 * i;
        add_point(broken, (const double[3]){(double)p[0], (double)p[1], (double)p[2]}, UP);
    }
    const double odd[][3] = {{NAN, 0, 1},  {0, INFINITY, 1}, {0, 0, -INFINITY}, {1e6, 1e6, 1e6},
                             {1e30, 0, 1}, {-3e38, 3e38, 0}, {1e6, -1e6, 1}};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        add_point(broken, odd[i], UP);
    AqmRng rng = aqm_rng(1, 0);
    for (int i = 0; i < 1000; i++)
        add_point(broken,
                  (const double[3]){1e4 * aqm_rng_normal(&rng), 1e4 * aqm_rng_normal(&rng), 0}, UP);
    const double radii[] = {0.0015, 0.003};
    aqm_alloc_reset_peak();
    const size_t before = aqm_alloc_count().live_bytes;
    AqmMesh *with = make_mesh_with(broken, radii, 2);
    assert_true(aqm_alloc_count().peak_bytes - before < 4u << 20);
    AqmMesh *without = make_mesh_with(cloud, radii, 2);
    assert_int_equal(with->triangle_count, without->triangle_count);
    assert_int_equal(with->vertex_count, without->vertex_count);
    aqm_mesh_destroy(&with);
    with = make_mesh(broken); /* nor does it unsettle the choice of radii */
    const AqmMeshShape shape = assert_sound(with);
    assert_int_equal(euler(with, &shape), 1);
    aqm_mesh_destroy(&with);
    aqm_mesh_destroy(&without);
    aqm_cloud_destroy(&cloud);
    aqm_cloud_destroy(&broken);
}

/* ---- nothing to work on ---------------------------------------------------------------------- */

static void assert_no_data(const AqmCloud *cloud, const double *radius, const char *why) {
    AqmMesh *mesh = NULL;
    AqmDiag diag = {0};
    const AqmBpaOptions options = {.radii_m = radius, .radius_count = radius != NULL, .threads = 1};
    assert_int_equal(aqm_surface_bpa(cloud, &options, &mesh, &diag), AQM_ERROR_NO_DATA);
    if (!strstr(diag.message, why))
        fail_msg("\"%s\" does not say \"%s\"", diag.message, why);
    assert_null(mesh);
}

static void too_little_data_is_said(void **state) {
    (void)state;
    const double radius = 0.01;
    AqmCloud *cloud = empty_cloud(5000);
    assert_no_data(cloud, NULL, "at least 3 points: the cloud has 0");
    add_point(cloud, (const double[3]){0.0, 0.0, 1.0}, UP);
    add_point(cloud, (const double[3]){0.004, 0.0, 1.0}, UP);
    assert_no_data(cloud, NULL, "the cloud has 2");
    add_point(cloud, (const double[3]){0.002, 0.003, 1.0}, UP);
    AqmMesh *mesh = make_mesh(cloud);
    assert_int_equal(mesh->triangle_count, 1);
    aqm_mesh_destroy(&mesh);
    cloud->normal[8] = 1.0f;
    assert_no_data(cloud, NULL, "contradict");
    for (int k = 0; k < 3; k++)
        cloud->position[3 * k + 1] = NAN;
    assert_no_data(cloud, NULL, "no spacing");
    assert_no_data(cloud, &radius, "not finite");
    cloud->count = 0;
    for (int i = 0; i < 5000; i++)
        add_point(cloud, (const double[3]){1.0, 2.0, 3.0}, UP);
    assert_no_data(cloud, NULL, "one place");
    assert_no_data(cloud, &radius, "only 1 are left");
    cloud->count = 0;
    for (int i = 0; i < 500; i++) /* not quite on a line, as coordinates are rounded */
        add_point(cloud, (const double[3]){0.0013 * i, 0.0007 * i, 1.0 + 0.0003 * i}, UP);
    assert_no_data(cloud, NULL, "on a line");
    assert_no_data(cloud, &radius, "on a line");
    aqm_cloud_destroy(&cloud);
}

/* Without normals the ball must not go round the back of a lone triangle. */
static void three_points_give_one_triangle_without_normals(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(8, 0);
    for (int i = 0; i < 20; i++) {
        AqmCloud *cloud = empty_cloud(3);
        for (int k = 0; k < 3; k++) {
            double p[3];
            for (int a = 0; a < 3; a++)
                p[a] = 3.0 * (a == k) + aqm_rng_uniform(&rng);
            add_point(cloud, p, NULL);
        }
        AqmMesh *mesh = make_mesh_with(cloud, (const double[]){4.0, 10.0}, 2);
        assert_int_equal(mesh->triangle_count, 1);
        aqm_mesh_destroy(&mesh);
        aqm_cloud_destroy(&cloud);
    }
}

static void options_are_checked(void **state) {
    (void)state;
    AqmBpaOptions options = aqm_bpa_options_default();
    assert_int_equal(aqm_bpa_options_validate(&options, NULL), AQM_OK);
    const double radii[][2] = {{0.001, 0.0}, {0.001, -1.0}, {0.001, NAN}, {0.001, INFINITY}};
    for (int i = 0; i < 4; i++) {
        AqmDiag diag = {0};
        options = (AqmBpaOptions){.radii_m = radii[i], .radius_count = 2};
        assert_int_equal(aqm_bpa_options_validate(&options, &diag), AQM_ERROR_ARGUMENT);
        assert_non_null(strstr(diag.message, "bpa_radii[1] is"));
        options.radius_count = 1;
        assert_int_equal(aqm_bpa_options_validate(&options, NULL), AQM_OK);
        options.radius_count = 0;
        assert_int_equal(aqm_bpa_options_validate(&options, NULL), AQM_ERROR_ARGUMENT);
    }
    options = (AqmBpaOptions){.radius_count = 1};
    assert_int_equal(aqm_bpa_options_validate(&options, NULL), AQM_ERROR_ARGUMENT);
    options = (AqmBpaOptions){.threads = -1};
    AqmDiag diag = {0};
    AqmMesh *mesh = NULL;
    AqmCloud *cloud = empty_cloud(0);
    assert_int_equal(aqm_surface_bpa(cloud, &options, &mesh, &diag), AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "threads is -1"));
    aqm_cloud_destroy(&cloud);
}

/* ---- always ---------------------------------------------------------------------------------- */

static void any_number_of_threads_gives_the_same_bytes(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(80, 0.0001, outside_discs);
    AqmMesh *meshes[3] = {NULL};
    for (int i = 0; i < 3; i++) {
        const AqmBpaOptions options = {.threads = 1 << i};
        assert_int_equal(aqm_surface_bpa(cloud, &options, &meshes[i], NULL), AQM_OK);
        assert_int_equal(meshes[i]->vertex_count, meshes[0]->vertex_count);
        assert_int_equal(meshes[i]->triangle_count, meshes[0]->triangle_count);
        assert_memory_equal(meshes[i]->position, meshes[0]->position, 12 * meshes[0]->vertex_count);
        assert_memory_equal(meshes[i]->triangles, meshes[0]->triangles,
                            12 * meshes[0]->triangle_count);
    }
    for (int i = 0; i < 3; i++)
        aqm_mesh_destroy(&meshes[i]);
    aqm_cloud_destroy(&cloud);
}

static AqmStatus make_any(const AqmCloud *cloud, const void *options, AqmMesh **mesh,
                          AqmDiag *diag) {
    return aqm_surface_bpa(cloud, (const AqmBpaOptions *)options, mesh, diag);
}

static void failed_allocations_leave_nothing_behind(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(40, 0.00005, outside_discs);
    memset(cloud->normal, 0, 300 * sizeof(float));
    const AqmBpaOptions options = {.threads = 1};
    assert_true(survive_failed_allocations(make_any, cloud, &options) > 59);
    aqm_cloud_destroy(&cloud);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_noisy_sheet_becomes_one_closed_sheet),
        cmocka_unit_test(a_regular_grid_is_two_triangles_a_square),
        cmocka_unit_test(a_sphere_is_closed_and_faces_as_its_normals),
        cmocka_unit_test(a_sheet_without_normals_faces_up_and_is_whole),
        cmocka_unit_test(a_thin_plate_stays_two_sheets),
        cmocka_unit_test(larger_balls_go_on_where_smaller_ones_stop),
        cmocka_unit_test(a_ball_closes_what_it_cannot_fall_through),
        cmocka_unit_test(a_hole_of_three_edges_is_closed),
        cmocka_unit_test(radii_far_apart_cost_no_more_time),
        cmocka_unit_test(vertices_are_points_with_all_that_is_known),
        cmocka_unit_test(points_given_several_times_change_nothing),
        cmocka_unit_test(far_and_broken_points_cost_nothing),
        cmocka_unit_test(too_little_data_is_said),
        cmocka_unit_test(three_points_give_one_triangle_without_normals),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(any_number_of_threads_gives_the_same_bytes),
        cmocka_unit_test(failed_allocations_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
