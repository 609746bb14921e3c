#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libavcodec/avcodec.h>
#include <sys/stat.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "io/frame_source.h"
#include "io/io_test_util.h"

/* An image with structure and noise, so that half of it cannot pass for the whole. */
static AqmImage *make_image(int width, int height, int channels, AqmSampleType type,
                            uint64_t seed) {
    AqmImage *image = NULL;
    assert_int_equal(aqm_image_create(&image, width, height, channels, type, NULL), AQM_OK);
    AqmRng rng = aqm_rng(seed, 3);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width * channels; x++) {
            char *row = (char *)image->data + (size_t)y * image->stride;
            if (type == AQM_U8)
                ((uint8_t *)row)[x] = (uint8_t)(x * 3 + y * 5 + (int)(aqm_rng_u32(&rng) % 16));
            else
                ((uint16_t *)(void *)row)[x] = (uint16_t)aqm_rng_u32(&rng);
        }
    return image;
}

static void assert_same_image(const AqmImage *a, const AqmImage *b) {
    assert_true(a->width == b->width && a->height == b->height);
    assert_true(a->channels == b->channels && a->type == b->type);
    const size_t row = (size_t)a->width * (size_t)a->channels * (size_t)a->type;
    for (int y = 0; y < a->height; y++)
        assert_memory_equal((char *)a->data + (size_t)y * a->stride,
                            (char *)b->data + (size_t)y * b->stride, row);
}

