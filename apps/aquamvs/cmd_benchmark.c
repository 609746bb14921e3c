/* aquamvs benchmark: runs a suite of data sets x configurations, or compares two such runs. */
#include <aquamvs/benchmark.h>
#include <aquamvs/io.h>

#include <math.h>
#include <stdio.h>
#include <time.h>

#include "cli.h"
#include "commands.h"
#include "interruption.h"

enum { CLI_REGRESSION = 3 };

typedef struct BenchmarkArguments {
    const char *paths[2], *output_dir, *json, *baseline;
    bool compare, visualize, keep, all, quiet;
} BenchmarkArguments;

static void print_more(void) {
    printf("\nA suite is a YAML file: docs/benchmarks.md has its keys; examples/ has ci.yaml, "
           "pathways.yaml and\npresets.yaml.\n"
           "--compare judges B by A: accuracy and completeness by their thresholds (suite: "
           "thresholds), times and\nmemory only where they moved beyond the spread of the "
           "repeats.\n"
           "Exit status: 0 done, 1 some cells failed (see report.md), 2 wrong input, 3 a "
           "regression (--compare),\n130 interrupted.\n");
}

static int parse_arguments(int argc, char **argv, BenchmarkArguments *a) {
    const CliOption options[] = {
        {0, "output-dir", "D", CLI_TEXT, &a->output_dir, 0, 0,
         "the run folder (default: benchmark_SUITE_DATE_TIME)"},
        {0, "visualize", NULL, CLI_FLAG, &a->visualize, 0, 0,
         "draw bars, error maps and depth maps beside the truth (default: no)"},
        {0, "keep", NULL, CLI_FLAG, &a->keep, 0, 0,
         "keep data sets and results in D/work (default: no)"},
        {0, "write-baseline", "F", CLI_TEXT, &a->baseline, 0, 0,
         "write accuracy, completeness and memory to F too, for --compare F D (default: no)"},
        {0, "compare", NULL, CLI_FLAG, &a->compare, 0, 0,
         "compare run folder (or summary.json) B with A (default: run SUITE.yaml)"},
        {0, "all", NULL, CLI_FLAG, &a->all, 0, 0,
         "--compare: list what is the same, too (default: what changed)"},
        {0, "json", "F", CLI_TEXT, &a->json, 0, 0,
         "--compare: write every delta to F (default: no file)"},
        {'q', "quiet", NULL, CLI_FLAG, &a->quiet, 0, 0, "only warnings (default: a line a run)"},
    };
    const CliVerb verb = {
        .name = "benchmark",
        .arguments = "SUITE.yaml [OPTIONS] | --compare A B [OPTIONS]",
        .summary = "Runs every configuration of a suite on every data set of it and measures the "
                   "results against the\ntruth; or compares two such runs.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .positionals = a->paths,
        .positional_min = 1,
        .positional_max = 2,
        .positional_name = "SUITE.yaml",
        .epilogue = print_more,
    };
    return cli_parse(&verb, argc, argv);
}

/* ---- comparison ------------------------------------------------------------------------------ */

static void print_value(double value) {
    if (isnan(value))
        printf(" %10s", "-");
    else
        printf(" %10.4g", value);
}

static void print_delta(const AqmBenchmarkDelta *d) {
    char name[160];
    (void)snprintf(name, sizeof name, "%s, %s", d->dataset, d->configuration);
    printf("%-34s %-26s", name, d->metric);
    print_value(d->a);
    print_value(d->b);
    print_value(d->difference);
    if (isnan(d->percent))
        printf(" %9s", "-");
    else
        printf(" %+8.2f%%", d->percent);
    printf("  %s%s%s%s\n", d->is_regression ? "REGRESSION" : aqm_verdict_name(d->verdict),
           *d->note ? " (" : "", d->note, *d->note ? ")" : "");
}

static bool is_news(const AqmBenchmarkDelta *d) {
    return d->is_regression || d->verdict == AQM_VERDICT_BETTER || d->verdict == AQM_VERDICT_WORSE;
}

static void print_comparison(const AqmBenchmarkComparison *c, bool all) {
    size_t listed = 0;
    for (size_t i = 0; i < c->count; i++)
        listed += all || is_news(&c->deltas[i]);
    if (listed > 0)
        printf("%-34s %-26s %10s %10s %10s %9s\n", "data set, configuration", "measure", "A", "B",
               "B - A", "percent");
    for (size_t i = 0; i < c->count; i++)
        if (all || is_news(&c->deltas[i]))
            print_delta(&c->deltas[i]);
    printf("%zu measures, %zu better, %zu %s\n", c->count, c->improvements, c->regressions,
           c->regressions == 1 ? "regression" : "regressions");
}

