/* Arrays out of .npz files, whatever numpy has put there, as float or double. */
#include "io/npz_read.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "base/diag.h"

enum { NPY_HEADER_MAX = 4096, CHUNK_ITEMS = 8192 };

typedef struct Npy {
    char kind; /* f u i b */
    size_t item_size;
    bool is_fortran;
    size_t shape[3];
    int dimensions;
    size_t count;
} Npy;

/* One member of an archive, open. */
typedef struct Reader {
    const char *path, *name;
    zip_file_t *member;
    uint64_t left;  /* unpacked bytes still to come */
    bool as_double; /* what is given out; else float */
    AqmDiag *diag;
} Reader;

static AqmStatus fail(const Reader *reader, const char *what) {
    return aqm_fail(reader->diag, AQM_ERROR_FORMAT, "%s: array \"%s\": %s", reader->path,
                    reader->name, what);
}

static AqmStatus read_exactly(Reader *reader, void *out, size_t size) {
    const zip_int64_t got = size <= reader->left ? zip_fread(reader->member, out, size) : -1;
    if (got < 0 || (size_t)got != size)
        return fail(reader, "its data is damaged or cut off");
    reader->left -= size;
    return AQM_OK;
}

/* After "'key':" in the dictionary, blanks skipped; NULL where it is not there. */
static const char *value_of(const char *text, const char *key) {
    const char *at = strstr(text, key);
    if (!at)
        return NULL;
    at += strlen(key);
    at += strspn(at, " ");
    if (*at != ':')
        return NULL;
    return at + 1 + strspn(at + 1, " ");
}

static bool parse_type(const char *at, Npy *npy) {
    static const char *const known[] = {"f2", "f4", "f8", "u1", "u2", "u4",
                                        "u8", "i1", "i2", "i4", "i8", "b1"};
    if (!at || (*at != '\'' && *at != '"') || (at[1] != '<' && at[1] != '|'))
        return false;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strncmp(at + 2, known[i], 2) == 0 && at[4] == at[0]) {
            npy->kind = known[i][0];
            npy->item_size = (size_t)(known[i][1] - '0');
            return true;
        }
    return false;
}

/* A tuple of 1 to 3 sizes. */
static bool parse_shape(const char *at, Npy *npy) {
    if (!at || *at != '(')
        return false;
    npy->count = 1;
    for (at++;;) {
        at += strspn(at, " ,");
        if (*at == ')')
            return npy->dimensions > 0;
        if (*at < '0' || *at > '9' || npy->dimensions == 3)
            return false;
        char *end;
        const unsigned long long size = strtoull(at, &end, 10);
        if (size > SIZE_MAX / 16 || __builtin_mul_overflow(npy->count, size, &npy->count))
            return false;
        npy->shape[npy->dimensions++] = (size_t)size;
        at = end + (*end == 'L'); /* as Python 2 wrote it */
    }
}

static AqmStatus read_npy_header(Reader *reader, Npy *npy) {
    unsigned char start[12];
    char text[NPY_HEADER_MAX + 1];
    AQM_TRY(read_exactly(reader, start, 10));
    if (memcmp(start, "\x93NUMPY", 6) != 0 || start[6] < 1 || start[6] > 3)
        return fail(reader, "it is no .npy array");
    size_t size = start[8] | (size_t)start[9] << 8;
    if (start[6] > 1) {
        AQM_TRY(read_exactly(reader, start + 10, 2));
        size |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
    }
    if (size > NPY_HEADER_MAX)
        return fail(reader, "the header of the array is too long");
    AQM_TRY(read_exactly(reader, text, size));
    text[size] = '\0';
    if (!parse_type(value_of(text, "'descr'"), npy))
        return fail(reader, "its type is not one of f2 f4 f8 u1 u2 u4 u8 i1 i2 i4 i8 bool, little "
                            "endian");
    const char *order = value_of(text, "'fortran_order'");
    if (!order || strncmp(order, "False", 5) != 0)
        return fail(reader, "arrays in Fortran order cannot be read");
    if (!parse_shape(value_of(text, "'shape'"), npy))
        return fail(reader, "its shape is not 1 to 3 sizes");
    uint64_t bytes;
    if (__builtin_mul_overflow((uint64_t)npy->count, npy->item_size, &bytes) ||
        bytes != reader->left)
        return fail(reader, "the size of its data is not what its shape says");
    return AQM_OK;
}

static float half_to_float(uint16_t half) {
    const int exponent = half >> 10 & 31, fraction = half & 1023;
    const float magnitude = exponent == 31  ? (fraction ? NAN : INFINITY)
                            : exponent == 0 ? ldexpf((float)fraction, -24)
                                            : ldexpf((float)(1024 + fraction), exponent - 25);
    return half & 0x8000 ? -magnitude : magnitude;
}

#define CONVERT(type, expression)                                                                  \
    for (size_t i = 0; i < count; i++) {                                                           \
        type item;                                                                                 \
        memcpy(&item, bytes + i * sizeof item, sizeof item);                                       \
        if (doubles)                                                                               \
            doubles[i] = (double)(expression);                                                     \
        else                                                                                       \
            floats[i] = (float)(expression);                                                       \
    }                                                                                              \
    break

