#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "io/io_test_util.h"
#include "io/video_write.h"

enum { BLOCK = 16, BITS = 8, WIDTH = BLOCK * BITS, HEIGHT = 64, FRAMES = 61 };

/* A frame that says its number: a row of black and white blocks, its bits, over a moving pattern
 * that gives the encoder something to predict. */
static void draw(AqmImage *image, int number) {
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            const int bit = number >> (x / BLOCK) & 1;
            const int value = y < BLOCK ? (bit ? 220 : 30) : (x * 3 + y * 2 + number * 4) & 255;
            for (int c = 0; c < image->channels; c++) {
                const int at = x * image->channels + c;
                char *row = (char *)image->data + (size_t)y * image->stride;
                if (image->type == AQM_U8)
                    ((uint8_t *)row)[at] = (uint8_t)(value ^ (c && y >= BLOCK ? 64 : 0));
                else
                    ((uint16_t *)(void *)row)[at] = (uint16_t)(value * 257 + c * (x & 15));
            }
        }
}

static int number_in(const AqmImage *image) {
    int number = 0;
    assert_true(image->width == WIDTH && image->height == HEIGHT && image->type == AQM_U8);
    for (int bit = 0; bit < BITS; bit++) {
        int sum = 0;
        for (int y = 4; y < BLOCK - 4; y++)
            for (int x = bit * BLOCK + 4; x < bit * BLOCK + BLOCK - 4; x++)
                sum += ((const uint8_t *)
                            image->data)[(size_t)y * image->stride + (size_t)(x * image->channels)];
        number |= (sum > 125 * 64) << bit;
    }
    return number;
}

static void write_video(const char *path, int frames, int channels, AqmSampleType type,
                        AqmVideoSettings settings) {
    AqmVideoWriter *writer = NULL;
    AqmImage *image = NULL;
    AqmDiag diag = {0};
    AqmStatus status =
        aqm_video_writer_open_with(&writer, path, WIDTH, HEIGHT, 29.97, &settings, &diag);
    assert_int_equal(aqm_image_create(&image, WIDTH, HEIGHT, channels, type, NULL), AQM_OK);
    const AqmImageView view = aqm_image_view(image);
    for (int i = 0; status == AQM_OK && i < frames; i++) {
        draw(image, i);
        status = aqm_video_writer_add(writer, &view, &diag);
    }
    if (status == AQM_OK)
        status = aqm_video_writer_close(&writer, &diag);
    if (status != AQM_OK)
        fail_msg("%s", diag.message);
    aqm_image_destroy(&image);
}

