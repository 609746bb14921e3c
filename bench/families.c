/* Cases of kernels that have a table for each instruction set: compared with the reference, timed.
 */
#include <stdio.h>
#include <string.h>

#include "bench.h"

typedef struct Turn {
    const BenchCase *work;
    const void *kernels, *data;
    void *result;
} Turn;

static void take(void *user) {
    const Turn *turn = user;
    turn->work->run(turn->kernels, turn->data, turn->result);
}

static bool run_case(const BenchOptions *options, const BenchFamily *family,
                     const BenchCase *work) {
    const void *kernels[2] = {family->reference, family->fastest};
    const char *names[2] = {"reference", family->fastest_name};
    char *results = family->results;
    const size_t size = family->result_size;
    double reference_ns = 0.0;
    for (size_t k = 0; k < (kernels[1] == kernels[0] ? 1 : 2); k++) {
        Turn turn = {work, kernels[k], family->data, results + k * size};
        memset(turn.result, 0, size);
        take(&turn);
        if (k > 0 && memcmp(results, turn.result, size) != 0) {
            fprintf(stderr, "%s: %s differs from the reference\n", work->name, names[k]);
            return false;
        }
        const double ns = bench_row(work->name, names[k], take, &turn, work->items, work->demand,
                                    reference_ns, options->repeats);
        reference_ns = k == 0 ? ns : reference_ns;
    }
    return true;
}

bool bench_family(const BenchOptions *options, const BenchFamily *family, const BenchCase *cases,
                  size_t count) {
    for (size_t c = 0; c < count; c++)
        if (bench_is_wanted(options, cases[c].name) && !run_case(options, family, &cases[c]))
            return false;
    return true;
}
