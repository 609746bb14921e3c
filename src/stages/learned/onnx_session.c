/* Sessions of ONNX Runtime behind types that own what they hold. */
#include "stages/learned/onnx_session.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"

const char *aqm_element_name(int element) {
    static const char *const names[] = {"no tensor",  "float",   "uint8",  "int8",   "uint16",
                                        "int16",      "int32",   "int64",  "string", "bool",
                                        "float16",    "double",  "uint32", "uint64", "complex64",
                                        "complex128", "bfloat16"};
    const size_t index = (size_t)element;
    return index < sizeof names / sizeof names[0] ? names[index] : "unknown";
}

static size_t element_size(AqmElement element) {
    return element == AQM_ELEMENT_INT64 ? 8 : 4;
}

/* A failure while a file is used is one of the file. */
static AqmStatus check(OrtStatus *result, const AqmSession *s, AqmDiag *diag) {
    return aqm_onnx_check(s->onnx, result, AQM_ERROR_FORMAT, s->path, diag);
}

/* ---- what a model says ----------------------------------------------------------------------- */

static AqmStatus read_info(const AqmSession *s, const OrtTensorInfo *info, int *element,
                           size_t *rank, int64_t shape[AQM_RANK_MAX], AqmDiag *diag) {
    const OrtApi *api = s->onnx->api;
    int64_t dimensions[64] = {0};
    AQM_TRY(check(api->element_type(info, element), s, diag));
    AQM_TRY(check(api->rank(info, rank), s, diag));
    if (*rank > sizeof dimensions / sizeof dimensions[0])
        return aqm_fail(diag, AQM_ERROR_FORMAT, "%s: a tensor of %zu dimensions", s->path, *rank);
    if (*rank) /* a scalar's shape is not asked for: some versions refuse */
        AQM_TRY(check(api->shape(info, dimensions, *rank), s, diag));
    memcpy(shape, dimensions, AQM_RANK_MAX * sizeof *shape);
    return AQM_OK;
}

static AqmStatus read_port(const AqmSession *s, size_t index, bool is_input, AqmPort *port,
                           AqmDiag *diag) {
    const OrtApi *api = s->onnx->api;
    OrtTypeInfo *type = NULL;
    const OrtTensorInfo *info = NULL;
    char *name = NULL;
    AQM_TRY(check(is_input ? api->input_name(s->session, index, s->onnx->allocator, &name)
                           : api->output_name(s->session, index, s->onnx->allocator, &name),
                  s, diag));
    port->name = aqm_strdup(name);
    AQM_TRY(check(api->allocator_free(s->onnx->allocator, name), s, diag));
    if (!port->name)
        return aqm_fail_memory(diag, "a model's description", 1, sizeof *port);
    AQM_TRY(check(is_input ? api->input_type(s->session, index, &type)
                           : api->output_type(s->session, index, &type),
                  s, diag));
    AqmStatus status = check(api->cast_to_tensor_info(type, &info), s, diag);
    if (status == AQM_OK && info) /* else a sequence or a map: AQM_ELEMENT_NONE */
        status = read_info(s, info, &port->element, &port->rank, port->shape, diag);
    api->release_type_info(type);
    return status;
}

static AqmStatus read_ports(AqmSession *s, AqmDiag *diag) {
    const OrtApi *api = s->onnx->api;
    size_t inputs = 0, outputs = 0;
    AQM_TRY(check(api->input_count(s->session, &inputs), s, diag));
    AQM_TRY(check(api->output_count(s->session, &outputs), s, diag));
    s->inputs = aqm_calloc(inputs, sizeof *s->inputs);
    s->outputs = aqm_calloc(outputs, sizeof *s->outputs);
    if (!s->inputs || !s->outputs)
        return aqm_fail_memory(diag, "a model's description", inputs + outputs, sizeof(AqmPort));
    while (s->input_count < inputs) { /* counted first: one that fails may own its name */
        const size_t i = s->input_count++;
        AQM_TRY(read_port(s, i, true, &s->inputs[i], diag));
    }
    while (s->output_count < outputs) {
        const size_t i = s->output_count++;
        AQM_TRY(read_port(s, i, false, &s->outputs[i], diag));
    }
    return AQM_OK;
}

/* ---- open and close -------------------------------------------------------------------------- */

/* The library reads the file itself and calls every failure one of the format. */
static AqmStatus check_file(const char *path, AqmDiag *diag) {
    struct stat info;
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return aqm_fail(diag, AQM_ERROR_IO, "%s: %s", path, strerror(errno));
    const bool is_known = fstat(file, &info) == 0;
    close(file);
    if (!is_known || !S_ISREG(info.st_mode))
        return aqm_fail(diag, AQM_ERROR_IO, "%s: not a regular file; an ONNX model is wanted",
                        path);
    if (info.st_size == 0)
        return aqm_fail(diag, AQM_ERROR_FORMAT, "%s: the file is empty", path);
    return AQM_OK;
}

static AqmStatus create_session(AqmSession *s, int threads, AqmDiag *diag) {
    const OrtApi *api = s->onnx->api;
    OrtSessionOptions *options = NULL;
    AqmStatus status = check(api->create_session_options(&options), s, diag);
    if (status != AQM_OK)
        return status;
    AQM_TRY_GOTO(status, done,
                 check(api->set_intra_op_threads(options, aqm_thread_count(threads)), s, diag));
    AQM_TRY_GOTO(status, done,
                 check(api->set_graph_optimization_level(options, AQM_ORT_OPTIMIZE_ALL), s, diag));
    /* Plans of the memory help where every run has the same shapes. Counts of keypoints differ. */
    AQM_TRY_GOTO(status, done, check(api->disable_mem_pattern(options), s, diag));
    status = check(api->create_session(s->onnx->env, s->path, options, &s->session), s, diag);
done:
    api->release_session_options(options);
    return status;
}

