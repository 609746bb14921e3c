#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <meshoptimizer.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/surface.h"
#include "base/alloc.h"
#include "geometry/mesh_shape.h"
#include "math/rng.h"
#include "math/vec.h"

static const double PI = 3.141592653589793;

/* 5 mm waves of 50 mm over a tilted floor. */
static double wave(double x, double y) {
    return 1.2 + 0.1 * y + 0.005 * sin(2.0 * PI / 0.05 * x + 0.4);
}

static AqmMesh *empty_mesh(size_t vertices, size_t triangles) {
    AqmMesh *mesh = NULL;
    assert_int_equal(aqm_mesh_create(&mesh, vertices, triangles, NULL), AQM_OK);
    return mesh;
}

/* Colour, views and sigma tell which vertex it is. */
static void set_vertex(AqmMesh *mesh, size_t i, double x, double y, double z) {
    const double p[3] = {x, y, z};
    for (int k = 0; k < 3; k++) {
        mesh->position[3 * i + k] = (float)p[k];
        mesh->color[3 * i + k] = (uint8_t)(i >> 8 * k);
        mesh->normal[3 * i + k] = (float)(i + k);
    }
    mesh->sigma_m[i] = (float)i;
    mesh->views[i] = (uint8_t)(i % 251);
}

/* A sheet of side x side vertices 2 mm apart, with a hole of one square near each corner. */
static AqmMesh *wave_mesh(int side, double noise, uint64_t seed) {
    const size_t n = (size_t)side;
    AqmMesh *mesh = empty_mesh(n * n, 2 * (n - 1) * (n - 1));
    AqmRng rng = aqm_rng(seed, 0);
    for (size_t i = 0; i < n * n; i++) {
        const double x = 0.002 * (double)(i % n), y = 0.002 * (double)(i / n);
        set_vertex(mesh, i, x, y, wave(x, y) + noise * aqm_rng_normal(&rng));
    }
    size_t count = 0;
    for (uint32_t j = 0; j + 1 < n; j++)
        for (uint32_t i = 0; i + 1 < n; i++) {
            const uint32_t a = j * (uint32_t)n + i, b = a + (uint32_t)n;
            const uint32_t corners[6] = {a, b, a + 1, b, b + 1, a + 1};
            if ((i == 10 || i + 12 == n) && (j == 10 || j + 12 == n))
                continue;
            memcpy(mesh->triangles + 3 * count, corners, sizeof corners);
            count += 2;
        }
    mesh->triangle_count = count;
    return mesh;
}

/* Rings of vertices from pole to pole. */
static AqmMesh *sphere_mesh(uint32_t rings, uint32_t around, double radius) {
    const uint32_t last = rings * around + 1;
    AqmMesh *mesh = empty_mesh(last + 1, 2 * rings * around);
    set_vertex(mesh, 0, 0.0, 0.0, 1.0 + radius);
    set_vertex(mesh, last, 0.0, 0.0, 1.0 - radius);
    uint32_t *t = mesh->triangles;
    for (uint32_t r = 0; r < rings; r++)
        for (uint32_t i = 0; i < around; i++) {
            const double tilt = PI * (r + 1) / (rings + 1), turn = 2.0 * PI * i / around;
            const uint32_t a = 1 + r * around + i, b = 1 + r * around + (i + 1) % around;
            set_vertex(mesh, a, radius * sin(tilt) * cos(turn), radius * sin(tilt) * sin(turn),
                       1.0 + radius * cos(tilt));
            const uint32_t above[3] = {r ? a - around : 0, a, b};
            const uint32_t below[3] = {b, a, r + 1 < rings ? b + around : last};
            memcpy(t, above, sizeof above);
            memcpy(t + 3, below, sizeof below);
            t += 6;
        }
    return mesh;
}

