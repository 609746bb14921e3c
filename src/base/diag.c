#include "base/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

AqmStatus aqm_fail(AqmDiag *diag, AqmStatus status, const char *format, ...) {
    if (diag && diag->status == AQM_OK) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(diag->message, sizeof diag->message, format, arguments);
        va_end(arguments);
        diag->status = status;
    }
    return status;
}

void aqm_diag_prefix(AqmDiag *diag, const char *format, ...) {
    if (!diag || diag->status == AQM_OK)
        return;
    char joined[AQM_DIAG_MAX];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(joined, sizeof joined, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof joined)
        return;
    const size_t room = sizeof joined - (size_t)length - 1;
    const size_t tail = strnlen(diag->message, room);
    memcpy(joined + length, diag->message, tail);
    joined[(size_t)length + tail] = '\0';
    memcpy(diag->message, joined, sizeof joined);
}

void aqm_log(const AqmLog *log, AqmLogLevel level, const char *format, ...) {
    if (!log || !log->write)
        return;
    char message[AQM_DIAG_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    log->write(log->user, level, message);
}

const char *aqm_status_name(AqmStatus status) {
    static const char *const names[] = {
        "AQM_OK",
        "AQM_ERROR_ARGUMENT",
        "AQM_ERROR_CONFIG",
        "AQM_ERROR_FORMAT",
        "AQM_ERROR_IO",
        "AQM_ERROR_MEMORY",
        "AQM_ERROR_UNSUPPORTED",
        "AQM_ERROR_NO_DATA",
        "AQM_ERROR_INTERRUPTED",
        "AQM_ERROR_DEVICE",
    };
    const size_t index = (size_t)status;
    return index < sizeof names / sizeof names[0] ? names[index] : "AQM_ERROR_?";
}

const char *aqm_version(void) {
    return AQM_VERSION_STRING;
}
