#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "io/io_test_util.h"

static AqmFeatures *make_features(size_t count, int descriptor_size) {
    AqmFeatures *features = NULL;
    assert_int_equal(aqm_features_create(&features, count, descriptor_size, NULL), AQM_OK);
    AqmRng rng = aqm_rng(count, 5);
    for (size_t i = 0; i < count; i++) {
        features->position[2 * i] = 1600.0f * (float)aqm_rng_uniform(&rng) - 0.5f;
        features->position[2 * i + 1] = 1200.0f * (float)aqm_rng_uniform(&rng) - 0.5f;
        features->scale[i] = i % 7 == 3 ? NAN : 10.0f * (float)aqm_rng_uniform(&rng);
        features->orientation[i] = i % 5 == 3 ? NAN : (float)aqm_rng_uniform(&rng) - 0.5f;
        features->score[i] = (float)aqm_rng_uniform(&rng);
    }
    for (size_t k = 0; k < count * (size_t)descriptor_size; k++)
        features->descriptor[k] = (float)aqm_rng_uniform(&rng);
    return features;
}

static AqmMatches *make_matches(size_t count) {
    AqmMatches *matches = NULL;
    assert_int_equal(aqm_matches_create(&matches, count + 9, NULL), AQM_OK);
    AqmRng rng = aqm_rng(count, 6);
    matches->count = count;
    for (size_t i = 0; i < count; i++) {
        matches->first[i] = (uint32_t)i;
        matches->second[i] = i == 0 ? 16777215 : aqm_rng_u32(&rng) >> 8;
        for (size_t k = 2 * i; k < 2 * i + 2; k++) {
            matches->first_position[k] = (float)aqm_rng_uniform(&rng);
            matches->second_position[k] = -(float)aqm_rng_uniform(&rng);
        }
        matches->score[i] = (float)aqm_rng_uniform(&rng);
    }
    return matches;
}

static void assert_same_floats(const float *a, const float *b, size_t count) {
    assert_memory_equal(a, b, count * sizeof *a);
}

static void features_come_back(void **state) {
    static const size_t sizes[][2] = {{501, 128}, {0, 128}, {1, 1}};
    char path[PATH_MAX];
    in_folder(path, *state, "f.npz");
    for (size_t k = 0; k < 3; k++) {
        const size_t n = sizes[k][0], d = sizes[k][1];
        AqmFeatures *features = make_features(n, (int)d), *again = NULL;
        AqmDiag diag = {0};
        assert_int_equal(aqm_features_write(path, features, &diag), AQM_OK);
        if (aqm_features_read(path, &again, &diag) != AQM_OK)
            fail_msg("%s", diag.message);
        assert_true(again->count == n && again->descriptor_size == (int)d);
        assert_same_floats(features->position, again->position, 2 * n);
        assert_same_floats(features->scale, again->scale, n);
        assert_same_floats(features->orientation, again->orientation, n);
        assert_same_floats(features->score, again->score, n);
        assert_same_floats(features->descriptor, again->descriptor, d * n);
        aqm_features_destroy(&features);
        aqm_features_destroy(&again);
    }
}

static void matches_come_back(void **state) {
    static const size_t counts[] = {1234, 0, 1};
    char path[PATH_MAX];
    in_folder(path, *state, "m.npz");
    for (size_t k = 0; k < 3; k++) {
        const size_t n = counts[k];
        AqmMatches *matches = make_matches(n), *again = NULL;
        AqmDiag diag = {0};
        assert_int_equal(aqm_matches_write(path, matches, &diag), AQM_OK);
        if (aqm_matches_read(path, &again, &diag) != AQM_OK)
            fail_msg("%s", diag.message);
        assert_true(again->count == n && again->capacity == n);
        assert_memory_equal(matches->first, again->first, n * sizeof(uint32_t));
        assert_memory_equal(matches->second, again->second, n * sizeof(uint32_t));
        assert_same_floats(matches->first_position, again->first_position, 2 * n);
        assert_same_floats(matches->second_position, again->second_position, 2 * n);
        assert_same_floats(matches->score, again->score, n);
        aqm_matches_destroy(&matches);
        aqm_matches_destroy(&again);
    }
}

