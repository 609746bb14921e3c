/* .npz: a ZIP archive with one .npy a member (PKWARE APPNOTE 6.3, numpy's format 1.0).
 *
 * Written directly, because every byte has to be the same for the same arrays: dates are fixed at
 * the first day that ZIP knows. The data go in chunks, each a run of deflate blocks (RFC 1951) of
 * its own. Measured depths and confidences are noise in their lower bits: the fastest packing takes
 * off a fifth of them at 140 MB/s, more time than a frame's cloud is made in. So a chunk in which
 * few of the words repeat the one before is stored as it is; others (regions without depth, counts)
 * are packed with run-length matches (zlib's Z_RLE), to 22 % and less. A row of measured depths
 * between two margins without any is better stored, too: packing saves a tenth of the file and
 * takes a quarter of the time of the stereo that made it. */
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "io/atomic_file.h"

enum {
    HEADER_MAX = 256,
    CHUNK = 65532, /* a stored block holds 65535 bytes; whole words */
    PACKED_CHUNK = 1 << 16,
    STORED_HEADER = 5,
    LOCAL_SIZE = 30,
    CENTRAL_SIZE = 46,
    END_SIZE = 22,
    DOS_DATE = 1 << 5 | 1 /* 1980-01-01 */
};

typedef struct Member {
    char name[AQM_NAME_MAX + 8];
    uint32_t crc, packed_size, size, offset;
} Member;

typedef struct Packer {
    AqmAtomicFile *file;
    AqmDiag *diag;
    z_stream stream;
    uint64_t packed_size;
    uint32_t crc;
    unsigned char *chunk;
} Packer;

static unsigned char *put16(unsigned char *p, unsigned value) {
    *p++ = (unsigned char)value;
    *p++ = (unsigned char)(value >> 8);
    return p;
}

static unsigned char *put32(unsigned char *p, uint32_t value) {
    return put16(put16(p, value & 0xffff), value >> 16);
}

/* The part that local and central headers share: version needed, flags (names are UTF-8), method,
 * time, date, checksum, sizes, length of the name, no extra field. */
static unsigned char *put_common(unsigned char *p, const Member *member) {
    p = put16(put16(put16(p, 20), 1 << 11), Z_DEFLATED);
    p = put16(put16(p, 0), DOS_DATE);
    p = put32(put32(put32(p, member->crc), member->packed_size), member->size);
    return put16(put16(p, (unsigned)strlen(member->name)), 0);
}

static AqmStatus write_local(AqmAtomicFile *file, const Member *member, AqmDiag *diag) {
    unsigned char header[LOCAL_SIZE];
    put_common(put32(header, 0x04034b50), member);
    AQM_TRY(aqm_atomic_write(file, header, sizeof header, diag));
    return aqm_atomic_write(file, member->name, strlen(member->name), diag);
}

static AqmStatus write_central(AqmAtomicFile *file, const Member *member, AqmDiag *diag) {
    unsigned char header[CENTRAL_SIZE];
    unsigned char *p = put16(put32(header, 0x02014b50), 20);
    p = put_common(p, member);
    p = put16(put16(put16(p, 0), 0), 0); /* comment, disk, internal attributes */
    put32(put32(p, 0), member->offset);
    AQM_TRY(aqm_atomic_write(file, header, sizeof header, diag));
    return aqm_atomic_write(file, member->name, strlen(member->name), diag);
}

static AqmStatus write_end(AqmAtomicFile *file, size_t count, uint32_t size, uint32_t offset,
                           AqmDiag *diag) {
    unsigned char header[END_SIZE];
    unsigned char *p = put32(put32(header, 0x06054b50), 0);
    p = put16(put16(p, (unsigned)count), (unsigned)count);
    put16(put32(put32(p, size), offset), 0);
    return aqm_atomic_write(file, header, sizeof header, diag);
}

