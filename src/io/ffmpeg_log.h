/* What the FFmpeg libraries have to say, kept for the diagnostic instead of printed.
 *
 * Their log goes through one callback per process. Ours is set once; between begin and end it keeps
 * the messages of the calling thread, and passes all others on to FFmpeg's own, so a program that
 * uses FFmpeg itself sees no difference. Codecs are opened with one thread, so that what concerns a
 * file is said on the thread that reads it. */
#ifndef AQM_IO_FFMPEG_LOG_H
#define AQM_IO_FFMPEG_LOG_H

#include <stdbool.h>

#include "base/diag.h"

typedef struct AqmFfmpegLog {
    char reason[240];  /* the first message of a problem; "" where there was none */
    unsigned problems; /* how many there were */
    struct AqmFfmpegLog *outer;
} AqmFfmpegLog;

/* Begins to keep messages. Every begin needs its end, on the same thread, innermost first. */
void aqm_ffmpeg_log_begin(AqmFfmpegLog *log);
void aqm_ffmpeg_log_end(AqmFfmpegLog *log);

/* Problems so far in this thread's innermost log; 0 where none is open. */
unsigned aqm_ffmpeg_problems(void);

/* "reason" or, where nothing was said, FFmpeg's words for the error code (0 = none). */
const char *aqm_ffmpeg_reason(const AqmFfmpegLog *log, int code, char text[240]);

/* FORMAT (MEMORY for ENOMEM): "name: sentence: reason". */
AqmStatus aqm_ffmpeg_fail(const AqmFfmpegLog *log, int code, AqmDiag *diag, const char *name,
                          const char *sentence);

#endif
