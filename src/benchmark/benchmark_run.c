/* The order of a benchmark: data sets, then every cell `repeats` times in turn, then the files.
 *
 * Repeats are the outer loop: what else the machine does, which comes and goes over minutes, then
 * meets all cells alike, and the spread of a cell's times holds it. */
#include "aquamvs/benchmark.h"

#include <ftw.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "benchmark/benchmark_pictures.h"
#include "benchmark/results.h"
#include "config/config_paths.h"
#include "evaluate/truth.h"

static const char head[] = "# aquamvs benchmark: the suite as run\n";

typedef struct Work {
    const AqmBenchmarkOptions *options;
    char *folder; /* the run folder, absolute */
    AqmSuite *suite;
    AqmResults results;
} Work;

/* ---- places ---------------------------------------------------------------------------------- */

__attribute__((format(printf, 4, 5))) static AqmStatus
place(const Work *work, char path[PATH_MAX], AqmDiag *diag, const char *format, ...) {
    int length = snprintf(path, PATH_MAX, "%s/", work->folder);
    if (length > 0 && length < PATH_MAX) {
        va_list arguments;
        va_start(arguments, format);
        length += vsnprintf(path + length, PATH_MAX - (size_t)length, format, arguments);
        va_end(arguments);
    }
    /* leave room for the files of a frame */
    if (length < 0 || length >= PATH_MAX - 256)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "%s: the name is too long", work->folder);
    return AQM_OK;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where) {
    (void)status;
    (void)kind;
    (void)where;
    (void)remove(path);
    return 0;
}

/* A folder of our own with all that is in it; a missing one is fine. */
static void remove_tree(const char *path) {
    (void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static AqmStatus dataset_folder(const Work *work, const AqmSuiteDataset *dataset,
                                char path[PATH_MAX], AqmDiag *diag) {
    if (!dataset->folder)
        return place(work, path, diag, "work/datasets/%s", dataset->name);
    if (snprintf(path, PATH_MAX, "%s", dataset->folder) >= PATH_MAX - 256)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "%s: the name is too long", dataset->folder);
    return AQM_OK;
}

/* ---- the run folder -------------------------------------------------------------------------- */

static bool is_ours(const Work *work) {
    char path[PATH_MAX], begin[sizeof head] = "";
    if (place(work, path, NULL, "config.yaml") != AQM_OK)
        return false;
    FILE *file = fopen(path, "r");
    const size_t count = file ? fread(begin, 1, sizeof head - 1, file) : 0;
    if (file)
        (void)fclose(file);
    return count == sizeof head - 1 && memcmp(begin, head, count) == 0;
}

/* Until the new summary is written the folder holds no results, whatever it held before. */
static AqmStatus take_folder(const Work *work, AqmDiag *diag) {
    static const char *const old_files[] = {"summary.json", "results.csv", "report.md",
                                            "accuracy.png", "times.png"};
    static const char *const old_folders[] = {"configurations", "pictures", "work"};
    char path[PATH_MAX];
    if (!aqm_folder_is_free(work->folder) && !is_ours(work))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "%s: not a folder, or it holds files that are not an earlier benchmark; "
                        "name a new folder or empty this one",
                        work->folder);
    AQM_TRY(aqm_make_folders(work->folder, diag));
    for (size_t k = 0; k < sizeof old_files / sizeof old_files[0]; k++) {
        AQM_TRY(place(work, path, diag, "%s", old_files[k]));
        (void)unlink(path);
    }
    for (size_t k = 0; k < sizeof old_folders / sizeof old_folders[0]; k++) {
        AQM_TRY(place(work, path, diag, "%s", old_folders[k]));
        remove_tree(path);
    }
    return AQM_OK;
}

static AqmStatus write_suite(const Work *work, AqmDiag *diag) {
    char path[PATH_MAX];
    AqmTextBuffer yaml = {0};
    AQM_TRY(place(work, path, diag, "config.yaml"));
    aqm_text_add(&yaml, head);
    aqm_suite_write(work->suite, &yaml);
    const AqmStatus status = yaml.failed ? aqm_fail_memory(diag, path, 1, yaml.capacity)
                                         : aqm_text_write(path, yaml.text, diag);
    aqm_free(yaml.text);
    return status;
}

/* ---- data sets and cells --------------------------------------------------------------------- */

