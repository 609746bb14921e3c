/* The meshes that lie in a folder: those of a run's frames, or loose files. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "aquamvs/pipeline.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "io/frame_source.h"

typedef struct Search {
    const char *folder;
    AqmMeshFiles *frames, *loose;
    AqmDiag *diag;
} Search;

/* "frame_" and at least six digits */
static bool is_frame_name(const char *name) {
    if (strncmp(name, "frame_", 6) != 0 || strlen(name) < 12)
        return false;
    for (name += 6; isdigit((unsigned char)*name); name++)
        ;
    return *name == '\0';
}

static bool is_ply_name(const char *name) {
    const size_t length = strlen(name);
    return length > 4 && strcasecmp(name + length - 4, ".ply") == 0;
}

/* {folder}/{name}{rest}, the caller's to free; NULL where memory is out. */
static char *join(const char *folder, const char *name, const char *rest) {
    const size_t length = strlen(folder), room = length + strlen(name) + strlen(rest) + 2;
    char *path = aqm_alloc(room, 1);
    const bool has_slash = length > 0 && folder[length - 1] == '/';
    if (path)
        snprintf(path, room, "%s%s%s%s", folder, has_slash ? "" : "/", name, rest);
    return path;
}

/* Takes `path`; the name is that of the entry, less `cut` characters at its end. */
static AqmStatus add(AqmMeshFiles *list, char *path, const char *entry, size_t cut, AqmDiag *diag) {
    char *name = aqm_strdup(entry);
    AqmMeshFile *grown = aqm_realloc(list->files, list->count + 1, sizeof *grown);
    if (grown)
        list->files = grown;
    if (!path || !name || !grown) {
        aqm_free(path);
        aqm_free(name);
        return aqm_fail_memory(diag, "the list of meshes", list->count + 1, sizeof *grown);
    }
    name[strlen(name) - cut] = '\0';
    list->files[list->count++] = (AqmMeshFile){path, name};
    return AQM_OK;
}

static AqmStatus consider(Search *search, const char *entry) {
    if (entry[0] == '.' || (!is_frame_name(entry) && !is_ply_name(entry)))
        return AQM_OK;
    char *path = join(search->folder, entry, "");
    if (!path)
        return aqm_fail_memory(search->diag, "a file name", strlen(entry), 1);
    struct stat about;
    const bool exists = stat(path, &about) == 0;
    if (exists && S_ISREG(about.st_mode) && is_ply_name(entry))
        return add(search->loose, path, entry, strlen(".ply"), search->diag);
    aqm_free(path);
    if (exists && S_ISDIR(about.st_mode) && is_frame_name(entry))
        return add(search->frames, join(search->folder, entry, "/mesh/surface.ply"), entry, 0,
                   search->diag);
    return AQM_OK;
}

static AqmStatus list_folder(Search *search) {
    DIR *folder = opendir(search->folder);
    if (!folder)
        return aqm_fail(search->diag, AQM_ERROR_IO, "%s: cannot be opened as a folder: %s",
                        search->folder, strerror(errno));
    AqmStatus status = AQM_OK;
    const struct dirent *entry;
    while (status == AQM_OK && (entry = readdir(folder)))
        status = consider(search, entry->d_name);
    closedir(folder);
    return status;
}

static int by_name(const void *a, const void *b) {
    return aqm_compare_names(((const AqmMeshFile *)a)->name, ((const AqmMeshFile *)b)->name);
}

static AqmStatus find(Search *search, AqmMeshFiles **out) {
    AQM_TRY(list_folder(search));
    AqmMeshFiles *found = search->frames->count > 0 ? search->frames : search->loose;
    if (found->count == 0)
        return aqm_fail(search->diag, AQM_ERROR_NO_DATA,
                        "%s holds neither frames of a run (frame_NNNNNN) nor .ply files",
                        search->folder);
    qsort(found->files, found->count, sizeof *found->files, by_name);
    *out = found;
    return AQM_OK;
}

AqmStatus aqm_mesh_files_find(const char *folder, AqmMeshFiles **out, AqmDiag *diag) {
    AqmMeshFiles *frames = aqm_calloc(1, sizeof *frames), *loose = aqm_calloc(1, sizeof *loose);
    AqmMeshFiles *found = NULL;
    Search search = {folder, frames, loose, diag};
    const AqmStatus status =
        frames && loose ? find(&search, &found) : aqm_fail_memory(diag, folder, 2, sizeof *frames);
    if (found == frames)
        frames = NULL;
    else if (found == loose)
        loose = NULL;
    aqm_mesh_files_destroy(&loose);
    aqm_mesh_files_destroy(&frames);
    if (status == AQM_OK)
        *out = found;
    return status;
}

void aqm_mesh_files_destroy(AqmMeshFiles **files) {
    if (!files || !*files)
        return;
    for (size_t i = 0; i < (*files)->count; i++) {
        aqm_free((*files)->files[i].path);
        aqm_free((*files)->files[i].name);
    }
    aqm_free((*files)->files);
    aqm_free(*files);
    *files = NULL;
}