static void the_same_content_gives_the_same_bytes(void **state) {
    static const char *const names[4] = {"a.npz", "b.npz", "c.npz", "d.npz"};
    unsigned char *bytes[4];
    size_t sizes[4];
    for (int k = 0; k < 4; k++) {
        char path[PATH_MAX];
        AqmFeatures *features = make_features(60, 8);
        AqmMatches *matches = make_matches(60);
        in_folder(path, *state, names[k]);
        assert_int_equal(k < 2 ? aqm_features_write(path, features, NULL)
                               : aqm_matches_write(path, matches, NULL),
                         AQM_OK);
        bytes[k] = read_bytes(path, &sizes[k]);
        aqm_features_destroy(&features);
        aqm_matches_destroy(&matches);
    }
    for (int k = 0; k < 4; k += 2) {
        assert_int_equal(sizes[k], sizes[k + 1]);
        assert_memory_equal(bytes[k], bytes[k + 1], sizes[k]);
    }
    for (int k = 0; k < 4; k++)
        free(bytes[k]);
}

/* ---- files that are refused ------------------------------------------------------------------ */

/* One array of a good file of three entries is replaced (data: of shape), or left out (dimensions
 * 0), and what the reader then says. */
typedef struct Wrong {
    AqmNpyArray array;
    const char *says;
} Wrong;

static void refuse(const char *folder, const AqmNpyArray *good, const Wrong *wrong,
                   bool is_features) {
    AqmNpyArray arrays[5];
    char path[PATH_MAX];
    AqmDiag diag = {0};
    AqmFeatures *features = NULL;
    AqmMatches *matches = NULL;
    size_t count = 0;
    for (int k = 0; k < 5; k++)
        if (strcmp(good[k].name, wrong->array.name) != 0)
            arrays[count++] = good[k];
        else if (wrong->array.dimensions > 0)
            arrays[count++] = wrong->array;
    in_folder(path, folder, "wrong.npz");
    assert_int_equal(aqm_npz_write(path, arrays, count, NULL), AQM_OK);
    const size_t before = aqm_alloc_count().live_bytes;
    const AqmStatus status = is_features ? aqm_features_read(path, &features, &diag)
                                         : aqm_matches_read(path, &matches, &diag);
    if (status != AQM_ERROR_FORMAT || !strstr(diag.message, wrong->says) || features || matches)
        fail_msg("%s: status %d, \"%s\"", wrong->says, (int)status, diag.message);
    assert_non_null(strstr(diag.message, "wrong.npz"));
    assert_int_equal(aqm_alloc_count().live_bytes, before);
}

static const float some[18] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18};
static const float no_number[6] = {1, 2, 3, NAN, 5, 6};
static const float infinite[6] = {1, 2, 3, 4, -INFINITY, 6};

