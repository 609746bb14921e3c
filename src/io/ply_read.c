/* PLY files as clouds or meshes. The whole file is in memory; sizes that the header claims are
 * compared with what is there before anything is allocated for them. */
#include <endian.h>
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "io/file_read.h"
#include "io/ply_header.h"

typedef struct Reader {
    const char *path;
    const char *at, *end; /* *end is '\0' */
    AqmPlyFormat format;
    locale_t c_locale; /* a number is written with a point, whatever the program's language */
    AqmDiag *diag;
    AqmCloud *cloud; /* the vertices, of a mesh too */
    uint32_t *triangles;
    size_t triangle_count, triangle_capacity;
} Reader;

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool read_text(Reader *reader, double *value) {
    while (reader->at < reader->end && is_space(*reader->at))
        reader->at++;
    char *stop = NULL;
    *value = strtod_l(reader->at, &stop, reader->c_locale);
    if (stop == reader->at || (stop < reader->end && !is_space(*stop)))
        return false;
    reader->at = stop;
    return true;
}

/* The next scalar; false where the data ends or is no number. */
static bool read_scalar(Reader *reader, AqmPlyType type, double *value) {
    if (reader->format == AQM_PLY_ASCII)
        return read_text(reader, value);
    const size_t size = aqm_ply_type_size(type);
    if ((size_t)(reader->end - reader->at) < size)
        return false;
    uint64_t bits = 0;
    for (size_t i = 0; i < size; i++) {
        const unsigned char byte = (unsigned char)reader->at[i];
        bits |= (uint64_t)byte << 8 * (reader->format == AQM_PLY_LITTLE ? i : size - 1 - i);
    }
    reader->at += size;
    const uint32_t low = (uint32_t)bits;
    float single;
    switch (type) {
    case AQM_PLY_I8:
        *value = (int8_t)low;
        break;
    case AQM_PLY_I16:
        *value = (int16_t)low;
        break;
    case AQM_PLY_I32:
        *value = (int32_t)low;
        break;
    case AQM_PLY_F32:
        memcpy(&single, &low, sizeof single);
        *value = single;
        break;
    case AQM_PLY_F64:
        memcpy(value, &bits, sizeof bits);
        break;
    default:
        *value = low;
    }
    return true;
}

static AqmStatus fail_data(const Reader *reader, const char *element, size_t row, size_t count) {
    return aqm_fail(reader->diag, AQM_ERROR_FORMAT,
                    "%s: the file is cut off or damaged in %s %zu of %zu", reader->path, element,
                    row, count);
}

static uint8_t to_byte(double value, double scale) {
    const double scaled = floor(value * scale + 0.5);
    return !(scaled > 0) ? 0 : scaled > 255 ? 255 : (uint8_t)scaled;
}

/* Colours of 0..1, 0..65535 or 0..255 to 0..255. */
static double color_scale(AqmPlyType type) {
    if (type == AQM_PLY_F32 || type == AQM_PLY_F64)
        return 255;
    return type == AQM_PLY_U16 ? 1.0 / 257 : 1;
}

static void store(AqmCloud *cloud, size_t row, const AqmPlyProperty *property, double value) {
    const AqmPlyRole role = property->role;
    if (role <= AQM_PLY_Z)
        cloud->position[3 * row + (size_t)role] = (float)value;
    else if (role <= AQM_PLY_NZ)
        cloud->normal[3 * row + (size_t)(role - AQM_PLY_NX)] = (float)value;
    else if (role <= AQM_PLY_BLUE)
        cloud->color[3 * row + (size_t)(role - AQM_PLY_RED)] =
            to_byte(value, color_scale(property->type));
    else if (role == AQM_PLY_CONFIDENCE)
        cloud->confidence[row] = (float)value;
    else if (role == AQM_PLY_SIGMA)
        cloud->sigma_m[row] = (float)value;
    else if (role == AQM_PLY_VIEWS)
        cloud->views[row] = to_byte(value, 1);
}

static AqmStatus add_triangle(Reader *reader, uint32_t a, uint32_t b, uint32_t c) {
    if (reader->triangle_count == reader->triangle_capacity) {
        const size_t capacity = reader->triangle_capacity ? 2 * reader->triangle_capacity : 1024;
        uint32_t *triangles = aqm_realloc(reader->triangles, capacity, 3 * sizeof *triangles);
        if (!triangles)
            return aqm_fail_memory(reader->diag, reader->path, capacity, 3 * sizeof *triangles);
        reader->triangles = triangles;
        reader->triangle_capacity = capacity;
    }
    uint32_t *triangle = reader->triangles + 3 * reader->triangle_count++;
    triangle[0] = a, triangle[1] = b, triangle[2] = c;
    return AQM_OK;
}

/* A list: a polygon (fanned from its first vertex) or something to be dropped. false where it does
 * not end in the data; *status is what else went wrong. */
static bool read_list(Reader *reader, const AqmPlyProperty *property, AqmStatus *status) {
    double length, value;
    uint32_t corners[3] = {0};
    if (!read_scalar(reader, property->count_type, &length) || !(length >= 0) ||
        length != floor(length))
        return false;
    for (double i = 0; i < length && *status == AQM_OK; i++) {
        if (!read_scalar(reader, property->type, &value))
            return false;
        if (property->role != AQM_PLY_INDICES)
            continue;
        if (!(value >= 0) || value != floor(value) || value >= (double)reader->cloud->count) {
            *status =
                aqm_fail(reader->diag, AQM_ERROR_FORMAT, "%s: a face names vertex %.9g of %zu",
                         reader->path, value, reader->cloud->count);
            break;
        }
        corners[i == 0 ? 0 : 2] = (uint32_t)value;
        if (i >= 2)
            *status = add_triangle(reader, corners[0], corners[1], corners[2]);
        corners[1] = corners[2];
    }
    return true;
}

