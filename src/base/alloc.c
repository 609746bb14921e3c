/* The counters are the one piece of mutable global state of the library: process-wide totals of
 * what this file itself handed out, updated atomically. */
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

/* Stands in the 64 bytes before each block. */
typedef struct Header {
    size_t bytes;
} Header;

static atomic_size_t live_bytes, peak_bytes, total_bytes, calls, fail_countdown;

static bool injected_failure(void) {
    size_t left = atomic_load(&fail_countdown);
    while (left > 1)
        if (atomic_compare_exchange_weak(&fail_countdown, &left, left - 1))
            return false;
    return left == 1;
}

void aqm_alloc_raise_peak(size_t bytes) {
    size_t peak = atomic_load(&peak_bytes);
    while (bytes > peak && !atomic_compare_exchange_weak(&peak_bytes, &peak, bytes))
        ;
}

static void account(size_t bytes) {
    aqm_alloc_raise_peak(atomic_fetch_add(&live_bytes, bytes) + bytes);
    atomic_fetch_add(&total_bytes, bytes);
    atomic_fetch_add(&calls, 1);
}

void *aqm_alloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - 2 * ALIGNMENT ||
        injected_failure())
        return NULL;
    const size_t rounded = (bytes + 2 * ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    char *base = aligned_alloc(ALIGNMENT, rounded);
    if (!base)
        return NULL;
    ((Header *)base)->bytes = bytes;
    account(bytes);
    return base + ALIGNMENT;
}

void *aqm_calloc(size_t count, size_t size) {
    void *block = aqm_alloc(count, size);
    if (block)
        memset(block, 0, count * size);
    return block;
}

static Header *header_of(void *block) {
    return (Header *)((char *)block - ALIGNMENT);
}

void *aqm_realloc(void *block, size_t count, size_t size) {
    void *grown = aqm_alloc(count, size);
    if (!grown || !block)
        return grown;
    const size_t old_bytes = header_of(block)->bytes, new_bytes = count * size;
    memcpy(grown, block, old_bytes < new_bytes ? old_bytes : new_bytes);
    aqm_free(block);
    return grown;
}

void aqm_free(void *block) {
    if (!block)
        return;
    Header *header = header_of(block);
    atomic_fetch_sub(&live_bytes, header->bytes);
    free(header);
}

char *aqm_strdup(const char *text) {
    const size_t size = strlen(text) + 1;
    char *copy = aqm_alloc(size, 1);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

AqmStatus aqm_fail_memory(AqmDiag *diag, const char *what, size_t count, size_t size) {
    return aqm_fail(diag, AQM_ERROR_MEMORY, "out of memory: %s needs %.1f MB (%zu x %zu bytes)",
                    what, (double)count * (double)size / 1e6, count, size);
}

AqmAllocCount aqm_alloc_count(void) {
    return (AqmAllocCount){
        .live_bytes = atomic_load(&live_bytes),
        .peak_bytes = atomic_load(&peak_bytes),
        .total_bytes = atomic_load(&total_bytes),
        .calls = atomic_load(&calls),
    };
}

void aqm_alloc_reset_peak(void) {
    atomic_store(&peak_bytes, atomic_load(&live_bytes));
}

void aqm_alloc_fail_from(size_t n) {
    atomic_store(&fail_countdown, n);
}
