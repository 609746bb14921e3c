#include "io/frame_convert.h"

#include <string.h>

#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>

#include "base/diag.h"

/* Rounding that does not depend on the processor, chroma interpolated for every pixel. Bicubic, and
 * not bilinear: with two rows to blend the scaler takes a short cut that only knows the weights 0,
 * 1/2 and 1. Measured on 4:2:0 JPEG of fine colour noise against the original: RMS 5.9 with
 * bilinear, 1.8 with bicubic, 3.8 by libjpeg. */
static const int scaler_flags =
    SWS_BICUBIC | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_ACCURATE_RND | SWS_BITEXACT;

void aqm_frame_converter_release(AqmFrameConverter *converter) {
    sws_freeContext(converter->scaler);
    av_frame_free(&converter->target);
    av_frame_free(&converter->padded);
    *converter = (AqmFrameConverter){0};
}

/* The old names of full-range formats, which the scaler grumbles about. */
static int without_range(int format) {
    switch (format) {
    case AV_PIX_FMT_YUVJ420P:
        return AV_PIX_FMT_YUV420P;
    case AV_PIX_FMT_YUVJ422P:
        return AV_PIX_FMT_YUV422P;
    case AV_PIX_FMT_YUVJ444P:
        return AV_PIX_FMT_YUV444P;
    case AV_PIX_FMT_YUVJ440P:
        return AV_PIX_FMT_YUV440P;
    case AV_PIX_FMT_YUVJ411P:
        return AV_PIX_FMT_YUV411P;
    default:
        return format;
    }
}

static bool is_gray(const AVPixFmtDescriptor *format) {
    const uint64_t coloured = AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BAYER | AV_PIX_FMT_FLAG_RGB;
    const int alpha = (format->flags & AV_PIX_FMT_FLAG_ALPHA) != 0;
    return !(format->flags & coloured) && format->nb_components - alpha == 1;
}

static enum AVPixelFormat target_format(const AVPixFmtDescriptor *source) {
    const bool deep = source->comp[0].depth > 8;
    if (is_gray(source))
        return deep ? AV_PIX_FMT_GRAY16LE : AV_PIX_FMT_GRAY8;
    return deep ? AV_PIX_FMT_RGB48LE : AV_PIX_FMT_RGB24;
}

/* The scaler takes every gray format as full range, whatever it says of itself. */
static int full_range(const AVFrame *frame, bool gray) {
    if (frame->color_range != AVCOL_RANGE_UNSPECIFIED && !gray)
        return frame->color_range == AVCOL_RANGE_JPEG;
    return gray || without_range(frame->format) != frame->format;
}

/* Position of chroma samples in 1/256 of a luma pixel from the first luma sample; -513 leaves it
 * to the scaler (no subsampling in that direction). */
static void chroma_position(const AVFrame *frame, const AVPixFmtDescriptor *source, int *horizontal,
                            int *vertical) {
    enum AVChromaLocation location = frame->chroma_location;
    if (location == AVCHROMA_LOC_UNSPECIFIED)
        location =
            without_range(frame->format) != frame->format ? AVCHROMA_LOC_CENTER : AVCHROMA_LOC_LEFT;
    const bool centred = location == AVCHROMA_LOC_CENTER || location == AVCHROMA_LOC_TOP ||
                         location == AVCHROMA_LOC_BOTTOM;
    const bool top = location == AVCHROMA_LOC_TOPLEFT || location == AVCHROMA_LOC_TOP;
    const bool bottom = location == AVCHROMA_LOC_BOTTOMLEFT || location == AVCHROMA_LOC_BOTTOM;
    *horizontal = source->log2_chroma_w != 1 ? -513 : centred ? 128 : 0;
    *vertical = source->log2_chroma_h != 1 ? -513 : top ? 0 : bottom ? 256 : 128;
}

/* The scaler stretches the chroma planes over the image: where an odd side is halved, that is a
 * drift of up to half a sample. Such frames are converted with even sides and cut afterwards. */
static bool needs_padding(const AVFrame *frame, const AVPixFmtDescriptor *source) {
    const bool planar = source->flags & AV_PIX_FMT_FLAG_PLANAR;
    return planar && ((source->log2_chroma_w == 1 && frame->width % 2 != 0) ||
                      (source->log2_chroma_h == 1 && frame->height % 2 != 0));
}

/* A frame with its buffer; NULL when memory is out. */
static AVFrame *make_frame(int format, int width, int height) {
    AVFrame *frame = av_frame_alloc();
    if (!frame)
        return NULL;
    frame->format = format;
    frame->width = width;
    frame->height = height;
    if (av_frame_get_buffer(frame, 0) < 0)
        av_frame_free(&frame);
    return frame;
}

/* Copies the frame into one of even sides, repeating the last column and row. */
static void pad(AVFrame *padded, const AVFrame *frame, const AVPixFmtDescriptor *source) {
    const size_t step = (size_t)source->comp[0].step;
    for (int plane = 0; plane < 4 && frame->data[plane]; plane++) {
        const bool is_chroma = plane == 1 || plane == 2;
        const int shift = is_chroma ? source->log2_chroma_h : 0;
        const int rows = -((-frame->height) >> shift), stride = padded->linesize[plane];
        const int bytes = av_image_get_linesize(frame->format, frame->width, plane);
        uint8_t *data = padded->data[plane];
        av_image_copy_plane(data, stride, frame->data[plane], frame->linesize[plane], bytes, rows);
        if (is_chroma)
            continue;
        for (int y = 0; y < rows && padded->width > frame->width; y++) {
            uint8_t *end = data + (ptrdiff_t)y * stride + bytes;
            memcpy(end, end - step, step);
        }
        if (padded->height > frame->height)
            memcpy(data + (ptrdiff_t)rows * stride, data + (ptrdiff_t)(rows - 1) * stride,
                   (size_t)padded->width * step);
    }
}

