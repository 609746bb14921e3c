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
#include "math/rng.h"
#include "math/stats.h"
#include "stages/surface/test_clouds.h"

/* The surface of all scenes: 5 mm waves of 50 mm over a tilted floor at 1.2 m. */
static double truth(double x, double y) {
    return 1.2 + 0.1 * y + 0.005 * sin(6.283185307179586 / 0.05 * x + 0.4);
}

static double slope_x(double x) {
    const double k = 6.283185307179586 / 0.05;
    return 0.005 * k * cos(k * x + 0.4);
}

static void add_point(AqmCloud *cloud, double x, double y, double z) {
    add_seen_point(cloud, (const double[3]){x, y, z}, NULL, 0.0003f);
}

/* |x|, |y| <= half, one point in each square of `spacing` at a random place, Gaussian noise. */
static AqmCloud *wave_cloud(double half, double spacing, double noise) {
    const int n = (int)round(2.0 * half / spacing);
    AqmCloud *cloud = empty_cloud((size_t)n * (size_t)n + 5000);
    AqmRng rng = aqm_rng(5, 0);
    for (int j = 0; j < n; j++)
        for (int i = 0; i < n; i++) {
            const double x = -half + spacing * (i + aqm_rng_uniform(&rng));
            const double y = -half + spacing * (j + aqm_rng_uniform(&rng));
            add_point(cloud, x, y, truth(x, y) + noise * aqm_rng_normal(&rng));
        }
    return cloud;
}

static AqmMesh *make_mesh(const AqmCloud *cloud, double resolution, int threads) {
    AqmHeightfieldOptions options = aqm_heightfield_options_default();
    options.grid_resolution_m = resolution;
    options.threads = threads;
    AqmMesh *mesh = NULL;
    AqmDiag diag = {0};
    const AqmStatus status = aqm_surface_heightfield(cloud, &options, &mesh, &diag);
    if (status != AQM_OK)
        print_message("%s\n", diag.message);
    assert_int_equal(status, AQM_OK);
    return mesh;
}

static double vertex_error(const AqmMesh *mesh, size_t i) {
    const float *p = mesh->position + 3 * i;
    return (double)p[2] - truth(p[0], p[1]);
}

/* Vertices and the middles of the triangles, mm. */
static double rms_mm(const AqmMesh *mesh, double *bias) {
    double squares = 0.0, sum = 0.0;
    for (size_t i = 0; i < mesh->vertex_count; i++)
        squares += vertex_error(mesh, i) * vertex_error(mesh, i), sum += vertex_error(mesh, i);
    for (size_t t = 0; t < mesh->triangle_count; t++) {
        double p[3] = {0};
        for (int k = 0; k < 9; k++)
            p[k % 3] += mesh->position[3 * (size_t)mesh->triangles[3 * t + k / 3] + k % 3] / 3.0;
        const double e = p[2] - truth(p[0], p[1]);
        squares += e * e, sum += e;
    }
    const double count = (double)(mesh->vertex_count + mesh->triangle_count);
    *bias = 1000.0 * sum / count;
    return 1000.0 * sqrt(squares / count);
}