/* Magic, version 1.0, length, and the dictionary padded so that the data is aligned to 64. */
static size_t make_npy_header(const AqmNpyArray *array, unsigned char out[HEADER_MAX]) {
    static const char *const types[] = {"<f4", "<f8", "|u1", "<i4"};
    char shape[80] = "";
    for (int i = 0; i < array->dimensions; i++)
        snprintf(shape + strlen(shape), sizeof shape - strlen(shape), "%s%zu", i > 0 ? ", " : "",
                 array->shape[i]);
    char *text = (char *)out + 10;
    const int length = snprintf(text, HEADER_MAX - 10,
                                "{'descr': '%s', 'fortran_order': False, 'shape': (%s%s), }",
                                types[array->type], shape, array->dimensions == 1 ? "," : "");
    const size_t used = 10 + (size_t)length + 1, padded = (used + 63) / 64 * 64;
    memset(text + length, ' ', padded - used);
    out[padded - 1] = '\n';
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    put16(out + 8, (unsigned)(padded - 10));
    return padded;
}

static AqmStatus put(Packer *packer, const void *data, size_t size) {
    packer->packed_size += size;
    return aqm_atomic_write(packer->file, data, size, packer->diag);
}

/* Do fewer than half of the words repeat the one before? */
static bool is_noise(const unsigned char *data, size_t size) {
    size_t repeats = 0;
    for (size_t i = 4; i + 4 <= size; i += 4) {
        uint32_t before, word;
        memcpy(&before, data + i - 4, 4);
        memcpy(&word, data + i, 4);
        repeats += word == before;
    }
    return repeats < size / 8;
}

/* A block as it is; `is_last`: of the member. */
static AqmStatus store(Packer *packer, const void *data, size_t size, bool is_last) {
    unsigned char header[STORED_HEADER];
    header[0] = is_last;
    put16(put16(header + 1, (unsigned)size), ~(unsigned)size & 0xffff);
    AQM_TRY(put(packer, header, sizeof header));
    return put(packer, data, size);
}

/* Packed blocks that end at a byte and refer to nothing before. */
static AqmStatus squeeze(Packer *packer, const unsigned char *data, size_t size) {
    deflateReset(&packer->stream);
    packer->stream.next_in = (Bytef *)(uintptr_t)data;
    packer->stream.avail_in = (uInt)size;
    do {
        packer->stream.next_out = packer->chunk;
        packer->stream.avail_out = PACKED_CHUNK;
        (void)deflate(&packer->stream, Z_SYNC_FLUSH);
        AQM_TRY(put(packer, packer->chunk, PACKED_CHUNK - packer->stream.avail_out));
    } while (packer->stream.avail_out == 0);
    return AQM_OK;
}

static AqmStatus pack(Packer *packer, const void *data, size_t size) {
    const unsigned char *p = data;
    for (size_t part; size > 0; p += part, size -= part) {
        part = size < CHUNK ? size : CHUNK;
        packer->crc = (uint32_t)crc32(packer->crc, p, (uInt)part);
        AQM_TRY(is_noise(p, part) ? store(packer, p, part, false) : squeeze(packer, p, part));
    }
    return AQM_OK;
}

static size_t item_size(AqmNpyType type) {
    static const size_t sizes[] = {4, 8, 1, 4};
    return sizes[type];
}

static AqmStatus check_array(const char *path, const AqmNpyArray *array, size_t *size,
                             AqmDiag *diag) {
    if (array->dimensions < 1 || array->dimensions > 3 || strlen(array->name) >= AQM_NAME_MAX)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "%s: array \"%.80s\" of %d dimensions: 1 to 3, and a name of less than %d "
                        "bytes, can be written",
                        path, array->name, array->dimensions, AQM_NAME_MAX);
    bool overflow = false;
    *size = item_size(array->type);
    for (int i = 0; i < array->dimensions; i++)
        overflow = overflow || __builtin_mul_overflow(*size, array->shape[i], size);
    if (overflow || *size > UINT32_MAX - HEADER_MAX)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "%s: array \"%s\" is larger than the 4 GB that can be written", path,
                        array->name);
    return AQM_OK;
}

