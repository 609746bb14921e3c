#include "benchmark/cell.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "aquamvs/evaluate.h"
#include "aquamvs/pipeline.h"
#include "base/alloc.h"
#include "benchmark/run_cost.h"
#include "pipeline/models.h"

const char *aqm_cell_status_name(AqmCellStatus status) {
    static const char *const names[] = {"done", "failed", "models not given"};
    return names[status];
}

/* ---- the configuration ----------------------------------------------------------------------- */

static AqmStatus apply(const AqmCell *cell, const AqmCellPlace *place, AqmConfig *config,
                       AqmDiag *diag) {
    const AqmSuiteConfiguration *c = cell->configuration;
    aqm_config_apply_preset(config, c->preset);
    config->quality_preset = c->preset;
    for (size_t k = 0; k < c->setting_count; k++)
        AQM_TRY(aqm_config_set(config, c->settings[k].name, c->settings[k].value, diag));
    return aqm_config_set(config, "output_dir", place->output, diag);
}

AqmStatus aqm_cell_configure(const AqmCell *cell, const AqmCellPlace *place, AqmConfig **out,
                             AqmDiag *diag) {
    char path[PATH_MAX];
    AqmConfig *config = NULL;
    snprintf(path, sizeof path, "%s/config.yaml", place->truth);
    AQM_TRY(aqm_config_read(path, NULL, 0, NULL, &config, diag));
    const AqmStatus status = apply(cell, place, config, diag);
    if (status == AQM_OK)
        *out = config;
    else
        aqm_config_destroy(&config);
    return status;
}

void aqm_cell_cloud_path(const AqmConfig *config, int frame, char path[PATH_MAX]) {
    snprintf(path, PATH_MAX, "%s/frame_%06d/point_cloud/%s.ply", config->output_dir, frame,
             config->pipeline_mode == AQM_MODE_SPARSE ? "sparse" : "fused");
}

/* ---- what run.json tells --------------------------------------------------------------------- */

static json_t *frame_of(const json_t *root, int frame) {
    char key[32];
    snprintf(key, sizeof key, "%06d", frame);
    return json_object_get(json_object_get(root, "frames"), key);
}