static struct SwsContext *make_scaler(const int settings[9]) {
    struct SwsContext *scaler = sws_alloc_context();
    if (!scaler)
        return NULL;
    static const char *const names[9] = {
        "srcw", "srch", "src_format", "src_range", "src_h_chr_pos", "src_v_chr_pos", "dst_format"};
    for (int i = 0; i < 7; i++)
        av_opt_set_int(scaler, names[i], settings[i], 0);
    av_opt_set_int(scaler, "dstw", settings[0], 0);
    av_opt_set_int(scaler, "dsth", settings[1], 0);
    av_opt_set_int(scaler, "dst_range", settings[8], 0);
    av_opt_set_int(scaler, "sws_flags", scaler_flags, 0);
    if (sws_init_context(scaler, NULL, NULL) < 0) {
        sws_freeContext(scaler);
        return NULL;
    }
    /* refused where there is no matrix to set (RGB to RGB), which is as well */
    (void)sws_setColorspaceDetails(scaler, sws_getCoefficients(settings[7]), settings[3],
                                   sws_getCoefficients(SWS_CS_DEFAULT), settings[8], 0, 1 << 16,
                                   1 << 16);
    return scaler;
}

/* Scaler and target frame for this kind of frame; the old ones where they still fit. */
static AqmStatus prepare(AqmFrameConverter *converter, const AVFrame *frame,
                         const AVPixFmtDescriptor *source, const char *name, AqmDiag *diag) {
    const bool gray = is_gray(source);
    int horizontal, vertical;
    chroma_position(frame, source, &horizontal, &vertical);
    const bool padded = needs_padding(frame, source);
    const int width = frame->width + (padded ? frame->width % 2 : 0);
    const int height = frame->height + (padded ? frame->height % 2 : 0);
    const int settings[9] = {
        width,      height,   without_range(frame->format), full_range(frame, gray),
        horizontal, vertical, target_format(source),        (int)frame->colorspace,
        gray};
    if (converter->scaler && (converter->padded != NULL) == padded &&
        memcmp(converter->settings, settings, sizeof settings) == 0)
        return AQM_OK;
    aqm_frame_converter_release(converter);
    if (!sws_isSupportedInput(settings[2]))
        return aqm_fail(diag, AQM_ERROR_UNSUPPORTED, "%s: pixel format %s cannot be converted",
                        name, source->name);
    converter->target = make_frame(settings[6], width, height);
    if (padded)
        converter->padded = make_frame(frame->format, width, height);
    if (!converter->target || (padded && !converter->padded))
        return aqm_fail(diag, AQM_ERROR_MEMORY, "%s: out of memory for a frame of %d x %d", name,
                        width, height);
    converter->scaler = make_scaler(settings);
    if (!converter->scaler)
        return aqm_fail(diag, AQM_ERROR_UNSUPPORTED,
                        "%s: a frame of %d x %d in pixel format %s cannot be converted", name,
                        frame->width, frame->height, source->name);
    memcpy(converter->settings, settings, sizeof settings);
    return AQM_OK;
}

/* From the frame into converter->target. */
static bool scale(AqmFrameConverter *converter, const AVFrame *frame,
                  const AVPixFmtDescriptor *source) {
    if (converter->padded)
        pad(converter->padded, frame, source);
    const AVFrame *from = converter->padded ? converter->padded : frame;
    AVFrame *target = converter->target;
    return sws_scale(converter->scaler, (const uint8_t *const *)from->data, from->linesize, 0,
                     target->height, target->data, target->linesize) == target->height;
}

static void copy_rows(const AVFrame *frame, AqmImage *image) {
    for (int y = 0; y < image->height; y++)
        memcpy((char *)image->data + (size_t)y * image->stride,
               frame->data[0] + (ptrdiff_t)y * frame->linesize[0], image->stride);
}

AqmStatus aqm_frame_to_image(AqmFrameConverter *converter, const AVFrame *frame, const char *name,
                             AqmImage **out, AqmDiag *diag) {
    const AVPixFmtDescriptor *source = av_pix_fmt_desc_get(frame->format);
    if (!source || (source->flags & AV_PIX_FMT_FLAG_HWACCEL))
        return aqm_fail(diag, AQM_ERROR_UNSUPPORTED, "%s: unknown pixel format", name);
    const enum AVPixelFormat format = target_format(source);
    const bool deep = format == AV_PIX_FMT_GRAY16LE || format == AV_PIX_FMT_RGB48LE;
    AqmImage *image = NULL;
    AQM_TRY(aqm_image_create(&image, frame->width, frame->height, is_gray(source) ? 1 : 3,
                             deep ? AQM_U16 : AQM_U8, diag));
    AqmStatus status = AQM_OK;
    if (frame->format == (int)format) {
        copy_rows(frame, image);
    } else {
        status = prepare(converter, frame, source, name, diag);
        if (status == AQM_OK && !scale(converter, frame, source))
            status = aqm_fail(diag, AQM_ERROR_UNSUPPORTED,
                              "%s: pixel format %s cannot be converted", name, source->name);
        if (status == AQM_OK)
            copy_rows(converter->target, image);
    }
    if (status != AQM_OK)
        aqm_image_destroy(&image);
    else
        *out = image;
    return status;
}
