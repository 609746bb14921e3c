/* Files that are either whole or not there: written to a temporary name, flushed, then renamed. */
#ifndef AQM_IO_ATOMIC_FILE_H
#define AQM_IO_ATOMIC_FILE_H

#include <stdio.h>

#include "base/diag.h"

/* A file being written. The temporary lies in the folder of the final file, so the rename cannot
 * cross file systems; its name is hidden and holds the process id. */
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

/* Removes the temporaries that a killed process left in a folder and in its subfolders one level
 * down. A missing folder is fine. */
void aqm_remove_temporaries(const char *folder);

#endif
