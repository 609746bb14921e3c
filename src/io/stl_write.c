/* STL, binary (3D Systems 1989): 80 bytes of anything, the number of triangles, and of each its
 * normal, its corners and two unused bytes. Little endian, as are the machines that this library is
 * built for. */
#include <stdio.h>
#include <string.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "io/atomic_file.h"
#include "io/mesh_export.h"

enum { CHUNK_TRIANGLES = 1024, HEADER_SIZE = 84, TRIANGLE_SIZE = 50 };

static AqmStatus write_header(AqmAtomicFile *file, size_t count, AqmDiag *diag) {
    char header[HEADER_SIZE] = {0};
    /* "solid" would be taken for the text variant */
    snprintf(header, 80, "binary STL, aquamvs %s, metres, Z down", aqm_version());
    const uint32_t triangles = (uint32_t)count;
    memcpy(header + 80, &triangles, 4);
    return aqm_atomic_write(file, header, sizeof header, diag);
}

static AqmStatus write_triangles(AqmAtomicFile *file, const AqmMesh *mesh, const double *rotation,
                                 unsigned char *chunk, AqmDiag *diag) {
    for (size_t t = 0; t < mesh->triangle_count;) {
        unsigned char *p = chunk;
        const size_t left = mesh->triangle_count - t;
        const size_t end = t + (left < CHUNK_TRIANGLES ? left : CHUNK_TRIANGLES);
        for (; t < end; t++, p += TRIANGLE_SIZE) {
            float corners[9], normal[3];
            aqm_triangle_corners(mesh, t, rotation, corners, normal);
            memcpy(p, normal, sizeof normal);
            memcpy(p + 12, corners, sizeof corners);
            memset(p + 48, 0, 2);
        }
        AQM_TRY(aqm_atomic_write(file, chunk, (size_t)(p - chunk), diag));
    }
    return AQM_OK;
}

AqmStatus aqm_stl_write_mesh(const char *path, const AqmMesh *mesh, const double *rotation,
                             AqmDiag *diag) {
    if (mesh->triangle_count > UINT32_MAX)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "%s: %zu triangles, STL holds at most %u", path,
                        mesh->triangle_count, UINT32_MAX);
    AQM_TRY(aqm_check_export(path, mesh, rotation, diag));
    AqmAtomicFile file;
    AQM_TRY(aqm_atomic_open(&file, path, diag));
    unsigned char *chunk = aqm_alloc(CHUNK_TRIANGLES, TRIANGLE_SIZE);
    AqmStatus status = chunk ? write_header(&file, mesh->triangle_count, diag)
                             : aqm_fail_memory(diag, path, CHUNK_TRIANGLES, TRIANGLE_SIZE);
    if (status == AQM_OK)
        status = write_triangles(&file, mesh, rotation, chunk, diag);
    aqm_free(chunk);
    return aqm_atomic_finish(&file, status, diag);
}
