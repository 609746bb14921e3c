/* Whether a finished frame was made from the input that is there now: a digest of what it is made
 * from. Contents count, not paths or times, so a data set may be moved and copied. */
#ifndef AQM_PIPELINE_INPUT_DIGEST_H
#define AQM_PIPELINE_INPUT_DIGEST_H

#include <stdint.h>

#include "pipeline/inputs.h"

/* FNV-1a, 64 bits (Fowler, Noll & Vo): a hash of bytes that come one after the other. */
#define AQM_HASH_START ((uint64_t)14695981039346656037u)
uint64_t aqm_hash_bytes(uint64_t hash, const void *data, size_t size);
/* The text and its end, so that "ab", "c" is not "a", "bc". */
uint64_t aqm_hash_text(uint64_t hash, const char *text);
void aqm_hash_format(uint64_t hash, char digest[17]); /* 16 hexadecimal digits */

/* What all frames have in common. */
typedef struct AqmInputDigest {
    uint64_t common;  /* calibration, cameras, masks: every byte; the white of all frames */
    uint64_t *videos; /* per camera; 0 for stills */
} AqmInputDigest;

/* Reads the calibration, the masks and the ends of the videos. IO; MEMORY. */
AqmStatus aqm_input_digest_create(AqmInputDigest *out, const AqmConfig *config,
                                  const AqmInputs *inputs, AqmDiag *diag);
void aqm_input_digest_destroy(AqmInputDigest *digest);

/* That of one frame: the common part, and of each camera's file the size, the first and the last 64
 * KiB. A file that cannot be read counts as one that is not there. */
void aqm_input_digest_frame(const AqmInputDigest *common, const AqmInputs *inputs, int frame,
                            char digest[17]);

#endif
