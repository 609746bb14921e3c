/* Stills. The whole file goes to the decoder as one packet, chosen by the file's first bytes and
 * not by its name. FFmpeg is made to be strict, because a decoder meant for players returns what it
 * has of a picture that is cut off, and half a gray picture matches nothing. */
#include <string.h>

#include <libavcodec/avcodec.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "io/ffmpeg_log.h"
#include "io/file_read.h"
#include "io/frame_convert.h"

static enum AVCodecID codec_of(const unsigned char *data, size_t size) {
    static const struct {
        const char *start;
        size_t length;
        enum AVCodecID codec;
    } kinds[] = {
        {"\x89PNG\r\n\x1a\n", 8, AV_CODEC_ID_PNG},
        {"\xff\xd8\xff", 3, AV_CODEC_ID_MJPEG},
        {"II*\0", 4, AV_CODEC_ID_TIFF},
        {"MM\0*", 4, AV_CODEC_ID_TIFF},
        {"BM", 2, AV_CODEC_ID_BMP},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (size >= kinds[i].length && memcmp(data, kinds[i].start, kinds[i].length) == 0)
            return kinds[i].codec;
    return AV_CODEC_ID_NONE;
}

/* Whether the picture's end is in the file: the IEND chunk of a PNG; of a JPEG an end marker after
 * its first scan (thumbnails have one too, but they lie in segments, which are stepped over). */
static bool has_end(enum AVCodecID codec, const unsigned char *data, size_t size) {
    if (codec == AV_CODEC_ID_PNG)
        return memmem(data, size, "IEND", 4) != NULL;
    if (codec != AV_CODEC_ID_MJPEG)
        return true;
    size_t at = 2;
    while (at + 4 <= size && data[at] == 0xff && data[at + 1] != 0xda)
        at += data[at + 1] == 0xff ? 1 : 2 + (size_t)(data[at + 2] << 8 | data[at + 3]);
    return at < size && memmem(data + at, size - at, "\xff\xd9", 2) != NULL;
}

static AqmStatus decode(const char *path, enum AVCodecID id, AVPacket *packet, AVFrame *frame,
                        AqmDiag *diag) {
    const AVCodec *codec = avcodec_find_decoder(id);
    AVCodecContext *context = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!context)
        return aqm_fail(diag, codec ? AQM_ERROR_MEMORY : AQM_ERROR_UNSUPPORTED,
                        "%s: no decoder for %s", path, avcodec_get_name(id));
    context->thread_count = 1;
    context->err_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER;
    if (id != AV_CODEC_ID_TIFF) /* where unknown tags would count; its log is looked at instead */
        context->err_recognition |= AV_EF_EXPLODE;
    AqmFfmpegLog log;
    aqm_ffmpeg_log_begin(&log);
    int code = avcodec_open2(context, codec, NULL);
    if (code >= 0)
        code = avcodec_send_packet(context, packet);
    if (code >= 0)
        code = avcodec_send_packet(context, NULL);
    if (code >= 0)
        code = avcodec_receive_frame(context, frame);
    avcodec_free_context(&context);
    aqm_ffmpeg_log_end(&log);
    /* what these two decoders put up with is named only in their log */
    const bool complained = (id == AV_CODEC_ID_TIFF || id == AV_CODEC_ID_BMP) && log.reason[0];
    const bool partial = (frame->flags & AV_FRAME_FLAG_CORRUPT) || frame->decode_error_flags != 0;
    if (code < 0 || partial || complained)
        return aqm_ffmpeg_fail(&log, code, diag, path, "the image cannot be decoded");
    return AQM_OK;
}

static AqmStatus decode_bytes(const char *path, const unsigned char *data, size_t size,
                              AVFrame *frame, AqmDiag *diag) {
    const enum AVCodecID id = codec_of(data, size);
    if (size == 0)
        return aqm_fail(diag, AQM_ERROR_FORMAT, "%s: the file is empty", path);
    if (id == AV_CODEC_ID_NONE)
        return aqm_fail(diag, AQM_ERROR_FORMAT,
                        "%s: the file is no PNG, JPEG, TIFF or BMP image by its first bytes", path);
    if (!has_end(id, data, size))
        return aqm_fail(diag, AQM_ERROR_FORMAT,
                        "%s: the image is cut off: its end is not in the file (%zu bytes)", path,
                        size);
    AVPacket *packet = size < INT_MAX / 2 ? av_packet_alloc() : NULL;
    AqmStatus status;
    if (packet && av_new_packet(packet, (int)size) == 0) {
        memcpy(packet->data, data, size);
        status = decode(path, id, packet, frame, diag);
    } else {
        status = aqm_fail_memory(diag, path, size, 1);
    }
    av_packet_free(&packet);
    return status;
}

AqmStatus aqm_image_read(const char *path, AqmImage **out, AqmDiag *diag) {
    unsigned char *data = NULL;
    size_t size = 0;
    AQM_TRY(aqm_file_read(path, &data, &size, diag));
    AVFrame *frame = av_frame_alloc();
    AqmStatus status = frame ? decode_bytes(path, data, size, frame, diag)
                             : aqm_fail_memory(diag, "a frame", 1, sizeof *frame);
    aqm_free(data);
    if (status == AQM_OK) {
        AqmFrameConverter converter = {0};
        AqmFfmpegLog log;
        aqm_ffmpeg_log_begin(&log);
        status = aqm_frame_to_image(&converter, frame, path, out, diag);
        aqm_frame_converter_release(&converter);
        aqm_ffmpeg_log_end(&log);
    }
    av_frame_free(&frame);
    return status;
}
