/* glTF 2.0 (Khronos 2021, ISO/IEC 12113): a JSON document and a buffer, which either follows it in
 * the same file (.glb) or stands in it as base64 (.gltf), so that a mesh is one file in both.
 *
 * The buffer holds one section after the other: indices, positions, normals, colours and, where any
 * is known, the standard deviations. Values that are rotated, converted or normalised are made as
 * they are written. */
#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "io/atomic_file.h"
#include "io/base64.h"
#include "io/mesh_export.h"
#include "io/number_text.h"

enum {
    CHUNK_ROWS = 3072,
    ROW_MAX = 12, /* bytes: a triangle, a position */
    JSON_MAX = 4096,
    GLB_HEADER = 12,
    CHUNK_HEADER = 8
};

typedef enum Section { INDICES, POSITIONS, NORMALS, COLORS, SIGMAS, SECTIONS } Section;

static const size_t row_sizes[SECTIONS] = {12, 12, 12, 8, 4};

typedef struct Scene {
    const char *path;
    const AqmMesh *mesh;
    const double *rotation;
    float *normals; /* owned */
    float least[3], most[3];
    uint16_t linear[256]; /* of an sRGB byte */
    bool has_sigma;
    size_t sizes[SECTIONS], buffer_size; /* bytes */
} Scene;

typedef struct Output {
    AqmAtomicFile file;
    AqmDiag *diag;
    bool is_text; /* base64 */
    AqmBase64 base64;
    unsigned char *rows; /* CHUNK_ROWS of ROW_MAX */
    char *text;          /* their base64 */
} Output;

/* ---- what will be written ---------------------------------------------------------------------
 */

/* IEC 61966-2-1. In 16 bits all 256 stay apart; in 8 the darkest seven would become one. */
static uint16_t linear_from_srgb(int byte) {
    const double c = byte / 255.0;
    const double linear = c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
    return (uint16_t)(linear * 65535 + 0.5);
}

static bool is_sigma(float sigma) {
    return isfinite(sigma) && sigma >= 0;
}

static size_t section_rows(const AqmMesh *mesh, Section section) {
    return section == INDICES ? mesh->triangle_count : mesh->vertex_count;
}

/* Offsets in a buffer, and the length of a GLB, are 32-bit numbers; the index 2^32 - 1 is taken. */
static AqmStatus measure(Scene *scene, AqmDiag *diag) {
    const AqmMesh *mesh = scene->mesh;
    uint64_t total = 0;
    if (mesh->vertex_count < UINT32_MAX && mesh->triangle_count < UINT32_MAX)
        for (Section s = INDICES; s < SECTIONS; s++) {
            const bool is_written = s != SIGMAS || scene->has_sigma;
            scene->sizes[s] = is_written ? section_rows(mesh, s) * row_sizes[s] : 0;
            total += scene->sizes[s];
        }
    else
        total = UINT32_MAX;
    if (total > UINT32_MAX - GLB_HEADER - 2 * CHUNK_HEADER - JSON_MAX)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "%s: %zu vertices and %zu triangles are more than the 4 GiB that glTF "
                        "holds",
                        scene->path, mesh->vertex_count, mesh->triangle_count);
    scene->buffer_size = (size_t)total;
    return AQM_OK;
}

static void find_bounds(Scene *scene) {
    for (int k = 0; k < 3; k++) {
        scene->least[k] = FLT_MAX;
        scene->most[k] = -FLT_MAX;
    }
    for (size_t i = 0; i < scene->mesh->vertex_count; i++) {
        float position[3];
        aqm_turn(scene->rotation, scene->mesh->position + 3 * i, position);
        for (int k = 0; k < 3; k++) {
            scene->least[k] = fminf(scene->least[k], position[k]);
            scene->most[k] = fmaxf(scene->most[k], position[k]);
        }
    }
}

static AqmStatus prepare(Scene *scene, AqmDiag *diag) {
    AQM_TRY(measure(scene, diag)); /* before anything is read */
    AQM_TRY(aqm_check_export(scene->path, scene->mesh, scene->rotation, diag));
    for (size_t i = 0; !scene->has_sigma && i < scene->mesh->vertex_count; i++)
        scene->has_sigma = is_sigma(scene->mesh->sigma_m[i]);
    AQM_TRY(measure(scene, diag));
    find_bounds(scene);
    for (int i = 0; i < 256; i++)
        scene->linear[i] = linear_from_srgb(i);
    return aqm_export_normals(scene->path, scene->mesh, scene->rotation, &scene->normals, diag);
}

/* ---- the document -----------------------------------------------------------------------------
 */

