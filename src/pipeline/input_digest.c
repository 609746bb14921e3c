#include "pipeline/input_digest.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "io/file_read.h"

/* ---- hashing --------------------------------------------------------------------------------- */

uint64_t aqm_hash_bytes(uint64_t hash, const void *data, size_t size) {
    const unsigned char *bytes = data;
    for (size_t k = 0; k < size; k++)
        hash = (hash ^ bytes[k]) * 1099511628211u;
    return hash;
}

uint64_t aqm_hash_text(uint64_t hash, const char *text) {
    return aqm_hash_bytes(hash, text, strlen(text) + 1);
}

void aqm_hash_format(uint64_t hash, char digest[17]) {
    snprintf(digest, 17, "%016llx", (unsigned long long)hash);
}

static uint64_t hash_number(uint64_t hash, long long number) {
    char text[32];
    snprintf(text, sizeof text, "%lld", number);
    return aqm_hash_text(hash, text);
}

/* Up to 64 KiB from `offset` on. */
static uint64_t hash_block(uint64_t hash, int descriptor, off_t offset) {
    unsigned char block[16384];
    for (int k = 0; k < 4; k++) {
        const ssize_t got = pread(descriptor, block, sizeof block, offset);
        if (got <= 0)
            break;
        hash = aqm_hash_bytes(hash, block, (size_t)got);
        offset += got;
    }
    return hash;
}

/* A file's size, its first and its last 64 KiB. */
static uint64_t hash_file(uint64_t hash, const char *path) {
    const off_t length = 65536;
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    struct stat found;
    if (descriptor < 0 || fstat(descriptor, &found) != 0) {
        if (descriptor >= 0)
            close(descriptor);
        return aqm_hash_text(hash, "none");
    }
    hash = hash_number(hash, (long long)found.st_size);
    hash = hash_block(hash, descriptor, 0);
    if (found.st_size > length)
        hash = hash_block(hash, descriptor,
                          found.st_size < 2 * length ? length : found.st_size - length);
    close(descriptor);
    return hash;
}

static AqmStatus hash_whole_file(uint64_t *hash, const char *path, AqmDiag *diag) {
    unsigned char *data = NULL;
    size_t size = 0;
    AQM_TRY(aqm_file_read(path, &data, &size, diag));
    *hash = aqm_hash_bytes(hash_number(*hash, (long long)size), data, size);
    aqm_free(data);
    return AQM_OK;
}

/* ---- what frames have in common -------------------------------------------------------------- */

static AqmStatus hash_mask(uint64_t *hash, const AqmConfig *config, const AqmInput *input,
                           AqmDiag *diag) {
    char path[PATH_MAX];
    if (!config->mask_dir)
        return AQM_OK;
    snprintf(path, sizeof path, "%s/%s.png", config->mask_dir, input->camera->name);
    return access(path, F_OK) == 0 ? hash_whole_file(hash, path, diag) : AQM_OK;
}

AqmStatus aqm_input_digest_create(AqmInputDigest *out, const AqmConfig *config,
                                  const AqmInputs *inputs, AqmDiag *diag) {
    *out = (AqmInputDigest){.common = AQM_HASH_START};
    AQM_TRY(hash_whole_file(&out->common, config->calibration_path, diag));
    out->common = aqm_hash_bytes(out->common, &inputs->white_16, sizeof inputs->white_16);
    for (size_t c = 0; c < inputs->camera_count; c++) {
        out->common = aqm_hash_text(out->common, inputs->cameras[c].camera->name);
        AQM_TRY(hash_mask(&out->common, config, &inputs->cameras[c], diag));
    }
    out->videos = aqm_calloc(inputs->camera_count, sizeof *out->videos);
    if (!out->videos)
        return aqm_fail_memory(diag, "a digest of the input", inputs->camera_count,
                               sizeof *out->videos);
    for (size_t c = 0; c < inputs->camera_count; c++)
        if (aqm_frame_source_is_video(inputs->cameras[c].source))
            out->videos[c] = hash_file(AQM_HASH_START, inputs->cameras[c].path);
    return AQM_OK;
}

void aqm_input_digest_destroy(AqmInputDigest *digest) {
    aqm_free(digest->videos);
    *digest = (AqmInputDigest){0};
}

/* ---- a frame --------------------------------------------------------------------------------- */

/* The path of a still: that of the camera itself where it is one still alone. */
static void still_path(const AqmInput *input, size_t index, char path[PATH_MAX]) {
    struct stat found;
    if (stat(input->path, &found) == 0 && S_ISDIR(found.st_mode))
        snprintf(path, PATH_MAX, "%s/%s", input->path, aqm_frame_source_name(input->source, index));
    else
        snprintf(path, PATH_MAX, "%s", input->path);
}

void aqm_input_digest_frame(const AqmInputDigest *common, const AqmInputs *inputs, int frame,
                            char digest[17]) {
    uint64_t hash = common->common;
    for (size_t c = 0; c < inputs->camera_count; c++) {
        const AqmInput *input = &inputs->cameras[c];
        const int index = inputs->index[(size_t)frame * inputs->camera_count + c];
        char path[PATH_MAX];
        if (index < 0) {
            hash = aqm_hash_text(hash, "none");
        } else if (aqm_frame_source_is_video(input->source)) {
            hash = aqm_hash_bytes(hash, &common->videos[c], sizeof common->videos[c]);
            hash = hash_number(hash, index);
        } else {
            still_path(input, (size_t)index, path);
            hash = hash_file(hash, path);
        }
    }
    aqm_hash_format(hash, digest);
}