/* Data sets in folders are looked at before anything is rendered. */
static AqmStatus check_folders(const Work *work, AqmDiag *diag) {
    for (size_t i = 0; i < work->suite->dataset_count; i++) {
        const AqmSuiteDataset *dataset = &work->suite->datasets[i];
        AqmTruth *truth = NULL;
        if (!dataset->folder)
            continue;
        const AqmStatus status = aqm_truth_read(&truth, dataset->folder, dataset->frame, diag);
        aqm_truth_destroy(&truth);
        if (status != AQM_OK) {
            aqm_diag_prefix(diag, "data set %s: ", dataset->name);
            return status;
        }
    }
    return AQM_OK;
}

static bool is_cancelled(const Work *work) {
    return work->options->cancel && *work->options->cancel;
}

static AqmStatus render(const Work *work, AqmDiag *diag) {
    for (size_t i = 0; i < work->suite->dataset_count; i++) {
        const AqmSuiteDataset *dataset = &work->suite->datasets[i];
        char path[PATH_MAX];
        if (dataset->folder)
            continue;
        if (is_cancelled(work))
            return aqm_fail(diag, AQM_ERROR_INTERRUPTED, "interrupted before data set %s",
                            dataset->name);
        AQM_TRY(dataset_folder(work, dataset, path, diag));
        AQM_TRY(aqm_make_folders(path, diag));
        aqm_log(&work->options->log, AQM_LOG_INFO, "%s: rendering", dataset->name);
        const AqmStatus status = aqm_synth_write(&dataset->synth, path, NULL, diag);
        if (status != AQM_OK) {
            aqm_diag_prefix(diag, "data set %s: ", dataset->name);
            return status;
        }
    }
    return AQM_OK;
}

static AqmStatus write_configuration(const Work *work, const AqmCell *cell, const AqmCellPlace *at,
                                     AqmDiag *diag) {
    char path[PATH_MAX], *text = NULL;
    AqmConfig *config = NULL;
    AQM_TRY(place(work, path, diag, "configurations/%s", cell->dataset->name));
    AQM_TRY(aqm_make_folders(path, diag));
    AQM_TRY(place(work, path, diag, "configurations/%s/%s.yaml", cell->dataset->name,
                  cell->configuration->name));
    AQM_TRY(aqm_cell_configure(cell, at, &config, diag));
    AqmStatus status = aqm_config_to_yaml(config, NULL, &text, diag);
    if (status == AQM_OK)
        status = aqm_text_write(path, text, diag);
    aqm_free_buffer(text);
    aqm_config_destroy(&config);
    return status;
}

static AqmStatus draw_cell(const Work *work, const AqmCell *cell, const AqmCellPlace *at,
                           AqmDiag *diag) {
    char folder[PATH_MAX];
    AqmConfig *config = NULL;
    AQM_TRY(place(work, folder, diag, "pictures"));
    AQM_TRY(aqm_make_folders(folder, diag));
    AQM_TRY(aqm_cell_configure(cell, at, &config, diag));
    const AqmStatus status = aqm_cell_draw(cell, at, config, folder, diag);
    aqm_config_destroy(&config);
    return status;
}

static void tell_cell(const Work *work, const AqmCell *cell, int repeat) {
    const AqmLog *log = &work->options->log;
    const char *dataset = cell->dataset->name, *configuration = cell->configuration->name;
    if (cell->status != AQM_CELL_DONE)
        aqm_log(log, cell->status == AQM_CELL_FAILED ? AQM_LOG_WARNING : AQM_LOG_INFO,
                "%s, %s: %s: %s", dataset, configuration, aqm_cell_status_name(cell->status),
                cell->reason);
    else
        aqm_log(log, AQM_LOG_INFO, "%s, %s: run %d of %d: %.2f s, RMS %.3f mm", dataset,
                configuration, repeat + 1, work->suite->repeats,
                cell->runs.wall_s[cell->runs.count - 1], cell->cloud.in_region.rms_mm);
}

static AqmStatus run_cell(const Work *work, AqmCell *cell, int repeat, AqmDiag *diag) {
    char truth[PATH_MAX], output[PATH_MAX];
    AQM_TRY(dataset_folder(work, cell->dataset, truth, diag));
    AQM_TRY(place(work, output, diag, "work/runs/%s/%s", cell->dataset->name,
                  cell->configuration->name));
    const AqmCellPlace at = {truth, output};
    if (repeat == 0)
        AQM_TRY(write_configuration(work, cell, &at, diag));
    AQM_TRY(aqm_cell_run(cell, &at, work->suite->tolerance_mm, &work->options->log,
                         work->options->cancel, diag));
    tell_cell(work, cell, repeat);
    if (repeat == 0 && work->options->visualize && cell->status == AQM_CELL_DONE)
        AQM_TRY(draw_cell(work, cell, &at, diag));
    if (!work->options->keep)
        remove_tree(output);
    return AQM_OK;
}

