/* Looking into .npz files. */
#ifndef AQM_IO_NPZ_READ_H
#define AQM_IO_NPZ_READ_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"

/* Whether the file can be opened and holds an array of that name. */
bool aqm_npz_has(const char *path, const char *name);

/* As aqm_npz_read, in double; the caller frees *data. */
AQM_NODISCARD AqmStatus aqm_npz_read_double(const char *path, const char *name, double **data,
                                            size_t shape[3], int *dimensions, AqmDiag *diag);

#endif