AqmStatus aqm_session_open(AqmSession **out, AqmOnnx *onnx, const char *path, int threads,
                           AqmDiag *diag) {
    AQM_TRY(check_file(path, diag));
    AqmSession *session = aqm_calloc(1, sizeof *session);
    if (!session)
        return aqm_fail_memory(diag, "a model", 1, sizeof *session);
    AqmStatus status;
    session->onnx = onnx;
    session->path = aqm_strdup(path);
    if (!session->path) {
        status = aqm_fail_memory(diag, "a model", 1, strlen(path));
        goto fail;
    }
    AQM_TRY_GOTO(status, fail, create_session(session, threads, diag));
    AQM_TRY_GOTO(status, fail, read_ports(session, diag));
    *out = session;
    return AQM_OK;
fail:
    aqm_session_close(&session);
    return status;
}

static void free_ports(AqmPort *ports, size_t count) {
    for (size_t i = 0; ports && i < count; i++)
        aqm_free(ports[i].name);
    aqm_free(ports);
}

void aqm_session_close(AqmSession **session) {
    if (!session || !*session)
        return;
    AqmSession *s = *session;
    if (s->session)
        s->onnx->api->release_session(s->session);
    free_ports(s->inputs, s->input_count);
    free_ports(s->outputs, s->output_count);
    aqm_free(s->path);
    aqm_free(s);
    *session = NULL;
}

static const AqmPort *find(const AqmPort *ports, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(ports[i].name, name) == 0)
            return &ports[i];
    return NULL;
}

const AqmPort *aqm_session_input(const AqmSession *session, const char *name) {
    return find(session->inputs, session->input_count, name);
}

const AqmPort *aqm_session_output(const AqmSession *session, const char *name) {
    return find(session->outputs, session->output_count, name);
}

/* ---- run ------------------------------------------------------------------------------------- */

static AqmStatus make_value(const AqmSession *s, const AqmTensorIn *in, OrtValue **value,
                            AqmDiag *diag) {
    size_t bytes = element_size(in->element);
    for (size_t i = 0; i < in->rank; i++)
        bytes *= (size_t)in->shape[i];
    /* The library does not write to its inputs; its interface has one kind of tensor. */
    return check(s->onnx->api->create_tensor_with_data(s->onnx->memory, (void *)(uintptr_t)in->data,
                                                       bytes, in->shape, in->rank, (int)in->element,
                                                       value),
                 s, diag);
}

static AqmStatus read_value(const AqmSession *s, AqmTensorOut *out, AqmDiag *diag) {
    const OrtApi *api = s->onnx->api;
    OrtTensorInfo *info = NULL;
    void *data = NULL;
    int is_tensor = 0;
    AQM_TRY(check(api->is_tensor(out->value, &is_tensor), s, diag));
    if (!is_tensor)
        return aqm_fail(diag, AQM_ERROR_FORMAT, "%s: output %s is no tensor", s->path, out->name);
    AQM_TRY(check(api->tensor_info(out->value, &info), s, diag));
    const AqmStatus status = read_info(s, info, &out->element, &out->rank, out->shape, diag);
    api->release_tensor_info(info);
    AQM_TRY(status);
    if (out->rank > AQM_RANK_MAX)
        return aqm_fail(diag, AQM_ERROR_FORMAT, "%s: output %s has %zu dimensions", s->path,
                        out->name, out->rank);
    out->count = 1;
    for (size_t i = 0; i < out->rank; i++)
        out->count *= (size_t)out->shape[i];
    AQM_TRY(check(api->tensor_data(out->value, &data), s, diag));
    out->data = data;
    return AQM_OK;
}

static void release_values(const AqmSession *s, OrtValue **values, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (values[i])
            s->onnx->api->release_value(values[i]);
}

AqmStatus aqm_session_run(AqmSession *session, const AqmTensorIn *in, size_t in_count,
                          AqmTensorOut *out, size_t out_count, AqmDiag *diag) {
    assert(in_count <= AQM_PORTS_MAX && out_count <= AQM_PORTS_MAX);
    OrtValue *inputs[AQM_PORTS_MAX] = {0}, *outputs[AQM_PORTS_MAX] = {0};
    const char *in_names[AQM_PORTS_MAX], *out_names[AQM_PORTS_MAX];
    AqmTensorOut results[AQM_PORTS_MAX] = {0};
    AqmStatus status = AQM_OK;
    for (size_t i = 0; i < in_count; i++) {
        in_names[i] = in[i].name;
        AQM_TRY_GOTO(status, done, make_value(session, &in[i], &inputs[i], diag));
    }
    for (size_t i = 0; i < out_count; i++)
        out_names[i] = out[i].name;
    AQM_TRY_GOTO(status, done,
                 check(session->onnx->api->run(session->session, NULL, in_names,
                                               (const OrtValue *const *)inputs, in_count, out_names,
                                               out_count, outputs),
                       session, diag));
    for (size_t i = 0; i < out_count; i++) {
        results[i] = (AqmTensorOut){.name = out[i].name, .value = outputs[i]};
        AQM_TRY_GOTO(status, done, read_value(session, &results[i], diag));
    }
    memcpy(out, results, out_count * sizeof *out);
    memset(outputs, 0, sizeof outputs); /* they belong to `out` now */
done:
    release_values(session, inputs, in_count);
    release_values(session, outputs, out_count);
    return status;
}

void aqm_tensors_release(AqmSession *session, AqmTensorOut *out, size_t out_count) {
    for (size_t i = 0; i < out_count; i++) {
        if (out[i].value)
            session->onnx->api->release_value(out[i].value);
        out[i] = (AqmTensorOut){.name = out[i].name};
    }
}
