/* OBJ (Wavefront 1992) with the colours of vertices after their positions, as MeshLab, Blender,
 * CloudCompare and others read and write them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "io/atomic_file.h"
#include "io/mesh_export.h"
#include "io/number_text.h"

enum {
    CHUNK = 1 << 16,
    LINE_MAX_SIZE = 6 * (AQM_FLOAT_TEXT_MAX + 1) + 4,
    COLOR_TEXT_MAX = AQM_FLOAT_TEXT_MAX + 2
};

/* Text on its way to the file. */
typedef struct Sheet {
    AqmAtomicFile *file;
    AqmDiag *diag;
    char *text; /* CHUNK bytes */
    size_t used;
    char colors[256][COLOR_TEXT_MAX]; /* " 0.502" of 128 */
} Sheet;

static AqmStatus flush(Sheet *sheet) {
    const size_t size = sheet->used;
    sheet->used = 0;
    return aqm_atomic_write(sheet->file, sheet->text, size, sheet->diag);
}

/* Room for another line, in *line; `end_line` takes what was written there. */
static AqmStatus begin_line(Sheet *sheet, char **line) {
    if (CHUNK - sheet->used < LINE_MAX_SIZE)
        AQM_TRY(flush(sheet));
    *line = sheet->text + sheet->used;
    return AQM_OK;
}

static void end_line(Sheet *sheet, char *end) {
    *end++ = '\n';
    sheet->used = (size_t)(end - sheet->text);
}

static char *put_word(char *p, const char *word) {
    while (*word)
        *p++ = *word++;
    return p;
}

/* Four decimals: a fortieth of a step of 1/255. */
static void fill_colors(Sheet *sheet) {
    for (int i = 0; i < 256; i++) {
        char *text = sheet->colors[i];
        *text++ = ' ';
        *aqm_put_float(text, (float)(round(i / 255.0 * 1e4) / 1e4)) = '\0';
    }
}

static AqmStatus write_positions(Sheet *sheet, const AqmMesh *mesh, const double *rotation) {
    for (size_t i = 0; i < mesh->vertex_count; i++) {
        char *p;
        float position[3];
        AQM_TRY(begin_line(sheet, &p));
        aqm_turn(rotation, mesh->position + 3 * i, position);
        *p++ = 'v';
        for (int k = 0; k < 3; k++) {
            *p++ = ' ';
            p = aqm_put_float(p, position[k]);
        }
        for (size_t k = 0; k < 3; k++)
            p = put_word(p, sheet->colors[mesh->color[3 * i + k]]);
        end_line(sheet, p);
    }
    return AQM_OK;
}

/* Six decimals: a length of 1 to a millionth. */
static AqmStatus write_normals(Sheet *sheet, const float *normals, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char *p;
        AQM_TRY(begin_line(sheet, &p));
        p = put_word(p, "vn");
        for (size_t k = 0; k < 3; k++) {
            *p++ = ' ';
            p = aqm_put_float(p, (float)(round((double)normals[3 * i + k] * 1e6) / 1e6));
        }
        end_line(sheet, p);
    }
    return AQM_OK;
}

/* Vertices and normals go together: "f 1//1 2//2 3//3". */
static AqmStatus write_faces(Sheet *sheet, const AqmMesh *mesh) {
    for (size_t t = 0; t < mesh->triangle_count; t++) {
        char *p;
        AQM_TRY(begin_line(sheet, &p));
        *p++ = 'f';
        for (size_t k = 0; k < 3; k++) {
            const unsigned long long number = mesh->triangles[3 * t + k] + 1ull;
            *p++ = ' ';
            p = aqm_put_count(p, number);
            p = put_word(p, "//");
            p = aqm_put_count(p, number);
        }
        end_line(sheet, p);
    }
    return AQM_OK;
}

static AqmStatus write_all(Sheet *sheet, const AqmMesh *mesh, const double *rotation,
                           const float *normals) {
    sheet->used = (size_t)snprintf(sheet->text, CHUNK,
                                   "# aquamvs %s\n# metres, Z down; vertices: x y z red green blue "
                                   "(sRGB, 0..1)\n",
                                   aqm_version());
    fill_colors(sheet);
    AQM_TRY(write_positions(sheet, mesh, rotation));
    AQM_TRY(write_normals(sheet, normals, mesh->vertex_count));
    AQM_TRY(write_faces(sheet, mesh));
    return flush(sheet);
}

AqmStatus aqm_obj_write_mesh(const char *path, const AqmMesh *mesh, const double *rotation,
                             AqmDiag *diag) {
    AQM_TRY(aqm_check_export(path, mesh, rotation, diag));
    AqmAtomicFile file;
    AQM_TRY(aqm_atomic_open(&file, path, diag));
    float *normals = NULL;
    Sheet sheet = {.file = &file, .diag = diag, .text = aqm_alloc(CHUNK, 1)};
    AqmStatus status = sheet.text ? aqm_export_normals(path, mesh, rotation, &normals, diag)
                                  : aqm_fail_memory(diag, path, CHUNK, 1);
    if (status == AQM_OK)
        status = write_all(&sheet, mesh, rotation, normals);
    aqm_free(normals);
    aqm_free(sheet.text);
    return aqm_atomic_finish(&file, status, diag);
}
