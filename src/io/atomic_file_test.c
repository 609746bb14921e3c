#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "io/atomic_file.h"
#include "io/file_read.h"
#include "io/io_test_util.h"

static void text_arrives_whole_and_replaces_what_was_there(void **state) {
    char path[PATH_MAX];
    in_folder(path, *state, "a.txt");
    assert_int_equal(aqm_text_write(path, "a longer first text\n", NULL), AQM_OK);
    assert_int_equal(aqm_text_write(path, "second\n", NULL), AQM_OK);
    unsigned char *data = NULL;
    size_t size = 0;
    assert_int_equal(aqm_file_read(path, &data, &size, NULL), AQM_OK);
    assert_int_equal(size, 7);
    assert_string_equal((char *)data, "second\n");
    assert_int_equal(count_files(*state), 1);
    aqm_free(data);
}

static void nothing_is_seen_before_the_commit_or_after_an_abort(void **state) {
    char path[PATH_MAX];
    in_folder(path, *state, "b.txt");
    AqmAtomicFile file;
    assert_int_equal(aqm_atomic_open(&file, path, NULL), AQM_OK);
    assert_int_equal(aqm_atomic_write(&file, "x", 1, NULL), AQM_OK);
    assert_int_not_equal(access(path, F_OK), 0);
    aqm_atomic_abort(&file);
    aqm_atomic_abort(&file);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(count_files(*state), 0);
}

static void what_a_killed_process_left_is_cleared_away(void **state) {
    char path[PATH_MAX];
    in_folder(path, *state, "kept.tmp");
    assert_int_equal(aqm_text_write(path, "not a temporary of ours", NULL), AQM_OK);
    in_folder(path, *state, "d.txt");
    AqmAtomicFile left;
    assert_int_equal(aqm_atomic_open(&left, path, NULL), AQM_OK);
    assert_int_equal(count_files(*state), 2);
    aqm_remove_temporaries(*state);
    assert_int_equal(count_files(*state), 1);
    in_folder(path, *state, "kept.tmp");
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(unlink(path), 0);
    aqm_atomic_abort(&left);
    aqm_remove_temporaries("/nowhere/at/all");
}

static void two_writers_of_one_file_do_not_share_a_temporary(void **state) {
    char path[PATH_MAX];
    in_folder(path, *state, "f.txt");
    AqmAtomicFile one, other;
    assert_int_equal(aqm_atomic_open(&one, path, NULL), AQM_OK);
    assert_int_equal(aqm_atomic_open(&other, path, NULL), AQM_OK);
    assert_int_equal(count_files(*state), 2);
    assert_int_equal(aqm_atomic_write(&one, "one", 3, NULL), AQM_OK);
    assert_int_equal(aqm_atomic_write(&other, "the other", 9, NULL), AQM_OK);
    assert_int_equal(aqm_atomic_commit(&other, NULL), AQM_OK);
    assert_int_equal(aqm_atomic_commit(&one, NULL), AQM_OK);
    size_t size;
    unsigned char *data = read_bytes(path, &size);
    assert_int_equal(size, 3);
    assert_memory_equal(data, "one", 3);
    free(data);
    assert_int_equal(count_files(*state), 1);
}

static void a_locked_folder_is_refused_and_holds_no_file(void **state) {
    AqmFolderLock alone, shared, more;
    AqmDiag diag = {0};
    assert_int_equal(aqm_folder_lock(*state, true, &alone, NULL), AQM_OK);
    if (!alone.is_held) {
        aqm_folder_unlock(&alone);
        print_message("no locks on this file system\n");
        skip();
    }
    assert_int_equal(aqm_folder_lock(*state, false, &shared, &diag), AQM_ERROR_IO);
    assert_non_null(strstr(diag.message, "another run is writing to"));
    assert_int_equal(shared.descriptor, -1);
    aqm_folder_unlock(&alone);
    assert_int_equal(aqm_folder_lock(*state, false, &shared, NULL), AQM_OK);
    assert_int_equal(aqm_folder_lock(*state, false, &more, NULL), AQM_OK);
    assert_int_equal(aqm_folder_lock(*state, true, &alone, NULL), AQM_ERROR_IO);
    aqm_folder_unlock(&shared);
    aqm_folder_unlock(&more);
    assert_int_equal(aqm_folder_lock(*state, true, &alone, NULL), AQM_OK);
    assert_int_equal(count_files(*state), 0);
    aqm_folder_unlock(&alone);
    assert_int_equal(aqm_folder_lock("/nowhere/at/all", true, &alone, NULL), AQM_ERROR_IO);
}