static void write_png(const char *path, const AqmImage *image) {
    const AqmImageView view = aqm_image_view(image);
    AqmDiag diag = {0};
    if (aqm_png_write(path, &view, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
}

static void png_files_come_back_bit_for_bit(void **state) {
    char path[PATH_MAX];
    in_folder(path, *state, "a.png");
    static const int sizes[][2] = {{1, 1}, {7, 3}, {64, 48}, {333, 17}};
    for (size_t i = 0; i < 16; i++) {
        AqmImage *image = make_image(sizes[i / 4][0], sizes[i / 4][1], i & 1 ? 3 : 1,
                                     i & 2 ? AQM_U16 : AQM_U8, i);
        AqmImage *again = NULL;
        AqmDiag diag = {0};
        write_png(path, image);
        if (aqm_image_read(path, &again, &diag) != AQM_OK)
            fail_msg("%s", diag.message);
        assert_same_image(image, again);
        aqm_image_destroy(&image);
        aqm_image_destroy(&again);
    }
}

static void assert_unreadable(const char *path, const void *data, size_t size) {
    AqmImage *image = NULL;
    AqmDiag diag = {0};
    write_bytes(path, data, size);
    const AqmStatus status = aqm_image_read(path, &image, &diag);
    if (status != AQM_ERROR_FORMAT)
        fail_msg("%s cut to %zu bytes: status %d", path, size, (int)status);
    assert_null(image);
    assert_non_null(strstr(diag.message, path));
}

/* An image file of 160 x 120 by one of FFmpeg's encoders; freed by the caller. */
static unsigned char *encode(enum AVCodecID id, enum AVPixelFormat format, size_t *size) {
    const AVCodec *codec = avcodec_find_encoder(id);
    AVCodecContext *context = avcodec_alloc_context3(codec);
    AVFrame *frame = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    assert_true(codec && context && frame && packet);
    context->width = frame->width = 160;
    context->height = frame->height = 120;
    context->time_base = (AVRational){1, 25};
    context->pix_fmt = format;
    context->color_range = AVCOL_RANGE_JPEG;
    frame->format = format;
    assert_int_equal(av_frame_get_buffer(frame, 0), 0);
    for (int plane = 0; plane < 3 && frame->data[plane]; plane++)
        for (int i = 0; i < frame->linesize[plane] * (plane == 0 ? 120 : 60); i++)
            frame->data[plane][i] = (uint8_t)(plane == 0 ? (i * 7 + i / 190 * 13) % 256 : 128);
    assert_int_equal(avcodec_open2(context, codec, NULL), 0);
    assert_int_equal(avcodec_send_frame(context, frame), 0);
    assert_int_equal(avcodec_receive_packet(context, packet), 0);
    *size = (size_t)packet->size;
    unsigned char *data = malloc(*size);
    assert_non_null(data);
    memcpy(data, packet->data, *size);
    av_packet_free(&packet);
    av_frame_free(&frame);
    avcodec_free_context(&context);
    return data;
}

/* Some of these end in the middle of the picture, some in the last chunk. */
static void images_cut_off_anywhere_are_errors(void **state) {
    char path[PATH_MAX];
    size_t size;
    AqmImage *image = make_image(120, 90, 3, AQM_U8, 1);
    in_folder(path, *state, "a.png");
    write_png(path, image);
    unsigned char *png = read_bytes(path, &size);
    for (size_t cut = 0; cut < size - 8; cut += cut < 100 || cut > size - 100 ? 1 : 997)
        assert_unreadable(path, png, cut);
    png[size / 2] ^= 0x10; /* one wrong bit in the middle */
    assert_unreadable(path, png, size);
    aqm_image_destroy(&image);
    free(png);

    static const struct {
        const char *name;
        enum AVCodecID codec;
        enum AVPixelFormat format;
    } others[] = {
        {"a.jpg", AV_CODEC_ID_MJPEG, AV_PIX_FMT_YUVJ420P},
        {"a.tif", AV_CODEC_ID_TIFF, AV_PIX_FMT_RGB24},
        {"a.bmp", AV_CODEC_ID_BMP, AV_PIX_FMT_BGR24},
    };
    for (size_t i = 0; i < 3; i++) {
        unsigned char *data = encode(others[i].codec, others[i].format, &size);
        AqmDiag diag = {0};
        write_bytes(in_folder(path, *state, others[i].name), data, size);
        if (aqm_image_read(path, &image, &diag) != AQM_OK)
            fail_msg("%s", diag.message);
        assert_true(image->width == 160 && image->height == 120 && image->channels == 3);
        /* a TIFF may end in values that the picture does not need: then it must be the same */
        for (size_t cut = 0; cut < size; cut += cut < 100 || cut > size - 100 ? 1 : 97) {
            AqmImage *again = NULL;
            write_bytes(path, data, cut);
            if (cut > size - 100 && aqm_image_read(path, &again, NULL) == AQM_OK)
                assert_same_image(image, again);
            else
                assert_unreadable(path, data, cut);
            assert_true(!again || others[i].codec == AV_CODEC_ID_TIFF);
            aqm_image_destroy(&again);
        }
        aqm_image_destroy(&image);
        free(data);
    }
}

static void other_files_and_missing_ones_are_sentences(void **state) {
    char path[PATH_MAX];
    AqmImage *image = NULL;
    AqmDiag diag = {0};
    in_folder(path, *state, "text.png");
    write_bytes(path, "this is no image", 16);
    assert_int_equal(aqm_image_read(path, &image, &diag), AQM_ERROR_FORMAT);
    assert_non_null(strstr(diag.message, "text.png: the file is no PNG"));
    diag = (AqmDiag){0};
    in_folder(path, *state, "none.png");
    assert_int_equal(aqm_image_read(path, &image, &diag), AQM_ERROR_IO);
    assert_non_null(strstr(diag.message, "none.png"));
}

static void names_are_ordered_as_a_person_counts(void **state) {
    (void)state;
    static const char *const ordered[] = {"a",          "img.png",    "img1.png",
                                          "img2.png",   "img02.png",  "img10.png",
                                          "img10b.png", "img100.png", "imh1.png"};
    assert_true(aqm_compare_names("img02.png", "img2.png") < 0); /* the tie, by bytes */
    for (size_t i = 0; i < 9; i++)
        for (size_t j = 0; j < 9; j++) {
            if ((i == 3 && j == 4) || (i == 4 && j == 3))
                continue;
            const int order = aqm_compare_names(ordered[i], ordered[j]);
            assert_true(i < j ? order < 0 : i > j ? order > 0 : order == 0);
        }
    assert_true(aqm_compare_names("f99999999999999999999999", "f100000000000000000000000") < 0);
}

static void a_folder_gives_its_images_in_order(void **state) {
    static const char *const names[] = {"f10.png", "f9.PNG", "f1.png"};
    char path[PATH_MAX];
    for (int i = 0; i < 3; i++) {
        AqmImage *image = make_image(10 + i, 5, 1, AQM_U8, 1);
        write_png(in_folder(path, *state, names[i]), image);
        aqm_image_destroy(&image);
    }
    write_bytes(in_folder(path, *state, "notes.txt"), "x", 1);
    write_bytes(in_folder(path, *state, ".f2.png"), "x", 1);
    assert_int_equal(aqm_make_folders(in_folder(path, *state, "f3.png"), NULL), AQM_OK);
    AqmFrameSource *source = NULL;
    AqmImage *image = NULL;
    AqmDiag diag = {0};
    assert_int_equal(aqm_frame_source_open(&source, *state, &diag), AQM_OK);
    assert_int_equal(aqm_frame_source_count(source), 3);
    assert_false(aqm_frame_source_is_video(source));
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(aqm_frame_source_name(source, i), names[2 - i]);
        assert_int_equal(aqm_frame_source_read(source, i, &image, &diag), AQM_OK);
        assert_int_equal(image->width, 12 - (int)i);
        aqm_image_destroy(&image);
    }
    assert_int_equal(aqm_frame_source_read(source, 3, &image, &diag), AQM_ERROR_ARGUMENT);
    aqm_frame_source_close(&source);
    aqm_frame_source_close(&source);
    /* one image alone */
    in_folder(path, *state, "f9.PNG");
    assert_int_equal(aqm_frame_source_open(&source, path, NULL), AQM_OK);
    assert_int_equal(aqm_frame_source_count(source), 1);
    assert_string_equal(aqm_frame_source_name(source, 0), "f9.PNG");
    assert_int_equal(aqm_frame_source_read(source, 0, &image, NULL), AQM_OK);
    aqm_image_destroy(&image);
    aqm_frame_source_close(&source);
}

static void empty_missing_and_strange_sources_are_sentences(void **state) {
    AqmFrameSource *source = NULL;
    char path[PATH_MAX];
    AqmDiag diag = {0};
    assert_int_equal(aqm_frame_source_open(&source, *state, &diag), AQM_ERROR_NO_DATA);
    assert_non_null(strstr(diag.message, "holds no image"));
    diag = (AqmDiag){0};
    in_folder(path, *state, "none");
    assert_int_equal(aqm_frame_source_open(&source, path, &diag), AQM_ERROR_IO);
    diag = (AqmDiag){0};
    write_bytes(in_folder(path, *state, "a.txt"), "x", 1);
    assert_int_equal(aqm_frame_source_open(&source, path, &diag), AQM_ERROR_FORMAT);
    diag = (AqmDiag){0};
    write_bytes(in_folder(path, *state, "a.mp4"), "no video at all", 15);
    assert_int_equal(aqm_frame_source_open(&source, path, &diag), AQM_ERROR_FORMAT);
    assert_non_null(strstr(diag.message, "a.mp4: cannot be read as a video"));
    assert_null(source);
}

static AqmStatus open_and_read(const char *folder) {
    AqmFrameSource *source = NULL;
    AqmImage *image = NULL;
    AqmStatus status = aqm_frame_source_open(&source, folder, NULL);
    if (status == AQM_OK)
        status = aqm_frame_source_read(source, 0, &image, NULL);
    aqm_image_destroy(&image);
    aqm_frame_source_close(&source);
    return status;
}

static void every_failed_allocation_is_survived(void **state) {
    char path[PATH_MAX];
    AqmImage *image = make_image(20, 10, 3, AQM_U16, 1);
    in_folder(path, *state, "a.png");
    const size_t before = aqm_alloc_count().live_bytes;
    const AqmImageView view = aqm_image_view(image);
    for (int pass = 0; pass < 2; pass++) {
        AqmStatus status = AQM_ERROR_MEMORY;
        size_t n = 1;
        for (; status != AQM_OK; n++) {
            aqm_alloc_fail_from(n);
            status = pass == 0 ? aqm_png_write(path, &view, NULL) : open_and_read(*state);
            aqm_alloc_fail_from(0);
            assert_true(status == AQM_OK || status == AQM_ERROR_MEMORY);
            assert_int_equal(aqm_alloc_count().live_bytes, before);
        }
        assert_true(n > 5);
        assert_int_equal(count_files(*state), 1);
    }
    aqm_image_destroy(&image);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(png_files_come_back_bit_for_bit),
        IN_FOLDER(images_cut_off_anywhere_are_errors),
        IN_FOLDER(other_files_and_missing_ones_are_sentences),
        cmocka_unit_test(names_are_ordered_as_a_person_counts),
        IN_FOLDER(a_folder_gives_its_images_in_order),
        IN_FOLDER(empty_missing_and_strange_sources_are_sentences),
        IN_FOLDER(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
