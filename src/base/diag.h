/* Filling diagnostics and writing to logs. */
#ifndef AQM_BASE_DIAG_H
#define AQM_BASE_DIAG_H

#include "aquamvs/status.h"

/* Sets the diagnostic (unless diag is NULL or already holds an error) and returns `status`. */
AqmStatus aqm_fail(AqmDiag *diag, AqmStatus status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts a prefix ("frame 3, camera cam02: ") before the message of an error already set. */
void aqm_diag_prefix(AqmDiag *diag, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Formats and passes on; does nothing where log or log->write is NULL. */
void aqm_log(const AqmLog *log, AqmLogLevel level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Returns the status of an expression from the calling function if it is not AQM_OK. */
#define AQM_TRY(expression)                                                                        \
    do {                                                                                           \
        const AqmStatus aqm_try_status_ = (expression);                                            \
        if (aqm_try_status_ != AQM_OK)                                                             \
            return aqm_try_status_;                                                                \
    } while (0)

/* The same where something must be freed: stores the status in `status` and jumps to `label`. */
#define AQM_TRY_GOTO(status, label, expression)                                                    \
    do {                                                                                           \
        (status) = (expression);                                                                   \
        if ((status) != AQM_OK)                                                                    \
            goto label;                                                                            \
    } while (0)

#endif