static AqmMesh *simplify(const AqmMesh *mesh, size_t target, double *error_m) {
    AqmMesh *result = NULL;
    AqmDiag diag = {0};
    if (aqm_mesh_simplify(mesh, target, &result, error_m, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    return result;
}

static AqmMeshShape assert_sound(const AqmMesh *mesh) {
    AqmMeshShape shape;
    assert_int_equal(aqm_mesh_shape(mesh, &shape, NULL), AQM_OK);
    assert_int_equal(shape.non_manifold_edges, 0);
    assert_int_equal(shape.flipped_edges, 0);
    assert_int_equal(shape.degenerate_triangles, 0);
    assert_int_equal(shape.unused_vertices, 0);
    return shape;
}

/* Which vertex of the original it is, by its colour. */
static size_t number_of(const AqmMesh *result, size_t v) {
    const uint8_t *c = result->color + 3 * v;
    return c[0] | (size_t)c[1] << 8 | (size_t)c[2] << 16;
}

/* All that is known of the vertex is that of the original, which is near. */
static size_t assert_carried(const AqmMesh *result, size_t v, const AqmMesh *mesh) {
    const size_t i = number_of(result, v);
    assert_true(i < mesh->vertex_count);
    for (int k = 0; k < 3; k++)
        assert_true(fabsf(result->position[3 * v + k] - mesh->position[3 * i + k]) < 0.001f);
    assert_memory_equal(result->normal + 3 * v, mesh->normal + 3 * i, 3 * sizeof(float));
    assert_true(result->sigma_m[v] == mesh->sigma_m[i]);
    assert_int_equal(result->views[v], mesh->views[i]);
    return i;
}

/* ---- distances, in another way than the code's ----------------------------------------------- */

/* The nearest place of a triangle by minimising over its two barycentric coordinates: the plane
 * first, then the sides. */
static double triangle_distance(double p[3][3], const double x[3]) {
    double e[2][3], d[3], least = INFINITY;
    for (int k = 0; k < 3; k++)
        e[0][k] = p[1][k] - p[0][k], e[1][k] = p[2][k] - p[0][k], d[k] = x[k] - p[0][k];
    const double a = aqm_dot3(e[0], e[0]), b = aqm_dot3(e[0], e[1]), c = aqm_dot3(e[1], e[1]);
    const double f = aqm_dot3(e[0], d), g = aqm_dot3(e[1], d), det = a * c - b * b;
    double tries[4][2] = {{(c * f - b * g) / det, (a * g - b * f) / det},
                          {fmin(fmax(f / a, 0.0), 1.0), 0.0},
                          {0.0, fmin(fmax(g / c, 0.0), 1.0)}};
    const double t = fmin(fmax((a - b + g - f) / (a - 2.0 * b + c), 0.0), 1.0);
    tries[3][0] = 1.0 - t, tries[3][1] = t;
    for (int i = 0; i < 4; i++) {
        const double u = tries[i][0], v = tries[i][1];
        if (!(u >= 0.0 && v >= 0.0 && u + v <= 1.0 + 1e-12))
            continue;
        const double left[3] = {d[0] - u * e[0][0] - v * e[1][0], d[1] - u * e[0][1] - v * e[1][1],
                                d[2] - u * e[0][2] - v * e[1][2]};
        least = fmin(least, aqm_norm3(left));
    }
    return least;
}

static void corners(const AqmMesh *mesh, size_t triangle, double p[3][3]) {
    for (size_t k = 0; k < 9; k++)
        p[k / 3][k % 3] = mesh->position[3 * (size_t)mesh->triangles[3 * triangle + k / 3] + k % 3];
}

/* The largest distance of random points of `from`, three in each triangle, and of its vertices. */
static double largest_distance(const AqmMesh *from, const AqmMesh *to) {
    AqmRng rng = aqm_rng(2, 0);
    double largest = 0.0;
    for (size_t i = 0; i < 6 * from->triangle_count; i++) {
        double p[3][3], q[3][3], x[3], least = INFINITY;
        corners(from, i / 6, p);
        const double u = i % 6 < 3 ? i % 6 == 1 : aqm_rng_uniform(&rng);
        const double v = i % 6 < 3 ? i % 6 == 2 : (1.0 - u) * aqm_rng_uniform(&rng);
        for (int k = 0; k < 3; k++)
            x[k] = p[0][k] + u * (p[1][k] - p[0][k]) + v * (p[2][k] - p[0][k]);
        for (size_t j = 0; j < to->triangle_count && least > largest; j++) {
            corners(to, j, q);
            least = fmin(least, triangle_distance(q, x));
        }
        largest = fmax(largest, least);
    }
    return largest;
}

/* ---- shapes ---------------------------------------------------------------------------------- */

/* Degrees between a triangle and the surface at its centroid. */
static double tilt_from_wave(double p[3][3]) {
    const double x = (p[0][0] + p[1][0] + p[2][0]) / 3.0, k = 2.0 * PI / 0.05;
    const double out[3] = {0.005 * k * cos(k * x + 0.4), 0.1, -1.0};
    double side[2][3], normal[3];
    for (int a = 0; a < 3; a++)
        side[0][a] = p[1][a] - p[0][a], side[1][a] = p[2][a] - p[0][a];
    aqm_cross3(side[0], side[1], normal);
    return acos(aqm_dot3(normal, out) / (aqm_norm3(normal) * aqm_norm3(out))) * 180.0 / PI;
}

static void a_sheet_keeps_its_shape_with_a_tenth_of_the_triangles(void **state) {
    (void)state;
    AqmMesh *mesh = wave_mesh(100, 0.00005, 1);
    double error, squares = 0.0;
    AqmMesh *result = simplify(mesh, mesh->triangle_count / 10, &error);
    assert_sound(result);
    assert_true(result->triangle_count <= mesh->triangle_count / 10 &&
                result->triangle_count + 10 > mesh->triangle_count / 10);
    for (size_t i = 0; i < result->triangle_count; i++) {
        double p[3][3];
        corners(result, i, p);
        assert_true(tilt_from_wave(p) < 25.0);
        for (int k = 0; k < 10; k++) { /* over the triangle */
            const double u = 0.1 + 0.25 * (k % 4), v = 0.1 + 0.25 * (k / 4) * (1.0 - u);
            double x[3];
            for (int a = 0; a < 3; a++)
                x[a] = p[0][a] + u * (p[1][a] - p[0][a]) + v * (p[2][a] - p[0][a]);
            squares += pow(x[2] - wave(x[0], x[1]), 2.0) / 10.0;
        }
    }
    const double rms_mm = 1000.0 * sqrt(squares / (double)result->triangle_count);
    print_message("a tenth: RMS %.3f mm, largest distance %.3f mm\n", rms_mm, 1000.0 * error);
    /* edges of 6 mm on a crest of 79 / m sag by 0.36 mm; corners on the surface leave 0.057 */
    assert_true(rms_mm < 0.05);
    assert_true(error < 0.001);
    aqm_mesh_destroy(&result);
    aqm_mesh_destroy(&mesh);
}

/* The root of the mean squared distance of the vertices of `from`. */
static double rms_distance(const AqmMesh *from, const AqmMesh *to) {
    double sum = 0.0;
    for (size_t v = 0; v < from->vertex_count; v++) {
        double q[3][3], x[3], least = INFINITY;
        for (int k = 0; k < 3; k++)
            x[k] = (double)from->position[3 * v + k];
        for (size_t j = 0; j < to->triangle_count; j++) {
            corners(to, j, q);
            least = fmin(least, triangle_distance(q, x));
        }
        sum += least * least;
    }
    return sqrt(sum / (double)from->vertex_count);
}

static void scale_shifts(AqmMesh *result, const AqmMesh *mesh, float factor) {
    for (size_t v = 0; v < result->vertex_count; v++)
        for (int k = 0; k < 3; k++) {
            const float from = mesh->position[3 * number_of(result, v) + k];
            float *at = &result->position[3 * v + k];
            *at = from + factor * (*at - from);
        }
}

/* Where the vertices are moved to, the original is nearer than where they were, and half as far
 * again: the sum of squares has its least there. A plane has nothing to gain. */
static void vertices_lie_where_the_triangles_fit_best(void **state) {
    (void)state;
    AqmMesh *meshes[2] = {wave_mesh(50, 0.0, 5), sphere_mesh(30, 60, 0.1)};
    for (size_t v = 0; v < meshes[0]->vertex_count; v++) { /* bent both ways */
        float *at = meshes[0]->position + 3 * v;
        at[2] += 0.004f * sinf(100.0f * at[1]);
    }
    for (int m = 0; m < 2; m++) {
        AqmMesh *result = simplify(meshes[m], meshes[m]->triangle_count / 8, NULL);
        const double best = rms_distance(meshes[m], result);
        scale_shifts(result, meshes[m], 1.5f);
        const double beyond = rms_distance(meshes[m], result);
        scale_shifts(result, meshes[m], 0.0f);
        const double before = rms_distance(meshes[m], result);
        print_message("RMS %.4f mm, before %.4f, beyond %.4f mm\n", 1000.0 * best, 1000.0 * before,
                      1000.0 * beyond);
        assert_true(best < 0.75 * before && best < beyond);
        aqm_mesh_destroy(&result);
    }
    for (size_t v = 0; v < meshes[0]->vertex_count; v++)
        meshes[0]->position[3 * v + 2] = 1.0f + 0.25f * meshes[0]->position[3 * v];
    AqmMesh *plane = simplify(meshes[0], 100, NULL);
    for (size_t v = 0; v < plane->vertex_count; v++) {
        const float *at = plane->position + 3 * v,
                    *from = meshes[0]->position + 3 * number_of(plane, v);
        for (int k = 0; k < 3; k++)
            assert_true(fabsf(at[k] - from[k]) < 2e-7f);
    }
    aqm_mesh_destroy(&plane);
    aqm_mesh_destroy(&meshes[0]);
    aqm_mesh_destroy(&meshes[1]);
}

static void the_error_stated_is_the_largest_distance(void **state) {
    (void)state;
    for (int round = 0; round < 2; round++) {
        AqmMesh *mesh = round ? sphere_mesh(30, 60, 0.1) : wave_mesh(40, 0.0001, 4);
        double error;
        AqmMesh *result = simplify(mesh, mesh->triangle_count / 8, &error);
        const double there = largest_distance(mesh, result), back = largest_distance(result, mesh);
        print_message("largest distance: stated %.4f mm, found %.4f and %.4f mm\n", 1000.0 * error,
                      1000.0 * there, 1000.0 * back);
        assert_true(fmax(there, back) < 1.02 * error + 1e-9);
        assert_true(fmax(there, back) > 0.8 * error);
        aqm_mesh_destroy(&result);
        aqm_mesh_destroy(&mesh);
    }
}

static void a_sphere_stays_closed(void **state) {
    (void)state;
    AqmMesh *mesh = sphere_mesh(60, 120, 0.1);
    AqmMesh *result = simplify(mesh, 1000, NULL);
    const AqmMeshShape shape = assert_sound(result);
    assert_true(shape.is_watertight);
    assert_true(result->triangle_count <= 1000 && result->triangle_count > 900);
    assert_true(fabs(shape.volume_m3 / (4.0 / 3.0 * PI * 0.001) - 1.0) < 0.02);
    aqm_mesh_destroy(&result);
    double error;
    result = simplify(mesh, 1, &error); /* of a closed mesh nothing would be left */
    assert_sound(result);
    assert_true(result->triangle_count > 0 && result->triangle_count < 10);
    assert_true(error > 0.05 && error < 0.2);
    aqm_mesh_destroy(&result);
    aqm_mesh_destroy(&mesh);
}

static int by_value(const void *a, const void *b) {
    const uint64_t p = *(const uint64_t *)a, q = *(const uint64_t *)b;
    return p < q ? -1 : p > q;
}

/* Edges with one triangle, as pairs of vertices of the original (which the colours tell). */
static size_t borders(const AqmMesh *mesh, uint64_t *list) {
    uint64_t *edges = malloc(6 * mesh->triangle_count * sizeof *edges);
    size_t count = 0, found = 0;
    for (size_t i = 0; i < mesh->triangle_count; i++)
        for (int k = 0; k < 3; k++) {
            uint64_t end[2];
            for (int j = 0; j < 2; j++) {
                const uint8_t *c =
                    mesh->color + 3 * (size_t)mesh->triangles[3 * i + (size_t)(k + j) % 3];
                end[j] = c[0] | (uint64_t)c[1] << 8 | (uint64_t)c[2] << 16;
            }
            /* the lowest bit: in which direction */
            edges[count++] =
                end[0] < end[1] ? end[0] << 33 | end[1] << 1 : end[1] << 33 | end[0] << 1 | 1;
        }
    qsort(edges, count, sizeof *edges, by_value);
    for (size_t i = 0; i < count; i++)
        if ((i == 0 || edges[i - 1] >> 1 != edges[i] >> 1) &&
            (i + 1 == count || edges[i + 1] >> 1 != edges[i] >> 1))
            list[found++] = edges[i];
    free(edges);
    return found;
}

static void borders_stay_and_vertices_keep_what_is_known(void **state) {
    (void)state;
    AqmMesh *mesh = wave_mesh(60, 0.00005, 3);
    uint64_t *before = malloc(3 * mesh->triangle_count * sizeof *before);
    uint64_t *after = malloc(3 * mesh->triangle_count * sizeof *after);
    const size_t count = borders(mesh, before);
    assert_int_equal(count, 4 * 59 + 4 * 4);
    const size_t targets[] = {3000, 700, 1};
    for (int t = 0; t < 3; t++) { /* the last cannot be reached */
        AqmMesh *result = simplify(mesh, targets[t], NULL);
        assert_sound(result);
        assert_true(result->triangle_count > 250);
        assert_int_equal(borders(result, after), count);
        assert_memory_equal(after, before, count * sizeof *before);
        size_t last = 0;
        for (size_t v = 0; v < result->vertex_count; v++) {
            const size_t i = assert_carried(result, v, mesh);
            assert_true(v == 0 || i > last); /* in their old order */
            last = i;
            for (size_t k = 0; k < count; k++)
                if (i == before[k] >> 33 || i == (before[k] >> 1 & UINT32_MAX))
                    assert_memory_equal(result->position + 3 * v, mesh->position + 3 * i,
                                        3 * sizeof(float));
        }
        aqm_mesh_destroy(&result);
    }
    free(before);
    free(after);
    aqm_mesh_destroy(&mesh);
}

/* Of so rough sheets the library alone makes edges with four triangles, as the test makes sure. */
static void bubbles_are_taken_out(void **state) {
    (void)state;
    size_t crowded = 0;
    for (uint64_t seed = 0; seed < 6; seed++) {
        AqmMesh *mesh = wave_mesh(100, 0.0008, seed);
        const size_t target = mesh->triangle_count / 20;
        AqmMesh raw = *mesh;
        raw.triangles = malloc(3 * mesh->triangle_count * sizeof *raw.triangles);
        raw.triangle_count =
            meshopt_simplify(raw.triangles, mesh->triangles, 3 * mesh->triangle_count,
                             mesh->position, mesh->vertex_count, 3 * sizeof(float), 3 * target,
                             1e9f, meshopt_SimplifyLockBorder, NULL) /
            3;
        AqmMeshShape shape;
        assert_int_equal(aqm_mesh_shape(&raw, &shape, NULL), AQM_OK);
        crowded += shape.non_manifold_edges;
        free(raw.triangles);
        AqmMesh *result = simplify(mesh, target, NULL);
        const AqmMeshShape repaired = assert_sound(result);
        assert_int_equal(repaired.boundary_edges, 4 * 99 + 4 * 4); /* and leave no holes */
        assert_true(result->triangle_count + 60 > target);
        aqm_mesh_destroy(&result);
        aqm_mesh_destroy(&mesh);
    }
    print_message("edges with more than two triangles taken care of: %zu\n", crowded);
    assert_true(crowded > 0);
}

/* ---- special cases --------------------------------------------------------------------------- */

static void assert_equal_meshes(const AqmMesh *a, const AqmMesh *b) {
    assert_int_equal(a->vertex_count, b->vertex_count);
    assert_int_equal(a->triangle_count, b->triangle_count);
    assert_memory_equal(a->position, b->position, 12 * a->vertex_count);
    assert_memory_equal(a->normal, b->normal, 12 * a->vertex_count);
    assert_memory_equal(a->color, b->color, 3 * a->vertex_count);
    assert_memory_equal(a->sigma_m, b->sigma_m, 4 * a->vertex_count);
    assert_memory_equal(a->views, b->views, a->vertex_count);
    assert_memory_equal(a->triangles, b->triangles, 12 * a->triangle_count);
}

static void nothing_changes_where_there_are_no_more_already(void **state) {
    (void)state;
    AqmMesh *mesh = wave_mesh(30, 0.0001, 1), *none = empty_mesh(0, 0);
    mesh->triangle_count -= 8; /* leaves a vertex unused */
    double error = 1.0;
    for (size_t more = 0; more < 2; more++) {
        AqmMesh *result = simplify(mesh, mesh->triangle_count + more, &error);
        assert_equal_meshes(result, mesh);
        assert_true(error == 0.0);
        aqm_mesh_destroy(&result);
    }
    error = 1.0;
    AqmMesh *result = simplify(none, 1, &error);
    assert_int_equal(result->vertex_count, 0);
    assert_true(error == 0.0);
    aqm_mesh_destroy(&result);
    aqm_mesh_destroy(&none);
    aqm_mesh_destroy(&mesh);
}

static void the_same_bytes_each_time(void **state) {
    (void)state;
    AqmMesh *mesh = wave_mesh(60, 0.0002, 1);
    double error[2];
    AqmMesh *one = simplify(mesh, 800, &error[0]), *two = simplify(mesh, 800, &error[1]);
    assert_equal_meshes(one, two);
    assert_true(error[0] == error[1] && error[0] > 0.0);
    aqm_mesh_destroy(&one);
    aqm_mesh_destroy(&two);
    aqm_mesh_destroy(&mesh);
}

static void broken_corners_are_passed_over(void **state) {
    (void)state;
    AqmMesh *mesh = wave_mesh(40, 0.00005, 1);
    mesh->position[3 * 500] = NAN;
    mesh->position[3 * 700 + 1] = INFINITY;
    mesh->triangles[4] = mesh->triangles[3];
    double error;
    AqmMesh *result = simplify(mesh, 600, &error);
    assert_sound(result);
    assert_true(result->triangle_count > 500 && error > 0.0 && error < 0.001);
    for (size_t i = 0; i < 3 * result->vertex_count; i++)
        assert_true(isfinite(result->position[i]));
    aqm_mesh_destroy(&result);
    for (size_t i = 0; i < mesh->vertex_count; i++)
        mesh->position[3 * i] = NAN;
    AqmDiag diag = {0};
    assert_int_equal(aqm_mesh_simplify(mesh, 600, &result, NULL, &diag), AQM_ERROR_NO_DATA);
    assert_non_null(strstr(diag.message, "three finite corners"));
    aqm_mesh_destroy(&mesh);
}

static void wrong_arguments_are_named(void **state) {
    (void)state;
    AqmMesh *mesh = wave_mesh(30, 0.0, 1), *result = NULL;
    AqmDiag diag = {0};
    assert_int_equal(aqm_mesh_simplify(mesh, 0, &result, NULL, &diag), AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "to 0 triangles"));
    mesh->triangles[100] = 900;
    diag = (AqmDiag){0};
    double error = 7.0;
    assert_int_equal(aqm_mesh_simplify(mesh, 10, &result, &error, &diag), AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "triangle 33 has vertex 900"));
    assert_null(result);
    assert_true(error == 7.0);
    aqm_mesh_destroy(&mesh);
}

