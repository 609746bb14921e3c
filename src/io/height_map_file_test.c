#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <tiffio.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "io/io_test_util.h"
#include "io/npz_read.h"

static AqmHeightMap *make_map(int columns, int rows, int first_column, int first_row, double step) {
    AqmHeightMap *map = NULL;
    assert_int_equal(aqm_height_map_create(&map, columns, rows, NULL), AQM_OK);
    map->first_column = first_column;
    map->first_row = first_row;
    map->step_m = step;
    AqmRng rng = aqm_rng(9, 9);
    for (int i = 0; i < columns * rows; i++)
        if (i % 7 != 3) {
            map->z_m[i] = (float)aqm_rng_uniform(&rng);
            map->sigma_m[i] = (float)aqm_rng_uniform(&rng);
        }
    return map;
}

static size_t node_count(const AqmHeightMap *map) {
    return (size_t)map->columns * (size_t)map->rows;
}

static void maps_come_back_to_the_bit(void **state) {
    static const double steps[] = {0.002, 0.001, 1.0 / 3, 0.0123456789};
    static const int sizes[][2] = {{1, 1}, {1, 9}, {200, 1}, {131, 97}};
    char path[PATH_MAX];
    in_folder(path, *state, "h.npz");
    for (int i = 0; i < 16; i++) {
        AqmHeightMap *again = NULL, *map = make_map(sizes[i % 4][0], sizes[i % 4][1], -71 + 13 * i,
                                                    1000003 * (i % 3 - 1), steps[i / 4]);
        AqmDiag diag = {0};
        if (aqm_height_map_write(path, map, NULL, &diag) != AQM_OK ||
            aqm_height_map_read(path, &again, &diag) != AQM_OK)
            fail_msg("%s", diag.message);
        assert_true(again->columns == map->columns && again->rows == map->rows);
        assert_true(again->first_column == map->first_column);
        assert_true(again->first_row == map->first_row);
        assert_true(again->step_m == map->step_m);
        assert_memory_equal(again->z_m, map->z_m, node_count(map) * sizeof(float));
        assert_memory_equal(again->sigma_m, map->sigma_m, node_count(map) * sizeof(float));
        aqm_height_map_destroy(&map);
        aqm_height_map_destroy(&again);
    }
}

static void the_arrays_are_those_of_the_header(void **state) {
    static const double turn[9] = {0, -1, 0, 1, 0, 0, 0, 0, 1};
    char path[PATH_MAX];
    AqmHeightMap *map = make_map(3, 2, -1, 5, 0.002);
    in_folder(path, *state, "h.npz");
    assert_int_equal(aqm_height_map_write(path, map, turn, NULL), AQM_OK);
    double *data = NULL;
    size_t shape[3];
    int dimensions;
    assert_int_equal(aqm_npz_read_double(path, "x", &data, shape, &dimensions, NULL), AQM_OK);
    assert_true(dimensions == 1 && shape[0] == 3);
    assert_true(data[0] == -0.002 && data[1] == 0 && data[2] == 0.002);
    aqm_free(data);
    assert_int_equal(aqm_npz_read_double(path, "y", &data, shape, &dimensions, NULL), AQM_OK);
    assert_true(shape[0] == 2 && data[0] == 5 * 0.002 && data[1] == 6 * 0.002);
    aqm_free(data);
    assert_int_equal(aqm_npz_read_double(path, "world_from_rig", &data, shape, &dimensions, NULL),
                     AQM_OK);
    assert_true(dimensions == 2 && shape[0] == 3 && shape[1] == 3);
    assert_memory_equal(data, turn, sizeof turn);
    aqm_free(data);
    aqm_height_map_destroy(&map);
}

/* A file of somebody else's: z, x and y alone. */
static AqmStatus read_foreign(const char *folder, const double *x, size_t columns, const double *y,
                              size_t rows, AqmHeightMap **out, AqmDiag *diag) {
    static const float z[6] = {1, 2, 3, 4, 5, 6};
    char path[PATH_MAX];
    const AqmNpyArray arrays[3] = {{"z", AQM_NPY_F32, 2, {rows, columns}, z},
                                   {"x", AQM_NPY_F64, 1, {columns}, x},
                                   {"y", AQM_NPY_F64, 1, {rows}, y}};
    in_folder(path, folder, "f.npz");
    assert_int_equal(aqm_npz_write(path, arrays, 3, NULL), AQM_OK);
    return aqm_height_map_read(path, out, diag);
}

