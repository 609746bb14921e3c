/* A profile as JSON. What is not known is null. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "aquamvs/info.h"
#include "aquamvs/io.h"
#include "base/diag.h"
#include "pipeline/profile_parts.h"

static json_t *known(int64_t value) {
    return value >= 0 ? json_integer(value) : json_null();
}

/* Sets all figures in `object`. */
static int set_figures(json_t *object, const AqmProfileFigures *f) {
    int error = json_object_set_new(object, "wall_s", json_real(f->wall_s));
    error |= json_object_set_new(object, "cpu_s", json_real(f->cpu_s));
    error |= json_object_set_new(object, "wait_s",
                                 isnan(f->wait_s) ? json_null() : json_real(f->wait_s));
    error |= json_object_set_new(object, "threads_busy",
                                 json_real(f->wall_s > 0.0 ? f->cpu_s / f->wall_s : 0.0));
    error |= json_object_set_new(object, "allocations", json_integer((json_int_t)f->allocations));
    error |= json_object_set_new(object, "allocated_bytes",
                                 json_integer((json_int_t)f->allocated_bytes));
    error |= json_object_set_new(object, "peak_bytes", json_integer((json_int_t)f->peak_bytes));
    error |= json_object_set_new(object, "read_bytes", known(f->read_bytes));
    error |= json_object_set_new(object, "written_bytes", known(f->written_bytes));
    error |= json_object_set_new(object, "instructions", known(f->instructions));
    error |= json_object_set_new(object, "cycles", known(f->cycles));
    error |= json_object_set_new(object, "cache_misses", known(f->cache_misses));
    return error;
}

static json_t *json_of_parts(const AqmProfile *profile, size_t parent, int *error);

/* Of a task nothing is known of allocations, which the process counts as a whole. */
static json_t *json_of_entry(const AqmProfile *profile, size_t k, int *error) {
    const AqmProfileEntry *entry = &profile->entries[k];
    json_t *object = json_pack("{s:s, s:b, s:I}", "name", entry->name, "task", entry->is_task,
                               "calls", (json_int_t)entry->calls);
    *error |= !object || set_figures(object, &entry->figures);
    if (entry->is_task) {
        *error |= json_object_set_new(object, "allocations", json_null());
        *error |= json_object_set_new(object, "allocated_bytes", json_null());
        *error |= json_object_set_new(object, "peak_bytes", json_null());
    }
    *error |= json_object_set_new(object, "parts", json_of_parts(profile, k, error));
    return object;
}

static json_t *json_of_parts(const AqmProfile *profile, size_t parent, int *error) {
    json_t *parts = json_array();
    for (size_t k = 0; k < profile->count; k++)
        if (profile->entries[k].parent == parent)
            *error |= json_array_append_new(parts, json_of_entry(profile, k, error));
    return parts;
}

/* ["stereo", "view", "search"] */
static json_t *json_of_place(const AqmProfile *profile, size_t entry, int *error) {
    json_t *names = json_array();
    for (; entry != AQM_PROFILE_FRAME; entry = profile->entries[entry].parent)
        *error |= json_array_insert_new(names, 0, json_string(profile->entries[entry].name));
    return names;
}

static json_t *json_of_findings(const AqmProfile *profile, int *error) {
    json_t *findings = json_array();
    for (size_t k = 0; k < profile->finding_count; k++) {
        const AqmProfileFinding *f = &profile->findings[k];
        *error |= json_array_append_new(
            findings,
            json_pack("{s:o, s:f, s:f, s:f, s:f, s:f, s:s, s:s}", "place",
                      json_of_place(profile, f->entry, error), "wall_s",
                      profile->entries[f->entry].figures.wall_s, "share", f->share, "threads_busy",
                      f->threads_busy, "threads_ready", f->threads_ready, "efficiency",
                      f->efficiency, "limit", aqm_profile_limit_name(f->limit), "text", f->text));
    }
    return findings;
}

static json_t *json_of(const AqmProfile *profile, int *error) {
    AqmInfo info;
    aqm_info(&info);
    json_t *total = json_object();
    *error |= !total || set_figures(total, &profile->total);
    return json_pack("{s:s, s:s, s:s, s:i, s:i, s:f, s:o, s:f, s:f, s:I, s:I, s:o, s:o, s:o}",
                     "version", info.version, "commit", info.commit, "cpu", info.cpu, "frame",
                     profile->frame, "threads", profile->threads, "prepare_s", profile->prepare_s,
                     "total", total, "stages_s", profile->stages_s, "rest_s", profile->rest_s,
                     "scopes", (json_int_t)profile->scopes, "dropped", (json_int_t)profile->dropped,
                     "no_counts",
                     profile->no_counts[0] ? json_string(profile->no_counts) : json_null(),
                     "bottlenecks", json_of_findings(profile, error), "stages",
                     json_of_parts(profile, AQM_PROFILE_FRAME, error));
}

AqmStatus aqm_profile_write_json(const char *path, const AqmProfile *profile, AqmDiag *diag) {
    int error = 0;
    json_t *root = json_of(profile, &error);
    char *text = root && !error ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(root);
    if (!text)
        return aqm_fail(diag, AQM_ERROR_MEMORY, "out of memory: writing %s", path);
    const AqmStatus status = aqm_text_write(path, text, diag);
    free(text);
    return status;
}
