#include "aquamvs/info.h"

#include <stdio.h>
#include <string.h>

#include "aquamvs/learned.h"
#include "base/cpu.h"
#include "kernels/kernels.h"
#include "pipeline/commit.h"

static void list_features(unsigned features, char *text, size_t size) {
    static const struct {
        unsigned bit;
        const char *names;
    } known[] = {{AQM_CPU_SSE41, "sse4.1"},
                 {AQM_CPU_AVX2, "avx2 fma"},
                 {AQM_CPU_AVX512, "avx512f avx512bw avx512dq avx512vl"},
                 {AQM_CPU_NEON, "neon"}};
    text[0] = '\0';
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const size_t length = strlen(text);
        if (features & known[i].bit)
            snprintf(text + length, size - length, "%s%s", length ? " " : "", known[i].names);
    }
}

static void find_onnx(AqmInfo *info) {
    AqmOnnx *onnx = NULL;
    AqmDiag diag = {0};
    if (aqm_onnx_open(&onnx, &diag) == AQM_OK) {
        snprintf(info->onnx_version, sizeof info->onnx_version, "%s", aqm_onnx_version(onnx));
        snprintf(info->onnx_path, sizeof info->onnx_path, "%s", aqm_onnx_path(onnx));
    }
    memcpy(info->onnx_missing, diag.message, sizeof info->onnx_missing);
    aqm_onnx_close(&onnx);
}

void aqm_info(AqmInfo *info) {
    *info = (AqmInfo) {
        .version = aqm_version(), .commit = aqm_commit,
#if defined(__clang__)
        .compiler = "clang " __clang_version__,
#else
        .compiler = "gcc " __VERSION__,
#endif
        .cores = aqm_cpu_cores(),
    };
    aqm_cpu_name(info->cpu, sizeof info->cpu);
    list_features(aqm_cpu_features(), info->cpu_features, sizeof info->cpu_features);
    snprintf(info->kernels, sizeof info->kernels, "%s", aqm_kernels(aqm_cpu_features())->name);
    find_onnx(info);
}
