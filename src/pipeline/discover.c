/* Finds the input of each camera by its name. */
#include <dirent.h>
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "aquamvs/io.h"
#include "aquamvs/pipeline.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "io/frame_source.h"

/* A name in the folder that the pattern matches and that can hold frames. */
typedef struct Found {
    char name[256];
    char camera[AQM_NAME_MAX];
    bool used;
} Found;

typedef struct Discovery {
    const char *folder;
    const AqmLog *log;
    AqmDiag *diag;
    regex_t pattern;
    Found *found;
    size_t count, capacity;
    size_t seen; /* names in the folder, hidden ones not counted */
} Discovery;

static AqmStatus compile(Discovery *d, const char *pattern) {
    if (strstr(pattern, "\\d"))
        return aqm_fail(d->diag, AQM_ERROR_ARGUMENT,
                        "pattern '%s': \\d is not POSIX; write [0-9] for a digit", pattern);
    const int error = regcomp(&d->pattern, pattern, REG_EXTENDED);
    if (error) {
        char reason[256];
        regerror(error, &d->pattern, reason, sizeof reason);
        return aqm_fail(d->diag, AQM_ERROR_ARGUMENT, "pattern '%s': %s", pattern, reason);
    }
    if (d->pattern.re_nsub == 0) {
        regfree(&d->pattern);
        return aqm_fail(d->diag, AQM_ERROR_ARGUMENT,
                        "pattern '%s' has no group: put the camera's name in (...)", pattern);
    }
    return AQM_OK;
}

static bool can_hold_frames(const Discovery *d, const char *name) {
    char path[4096];
    struct stat about;
    snprintf(path, sizeof path, "%s/%s", d->folder, name);
    return stat(path, &about) == 0 &&
           (S_ISDIR(about.st_mode) || (S_ISREG(about.st_mode) && aqm_is_video_name(name)));
}

static AqmStatus keep(Discovery *d, const char *name, const char *camera, size_t length) {
    if (d->count == d->capacity) {
        const size_t capacity = 2 * d->capacity + 16;
        Found *grown = aqm_realloc(d->found, capacity, sizeof *grown);
        if (!grown)
            return aqm_fail_memory(d->diag, "the list of inputs", capacity, sizeof *grown);
        d->found = grown;
        d->capacity = capacity;
    }
    Found *found = &d->found[d->count];
    *found = (Found){.used = false};
    snprintf(found->name, sizeof found->name, "%s", name);
    memcpy(found->camera, camera, length);
    d->count++;
    return AQM_OK;
}

static AqmStatus consider(Discovery *d, const char *name) {
    regmatch_t match[2];
    if (name[0] == '.')
        return AQM_OK;
    d->seen++;
    if (regexec(&d->pattern, name, 2, match, 0) != 0 || match[1].rm_so < 0)
        return AQM_OK;
    const size_t length = (size_t)(match[1].rm_eo - match[1].rm_so);
    if (length == 0 || length >= AQM_NAME_MAX) {
        aqm_log(d->log, AQM_LOG_WARNING, "%s/%s: its camera name has %zu characters; left out",
                d->folder, name, length);
        return AQM_OK;
    }
    if (!can_hold_frames(d, name)) {
        aqm_log(d->log, AQM_LOG_WARNING,
                "%s/%s matches but is neither a folder nor a video (.mp4 .avi .mkv .mov); left out",
                d->folder, name);
        return AQM_OK;
    }
    return keep(d, name, name + match[1].rm_so, length);
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const Found *)a)->name, ((const Found *)b)->name);
}

static AqmStatus list_folder(Discovery *d) {
    DIR *folder = opendir(d->folder);
    if (!folder)
        return aqm_fail(d->diag, AQM_ERROR_IO, "%s: cannot be opened as a folder: %s", d->folder,
                        strerror(errno));
    AqmStatus status = AQM_OK;
    const struct dirent *entry;
    while (status == AQM_OK && (entry = readdir(folder)))
        status = consider(d, entry->d_name);
    closedir(folder);
    if (status == AQM_OK && d->count > 1)
        qsort(d->found, d->count, sizeof *d->found, by_name);
    return status;
}

/* Adds the input of one camera of the calibration, if it was found; twice is an error. */
static AqmStatus take_camera(Discovery *d, AqmConfig *config, const char *camera) {
    Found *match = NULL;
    for (size_t i = 0; i < d->count; i++) {
        if (strcmp(d->found[i].camera, camera) != 0)
            continue;
        if (match)
            return aqm_fail(d->diag, AQM_ERROR_CONFIG,
                            "%s: both %s and %s match as camera %s; make the pattern narrower",
                            d->folder, match->name, d->found[i].name, camera);
        match = &d->found[i];
    }
    if (!match) {
        aqm_log(d->log, AQM_LOG_WARNING, "camera %s of the calibration has no input in %s", camera,
                d->folder);
        return AQM_OK;
    }
    match->used = true;
    char path[4096];
    const char *slash = d->folder[strlen(d->folder) - 1] == '/' ? "" : "/";
    snprintf(path, sizeof path, "%s%s%s", d->folder, slash, match->name);
    return aqm_config_add_input(config, camera, path, d->diag);
}

static AqmStatus take_all(Discovery *d, AqmConfig *config, const AqmRig *rig) {
    for (size_t i = 0; i < rig->camera_count; i++)
        AQM_TRY(take_camera(d, config, rig->cameras[i].name));
    size_t unknown = 0;
    for (size_t i = 0; i < d->count; i++) {
        if (d->found[i].used)
            continue;
        unknown++;
        aqm_log(d->log, AQM_LOG_WARNING, "%s/%s: the calibration has no camera %s; left out",
                d->folder, d->found[i].name, d->found[i].camera);
    }
    if (config->input_count == 0)
        return aqm_fail(d->diag, AQM_ERROR_NO_DATA,
                        "%s: no input of a camera of %s: of %zu names the pattern matches %zu, of "
                        "which %zu name a camera that the calibration does not have",
                        d->folder, config->calibration_path, d->seen, d->count, unknown);
    return AQM_OK;
}

AqmStatus aqm_config_discover(AqmConfig *config, const char *input_dir, const char *pattern,
                              const AqmLog *log, AqmDiag *diag) {
    if (!config->calibration_path)
        return aqm_fail(diag, AQM_ERROR_CONFIG, "calibration_path is missing");
    if (input_dir[0] == '\0')
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "the input folder has an empty name");
    Discovery d = {.folder = input_dir, .log = log, .diag = diag};
    AqmRig *rig = NULL;
    AQM_TRY(aqm_calibration_read(config->calibration_path, log, &rig, diag));
    AqmStatus status = compile(&d, pattern);
    if (status == AQM_OK) {
        status = list_folder(&d);
        if (status == AQM_OK)
            status = take_all(&d, config, rig);
        regfree(&d.pattern);
    }
    aqm_free(d.found);
    aqm_rig_destroy(&rig);
    return status;
}
