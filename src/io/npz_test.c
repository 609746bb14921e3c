#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <zip.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "io/io_test_util.h"

static AqmStatus write_sample(const char *path) {
    static const float f32[6] = {1.5f, -2.25f, 3e-30f, 4e30f, 5, 6};
    static const double f64[3] = {0.1, -1e100, 3};
    static const uint8_t u8[8] = {0, 1, 2, 3, 4, 5, 6, 255};
    static const int32_t i32[1] = {-7};
    const AqmNpyArray arrays[] = {{"a", AQM_NPY_F32, 2, {2, 3}, f32},
                                  {"b", AQM_NPY_F64, 1, {3}, f64},
                                  {"c", AQM_NPY_U8, 3, {2, 2, 2}, u8},
                                  {"d", AQM_NPY_I32, 1, {1}, i32},
                                  {"empty", AQM_NPY_F32, 2, {0, 5}, NULL}};
    return aqm_npz_write(path, arrays, 5, NULL);
}

static void arrays_of_every_type_come_back(void **state) {
    char path[PATH_MAX];
    in_folder(path, *state, "a.npz");
    assert_int_equal(write_sample(path), AQM_OK);
    float *data = NULL;
    size_t shape[3];
    int dimensions;
    AqmDiag diag = {0};
    if (aqm_npz_read(path, "a", &data, shape, &dimensions, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    assert_true(dimensions == 2 && shape[0] == 2 && shape[1] == 3);
    assert_true(data[0] == 1.5f && data[1] == -2.25f && data[2] == 3e-30f && data[5] == 6);
    aqm_free_buffer(data);
    assert_int_equal(aqm_npz_read(path, "b", &data, shape, &dimensions, NULL), AQM_OK);
    assert_true(dimensions == 1 && shape[0] == 3 && data[0] == 0.1f && isinf(data[1]));
    aqm_free_buffer(data);
    assert_int_equal(aqm_npz_read(path, "c", &data, shape, &dimensions, NULL), AQM_OK);
    assert_true(dimensions == 3 && shape[2] == 2 && data[7] == 255);
    aqm_free_buffer(data);
    assert_int_equal(aqm_npz_read(path, "d", &data, shape, &dimensions, NULL), AQM_OK);
    assert_true(data[0] == -7);
    aqm_free_buffer(data);
    if (aqm_npz_read(path, "empty", &data, shape, &dimensions, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    assert_true(dimensions == 2 && shape[0] == 0 && shape[1] == 5);
    aqm_free_buffer(data);
    assert_int_equal(aqm_npz_read(path, "z", &data, shape, &dimensions, &diag), AQM_ERROR_FORMAT);
    assert_non_null(strstr(diag.message, "a.npz holds no array \"z\""));
}

static void the_same_arrays_give_the_same_bytes(void **state) {
    char a[PATH_MAX], b[PATH_MAX];
    size_t size_a, size_b;
    assert_int_equal(write_sample(in_folder(a, *state, "a.npz")), AQM_OK);
    assert_int_equal(setenv("TZ", "Asia/Tokyo", 1), 0);
    assert_int_equal(write_sample(in_folder(b, *state, "b.npz")), AQM_OK);
    unsigned char *bytes_a = read_bytes(a, &size_a), *bytes_b = read_bytes(b, &size_b);
    assert_int_equal(size_a, size_b);
    assert_memory_equal(bytes_a, bytes_b, size_a);
    free(bytes_a);
    free(bytes_b);
}

static void depth_maps_come_back_with_their_holes(void **state) {
    char path[PATH_MAX];
    AqmDepthMap *map = NULL, *again = NULL;
    in_folder(path, *state, "d.npz");
    assert_int_equal(aqm_depth_map_create(&map, 311, 97, NULL), AQM_OK);
    AqmRng rng = aqm_rng(4, 4);
    for (size_t i = 0; i < 311 * 97; i++)
        if (aqm_rng_uniform(&rng) < 0.7) {
            map->depth_m[i] = (float)aqm_rng_uniform(&rng);
            map->confidence[i] = (float)aqm_rng_uniform(&rng);
        }
    AqmDiag diag = {0};
    assert_int_equal(aqm_depth_map_write(path, map, &diag), AQM_OK);
    if (aqm_depth_map_read(path, &again, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    assert_true(again->width == 311 && again->height == 97);
    assert_memory_equal(map->depth_m, again->depth_m, 311 * 97 * sizeof(float));
    assert_memory_equal(map->confidence, again->confidence, 311 * 97 * sizeof(float));
    aqm_depth_map_destroy(&again);
    /* depth alone, as ground truth has it: certain where it is known */
    const AqmNpyArray depth = {"depth", AQM_NPY_F32, 2, {97, 311}, map->depth_m};
    assert_int_equal(aqm_npz_write(path, &depth, 1, NULL), AQM_OK);
    assert_int_equal(aqm_depth_map_read(path, &again, &diag), AQM_OK);
    for (size_t i = 0; i < 311 * 97; i++)
        assert_true(again->confidence[i] == (isnan(map->depth_m[i]) ? 0 : 1));
    aqm_depth_map_destroy(&again);
    /* shapes that do not fit */
    const AqmNpyArray odd[2] = {depth, {"confidence", AQM_NPY_F32, 2, {311, 97}, map->confidence}};
    assert_int_equal(aqm_npz_write(path, odd, 2, NULL), AQM_OK);
    assert_int_equal(aqm_depth_map_read(path, &again, &diag), AQM_ERROR_FORMAT);
    assert_non_null(strstr(diag.message, "depth is 97 x 311 but confidence 311 x 97"));
    const AqmNpyArray flat = {"depth", AQM_NPY_F32, 1, {10}, map->depth_m};
    assert_int_equal(aqm_npz_write(path, &flat, 1, NULL), AQM_OK);
    assert_int_equal(aqm_depth_map_read(path, &again, NULL), AQM_ERROR_FORMAT);
    aqm_depth_map_destroy(&map);
}

/* An archive with one stored member of these bytes, by libzip: not by what is tested. */
static void write_zip(const char *path, const char *member, const void *data, size_t size) {
    unlink(path);
    zip_t *archive = zip_open(path, ZIP_CREATE, NULL);
    assert_non_null(archive);
    zip_source_t *source = zip_source_buffer(archive, data, size, 0);
    assert_true(zip_file_add(archive, member, source, 0) >= 0);
    assert_int_equal(zip_close(archive), 0);
}

/* A .npy with this dictionary and `size` bytes of data, each 1. */
static AqmStatus read_made(const char *folder, const char *dictionary, size_t size, AqmDiag *diag) {
    unsigned char bytes[1024];
    char path[PATH_MAX];
    const size_t length = strlen(dictionary);
    memcpy(bytes, "\x93NUMPY\x01\x00", 8);
    bytes[8] = (unsigned char)length;
    bytes[9] = 0;
    memcpy(bytes + 10, dictionary, length);
    memset(bytes + 10 + length, 1, size);
    write_zip(in_folder(path, folder, "made.npz"), "x.npy", bytes, 10 + length + size);
    float *data = NULL;
    size_t shape[3];
    int dimensions;
    const AqmStatus status = aqm_npz_read(path, "x", &data, shape, &dimensions, diag);
    aqm_free_buffer(data);
    return status;
}

static void what_cannot_be_read_says_why(void **state) {
    static const struct {
        const char *dictionary, *says;
        size_t size;
    } cases[] = {
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }\n", "Fortran", 8},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }\n", "its type", 8},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (2,), }\n", "its type", 16},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (), }\n", "its shape", 4},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1, 1), }\n", "its shape", 4},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }\n", "its shape", 8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }\n", "size of its data", 8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n", "size of its data", 8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }\n",
         "its shape", 8},
        {"{'descr': '<f4', 'fortran_order': False}\n", "its shape", 8},
        {"{}\n", "its type", 0},
    };
    AqmDiag diag = {0};
    if (read_made(*state, "{'descr': '<f2', 'fortran_order': False, 'shape': (2, 1), }\n", 4,
                  &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    assert_int_equal(
        read_made(*state, "{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }\n", 2, NULL),
        AQM_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        diag = (AqmDiag){0};
        const AqmStatus status = read_made(*state, cases[i].dictionary, cases[i].size, &diag);
        if (status != AQM_ERROR_FORMAT || !strstr(diag.message, cases[i].says))
            fail_msg("%s: status %d, \"%s\"", cases[i].dictionary, (int)status, diag.message);
    }
    AqmDepthMap *map = NULL;
    char path[PATH_MAX];
    in_folder(path, *state, "none.npz");
    assert_int_equal(aqm_depth_map_read(path, &map, NULL), AQM_ERROR_IO);
    write_bytes(in_folder(path, *state, "text.npz"), "no archive at all", 17);
    assert_int_equal(aqm_depth_map_read(path, &map, NULL), AQM_ERROR_FORMAT);
}

static void half_floats_are_exact(void **state) {
    char path[PATH_MAX];
    static const uint16_t halves[] = {0x0000, 0x3c00, 0xc000, 0x7bff,
                                      0x0001, 0x0400, 0x7c00, 0x3555};
    static const float expected[] = {0,        1,        -2,       65504,
                                     0x1p-24f, 0x1p-14f, INFINITY, 0.333251953125f};
    static const char dictionary[] =
        "\x93NUMPY\x01\x00\x3b\x00{'descr': '<f2', 'fortran_order': False, 'shape': (8,), }\n ";
    unsigned char bytes[sizeof dictionary - 1 + sizeof halves];
    memcpy(bytes, dictionary, sizeof dictionary - 1);
    bytes[8] = (unsigned char)(sizeof dictionary - 1 - 10);
    memcpy(bytes + sizeof dictionary - 1, halves, sizeof halves);
    write_zip(in_folder(path, *state, "h.npz"), "x.npy", bytes, sizeof bytes);
    float *data = NULL;
    size_t shape[3];
    int dimensions;
    AqmDiag diag = {0};
    if (aqm_npz_read(path, "x", &data, shape, &dimensions, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    for (int i = 0; i < 8; i++)
        assert_true(data[i] == expected[i]);
    aqm_free_buffer(data);
}

static void arrays_of_numpy_are_read(void **state) {
    (void)state;
    char path[PATH_MAX];
    AqmDepthMap *map = NULL;
    AqmDiag diag = {0};
    shared_path(path, "data/rendered/r5-board/gt/frame_000000/cam00_depth_raw.npz");
    if (aqm_depth_map_read(path, &map, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    assert_true(map->width == 640 && map->height == 480);
    aqm_depth_map_destroy(&map);
}

static void damaged_files_never_crash(void **state) {
    char path[PATH_MAX];
    size_t size;
    in_folder(path, *state, "a.npz");
    assert_int_equal(write_sample(path), AQM_OK);
    unsigned char *good = read_bytes(path, &size), *bad = malloc(2 * size);
    assert_non_null(bad);
    AqmRng rng = aqm_rng(2, 2);
    const size_t before = aqm_alloc_count().live_bytes;
    int refused = 0;
    for (int i = 0; i < 2000; i++) {
        write_bytes(path, bad, damage(good, size, &rng, bad));
        float *data = NULL;
        size_t shape[3];
        int dimensions;
        AqmDiag diag = {0};
        const AqmStatus status =
            aqm_npz_read(path, i & 1 ? "a" : "c", &data, shape, &dimensions, &diag);
        assert_true((status == AQM_OK) == (data != NULL));
        assert_true((status == AQM_OK) == (diag.message[0] == '\0'));
        refused += status != AQM_OK;
        aqm_free_buffer(data);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
    }
    assert_true(refused > 500);
    free(good);
    free(bad);
}

static AqmStatus read_map(const char *path) {
    AqmDepthMap *map = NULL;
    const AqmStatus status = aqm_depth_map_read(path, &map, NULL);
    aqm_depth_map_destroy(&map);
    return status;
}

static void every_failed_allocation_is_survived(void **state) {
    char path[PATH_MAX];
    AqmDepthMap *map = NULL;
    in_folder(path, *state, "d.npz");
    assert_int_equal(aqm_depth_map_create(&map, 30, 20, NULL), AQM_OK);
    const size_t before = aqm_alloc_count().live_bytes;
    for (int pass = 0; pass < 2; pass++) {
        AqmStatus status = AQM_ERROR_MEMORY;
        size_t n = 1;
        for (; status != AQM_OK; n++) {
            aqm_alloc_fail_from(n);
            status = pass == 0 ? aqm_depth_map_write(path, map, NULL) : read_map(path);
            aqm_alloc_fail_from(0);
            assert_true(status == AQM_OK || status == AQM_ERROR_MEMORY);
            assert_int_equal(aqm_alloc_count().live_bytes, before);
            assert_true(count_files(*state) <= 1);
        }
        assert_true(n > 5);
    }
    aqm_depth_map_destroy(&map);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(arrays_of_every_type_come_back),
        IN_FOLDER(the_same_arrays_give_the_same_bytes),
        IN_FOLDER(depth_maps_come_back_with_their_holes),
        IN_FOLDER(what_cannot_be_read_says_why),
        IN_FOLDER(half_floats_are_exact),
        cmocka_unit_test(arrays_of_numpy_are_read),
        IN_FOLDER(damaged_files_never_crash),
        IN_FOLDER(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
