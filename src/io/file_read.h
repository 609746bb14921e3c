/* A whole file in memory. */
#ifndef AQM_IO_FILE_READ_H
#define AQM_IO_FILE_READ_H

#include <stddef.h>

#include "base/diag.h"

/* The bytes of the file, with a '\0' after the last one (not counted in *size); *data is freed with
 * aqm_free. IO where it cannot be read (missing, a folder, no permission); MEMORY. */
AqmStatus aqm_file_read(const char *path, unsigned char **data, size_t *size, AqmDiag *diag);

#endif
