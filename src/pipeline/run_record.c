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
#include "config/utf8.h"

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

/* Text as a JSON string. Messages hold file names, which may be any bytes; JSON is UTF-8, so what
 * is not becomes a question mark. NULL when memory is out. */
static json_t *json_text(const char *text, size_t length) {
    char *copy = aqm_alloc(length + 1, 1);
    if (!copy)
        return NULL;
    memcpy(copy, text, length);
    for (size_t at = aqm_utf8_valid_length(copy, length); at < length;
         at += aqm_utf8_valid_length(copy + at, length - at))
        copy[at] = '?';
    json_t *string = json_stringn(copy, length);
    aqm_free(copy);
    return string;
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

AqmStatus aqm_run_record_create(AqmRunRecord **out, const char *path, const AqmConfig *config,
                                AqmDiag *diag) {
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
        error = json_array_append_new(lines, json_text(text, length));
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
    if (state == AQM_FRAME_SKIPPED && json_object_get(record->frames, key))
        return AQM_OK; /* an earlier run told more of it */
    json_t *entry = json_object();
    const char *word = state == AQM_FRAME_FAILED ? "failed" : "done";
    int error = !entry || json_object_set_new(entry, "status", json_string(word));
    if (state == AQM_FRAME_FAILED)
        error |= json_object_set_new(entry, "reason", json_text(reason, strlen(reason)));
    if (state != AQM_FRAME_SKIPPED) {
        error |= json_object_set_new(entry, "wall_s", json_real(total_wall_s(report)));
        error |= json_object_set_new(entry, "stages", stages_of(report));
        error |= json_object_set_new(entry, "warnings", lines_of(report->warnings));
    }
    error |= json_object_set_new(record->frames, key, entry);
    return error ? no_memory(diag) : AQM_OK;
}

AqmStatus aqm_run_record_warn(AqmRunRecord *record, const char *message, AqmDiag *diag) {
    return json_array_append_new(record->warnings, json_text(message, strlen(message)))
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
                               const char *configuration, AqmDiag *diag) {
    json_t *root =
        json_pack("{s:i, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "frame", job->frame,
                  "version", aqm_version(), "configuration", configuration, "cameras_used",
                  (json_int_t)report->cameras_used, "points", (json_int_t)report->points,
                  "outliers_removed", (json_int_t)report->points_removed, "mesh_vertices",
                  (json_int_t)report->vertices, "mesh_triangles", (json_int_t)report->triangles,
                  "cameras", cameras_of(job, report), "warnings", lines_of(report->warnings));
    if (!root)
        return no_memory(diag);
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/frame.json", job->folder);
    const AqmStatus status = write_json(path, root, diag);
    json_decref(root);
    return status;
}

bool aqm_frame_json_read(const char *folder, char configuration[17]) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/frame.json", folder);
    configuration[0] = '\0';
    if (access(path, F_OK) != 0)
        return false;
    json_t *root = json_load_file(path, 0, NULL);
    const char *digest = root ? json_string_value(json_object_get(root, "configuration")) : NULL;
    if (digest && strlen(digest) == 16)
        memcpy(configuration, digest, 17);
    json_decref(root);
    return true;
}

/* ---- configuration --------------------------------------------------------------------------- */

/* FNV-1a, 64 bits (Fowler, Noll & Vo), over the lines of the YAML that matter. */
AqmStatus aqm_configuration_digest(const AqmConfig *config, char digest[17], AqmDiag *diag) {
    static const char *const without[] = {
        "output_dir:",    "  threads:",    "  device:",    "  quiet:",
        "  frame_start:", "  frame_stop:", "  frame_step:"};
    char *text = NULL;
    AQM_TRY(aqm_config_to_yaml(config, NULL, &text, diag));
    uint64_t hash = 14695981039346656037u;
    for (const char *line = text; *line;) {
        const size_t length = strcspn(line, "\n");
        bool counts = true;
        for (size_t k = 0; k < sizeof without / sizeof without[0]; k++)
            counts &= strncmp(line, without[k], strlen(without[k])) != 0;
        for (size_t k = 0; counts && k < length; k++)
            hash = (hash ^ (unsigned char)line[k]) * 1099511628211u;
        line += length + (line[length] == '\n');
    }
    aqm_free_buffer(text);
    snprintf(digest, 17, "%016llx", (unsigned long long)hash);
    return AQM_OK;
}
