#include "io/atomic_file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "aquamvs/io.h"
#include "base/alloc.h"

static AqmStatus fail_write(const char *path, int error, AqmDiag *diag) {
    return aqm_fail(diag, AQM_ERROR_IO, "cannot write %s: %s", path, strerror(error));
}

/* Length of the folder part of a path, its slash counted; 0 where there is none. */
static size_t folder_length(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

static void release(AqmAtomicFile *file) {
    aqm_free(file->path);
    aqm_free(file->temporary);
    *file = (AqmAtomicFile){0};
}

/* A number that no other process is likely to draw, on whatever machine it is. */
static unsigned long draw_number(void) {
    unsigned number;
    if (getrandom(&number, sizeof number, 0) == (ssize_t)sizeof number)
        return number;
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (unsigned long)now.tv_nsec;
}

/* Creates ".NAME.PID.NUMBER.tmp" beside `path`: a file that nobody else has open, as process ids
 * alone would not promise where several machines share a folder. -1 and errno on failure. */
static int create_temporary(const char *path, char *temporary, size_t room) {
    const size_t folder = folder_length(path);
    for (int attempt = 0;; attempt++) {
        snprintf(temporary, room, "%.*s.%s.%ld.%lu.tmp", (int)folder, path, path + folder,
                 (long)getpid(), draw_number());
        const int descriptor = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor >= 0 || errno != EEXIST || attempt == 100)
            return descriptor;
    }
}

AqmStatus aqm_atomic_open(AqmAtomicFile *file, const char *path, AqmDiag *diag) {
    const size_t room = strlen(path) + 60;
    *file = (AqmAtomicFile){.path = aqm_strdup(path), .temporary = aqm_alloc(room, 1)};
    if (!file->path || !file->temporary) {
        release(file);
        return aqm_fail_memory(diag, "a file name", room, 1);
    }
    const int descriptor = create_temporary(path, file->temporary, room);
    if (descriptor >= 0)
        file->stream = fdopen(descriptor, "w+b");
    if (!file->stream) {
        const int error = errno;
        if (descriptor >= 0) {
            close(descriptor);
            (void)unlink(file->temporary);
        }
        release(file);
        return fail_write(path, error, diag);
    }
    return AQM_OK;
}

AqmStatus aqm_atomic_write(AqmAtomicFile *file, const void *data, size_t size, AqmDiag *diag) {
    if (size > 0 && fwrite(data, 1, size, file->stream) != size)
        return fail_write(file->path, errno, diag);
    return AQM_OK;
}

void aqm_sync_folder(const char *folder) {
    const int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
        (void)fsync(descriptor);
        close(descriptor);
    }
}

/* Makes the rename itself last; length: of the folder part of `path`. */
static void sync_folder_of(const char *path, size_t length) {
    char *folder = aqm_alloc(length + 2, 1);
    if (!folder)
        return;
    memcpy(folder, length > 0 ? path : ".", length > 0 ? length : 1);
    folder[length > 0 ? length : 1] = '\0';
    aqm_sync_folder(folder);
    aqm_free(folder);
}

AqmStatus aqm_atomic_commit(AqmAtomicFile *file, AqmDiag *diag) {
    int error = 0;
    if (fflush(file->stream) != 0 || fsync(fileno(file->stream)) != 0)
        error = errno;
    if (fclose(file->stream) != 0 && error == 0)
        error = errno;
    if (error == 0 && rename(file->temporary, file->path) != 0)
        error = errno;
    AqmStatus status = AQM_OK;
    if (error != 0) {
        status = fail_write(file->path, error, diag);
        (void)unlink(file->temporary);
    } else {
        sync_folder_of(file->path, folder_length(file->path));
    }
    release(file);
    return status;
}

void aqm_atomic_abort(AqmAtomicFile *file) {
    if (!file->stream)
        return;
    (void)fclose(file->stream);
    (void)unlink(file->temporary);
    release(file);
}

