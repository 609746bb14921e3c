#include "io/file_read.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"

/* Reads to the end of the stream, growing the block where the file is longer than its size said (it
 * may still be growing, or be a pipe). */
static AqmStatus read_all(FILE *stream, const char *path, size_t expected, unsigned char **data,
                          size_t *size, AqmDiag *diag) {
    size_t room = expected + 2, used = 0;
    unsigned char *bytes = aqm_alloc(room, 1);
    while (bytes) {
        used += fread(bytes + used, 1, room - 1 - used, stream);
        if (used < room - 1)
            break;
        unsigned char *grown = aqm_realloc(bytes, room, 2);
        if (!grown)
            aqm_free(bytes);
        bytes = grown;
        room *= 2;
    }
    if (!bytes)
        return aqm_fail_memory(diag, path, room, 1);
    if (ferror(stream)) {
        aqm_free(bytes);
        return aqm_fail(diag, AQM_ERROR_IO, "cannot read %s: %s", path, strerror(errno));
    }
    bytes[used] = '\0';
    *data = bytes;
    *size = used;
    return AQM_OK;
}

AqmStatus aqm_file_read(const char *path, unsigned char **data, size_t *size, AqmDiag *diag) {
    FILE *stream = fopen(path, "rbe");
    struct stat found = {0};
    if (!stream || fstat(fileno(stream), &found) != 0) {
        const int error = errno;
        if (stream)
            fclose(stream);
        return aqm_fail(diag, AQM_ERROR_IO, "cannot read %s: %s", path, strerror(error));
    }
    AqmStatus status;
    if (S_ISDIR(found.st_mode))
        status = aqm_fail(diag, AQM_ERROR_IO, "cannot read %s: it is a folder", path);
    else
        status = read_all(stream, path, (size_t)found.st_size, data, size, diag);
    fclose(stream);
    return status;
}
