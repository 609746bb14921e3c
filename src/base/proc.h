/* What Linux tells of this process in /proc. Elsewhere nothing is known. */
#ifndef AQM_BASE_PROC_H
#define AQM_BASE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AQM_PROC_THREADS_MAX = 256 };

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

/* How long threads were ready to run and had no core. On a machine of one's own that is next to
 * nothing; beside other programs it is what makes work take longer than it would. */
typedef struct AqmProcWait {
    size_t count;
    struct {
        long id;
        int descriptor;
        double wait_s; /* as last read: it stays when the thread has ended */
    } threads[AQM_PROC_THREADS_MAX];
} AqmProcWait;

/* Adds the threads of the process that are new since; none of them where the system does not tell.
 */
void aqm_proc_wait_find(AqmProcWait *wait);
/* Seconds, of all threads found so far since they began; NaN where there are none. *own_bytes: read
 * for it. */
double aqm_proc_wait_read(AqmProcWait *wait, size_t *own_bytes);
void aqm_proc_wait_close(AqmProcWait *wait);

/* The same of the calling thread alone: an account as of bytes. */
int aqm_proc_wait_open(void);
double aqm_proc_wait_read_one(int descriptor, size_t *own_bytes);

#endif
