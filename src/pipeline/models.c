#include "pipeline/models.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "config/config.h"
#include "config/supported.h"

enum { NAME_MAX_LENGTH = 64 };

/* The files of a configuration: either the first two (one, for roma), or the joined one alone. */
typedef struct Files {
    char folder[2048];
    char names[2][NAME_MAX_LENGTH], joined[NAME_MAX_LENGTH];
    int count;
} Files;

static void name_files(const AqmConfig *config, Files *files) {
    static const char *const extractors[] = {"superpoint", "aliked", "disk"};
    *files = (Files){.count = 1, .names = {"roma.onnx"}};
    aqm_models_folder(config, files->folder, sizeof files->folder);
    if (config->matcher_type == AQM_MATCHER_ROMA)
        return;
    const char *extractor = extractors[config->sparse_matching.extractor_type];
    files->count = 2;
    snprintf(files->names[0], NAME_MAX_LENGTH, "%s.onnx", extractor);
    snprintf(files->names[1], NAME_MAX_LENGTH, "lightglue_%s.onnx", extractor);
    snprintf(files->joined, NAME_MAX_LENGTH, "lightglue_%s_pipeline.onnx", extractor);
}

static void path_of(const Files *files, const char *name, char path[PATH_MAX]) {
    snprintf(path, PATH_MAX, "%s/%s", files->folder, name);
}

static bool is_there(const Files *files, const char *name) {
    char path[PATH_MAX];
    path_of(files, name, path);
    return name[0] != '\0' && access(path, R_OK) == 0;
}

static AqmStatus fail_missing(const AqmConfig *config, const Files *files, AqmDiag *diag) {
    const bool is_two = files->count == 2;
    char wanted[4 * NAME_MAX_LENGTH];
    snprintf(wanted, sizeof wanted, "%s%s%s%s%s", files->names[0], is_two ? " and " : "",
             files->names[1], is_two ? ", or " : "", files->joined);
    const int found = is_there(files, files->names[0]) + is_there(files, files->names[1]);
    return aqm_fail(diag, AQM_ERROR_UNSUPPORTED,
                    "%s: matcher_type: %s needs %s, looked for in %.900s (runtime.models_dir): %d "
                    "of %d found. They are ONNX exports of the published weights, which "
                    "docs/models.md tells how to get; without them, --set matcher_type=%s",
                    config->path ? config->path : "configuration", is_two ? "lightglue" : "roma",
                    wanted, files->folder, found, files->count, is_two ? "sift" : "dense");
}

/* Opens one file, which must be one of two kinds. */
static AqmStatus open_model(const AqmModels *models, const Files *files, const char *name,
                            AqmModelKind kind, AqmModelKind or_kind, const char *what, int threads,
                            AqmModel **out, AqmDiag *diag) {
    char path[PATH_MAX];
    path_of(files, name, path);
    AQM_TRY(aqm_model_open(out, models->onnx, path, threads, diag));
    if (aqm_model_kind(*out) == kind || aqm_model_kind(*out) == or_kind)
        return AQM_OK;
    return aqm_fail(diag, AQM_ERROR_FORMAT,
                    "%s is a model of another kind: here stands %s (docs/models.md)", path, what);
}

static AqmStatus open_all(AqmModels *models, const AqmConfig *config, const Files *files,
                          AqmDiag *diag) {
    const int threads = config->runtime.threads;
    AQM_TRY(aqm_onnx_open(&models->onnx, diag));
    if (files->count == 1)
        return open_model(models, files, files->names[0], AQM_MODEL_DENSE, AQM_MODEL_DENSE,
                          "a dense matcher", threads, &models->dense, diag);
    if (!is_there(files, files->names[0]) || !is_there(files, files->names[1]))
        return open_model(models, files, files->joined, AQM_MODEL_PIPELINE, AQM_MODEL_PIPELINE,
                          "extractor and matcher in one", threads, &models->joined, diag);
    AQM_TRY(open_model(models, files, files->names[0], AQM_MODEL_EXTRACTOR,
                       AQM_MODEL_COLMAP_EXTRACTOR, "an extractor", threads, &models->extractor,
                       diag));
    return open_model(models, files, files->names[1], AQM_MODEL_MATCHER, AQM_MODEL_COLMAP_MATCHER,
                      "a matcher", threads, &models->matcher, diag);
}

AqmStatus aqm_models_open(AqmModels **out, const AqmConfig *config, AqmDiag *diag) {
    if (config->matcher_type != AQM_MATCHER_LIGHTGLUE && config->matcher_type != AQM_MATCHER_ROMA)
        return AQM_OK;
    Files files;
    name_files(config, &files);
    const bool are_there =
        is_there(&files, files.names[0]) && (files.count == 1 || is_there(&files, files.names[1]));
    if (!are_there && !is_there(&files, files.joined))
        return fail_missing(config, &files, diag);
    AqmModels *models = aqm_calloc(1, sizeof *models);
    if (!models)
        return aqm_fail_memory(diag, "models", 1, sizeof *models);
    const AqmStatus status = open_all(models, config, &files, diag);
    if (status == AQM_OK)
        *out = models;
    else
        aqm_models_close(&models);
    return status;
}

void aqm_models_close(AqmModels **models) {
    if (!*models)
        return;
    aqm_model_close(&(*models)->extractor);
    aqm_model_close(&(*models)->matcher);
    aqm_model_close(&(*models)->joined);
    aqm_model_close(&(*models)->dense);
    aqm_onnx_close(&(*models)->onnx);
    aqm_free(*models);
    *models = NULL;
}
