/* Status codes, diagnostics, logging: how every call of the library reports.
 *
 * A function that can fail returns an AqmStatus and takes an `AqmDiag *diag` last (may be NULL).
 * The first error of a chain of calls wins: it names the input, the offending value and the limit,
 * in a sentence the user can act on. The library never prints, exits or aborts on data; misuse by
 * the calling program (a NULL where an object is required) is an assert. */
#ifndef AQUAMVS_STATUS_H
#define AQUAMVS_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define AQM_API __attribute__((visibility("default")))
#define AQM_NODISCARD __attribute__((warn_unused_result))
#else
#define AQM_API
#define AQM_NODISCARD
#endif

typedef enum AqmStatus {
    AQM_OK = 0,
    AQM_ERROR_ARGUMENT, /* a value given by the caller is out of range */
    AQM_ERROR_CONFIG,   /* the configuration or the command line is wrong */
    AQM_ERROR_FORMAT,   /* a file is not what it should be */
    AQM_ERROR_IO,       /* the operating system refused: missing file, full disk, no permission */
    AQM_ERROR_MEMORY,   /* out of memory */
    AQM_ERROR_UNSUPPORTED, /* a thing this build or version does not do */
    AQM_ERROR_NO_DATA,     /* the input is valid but holds nothing to work on */
    AQM_ERROR_INTERRUPTED, /* stopped on request; what is finished is kept */
    AQM_ERROR_DEVICE       /* the requested device is not there */
} AqmStatus;

enum { AQM_DIAG_MAX = 2048 };

/* Caller-owned. Zero-initialise (`AqmDiag diag = {0};`) before the first call. */
typedef struct AqmDiag {
    AqmStatus status;
    char message[AQM_DIAG_MAX]; /* UTF-8, no newline at the end; "" while status is AQM_OK */
} AqmDiag;

typedef enum AqmLogLevel { AQM_LOG_WARNING, AQM_LOG_INFO, AQM_LOG_DEBUG } AqmLogLevel;

/* Where messages that are not errors go: `message` is valid during the call. The library calls
 * `write` from one thread at a time for each call of its own; a log that calls from several threads
 * share must be able to bear that. */
typedef struct AqmLog {
    void (*write)(void *user, AqmLogLevel level, const char *message);
    void *user;
} AqmLog;

/* "AQM_OK", "AQM_ERROR_IO", ...: for logs and tests; never NULL. */
AQM_API const char *aqm_status_name(AqmStatus status);

/* "0.1.0": the version of the library that is linked. */
AQM_API const char *aqm_version(void);

#ifdef __cplusplus
}
#endif
#endif
