/* What the tests choose about written videos and the public calls do not. */
#ifndef AQM_IO_VIDEO_WRITE_H
#define AQM_IO_VIDEO_WRITE_H

#include "aquamvs/io.h"

typedef struct AqmVideoSettings {
    int group_of_pictures; /* frames from one key frame to the next; default 12 */
    int b_frames;          /* MPEG-4 only; default 0 */
} AqmVideoSettings;

AqmStatus aqm_video_writer_open_with(AqmVideoWriter **out, const char *path, int width, int height,
                                     double frames_per_s, const AqmVideoSettings *settings,
                                     AqmDiag *diag);

#endif
