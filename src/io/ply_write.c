#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "io/atomic_file.h"
#include "io/mesh_export.h"

/* Rows gathered before they are written. The files are little endian, as are the machines that this
 * library is built for. */
enum { CHUNK_ROWS = 4096, ROW_MAX = 40 };

static const char *const vertex_lines = "property float x\nproperty float y\nproperty float z\n"
                                        "property float nx\nproperty float ny\n"
                                        "property float nz\nproperty uchar red\n"
                                        "property uchar green\nproperty uchar blue\n";

static unsigned char *put_rotated(unsigned char *p, const double *rotation, const float vector[3]) {
    float turned[3];
    aqm_turn(rotation, vector, turned);
    memcpy(p, turned, sizeof turned);
    return p + sizeof turned;
}

typedef struct RowSource {
    const double *rotation;
    const float *position, *normal;
    const uint8_t *color;
    const float *confidence; /* NULL for meshes */
    const float *sigma;
    const uint8_t *views;
} RowSource;

static unsigned char *put_vertex(unsigned char *p, const RowSource *source, size_t i) {
    p = put_rotated(p, source->rotation, source->position + 3 * i);
    p = put_rotated(p, source->rotation, source->normal + 3 * i);
    memcpy(p, source->color + 3 * i, 3);
    p += 3;
    if (source->confidence) {
        memcpy(p, source->confidence + i, 4);
        p += 4;
    }
    memcpy(p, source->sigma + i, 4);
    p[4] = source->views[i];
    return p + 5;
}

static AqmStatus write_vertices(AqmAtomicFile *file, const RowSource *source, size_t count,
                                unsigned char *chunk, AqmDiag *diag) {
    for (size_t i = 0; i < count;) {
        unsigned char *p = chunk;
        for (const size_t end = count - i < CHUNK_ROWS ? count : i + CHUNK_ROWS; i < end; i++)
            p = put_vertex(p, source, i);
        AQM_TRY(aqm_atomic_write(file, chunk, (size_t)(p - chunk), diag));
    }
    return AQM_OK;
}

static AqmStatus write_triangles(AqmAtomicFile *file, const AqmMesh *mesh, unsigned char *chunk,
                                 AqmDiag *diag) {
    for (size_t i = 0; i < mesh->triangle_count;) {
        unsigned char *p = chunk;
        const size_t left = mesh->triangle_count - i;
        for (const size_t end = i + (left < CHUNK_ROWS ? left : CHUNK_ROWS); i < end; i++) {
            *p++ = 3;
            memcpy(p, mesh->triangles + 3 * i, 12);
            p += 12;
        }
        AQM_TRY(aqm_atomic_write(file, chunk, (size_t)(p - chunk), diag));
    }
    return AQM_OK;
}

/* A point cloud where `mesh` is NULL. */
static AqmStatus write_file(AqmAtomicFile *file, const RowSource *source, size_t count,
                            const AqmMesh *mesh, AqmDiag *diag) {
    char header[1024], faces[128] = "";
    if (mesh)
        snprintf(faces, sizeof faces, "element face %zu\nproperty list uchar int vertex_indices\n",
                 mesh->triangle_count);
    const int length =
        snprintf(header, sizeof header,
                 "ply\nformat binary_little_endian 1.0\ncomment aquamvs, metres\n"
                 "element vertex %zu\n%s%sproperty float sigma\nproperty uchar views\n%s"
                 "end_header\n",
                 count, vertex_lines, mesh ? "" : "property float confidence\n", faces);
    unsigned char *chunk = aqm_alloc(CHUNK_ROWS, ROW_MAX);
    if (!chunk)
        return aqm_fail_memory(diag, file->path, CHUNK_ROWS, ROW_MAX);
    AqmStatus status = aqm_atomic_write(file, header, (size_t)length, diag);
    if (status == AQM_OK)
        status = write_vertices(file, source, count, chunk, diag);
    if (status == AQM_OK && mesh)
        status = write_triangles(file, mesh, chunk, diag);
    aqm_free(chunk);
    return status;
}

AqmStatus aqm_ply_write_cloud(const char *path, const AqmCloud *cloud, const double *rotation,
                              AqmDiag *diag) {
    const RowSource source = {rotation,          cloud->position, cloud->normal, cloud->color,
                              cloud->confidence, cloud->sigma_m,  cloud->views};
    AqmAtomicFile file;
    AQM_TRY(aqm_atomic_open(&file, path, diag));
    return aqm_atomic_finish(&file, write_file(&file, &source, cloud->count, NULL, diag), diag);
}

AqmStatus aqm_ply_write_mesh(const char *path, const AqmMesh *mesh, const double *rotation,
                             AqmDiag *diag) {
    if (mesh->vertex_count > INT32_MAX)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "%s: %zu vertices, at most %d can be written",
                        path, mesh->vertex_count, INT32_MAX);
    const RowSource source = {rotation, mesh->position, mesh->normal, mesh->color,
                              NULL,     mesh->sigma_m,  mesh->views};
    AqmAtomicFile file;
    AQM_TRY(aqm_atomic_open(&file, path, diag));
    return aqm_atomic_finish(&file, write_file(&file, &source, mesh->vertex_count, mesh, diag),
                             diag);
}
