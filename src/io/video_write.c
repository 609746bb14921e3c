/* Videos through FFmpeg's muxers and encoders: FFV1 (lossless) in Matroska, MPEG-4 at a fixed high
 * quality in AVI and MP4. The muxer writes through a stream of our own, so the file appears whole
 * or not at all and a full disk is an error with its name. The encoder opens with the first frame,
 * which says whether it is gray or colour, 8 or 16 bits. One thread and FFmpeg's bit-exact mode:
 * the same frames give the same bytes. */
#include "io/video_write.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>

#include "base/alloc.h"
#include "io/atomic_file.h"
#include "io/ffmpeg_log.h"

enum { STREAM_BUFFER = 1 << 16 };

struct AqmVideoWriter {
    AqmAtomicFile file;
    int width, height;
    AVRational rate;
    AqmVideoSettings settings;
    bool is_lossless, has_header;
    AqmSampleType type; /* of the first frame; all others must be like it */
    int channels;
    AqmStatus status; /* the first failure; everything after it is refused */
    AVFormatContext *format;
    AVCodecContext *codec;
    AVStream *stream;
    AVPacket *packet;
    AVFrame *frame;
    struct SwsContext *scaler;
    int64_t count;
};

static int write_bytes(void *opaque, uint8_t *data, int size) {
    AqmVideoWriter *writer = opaque;
    return fwrite(data, 1, (size_t)size, writer->file.stream) == (size_t)size ? size
                                                                              : AVERROR(errno);
}

static int64_t seek_bytes(void *opaque, int64_t offset, int whence) {
    AqmVideoWriter *writer = opaque;
    if (whence & AVSEEK_SIZE)
        return -1;
    return fseeko(writer->file.stream, offset, whence & ~AVSEEK_FORCE) == 0
               ? ftello(writer->file.stream)
               : AVERROR(errno);
}

static AqmStatus fail(AqmVideoWriter *writer, const AqmFfmpegLog *log, int code, AqmDiag *diag) {
    char text[240];
    const AqmStatus kind = code == AVERROR(ENOMEM)                          ? AQM_ERROR_MEMORY
                           : code == AVERROR(EINVAL) || code == AVERROR_BUG ? AQM_ERROR_ARGUMENT
                                                                            : AQM_ERROR_IO;
    writer->status = aqm_fail(diag, kind, "cannot write %s: %s", writer->file.path,
                              aqm_ffmpeg_reason(log, code, text));
    return writer->status;
}

/* Frees everything but the file. */
static void release(AqmVideoWriter *writer) {
    if (writer->format && writer->format->pb) {
        av_freep(&writer->format->pb->buffer);
        avio_context_free(&writer->format->pb);
    }
    avformat_free_context(writer->format);
    avcodec_free_context(&writer->codec);
    av_packet_free(&writer->packet);
    av_frame_free(&writer->frame);
    sws_freeContext(writer->scaler);
}

static int open_muxer(AqmVideoWriter *writer, const char *muxer) {
    int code = avformat_alloc_output_context2(&writer->format, NULL, muxer, NULL);
    if (code < 0)
        return code;
    unsigned char *buffer = av_malloc(STREAM_BUFFER);
    if (buffer)
        writer->format->pb =
            avio_alloc_context(buffer, STREAM_BUFFER, 1, writer, NULL, write_bytes, seek_bytes);
    if (!writer->format->pb) {
        av_free(buffer);
        return AVERROR(ENOMEM);
    }
    writer->format->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT;
    writer->packet = av_packet_alloc();
    writer->frame = av_frame_alloc();
    return writer->packet && writer->frame ? 0 : AVERROR(ENOMEM);
}

/* avi, mp4, matroska, or NULL */
static const char *muxer_of(const char *path, bool *is_lossless) {
    const char *dot = strrchr(path, '.');
    *is_lossless = dot && strcasecmp(dot, ".mkv") == 0;
    if (*is_lossless)
        return "matroska";
    if (dot && strcasecmp(dot, ".avi") == 0)
        return "avi";
    return dot && strcasecmp(dot, ".mp4") == 0 ? "mp4" : NULL;
}