static void clean_points_give_the_wave_back(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(0.1, 0.001, 0.0);
    AqmMesh *mesh = make_mesh(cloud, 0.002, 0);
    double bias;
    const double rms = rms_mm(mesh, &bias);
    print_message("clean: rms %.4f mm, bias %.4f mm\n", rms, bias);
    /* chords of 2 mm sag by 79 / m * (2 mm)^2 / 8 = 0.04 mm at a crest; a plane fit would lower it
     * by 0.1 mm, half a cell off would be 0.4 mm */
    assert_true(rms < 0.03 && fabs(bias) < 0.005);
    assert_true(mesh->vertex_count >= 99 * 99);
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

static void noise_is_averaged(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(0.1, 0.001, 0.0003);
    AqmMesh *mesh = make_mesh(cloud, 0.002, 0);
    double bias;
    const double rms = rms_mm(mesh, &bias);
    print_message("0.3 mm of noise: rms %.4f mm, bias %.4f mm\n", rms, bias);
    assert_true(rms < 0.12 && fabs(bias) < 0.01);
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

static void outliers_do_not_move_it(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(0.1, 0.001, 0.0003);
    AqmMesh *clean = make_mesh(cloud, 0.002, 0);
    AqmRng rng = aqm_rng(9, 0);
    for (size_t i = 0, count = cloud->count / 20; i < count; i++) { /* 5 % */
        const double x = 0.2 * (aqm_rng_uniform(&rng) - 0.5);
        const double y = 0.2 * (aqm_rng_uniform(&rng) - 0.5);
        add_point(cloud, x, y, truth(x, y) + (aqm_rng_uniform(&rng) < 0.5 ? 0.02 : -0.02));
    }
    AqmMesh *mesh = make_mesh(cloud, 0.002, 0);
    double worst = 0.0, squares = 0.0;
    assert_int_equal(mesh->vertex_count, clean->vertex_count);
    for (size_t i = 0; i < mesh->vertex_count; i++) {
        const double z = mesh->position[3 * i + 2], was = clean->position[3 * i + 2];
        worst = fmax(worst, 1000.0 * fabs(z - was)), squares += (z - was) * (z - was);
    }
    print_message("5 %% outliers: moved by %.4f mm rms, %.4f mm at most\n",
                  1000.0 * sqrt(squares / (double)mesh->vertex_count), worst);
    assert_true(worst < 0.1);
    aqm_mesh_destroy(&clean);
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

static void normals_and_colors_follow_the_points(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(0.06, 0.001, 0.0);
    AqmMesh *mesh = make_mesh(cloud, 0.002, 0);
    for (size_t i = 0; i < mesh->vertex_count; i++) {
        const float *p = mesh->position + 3 * i, *n = mesh->normal + 3 * i;
        const double s = slope_x(p[0]), length = sqrt(1.0 + s * s + 0.01);
        const double cosine = (n[0] * s + n[1] * 0.1 - n[2]) / length;
        assert_true(cosine > cos(0.25)); /* planes through half a window, at the rim */
        if (fabsf(p[0]) < 0.05f && fabsf(p[1]) < 0.05f)
            assert_true(cosine > cos(0.02));
        assert_int_equal(mesh->color[3 * i], 100);
        assert_int_equal(mesh->color[3 * i + 2], 7);
        if (fabsf(p[0]) > 0.005f)
            assert_int_equal(mesh->color[3 * i + 1], p[0] < 0.0f ? 50 : 200);
    }
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

static int by_value(const void *a, const void *b) {
    const uint64_t p = *(const uint64_t *)a, q = *(const uint64_t *)b;
    return p < q ? -1 : p > q;
}

/* Every directed edge at most once, so no edge has more than two triangles and neighbours are wound
 * alike; all face -Z; every vertex is used. */
static void assert_sound(const AqmMesh *mesh) {
    uint64_t *edges = malloc(3 * mesh->triangle_count * sizeof *edges);
    bool *used = calloc(mesh->vertex_count, sizeof *used);
    for (size_t t = 0; t < mesh->triangle_count; t++) {
        const uint32_t *v = mesh->triangles + 3 * t;
        const float *a = mesh->position + 3 * (size_t)v[0], *b = mesh->position + 3 * (size_t)v[1];
        const float *c = mesh->position + 3 * (size_t)v[2];
        assert_true((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) < 0.0f);
        for (int k = 0; k < 3; k++) {
            assert_true(v[k] < mesh->vertex_count);
            used[v[k]] = true;
            edges[3 * t + (size_t)k] = (uint64_t)v[k] << 32 | v[(k + 1) % 3];
        }
    }
    qsort(edges, 3 * mesh->triangle_count, sizeof *edges, by_value);
    for (size_t i = 1; i < 3 * mesh->triangle_count; i++)
        assert_true(edges[i] != edges[i - 1]);
    for (size_t i = 0; i < mesh->vertex_count; i++)
        assert_true(used[i]);
    free(edges);
    free(used);
}

/* Drops the points within `radius` of (x, y). */
static void punch(AqmCloud *cloud, double x, double y, double radius) {
    size_t kept = 0;
    for (size_t i = 0; i < cloud->count; i++) {
        const float *p = cloud->position + 3 * i;
        if (hypot(p[0] - x, p[1] - y) < radius)
            continue;
        memmove(cloud->position + 3 * kept, p, 3 * sizeof *p);
        memmove(cloud->color + 3 * kept, cloud->color + 3 * i, 3);
        kept++;
    }
    cloud->count = kept;
}

static size_t vertices_within(const AqmMesh *mesh, double x, double y, double radius) {
    size_t count = 0;
    for (size_t i = 0; i < mesh->vertex_count; i++)
        count += hypot(mesh->position[3 * i] - x, mesh->position[3 * i + 1] - y) < radius;
    return count;
}

static void small_holes_close_and_large_ones_stay_open(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(0.1, 0.001, 0.0);
    punch(cloud, 0.05, 0.05, 0.0035);
    punch(cloud, -0.031, 0.02, 0.0035); /* across a border of blocks */
    punch(cloud, -0.05, -0.05, 0.015);
    AqmMesh *mesh = make_mesh(cloud, 0.002, 0);
    assert_sound(mesh);
    /* closed: all nodes of a disc of 12 mm are there, and right */
    assert_true(vertices_within(mesh, 0.05, 0.05, 0.006) >= 25);
    assert_true(vertices_within(mesh, -0.031, 0.02, 0.006) >= 25);
    double bias;
    const double rms = rms_mm(mesh, &bias);
    print_message("holes: rms %.4f mm\n", rms);
    assert_true(rms < 0.03);
    /* open: nothing farther than a cell (and a point's spacing) from the rim; rim not eroded */
    assert_int_equal(vertices_within(mesh, -0.05, -0.05, 0.015 - 0.0022), 0);
    assert_true(vertices_within(mesh, -0.05, -0.05, 0.018) >
                (size_t)(3.14159 * (18.0 * 18.0 - 15.0 * 15.0) / 4.0 * 0.9));
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

static void nothing_is_made_up_outside_the_points(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(0.05, 0.001, 0.0002);
    AqmMesh *mesh = make_mesh(cloud, 0.002, 0);
    assert_sound(mesh);
    float most = 0.0f;
    for (size_t i = 0; i < mesh->vertex_count; i++)
        most = fmaxf(most, fmaxf(fabsf(mesh->position[3 * i]), fabsf(mesh->position[3 * i + 1])));
    assert_true(most <= 0.051f + 1e-6f && most >= 0.048f);
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

static void the_denser_of_two_layers_wins(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(0.05, 0.001, 0.0002);
    AqmRng rng = aqm_rng(11, 0);
    for (size_t i = 0; i < cloud->count; i++)
        if (aqm_rng_uniform(&rng) < 0.35)
            cloud->position[3 * i + 2] -= 0.03f; /* hangs over the floor */
    AqmMesh *mesh = make_mesh(cloud, 0.002, 0);
    size_t wrong = 0;
    for (size_t i = 0; i < mesh->vertex_count; i++)
        wrong += fabs(vertex_error(mesh, i)) > 0.001;
    print_message("two layers: %zu of %zu vertices on the other\n", wrong, mesh->vertex_count);
    assert_true((double)wrong < 0.02 * (double)mesh->vertex_count);
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

static void far_outliers_cost_nothing(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(0.05, 0.001, 0.0002);
    AqmMesh *clean = make_mesh(cloud, 0.002, 0);
    AqmRng rng = aqm_rng(13, 0);
    for (int i = 0; i < 3000; i++)
        add_point(cloud, 1e4 * aqm_rng_normal(&rng), 1e4 * aqm_rng_normal(&rng),
                  aqm_rng_normal(&rng));
    add_point(cloud, 1e30, 0.0, 1.0);
    add_point(cloud, -1e9, 1e9, 1.0);
    add_point(cloud, NAN, 0.0, 1.0);
    add_point(cloud, 0.0, 0.0, INFINITY);
    aqm_alloc_reset_peak();
    const size_t before = aqm_alloc_count().live_bytes;
    AqmMesh *mesh = make_mesh(cloud, 0.002, 1);
    assert_true(aqm_alloc_count().peak_bytes - before < 8u << 20);
    assert_int_equal(mesh->vertex_count, clean->vertex_count);
    assert_memory_equal(mesh->position, clean->position, mesh->vertex_count * 3 * sizeof(float));
    aqm_mesh_destroy(&mesh);
    aqm_mesh_destroy(&clean);
    aqm_cloud_destroy(&cloud);
}

/* ---- standard deviations --------------------------------------------------------------------- */

/* Errors of about 0.2 mm that the points of a window have in common, and 0.1 mm of their own. */
static AqmCloud *cloud_with_common_errors(void) {
    AqmCloud *cloud = wave_cloud(0.15, 0.001, 0.0);
    AqmRng rng = aqm_rng(19, 0);
    double kx[24], ky[24], phase[24];
    for (int k = 0; k < 24; k++) {
        kx[k] = 120.0 * aqm_rng_normal(&rng), ky[k] = 120.0 * aqm_rng_normal(&rng);
        phase[k] = 6.283185307179586 * aqm_rng_uniform(&rng);
    }
    for (size_t i = 0; i < cloud->count; i++) {
        float *p = cloud->position + 3 * i;
        double common = 0.0;
        for (int k = 0; k < 24; k++)
            common += cos(kx[k] * (double)p[0] + ky[k] * (double)p[1] + phase[k]) / sqrt(12.0);
        const double lean = sqrt(1.01 + slope_x((double)p[0]) * slope_x((double)p[0]));
        p[2] += (float)(lean * (0.0002 * common + 0.0001 * aqm_rng_normal(&rng)));
        cloud->sigma_m[i] = 0.000224f; /* along the normal */
    }
    return cloud;
}

static void sigmas_are_those_of_the_errors(void **state) {
    (void)state;
    AqmCloud *cloud = cloud_with_common_errors();
    AqmHeightMap *map = NULL;
    const AqmHeightfieldOptions options = aqm_heightfield_options_default();
    assert_int_equal(aqm_surface_height_map(cloud, &options, &map, NULL), AQM_OK);
    double within[2] = {0.0}, count = 0.0;
    for (int j = 0; j < map->rows; j++)
        for (int i = 0; i < map->columns; i++) {
            const size_t at = (size_t)j * (size_t)map->columns + (size_t)i;
            const double x = (map->first_column + i) * map->step_m;
            const double y = (map->first_row + j) * map->step_m;
            if (isnan(map->z_m[at]))
                continue;
            const double ratio =
                fabs((double)map->z_m[at] - truth(x, y)) / (double)map->sigma_m[at];
            within[0] += ratio < 1.0, within[1] += ratio < 2.0, count += 1.0;
        }
    print_message("%.0f nodes: %.1f %% within sigma, %.1f %% within two\n", count,
                  100.0 * within[0] / count, 100.0 * within[1] / count);
    assert_true(count > 20000.0);
    assert_true(within[0] > 0.63 * count && within[0] < 0.76 * count);
    assert_true(within[1] > 0.92 * count && within[1] < 0.985 * count);
    aqm_height_map_destroy(&map);
    aqm_cloud_destroy(&cloud);
}

/* By half of the variance at most: the scatter may be relief. */
static void independent_errors_average_out(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(0.06, 0.001, 0.0003);
    AqmMesh *mesh = make_mesh(cloud, 0.002, 0);
    double sum = 0.0;
    for (size_t i = 0; i < mesh->vertex_count; i++) {
        assert_true(mesh->sigma_m[i] > 0.00015f && mesh->sigma_m[i] < 0.00036f);
        sum += (double)mesh->sigma_m[i] / (double)mesh->vertex_count;
    }
    print_message("sigma %.4f mm of points of 0.3 mm\n", 1000.0 * sum);
    assert_true(sum < 0.00028);
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

static void unknown_sigmas_stay_unknown(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(0.05, 0.001, 0.0002);
    for (size_t i = 0; i < cloud->count; i++)
        cloud->sigma_m[i] = cloud->position[3 * i] < 0.0f ? NAN : 0.0002f;
    AqmMesh *mesh = make_mesh(cloud, 0.002, 0);
    for (size_t i = 0; i < mesh->vertex_count; i++) {
        assert_true(mesh->position[3 * i] > -0.006f || isnan(mesh->sigma_m[i]));
        assert_true(mesh->position[3 * i] < 0.006f || mesh->sigma_m[i] > 0.0f);
    }
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

static void filled_nodes_are_less_certain(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(0.1, 0.001, 0.0);
    punch(cloud, 0.05, 0.05, 0.0035);
    AqmMesh *mesh = make_mesh(cloud, 0.002, 0);
    double inside = 0.0, outside = 0.0, fitted = 0.0, filled = 0.0;
    for (size_t i = 0; i < mesh->vertex_count; i++) {
        const float *p = mesh->position + 3 * i;
        const double far = hypot((double)p[0] - 0.05, (double)p[1] - 0.05);
        if (far < 0.0021)
            inside += (double)mesh->sigma_m[i], filled += 1.0;
        else if (far > 0.006 && far < 0.012)
            outside += (double)mesh->sigma_m[i], fitted += 1.0;
    }
    print_message("sigma of filled nodes %.4f mm, around them %.4f mm\n", 1000.0 * inside / filled,
                  1000.0 * outside / fitted);
    assert_true(filled >= 4.0 && fitted > 50.0);
    assert_true(inside / filled > 1.001 * outside / fitted);
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

/* ---- maps ------------------------------------------------------------------------------------ */

static AqmHeightMap *make_map(const AqmCloud *cloud, double resolution, AqmMesh **mesh) {
    AqmHeightfieldOptions options = aqm_heightfield_options_default();
    options.grid_resolution_m = resolution;
    AqmHeightMap *map = NULL;
    AqmDiag diag = {0};
    if (aqm_surface_heightfield_with_map(cloud, &options, mesh, &map, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    return map;
}

/* Where the map has (x, y); SIZE_MAX where it does not reach. */
static size_t map_index(const AqmHeightMap *map, double x, double y) {
    const long i = lround(x / map->step_m) - map->first_column;
    const long j = lround(y / map->step_m) - map->first_row;
    return i < 0 || j < 0 || i >= map->columns || j >= map->rows
               ? SIZE_MAX
               : (size_t)j * (size_t)map->columns + (size_t)i;
}

static size_t known_nodes(const AqmHeightMap *map) {
    size_t count = 0;
    for (size_t i = 0; i < (size_t)map->rows * (size_t)map->columns; i++)
        count += !isnan(map->z_m[i]);
    return count;
}

static void maps_have_the_heights_of_the_mesh(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(0.1, 0.001, 0.0003);
    punch(cloud, -0.05, -0.05, 0.015);
    punch(cloud, 0.05, 0.05, 0.0035);
    AqmMesh *mesh = NULL, *alone = make_mesh(cloud, 0.002, 0);
    AqmHeightMap *map = make_map(cloud, 0.002, &mesh), *own = make_map(cloud, 0.002, NULL);
    assert_int_equal(mesh->vertex_count, alone->vertex_count);
    assert_memory_equal(mesh->position, alone->position, 12 * mesh->vertex_count);
    assert_int_equal(map->columns, own->columns);
    assert_memory_equal(map->z_m, own->z_m, 4 * (size_t)map->columns * (size_t)map->rows);
    for (size_t i = 0; i < mesh->vertex_count; i++) {
        const float *p = mesh->position + 3 * i, *n = mesh->normal + 3 * i;
        const size_t at = map_index(map, (double)p[0], (double)p[1]);
        assert_true(at != SIZE_MAX && map->z_m[at] == p[2]);
        assert_true(fabsf(map->sigma_m[at] * -n[2] / mesh->sigma_m[i] - 1.0f) < 1e-5f);
    }
    /* no border of nothing; a node without triangle may stand at a corner */
    assert_true(known_nodes(map) < mesh->vertex_count + 10);
    bool at_border = false;
    for (int i = 0; i < map->columns; i++)
        at_border |= !isnan(map->z_m[i]);
    assert_true(at_border);
    aqm_height_map_destroy(&map);
    aqm_height_map_destroy(&own);
    aqm_mesh_destroy(&mesh);
    aqm_mesh_destroy(&alone);
    aqm_cloud_destroy(&cloud);
}

/* The distance of (x, y) from what has points: inside the square, outside the discs. */
static double beyond_points(double x, double y, double half, const double discs[][3], int count) {
    double beyond = fmax(fabs(x), fabs(y)) - half;
    for (int k = 0; k < count; k++)
        beyond = fmax(beyond, discs[k][2] - hypot(x - discs[k][0], y - discs[k][1]));
    return beyond;
}

static void holes_are_where_nothing_was_measured(void **state) {
    (void)state;
    static const double discs[3][3] = {
        {-0.05, -0.05, 0.015}, {0.06, -0.03, 0.02}, {0.1, 0.09, 0.025}};
    AqmCloud *cloud = wave_cloud(0.1, 0.001, 0.0002);
    for (int k = 0; k < 3; k++)
        punch(cloud, discs[k][0], discs[k][1], discs[k][2]);
    AqmHeightMap *map = make_map(cloud, 0.002, NULL);
    size_t missing = 0, invented = 0, open = 0;
    for (int j = -60; j <= 60; j++)
        for (int i = -60; i <= 60; i++) {
            const double x = 0.002 * i, y = 0.002 * j;
            const double beyond = beyond_points(x, y, 0.1, discs, 3);
            const size_t at = map_index(map, x, y);
            const bool known = at != SIZE_MAX && !isnan(map->z_m[at]);
            missing += !known && beyond < -0.002;
            invented += known && beyond > 0.002;
            open += !known && beyond > 0.0;
        }
    print_message("%zu nodes missing, %zu made up, %zu open\n", missing, invented, open);
    assert_int_equal(missing, 0);
    assert_int_equal(invented, 0);
    assert_true(open > 1500);
    aqm_height_map_destroy(&map);
    aqm_cloud_destroy(&cloud);
}

/* A patch of 20 x 20 points around (x, y). */
static void add_patch(AqmCloud *cloud, double x, double y) {
    for (int k = 0; k < 400; k++)
        add_point(cloud, x + 0.001 * (k % 20), y + 0.001 * (k / 20), 1.2);
}

static void patches_far_away_are_left_out_of_maps_alone(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(0.05, 0.001, 0.0002);
    AqmMesh *mesh = NULL;
    AqmHeightMap *near = make_map(cloud, 0.002, NULL);
    add_patch(cloud, 0.3, 0.2); /* apart, but not far */
    AqmHeightMap *both = make_map(cloud, 0.002, NULL);
    add_patch(cloud, 900.0, -300.0);
    AqmHeightMap *map = make_map(cloud, 0.002, &mesh);
    assert_true(both->columns > 150 && known_nodes(both) > known_nodes(near) + 90);
    assert_int_equal(map->columns, near->columns);
    assert_int_equal(map->rows, near->rows);
    assert_memory_equal(map->z_m, near->z_m, 4 * (size_t)map->columns * (size_t)map->rows);
    float farthest = 0.0f;
    for (size_t i = 0; i < mesh->vertex_count; i++)
        farthest = fmaxf(farthest, mesh->position[3 * i]);
    assert_true(farthest > 899.0f);
    aqm_height_map_destroy(&near);
    aqm_height_map_destroy(&both);
    aqm_height_map_destroy(&map);
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

static void a_map_that_is_too_large_is_said(void **state) {
    (void)state;
    enum { POINTS = 21000 };
    AqmCloud *cloud = empty_cloud(POINTS);
    AqmHeightMap *map = NULL;
    AqmDiag diag = {0};
    const AqmHeightfieldOptions options = aqm_heightfield_options_default();
    for (int i = 0; i < POINTS; i++) { /* a strip along the diagonal */
        const double along = 0.0034 * i, across = 0.004 * (i % 3);
        add_point(cloud, along + across, along - across, 1.2);
    }
    assert_int_equal(aqm_surface_height_map(cloud, &options, &map, &diag), AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "grid_resolution 0.002 m"));
    assert_null(map);
    aqm_cloud_destroy(&cloud);
}

static void a_sparse_cloud_is_joined_over_its_gaps(void **state) {
    (void)state;
    AqmCloud *cloud = empty_cloud(2000);
    AqmRng rng = aqm_rng(17, 0);
    for (int i = 0; i < 900; i++) { /* on average 10 mm apart */
        const double x = 0.3 * (aqm_rng_uniform(&rng) - 0.5);
        const double y = 0.3 * (aqm_rng_uniform(&rng) - 0.5);
        add_point(cloud, x, y, 1.2 + 0.2 * x - 0.1 * y);
    }
    AqmMesh *mesh = make_mesh(cloud, 0.002, 0);
    assert_sound(mesh);
    assert_true((double)mesh->vertex_count > 0.85 * 150.0 * 150.0);
    for (size_t i = 0; i < mesh->vertex_count; i++) {
        const float *p = mesh->position + 3 * i;
        assert_true(fabs((double)p[2] - (1.2 + 0.2 * (double)p[0] - 0.1 * (double)p[1])) < 1e-5);
    }
    aqm_mesh_destroy(&mesh);
    aqm_cloud_destroy(&cloud);
}

static void any_number_of_threads_gives_the_same_bytes(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(0.1, 0.001, 0.0003);
    punch(cloud, 0.0, 0.0, 0.003);
    AqmMesh *one = make_mesh(cloud, 0.002, 1);
    for (int threads = 2; threads <= 4; threads += 2) {
        AqmMesh *more = make_mesh(cloud, 0.002, threads);
        assert_int_equal(more->vertex_count, one->vertex_count);
        assert_int_equal(more->triangle_count, one->triangle_count);
        assert_memory_equal(more->position, one->position, one->vertex_count * 12);
        assert_memory_equal(more->normal, one->normal, one->vertex_count * 12);
        assert_memory_equal(more->color, one->color, one->vertex_count * 3);
        assert_memory_equal(more->sigma_m, one->sigma_m, one->vertex_count * 4);
        assert_memory_equal(more->triangles, one->triangles, one->triangle_count * 12);
        aqm_mesh_destroy(&more);
    }
    aqm_mesh_destroy(&one);
    aqm_cloud_destroy(&cloud);
}

static void too_little_data_is_said(void **state) {
    (void)state;
    AqmHeightfieldOptions options = aqm_heightfield_options_default();
    AqmCloud *cloud = empty_cloud(10);
    AqmMesh *mesh = NULL;
    AqmDiag diag = {0};
    assert_int_equal(aqm_surface_heightfield(cloud, &options, &mesh, &diag), AQM_ERROR_NO_DATA);
    assert_non_null(strstr(diag.message, "grid_resolution"));
    for (int i = 0; i < 9; i++)
        add_point(cloud, i, -i, 1.0);
    assert_int_equal(aqm_surface_heightfield(cloud, &options, &mesh, NULL), AQM_ERROR_NO_DATA);
    AqmHeightMap *map = NULL;
    assert_int_equal(aqm_surface_height_map(cloud, &options, &map, NULL), AQM_ERROR_NO_DATA);
    assert_null(map);
    options.grid_resolution_m = 0.0;
    diag = (AqmDiag){0};
    assert_int_equal(aqm_surface_heightfield(cloud, &options, &mesh, &diag), AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "grid_resolution is 0 m"));
    assert_null(mesh);
    aqm_cloud_destroy(&cloud);
}

static void failed_allocations_leave_nothing_behind(void **state) {
    (void)state;
    AqmCloud *cloud = wave_cloud(0.02, 0.001, 0.0);
    add_patch(cloud, 100.0, 100.0); /* the map has to choose */
    AqmHeightfieldOptions options = aqm_heightfield_options_default();
    const size_t before = aqm_alloc_count().live_bytes;
    size_t n = 1;
    for (;; n++) {
        AqmMesh *mesh = NULL;
        AqmHeightMap *map = NULL;
        AqmDiag diag = {0};
        aqm_alloc_fail_from(n);
        const AqmStatus status =
            aqm_surface_heightfield_with_map(cloud, &options, &mesh, &map, &diag);
        aqm_alloc_fail_from(0);
        if (status == AQM_OK) {
            aqm_mesh_destroy(&mesh);
            aqm_height_map_destroy(&map);
            break;
        }
        assert_null(map);
        assert_int_equal(status, AQM_ERROR_MEMORY);
        assert_int_equal(diag.status, AQM_ERROR_MEMORY);
        assert_null(mesh);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
    }
    assert_int_equal(aqm_alloc_count().live_bytes, before);
    assert_true(n > 15);
    aqm_cloud_destroy(&cloud);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean_points_give_the_wave_back),
        cmocka_unit_test(noise_is_averaged),
        cmocka_unit_test(outliers_do_not_move_it),
        cmocka_unit_test(normals_and_colors_follow_the_points),
        cmocka_unit_test(small_holes_close_and_large_ones_stay_open),
        cmocka_unit_test(nothing_is_made_up_outside_the_points),
        cmocka_unit_test(the_denser_of_two_layers_wins),
        cmocka_unit_test(far_outliers_cost_nothing),
        cmocka_unit_test(sigmas_are_those_of_the_errors),
        cmocka_unit_test(independent_errors_average_out),
        cmocka_unit_test(unknown_sigmas_stay_unknown),
        cmocka_unit_test(filled_nodes_are_less_certain),
        cmocka_unit_test(maps_have_the_heights_of_the_mesh),
        cmocka_unit_test(holes_are_where_nothing_was_measured),
        cmocka_unit_test(patches_far_away_are_left_out_of_maps_alone),
        cmocka_unit_test(a_map_that_is_too_large_is_said),
        cmocka_unit_test(a_sparse_cloud_is_joined_over_its_gaps),
        cmocka_unit_test(any_number_of_threads_gives_the_same_bytes),
        cmocka_unit_test(too_little_data_is_said),
        cmocka_unit_test(failed_allocations_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