static AqmStatus run_cells(Work *work, AqmDiag *diag) {
    AqmResults *results = &work->results;
    const AqmSuite *suite = work->suite;
    results->cell_count = suite->dataset_count * suite->configuration_count;
    results->cells = aqm_calloc(results->cell_count, sizeof *results->cells);
    if (!results->cells)
        return aqm_fail_memory(diag, "the cells of a benchmark", results->cell_count,
                               sizeof *results->cells);
    for (size_t i = 0; i < results->cell_count; i++) {
        results->cells[i].dataset = &suite->datasets[i / suite->configuration_count];
        results->cells[i].configuration = &suite->configurations[i % suite->configuration_count];
    }
    for (int repeat = 0; repeat < suite->repeats; repeat++)
        for (size_t i = 0; i < results->cell_count; i++)
            if (results->cells[i].status == AQM_CELL_DONE)
                AQM_TRY(run_cell(work, &results->cells[i], repeat, diag));
    return AQM_OK;
}

/* ---- the files ------------------------------------------------------------------------------- */

static AqmStatus write_results(const Work *work, AqmDiag *diag) {
    static const struct {
        const char *name;
        AqmStatus (*make)(const AqmResults *results, char **text, AqmDiag *diag);
    } files[] = {{"results.csv", aqm_results_to_csv},
                 {"report.md", aqm_results_to_report},
                 {"summary.json", aqm_results_to_json}}; /* last: by it the others are whole */
    for (size_t k = 0; k < sizeof files / sizeof files[0]; k++) {
        char path[PATH_MAX], *text = NULL;
        AQM_TRY(place(work, path, diag, "%s", files[k].name));
        AQM_TRY(files[k].make(&work->results, &text, diag));
        const AqmStatus status = aqm_text_write(path, text, diag);
        aqm_free(text);
        AQM_TRY(status);
    }
    return AQM_OK;
}

static AqmStatus run_suite(Work *work, AqmDiag *diag) {
    const time_t now = time(NULL);
    struct tm utc;
    (void)strftime(work->results.date, sizeof work->results.date, "%Y-%m-%dT%H:%M:%SZ",
                   gmtime_r(&now, &utc));
    work->results.suite = work->suite;
    work->results.has_pictures = work->options->visualize;
    AQM_TRY(check_folders(work, diag));
    AQM_TRY(take_folder(work, diag));
    AQM_TRY(write_suite(work, diag));
    AQM_TRY(render(work, diag));
    AQM_TRY(run_cells(work, diag));
    if (work->options->visualize)
        AQM_TRY(aqm_results_draw(&work->results, work->folder, diag));
    return write_results(work, diag);
}

static void count_cells(const AqmResults *results, AqmBenchmarkResult *result) {
    result->cells = results->cell_count;
    for (size_t i = 0; i < results->cell_count; i++) {
        result->done += results->cells[i].status == AQM_CELL_DONE;
        result->failed += results->cells[i].status == AQM_CELL_FAILED;
        result->without_models += results->cells[i].status == AQM_CELL_NO_MODELS;
    }
}

AqmStatus aqm_benchmark_run(const char *suite_path, const AqmBenchmarkOptions *options,
                            AqmBenchmarkResult *result, AqmDiag *diag) {
    Work work = {.options = options};
    char path[PATH_MAX];
    *result = (AqmBenchmarkResult){.name = ""};
    AQM_TRY(aqm_suite_read(suite_path, &work.suite, diag));
    memcpy(result->name, work.suite->name, sizeof result->name);
    work.folder = aqm_path_absolute(options->output_dir);
    AqmStatus status =
        work.folder ? run_suite(&work, diag) : aqm_fail_memory(diag, "a path", 1, PATH_MAX);
    if (work.results.cells)
        count_cells(&work.results, result);
    if (work.folder && work.results.cells && !options->keep &&
        place(&work, path, NULL, "work") == AQM_OK)
        remove_tree(path);
    aqm_free(work.results.cells);
    aqm_free(work.folder);
    aqm_suite_destroy(&work.suite);
    return status;
}

AqmStatus aqm_benchmark_name(const char *suite_path, char name[AQM_BENCHMARK_NAME_MAX],
                             AqmDiag *diag) {
    AqmSuite *suite = NULL;
    AQM_TRY(aqm_suite_read(suite_path, &suite, diag));
    memcpy(name, suite->name, AQM_BENCHMARK_NAME_MAX);
    aqm_suite_destroy(&suite);
    return AQM_OK;
}