AqmStatus aqm_video_writer_open_with(AqmVideoWriter **out, const char *path, int width, int height,
                                     double frames_per_s, const AqmVideoSettings *settings,
                                     AqmDiag *diag) {
    bool is_lossless;
    const char *muxer = muxer_of(path, &is_lossless);
    if (!muxer)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "%s: a video is written as .mkv (lossless), .avi or .mp4", path);
    if (!(frames_per_s >= 0.01 && frames_per_s <= 1000))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "%s: %g frames a second, must be in 0.01..1000",
                        path, frames_per_s);
    if (width < 2 || height < 2 || width > 16384 || height > 16384 ||
        (!is_lossless && (width > 8191 || height > 8191)))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "%s: a video of %d x %d px: sides must be in 2..16384 (8191 for MPEG-4)",
                        path, width, height);
    AqmVideoWriter *writer = aqm_calloc(1, sizeof *writer);
    if (!writer)
        return aqm_fail_memory(diag, "a video writer", 1, sizeof *writer);
    *writer = (AqmVideoWriter){.width = width,
                               .height = height,
                               .is_lossless = is_lossless,
                               .settings = *settings,
                               .rate = av_d2q(frames_per_s, 65535)};
    AqmStatus status = aqm_atomic_open(&writer->file, path, diag);
    if (status == AQM_OK) {
        AqmFfmpegLog log;
        aqm_ffmpeg_log_begin(&log);
        const int code = open_muxer(writer, muxer);
        aqm_ffmpeg_log_end(&log);
        if (code < 0)
            status = fail(writer, &log, code, diag);
    }
    if (status != AQM_OK) {
        release(writer);
        aqm_atomic_abort(&writer->file);
        aqm_free(writer);
        return status;
    }
    *out = writer;
    return AQM_OK;
}

AqmStatus aqm_video_writer_open(AqmVideoWriter **out, const char *path, int width, int height,
                                double frames_per_s, AqmDiag *diag) {
    const AqmVideoSettings settings = {.group_of_pictures = 12, .b_frames = 0};
    return aqm_video_writer_open_with(out, path, width, height, frames_per_s, &settings, diag);
}

static enum AVPixelFormat source_format(const AqmVideoWriter *writer) {
    if (writer->channels == 1)
        return writer->type == AQM_U16 ? AV_PIX_FMT_GRAY16LE : AV_PIX_FMT_GRAY8;
    return writer->type == AQM_U16 ? AV_PIX_FMT_RGB48LE : AV_PIX_FMT_RGB24;
}

/* What the encoder takes: FFV1 keeps RGB in 32-bit pixels, MPEG-4 is YUV with half chroma. */
static enum AVPixelFormat coded_format(const AqmVideoWriter *writer) {
    if (!writer->is_lossless)
        return AV_PIX_FMT_YUV420P;
    const enum AVPixelFormat format = source_format(writer);
    return format == AV_PIX_FMT_RGB24 ? AV_PIX_FMT_0RGB32 : format;
}

static int open_encoder(AqmVideoWriter *writer) {
    const AVCodec *codec =
        avcodec_find_encoder(writer->is_lossless ? AV_CODEC_ID_FFV1 : AV_CODEC_ID_MPEG4);
    AVCodecContext *context = writer->codec = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!context)
        return codec ? AVERROR(ENOMEM) : AVERROR_ENCODER_NOT_FOUND;
    context->width = writer->width;
    context->height = writer->height;
    context->pix_fmt = coded_format(writer);
    context->time_base = av_inv_q(writer->rate);
    context->framerate = writer->rate;
    context->thread_count = 1;
    context->flags |= AV_CODEC_FLAG_BITEXACT;
    context->gop_size = writer->settings.group_of_pictures;
    if (writer->is_lossless) {
        context->level = 3; /* version 3: slices with checksums, so damage is seen */
        av_opt_set_int(context->priv_data, "slicecrc", 1, 0);
        context->color_range = AVCOL_RANGE_JPEG;
    } else {
        context->flags |= AV_CODEC_FLAG_QSCALE;
        context->global_quality = 2 * FF_QP2LAMBDA; /* the finest but one of 31 */
        context->max_b_frames = writer->settings.b_frames;
        context->color_range = AVCOL_RANGE_MPEG;
        context->chroma_sample_location = AVCHROMA_LOC_LEFT;
    }
    if (writer->format->oformat->flags & AVFMT_GLOBALHEADER)
        context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    return avcodec_open2(context, codec, NULL);
}