static void failed_allocations_leave_nothing_behind(void **state) {
    (void)state;
    AqmMesh *mesh = wave_mesh(30, 0.0001, 1);
    const size_t before = aqm_alloc_count().live_bytes;
    for (size_t target = 200; target < 4000; target += 3000) {
        size_t n = 1;
        for (;; n++) {
            AqmMesh *result = NULL;
            AqmDiag diag = {0};
            double error = 7.0;
            aqm_alloc_fail_from(n);
            const AqmStatus status = aqm_mesh_simplify(mesh, target, &result, &error, &diag);
            aqm_alloc_fail_from(0);
            if (status == AQM_OK) {
                aqm_mesh_destroy(&result);
                break;
            }
            assert_int_equal(status, AQM_ERROR_MEMORY);
            assert_int_equal(diag.status, AQM_ERROR_MEMORY);
            assert_null(result);
            assert_true(error == 7.0);
            assert_int_equal(aqm_alloc_count().live_bytes, before);
        }
        assert_int_equal(aqm_alloc_count().live_bytes, before);
        assert_true(n > (target == 200 ? 20 : 8));
    }
    aqm_mesh_destroy(&mesh);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sheet_keeps_its_shape_with_a_tenth_of_the_triangles),
        cmocka_unit_test(vertices_lie_where_the_triangles_fit_best),
        cmocka_unit_test(the_error_stated_is_the_largest_distance),
        cmocka_unit_test(a_sphere_stays_closed),
        cmocka_unit_test(borders_stay_and_vertices_keep_what_is_known),
        cmocka_unit_test(bubbles_are_taken_out),
        cmocka_unit_test(nothing_changes_where_there_are_no_more_already),
        cmocka_unit_test(the_same_bytes_each_time),
        cmocka_unit_test(broken_corners_are_passed_over),
        cmocka_unit_test(wrong_arguments_are_named),
        cmocka_unit_test(failed_allocations_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
