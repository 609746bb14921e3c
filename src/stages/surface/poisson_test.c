#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "aquamvs/surface.h"
#include "base/alloc.h"
#include "geometry/mesh_shape.h"
#include "geometry/neighbors.h"
#include "math/rng.h"
#include "stages/surface/test_clouds.h"

static const double PI = 3.14159265358979323846;

/* ---- scenes ---------------------------------------------------------------------------------- */

/* The sheet: 5 mm waves of 50 mm over a tilted floor at 1.2 m, seen from above (-Z). */
static double truth(double x, double y) {
    return 1.2 + 0.1 * y + 0.005 * sin(2.0 * PI / 0.05 * x + 0.4);
}

static void truth_normal(double x, double n[3]) {
    const double k = 2.0 * PI / 0.05, slope = 0.005 * k * cos(k * x + 0.4);
    const double length = sqrt(1.0 + slope * slope + 0.01);
    n[0] = slope / length, n[1] = 0.1 / length, n[2] = -1.0 / length;
}

static void add_point(AqmCloud *cloud, const double p[3], const double n[3]) {
    add_seen_point(cloud, p, n, p[1] < 0.0 ? NAN : 0.0003f);
}

/* |x|, |y| <= half, one point in each square of `spacing` at a random place; Gaussian noise of the
 * height, and of a tenth of a radian in the normals where there is any. Room for 5000 more. */
static AqmCloud *wave_cloud(double half, double spacing, double noise) {
    const int n = (int)round(2.0 * half / spacing);
    AqmCloud *cloud = empty_cloud((size_t)n * (size_t)n + 5000);
    AqmRng rng = aqm_rng(5, 0);
    for (int j = 0; j < n; j++)
        for (int i = 0; i < n; i++) {
            const double x = -half + spacing * (i + aqm_rng_uniform(&rng));
            const double y = -half + spacing * (j + aqm_rng_uniform(&rng));
            const double p[3] = {x, y, truth(x, y) + noise * aqm_rng_normal(&rng)};
            double normal[3];
            truth_normal(x, normal);
            for (int k = 0; k < 3; k++)
                normal[k] += noise > 0.0 ? 0.1 * aqm_rng_normal(&rng) : 0.0;
            add_point(cloud, p, normal);
        }
    return cloud;
}

/* Drops the points within `radius` of (x, y). */
static void punch(AqmCloud *cloud, double x, double y, double radius) {
    size_t kept = 0;
    for (size_t i = 0; i < cloud->count; i++) {
        if (hypot((double)cloud->position[3 * i] - x, (double)cloud->position[3 * i + 1] - y) <
            radius)
            continue;
        memmove(cloud->position + 3 * kept, cloud->position + 3 * i, 3 * sizeof(float));
        memmove(cloud->normal + 3 * kept, cloud->normal + 3 * i, 3 * sizeof(float));
        kept++;
    }
    cloud->count = kept;
}

static const double CENTER[3] = {0.3, -0.2, 1.0}, RADIUS = 0.1;

/* A sphere with `count` points (Fibonacci), of those below its centre only every `thin`-th. */
static AqmCloud *sphere_cloud(size_t count, size_t thin) {
    AqmCloud *cloud = empty_cloud(count);
    for (size_t i = 0; i < count; i++) {
        const double z = 1.0 - 2.0 * ((double)i + 0.5) / (double)count, r = sqrt(1.0 - z * z);
        const double angle = 2.0 * PI * 0.6180339887498949 * (double)i;
        const double n[3] = {r * cos(angle), r * sin(angle), z};
        const double p[3] = {CENTER[0] + RADIUS * n[0], CENTER[1] + RADIUS * n[1],
                             CENTER[2] + RADIUS * n[2]};
        if (z > 0.0 || i % thin == 0)
            add_point(cloud, p, n);
    }
    return cloud;
}

/* ---- what is measured ------------------------------------------------------------------------ */

