/* make_export_files FOLDER: a mesh and a height map of closed form, which export_readers.py knows
 * too: mesh.ply, map.npz, map.tif. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "aquamvs/io.h"

enum { COLUMNS = 60, ROWS = 40, UNKNOWN_NORMAL = 61 };

static void fill_vertex(AqmMesh *mesh, size_t i) {
    const double x = 0.01 * (double)(i % COLUMNS) - 0.2, y = 0.01 * (double)(i / COLUMNS) - 0.1;
    const double slope = 0.2 * cos(20 * x), length = sqrt(1 + slope * slope);
    mesh->position[3 * i] = (float)x;
    mesh->position[3 * i + 1] = (float)y;
    mesh->position[3 * i + 2] = (float)(1 + 0.01 * sin(20 * x));
    if (i != UNKNOWN_NORMAL) {
        mesh->normal[3 * i] = (float)(slope / length);
        mesh->normal[3 * i + 2] = (float)(-1 / length);
    }
    mesh->color[3 * i] = (uint8_t)(i * 7);
    mesh->color[3 * i + 1] = (uint8_t)(i / COLUMNS * 6);
    mesh->color[3 * i + 2] = (uint8_t)(255 - i % COLUMNS * 4);
    if (i % 5 != 0)
        mesh->sigma_m[i] = 1e-4f * (float)(i % 10);
    mesh->views[i] = (uint8_t)(i % 13);
}

static AqmStatus write_mesh(const char *folder, AqmDiag *diag) {
    AqmMesh *mesh = NULL;
    AqmStatus status = aqm_mesh_create(&mesh, COLUMNS * ROWS, 2 * (COLUMNS - 1) * (ROWS - 1), diag);
    if (status != AQM_OK)
        return status;
    for (size_t i = 0; i < mesh->vertex_count; i++)
        fill_vertex(mesh, i);
    uint32_t *t = mesh->triangles;
    for (uint32_t j = 0; j + 1 < ROWS; j++)
        for (uint32_t a = j * COLUMNS; a + 1 < (j + 1) * COLUMNS; a++, t += 6) {
            const uint32_t b = a + 1, c = a + COLUMNS, d = c + 1;
            t[0] = a, t[1] = c, t[2] = b, t[3] = b, t[4] = c, t[5] = d;
        }
    char path[4096];
    snprintf(path, sizeof path, "%s/mesh.ply", folder);
    status = aqm_ply_write_mesh(path, mesh, NULL, diag);
    aqm_mesh_destroy(&mesh);
    return status;
}

static AqmStatus write_map(const char *folder, AqmDiag *diag) {
    AqmHeightMap *map = NULL;
    AqmStatus status = aqm_height_map_create(&map, 250, 130, diag);
    if (status != AQM_OK)
        return status;
    map->first_column = -30;
    map->first_row = 12;
    map->step_m = 0.002;
    for (int j = 0; j < map->rows; j++)
        for (int i = 0; i < map->columns; i++) {
            const int at = j * map->columns + i;
            if ((i + j) % 11 == 0)
                continue;
            map->z_m[at] = (float)(1 + 0.001 * i + 0.0005 * j);
            map->sigma_m[at] = (float)(0.0001 * (1 + i % 9));
        }
    char path[4096];
    snprintf(path, sizeof path, "%s/map.npz", folder);
    status = aqm_height_map_write(path, map, NULL, diag);
    snprintf(path, sizeof path, "%s/map.tif", folder);
    if (status == AQM_OK)
        status = aqm_height_map_write_tiff(path, map, diag);
    aqm_height_map_destroy(&map);
    return status;
}

int main(int argc, char **argv) {
    AqmDiag diag = {0};
    if (argc == 2 && write_mesh(argv[1], &diag) == AQM_OK && write_map(argv[1], &diag) == AQM_OK)
        return 0;
    fprintf(stderr, "make_export_files: %s\n", argc == 2 ? diag.message : "wants a folder");
    return 1;
}