/* One of floats and doubles is NULL. */
static void convert(const Npy *npy, const unsigned char *bytes, size_t count, float *floats,
                    double *doubles) {
    switch (npy->kind << 4 | (int)npy->item_size) {
    case 'f' << 4 | 2:
        CONVERT(uint16_t, half_to_float(item));
    case 'f' << 4 | 4:
        CONVERT(float, item);
    case 'f' << 4 | 8:
        CONVERT(double, item);
    case 'u' << 4 | 2:
        CONVERT(uint16_t, item);
    case 'u' << 4 | 4:
        CONVERT(uint32_t, item);
    case 'u' << 4 | 8:
        CONVERT(uint64_t, item);
    case 'i' << 4 | 1:
        CONVERT(int8_t, item);
    case 'i' << 4 | 2:
        CONVERT(int16_t, item);
    case 'i' << 4 | 4:
        CONVERT(int32_t, item);
    case 'i' << 4 | 8:
        CONVERT(int64_t, item);
    default:
        CONVERT(uint8_t, item);
    }
}

/* All the data, and then the end: there the checksum is compared. */
static AqmStatus read_items(Reader *reader, const Npy *npy, void *out) {
    unsigned char *bytes = aqm_alloc(CHUNK_ITEMS, npy->item_size);
    if (!bytes)
        return aqm_fail_memory(reader->diag, reader->path, CHUNK_ITEMS, npy->item_size);
    AqmStatus status = AQM_OK;
    for (size_t done = 0; status == AQM_OK && done < npy->count;) {
        const size_t part = npy->count - done < CHUNK_ITEMS ? npy->count - done : CHUNK_ITEMS;
        status = read_exactly(reader, bytes, part * npy->item_size);
        if (status == AQM_OK && reader->as_double)
            convert(npy, bytes, part, NULL, (double *)out + done);
        else if (status == AQM_OK)
            convert(npy, bytes, part, (float *)out + done, NULL);
        done += part;
    }
    if (status == AQM_OK && zip_fread(reader->member, bytes, 1) != 0)
        status = fail(reader, "its data is damaged: the checksum is wrong");
    aqm_free(bytes);
    return status;
}

static AqmStatus read_array(Reader *reader, void **data, size_t shape[3], int *dimensions) {
    Npy npy = {0};
    AQM_TRY(read_npy_header(reader, &npy));
    const size_t size = reader->as_double ? sizeof(double) : sizeof(float);
    void *items = aqm_alloc(npy.count, size);
    if (!items)
        return aqm_fail_memory(reader->diag, reader->path, npy.count, size);
    const AqmStatus status = read_items(reader, &npy, items);
    if (status != AQM_OK) {
        aqm_free(items);
        return status;
    }
    memcpy(shape, npy.shape, sizeof npy.shape);
    *dimensions = npy.dimensions;
    *data = items;
    return AQM_OK;
}

static AqmStatus open_member(zip_t *archive, Reader *reader) {
    char member_name[512];
    zip_stat_t found;
    snprintf(member_name, sizeof member_name, "%s.npy", reader->name);
    const zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE;
    if (zip_stat(archive, member_name, 0, &found) != 0)
        return aqm_fail(reader->diag, AQM_ERROR_FORMAT, "%s holds no array \"%s\"", reader->path,
                        reader->name);
    /* deflate packs at most 1032 to 1: a larger claim would only have us ask for memory */
    if ((found.valid & needed) != needed || found.size / 1040 > found.comp_size)
        return fail(reader, "its size is not believable");
    reader->left = found.size;
    reader->member = zip_fopen_index(archive, found.index, 0);
    if (!reader->member)
        return fail(reader, zip_strerror(archive));
    return AQM_OK;
}

static AqmStatus fail_open(const char *path, int code, AqmDiag *diag) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const bool is_format = code == ZIP_ER_NOZIP || code == ZIP_ER_INCONS;
    const AqmStatus status =
        aqm_fail(diag, is_format ? AQM_ERROR_FORMAT : AQM_ERROR_IO, "cannot read %s as .npz: %s",
                 path, zip_error_strerror(&error));
    zip_error_fini(&error);
    return status;
}

static AqmStatus read_file(Reader *reader, void **data, size_t shape[3], int *dimensions) {
    int code = 0;
    zip_t *archive = zip_open(reader->path, ZIP_RDONLY, &code);
    if (!archive)
        return fail_open(reader->path, code, reader->diag);
    AqmStatus status = open_member(archive, reader);
    if (status == AQM_OK)
        status = read_array(reader, data, shape, dimensions);
    if (reader->member)
        zip_fclose(reader->member);
    zip_discard(archive);
    return status;
}

AqmStatus aqm_npz_read(const char *path, const char *name, float **data, size_t shape[3],
                       int *dimensions, AqmDiag *diag) {
    Reader reader = {.path = path, .name = name, .diag = diag};
    void *items = NULL;
    AQM_TRY(read_file(&reader, &items, shape, dimensions));
    *data = items;
    return AQM_OK;
}

AqmStatus aqm_npz_read_double(const char *path, const char *name, double **data, size_t shape[3],
                              int *dimensions, AqmDiag *diag) {
    Reader reader = {.path = path, .name = name, .diag = diag, .as_double = true};
    void *items = NULL;
    AQM_TRY(read_file(&reader, &items, shape, dimensions));
    *data = items;
    return AQM_OK;
}

bool aqm_npz_has(const char *path, const char *name) {
    char member_name[512];
    snprintf(member_name, sizeof member_name, "%s.npy", name);
    zip_t *archive = zip_open(path, ZIP_RDONLY, NULL);
    if (!archive)
        return false;
    const bool found = zip_name_locate(archive, member_name, 0) >= 0;
    zip_discard(archive);
    return found;
}

void aqm_free_buffer(void *data) {
    aqm_free(data);
}