/* Appends to a text of JSON_MAX bytes; what is written here always fits. */
static void append(char *json, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void append(char *json, const char *format, ...) {
    const size_t used = strlen(json);
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(json + used, JSON_MAX - used, format, arguments);
    va_end(arguments);
    assert(length >= 0 && (size_t)length < JSON_MAX - used);
}

static void append_vector(char *json, const char *name, const float vector[3]) {
    char text[3 * (AQM_FLOAT_TEXT_MAX + 1)], *p = text;
    for (int k = 0; k < 3; k++) {
        p = aqm_put_float(p, vector[k]);
        *p++ = ',';
    }
    append(json, ",\"%s\":[%.*s]", name, (int)(p - text) - 1, text);
}

/* One of each a section; 5123 and so on are the numbers that OpenGL has for types and targets. */
static void append_accessors(char *json, const Scene *scene) {
    static const char *const kinds[SECTIONS] = {
        "\"componentType\":5125,\"type\":\"SCALAR\"",
        "\"componentType\":5126,\"type\":\"VEC3\"",
        "\"componentType\":5126,\"type\":\"VEC3\"",
        "\"componentType\":5123,\"normalized\":true,\"type\":\"VEC4\"",
        "\"componentType\":5126,\"type\":\"SCALAR\"",
    };
    append(json, "\"accessors\":[");
    for (Section s = INDICES; s < SECTIONS && scene->sizes[s] > 0; s++) {
        const size_t rows = section_rows(scene->mesh, s);
        append(json, "%s{\"bufferView\":%d,%s,\"count\":%zu", s > 0 ? "," : "", (int)s, kinds[s],
               s == INDICES ? 3 * rows : rows);
        if (s == POSITIONS) {
            append_vector(json, "min", scene->least);
            append_vector(json, "max", scene->most);
        }
        append(json, "}");
    }
    append(json, "],\n\"bufferViews\":[");
    size_t offset = 0;
    for (Section s = INDICES; s < SECTIONS && scene->sizes[s] > 0; s++) {
        append(json, "%s{\"buffer\":0,\"byteOffset\":%zu,\"byteLength\":%zu,\"target\":%d}",
               s > 0 ? "," : "", offset, scene->sizes[s], s == INDICES ? 34963 : 34962);
        offset += scene->sizes[s];
    }
    append(json, "],\n");
}

/* The rotation is a quarter turn about X: world Z (down) to -Y, world Y to Z. */
static void make_json(char *json, const Scene *scene) {
    json[0] = '\0';
    append(json,
           "{\"asset\":{\"version\":\"2.0\",\"generator\":\"aquamvs %s\",\"extras\":{"
           "\"unit\":\"metre\",\"buffer_axes\":\"world: Z down; the node turns it to Y up\"}},\n",
           aqm_version());
    append(json, "\"scene\":0,\n\"scenes\":[{\"nodes\":[0]}],\n"
                 "\"nodes\":[{\"name\":\"surface\",\"mesh\":0,"
                 "\"rotation\":[0.7071067811865476,0,0,0.7071067811865476]}],\n");
    append(json,
           "\"meshes\":[{\"name\":\"surface\",\"primitives\":[{\"mode\":4,\"indices\":0,"
           "\"material\":0,\"attributes\":{\"POSITION\":1,\"NORMAL\":2,\"COLOR_0\":3%s}}]}],\n",
           scene->has_sigma ? ",\"_SIGMA\":4" : "");
    append(json, "\"materials\":[{\"name\":\"surface\",\"doubleSided\":true,"
                 "\"pbrMetallicRoughness\":{\"metallicFactor\":0,\"roughnessFactor\":1}}],\n");
    append_accessors(json, scene);
    append(json, "\"buffers\":[{\"byteLength\":%zu", scene->buffer_size);
}

/* ---- the buffer -------------------------------------------------------------------------------
 */

static void make_color(const Scene *scene, size_t vertex, unsigned char *row) {
    uint16_t color[4] = {0, 0, 0, UINT16_MAX};
    for (size_t k = 0; k < 3; k++)
        color[k] = scene->linear[scene->mesh->color[3 * vertex + k]];
    memcpy(row, color, sizeof color);
}

static void make_row(const Scene *scene, Section section, size_t i, unsigned char *row) {
    const AqmMesh *mesh = scene->mesh;
    float position[3], sigma;
    switch (section) {
    case INDICES:
        memcpy(row, mesh->triangles + 3 * i, 12);
        break;
    case POSITIONS:
        aqm_turn(scene->rotation, mesh->position + 3 * i, position);
        memcpy(row, position, 12);
        break;
    case NORMALS:
        memcpy(row, scene->normals + 3 * i, 12);
        break;
    case COLORS:
        make_color(scene, i, row);
        break;
    default:
        sigma = is_sigma(mesh->sigma_m[i]) ? mesh->sigma_m[i] : -1.0f;
        memcpy(row, &sigma, 4);
    }
}

static AqmStatus put(Output *output, const void *data, size_t size) {
    if (!output->is_text)
        return aqm_atomic_write(&output->file, data, size, output->diag);
    const char *end = aqm_base64_put(&output->base64, data, size, output->text);
    return aqm_atomic_write(&output->file, output->text, (size_t)(end - output->text),
                            output->diag);
}

static AqmStatus write_section(Output *output, const Scene *scene, Section section) {
    const size_t rows = section_rows(scene->mesh, section), row_size = row_sizes[section];
    for (size_t i = 0; i < rows;) {
        unsigned char *p = output->rows;
        const size_t end = rows - i < CHUNK_ROWS ? rows : i + CHUNK_ROWS;
        for (; i < end; i++, p += row_size)
            make_row(scene, section, i, p);
        AQM_TRY(put(output, output->rows, (size_t)(p - output->rows)));
    }
    return AQM_OK;
}

static AqmStatus write_buffer(Output *output, const Scene *scene) {
    for (Section s = INDICES; s < SECTIONS && scene->sizes[s] > 0; s++)
        AQM_TRY(write_section(output, scene, s));
    return AQM_OK;
}

/* ---- the two kinds of file --------------------------------------------------------------------
 */

static AqmStatus put_text(Output *output, const char *text) {
    return aqm_atomic_write(&output->file, text, strlen(text), output->diag);
}

static AqmStatus write_gltf(Output *output, const Scene *scene, char *json) {
    make_json(json, scene);
    append(json, ",\"uri\":\"data:application/octet-stream;base64,");
    AQM_TRY(put_text(output, json));
    AQM_TRY(write_buffer(output, scene));
    char rest[5] = "";
    *aqm_base64_end(&output->base64, rest) = '\0';
    AQM_TRY(put_text(output, rest));
    return put_text(output, "\"}]}\n");
}

/* A header and two chunks: the document, filled up to words with blanks, and the buffer, whose
 * sections are whole words. */
static AqmStatus write_glb(Output *output, const Scene *scene, char *json) {
    make_json(json, scene);
    append(json, "}]}");
    while (strlen(json) % 4 != 0)
        append(json, " ");
    const uint32_t json_size = (uint32_t)strlen(json), buffer_size = (uint32_t)scene->buffer_size;
    const uint32_t total = GLB_HEADER + 2 * CHUNK_HEADER + json_size + buffer_size;
    const uint32_t header[5] = {0x46546c67 /* "glTF" */, 2, total, json_size, 0x4e4f534a};
    const uint32_t buffer_header[2] = {buffer_size, 0x004e4942 /* "BIN" */};
    AQM_TRY(put(output, header, sizeof header));
    AQM_TRY(put(output, json, json_size));
    AQM_TRY(put(output, buffer_header, sizeof buffer_header));
    return write_buffer(output, scene);
}

static AqmStatus write_scene(const Scene *scene, bool is_text, AqmDiag *diag) {
    Output output = {.diag = diag, .is_text = is_text};
    AQM_TRY(aqm_atomic_open(&output.file, scene->path, diag));
    const size_t room = CHUNK_ROWS * ROW_MAX;
    char *json = aqm_alloc(JSON_MAX, 1);
    output.rows = aqm_alloc(room, 1);
    output.text = aqm_alloc(AQM_BASE64_ROOM(room), 1);
    AqmStatus status;
    if (!json || !output.rows || !output.text)
        status = aqm_fail_memory(diag, scene->path, AQM_BASE64_ROOM(room), 1);
    else
        status = is_text ? write_gltf(&output, scene, json) : write_glb(&output, scene, json);
    aqm_free(output.text);
    aqm_free(output.rows);
    aqm_free(json);
    return aqm_atomic_finish(&output.file, status, diag);
}

static AqmStatus write_mesh(const char *path, const AqmMesh *mesh, const double *rotation,
                            bool is_text, AqmDiag *diag) {
    Scene scene = {.path = path, .mesh = mesh, .rotation = rotation};
    AqmStatus status = prepare(&scene, diag);
    if (status == AQM_OK)
        status = write_scene(&scene, is_text, diag);
    aqm_free(scene.normals);
    return status;
}

AqmStatus aqm_gltf_write_mesh(const char *path, const AqmMesh *mesh, const double *rotation,
                              AqmDiag *diag) {
    return write_mesh(path, mesh, rotation, true, diag);
}

AqmStatus aqm_glb_write_mesh(const char *path, const AqmMesh *mesh, const double *rotation,
                             AqmDiag *diag) {
    return write_mesh(path, mesh, rotation, false, diag);
}
