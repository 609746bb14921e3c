#include "io/frame_source.h"

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/diag.h"

struct AqmFrameSource {
    char *folder; /* of stills, with its slash; NULL for a video */
    char **names; /* in order */
    size_t count, capacity;
    AqmVideo *video; /* NULL for stills */
};

static bool ends_in(const char *name, const char *const *extensions) {
    const char *dot = strrchr(name, '.');
    for (; dot && *extensions; extensions++)
        if (strcasecmp(dot + 1, *extensions) == 0)
            return true;
    return false;
}

static bool is_still(const char *name) {
    static const char *const extensions[] = {"png", "jpg", "jpeg", "tif", "tiff", "bmp", NULL};
    return name[0] != '.' && ends_in(name, extensions);
}

bool aqm_is_video_name(const char *name) {
    static const char *const extensions[] = {"mp4", "avi", "mkv", "mov", NULL};
    return ends_in(name, extensions);
}

/* Compares the runs of digits at *a and *b as numbers and steps over them. */
static int compare_numbers(const char **a, const char **b) {
    while (**a == '0')
        ++*a;
    while (**b == '0')
        ++*b;
    size_t length_a = 0, length_b = 0;
    while (isdigit((unsigned char)(*a)[length_a]))
        length_a++;
    while (isdigit((unsigned char)(*b)[length_b]))
        length_b++;
    if (length_a != length_b)
        return length_a < length_b ? -1 : 1;
    const int order = strncmp(*a, *b, length_a);
    *a += length_a;
    *b += length_b;
    return order;
}

int aqm_compare_names(const char *a, const char *b) {
    const char *p = a, *q = b;
    while (*p != '\0' && *q != '\0') {
        if (isdigit((unsigned char)*p) && isdigit((unsigned char)*q)) {
            const int order = compare_numbers(&p, &q);
            if (order != 0)
                return order;
        } else if (*p != *q) {
            return (unsigned char)*p < (unsigned char)*q ? -1 : 1;
        } else {
            p++, q++;
        }
    }
    if (*p != *q)
        return *p == '\0' ? -1 : 1;
    return strcmp(a, b);
}

static int compare_entries(const void *a, const void *b) {
    return aqm_compare_names(*(char *const *)a, *(char *const *)b);
}

static AqmStatus add_name(AqmFrameSource *source, const char *name, AqmDiag *diag) {
    if (source->count == source->capacity) {
        const size_t capacity = source->capacity ? 2 * source->capacity : 64;
        char **names = aqm_realloc(source->names, capacity, sizeof *names);
        if (!names)
            return aqm_fail_memory(diag, "a list of files", capacity, sizeof *names);
        source->names = names;
        source->capacity = capacity;
    }
    char *copy = aqm_strdup(name);
    if (!copy)
        return aqm_fail_memory(diag, "a file name", strlen(name) + 1, 1);
    source->names[source->count++] = copy;
    return AQM_OK;
}

/* folder + name, freed by the caller; NULL when memory is out. */
static char *join(const char *folder, const char *name) {
    const size_t size = strlen(folder) + strlen(name) + 1;
    char *path = aqm_alloc(size, 1);
    if (path)
        snprintf(path, size, "%s%s", folder, name);
    return path;
}

/* A folder may be called "x.png"; a link to a file counts as the file. */
static bool is_file(const char *folder, const struct dirent *entry) {
    if (entry->d_type == DT_REG)
        return true;
    char *path = join(folder, entry->d_name);
    struct stat found;
    const bool result = path && stat(path, &found) == 0 && S_ISREG(found.st_mode);
    aqm_free(path);
    return result;
}

static AqmStatus list_stills(AqmFrameSource *source, const char *path, AqmDiag *diag) {
    DIR *listing = opendir(path);
    if (!listing)
        return aqm_fail(diag, AQM_ERROR_IO, "cannot read the folder %s: %s", path, strerror(errno));
    AqmStatus status = AQM_OK;
    for (const struct dirent *entry; status == AQM_OK && (entry = readdir(listing));)
        if (is_still(entry->d_name) && is_file(source->folder, entry))
            status = add_name(source, entry->d_name, diag);
    closedir(listing);
    if (status == AQM_OK && source->count == 0)
        status = aqm_fail(diag, AQM_ERROR_NO_DATA,
                          "the folder %s holds no image (.png .jpg .jpeg .tif .tiff .bmp)", path);
    if (status == AQM_OK)
        qsort(source->names, source->count, sizeof *source->names, compare_entries);
    return status;
}

static AqmStatus open_any(AqmFrameSource *source, const char *path, AqmDiag *diag) {
    struct stat found;
    if (stat(path, &found) != 0)
        return aqm_fail(diag, AQM_ERROR_IO, "cannot read %s: %s", path, strerror(errno));
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (S_ISDIR(found.st_mode)) {
        source->folder = join(path, path[0] && path[strlen(path) - 1] == '/' ? "" : "/");
        if (!source->folder)
            return aqm_fail_memory(diag, "a file name", strlen(path) + 2, 1);
        return list_stills(source, path, diag);
    }
    if (aqm_is_video_name(name))
        return aqm_video_open(&source->video, path, diag);
    if (!is_still(name))
        return aqm_fail(diag, AQM_ERROR_FORMAT,
                        "%s is neither a folder of images nor a video (.mp4 .avi .mkv .mov)", path);
    source->folder = aqm_strdup(path); /* one still alone */
    if (!source->folder)
        return aqm_fail_memory(diag, "a file name", strlen(path) + 1, 1);
    source->folder[name - path] = '\0';
    return add_name(source, name, diag);
}

AqmStatus aqm_frame_source_open(AqmFrameSource **out, const char *path, AqmDiag *diag) {
    AqmFrameSource *source = aqm_calloc(1, sizeof *source);
    if (!source)
        return aqm_fail_memory(diag, "a frame source", 1, sizeof *source);
    const AqmStatus status = open_any(source, path, diag);
    if (status != AQM_OK)
        aqm_frame_source_close(&source);
    else
        *out = source;
    return status;
}

void aqm_frame_source_close(AqmFrameSource **source) {
    if (!source || !*source)
        return;
    aqm_video_close(&(*source)->video);
    for (size_t i = 0; i < (*source)->count; i++)
        aqm_free((*source)->names[i]);
    aqm_free((*source)->names);
    aqm_free((*source)->folder);
    aqm_free(*source);
    *source = NULL;
}

size_t aqm_frame_source_count(const AqmFrameSource *source) {
    return source->video ? aqm_video_count(source->video) : source->count;
}

bool aqm_frame_source_is_video(const AqmFrameSource *source) {
    return source->video != NULL;
}

const char *aqm_frame_source_name(const AqmFrameSource *source, size_t index) {
    assert(index < aqm_frame_source_count(source));
    return source->video ? "" : source->names[index];
}

AqmStatus aqm_frame_source_read(AqmFrameSource *source, size_t index, AqmImage **out,
                                AqmDiag *diag) {
    if (index >= aqm_frame_source_count(source))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "frame %zu of a source of %zu frames", index,
                        aqm_frame_source_count(source));
    if (source->video)
        return aqm_video_read(source->video, index, out, diag);
    char *path = join(source->folder, source->names[index]);
    if (!path)
        return aqm_fail_memory(diag, "a file name", 1, 1);
    const AqmStatus status = aqm_image_read(path, out, diag);
    aqm_free(path);
    return status;
}