static void features_that_do_not_fit_are_refused(void **state) {
    static const AqmNpyArray good[5] = {{"keypoints", AQM_NPY_F32, 2, {3, 2}, some},
                                        {"scales", AQM_NPY_F32, 1, {3}, some},
                                        {"orientations", AQM_NPY_F32, 1, {3}, some},
                                        {"scores", AQM_NPY_F32, 1, {3}, some},
                                        {"descriptors", AQM_NPY_F32, 2, {3, 4}, some}};
    static const Wrong wrong[] = {
        {{"keypoints", AQM_NPY_F32, 2, {2, 2}, some}, "\"keypoints\" is of length 2, but"},
        {{"keypoints", AQM_NPY_F32, 2, {3, 3}, some}, "\"keypoints\" has 3 columns, must have 2"},
        {{"keypoints", AQM_NPY_F32, 1, {6}, some}, "has 1 dimensions, must have 2"},
        {{"keypoints", AQM_NPY_F32, 2, {3, 2}, no_number}, "entry 1: (3, nan) is no position"},
        {{"keypoints", AQM_NPY_F32, 2, {3, 2}, infinite}, "entry 2: (-inf, 6) is no position"},
        {{"scales", AQM_NPY_F32, 1, {4}, some}, "\"scales\" is of length 4, but the file holds 3"},
        {{"scales", AQM_NPY_F32, 2, {3, 1}, some}, "\"scales\" has 2 dimensions, must have 1"},
        {{"orientations", AQM_NPY_F32, 1, {0}, some}, "\"orientations\" is of length 0"},
        {{"scores", AQM_NPY_F32, 1, {2}, some}, "\"scores\" is of length 2"},
        {{"scores", AQM_NPY_F32, 0, {0}, NULL}, "holds no array \"scores\""},
        {{"descriptors", AQM_NPY_F32, 2, {4, 4}, some}, "is of length 3, but the file holds 4"},
        {{"descriptors", AQM_NPY_F32, 2, {3, 0}, some}, "is not features x values"},
        {{"descriptors", AQM_NPY_F32, 1, {3}, some}, "is not features x values"},
        {{"descriptors", AQM_NPY_F32, 3, {3, 2, 1}, some}, "is not features x values"},
        {{"descriptors", AQM_NPY_F32, 0, {0}, NULL}, "holds no array \"descriptors\""},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        refuse(*state, good, &wrong[i], true);
}

static void matches_that_do_not_fit_are_refused(void **state) {
    static const int32_t indices[4] = {0, 7, 2, 3}, negative[3] = {0, 1, -1};
    static const int32_t large[3] = {0, 16777216, 1};
    static const float broken[3] = {0, 1.5f, 2};
    static const AqmNpyArray good[5] = {{"first", AQM_NPY_I32, 1, {3}, indices},
                                        {"second", AQM_NPY_I32, 1, {3}, indices},
                                        {"first_keypoints", AQM_NPY_F32, 2, {3, 2}, some},
                                        {"second_keypoints", AQM_NPY_F32, 2, {3, 2}, some},
                                        {"scores", AQM_NPY_F32, 1, {3}, some}};
    static const Wrong wrong[] = {
        {{"first", AQM_NPY_I32, 1, {4}, indices}, "\"second\" is of length 3, but the file holds"},
        {{"first", AQM_NPY_I32, 2, {3, 1}, indices}, "\"first\" has 2 dimensions, must have 1"},
        {{"first", AQM_NPY_I32, 1, {3}, negative}, "\"first\", entry 2: -1 is no index"},
        {{"second", AQM_NPY_I32, 1, {3}, large}, "1.67772e+07 is no index: a whole number of 0 to"},
        {{"second", AQM_NPY_F32, 1, {3}, broken}, "\"second\", entry 1: 1.5 is no index"},
        {{"second", AQM_NPY_F32, 1, {3}, no_number + 3}, "\"second\", entry 0"},
        {{"second", AQM_NPY_I32, 1, {0}, indices}, "\"second\" is of length 0"},
        {{"first_keypoints", AQM_NPY_F32, 2, {3, 2}, no_number}, "\"first_keypoints\", entry 1"},
        {{"first_keypoints", AQM_NPY_F32, 2, {1, 2}, some}, "\"first_keypoints\" is of length 1"},
        {{"second_keypoints", AQM_NPY_F32, 2, {3, 2}, infinite}, "\"second_keypoints\", entry 2"},
        {{"second_keypoints", AQM_NPY_F32, 2, {3, 4}, some}, "has 4 columns, must have 2"},
        {{"scores", AQM_NPY_F32, 1, {4}, some}, "\"scores\" is of length 4"},
        {{"scores", AQM_NPY_F32, 0, {0}, NULL}, "holds no array \"scores\""},
        {{"first", AQM_NPY_F32, 0, {0}, NULL}, "holds no array \"first\""},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        refuse(*state, good, &wrong[i], false);
}

static void an_index_that_would_not_come_back_is_not_written(void **state) {
    char path[PATH_MAX];
    AqmMatches *matches = make_matches(3);
    AqmDiag diag = {0};
    matches->second[1] = 16777216;
    assert_int_equal(aqm_matches_write(in_folder(path, *state, "m.npz"), matches, &diag),
                     AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "match 1 is of features 1 and 16777216"));
    assert_int_equal(count_files(*state), 0);
    aqm_matches_destroy(&matches);
}

/* ---- damage ---------------------------------------------------------------------------------- */

static AqmStatus read_and_free(const char *path, bool is_features) {
    AqmFeatures *features = NULL;
    AqmMatches *matches = NULL;
    const AqmStatus status = is_features ? aqm_features_read(path, &features, NULL)
                                         : aqm_matches_read(path, &matches, NULL);
    assert_true((status == AQM_OK) == (features || matches));
    aqm_features_destroy(&features);
    aqm_matches_destroy(&matches);
    return status;
}

static void damaged_files_never_crash(void **state) {
    char path[PATH_MAX];
    AqmFeatures *features = make_features(20, 4);
    AqmMatches *matches = make_matches(20);
    AqmRng rng = aqm_rng(2, 8);
    in_folder(path, *state, "d.npz");
    for (int which = 0; which < 2; which++) {
        size_t size;
        int refused = 0;
        assert_int_equal(which ? aqm_features_write(path, features, NULL)
                               : aqm_matches_write(path, matches, NULL),
                         AQM_OK);
        unsigned char *good = read_bytes(path, &size), *bad = malloc(2 * size);
        assert_non_null(bad);
        const size_t before = aqm_alloc_count().live_bytes;
        for (int i = 0; i < 1000; i++) {
            write_bytes(path, bad, damage(good, size, &rng, bad));
            refused += read_and_free(path, which) != AQM_OK;
            assert_int_equal(aqm_alloc_count().live_bytes, before);
        }
        assert_true(refused > 500);
        free(good);
        free(bad);
    }
    assert_int_equal(aqm_features_read(in_folder(path, *state, "none.npz"), &features, NULL),
                     AQM_ERROR_IO);
    assert_int_equal(aqm_matches_read(path, &matches, NULL), AQM_ERROR_IO);
    aqm_features_destroy(&features);
    aqm_matches_destroy(&matches);
}

static void every_failed_allocation_is_survived(void **state) {
    char path[PATH_MAX];
    AqmFeatures *features = make_features(20, 4);
    AqmMatches *matches = make_matches(20);
    in_folder(path, *state, "d.npz");
    const size_t before = aqm_alloc_count().live_bytes;
    for (int pass = 0; pass < 4; pass++) {
        AqmStatus status = AQM_ERROR_MEMORY;
        size_t n = 1;
        for (; status != AQM_OK; n++) {
            aqm_alloc_fail_from(n);
            status = pass == 0   ? aqm_features_write(path, features, NULL)
                     : pass == 2 ? aqm_matches_write(path, matches, NULL)
                                 : read_and_free(path, pass == 1);
            aqm_alloc_fail_from(0);
            assert_true(status == AQM_OK || status == AQM_ERROR_MEMORY);
            assert_int_equal(aqm_alloc_count().live_bytes, before);
            assert_true(count_files(*state) <= 1);
        }
        assert_true(n > 5);
    }
    aqm_features_destroy(&features);
    aqm_matches_destroy(&matches);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(features_come_back),
        IN_FOLDER(matches_come_back),
        IN_FOLDER(the_same_content_gives_the_same_bytes),
        IN_FOLDER(features_that_do_not_fit_are_refused),
        IN_FOLDER(matches_that_do_not_fit_are_refused),
        IN_FOLDER(an_index_that_would_not_come_back_is_not_written),
        IN_FOLDER(damaged_files_never_crash),
        IN_FOLDER(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
