/* Meshes that the tests of the writers share. Include after cmocka.h. */
#ifndef AQM_IO_TEST_EXPORT_MESH_H
#define AQM_IO_TEST_EXPORT_MESH_H

#include <math.h>
#include <string.h>

#include "aquamvs/types.h"

/* A folded sheet of 4 vertices and 2 triangles that face up; normals of vertices 0 and 1 of other
 * lengths than 1, that of vertex 3 not known; sigma of vertices 1 and 2 known. */
static inline AqmMesh *make_two_triangles(void) {
    static const float position[12] = {0, 0, 1, 0.1f, 0, 1, 0, 0.2f, 1.25f, 0.1f, 0.2f, 1.25f};
    static const float normal[12] = {0, 0, -2, 0, 0, -0.5f, 0, 0.6f, -0.8f, 0, 0, 0};
    static const uint8_t color[12] = {255, 0, 0, 0, 255, 128, 1, 10, 255, 255, 255, 255};
    static const float sigma[4] = {NAN, 0.001f, 0.25f, -3};
    static const uint32_t triangles[6] = {0, 2, 1, 1, 2, 3};
    AqmMesh *mesh = NULL;
    assert_int_equal(aqm_mesh_create(&mesh, 4, 2, NULL), AQM_OK);
    memcpy(mesh->position, position, sizeof position);
    memcpy(mesh->normal, normal, sizeof normal);
    memcpy(mesh->color, color, sizeof color);
    memcpy(mesh->sigma_m, sigma, sizeof sigma);
    memcpy(mesh->triangles, triangles, sizeof triangles);
    return mesh;
}

/* Waves over a grid, every vertex of another colour; normals point up. */
static inline AqmMesh *make_sheet(size_t columns, size_t rows) {
    AqmMesh *mesh = NULL;
    assert_int_equal(aqm_mesh_create(&mesh, columns * rows, 2 * (columns - 1) * (rows - 1), NULL),
                     AQM_OK);
    for (size_t i = 0; i < mesh->vertex_count; i++) {
        const double x = 0.01 * (double)(i % columns), y = 0.01 * (double)(i / columns);
        const double slope = 0.2 * cos(20 * x), length = sqrt(1 + slope * slope);
        mesh->position[3 * i] = (float)x;
        mesh->position[3 * i + 1] = (float)y;
        mesh->position[3 * i + 2] = (float)(1 + 0.01 * sin(20 * x));
        mesh->normal[3 * i] = (float)(slope / length);
        mesh->normal[3 * i + 2] = (float)(-1 / length);
        for (size_t k = 0; k < 3; k++)
            mesh->color[3 * i + k] = (uint8_t)((i >> 3 * k) * 37);
        mesh->sigma_m[i] = 1e-4f * (float)(i % 10);
    }
    uint32_t *t = mesh->triangles;
    for (size_t j = 0; j + 1 < rows; j++)
        for (size_t i = 0; i + 1 < columns; i++, t += 6) {
            const uint32_t a = (uint32_t)(j * columns + i), b = a + 1;
            const uint32_t c = (uint32_t)(a + columns), d = c + 1;
            t[0] = a, t[1] = c, t[2] = b, t[3] = b, t[4] = c, t[5] = d;
        }
    return mesh;
}

#endif