static AqmMesh *make_mesh(const AqmCloud *cloud, const AqmPoissonOptions *options) {
    AqmMesh *mesh = NULL;
    AqmDiag diag = {0};
    const AqmStatus status = aqm_surface_poisson(cloud, options, &mesh, &diag);
    if (status != AQM_OK)
        print_message("%s\n", diag.message);
    assert_int_equal(status, AQM_OK);
    return mesh;
}

/* Depth and trimming, the rest by default. */
static AqmMesh *mesh_of(const AqmCloud *cloud, int depth, double trim_m) {
    AqmPoissonOptions options = aqm_poisson_options_default();
    options.depth = depth;
    options.trim_m = trim_m;
    return make_mesh(cloud, &options);
}

/* Manifold, oriented, nothing unused; returns the rest of what is known. */
static AqmMeshShape assert_sound(const AqmMesh *mesh) {
    AqmMeshShape shape;
    assert_int_equal(aqm_mesh_shape(mesh, &shape, NULL), AQM_OK);
    assert_int_equal(shape.non_manifold_edges, 0);
    assert_int_equal(shape.flipped_edges, 0);
    assert_int_equal(shape.degenerate_triangles, 0);
    assert_int_equal(shape.unused_vertices, 0);
    for (size_t i = 0; i < mesh->vertex_count; i++) {
        const float *n = mesh->normal + 3 * i;
        assert_true(fabsf(n[0] * n[0] + n[1] * n[1] + n[2] * n[2] - 1.0f) < 1e-5f);
        assert_int_equal(mesh->views[i], 0);
    }
    return shape;
}

/* Vertices and the middles of the triangles farther than `margin` inside |x|, |y| < half, mm. */
static double rms_mm(const AqmMesh *mesh, double half, double *bias) {
    double squares = 0.0, sum = 0.0, count = 0.0;
    for (size_t t = 0; t < mesh->vertex_count + mesh->triangle_count; t++) {
        double p[3] = {0};
        for (size_t k = 0; k < 9; k++)
            p[k % 3] +=
                t < mesh->vertex_count
                    ? (double)mesh->position[3 * t + k % 3] / 3.0
                    : (double)mesh->position
                              [3 * (size_t)mesh->triangles[3 * (t - mesh->vertex_count) + k / 3] +
                               k % 3] /
                          3.0;
        if (fabs(p[0]) > half || fabs(p[1]) > half)
            continue;
        const double e = p[2] - truth(p[0], p[1]);
        squares += e * e, sum += e, count += 1.0;
    }
    assert_true(count > 0.0);
    *bias = 1000.0 * sum / count;
    return 1000.0 * sqrt(squares / count);
}

static double farthest_mm(const AqmMesh *mesh, const AqmCloud *cloud) {
    AqmNeighbors *neighbors = NULL;
    assert_int_equal(aqm_neighbors_create(&neighbors, cloud->position, cloud->count, 1, NULL),
                     AQM_OK);
    float most = 0.0f;
    for (size_t i = 0; i < mesh->vertex_count; i++) {
        float distance = INFINITY;
        (void)aqm_neighbors_distance(neighbors, mesh->position + 3 * i, INFINITY, &distance, NULL);
        most = fmaxf(most, distance);
    }
    aqm_neighbors_destroy(&neighbors);
    return 1000.0 * (double)most;
}

static void assert_same(const AqmMesh *a, const AqmMesh *b) {
    assert_int_equal(a->vertex_count, b->vertex_count);
    assert_int_equal(a->triangle_count, b->triangle_count);
    assert_memory_equal(a->position, b->position, a->vertex_count * 12);
    assert_memory_equal(a->normal, b->normal, a->vertex_count * 12);
    assert_memory_equal(a->color, b->color, a->vertex_count * 3);
    assert_memory_equal(a->sigma_m, b->sigma_m, a->vertex_count * 4);
    assert_memory_equal(a->triangles, b->triangles, a->triangle_count * 12);
}

