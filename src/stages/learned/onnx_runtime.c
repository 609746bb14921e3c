/* Finding and loading ONNX Runtime. The library stays in the process once it is loaded: it starts
 * threads and keeps state of its own that unloading would pull away from under it. */
#include "stages/learned/onnx_runtime.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"

#define HOW_TO_GET                                                                                 \
    "install it with tools/get-onnxruntime, or set AQUAMVS_ONNXRUNTIME to a libonnxruntime.so of " \
    "version 1.17 or later"

enum { PATH_SIZE = 4096, REASON_SIZE = 800 };

AqmStatus aqm_onnx_check(const AqmOnnx *onnx, OrtStatus *result, AqmStatus status,
                         const char *context, AqmDiag *diag) {
    if (!result)
        return AQM_OK;
    char reason[REASON_SIZE];
    snprintf(reason, sizeof reason, "%s", onnx->api->get_error_message(result));
    for (char *at = reason; *at; at++)
        if ((unsigned char)*at < ' ')
            *at = ' ';
    onnx->api->release_status(result);
    return aqm_fail(diag, status, "%s: %s", context, reason);
}

/* Where tools/get-onnxruntime puts the library; "" where there is no home. */
static void installed_path(char *path, size_t size) {
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    static const char tail[] = "aquamvs/onnxruntime/libonnxruntime.so.1";
    path[0] = '\0';
    if (data && *data)
        snprintf(path, size, "%s/%s", data, tail);
    else if (home && *home)
        snprintf(path, size, "%s/.local/share/%s", home, tail);
}

/* The first of the places that has a library that loads; NULL and a diagnostic where none has. */
static void *load(AqmDiag *diag) {
    const int flags = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE;
    const char *chosen = getenv("AQUAMVS_ONNXRUNTIME");
    if (chosen && *chosen) {
        void *library = dlopen(chosen, flags);
        if (!library)
            (void)aqm_fail(diag, AQM_ERROR_UNSUPPORTED,
                           "ONNX Runtime cannot be loaded from $AQUAMVS_ONNXRUNTIME: %.800s; set "
                           "it to a libonnxruntime.so, or unset it",
                           dlerror());
        return library;
    }
    char installed[PATH_SIZE];
    installed_path(installed, sizeof installed);
    const char *const names[] = {"libonnxruntime.so.1", "libonnxruntime.so", installed};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        void *library = *names[i] ? dlopen(names[i], flags) : NULL;
        if (library)
            return library;
    }
    (void)aqm_fail(diag, AQM_ERROR_UNSUPPORTED,
                   "ONNX Runtime, which runs the learned matchers, was not found: "
                   "$AQUAMVS_ONNXRUNTIME is not set, the loader knows no libonnxruntime.so.1 and "
                   "no libonnxruntime.so, and %.900s cannot be loaded; " HOW_TO_GET,
                   *installed ? installed : "there is no home folder whose copy");
    return NULL;
}

/* The library's entry, and from which file it comes. */
static AqmStatus find_api(AqmOnnx *onnx, void *library, AqmDiag *diag) {
    Dl_info from = {0};
    void *symbol = dlsym(library, "OrtGetApiBase");
    const char *chosen = getenv("AQUAMVS_ONNXRUNTIME");
    if (!symbol)
        return aqm_fail(diag, AQM_ERROR_UNSUPPORTED,
                        "%.900s is not ONNX Runtime: it has no function OrtGetApiBase; " HOW_TO_GET,
                        chosen && *chosen ? chosen : "libonnxruntime.so.1");
    const OrtApiBase *(*get_base)(void);
    memcpy(&get_base, &symbol, sizeof get_base); /* C has no cast from an object to a function */
    const char *path = dladdr(symbol, &from) && from.dli_fname ? from.dli_fname : "unknown";
    const OrtApiBase *base = get_base();
    onnx->api = base->get_api(AQM_ORT_API_VERSION);
    if (!onnx->api)
        return aqm_fail(
            diag, AQM_ERROR_UNSUPPORTED,
            "%.900s is ONNX Runtime %s, which does not have version %d of the C API; " HOW_TO_GET,
            path, base->get_version(), AQM_ORT_API_VERSION);
    onnx->path = aqm_strdup(path);
    onnx->version = aqm_strdup(base->get_version());
    return onnx->path && onnx->version ? AQM_OK : aqm_fail_memory(diag, "ONNX Runtime", 1, 64);
}

AqmStatus aqm_onnx_open(AqmOnnx **out, AqmDiag *diag) {
    AqmOnnx *onnx = aqm_calloc(1, sizeof *onnx);
    AqmStatus status = AQM_ERROR_UNSUPPORTED;
    if (!onnx)
        return aqm_fail_memory(diag, "ONNX Runtime", 1, sizeof *onnx);
    void *library = load(diag);
    if (!library)
        goto fail;
    AQM_TRY_GOTO(status, fail, find_api(onnx, library, diag));
    const OrtApi *api = onnx->api;
    AQM_TRY_GOTO(status, fail,
                 aqm_onnx_check(onnx, api->create_env(AQM_ORT_LOG_FATAL, "aquamvs", &onnx->env),
                                AQM_ERROR_UNSUPPORTED, onnx->path, diag));
    AQM_TRY_GOTO(status, fail,
                 aqm_onnx_check(onnx,
                                api->create_cpu_memory_info(AQM_ORT_DEVICE_ALLOCATOR,
                                                            AQM_ORT_MEMORY_DEFAULT, &onnx->memory),
                                AQM_ERROR_UNSUPPORTED, onnx->path, diag));
    AQM_TRY_GOTO(status, fail,
                 aqm_onnx_check(onnx, api->default_allocator(&onnx->allocator),
                                AQM_ERROR_UNSUPPORTED, onnx->path, diag));
    *out = onnx;
    return AQM_OK;
fail:
    aqm_onnx_close(&onnx);
    return status;
}

void aqm_onnx_close(AqmOnnx **onnx) {
    if (!onnx || !*onnx)
        return;
    AqmOnnx *o = *onnx;
    if (o->memory)
        o->api->release_memory_info(o->memory);
    if (o->env)
        o->api->release_env(o->env);
    aqm_free(o->version);
    aqm_free(o->path);
    aqm_free(o);
    *onnx = NULL;
}

const char *aqm_onnx_version(const AqmOnnx *onnx) {
    return onnx->version;
}

const char *aqm_onnx_path(const AqmOnnx *onnx) {
    return onnx->path;
}
