#include "geometry/mesh_shape.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* A box of sides 1, 2, 3 around (10, 10, 10), wound outwards. */
static const uint32_t box_triangles[36] = {0, 2, 3, 0, 3, 1, 4, 5, 7, 4, 7, 6, 0, 1, 5, 0, 5, 4,
                                           2, 6, 7, 2, 7, 3, 0, 4, 6, 0, 6, 2, 1, 3, 7, 1, 7, 5};

static AqmMesh *make_box(size_t spare_vertices, size_t triangles) {
    AqmMesh *mesh = NULL;
    assert_int_equal(aqm_mesh_create(&mesh, 8 + spare_vertices, triangles, NULL), AQM_OK);
    for (int i = 0; i < 8; i++) {
        mesh->position[3 * i] = 10.0f + (float)(i & 1);
        mesh->position[3 * i + 1] = 10.0f + 2.0f * (float)(i >> 1 & 1);
        mesh->position[3 * i + 2] = 10.0f + 3.0f * (float)(i >> 2);
    }
    const size_t known = triangles < 12 ? triangles : 12;
    memcpy(mesh->triangles, box_triangles, known * 3 * sizeof(uint32_t));
    return mesh;
}

static AqmMeshShape shape_of(AqmMesh *mesh) {
    AqmMeshShape shape;
    assert_int_equal(aqm_mesh_shape(mesh, &shape, NULL), AQM_OK);
    aqm_mesh_destroy(&mesh);
    return shape;
}

static void a_box_is_watertight(void **state) {
    (void)state;
    const AqmMeshShape shape = shape_of(make_box(0, 12));
    assert_true(shape.is_watertight);
    assert_int_equal(shape.edges, 18);
    assert_int_equal(shape.components, 1);
    assert_int_equal(shape.boundary_edges + shape.non_manifold_edges + shape.flipped_edges, 0);
    assert_true(fabs(shape.area_m2 - 22.0) < 1e-9 && fabs(shape.volume_m3 - 6.0) < 1e-9);
}

static void an_open_box_has_a_boundary(void **state) {
    (void)state;
    const AqmMeshShape shape = shape_of(make_box(1, 10));
    assert_false(shape.is_watertight);
    assert_int_equal(shape.boundary_edges, 4);
    assert_int_equal(shape.unused_vertices, 1);
    assert_true(shape.volume_m3 == 0.0);
}

static void defects_are_counted(void **state) {
    (void)state;
    AqmMesh *mesh = make_box(3, 15);
    const uint32_t extra[9] = {0, 1, 8 /* a third triangle at an edge */,
                               9, 9, 10, /* no triangle */
                               8, 9, 10 /* touches by a vertex */};
    memcpy(mesh->triangles + 36, extra, sizeof extra);
    mesh->triangles[0] = 2, mesh->triangles[1] = 0; /* turned round */
    const AqmMeshShape shape = shape_of(mesh);
    assert_int_equal(shape.non_manifold_edges, 1);
    assert_int_equal(shape.flipped_edges, 3);
    assert_int_equal(shape.degenerate_triangles, 1);
    assert_int_equal(shape.components, 1);
    assert_int_equal(shape.unused_vertices, 0);
    assert_int_equal(shape.boundary_edges, 5);
}

static void pieces_are_counted(void **state) {
    (void)state;
    AqmMesh *mesh = make_box(3, 13);
    const uint32_t apart[3] = {8, 9, 10};
    memcpy(mesh->triangles + 36, apart, sizeof apart);
    assert_int_equal(shape_of(mesh).components, 2);
    assert_int_equal(aqm_mesh_create(&mesh, 0, 0, NULL), AQM_OK);
    const AqmMeshShape nothing = shape_of(mesh);
    assert_true(nothing.components == 0 && !nothing.is_watertight);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_box_is_watertight),
        cmocka_unit_test(an_open_box_has_a_boundary),
        cmocka_unit_test(defects_are_counted),
        cmocka_unit_test(pieces_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
