/* As much of cmocka as the tests of the kernels use, for machines whose cmocka is not installed:
 * a failed assertion names itself and ends the program. */
#ifndef AQM_TEST_SMALL_CMOCKA_H
#define AQM_TEST_SMALL_CMOCKA_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
};

#define cmocka_unit_test(f)                                                                        \
    { #f, f }
#define print_message(...) printf(__VA_ARGS__)
#define assert_true(condition)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)
#define assert_false(condition) assert_true(!(condition))
#define assert_non_null(pointer) assert_true((pointer) != NULL)
#define assert_int_equal(a, b) assert_true((long long)(a) == (long long)(b))
#define assert_memory_equal(a, b, size) assert_true(memcmp((a), (b), (size)) == 0)

static inline int run_tests(const struct CMUnitTest *tests, size_t count, int (*setup)(void **)) {
    void *state = NULL;
    if (setup && setup(&state) != 0)
        return 1;
    for (size_t k = 0; k < count; k++) {
        tests[k].run(&state);
        printf("ok  %s\n", tests[k].name);
    }
    return 0;
}

#define cmocka_run_group_tests(tests, setup, teardown)                                             \
    run_tests((tests), sizeof(tests) / sizeof((tests)[0]), (setup))

#endif
