/* kernels: the inner loops and the whole sweep, checked against the reference and timed.
 *
 *     kernels [--size WxH] [--depths N] [--repeats N] [--only NAME] > table.csv
 *     kernels --compare before.csv after.csv
 *
 * Times are CPU time, medians of several runs: on a machine that others use too they hold better
 * than the wall clock, but only ratios within one table mean much. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/info.h"

void bench_print(const char *kernel, const char *variant, double ns_per_item, double ratio,
                 const BenchCeiling *ceiling) {
    printf("%s,%s,%.4f,%.3f", kernel, variant, ns_per_item, ratio);
    if (ceiling && ceiling->ns > 0.0)
        printf(",%.4f,%.2f,%s\n", ceiling->ns, ceiling->ns / ns_per_item, ceiling->bound);
    else
        printf(",,,\n");
    fflush(stdout);
}

double bench_row(const char *kernel, const char *variant, void (*run)(void *user), void *user,
                 int items, BenchDemand demand, double reference_ns, int repeats) {
    const double ns = 1e9 * bench_median_s(run, user, repeats) / items;
    const BenchCeiling ceiling = bench_ceiling(variant, demand);
    bench_print(kernel, variant, ns, reference_ns > 0.0 ? ns / reference_ns : 1.0, &ceiling);
    return ns;
}

bool bench_is_wanted(const BenchOptions *options, const char *name) {
    return strncmp(name, options->only, strlen(options->only)) == 0;
}

/* ---- the program ----------------------------------------------------------------------------- */

static void print_machine(void) {
    AqmInfo info;
    aqm_info(&info);
    printf("# machine: %s; %d cores; %s; %s; kernels on 1 thread, sweeps as their variant says\n",
           info.cpu, info.cores, info.cpu_features, info.compiler);
    printf("kernel,variant,ns_per_item,ratio_to_reference,ceiling_ns,of_ceiling,bound\n");
}

static int usage(void) {
    fprintf(stderr, "usage: kernels [--size WxH] [--depths N] [--repeats N] [--only NAME]\n"
                    "       kernels --compare BEFORE.csv AFTER.csv\n");
    return 2;
}

/* Takes the options in; false where one is not known or out of range. */
static bool parse(int count, char **arguments, BenchOptions *options) {
    for (int k = 1; k < count; k += 2) {
        const char *value = k + 1 < count ? arguments[k + 1] : "";
        bool is_known = false;
        if (strcmp(arguments[k], "--size") == 0)
            is_known = sscanf(value, "%dx%d", &options->width, &options->height) == 2;
        else if (strcmp(arguments[k], "--depths") == 0)
            is_known = sscanf(value, "%d", &options->depths) == 1;
        else if (strcmp(arguments[k], "--repeats") == 0)
            is_known = sscanf(value, "%d", &options->repeats) == 1;
        else if (strcmp(arguments[k], "--only") == 0)
            is_known = *(options->only = value) != '\0';
        if (!is_known)
            return false;
    }
    return options->width >= 64 && options->height >= 64 && options->width <= 8192 &&
           options->height <= 8192 && options->depths >= 8 && options->depths <= 4096 &&
           options->repeats >= 1 && options->repeats <= BENCH_MAX_REPEATS;
}

int main(int count, char **arguments) {
    if (count == 4 && strcmp(arguments[1], "--compare") == 0)
        return bench_compare(arguments[2], arguments[3]) ? 0 : 1;
    BenchOptions options = {640, 480, 64, 11, ""};
    if (!parse(count, arguments, &options))
        return usage();
    print_machine();
    const bool is_good = bench_measure_ceilings(options.repeats) && bench_all_kernels(&options) &&
                         bench_all_near(&options) && bench_all_scale(&options) &&
                         bench_all_patches(&options) && bench_all_dense(&options) &&
                         bench_all_fusion(&options) && bench_all_surface(&options) &&
                         bench_all_paint(&options) && bench_all_sweeps(&options);
    return is_good ? 0 : 1;
}
