#include "pipeline/run_record.h"

#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aquamvs/info.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "config/config_values.h"
#include "pipeline/input_digest.h"
#include "pipeline/json_text.h"

struct AqmRunRecord {
    char *path;
    json_t *root, *frames, *warnings;
};

static AqmStatus no_memory(AqmDiag *diag) {
    return aqm_fail(diag, AQM_ERROR_MEMORY, "out of memory: writing run.json");
}

/* Writes `root` as indented JSON. */
static AqmStatus write_json(const char *path, const json_t *root, AqmDiag *diag) {
    char *text = json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    if (!text)
        return no_memory(diag);
    const AqmStatus status = aqm_text_write(path, text, diag);
    free(text);
    return status;
}

/* ---- run.json -------------------------------------------------------------------------------- */

static json_t *describe_host(const AqmConfig *config) {
    AqmInfo info;
    char host[256] = "";
    aqm_info(&info);
    (void)gethostname(host, sizeof host - 1);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i}", "program", "aquamvs",
                     "version", info.version, "commit", info.commit, "host", host, "cpu", info.cpu,
                     "cpu_features", info.cpu_features, "kernels", info.kernels, "cores",
                     info.cores, "threads", aqm_thread_count(config->runtime.threads));
}

/* NULL when memory is out. */
static json_t *describe_choice(const AqmFrameChoice *choice) {
    char shard[32] = "1/1";
    if (choice->shard_count > 0)
        snprintf(shard, sizeof shard, "%d/%d", choice->shard_index, choice->shard_count);
    return json_pack("{s:i, s:o, s:i, s:s, s:b}", "frame_start", choice->start, "frame_stop",
                     choice->stop < 0 ? json_null() : json_integer(choice->stop), "frame_step",
                     choice->step, "shard", shard, "force", (int)choice->force);
}

bool aqm_run_record_is_done(const char *path) {
    json_t *root = json_load_file(path, 0, NULL);
    const char *word = root ? json_string_value(json_object_get(root, "status")) : NULL;
    const bool is_done = word && strcmp(word, "done") == 0;
    json_decref(root);
    return is_done;
}

AqmStatus aqm_run_record_create(AqmRunRecord **out, const char *path, const AqmConfig *config,
                                const AqmFrameChoice *choice, AqmDiag *diag) {
    AqmRunRecord *record = aqm_calloc(1, sizeof *record);
    if (!record)
        return no_memory(diag);
    record->path = aqm_strdup(path);
    record->root = describe_host(config);
    json_t *earlier = json_load_file(path, 0, NULL);
    json_t *frames = earlier ? json_object_get(earlier, "frames") : NULL;
    record->frames = json_is_object(frames) ? json_incref(frames) : json_object();
    record->warnings = json_array();
    json_decref(earlier);
    if (!record->path || !record->root || !record->frames || !record->warnings ||
        json_object_set_new(record->root, "arguments", describe_choice(choice)) != 0 ||
        json_object_set(record->root, "warnings", record->warnings) != 0 ||
        json_object_set(record->root, "frames", record->frames) != 0) {
        aqm_run_record_destroy(&record);
        return no_memory(diag);
    }
    *out = record;
    return AQM_OK;
}

void aqm_run_record_destroy(AqmRunRecord **record) {
    if (!record || !*record)
        return;
    json_decref((*record)->warnings);
    json_decref((*record)->frames);
    json_decref((*record)->root);
    aqm_free((*record)->path);
    aqm_free(*record);
    *record = NULL;
}

/* Lines of text as an array of strings. */
static json_t *lines_of(const char *text) {
    json_t *lines = json_array();
    int error = lines == NULL;
    while (!error && *text) {
        const size_t length = strcspn(text, "\n");
        error = json_array_append_new(lines, aqm_json_text(text, length));
        text += length + (text[length] == '\n');
    }
    if (!error)
        return lines;
    json_decref(lines);
    return NULL;
}

static json_t *stages_of(const AqmFrameReport *report) {
    json_t *stages = json_object();
    for (int s = 0; stages && s < AQM_STAGE_COUNT; s++) {
        const AqmTraceSpan *span = &report->spans[s];
        if (span->wall_s > 0.0)
            json_object_set_new(stages, aqm_stage_name((AqmStage)s),
                                json_pack("{s:f, s:f, s:I, s:I}", "wall_s", span->wall_s, "cpu_s",
                                          span->cpu_s, "allocated_bytes",
                                          (json_int_t)span->allocated_bytes, "peak_bytes",
                                          (json_int_t)span->peak_bytes));
    }
    return stages;
}

static double total_wall_s(const AqmFrameReport *report) {
    double total = 0.0;
    for (int s = 0; s < AQM_STAGE_COUNT; s++)
        total += report->spans[s].wall_s;
    return total;
}

AqmStatus aqm_run_record_add(AqmRunRecord *record, const AqmFrameJob *job, AqmFrameState state,
                             const AqmFrameReport *report, const char *reason, AqmDiag *diag) {
    char key[32];
    snprintf(key, sizeof key, "%06d", job->frame);
    const char *earlier =
        json_string_value(json_object_get(json_object_get(record->frames, key), "status"));
    if (state == AQM_FRAME_SKIPPED && earlier && strcmp(earlier, "failed") != 0)
        return AQM_OK; /* an earlier run told more of it */
    json_t *entry = json_object();
    const char *word = state == AQM_FRAME_FAILED ? "failed" : "done";
    int error = !entry || json_object_set_new(entry, "status", json_string(word));
    if (state == AQM_FRAME_FAILED)
        error |= json_object_set_new(entry, "reason", aqm_json_text(reason, strlen(reason)));
    if (state != AQM_FRAME_SKIPPED) {
        error |= json_object_set_new(entry, "wall_s", json_real(total_wall_s(report)));
        error |= json_object_set_new(entry, "stages", stages_of(report));
        error |= json_object_set_new(entry, "warnings", lines_of(report->warnings));
    }
    error |= json_object_set_new(record->frames, key, entry);
    return error ? no_memory(diag) : AQM_OK;
}

