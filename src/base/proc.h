/* What Linux tells of this process in /proc. Elsewhere nothing is known. */
#ifndef AQM_BASE_PROC_H
#define AQM_BASE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that went through read and write calls of any kind: files, pipes, terminals, what the page
 * cache had as well as what came from a disk. Mapped files are not in it. */
typedef struct AqmProcIo {
    int64_t read_bytes, written_bytes; /* -1 = not known */
} AqmProcIo;

/* An open account of the process or of the thread that opens it; -1 where there is none. Any thread
 * may read it. */
int aqm_proc_io_open(bool of_thread);
void aqm_proc_io_close(int descriptor);
/* Reads an account. Reading it is itself read: *own_bytes, from the next reading on. */
AqmProcIo aqm_proc_io_read(int descriptor, size_t *own_bytes);

/* Seconds that the threads alive now were ready to run and waited for a core; NaN = not known. */
double aqm_proc_wait_s(void);

#endif
