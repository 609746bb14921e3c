#include "io/video_stream.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "io/ffmpeg_log.h"

void aqm_video_stream_close(AqmVideoStream *stream) {
    av_packet_free(&stream->packet);
    av_frame_free(&stream->frame);
    avcodec_free_context(&stream->codec);
    avformat_close_input(&stream->format);
    *stream = (AqmVideoStream){0};
}

/* Local files of the four containers only: no playlists, no network. */
static int open_container(AqmVideoStream *stream, const char *path) {
    const size_t size = strlen(path) + 6;
    char *url = aqm_alloc(size, 1);
    AVDictionary *options = NULL;
    if (!url)
        return AVERROR(ENOMEM);
    snprintf(url, size, "file:%s", path);
    av_dict_set(&options, "protocol_whitelist", "file", 0);
    av_dict_set(&options, "format_whitelist", "mov,avi,matroska", 0);
    int code = avformat_open_input(&stream->format, url, NULL, &options);
    av_dict_free(&options);
    aqm_free(url);
    if (code >= 0)
        code = avformat_find_stream_info(stream->format, NULL);
    return code;
}

static int open_decoder(AqmVideoStream *stream) {
    const AVCodec *codec = NULL;
    stream->index = av_find_best_stream(stream->format, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
    if (stream->index < 0)
        return stream->index;
    for (unsigned i = 0; i < stream->format->nb_streams; i++)
        if ((int)i != stream->index)
            stream->format->streams[i]->discard = AVDISCARD_ALL;
    stream->codec = avcodec_alloc_context3(codec);
    stream->packet = av_packet_alloc();
    stream->frame = av_frame_alloc();
    if (!stream->codec || !stream->packet || !stream->frame)
        return AVERROR(ENOMEM);
    const int code = avcodec_parameters_to_context(
        stream->codec, stream->format->streams[stream->index]->codecpar);
    stream->codec->thread_count = 1; /* callers read many videos at once */
    /* FFV1 and its like fill a slice with a wrong checksum from the frame before and only log it;
     * the decoders of lossy codecs log too much that does no harm */
    const AVCodecDescriptor *kind = avcodec_descriptor_get(codec->id);
    stream->log_counts =
        kind && (kind->props & AV_CODEC_PROP_LOSSLESS) && !(kind->props & AV_CODEC_PROP_LOSSY);
    stream->codec->err_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER;
    return code < 0 ? code : avcodec_open2(stream->codec, codec, NULL);
}

AqmStatus aqm_video_stream_open(AqmVideoStream *stream, const char *path, AqmDiag *diag) {
    AqmFfmpegLog log;
    *stream = (AqmVideoStream){.path = path, .first_damage = -1};
    aqm_ffmpeg_log_begin(&log);
    int code = open_container(stream, path);
    if (code >= 0)
        code = open_decoder(stream);
    aqm_ffmpeg_log_end(&log);
    if (code >= 0)
        return AQM_OK;
    aqm_video_stream_close(stream);
    return aqm_ffmpeg_fail(&log, code, diag, path, "cannot be read as a video");
}

bool aqm_video_stream_packet(AqmVideoStream *stream) {
    for (;;) {
        av_packet_unref(stream->packet);
        if (av_read_frame(stream->format, stream->packet) < 0)
            return false;
        if (stream->packet->stream_index == stream->index)
            return true;
    }
}

static void note_damage(AqmVideoStream *stream, int64_t position) {
    if (stream->first_damage < 0)
        stream->first_damage = position;
    stream->last_damage = position;
}

/* Gives the decoder the next packet, or the sign that there is none. */
static void feed(AqmVideoStream *stream) {
    if (!aqm_video_stream_packet(stream)) {
        stream->draining = true;
        (void)avcodec_send_packet(stream->codec, NULL);
        return;
    }
    AVPacket *packet = stream->packet;
    packet->pts = packet->pos;
    packet->dts = AV_NOPTS_VALUE;
    stream->fed = packet->pos;
    const bool is_cut = packet->flags & AV_PKT_FLAG_CORRUPT;
    const unsigned problems = aqm_ffmpeg_problems();
    const int code = avcodec_send_packet(stream->codec, packet);
    const bool complained = stream->log_counts && aqm_ffmpeg_problems() != problems;
    if (code < 0 || is_cut || complained)
        note_damage(stream, stream->fed);
}

bool aqm_video_stream_next(AqmVideoStream *stream) {
    for (int errors = 0; errors < 1000;) {
        const int code = avcodec_receive_frame(stream->codec, stream->frame);
        if (code == 0) {
            const AVFrame *frame = stream->frame;
            if ((frame->flags & AV_FRAME_FLAG_CORRUPT) || frame->decode_error_flags != 0)
                note_damage(stream, frame->pts);
            return true;
        }
        if (code == AVERROR_EOF || (code == AVERROR(EAGAIN) && stream->draining))
            return false;
        if (code == AVERROR(EAGAIN)) {
            feed(stream);
        } else {
            note_damage(stream, stream->fed);
            errors++;
        }
    }
    return false; /* the decoder is beyond help */
}

bool aqm_video_stream_sound(AqmVideoStream *stream, bool is_key) {
    const int64_t position = stream->frame->pts;
    if (stream->first_damage < 0 || position < stream->first_damage)
        return true;
    if (!is_key || position <= stream->last_damage)
        return false;
    stream->first_damage = -1;
    return true;
}

bool aqm_video_stream_seek(AqmVideoStream *stream, int64_t time_stamp) {
    const int code = av_seek_frame(stream->format, stream->index, time_stamp, AVSEEK_FLAG_BACKWARD);
    avcodec_flush_buffers(stream->codec);
    stream->draining = false;
    stream->first_damage = -1;
    return code >= 0;
}
