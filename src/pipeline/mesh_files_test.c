#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "aquamvs/pipeline.h"
#include "base/alloc.h"
#include "io/io_test_util.h"

static void make_file(const char *folder, const char *name) {
    char path[PATH_MAX];
    write_bytes(in_folder(path, folder, name), "", 0);
}

static void make_folder(const char *folder, const char *name) {
    char path[PATH_MAX];
    assert_int_equal(mkdir(in_folder(path, folder, name), 0777), 0);
}

static AqmMeshFiles *found_in(const char *folder) {
    AqmMeshFiles *files = NULL;
    AqmDiag diag = {0};
    if (aqm_mesh_files_find(folder, &files, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    return files;
}

static void frames_come_in_order(void **state) {
    const char *folder = *state;
    static const char *const names[] = {"frame_1000000", "frame_000002", "frame_000010"};
    for (int i = 0; i < 3; i++)
        make_folder(folder, names[i]);
    make_folder(folder, "frame_00001"); /* five digits */
    make_folder(folder, "frame_000003x");
    make_folder(folder, ".frame_000004");
    make_file(folder, "frame_000005"); /* no folder */
    make_file(folder, "loose.ply");
    AqmMeshFiles *files = found_in(folder);
    assert_int_equal(files->count, 3);
    static const char *const order[] = {"frame_000002", "frame_000010", "frame_1000000"};
    for (size_t i = 0; i < 3; i++) {
        char path[PATH_MAX], rest[64];
        snprintf(rest, sizeof rest, "%s/mesh/surface.ply", order[i]);
        assert_string_equal(files->files[i].name, order[i]);
        assert_string_equal(files->files[i].path, in_folder(path, folder, rest));
    }
    aqm_mesh_files_destroy(&files);
    assert_null(files);
    aqm_mesh_files_destroy(&files);
    aqm_mesh_files_destroy(NULL);
}

static void loose_files_are_found_where_there_are_no_frames(void **state) {
    const char *folder = *state;
    static const char *const names[] = {"b10.ply", "b9.PLY", ".hidden.ply", "a.obj", ".ply"};
    for (int i = 0; i < 5; i++)
        make_file(folder, names[i]);
    make_folder(folder, "folder.ply");
    char slash[PATH_MAX];
    AqmMeshFiles *files = found_in(in_folder(slash, folder, ""));
    assert_int_equal(files->count, 2);
    assert_string_equal(files->files[0].name, "b9");
    assert_string_equal(files->files[1].name, "b10");
    char path[PATH_MAX];
    assert_string_equal(files->files[0].path, in_folder(path, folder, "b9.PLY"));
    aqm_mesh_files_destroy(&files);
}

static void nothing_to_find_is_said(void **state) {
    char path[PATH_MAX];
    AqmMeshFiles *files = NULL;
    AqmDiag diag = {0};
    assert_int_equal(aqm_mesh_files_find(*state, &files, &diag), AQM_ERROR_NO_DATA);
    assert_non_null(strstr(diag.message, "neither frames of a run"));
    diag = (AqmDiag){0};
    in_folder(path, *state, "missing");
    assert_int_equal(aqm_mesh_files_find(path, &files, &diag), AQM_ERROR_IO);
    assert_non_null(strstr(diag.message, "missing: cannot be opened as a folder"));
    assert_null(files);
}

static void every_failed_allocation_is_survived(void **state) {
    make_file(*state, "a.ply");
    make_file(*state, "b.ply");
    make_folder(*state, "frame_000000");
    const size_t before = aqm_alloc_count().live_bytes;
    AqmStatus status = AQM_ERROR_MEMORY;
    size_t n = 1;
    for (; status != AQM_OK; n++) {
        AqmMeshFiles *files = NULL;
        aqm_alloc_fail_from(n);
        status = aqm_mesh_files_find(*state, &files, NULL);
        aqm_alloc_fail_from(0);
        assert_true(status == AQM_OK ? files != NULL : status == AQM_ERROR_MEMORY && !files);
        aqm_mesh_files_destroy(&files);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
    }
    assert_true(n > 10);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(frames_come_in_order),
        IN_FOLDER(loose_files_are_found_where_there_are_no_frames),
        IN_FOLDER(nothing_to_find_is_said),
        IN_FOLDER(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