/* Appends one array at the end of the file; `member` is filled. */
static AqmStatus write_member(Packer *packer, const AqmNpyArray *array, size_t size,
                              Member *member) {
    unsigned char header[HEADER_MAX];
    const size_t header_size = make_npy_header(array, header);
    const off_t offset = ftello(packer->file->stream);
    snprintf(member->name, sizeof member->name, "%s.npy", array->name);
    member->offset = (uint32_t)offset;
    member->size = (uint32_t)(header_size + size);
    AQM_TRY(write_local(packer->file, member, packer->diag));
    packer->crc = 0;
    packer->packed_size = 0;
    AQM_TRY(pack(packer, header, header_size));
    AQM_TRY(pack(packer, array->data, size));
    AQM_TRY(store(packer, "", 0, true));
    const off_t end = ftello(packer->file->stream);
    if (offset < 0 || end > UINT32_MAX)
        return aqm_fail(packer->diag, AQM_ERROR_ARGUMENT,
                        "%s: the file would be larger than the 4 GB that can be written",
                        packer->file->path);
    member->crc = packer->crc;
    member->packed_size = (uint32_t)packer->packed_size;
    /* the header again, now that its numbers are known */
    if (fseeko(packer->file->stream, offset, SEEK_SET) != 0)
        return aqm_fail(packer->diag, AQM_ERROR_IO, "cannot write %s", packer->file->path);
    AQM_TRY(write_local(packer->file, member, packer->diag));
    if (fseeko(packer->file->stream, end, SEEK_SET) != 0)
        return aqm_fail(packer->diag, AQM_ERROR_IO, "cannot write %s", packer->file->path);
    return AQM_OK;
}

static AqmStatus write_archive(Packer *packer, const AqmNpyArray *arrays, size_t count,
                               Member *members) {
    for (size_t i = 0; i < count; i++) {
        size_t size = 0;
        AQM_TRY(check_array(packer->file->path, &arrays[i], &size, packer->diag));
        AQM_TRY(write_member(packer, &arrays[i], size, &members[i]));
    }
    const off_t start = ftello(packer->file->stream);
    for (size_t i = 0; i < count; i++)
        AQM_TRY(write_central(packer->file, &members[i], packer->diag));
    const off_t end = ftello(packer->file->stream);
    return write_end(packer->file, count, (uint32_t)(end - start), (uint32_t)start, packer->diag);
}

static voidpf zlib_alloc(voidpf opaque, uInt count, uInt size) {
    (void)opaque;
    return aqm_alloc(count, size);
}

static void zlib_free(voidpf opaque, voidpf block) {
    (void)opaque;
    aqm_free(block);
}

AqmStatus aqm_npz_write(const char *path, const AqmNpyArray *arrays, size_t array_count,
                        AqmDiag *diag) {
    if (array_count > UINT16_MAX - 1)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "%s: %zu arrays, at most %d can be written", path,
                        array_count, UINT16_MAX - 1);
    AqmAtomicFile file;
    AQM_TRY(aqm_atomic_open(&file, path, diag));
    Packer packer = {.file = &file, .diag = diag};
    packer.stream.zalloc = zlib_alloc;
    packer.stream.zfree = zlib_free;
    packer.chunk = aqm_alloc(PACKED_CHUNK, 1);
    Member *members = aqm_calloc(array_count, sizeof *members);
    const int code = deflateInit2(&packer.stream, 1, Z_DEFLATED, -MAX_WBITS, 8, Z_RLE);
    AqmStatus status;
    if (!packer.chunk || !members || code != Z_OK)
        status = aqm_fail_memory(diag, path, PACKED_CHUNK, 1);
    else
        status = write_archive(&packer, arrays, array_count, members);
    if (code == Z_OK)
        deflateEnd(&packer.stream);
    aqm_free(members);
    aqm_free(packer.chunk);
    return aqm_atomic_finish(&file, status, diag);
}
