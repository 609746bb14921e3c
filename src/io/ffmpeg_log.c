#include "io/ffmpeg_log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <libavutil/error.h>
#include <libavutil/log.h>

/* Not shared state: each thread's own innermost log. */
static _Thread_local AqmFfmpegLog *innermost;

static void keep(void *object, int level, const char *format, va_list arguments) {
    AqmFfmpegLog *log = innermost;
    if (!log) {
        av_log_default_callback(object, level, format, arguments);
        return;
    }
    /* the TIFF decoder calls every tag that it does not need an error */
    if (level > AV_LOG_ERROR || strncmp(format, "Unknown or unsupported tag", 26) == 0)
        return;
    if (log->problems++ > 0)
        return;
    vsnprintf(log->reason, sizeof log->reason, format, arguments);
    size_t length = strlen(log->reason);
    while (length > 0 && strchr("\n .", log->reason[length - 1]))
        log->reason[--length] = '\0';
}

static void set_callback(void) {
    av_log_set_callback(keep);
}

void aqm_ffmpeg_log_begin(AqmFfmpegLog *log) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_callback);
    *log = (AqmFfmpegLog){.outer = innermost};
    innermost = log;
}

void aqm_ffmpeg_log_end(AqmFfmpegLog *log) {
    innermost = log->outer;
}

unsigned aqm_ffmpeg_problems(void) {
    return innermost ? innermost->problems : 0;
}

const char *aqm_ffmpeg_reason(const AqmFfmpegLog *log, int code, char text[240]) {
    if (log->reason[0] != '\0')
        snprintf(text, 240, "%s", log->reason);
    else if (code >= 0 || av_strerror(code, text, 240) < 0)
        snprintf(text, 240, "damaged or cut off");
    return text;
}

AqmStatus aqm_ffmpeg_fail(const AqmFfmpegLog *log, int code, AqmDiag *diag, const char *name,
                          const char *sentence) {
    char text[240];
    const AqmStatus status = code == AVERROR(ENOMEM) ? AQM_ERROR_MEMORY : AQM_ERROR_FORMAT;
    return aqm_fail(diag, status, "%s: %s: %s", name, sentence, aqm_ffmpeg_reason(log, code, text));
}