static int open_scaler(AqmVideoWriter *writer) {
    const enum AVPixelFormat from = source_format(writer), to = coded_format(writer);
    writer->frame->format = to;
    writer->frame->width = writer->width;
    writer->frame->height = writer->height;
    const int code = av_frame_get_buffer(writer->frame, 0);
    if (code < 0 || from == to)
        return code;
    struct SwsContext *scaler = writer->scaler = sws_alloc_context();
    if (!scaler)
        return AVERROR(ENOMEM);
    /* chroma where MPEG-4 has it; -513: not set, or the scaler would go from RGB to RGB by YUV */
    const int left = writer->is_lossless ? -513 : 0, middle = writer->is_lossless ? -513 : 128;
    const int flags = SWS_BICUBIC | SWS_FULL_CHR_H_INP | SWS_ACCURATE_RND | SWS_BITEXACT;
    const struct {
        const char *name;
        int value;
    } options[] = {
        {"srcw", writer->width}, {"srch", writer->height},  {"src_format", from},
        {"dstw", writer->width}, {"dsth", writer->height},  {"dst_format", to},
        {"dst_h_chr_pos", left}, {"dst_v_chr_pos", middle}, {"sws_flags", flags},
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        av_opt_set_int(scaler, options[i].name, options[i].value, 0);
    const int opened = sws_init_context(scaler, NULL, NULL);
    if (opened < 0)
        return opened;
    const int *matrix = sws_getCoefficients(SWS_CS_DEFAULT);
    (void)sws_setColorspaceDetails(writer->scaler, matrix, 1, matrix, 0, 0, 1 << 16, 1 << 16);
    return 0;
}

static int write_header(AqmVideoWriter *writer, const AqmImageView *image) {
    writer->channels = image->channels;
    writer->type = image->type;
    int code = open_encoder(writer);
    if (code >= 0)
        code = open_scaler(writer);
    if (code < 0)
        return code;
    writer->stream = avformat_new_stream(writer->format, NULL);
    if (!writer->stream)
        return AVERROR(ENOMEM);
    writer->stream->time_base = writer->codec->time_base;
    writer->stream->avg_frame_rate = writer->rate;
    code = avcodec_parameters_from_context(writer->stream->codecpar, writer->codec);
    if (code >= 0)
        code = avformat_write_header(writer->format, NULL);
    writer->has_header = code >= 0;
    return code;
}

/* Encodes one frame (NULL = what is still inside) and writes what comes out. */
static int encode(AqmVideoWriter *writer, const AVFrame *frame) {
    int code = avcodec_send_frame(writer->codec, frame);
    while (code >= 0) {
        code = avcodec_receive_packet(writer->codec, writer->packet);
        if (code == AVERROR(EAGAIN) || code == AVERROR_EOF)
            return 0;
        if (code < 0)
            return code;
        writer->packet->duration = 1;
        av_packet_rescale_ts(writer->packet, writer->codec->time_base, writer->stream->time_base);
        writer->packet->stream_index = writer->stream->index;
        code = av_interleaved_write_frame(writer->format, writer->packet);
    }
    return code;
}

static int add(AqmVideoWriter *writer, const AqmImageView *image) {
    int code = writer->has_header ? 0 : write_header(writer, image);
    if (code >= 0)
        code = av_frame_make_writable(writer->frame);
    if (code < 0)
        return code;
    AVFrame *frame = writer->frame;
    if (writer->scaler) {
        const uint8_t *const planes[4] = {image->data};
        const int strides[4] = {(int)image->stride};
        sws_scale(writer->scaler, planes, strides, 0, image->height, frame->data, frame->linesize);
    } else {
        const size_t row = (size_t)image->width * (size_t)image->channels * (size_t)image->type;
        for (int y = 0; y < image->height; y++)
            memcpy(frame->data[0] + (ptrdiff_t)y * frame->linesize[0],
                   (const char *)image->data + (size_t)y * image->stride, row);
    }
    frame->pts = writer->count++;
    return encode(writer, frame);
}

AqmStatus aqm_video_writer_add(AqmVideoWriter *writer, const AqmImageView *image, AqmDiag *diag) {
    if (writer->status != AQM_OK)
        return aqm_fail(diag, writer->status, "cannot write %s: an earlier frame failed",
                        writer->file.path);
    if (image->width != writer->width || image->height != writer->height ||
        (writer->has_header &&
         (image->channels != writer->channels || image->type != writer->type)))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "cannot write %s: frame %lld (%d x %d, %d channels, %d bits) is not like "
                        "the video (%d x %d)",
                        writer->file.path, (long long)writer->count, image->width, image->height,
                        image->channels, 8 * (int)image->type, writer->width, writer->height);
    AqmFfmpegLog log;
    aqm_ffmpeg_log_begin(&log);
    const int code = add(writer, image);
    aqm_ffmpeg_log_end(&log);
    return code < 0 ? fail(writer, &log, code, diag) : AQM_OK;
}

AqmStatus aqm_video_writer_close(AqmVideoWriter **writer_pointer, AqmDiag *diag) {
    AqmVideoWriter *writer = *writer_pointer;
    *writer_pointer = NULL;
    if (!writer)
        return AQM_OK;
    if (writer->status == AQM_OK && !writer->has_header)
        writer->status =
            aqm_fail(diag, AQM_ERROR_ARGUMENT, "cannot write %s: a video needs at least one frame",
                     writer->file.path);
    AqmFfmpegLog log;
    aqm_ffmpeg_log_begin(&log);
    if (writer->status == AQM_OK) {
        int code = encode(writer, NULL);
        if (code >= 0)
            code = av_write_trailer(writer->format);
        avio_flush(writer->format->pb);
        if (code >= 0)
            code = writer->format->pb->error;
        if (code < 0)
            (void)fail(writer, &log, code, diag);
    }
    release(writer);
    aqm_ffmpeg_log_end(&log);
    const AqmStatus status = aqm_atomic_finish(&writer->file, writer->status, diag);
    aqm_free(writer);
    return status;
}