static int compare(const BenchmarkArguments *a) {
    AqmBenchmarkComparison *comparison = NULL;
    AqmDiag diag = {0};
    char *text = NULL;
    if (aqm_benchmark_compare(a->paths[0], a->paths[1], &comparison, &diag) != AQM_OK)
        return cli_fail_diag("benchmark", &diag);
    AqmStatus status = AQM_OK;
    if (a->json)
        status = aqm_benchmark_comparison_to_json(comparison, &text, &diag);
    if (a->json && status == AQM_OK)
        status = aqm_text_write(a->json, text, &diag);
    aqm_free_buffer(text);
    const bool is_worse = comparison->regressions > 0;
    if (status == AQM_OK)
        print_comparison(comparison, a->all);
    aqm_benchmark_comparison_destroy(&comparison);
    return status != AQM_OK ? cli_fail_diag("benchmark", &diag)
           : is_worse       ? CLI_REGRESSION
                            : CLI_DONE;
}

/* ---- the suite ------------------------------------------------------------------------------- */

/* benchmark_SUITE_20240501_120000 */
static AqmStatus name_folder(const char *suite, char folder[160], AqmDiag *diag) {
    char name[AQM_BENCHMARK_NAME_MAX], date[32];
    const AqmStatus status = aqm_benchmark_name(suite, name, diag);
    const time_t now = time(NULL);
    struct tm local;
    (void)strftime(date, sizeof date, "%Y%m%d_%H%M%S", localtime_r(&now, &local));
    if (status == AQM_OK)
        (void)snprintf(folder, 160, "benchmark_%s_%s", name, date);
    return status;
}

static int run(const BenchmarkArguments *a) {
    char own[160];
    AqmDiag diag = {0};
    AqmBenchmarkResult result;
    CliLog messages = {.verbosity = a->quiet ? 0 : 1};
    AqmBenchmarkOptions options = {.output_dir = a->output_dir ? a->output_dir : own,
                                   .visualize = a->visualize,
                                   .keep = a->keep,
                                   .log = cli_log(&messages),
                                   .cancel = catch_interruption()};
    if (!a->output_dir && name_folder(a->paths[0], own, &diag) != AQM_OK)
        return cli_fail_diag("benchmark", &diag);
    AqmStatus status = aqm_benchmark_run(a->paths[0], &options, &result, &diag);
    if (status == AQM_OK && a->baseline)
        status = aqm_benchmark_write_baseline(options.output_dir, a->baseline, &diag);
    if (status != AQM_OK)
        return cli_fail_diag("benchmark", &diag);
    if (!a->quiet || result.failed > 0)
        fprintf(stderr, "%zu cells: %zu done, %zu without models, %zu failed\n", result.cells,
                result.done, result.without_models, result.failed);
    printf("%s/report.md\n", options.output_dir);
    return result.failed > 0 ? CLI_SOME_FAILED : CLI_DONE;
}

/* CLI_NEXT, or the exit status: options of the other way to use the verb. */
static int check_arguments(const BenchmarkArguments *a) {
    if (a->compare && !a->paths[1])
        return cli_fail("benchmark", "--compare wants two runs, A and B");
    if (a->compare && (a->output_dir || a->visualize || a->keep || a->baseline))
        return cli_fail("benchmark", "--%s has no meaning with --compare",
                        a->output_dir  ? "output-dir"
                        : a->visualize ? "visualize"
                        : a->keep      ? "keep"
                                       : "write-baseline");
    if (!a->compare && a->paths[1])
        return cli_fail("benchmark", "'%s' is one argument too many; --compare takes two runs",
                        a->paths[1]);
    if (!a->compare && (a->json || a->all))
        return cli_fail("benchmark", "--%s has no meaning without --compare",
                        a->json ? "json" : "all");
    return CLI_NEXT;
}

int aqm_cmd_benchmark(int argc, char **argv) {
    BenchmarkArguments arguments = {.quiet = false};
    int status = parse_arguments(argc, argv, &arguments);
    if (status == CLI_NEXT)
        status = check_arguments(&arguments);
    if (status != CLI_NEXT)
        return status;
    return arguments.compare ? compare(&arguments) : run(&arguments);
}
