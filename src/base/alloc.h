/* Allocation with checked sizes, an account of the bytes, and injected failures for the tests.
 *
 * Every block of the library comes from here, so the peak of a stage can be told and every
 * allocation site can be made to fail. Blocks are aligned to 64 bytes. */
#ifndef AQM_BASE_ALLOC_H
#define AQM_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"

/* count * size bytes, zeroed; NULL on overflow or when memory is out. count == 0 gives a block. */
void *aqm_calloc(size_t count, size_t size);
/* The same, not zeroed. */
void *aqm_alloc(size_t count, size_t size);
/* Grows or shrinks a block (NULL = a new one); on NULL the old block is untouched. */
void *aqm_realloc(void *block, size_t count, size_t size);
void aqm_free(void *block);
char *aqm_strdup(const char *text);

/* MEMORY error for `count` items of `size` bytes, named `what`. */
AqmStatus aqm_fail_memory(AqmDiag *diag, const char *what, size_t count, size_t size);

typedef struct AqmAllocCount {
    size_t live_bytes;  /* allocated and not yet freed */
    size_t peak_bytes;  /* largest live_bytes since the last aqm_alloc_reset_peak */
    size_t total_bytes; /* ever allocated */
    size_t calls;
} AqmAllocCount;

AqmAllocCount aqm_alloc_count(void);
void aqm_alloc_reset_peak(void);
/* Sets the peak to `bytes` where it is less. */
void aqm_alloc_raise_peak(size_t bytes);

/* Tests only: the n-th allocation from now (1 = the next) and every later one fails; 0 = off. */
void aqm_alloc_fail_from(size_t n);

#endif