static void files_of_nodes_alone_are_read(void **state) {
    AqmHeightMap *map = NULL;
    AqmDiag diag = {0};
    const double x[3] = {99 * 0.002, 100 * 0.002, 101 * 0.002}, y[2] = {-0.002, 0};
    if (read_foreign(*state, x, 3, y, 2, &map, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    assert_true(map->first_column == 99 && map->first_row == -1);
    assert_true(fabs(map->step_m - 0.002) < 1e-17);
    assert_true(map->z_m[5] == 6 && isnan(map->sigma_m[5]));
    aqm_height_map_destroy(&map);
    /* one column: the rows tell; stored as float once */
    const double one = (double)0.3f, rows[3] = {(double)0.1f, (double)0.2f, (double)0.3f};
    assert_int_equal(read_foreign(*state, &one, 1, rows, 3, &map, NULL), AQM_OK);
    assert_true(map->first_column == 3 && map->first_row == 1 && fabs(map->step_m - 0.1) < 1e-8);
    aqm_height_map_destroy(&map);
}

static void what_is_no_height_map_is_refused(void **state) {
    const double even[3] = {0, 1, 2}, uneven[3] = {0, 1, 2.01}, shifted[3] = {0.5, 1.5, 2.5};
    const double falling[3] = {2, 1, 0}, same[3] = {1, 1, 1}, far[3] = {3e9, 3e9 + 1, 3e9 + 2};
    const double unknown[3] = {0, NAN, 2};
    const struct {
        const double *x, *y;
        size_t columns, rows;
        const char *says;
    } cases[] = {
        {uneven, even, 3, 2, "x[1] = 1: the nodes must be successive multiples of one step"},
        {shifted, even, 3, 2, "x[0] = 0.5"},
        {even, shifted, 3, 2, "y[0] = 0.5"},
        {falling, even, 3, 2, "the distance of the nodes"},
        {same, even, 3, 2, "the distance of the nodes"},
        {even, even, 1, 1, "the distance of the nodes"},
        {unknown, even, 3, 2, "x[1] = nan"},
        {far, even, 3, 2, "3e+09 steps from the origin"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AqmHeightMap *map = NULL;
        AqmDiag diag = {0};
        const AqmStatus status = read_foreign(*state, cases[i].x, cases[i].columns, cases[i].y,
                                              cases[i].rows, &map, &diag);
        if (status != AQM_ERROR_FORMAT || !strstr(diag.message, cases[i].says))
            fail_msg("case %zu: status %d, \"%s\"", i, (int)status, diag.message);
        assert_null(map);
    }
}

static void arrays_that_do_not_fit_are_refused(void **state) {
    static const float z[6] = {0};
    static const double x[3] = {0, 1, 2}, step[2] = {-1, 1};
    char path[PATH_MAX];
    in_folder(path, *state, "f.npz");
    const struct {
        AqmNpyArray arrays[5];
        size_t count;
        const char *says;
    } cases[] = {
        {{{"x", AQM_NPY_F64, 1, {3}, x}}, 1, "no array \"z\""},
        {{{"z", AQM_NPY_F32, 1, {6}, z}}, 1, "\"z\" is not rows x columns"},
        {{{"z", AQM_NPY_F32, 2, {0, 3}, z}}, 1, "\"z\" is not rows x columns"},
        {{{"z", AQM_NPY_F32, 2, {2, 3}, z}}, 1, "no array \"x\""},
        {{{"z", AQM_NPY_F32, 2, {2, 3}, z}, {"x", AQM_NPY_F64, 1, {2}, x}},
         2,
         "\"x\" is not of 3 values"},
        {{{"z", AQM_NPY_F32, 2, {2, 3}, z},
          {"x", AQM_NPY_F64, 1, {3}, x},
          {"y", AQM_NPY_F64, 2, {2, 1}, x}},
         3,
         "\"y\" is not of 2 values"},
        {{{"z", AQM_NPY_F32, 2, {2, 3}, z},
          {"x", AQM_NPY_F64, 1, {3}, x},
          {"y", AQM_NPY_F64, 1, {2}, x},
          {"step", AQM_NPY_F64, 1, {1}, step}},
         4,
         "the distance of the nodes"},
        {{{"z", AQM_NPY_F32, 2, {2, 3}, z},
          {"x", AQM_NPY_F64, 1, {3}, x},
          {"y", AQM_NPY_F64, 1, {2}, x},
          {"step", AQM_NPY_F64, 1, {2}, step}},
         4,
         "\"step\" is not of 1 values"},
        {{{"z", AQM_NPY_F32, 2, {2, 3}, z},
          {"x", AQM_NPY_F64, 1, {3}, x},
          {"y", AQM_NPY_F64, 1, {2}, x},
          {"sigma", AQM_NPY_F32, 2, {3, 2}, z}},
         4,
         "z is 2 x 3 but sigma 3 x 2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AqmHeightMap *map = NULL;
        AqmDiag diag = {0};
        assert_int_equal(aqm_npz_write(path, cases[i].arrays, cases[i].count, NULL), AQM_OK);
        const AqmStatus status = aqm_height_map_read(path, &map, &diag);
        if (status != AQM_ERROR_FORMAT || !strstr(diag.message, cases[i].says))
            fail_msg("case %zu: status %d, \"%s\"", i, (int)status, diag.message);
        assert_null(map);
    }
}

static void maps_that_cannot_be_are_not_written(void **state) {
    char path[PATH_MAX];
    in_folder(path, *state, "h");
    AqmHeightMap *map = make_map(4, 4, 0, 0, 0.002);
    const AqmHeightMap bad[] = {
        {0, 0, 0, 4, 1, NULL, NULL},         {0, 0, 4, 0, 1, NULL, NULL},
        {0, 0, 4, 4, 0, NULL, NULL},         {0, 0, 4, 4, -1, NULL, NULL},
        {0, 0, 4, 4, NAN, NULL, NULL},       {0, 0, 4, 4, INFINITY, NULL, NULL},
        {INT32_MAX, 0, 2, 4, 1, NULL, NULL}, {0, INT32_MAX - 2, 4, 4, 1, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        AqmDiag diag = {0};
        assert_int_equal(aqm_height_map_write(path, &bad[i], NULL, &diag), AQM_ERROR_ARGUMENT);
        assert_non_null(strstr(diag.message, "no height map"));
        assert_int_equal(aqm_height_map_write_tiff(path, &bad[i], NULL), AQM_ERROR_ARGUMENT);
    }
    const AqmHeightMap large = {0, 0, 30000, 30000, 1, NULL, NULL};
    AqmDiag diag = {0};
    assert_int_equal(aqm_height_map_write_tiff(path, &large, &diag), AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "4 GiB"));
    assert_int_equal(count_files(*state), 0);
    aqm_height_map_destroy(&map);
}

/* ---- TIFF, read with the library that wrote it; the tests of the system have others ------------
 */

static void check_band(TIFF *tiff, const AqmHeightMap *map, const float *plane, uint16_t band) {
    float *row = malloc((size_t)map->columns * sizeof *row);
    assert_non_null(row);
    for (int j = 0; j < map->rows; j++) {
        assert_int_equal(TIFFReadScanline(tiff, row, (uint32_t)j, band), 1);
        assert_memory_equal(row, plane + (size_t)(map->rows - 1 - j) * (size_t)map->columns,
                            (size_t)map->columns * sizeof *row);
    }
    free(row);
}

/* libtiff gives the length of a tag that it does not know in 32 bits. */
static void check_place(TIFF *tiff, const AqmHeightMap *map) {
    uint32_t count;
    uint16_t *keys;
    double *values;
    char *text;
    assert_int_equal(TIFFGetField(tiff, 33550, &count, &values), 1);
    assert_true(count == 3 && values[0] == map->step_m && values[1] == map->step_m);
    assert_int_equal(TIFFGetField(tiff, 33922, &count, &values), 1);
    assert_true(count == 6 && values[0] == 0 && values[1] == 0);
    assert_true(values[3] == map->first_column * map->step_m);
    assert_true(values[4] == (map->first_row + map->rows - 1) * map->step_m);
    assert_int_equal(TIFFGetField(tiff, 34735, &count, &keys), 1);
    static const uint16_t expected[20] = {1, 1, 0,    4,     1024, 0, 1,    32767, 1025, 0,
                                          1, 2, 1026, 34737, 18,   0, 3076, 0,     1,    9001};
    assert_true(count == 20 && memcmp(keys, expected, sizeof expected) == 0);
    assert_int_equal(TIFFGetField(tiff, 34737, &count, &text), 1);
    assert_string_equal(text, "aquamvs rig frame|");
    assert_int_equal(TIFFGetField(tiff, 42113, &count, &text), 1);
    assert_string_equal(text, "nan");
}

/* libtiff says that it does not know the tags of GeoTIFF; so it does not. */
static int say_nothing(TIFF *tiff, void *user, const char *module, const char *format,
                       va_list arguments) {
    (void)tiff, (void)user, (void)module, (void)format, (void)arguments;
    return 1;
}

static TIFF *open_quietly(const char *path) {
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    assert_non_null(options);
    TIFFOpenOptionsSetWarningHandlerExtR(options, say_nothing, NULL);
    TIFF *tiff = TIFFOpenExt(path, "r", options);
    TIFFOpenOptionsFree(options);
    assert_non_null(tiff);
    return tiff;
}

static void tiffs_hold_the_map_upside_down(void **state) {
    static const int sizes[][2] = {{1, 1}, {5, 3}, {300, 200}, {20000, 3}};
    char path[PATH_MAX];
    in_folder(path, *state, "h.tif");
    for (int i = 0; i < 4; i++) {
        AqmHeightMap *map = make_map(sizes[i][0], sizes[i][1], -40, 17, 0.002);
        AqmDiag diag = {0};
        if (aqm_height_map_write_tiff(path, map, &diag) != AQM_OK)
            fail_msg("%s", diag.message);
        TIFF *tiff = open_quietly(path);
        uint32_t width, height;
        assert_true(TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width) == 1);
        assert_true(TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height) == 1);
        assert_true(width == (uint32_t)map->columns && height == (uint32_t)map->rows);
        check_place(tiff, map);
        check_band(tiff, map, map->z_m, 0);
        check_band(tiff, map, map->sigma_m, 1);
        TIFFClose(tiff);
        aqm_height_map_destroy(&map);
    }
    assert_int_equal(count_files(*state), 1);
}

static void the_same_map_gives_the_same_bytes(void **state) {
    static const char *const names[4] = {"a.npz", "b.npz", "a.tif", "b.tif"};
    AqmHeightMap *map = make_map(50, 40, 1, 2, 0.001);
    unsigned char *bytes[4];
    size_t sizes[4];
    for (int i = 0; i < 4; i++) {
        char path[PATH_MAX];
        in_folder(path, *state, names[i]);
        assert_int_equal(i < 2 ? aqm_height_map_write(path, map, NULL, NULL)
                               : aqm_height_map_write_tiff(path, map, NULL),
                         AQM_OK);
        bytes[i] = read_bytes(path, &sizes[i]);
    }
    for (int i = 0; i < 4; i += 2) {
        assert_int_equal(sizes[i], sizes[i + 1]);
        assert_memory_equal(bytes[i], bytes[i + 1], sizes[i]);
    }
    for (int i = 0; i < 4; i++)
        free(bytes[i]);
    aqm_height_map_destroy(&map);
}

/* ---- failures ---------------------------------------------------------------------------------
 */

static AqmStatus read_back(const char *path) {
    AqmHeightMap *map = NULL;
    const AqmStatus status = aqm_height_map_read(path, &map, NULL);
    aqm_height_map_destroy(&map);
    return status;
}

static void every_failed_allocation_is_survived(void **state) {
    char path[PATH_MAX], tiff[PATH_MAX];
    AqmHeightMap *map = make_map(20, 10, 0, 0, 0.002);
    in_folder(path, *state, "e.npz");
    in_folder(tiff, *state, "e.tif");
    const size_t before = aqm_alloc_count().live_bytes;
    for (int pass = 0; pass < 3; pass++) {
        AqmStatus status = AQM_ERROR_MEMORY;
        size_t n = 1;
        for (; status != AQM_OK; n++) {
            aqm_alloc_fail_from(n);
            status = pass == 0   ? aqm_height_map_write(path, map, NULL, NULL)
                     : pass == 1 ? read_back(path)
                                 : aqm_height_map_write_tiff(tiff, map, NULL);
            aqm_alloc_fail_from(0);
            assert_true(status == AQM_OK || status == AQM_ERROR_MEMORY);
            assert_int_equal(aqm_alloc_count().live_bytes, before);
        }
        assert_true(n > 3);
    }
    assert_int_equal(count_files(*state), 2);
    aqm_height_map_destroy(&map);
}

static void a_full_disk_is_told(void **state) {
    char path[PATH_MAX];
    AqmHeightMap *map = make_map(200, 100, 0, 0, 0.002);
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    /* none at all, within the data, and (of the TIFF) within what follows them */
    static const rlim_t limits[3] = {0, 20000, 118000};
    for (int i = 0; i < 6; i++) {
        AqmDiag diag = {0};
        size_t size;
        in_folder(path, *state, i % 2 ? "h.npz" : "h.tif");
        write_bytes(path, "old", 3);
        small = before;
        small.rlim_cur = limits[i / 2];
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        const AqmStatus status = i % 2 ? aqm_height_map_write(path, map, NULL, &diag)
                                       : aqm_height_map_write_tiff(path, map, &diag);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        if (status != AQM_ERROR_IO)
            fail_msg("%s, limit %d: status %d", path, (int)limits[i / 2], (int)status);
        assert_non_null(strstr(diag.message, i % 2 ? "h.npz" : "h.tif"));
        unsigned char *bytes = read_bytes(path, &size);
        assert_true(size == 3 && memcmp(bytes, "old", 3) == 0);
        free(bytes);
    }
    in_folder(path, *state, "missing/h.tif");
    assert_int_equal(aqm_height_map_write_tiff(path, map, NULL), AQM_ERROR_IO);
    assert_int_equal(count_files(*state), 2);
    aqm_height_map_destroy(&map);
}

static void damaged_files_never_crash(void **state) {
    char path[PATH_MAX];
    size_t size;
    AqmHeightMap *map = make_map(9, 7, -3, 4, 0.002);
    in_folder(path, *state, "d.npz");
    assert_int_equal(aqm_height_map_write(path, map, NULL, NULL), AQM_OK);
    aqm_height_map_destroy(&map);
    unsigned char *good = read_bytes(path, &size), *bad = malloc(2 * size);
    AqmRng rng = aqm_rng(4, 7);
    const size_t before = aqm_alloc_count().live_bytes;
    int refused = 0;
    for (int i = 0; i < 2000; i++) {
        write_bytes(path, bad, damage(good, size, &rng, bad));
        AqmDiag diag = {0};
        const AqmStatus status = aqm_height_map_read(path, &map, &diag);
        assert_true((status == AQM_OK) == (map != NULL));
        assert_true((status == AQM_OK) == (diag.message[0] == '\0'));
        refused += status != AQM_OK;
        aqm_height_map_destroy(&map);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
    }
    assert_true(refused > 500);
    free(good);
    free(bad);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(maps_come_back_to_the_bit),
        IN_FOLDER(the_arrays_are_those_of_the_header),
        IN_FOLDER(files_of_nodes_alone_are_read),
        IN_FOLDER(what_is_no_height_map_is_refused),
        IN_FOLDER(arrays_that_do_not_fit_are_refused),
        IN_FOLDER(maps_that_cannot_be_are_not_written),
        IN_FOLDER(tiffs_hold_the_map_upside_down),
        IN_FOLDER(the_same_map_gives_the_same_bytes),
        IN_FOLDER(every_failed_allocation_is_survived),
        IN_FOLDER(a_full_disk_is_told),
        IN_FOLDER(damaged_files_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