AqmStatus aqm_atomic_finish(AqmAtomicFile *file, AqmStatus status, AqmDiag *diag) {
    if (status == AQM_OK)
        return aqm_atomic_commit(file, diag);
    aqm_atomic_abort(file);
    return status;
}

AqmStatus aqm_text_write(const char *path, const char *text, AqmDiag *diag) {
    AqmAtomicFile file;
    AQM_TRY(aqm_atomic_open(&file, path, diag));
    return aqm_atomic_finish(&file, aqm_atomic_write(&file, text, strlen(text), diag), diag);
}

/* mkdir that is content with a folder that is already there; 0 or errno. */
static int make_folder(const char *path) {
    if (mkdir(path, 0777) == 0)
        return 0;
    const int error = errno;
    struct stat found;
    if (stat(path, &found) == 0)
        return S_ISDIR(found.st_mode) ? 0 : ENOTDIR;
    return error;
}

AqmStatus aqm_make_folders(const char *path, AqmDiag *diag) {
    char *partial = aqm_strdup(path);
    if (!partial)
        return aqm_fail_memory(diag, "a file name", strlen(path) + 1, 1);
    int error = path[0] == '\0' ? ENOENT : 0;
    for (char *p = partial; error == 0 && *p != '\0'; p++) {
        if (*p != '/' || p == partial)
            continue;
        *p = '\0';
        error = make_folder(partial);
        *p = '/';
    }
    if (error == 0)
        error = make_folder(partial);
    aqm_free(partial);
    if (error != 0)
        return aqm_fail(diag, AQM_ERROR_IO, "cannot make the folder %s: %s", path, strerror(error));
    return AQM_OK;
}

bool aqm_folder_is_free(const char *path) {
    DIR *folder = opendir(path);
    if (!folder)
        return errno == ENOENT;
    int entries = 0;
    while (readdir(folder))
        entries++;
    (void)closedir(folder);
    return entries <= 2; /* . and .. */
}

/* ".NAME.PID.NUMBER.tmp" as aqm_atomic_open makes them, or ".NAME.PID.tmp". */
static bool is_temporary(const char *name) {
    const size_t length = strlen(name);
    if (name[0] != '.' || length < 8 || strcmp(name + length - 4, ".tmp") != 0)
        return false;
    size_t digits = 0;
    while (digits + 5 < length && isdigit((unsigned char)name[length - 5 - digits]))
        digits++;
    return digits > 0 && name[length - 5 - digits] == '.';
}

static void remove_temporaries_in(int folder, int levels) {
    DIR *listing = fdopendir(folder);
    if (!listing) {
        (void)close(folder);
        return;
    }
    for (const struct dirent *entry = readdir(listing); entry; entry = readdir(listing)) {
        if (is_temporary(entry->d_name))
            (void)unlinkat(folder, entry->d_name, 0);
        else if (levels > 0 && entry->d_name[0] != '.') {
            const int below =
                openat(folder, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (below >= 0)
                remove_temporaries_in(below, levels - 1);
        }
    }
    closedir(listing);
}

AqmStatus aqm_folder_lock(const char *folder, bool exclusive, AqmFolderLock *lock, AqmDiag *diag) {
    *lock = (AqmFolderLock){.descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (lock->descriptor < 0)
        return aqm_fail(diag, AQM_ERROR_IO, "cannot open the folder %s: %s", folder,
                        strerror(errno));
    if (flock(lock->descriptor, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0) {
        lock->is_held = true;
        return AQM_OK;
    }
    if (errno != EWOULDBLOCK)
        return AQM_OK;
    aqm_folder_unlock(lock);
    return aqm_fail(diag, AQM_ERROR_IO,
                    "another run is writing to %s: wait until it ends, or choose another folder",
                    folder);
}

void aqm_folder_unlock(AqmFolderLock *lock) {
    if (lock->descriptor >= 0)
        (void)close(lock->descriptor);
    *lock = AQM_FOLDER_UNLOCKED;
}

void aqm_remove_temporaries(const char *folder) {
    const int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0)
        remove_temporaries_in(descriptor, 1);
}
