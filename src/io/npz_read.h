/* Looking into .npz files. */
#ifndef AQM_IO_NPZ_READ_H
#define AQM_IO_NPZ_READ_H

#include <stdbool.h>

/* Whether the file can be opened and holds an array of that name. */
bool aqm_npz_has(const char *path, const char *name);

#endif