/* A limit on the size of files is the full disk that needs no disk. */
static void a_full_disk_costs_nothing_that_was_there(void **state) {
    char path[PATH_MAX];
    in_folder(path, *state, "c.txt");
    assert_int_equal(aqm_text_write(path, "kept", NULL), AQM_OK);
    char *text = malloc(20001);
    memset(text, 'x', 20000);
    text[20000] = '\0';
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 10000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    AqmDiag diag = {0};
    const AqmStatus status = aqm_text_write(path, text, &diag);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    free(text);
    assert_int_equal(status, AQM_ERROR_IO);
    assert_non_null(strstr(diag.message, "c.txt"));
    assert_non_null(strstr(diag.message, strerror(EFBIG)));
    size_t size;
    unsigned char *data = read_bytes(path, &size);
    assert_string_equal((char *)data, "kept");
    free(data);
    assert_int_equal(count_files(*state), 1);
}

static void a_missing_folder_and_a_folder_as_target_are_sentences(void **state) {
    char path[PATH_MAX];
    AqmDiag diag = {0};
    in_folder(path, *state, "none/d.txt");
    assert_int_equal(aqm_text_write(path, "x", &diag), AQM_ERROR_IO);
    assert_non_null(strstr(diag.message, "none/d.txt: No such file"));
    in_folder(path, *state, "folder");
    assert_int_equal(aqm_make_folders(path, NULL), AQM_OK);
    diag = (AqmDiag){0};
    assert_int_equal(aqm_text_write(path, "x", &diag), AQM_ERROR_IO);
    assert_non_null(strstr(diag.message, strerror(EISDIR)));
    assert_int_equal(count_files(*state), 1);
    unsigned char *data = NULL;
    size_t size;
    diag = (AqmDiag){0};
    assert_int_equal(aqm_file_read(path, &data, &size, &diag), AQM_ERROR_IO);
    assert_non_null(strstr(diag.message, "it is a folder"));
}

static void folders_are_made_with_their_parents(void **state) {
    char path[PATH_MAX], file[PATH_MAX];
    AqmDiag diag = {0};
    assert_int_equal(aqm_make_folders(in_folder(path, *state, "p/q//r/"), &diag), AQM_OK);
    assert_int_equal(aqm_make_folders(path, &diag), AQM_OK);
    struct stat found;
    assert_int_equal(stat(path, &found), 0);
    assert_true(S_ISDIR(found.st_mode));
    assert_int_equal(aqm_text_write(in_folder(file, *state, "file"), "", &diag), AQM_OK);
    assert_int_equal(aqm_make_folders(in_folder(path, *state, "file/below"), &diag), AQM_ERROR_IO);
    assert_non_null(strstr(diag.message, strerror(ENOTDIR)));
    assert_int_equal(aqm_make_folders("", NULL), AQM_ERROR_IO);
}

static void free_is_what_is_empty_or_not_there(void **state) {
    char path[PATH_MAX], file[PATH_MAX];
    assert_true(aqm_folder_is_free(in_folder(path, *state, "p")));
    assert_int_equal(aqm_make_folders(path, NULL), AQM_OK);
    assert_true(aqm_folder_is_free(path));
    assert_int_equal(aqm_text_write(in_folder(file, *state, "p/.hidden"), "", NULL), AQM_OK);
    assert_false(aqm_folder_is_free(path));
    assert_false(aqm_folder_is_free(file));
}

static void every_failed_allocation_is_survived(void **state) {
    char path[PATH_MAX];
    in_folder(path, *state, "e.txt");
    const size_t before = aqm_alloc_count().live_bytes;
    AqmStatus status = AQM_ERROR_MEMORY;
    size_t n = 1;
    for (; status != AQM_OK; n++) {
        aqm_alloc_fail_from(n);
        status = aqm_text_write(path, "x", NULL);
        aqm_alloc_fail_from(0);
        assert_true(status == AQM_OK || status == AQM_ERROR_MEMORY);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
        assert_int_equal(count_files(*state), status == AQM_OK ? 1 : 0);
    }
    assert_true(n > 3);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(text_arrives_whole_and_replaces_what_was_there),
        IN_FOLDER(nothing_is_seen_before_the_commit_or_after_an_abort),
        IN_FOLDER(what_a_killed_process_left_is_cleared_away),
        IN_FOLDER(two_writers_of_one_file_do_not_share_a_temporary),
        IN_FOLDER(a_locked_folder_is_refused_and_holds_no_file),
        IN_FOLDER(a_full_disk_costs_nothing_that_was_there),
        IN_FOLDER(a_missing_folder_and_a_folder_as_target_are_sentences),
        IN_FOLDER(folders_are_made_with_their_parents),
        IN_FOLDER(free_is_what_is_empty_or_not_there),
        IN_FOLDER(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
