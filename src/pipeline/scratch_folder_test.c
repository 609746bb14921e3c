#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "io/io_test_util.h"
#include "pipeline/scratch_folder.h"

/* Is `path` a new folder in `folder`? */
static void assert_is_in(const char *path, const char *folder) {
    char real[PATH_MAX], expected[PATH_MAX];
    assert_non_null(realpath(folder, expected));
    assert_non_null(realpath(path, real));
    *strrchr(real, '/') = '\0';
    assert_string_equal(real, expected);
}

static void it_lies_beside_the_output(void **state) {
    char path[PATH_MAX], inside[PATH_MAX], output[PATH_MAX];
    const char *const outputs[] = {"out", "out/", "new", "new/", "new/deeper/still", "new//x"};
    in_folder(output, *state, "out");
    assert_int_equal(mkdir(output, 0777), 0);
    for (size_t k = 0; k < sizeof outputs / sizeof outputs[0]; k++) {
        in_folder(output, *state, outputs[k]);
        assert_int_equal(aqm_scratch_create(output, NULL, path, NULL), AQM_OK);
        assert_is_in(path, *state);
        assert_int_equal(count_files(*state), 2); /* and nothing else is made */
        aqm_scratch_remove(path);
        assert_int_equal(count_files(*state), 1);
    }
    assert_int_equal(count_files(in_folder(inside, *state, "out")), 0);
}

/* The folder in which a link lies may be another disk. */
static void it_lies_beside_what_a_link_names(void **state) {
    char path[PATH_MAX], real[PATH_MAX], link[PATH_MAX], parent[PATH_MAX];
    assert_int_equal(mkdir(in_folder(parent, *state, "disk"), 0777), 0);
    assert_int_equal(mkdir(in_folder(real, *state, "disk/out"), 0777), 0);
    assert_int_equal(symlink(real, in_folder(link, *state, "link")), 0);
    assert_int_equal(aqm_scratch_create(link, NULL, path, NULL), AQM_OK);
    assert_is_in(path, parent);
    aqm_scratch_remove(path);
}

static void it_lies_where_it_is_told_to(void **state) {
    char path[PATH_MAX];
    assert_int_equal(aqm_scratch_create("/nowhere/out", *state, path, NULL), AQM_OK);
    assert_is_in(path, *state);
    aqm_scratch_remove(path);
}

static void a_folder_that_is_not_there_is_told(void **state) {
    (void)state;
    char path[PATH_MAX] = "x";
    AqmDiag diag = {0};
    assert_int_equal(aqm_scratch_create("out", "/nowhere/at/all", path, &diag), AQM_ERROR_IO);
    assert_non_null(strstr(diag.message, "/nowhere/at/all"));
    assert_string_equal(path, "");
}

static void all_of_it_goes_and_nothing_else(void **state) {
    char path[PATH_MAX], file[PATH_MAX], kept[PATH_MAX];
    FILE *stream = fopen(in_folder(kept, *state, "kept"), "wb");
    assert_non_null(stream);
    fclose(stream);
    assert_int_equal(aqm_scratch_create("out", *state, path, NULL), AQM_OK);
    assert_int_equal(mkdir(in_folder(file, path, "a"), 0777), 0);
    assert_int_equal(mkdir(in_folder(file, path, "a/b"), 0777), 0);
    stream = fopen(in_folder(file, path, "a/b/file"), "wb");
    assert_non_null(stream);
    fclose(stream);
    assert_int_equal(symlink(kept, in_folder(file, path, "link")), 0);
    assert_int_equal(symlink(*state, in_folder(file, path, "a/up")), 0);
    aqm_scratch_remove(path);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(access(kept, F_OK), 0);
    aqm_scratch_remove(path); /* gone already: fine */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_lies_beside_the_output, make_test_folder,
                                        remove_test_folder),
        cmocka_unit_test_setup_teardown(it_lies_beside_what_a_link_names, make_test_folder,
                                        remove_test_folder),
        cmocka_unit_test_setup_teardown(it_lies_where_it_is_told_to, make_test_folder,
                                        remove_test_folder),
        cmocka_unit_test(a_folder_that_is_not_there_is_told),
        cmocka_unit_test_setup_teardown(all_of_it_goes_and_nothing_else, make_test_folder,
                                        remove_test_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
