#include "pipeline/scratch_folder.h"

#include <errno.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Cuts the last name off a path without slashes at its end; "." where nothing is left. */
static void cut_name(char *path) {
    char *slash = strrchr(path, '/');
    if (slash)
        slash[slash == path] = '\0'; /* "/" stays */
    else
        strcpy(path, ".");
}

/* The folder that output_dir is or would be in, by its real name: that of "." is "..". */
static bool folder_beside(const char *output_dir, char folder[PATH_MAX]) {
    char partial[PATH_MAX];
    if (snprintf(partial, sizeof partial, "%s", output_dir[0] ? output_dir : ".") >= PATH_MAX)
        return false;
    if (realpath(partial, folder)) {
        cut_name(folder);
        return true;
    }
    do {
        size_t length = strlen(partial);
        while (length > 1 && partial[length - 1] == '/')
            partial[--length] = '\0';
        cut_name(partial);
        if (realpath(partial, folder))
            return true;
    } while (strcmp(partial, "/") != 0 && strcmp(partial, ".") != 0);
    return false;
}

AqmStatus aqm_scratch_create(const char *output_dir, const char *work_dir, char path[PATH_MAX],
                             AqmDiag *diag) {
    char folder[PATH_MAX];
    if (!work_dir && folder_beside(output_dir, folder))
        work_dir = folder;
    const int length =
        snprintf(path, PATH_MAX, "%s/.aquamvs_profile_XXXXXX", work_dir ? work_dir : ".");
    if (length < PATH_MAX && mkdtemp(path))
        return AQM_OK;
    path[0] = '\0';
    return aqm_fail(diag, AQM_ERROR_IO,
                    "cannot make a folder in %s for the files of the frame: %s; name another one "
                    "with --work-dir",
                    work_dir ? work_dir : ".",
                    length < PATH_MAX ? strerror(errno) : "the name is too long");
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where) {
    (void)status;
    (void)kind;
    (void)where;
    (void)remove(path);
    return 0;
}

void aqm_scratch_remove(const char *path) {
    (void)nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
