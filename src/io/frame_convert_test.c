#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "io/frame_convert.h"

static AVFrame *make_frame(int format, int width, int height) {
    AVFrame *frame = av_frame_alloc();
    assert_non_null(frame);
    frame->format = format;
    frame->width = width;
    frame->height = height;
    assert_int_equal(av_frame_get_buffer(frame, 0), 0);
    return frame;
}

static AqmImage *convert(AqmFrameConverter *converter, const AVFrame *frame) {
    AqmImage *image = NULL;
    AqmDiag diag = {0};
    if (aqm_frame_to_image(converter, frame, "test", &image, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    assert_true(image->width == frame->width && image->height == frame->height);
    return image;
}

/* Y = 128, Cr = 128 and Cb a ramp over the image's own coordinates, sampled where the chroma
 * samples lie; blue must be the ramp again at every pixel. A chroma plane displaced by half a luma
 * pixel is off by slope / 2 * 1.772 = 2.7 levels here. */
static void check_ramp(int width, int height, bool centred, bool down) {
    /* zero at a chroma sample, so that none of them has to be rounded */
    const double slope = 3, zero = centred || down ? 10.5 : 10;
    AVFrame *frame = make_frame(AV_PIX_FMT_YUV420P, width, height);
    frame->color_range = AVCOL_RANGE_JPEG;
    frame->chroma_location = centred ? AVCHROMA_LOC_CENTER : AVCHROMA_LOC_LEFT;
    memset(frame->data[0], 128, (size_t)(frame->linesize[0] * height));
    for (int y = 0; y < (height + 1) / 2; y++)
        for (int x = 0; x < (width + 1) / 2; x++) {
            const double at = down ? 2 * y + 0.5 : 2 * x + (centred ? 0.5 : 0);
            frame->data[1][y * frame->linesize[1] + x] = (uint8_t)lrint(128 + slope * (at - zero));
            frame->data[2][y * frame->linesize[2] + x] = 128;
        }
    AqmFrameConverter converter = {0};
    AqmImage *image = convert(&converter, frame);
    assert_true(image->channels == 3 && image->type == AQM_U8);
    double sum = 0, worst = 0;
    int count = 0;
    for (int y = 3; y < height - 3; y++)
        for (int x = 3; x < width - 3; x++) {
            const int at = down ? y : x;
            const uint8_t *pixel = (const uint8_t *)image->data + (size_t)y * image->stride + 3 * x;
            const double expected = 128 + 1.772 * slope * (at - zero);
            if (expected < 5 || expected > 250)
                continue;
            sum += pixel[2] - expected;
            worst = fmax(worst, fabs(pixel[2] - expected));
            count++;
        }
    assert_true(count > 300);
    if (fabs(sum / count) > 0.5 || worst > 2.2)
        fail_msg("%d x %d, centred %d, down %d: mean %.2f, worst %.2f", width, height, centred,
                 down, sum / count, worst);
    aqm_image_destroy(&image);
    aqm_frame_converter_release(&converter);
    av_frame_free(&frame);
}

static void chroma_lies_where_the_frame_says(void **state) {
    (void)state;
    for (int variant = 0; variant < 16; variant++)
        check_ramp(variant & 1 ? 41 : 42, variant & 2 ? 37 : 36, variant & 4, variant & 8);
}

static int gray_level(int format, int range, int level, int *type) {
    AVFrame *frame = make_frame(format, 16, 16);
    frame->color_range = range;
    const bool deep =
        format != AV_PIX_FMT_YUV420P && format != AV_PIX_FMT_YUVJ420P && format != AV_PIX_FMT_GRAY8;
    for (int plane = 0; plane < 3 && frame->data[plane]; plane++)
        for (int i = 0; i < frame->linesize[plane] * (plane == 0 ? 16 : 8) / (deep ? 2 : 1); i++) {
            const int neutral = deep ? 512 : 128;
            if (deep)
                ((uint16_t *)(void *)frame->data[plane])[i] =
                    (uint16_t)(plane == 0 ? level : neutral);
            else
                frame->data[plane][i] = (uint8_t)(plane == 0 ? level : neutral);
        }
    AqmFrameConverter converter = {0};
    AqmImage *image = convert(&converter, frame);
    *type = (int)image->type;
    const uint8_t *bytes = (const uint8_t *)image->data + 8 * image->stride;
    const int value =
        image->type == AQM_U8 ? bytes[24] : ((const uint16_t *)(const void *)bytes)[8];
    aqm_image_destroy(&image);
    aqm_frame_converter_release(&converter);
    av_frame_free(&frame);
    return value;
}

static void limited_range_is_stretched_and_full_range_kept(void **state) {
    (void)state;
    const int limited = AVCOL_RANGE_MPEG, full = AVCOL_RANGE_JPEG, unsaid = AVCOL_RANGE_UNSPECIFIED;
    int type;
    assert_in_range(gray_level(AV_PIX_FMT_YUV420P, limited, 16, &type), 0, 1);
    assert_int_equal(type, AQM_U8);
    assert_in_range(gray_level(AV_PIX_FMT_YUV420P, limited, 235, &type), 254, 255);
    assert_in_range(gray_level(AV_PIX_FMT_YUV420P, unsaid, 235, &type), 254, 255);
    assert_in_range(gray_level(AV_PIX_FMT_YUV420P, full, 235, &type), 234, 236);
    assert_in_range(gray_level(AV_PIX_FMT_YUVJ420P, unsaid, 16, &type), 15, 17);
    assert_int_equal(gray_level(AV_PIX_FMT_GRAY8, unsaid, 16, &type), 16);
    assert_int_equal(gray_level(AV_PIX_FMT_GRAY8, limited, 235, &type), 235);
    assert_in_range(gray_level(AV_PIX_FMT_YUV420P10LE, limited, 64, &type), 0, 64);
    assert_int_equal(type, AQM_U16);
    assert_in_range(gray_level(AV_PIX_FMT_YUV420P10LE, limited, 940, &type), 65200, 65535);
    assert_in_range(gray_level(AV_PIX_FMT_GRAY10LE, unsaid, 1023, &type), 65400, 65535);
    assert_int_equal(type, AQM_U16);
    assert_int_equal(gray_level(AV_PIX_FMT_GRAY16LE, unsaid, 4660, &type), 4660);
}

/* One converter, frames of changing size and format. */
static void a_converter_follows_what_it_is_given(void **state) {
    (void)state;
    static const int formats[] = {AV_PIX_FMT_YUV420P, AV_PIX_FMT_GBRP, AV_PIX_FMT_RGB24,
                                  AV_PIX_FMT_NV12, AV_PIX_FMT_YUYV422};
    AqmFrameConverter converter = {0};
    for (int i = 0; i < 60; i++) {
        const int width = 30 + i * 7 % 5, height = 20 + i * 11 % 3;
        AVFrame *frame = make_frame(formats[i % 5], width, height);
        for (int plane = 0; plane < 4 && frame->buf[plane]; plane++)
            memset(frame->buf[plane]->data, 128, frame->buf[plane]->size);
        AqmImage *image = convert(&converter, frame);
        const uint8_t *last =
            (const uint8_t *)image->data + (size_t)(height - 1) * image->stride + 3 * (width - 1);
        for (int c = 0; c < 3; c++)
            assert_in_range(last[c], 128, i % 5 == 1 || i % 5 == 2 ? 128 : 132);
        aqm_image_destroy(&image);
        av_frame_free(&frame);
    }
    aqm_frame_converter_release(&converter);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chroma_lies_where_the_frame_says),
        cmocka_unit_test(limited_range_is_stretched_and_full_range_kept),
        cmocka_unit_test(a_converter_follows_what_it_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