static double number_of(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

/* Times of the stages, and the largest of their peaks. */
static void take_stages(const json_t *frame, AqmCellRuns *runs) {
    const json_t *stages = json_object_get(frame, "stages");
    const size_t r = runs->count;
    double peak = (double)NAN;
    for (int s = 0; s < AQM_STAGE_COUNT; s++) {
        const json_t *stage = json_object_get(stages, aqm_stage_name((AqmStage)s));
        runs->stage_wall_s[s][r] = number_of(stage, "wall_s");
        runs->stage_cpu_s[s][r] = number_of(stage, "cpu_s");
        peak = fmax(peak, number_of(stage, "peak_bytes"));
    }
    runs->allocated_mb[r] = 1e-6 * peak;
}

static AqmStatus fail_frame(const json_t *frame, const char *record, AqmDiag *diag) {
    const char *reason = json_string_value(json_object_get(frame, "reason"));
    return aqm_fail(diag, AQM_ERROR_NO_DATA, "%s%s", reason ? reason : "no frame was made: see ",
                    reason ? "" : record);
}

/* ---- the run --------------------------------------------------------------------------------- */

typedef struct CellLog {
    const AqmLog *log;
    const AqmCell *cell;
} CellLog;

static void pass_warning(void *user, AqmLogLevel level, const char *message) {
    const CellLog *to = user;
    if (level == AQM_LOG_WARNING)
        aqm_log(to->log, level, "%s, %s: %s", to->cell->dataset->name,
                to->cell->configuration->name, message);
}

static AqmStatus run_once(AqmCell *cell, const AqmConfig *config, const AqmLog *log,
                          const volatile int *cancel, AqmDiag *diag) {
    AqmCellRuns *runs = &cell->runs;
    CellLog to = {log, cell};
    AqmRunOptions options = {.has_frames = true,
                             .frame_start = cell->dataset->frame,
                             .frame_stop = cell->dataset->frame + 1,
                             .frame_step = 1,
                             .force = true,
                             .cancel = cancel};
    if (runs->count == 0)
        options.log = (AqmLog){pass_warning, &to};
    AqmRunResult result;
    const AqmRunClock clock = aqm_run_clock_start();
    AQM_TRY(aqm_run(config, &options, &result, diag));
    const AqmRunCost cost = aqm_run_clock_stop(&clock);
    json_t *record = json_load_file(result.record, 0, NULL);
    const json_t *frame = frame_of(record, cell->dataset->frame);
    AqmStatus status = AQM_OK;
    if (result.frames_done != 1) {
        status = fail_frame(frame, result.record, diag);
    } else {
        runs->wall_s[runs->count] = cost.wall_s;
        runs->cpu_s[runs->count] = cost.cpu_s;
        runs->others_pct[runs->count] = cost.others_pct;
        runs->resident_mb[runs->count] = cost.resident_mb;
        take_stages(frame, runs);
        runs->count++;
    }
    json_decref(record);
    return status;
}

static AqmStatus measure(AqmCell *cell, const AqmConfig *config, const char *truth,
                         double tolerance_mm, AqmDiag *diag) {
    char path[PATH_MAX];
    AqmEvaluateOptions options = aqm_evaluate_options_default();
    options.frame = cell->dataset->frame;
    options.min_views = cell->dataset->min_views;
    options.tolerance_m = 1e-3 * tolerance_mm;
    options.mesh_spacing_m = 0.002; /* as the samples of the truth: a sixth of the usual time */
    aqm_cell_cloud_path(config, cell->dataset->frame, path);
    AQM_TRY(aqm_evaluate_ply(path, truth, &options, &cell->cloud, diag));
    cell->has_cloud = true;
    snprintf(path, sizeof path, "%s/frame_%06d/mesh/surface.ply", config->output_dir,
             cell->dataset->frame);
    if (access(path, F_OK) != 0)
        return AQM_OK; /* no surface came out: what is told of the cloud stays true */
    AQM_TRY(aqm_evaluate_ply(path, truth, &options, &cell->mesh, diag));
    cell->has_mesh = true;
    return AQM_OK;
}

/* Learned matchers: are their files there, and what runs them? */
static AqmStatus check_models(AqmCell *cell, const AqmConfig *config, AqmDiag *diag) {
    AqmModels *models = NULL;
    const AqmStatus status = aqm_models_open(&models, config, diag);
    aqm_models_close(&models);
    if (status == AQM_ERROR_UNSUPPORTED)
        cell->status = AQM_CELL_NO_MODELS;
    return status;
}

static AqmStatus run_and_measure(AqmCell *cell, const AqmCellPlace *place, double tolerance_mm,
                                 const AqmLog *log, const volatile int *cancel, AqmDiag *diag) {
    AqmConfig *config = NULL;
    const bool is_first = cell->runs.count == 0;
    AQM_TRY(aqm_cell_configure(cell, place, &config, diag));
    AqmStatus status = is_first ? check_models(cell, config, diag) : AQM_OK;
    if (status == AQM_OK)
        status = run_once(cell, config, log, cancel, diag);
    if (status == AQM_OK && is_first)
        status = measure(cell, config, place->truth, tolerance_mm, diag);
    aqm_config_destroy(&config);
    return status;
}

AqmStatus aqm_cell_run(AqmCell *cell, const AqmCellPlace *place, double tolerance_mm,
                       const AqmLog *log, const volatile int *cancel, AqmDiag *diag) {
    AqmDiag why = {0};
    const AqmStatus status = run_and_measure(cell, place, tolerance_mm, log, cancel, &why);
    if (status == AQM_ERROR_INTERRUPTED)
        return aqm_fail(diag, status, "%s", why.message);
    if (status == AQM_OK)
        return AQM_OK;
    if (cell->status == AQM_CELL_DONE)
        cell->status = AQM_CELL_FAILED;
    snprintf(cell->reason, sizeof cell->reason, "%s", why.message);
    cell->has_cloud = cell->has_mesh = false;
    cell->runs.count = 0; /* no figure of a run that went wrong */
    return AQM_OK;
}
