/* Where frames come from: what a folder of stills and a video must do to be a frame source. */
#ifndef AQM_IO_FRAME_SOURCE_H
#define AQM_IO_FRAME_SOURCE_H

#include "aquamvs/io.h"

typedef struct AqmVideo AqmVideo;

/* video_decode.c: the frames of a video file, any one exactly. */
AqmStatus aqm_video_open(AqmVideo **out, const char *path, AqmDiag *diag);
void aqm_video_close(AqmVideo **video);
size_t aqm_video_count(const AqmVideo *video);
AqmStatus aqm_video_read(AqmVideo *video, size_t index, AqmImage **out, AqmDiag *diag);

/* Does the name end as that of a video does: .mp4 .avi .mkv .mov, upper or lower case? */
bool aqm_is_video_name(const char *name);

/* Order of file names as a person counts: runs of digits compare as numbers ("img2" before
 * "img10"), all else byte by byte; names that differ only in leading zeros by strcmp. */
int aqm_compare_names(const char *a, const char *b);

#endif
