/* Which changes of the input a digest sees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pipeline/input_digest.h"
#include "pipeline/pipeline_test_util.h"

/* The digest of frame 0 of a scene with the masks in {folder}/masks. */
static void digest_of(const char *folder, const char *scene, char digest[17]) {
    char masks[PATH_MAX];
    AqmConfig *config = scene_config(folder, scene, "output");
    AqmInputs *inputs = NULL;
    AqmInputDigest common;
    assert_int_equal(aqm_config_set(config, "mask_dir", in_folder(masks, folder, "masks"), NULL),
                     AQM_OK);
    assert_int_equal(aqm_inputs_open(&inputs, config, NULL, NULL), AQM_OK);
    assert_int_equal(aqm_input_digest_create(&common, config, inputs, NULL), AQM_OK);
    aqm_input_digest_frame(&common, inputs, 0, digest);
    aqm_input_digest_destroy(&common);
    aqm_inputs_close(&inputs);
    aqm_config_destroy(&config);
}

static void append(const char *folder, const char *name, const char *text) {
    char path[PATH_MAX];
    FILE *file = fopen(in_folder(path, folder, name), "ab");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void contents_count_and_places_do_not(void **state) {
    const char *folder = *state;
    char masks[PATH_MAX], path[PATH_MAX], first[17], copy[17], now[17], before[17];
    write_scene(folder, "one", AQM_RIG_PAIR, 2);
    write_scene(folder, "two", AQM_RIG_PAIR, 2);
    assert_int_equal(aqm_make_folders(in_folder(masks, folder, "masks"), NULL), AQM_OK);
    digest_of(folder, "one", first);
    assert_int_equal(strlen(first), 16);
    digest_of(folder, "two", copy);
    assert_string_equal(first, copy);
    /* another frame's image is nobody's business */
    append(folder, "one/images/cam01/frame_000001.png", "x");
    digest_of(folder, "one", now);
    assert_string_equal(now, first);
    append(folder, "one/images/cam01/frame_000000.png", "x");
    digest_of(folder, "one", now);
    assert_string_not_equal(now, first);
    append(folder, "two/calibration.json", "\n");
    digest_of(folder, "two", now);
    assert_string_not_equal(now, first);
    /* a mask */
    memcpy(before, now, sizeof before);
    uint8_t pixels[64 * 48];
    memset(pixels, 255, sizeof pixels);
    const AqmImageView mask = {
        .data = pixels, .width = 64, .height = 48, .stride = 64, .channels = 1, .type = AQM_U8};
    assert_int_equal(aqm_png_write(in_folder(path, masks, "cam00.png"), &mask, NULL), AQM_OK);
    digest_of(folder, "two", now);
    assert_string_not_equal(now, before);
    memcpy(before, now, sizeof before);
    pixels[0] = 0;
    assert_int_equal(aqm_png_write(path, &mask, NULL), AQM_OK);
    digest_of(folder, "two", now);
    assert_string_not_equal(now, before);
}

/* Of large files the ends are read, and the size. */
static void the_end_of_a_large_file_counts(void **state) {
    const char *folder = *state;
    enum { SIZE = 200000 };
    static unsigned char bytes[SIZE];
    char path[PATH_MAX], digest[4][17];
    write_scene(folder, "one", AQM_RIG_PAIR, 1);
    assert_int_equal(aqm_make_folders(in_folder(path, folder, "masks"), NULL), AQM_OK);
    in_folder(path, folder, "one/images/cam01/frame_000000.png");
    for (int k = 0; k < 4; k++) {
        memset(bytes, 7, SIZE);
        if (k == 1)
            bytes[SIZE - 1] = 8;
        if (k == 2)
            bytes[65535] = 8;
        write_bytes(path, bytes, SIZE - (size_t)(k == 3));
        digest_of(folder, "one", digest[k]);
        for (int j = 0; j < k; j++)
            assert_string_not_equal(digest[j], digest[k]);
    }
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(contents_count_and_places_do_not),
        IN_FOLDER(the_end_of_a_large_file_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