AqmStatus aqm_run_record_warn(AqmRunRecord *record, const char *message, AqmDiag *diag) {
    return json_array_append_new(record->warnings, aqm_json_text(message, strlen(message)))
               ? no_memory(diag)
               : AQM_OK;
}

AqmStatus aqm_run_record_write(AqmRunRecord *record, const char *state, double elapsed_s,
                               AqmDiag *diag) {
    if (json_object_set_new(record->root, "status", json_string(state)) ||
        json_object_set_new(record->root, "elapsed_s", json_real(elapsed_s)))
        return no_memory(diag);
    return write_json(record->path, record->root, diag);
}

/* ---- frame.json ------------------------------------------------------------------------------ */

static json_t *cameras_of(const AqmFrameJob *job, const AqmFrameReport *report) {
    json_t *cameras = json_object();
    int error = cameras == NULL;
    for (size_t c = 0; !error && c < job->inputs->camera_count; c++) {
        const AqmDepthRange range = report->ranges[c];
        json_t *entry = isnan(range.min_m)
                            ? json_object()
                            : json_pack("{s:[f, f]}", "depth_range_m", range.min_m, range.max_m);
        error = json_object_set_new(cameras, job->inputs->cameras[c].camera->name, entry);
    }
    if (!error)
        return cameras;
    json_decref(cameras);
    return NULL;
}

AqmStatus aqm_frame_json_write(const AqmFrameJob *job, const AqmFrameReport *report,
                               const AqmFrameOrigin *origin, AqmDiag *diag) {
    json_t *root = json_pack(
        "{s:i, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "frame",
        job->frame, "version", aqm_version(), "configuration", origin->configuration, "inputs",
        origin->inputs, "cameras_used", (json_int_t)report->cameras_used, "matches",
        (json_int_t)report->matches, "sparse_points", (json_int_t)report->sparse_points, "points",
        (json_int_t)report->points, "outliers_removed", (json_int_t)report->points_removed,
        "mesh_vertices", (json_int_t)report->vertices, "mesh_vertices_unseen",
        (json_int_t)report->unseen_vertices, "mesh_triangles", (json_int_t)report->triangles,
        "cameras", cameras_of(job, report), "warnings", lines_of(report->warnings));
    if (!root)
        return no_memory(diag);
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/frame.json", job->folder);
    const AqmStatus status = write_json(path, root, diag);
    json_decref(root);
    return status;
}

static void take_digest(const json_t *root, const char *key, char digest[17]) {
    const char *text = root ? json_string_value(json_object_get(root, key)) : NULL;
    if (text && strlen(text) == 16)
        memcpy(digest, text, 17);
}

bool aqm_frame_json_read(const char *folder, AqmFrameOrigin *origin) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/frame.json", folder);
    *origin = (AqmFrameOrigin){.configuration = ""};
    if (access(path, F_OK) != 0)
        return false;
    json_t *root = json_load_file(path, 0, NULL);
    take_digest(root, "configuration", origin->configuration);
    take_digest(root, "inputs", origin->inputs);
    json_decref(root);
    return true;
}

/* ---- configuration --------------------------------------------------------------------------- */

static bool counts(const AqmOption *option) {
    static const char *const without[] = {
        "quality_preset",
        "preprocessing.frame_start",
        "preprocessing.frame_stop",
        "preprocessing.frame_step",
        "reconstruction.depth_batch_size",
        "runtime.threads",
        "runtime.device",
        "runtime.quiet",
        "runtime.icp_max_distance",
        "runtime.viz_enabled",
        "runtime.viz_stages",
    };
    char name[AQM_OPTION_NAME_MAX];
    aqm_option_name(option, name);
    for (size_t k = 0; k < sizeof without / sizeof without[0]; k++)
        if (strcmp(name, without[k]) == 0)
            return false;
    return option->kind != AQM_OPTION_PATH && option->kind != AQM_OPTION_CAMERAS;
}

AqmStatus aqm_configuration_digest(const AqmConfig *config, char digest[17], AqmDiag *diag) {
    AqmTextBuffer buffer = {0};
    AqmStatus status = AQM_OK;
    for (size_t k = 0; k < aqm_option_count() && status == AQM_OK; k++) {
        const AqmOption *option = aqm_option_at(k);
        if (!counts(option))
            continue;
        char name[AQM_OPTION_NAME_MAX];
        aqm_option_name(option, name);
        aqm_text_addf(&buffer, "%s: ", name);
        status = aqm_value_write(config, option, NULL, &buffer, diag);
        aqm_text_add(&buffer, "\n");
    }
    if (status == AQM_OK && buffer.failed)
        status = no_memory(diag);
    if (status == AQM_OK)
        aqm_hash_format(aqm_hash_text(AQM_HASH_START, buffer.text), digest);
    aqm_free(buffer.text);
    return status;
}