/* ---- typical --------------------------------------------------------------------------------- */

static void a_sphere_is_closed(void **state) {
    (void)state;
    AqmCloud *cloud = sphere_cloud(20000, 1);
    AqmMesh *mesh = mesh_of(cloud, 9, INFINITY);
    const AqmMeshShape shape = assert_sound(mesh);
    const double volume = 4.0 / 3.0 * PI * RADIUS * RADIUS * RADIUS;
    double squares = 0.0;
    for (size_t i = 0; i < mesh->vertex_count; i++) {
        const float *p = mesh->position + 3 * i, *n = mesh->normal + 3 * i;
        const double d[3] = {(double)p[0] - CENTER[0], (double)p[1] - CENTER[1],
                             (double)p[2] - CENTER[2]};
        const double r = sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
        squares += (r - RADIUS) * (r - RADIUS);
        assert_true((d[0] * (double)n[0] + d[1] * (double)n[1] + d[2] * (double)n[2]) / r > 0.99);
    }
    const double rms = 1000.0 * sqrt(squares / (double)mesh->vertex_count);
    print_message("sphere: volume %.5f of the truth, rms %.4f mm, %zu vertices\n",
                  shape.volume_m3 / volume, rms, mesh->vertex_count);
    assert_true(shape.is_watertight);
    assert_int_equal(shape.components, 1);
    /* cells of 3.4 mm, points 2.5 mm apart; chords sag by 0.014 mm */
    assert_true(fabs(shape.volume_m3 / volume - 1.0) < 0.001 && rms < 0.05);
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

/* Twenty times as many points on one half: three levels of cells meet at the equator. */
static void levels_meet_without_cracks(void **state) {
    (void)state;
    AqmCloud *cloud = sphere_cloud(60000, 20);
    for (int depth = 5; depth <= 9; depth += 2) {
        AqmMesh *mesh = mesh_of(cloud, depth, INFINITY);
        const AqmMeshShape shape = assert_sound(mesh);
        const double volume = 4.0 / 3.0 * PI * RADIUS * RADIUS * RADIUS;
        print_message("uneven sphere, depth %d: volume %.5f, %zu vertices\n", depth,
                      shape.volume_m3 / volume, mesh->vertex_count);
        assert_true(shape.is_watertight);
        assert_int_equal(shape.components, 1);
        assert_true(fabs(shape.volume_m3 / volume - 1.0) < 0.01);
        aqm_mesh_destroy(&mesh);
    }
    aqm_cloud_destroy(&cloud);
}

static void a_clean_sheet_comes_back(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(0.1, 0.001, 0.0);
    AqmMesh *mesh = mesh_of(cloud, 7, 0.002);
    const AqmMeshShape shape = assert_sound(mesh);
    double bias;
    const double rms = rms_mm(mesh, 0.098, &bias);
    print_message("clean: rms %.4f mm, bias %.4f mm\n", rms, bias);
    /* cells of 1.7 mm; half a cell off would be 0.9 mm */
    assert_true(rms < 0.03 && fabs(bias) < 0.005);
    assert_int_equal(shape.components, 1);
    for (size_t i = 0; i < mesh->vertex_count; i++) {
        const float *p = mesh->position + 3 * i, *n = mesh->normal + 3 * i;
        double expected[3];
        truth_normal((double)p[0], expected);
        const double cosine =
            (double)n[0] * expected[0] + (double)n[1] * expected[1] + (double)n[2] * expected[2];
        assert_true(cosine > (fabsf(p[0]) < 0.095f && fabsf(p[1]) < 0.095f ? cos(0.15) : 0.5));
    }
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

static void noise_is_averaged_and_a_hole_stays_open(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(0.1, 0.001, 0.0003);
    punch(cloud, -0.03, 0.02, 0.012);
    punch(cloud, 0.05, 0.05, 0.0015);
    AqmMesh *mesh = mesh_of(cloud, 7, 0.002);
    const AqmMeshShape shape = assert_sound(mesh);
    double bias;
    const double rms = rms_mm(mesh, 0.098, &bias), farthest = farthest_mm(mesh, cloud);
    print_message("0.3 mm of noise: rms %.4f mm, bias %.4f mm; farthest vertex %.4f mm\n", rms,
                  bias, farthest);
    assert_true(rms < 0.25 && fabs(bias) < 0.02);
    assert_true(farthest < 2.05);
    assert_int_equal(shape.components, 1);
    size_t in_hole = 0, in_small_hole = 0;
    for (size_t i = 0; i < mesh->vertex_count; i++) {
        const double x = (double)mesh->position[3 * i], y = (double)mesh->position[3 * i + 1];
        in_hole += hypot(x + 0.03, y - 0.02) < 0.0098;
        in_small_hole += hypot(x - 0.05, y - 0.05) < 0.002;
    }
    assert_int_equal(in_hole, 0);
    assert_true(in_small_hole >= 3);
    /* the sheet, 2 mm around it, and nothing more: 1.18 is how much its waves add to the area */
    const double area = (0.202 * 0.202 - PI * 0.010 * 0.010) * 1.18;
    assert_true(fabs(shape.area_m2 / area - 1.0) < 0.05);
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

static void depth_sets_the_resolution(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(0.1, 0.001, 0.0);
    size_t before = 0;
    double worse = INFINITY, bias;
    for (int depth = 5; depth <= 7; depth++) {
        AqmMesh *mesh = mesh_of(cloud, depth, 0.002);
        const double rms = rms_mm(mesh, 0.095, &bias);
        assert_true((double)mesh->vertex_count > 3.0 * (double)before);
        assert_true(rms < 0.5 * worse);
        before = mesh->vertex_count, worse = rms;
        aqm_mesh_destroy(&mesh);
    }
    /* deeper than the points can fill: samples_per_node decides */
    AqmMesh *deep = mesh_of(cloud, 12, 0.002), *deeper = mesh_of(cloud, 14, 0.002);
    assert_true(deep->vertex_count < 20 * before);
    assert_true(deeper->vertex_count < 2 * deep->vertex_count);
    (void)assert_sound(deep);
    aqm_mesh_destroy(&deep);
    aqm_mesh_destroy(&deeper);
    AqmPoissonOptions options = aqm_poisson_options_default();
    options.samples_per_node = 100.0;
    options.trim_m = 0.002;
    AqmMesh *coarse = make_mesh(cloud, &options);
    assert_true(coarse->vertex_count < before / 4);
    aqm_mesh_destroy(&coarse);
    aqm_cloud_destroy(&cloud);
}

static void point_weight_pulls_to_the_points(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(0.1, 0.001, 0.0);
    double rms[3], bias;
    const double weights[3] = {0.0, 1.0, 4.0};
    for (int i = 0; i < 3; i++) {
        AqmPoissonOptions options = aqm_poisson_options_default();
        options.depth = 6;
        options.point_weight = weights[i];
        options.trim_m = 0.004;
        AqmMesh *mesh = make_mesh(cloud, &options);
        (void)assert_sound(mesh);
        rms[i] = rms_mm(mesh, 0.095, &bias);
        aqm_mesh_destroy(&mesh);
    }
    print_message("point_weight 0, 1, 4: rms %.3f, %.3f, %.3f mm\n", rms[0], rms[1], rms[2]);
    assert_true(rms[1] < rms[0] && rms[2] < rms[1]);
    aqm_cloud_destroy(&cloud);
}

static void colors_and_sigma_come_from_the_points(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(0.06, 0.001, 0.0);
    AqmMesh *mesh = mesh_of(cloud, 6, 0.002);
    for (size_t i = 0; i < mesh->vertex_count; i++) {
        const float *p = mesh->position + 3 * i;
        assert_int_equal(mesh->color[3 * i], 100);
        assert_int_equal(mesh->color[3 * i + 2], 7);
        if (fabsf(p[0]) > 0.006f)
            assert_int_equal(mesh->color[3 * i + 1], p[0] < 0.0f ? 50 : 200);
        if (p[1] < -0.006f)
            assert_true(isnan(mesh->sigma_m[i]));
        if (p[1] > 0.0f)
            assert_true(fabsf(mesh->sigma_m[i] - 0.0003f) < 1e-8f);
    }
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

static void stray_pieces_are_dropped(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(0.1, 0.001, 0.0002);
    const double up[3] = {0.0, 0.0, -1.0};
    for (int i = 0; i < 30; i++) { /* 30 points of dirt, 4 mm across, over the sheet */
        const double p[3] = {0.02 + 0.0008 * (i % 6), 0.0008 * (i / 6), 1.1};
        add_point(cloud, p, up);
    }
    AqmMesh *mesh = mesh_of(cloud, 7, 0.002);
    assert_int_equal(assert_sound(mesh).components, 1);
    for (size_t i = 0; i < mesh->vertex_count; i++)
        assert_true(mesh->position[3 * i + 2] > 1.15f);
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

static void any_number_of_threads_gives_the_same_bytes(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(0.1, 0.001, 0.0003);
    const double up[3] = {0.0, 0.0, -1.0};
    for (int i = 0; i < 1000; i++) { /* thin beside it: more levels take part */
        const double x = 0.105 + 0.005 * (i % 20), y = 0.004 * (i / 20) - 0.1;
        add_point(cloud, (double[3]){x, y, truth(x, y)}, up);
    }
    punch(cloud, 0.0, 0.0, 0.003);
    AqmPoissonOptions options = aqm_poisson_options_default();
    options.depth = 8;
    options.threads = 1;
    AqmMesh *one = make_mesh(cloud, &options);
    for (options.threads = 2; options.threads <= 5; options.threads += 3) {
        AqmMesh *more = make_mesh(cloud, &options);
        assert_same(one, more);
        aqm_mesh_destroy(&more);
    }
    aqm_mesh_destroy(&one);
    aqm_cloud_destroy(&cloud);
}

/* ---- degenerate ------------------------------------------------------------------------------ */

static void far_and_broken_points_change_nothing(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(0.05, 0.001, 0.0002);
    AqmMesh *clean = mesh_of(cloud, 7, 0.002);
    const double up[3] = {0.0, 0.0, -1.0}, none[3] = {0.0, 0.0, 0.0}, odd[3] = {NAN, 0.0, 1.0};
    add_point(cloud, (double[3]){1e6, 0.0, 1.0}, up);
    add_point(cloud, (double[3]){-1e9, 1e9, 1.0}, up);
    add_point(cloud, (double[3]){1e30, 1e30, 1e30}, up);
    add_point(cloud, (double[3]){NAN, 0.0, 1.0}, up);
    add_point(cloud, (double[3]){0.0, 0.0, INFINITY}, up);
    add_point(cloud, (double[3]){0.0, 0.0, 2.0}, none);
    add_point(cloud, (double[3]){0.0, 0.0, 2.0}, odd);
    AqmMesh *mesh = mesh_of(cloud, 7, 0.002);
    assert_same(clean, mesh);
    aqm_mesh_destroy(&clean);
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

/* A mesh that is sound or NO_DATA with a sentence, at several depths. */
static void assert_survives(const AqmCloud *cloud, const char *name) {
    static const int depths[] = {1, 2, 3, 4, 6, 9, 16};
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++)
        for (int trimmed = 0; trimmed < 2; trimmed++) {
            AqmPoissonOptions options = aqm_poisson_options_default();
            options.depth = depths[i];
            options.trim_m = trimmed ? 0.0 : INFINITY;
            AqmMesh *mesh = NULL;
            AqmDiag diag = {0};
            const AqmStatus status = aqm_surface_poisson(cloud, &options, &mesh, &diag);
            if (status == AQM_OK) {
                (void)assert_sound(mesh);
                assert_true(mesh->triangle_count > 0);
            } else {
                if (status != AQM_ERROR_NO_DATA)
                    print_message("%s: %s\n", name, diag.message);
                assert_int_equal(status, AQM_ERROR_NO_DATA);
                assert_true(strlen(diag.message) > 20);
                assert_null(mesh);
            }
            aqm_mesh_destroy(&mesh);
        }
}

static void degenerate_clouds_are_survived(void **state) {
    (void)state;
    const double up[3] = {0.0, 0.0, -1.0};
    AqmCloud *cloud = empty_cloud(2000);
    assert_survives(cloud, "empty");
    add_point(cloud, (double[3]){0.1, 0.2, 1.0}, up);
    assert_survives(cloud, "one");
    add_point(cloud, (double[3]){0.2, 0.2, 1.0}, up);
    add_point(cloud, (double[3]){0.2, 0.3, 1.0}, up);
    assert_survives(cloud, "three");
    cloud->count = 0;
    for (int i = 0; i < 1000; i++)
        add_point(cloud, (double[3]){0.1, 0.2, 1.0}, up);
    assert_survives(cloud, "identical");
    for (int i = 0; i < 5; i++)
        add_point(cloud, (double[3]){0.1 * i, 0.2, 1.0}, up);
    assert_survives(cloud, "nearly identical");
    cloud->count = 0;
    for (int i = 0; i < 1000; i++)
        add_point(cloud, (double[3]){0.001 * i, 0.2, 1.0}, up);
    assert_survives(cloud, "collinear");
    cloud->count = 0;
    for (int i = 0; i < 900; i++)
        add_point(cloud, (double[3]){0.01 * (i % 30), 0.01 * (i / 30), 1.0}, up);
    assert_survives(cloud, "coplanar");
    for (int i = 0; i < 900; i++) /* and the same again, facing the other way */
        add_point(cloud, (double[3]){0.01 * (i % 30), 0.01 * (i / 30), 1.0},
                  (double[3]){0.0, 0.0, 1.0});
    assert_survives(cloud, "two-faced");
    for (size_t i = 0; i < cloud->count; i++)
        memset(cloud->normal + 3 * i, 0, 3 * sizeof(float));
    assert_survives(cloud, "no normals");
    for (size_t i = 0; i < 3 * cloud->count; i++)
        cloud->position[i] = NAN;
    assert_survives(cloud, "NaN");
    aqm_cloud_destroy(&cloud);
}

/* Points of a lattice lie on the nodes and faces of cells; values of exactly zero may come out. */
static void points_on_the_nodes_make_no_defects(void **state) {
    (void)state;
    AqmCloud *cloud = empty_cloud(40000);
    for (int i = 0; i < 40000; i++)
        add_point(cloud, (double[3]){i % 200 * 0.0009765625, i / 200 * 0.0009765625, 1.0},
                  (double[3]){0.0, 0.0, -1.0});
    AqmMesh *mesh = mesh_of(cloud, 8, 0.002);
    const AqmMeshShape shape = assert_sound(mesh);
    assert_int_equal(shape.components, 1);
    for (size_t i = 0; i < mesh->vertex_count; i++)
        assert_true(fabsf(mesh->position[3 * i + 2] - 1.0f) < 2e-5f); /* 0.02 cells */
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

/* Noise without a surface: many ambiguous cells, which must not break the mesh, nor fill memory. */
static void scattered_points_stay_manifold_and_small(void **state) {
    (void)state;
    AqmCloud *cloud = empty_cloud(20000);
    AqmRng rng = aqm_rng(3, 0);
    for (int i = 0; i < 20000; i++) {
        double p[3], n[3];
        for (int k = 0; k < 3; k++)
            p[k] = aqm_rng_uniform(&rng), n[k] = aqm_rng_normal(&rng);
        add_point(cloud, p, n);
    }
    const size_t before = aqm_alloc_count().live_bytes;
    aqm_alloc_reset_peak();
    AqmMesh *mesh = mesh_of(cloud, 12, INFINITY);
    const double peak = (double)(aqm_alloc_count().peak_bytes - before) * 1e-6;
    (void)assert_sound(mesh);
    print_message("scattered: %zu triangles, peak %.0f MB\n", mesh->triangle_count, peak);
    assert_true(peak < 50.0);
    assert_true(mesh->triangle_count > 10000);
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

/* ---- failure --------------------------------------------------------------------------------- */

static void bad_options_are_named(void **state) {
    (void)state;
    AqmCloud *cloud = empty_cloud(1);
    const AqmPoissonOptions good = aqm_poisson_options_default();
    AqmPoissonOptions bad[9];
    for (int i = 0; i < 9; i++)
        bad[i] = good;
    bad[0].depth = 0, bad[1].depth = 17;
    bad[2].point_weight = -1.0, bad[3].point_weight = NAN;
    bad[4].samples_per_node = 0.5, bad[5].samples_per_node = 101.0;
    bad[6].trim_m = -0.001, bad[7].trim_m = NAN;
    bad[8].threads = -1;
    static const char *const names[9] = {"depth is 0",
                                         "depth is 17",
                                         "point_weight is -1",
                                         "point_weight is ",
                                         "samples_per_node is 0.5",
                                         "samples_per_node is 101",
                                         "trim is -0.001 m",
                                         "trim is ",
                                         "threads is -1"};
    assert_int_equal(aqm_poisson_options_validate(&good, NULL), AQM_OK);
    for (int i = 0; i < 9; i++) {
        AqmMesh *mesh = NULL;
        AqmDiag diag = {0};
        assert_int_equal(aqm_surface_poisson(cloud, &bad[i], &mesh, &diag), AQM_ERROR_ARGUMENT);
        assert_non_null(strstr(diag.message, names[i]));
        assert_null(mesh);
    }
    aqm_cloud_destroy(&cloud);
}

static AqmStatus make_any(const AqmCloud *cloud, const void *options, AqmMesh **mesh,
                          AqmDiag *diag) {
    return aqm_surface_poisson(cloud, (const AqmPoissonOptions *)options, mesh, diag);
}

static void failed_allocations_leave_nothing_behind(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(0.02, 0.002, 0.0);
    add_point(cloud, (double[3]){0.08, 0.0, 1.2}, (double[3]){0.0, 0.0, -1.0});
    AqmPoissonOptions options = aqm_poisson_options_default();
    options.depth = 6;
    assert_true(survive_failed_allocations(make_any, cloud, &options) > 49);
    aqm_cloud_destroy(&cloud);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sphere_is_closed),
        cmocka_unit_test(levels_meet_without_cracks),
        cmocka_unit_test(a_clean_sheet_comes_back),
        cmocka_unit_test(noise_is_averaged_and_a_hole_stays_open),
        cmocka_unit_test(depth_sets_the_resolution),
        cmocka_unit_test(point_weight_pulls_to_the_points),
        cmocka_unit_test(colors_and_sigma_come_from_the_points),
        cmocka_unit_test(stray_pieces_are_dropped),
        cmocka_unit_test(any_number_of_threads_gives_the_same_bytes),
        cmocka_unit_test(far_and_broken_points_change_nothing),
        cmocka_unit_test(degenerate_clouds_are_survived),
        cmocka_unit_test(points_on_the_nodes_make_no_defects),
        cmocka_unit_test(scattered_points_stay_manifold_and_small),
        cmocka_unit_test(bad_options_are_named),
        cmocka_unit_test(failed_allocations_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