static void assert_frame(AqmFrameSource *source, size_t index) {
    AqmImage *image = NULL;
    AqmDiag diag = {0};
    if (aqm_frame_source_read(source, index, &image, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    assert_int_equal(number_in(image), index);
    aqm_image_destroy(&image);
}

static AqmFrameSource *open_video(const char *path) {
    AqmFrameSource *source = NULL;
    AqmDiag diag = {0};
    if (aqm_frame_source_open(&source, path, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    assert_true(aqm_frame_source_is_video(source));
    assert_string_equal(aqm_frame_source_name(source, 0), "");
    return source;
}

/* Forward, backward, in steps, at random: every frame is the one asked for. */
static void assert_every_frame(const char *path) {
    AqmFrameSource *source = open_video(path);
    assert_int_equal(aqm_frame_source_count(source), FRAMES);
    for (size_t i = 0; i < FRAMES; i++)
        assert_frame(source, i);
    for (size_t i = FRAMES; i > 0; i--)
        assert_frame(source, i - 1);
    for (size_t i = 0; i < FRAMES; i += 7)
        assert_frame(source, i);
    AqmRng rng = aqm_rng(7, 7);
    for (int i = 0; i < 150; i++)
        assert_frame(source, aqm_rng_u32(&rng) % FRAMES);
    aqm_frame_source_close(&source);
}

static void every_frame_is_the_one_asked_for(void **state) {
    static const struct {
        const char *name;
        int channels;
        AqmVideoSettings settings;
    } cases[] = {
        {"ffv1.mkv", 3, {12, 0}},       {"gray.mkv", 1, {1, 0}},   {"plain.avi", 3, {12, 0}},
        {"bframes.avi", 3, {12, 2}},    {"plain.mp4", 1, {12, 0}}, {"bframes.mp4", 3, {10, 2}},
        {"one_group.avi", 3, {600, 2}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[PATH_MAX];
        in_folder(path, *state, cases[i].name);
        write_video(path, FRAMES, cases[i].channels, AQM_U8, cases[i].settings);
        assert_every_frame(path);
    }
}

static void lossless_video_comes_back_bit_for_bit(void **state) {
    char path[PATH_MAX];
    in_folder(path, *state, "a.mkv");
    for (int kind = 0; kind < 4; kind++) {
        const int channels = kind & 1 ? 3 : 1;
        const AqmSampleType type = kind & 2 ? AQM_U16 : AQM_U8;
        write_video(path, 5, channels, type, (AqmVideoSettings){12, 0});
        AqmFrameSource *source = open_video(path);
        AqmImage *expected = NULL, *image = NULL;
        assert_int_equal(aqm_image_create(&expected, WIDTH, HEIGHT, channels, type, NULL), AQM_OK);
        assert_int_equal(aqm_frame_source_count(source), 5);
        for (int i = 4; i >= 0; i--) {
            AqmDiag diag = {0};
            if (aqm_frame_source_read(source, (size_t)i, &image, &diag) != AQM_OK)
                fail_msg("%s", diag.message);
            draw(expected, i);
            assert_true(image->channels == channels && image->type == type);
            assert_memory_equal(image->data, expected->data, expected->stride * HEIGHT);
            aqm_image_destroy(&image);
        }
        aqm_image_destroy(&expected);
        aqm_frame_source_close(&source);
    }
}

static void the_same_frames_give_the_same_bytes(void **state) {
    static const char *const names[] = {"a.mkv", "a.avi", "a.mp4"};
    char path[PATH_MAX];
    for (int i = 0; i < 3; i++) {
        size_t size[2];
        unsigned char *bytes[2];
        in_folder(path, *state, names[i]);
        for (int pass = 0; pass < 2; pass++) {
            write_video(path, 15, 3, AQM_U8, (AqmVideoSettings){12, 0});
            bytes[pass] = read_bytes(path, &size[pass]);
        }
        assert_int_equal(size[0], size[1]);
        assert_memory_equal(bytes[0], bytes[1], size[0]);
        free(bytes[0]);
        free(bytes[1]);
    }
}

/* What of a video decodes after its file was cut: right frames first, then only errors. */
static void assert_cut(const char *path, const unsigned char *bytes, size_t size) {
    write_bytes(path, bytes, size);
    AqmFrameSource *source = NULL;
    AqmDiag diag = {0};
    const AqmStatus opened = aqm_frame_source_open(&source, path, &diag);
    if (opened != AQM_OK) {
        assert_true(opened == AQM_ERROR_FORMAT || opened == AQM_ERROR_NO_DATA);
        assert_non_null(strstr(diag.message, path));
        return;
    }
    const size_t count = aqm_frame_source_count(source);
    size_t good = 0;
    assert_true(count <= FRAMES);
    for (size_t i = 0; i < count; i++) {
        AqmImage *image = NULL;
        diag = (AqmDiag){0};
        const AqmStatus status = aqm_frame_source_read(source, i, &image, &diag);
        if (status == AQM_OK) {
            assert_int_equal(number_in(image), i);
            good++;
        } else {
            assert_int_equal(status, AQM_ERROR_FORMAT);
            assert_non_null(strstr(diag.message, path));
            assert_non_null(strstr(diag.message, "frame "));
        }
        aqm_image_destroy(&image);
    }
    assert_true(good + 2 >= count);
    assert_true((good + 8) * FRAMES >= size / 1000); /* some are read at all */
    aqm_frame_source_close(&source);
}

static void a_video_that_ends_early_gives_what_it_has(void **state) {
    static const char *const names[] = {"a.mkv", "a.avi", "b.avi"};
    char path[PATH_MAX];
    for (int i = 0; i < 3; i++) {
        size_t size;
        in_folder(path, *state, names[i]);
        write_video(path, FRAMES, 3, AQM_U8, (AqmVideoSettings){12, i == 2 ? 2 : 0});
        unsigned char *bytes = read_bytes(path, &size);
        for (size_t part = 1; part < 10; part++)
            assert_cut(path, bytes, size * part / 10 + 3);
        free(bytes);
    }
}

static void damage_within_a_video_is_never_a_wrong_picture(void **state) {
    char path[PATH_MAX];
    size_t size;
    in_folder(path, *state, "a.mkv");
    write_video(path, 20, 1, AQM_U16, (AqmVideoSettings){5, 0});
    unsigned char *bytes = read_bytes(path, &size);
    AqmImage *expected = NULL;
    assert_int_equal(aqm_image_create(&expected, WIDTH, HEIGHT, 1, AQM_U16, NULL), AQM_OK);
    AqmRng rng = aqm_rng(8, 8);
    int errors = 0, right = 0;
    for (int i = 0; i < 40; i++) {
        const size_t at = size / 4 + aqm_rng_u32(&rng) % (size / 2);
        bytes[at] ^= 0x55;
        write_bytes(path, bytes, size);
        bytes[at] ^= 0x55;
        AqmFrameSource *source = NULL;
        if (aqm_frame_source_open(&source, path, NULL) != AQM_OK)
            continue;
        for (size_t frame = 0; frame < aqm_frame_source_count(source); frame++) {
            AqmImage *image = NULL;
            if (aqm_frame_source_read(source, frame, &image, NULL) != AQM_OK) {
                errors++;
                continue;
            }
            /* damage to the container may lose frames or change their order, so look for it */
            int number = 0;
            for (draw(expected, number);
                 number < 20 && memcmp(expected->data, image->data, expected->stride * HEIGHT) != 0;
                 draw(expected, number))
                number++;
            assert_true(number < 20);
            right++;
            aqm_image_destroy(&image);
        }
        aqm_frame_source_close(&source);
    }
    assert_true(errors > 20 && right > 400);
    aqm_image_destroy(&expected);
    free(bytes);
}

static void what_cannot_be_written_is_a_sentence_and_leaves_no_file(void **state) {
    char path[PATH_MAX];
    AqmVideoWriter *writer = NULL;
    AqmDiag diag = {0};
    in_folder(path, *state, "a.mov");
    assert_int_equal(aqm_video_writer_open(&writer, path, 64, 64, 25, &diag), AQM_ERROR_ARGUMENT);
    in_folder(path, *state, "a.avi");
    assert_int_equal(aqm_video_writer_open(&writer, path, 64, 64, 0, NULL), AQM_ERROR_ARGUMENT);
    assert_int_equal(aqm_video_writer_open(&writer, path, 9000, 64, 25, NULL), AQM_ERROR_ARGUMENT);
    /* no frame */
    assert_int_equal(aqm_video_writer_open(&writer, path, 64, 64, 25, NULL), AQM_OK);
    diag = (AqmDiag){0};
    assert_int_equal(aqm_video_writer_close(&writer, &diag), AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "at least one frame"));
    assert_null(writer);
    /* a frame of another size */
    AqmImage *image = NULL;
    assert_int_equal(aqm_image_create(&image, 32, 64, 1, AQM_U8, NULL), AQM_OK);
    const AqmImageView view = aqm_image_view(image);
    assert_int_equal(aqm_video_writer_open(&writer, path, 64, 64, 25, NULL), AQM_OK);
    diag = (AqmDiag){0};
    assert_int_equal(aqm_video_writer_add(writer, &view, &diag), AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "32 x 64"));
    assert_int_not_equal(aqm_video_writer_close(&writer, NULL), AQM_OK);
    aqm_image_destroy(&image);
    in_folder(path, *state, "none/a.avi");
    diag = (AqmDiag){0};
    assert_int_equal(aqm_video_writer_open(&writer, path, 64, 64, 25, &diag), AQM_ERROR_IO);
    assert_int_equal(count_files(*state), 0);
}

static AqmStatus read_one(const char *path) {
    AqmFrameSource *source = NULL;
    AqmImage *image = NULL;
    AqmStatus status = aqm_frame_source_open(&source, path, NULL);
    if (status == AQM_OK)
        status = aqm_frame_source_read(source, 20, &image, NULL);
    aqm_image_destroy(&image);
    aqm_frame_source_close(&source);
    return status;
}

static void every_failed_allocation_is_survived(void **state) {
    char path[PATH_MAX];
    in_folder(path, *state, "a.avi");
    write_video(path, FRAMES, 3, AQM_U8, (AqmVideoSettings){12, 2});
    const size_t before = aqm_alloc_count().live_bytes;
    AqmStatus status = AQM_ERROR_MEMORY;
    size_t n = 1;
    for (; status != AQM_OK; n++) {
        aqm_alloc_fail_from(n);
        status = read_one(path);
        aqm_alloc_fail_from(0);
        assert_true(status == AQM_OK || status == AQM_ERROR_MEMORY);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
    }
    assert_true(n > 8);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(every_frame_is_the_one_asked_for),
        IN_FOLDER(lossless_video_comes_back_bit_for_bit),
        IN_FOLDER(the_same_frames_give_the_same_bytes),
        IN_FOLDER(a_video_that_ends_early_gives_what_it_has),
        IN_FOLDER(damage_within_a_video_is_never_a_wrong_picture),
        IN_FOLDER(what_cannot_be_written_is_a_sentence_and_leaves_no_file),
        IN_FOLDER(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
