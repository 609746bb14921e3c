/* The decoder's side of a video: a file opened, its packets, and frames one after the other. */
#ifndef AQM_IO_VIDEO_STREAM_H
#define AQM_IO_VIDEO_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "base/diag.h"

/* Zero-initialise. Every frame is known by the position of its packet in the file, which is handed
 * through the decoder in the place of the time stamp: time stamps may be missing or repeat, the
 * position is there for every packet of the containers read here. */
typedef struct AqmVideoStream {
    const char *path; /* borrowed */
    AVFormatContext *format;
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *frame; /* the frame of the last aqm_video_stream_next */
    int index;      /* of the video stream in the file */
    bool draining;
    bool log_counts; /* what the decoder logs as an error is damage, though it gives the frame */
    int64_t fed;     /* position of the packet that the decoder got last */
    /* Positions of packets that did not decode, since the last sound key frame; -1 = none. */
    int64_t first_damage, last_damage;
} AqmVideoStream;

/* Opens file and decoder; on failure everything is closed. */
AqmStatus aqm_video_stream_open(AqmVideoStream *stream, const char *path, AqmDiag *diag);
void aqm_video_stream_close(AqmVideoStream *stream);

/* The next packet of the video in stream->packet; false at the end of what can be read. */
bool aqm_video_stream_packet(AqmVideoStream *stream);

/* The next frame in stream->frame, its packet's position in frame->pts; false at the end. */
bool aqm_video_stream_next(AqmVideoStream *stream);

/* Whether stream->frame decoded without damage in itself and in what it is predicted from; a sound
 * key frame ends the effect of earlier damage. Once per frame. */
bool aqm_video_stream_sound(AqmVideoStream *stream, bool is_key);

/* Goes to the last key frame at or before the time stamp; false where the container cannot. */
bool aqm_video_stream_seek(AqmVideoStream *stream, int64_t time_stamp);

#endif
