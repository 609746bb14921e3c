/* What the tests of this layer share: a folder of their own, files from text, the shared data, and
 * random damage. Include after cmocka.h. */
#ifndef AQM_IO_IO_TEST_UTIL_H
#define AQM_IO_IO_TEST_UTIL_H

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "math/rng.h"

/* A new empty folder, as a cmocka fixture: *state is its path. */
static inline int make_test_folder(void **state) {
    const char *base = getenv("TMPDIR");
    char *path = malloc(PATH_MAX);
    if (!path)
        return -1;
    snprintf(path, PATH_MAX, "%s/aquamvs_test_XXXXXX", base ? base : "/tmp");
    *state = path;
    return mkdtemp(path) ? 0 : -1;
}

/* How many files lie in the folder, hidden ones too. */
static inline int count_files(const char *folder) {
    DIR *listing = opendir(folder);
    assert_non_null(listing);
    int count = 0;
    for (const struct dirent *entry; (entry = readdir(listing));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(listing);
    return count;
}

/* Removes the folder with the files in it (one level of folders below it too). */
static inline void remove_folder(const char *folder) {
    DIR *listing = opendir(folder);
    if (!listing)
        return;
    char path[PATH_MAX];
    for (const struct dirent *entry; (entry = readdir(listing));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        const int length = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (length > 0 && length < PATH_MAX && unlink(path) != 0)
            remove_folder(path);
    }
    closedir(listing);
    rmdir(folder);
}

static inline int remove_test_folder(void **state) {
    remove_folder(*state);
    free(*state);
    return 0;
}

/* folder/name, in a buffer of the caller's. */
static inline const char *in_folder(char path[PATH_MAX], const char *folder, const char *name) {
    const int length = snprintf(path, PATH_MAX, "%s/%s", folder, name);
    assert_true(length > 0 && length < PATH_MAX);
    return path;
}

static inline void write_bytes(const char *path, const void *data, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline unsigned char *read_bytes(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    unsigned char *data = malloc(*size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *size, file), *size);
    data[*size] = 0;
    fclose(file);
    return data;
}

/* A path below the shared data; skips the test where it is not there. */
static inline void shared_path(char path[PATH_MAX], const char *relative) {
    const char *shared = getenv("AQUAMVS_SHARED");
    const int length = snprintf(path, PATH_MAX, "%s/%s", shared ? shared : "", relative);
    assert_true(length > 0 && length < PATH_MAX);
    if (!shared || access(path, R_OK) != 0) {
        print_message("skipped: %s is not there\n", relative);
        skip();
    }
}

/* Damages a copy of the data in one of the ways that files are damaged: bytes changed, cut off,
 * a stretch removed, repeated or swapped for text of its own. Returns the new size (<= 2 * size).
 */
static inline size_t damage(const unsigned char *data, size_t size, AqmRng *rng,
                            unsigned char *out) {
    memcpy(out, data, size);
    const size_t at = aqm_rng_u32(rng) % size, span = 1 + aqm_rng_u32(rng) % 40;
    const size_t length = span < size - at ? span : size - at;
    switch (aqm_rng_u32(rng) % 5) {
    case 0:
        return at;
    case 1:
        memmove(out + at, out + at + length, size - at - length);
        return size - length;
    case 2:
        memmove(out + at + length, out + at, size - at);
        return size + length;
    case 3:
        for (size_t i = 0; i < length; i++)
            out[at + i] = "0123456789-.eE[]{}\" \n"[aqm_rng_u32(rng) % 21];
        return size;
    default:
        for (uint32_t changes = 1 + aqm_rng_u32(rng) % 8; changes > 0; changes--)
            out[aqm_rng_u32(rng) % size] = (unsigned char)aqm_rng_u32(rng);
        return size;
    }
}

#endif