/* The fewest bytes that the rows of an element can take. */
static size_t least_size(const Reader *reader, const AqmPlyElement *element) {
    size_t row = 0;
    for (size_t i = 0; i < element->property_count; i++) {
        const AqmPlyProperty *property = &element->properties[i];
        row += reader->format == AQM_PLY_ASCII
                   ? 2
                   : aqm_ply_type_size(property->is_list ? property->count_type : property->type);
    }
    const size_t total = row * element->count; /* at most 2^32 rows of 2^11 bytes */
    return reader->format == AQM_PLY_ASCII && total > 0 ? total - 1 : total;
}

static AqmStatus read_element(Reader *reader, const AqmPlyElement *element) {
    static const char *const names[] = {"vertex", "face", "element"};
    const char *name = names[element->kind];
    if (element->property_count == 0)
        return AQM_OK;
    for (size_t row = 0; row < element->count; row++)
        for (size_t i = 0; i < element->property_count; i++) {
            const AqmPlyProperty *property = &element->properties[i];
            AqmStatus status = AQM_OK;
            double value;
            if (property->is_list ? !read_list(reader, property, &status)
                                  : !read_scalar(reader, property->type, &value))
                return fail_data(reader, name, row, element->count);
            if (status != AQM_OK)
                return status;
            if (!property->is_list && element->kind == AQM_PLY_VERTEX)
                store(reader->cloud, row, property, value);
        }
    return AQM_OK;
}

static AqmStatus create_vertices(Reader *reader, size_t count) {
    AQM_TRY(aqm_cloud_create(&reader->cloud, count, reader->diag));
    AqmCloud *cloud = reader->cloud;
    cloud->count = count;
    memset(cloud->position, 0, count * 3 * sizeof(float));
    memset(cloud->normal, 0, count * 3 * sizeof(float));
    memset(cloud->color, 0, count * 3);
    memset(cloud->confidence, 0, count * sizeof(float));
    memset(cloud->views, 0, count);
    for (size_t i = 0; i < count; i++)
        cloud->sigma_m[i] = NAN;
    return AQM_OK;
}

static AqmStatus read_data(Reader *reader, const AqmPlyHeader *header) {
    size_t needed = 0;
    const size_t there = (size_t)(reader->end - reader->at);
    for (size_t i = 0; i < header->element_count; i++)
        needed += least_size(reader, &header->elements[i]);
    if (needed > there)
        return aqm_fail(reader->diag, AQM_ERROR_FORMAT,
                        "%s: the file is cut off: its header promises at least %zu bytes of data, "
                        "there are %zu",
                        reader->path, needed, there);
    AQM_TRY(create_vertices(reader, aqm_ply_find(header, AQM_PLY_VERTEX)->count));
    for (size_t i = 0; i < header->element_count; i++)
        AQM_TRY(read_element(reader, &header->elements[i]));
    return AQM_OK;
}

/* Moves the arrays of the vertices and the triangles into a mesh. */
static AqmStatus make_mesh(Reader *reader, AqmMesh **out) {
    AqmMesh *mesh = aqm_calloc(1, sizeof *mesh);
    if (!mesh)
        return aqm_fail_memory(reader->diag, "a mesh", 1, sizeof *mesh);
    AqmCloud *cloud = reader->cloud;
    *mesh = (AqmMesh){cloud->count, reader->triangle_count, cloud->position, cloud->normal,
                      cloud->color, cloud->sigma_m,         cloud->views,    reader->triangles};
    cloud->position = cloud->normal = cloud->sigma_m = NULL;
    cloud->color = cloud->views = NULL;
    reader->triangles = NULL;
    *out = mesh;
    return AQM_OK;
}

static AqmStatus read_file(Reader *reader, const char *data, size_t size, AqmPlyHeader *header,
                           AqmCloud **cloud, AqmMesh **mesh) {
    AQM_TRY(aqm_ply_parse_header(reader->path, data, size, header, reader->diag));
    reader->at = data + header->size;
    reader->end = data + size;
    reader->format = header->format;
    AQM_TRY(read_data(reader, header));
    const AqmPlyElement *faces = aqm_ply_find(header, AQM_PLY_FACE);
    if (faces && faces->count > 0)
        return make_mesh(reader, mesh);
    *cloud = reader->cloud;
    reader->cloud = NULL;
    return AQM_OK;
}

AqmStatus aqm_ply_read(const char *path, AqmCloud **cloud, AqmMesh **mesh, AqmDiag *diag) {
    unsigned char *data = NULL;
    size_t size = 0;
    AQM_TRY(aqm_file_read(path, &data, &size, diag));
    Reader reader = {.path = path, .diag = diag};
    reader.c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    AqmPlyHeader *header = aqm_alloc(1, sizeof *header);
    AqmStatus status;
    if (!header || !reader.c_locale)
        status = aqm_fail_memory(diag, path, 1, sizeof *header);
    else
        status = read_file(&reader, (const char *)data, size, header, cloud, mesh);
    if (reader.c_locale)
        freelocale(reader.c_locale);
    aqm_cloud_destroy(&reader.cloud);
    aqm_free(reader.triangles);
    aqm_free(header);
    aqm_free(data);
    return status;
}
