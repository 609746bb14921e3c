/* Files that are either whole or not there: written to a temporary name, flushed, then renamed. */
#ifndef AQM_IO_ATOMIC_FILE_H
#define AQM_IO_ATOMIC_FILE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/diag.h"

/* A file being written. The temporary lies in the folder of the final file, so the rename cannot
 * cross file systems; its name is hidden and its own: no two processes write to the same one. */
typedef struct AqmAtomicFile {
    FILE *stream;
    char *path, *temporary;
} AqmAtomicFile;

/* IO where the folder is missing or not writable; MEMORY. On failure nothing has to be undone. */
AqmStatus aqm_atomic_open(AqmAtomicFile *file, const char *path, AqmDiag *diag);

/* Appends `size` bytes. IO where the disk is full; the file then still has to be aborted. */
AqmStatus aqm_atomic_write(AqmAtomicFile *file, const void *data, size_t size, AqmDiag *diag);

/* Flushes to the disk and renames; on failure the temporary is removed and what stood at `path`
 * before is untouched. Frees `file` in either case. */
AqmStatus aqm_atomic_commit(AqmAtomicFile *file, AqmDiag *diag);

/* Gives the file up and removes the temporary. Fine on a zeroed or committed file. */
void aqm_atomic_abort(AqmAtomicFile *file);

/* Commits if `status` is AQM_OK, else aborts; returns the first of the two statuses that is not
 * AQM_OK. The usual last line of a writer. */
AqmStatus aqm_atomic_finish(AqmAtomicFile *file, AqmStatus status, AqmDiag *diag);

/* Flushes a folder, so that what was renamed or removed in it stays so. File systems that cannot do
 * that are left at that. */
void aqm_sync_folder(const char *folder);

/* A lock on a folder, for as long as it is open; it leaves no file behind. */
typedef struct AqmFolderLock {
    int descriptor; /* -1 = none */
    bool is_held;   /* false where the file system knows no locks: nobody else is kept out */
} AqmFolderLock;

#define AQM_FOLDER_UNLOCKED ((AqmFolderLock){-1, false})

/* Shared locks go together; an exclusive one goes with no other. Does not wait: IO, with a sentence
 * for the user, where another process (or another lock of this one) is in the way. */
AqmStatus aqm_folder_lock(const char *folder, bool exclusive, AqmFolderLock *lock, AqmDiag *diag);
void aqm_folder_unlock(AqmFolderLock *lock);

/* Removes the temporaries that a killed process left in a folder and in its subfolders one level
 * down. A missing folder is fine. */
void aqm_remove_temporaries(const char *folder);

#endif
