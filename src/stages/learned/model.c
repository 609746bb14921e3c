/* What a model is, told by the names, types and shapes of its inputs and outputs.
 *
 * The table below is both the rule and the text of the message that a file which fits nothing gets.
 * Names of inputs decide, since no two kinds have the same; then types and shapes must fit. In a
 * shape a number is a length that the file must have or leave open, "1|3" is either, a letter is
 * any length, and " / " parts shapes of which one must fit. */
#include "stages/learned/model.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"

typedef struct PortSpec {
    const char *name, *elements, *shapes;
    bool is_optional;
} PortSpec;

typedef struct KindSpec {
    const char *name;
    PortSpec inputs[7], outputs[4]; /* one more than are used: a name of NULL ends them */
} KindSpec;

#define IMAGE_SHAPE "1 1|3 H W"
#define KEYPOINTS                                                                                  \
    { "keypoints", "float int64 int32", "1 N 2 / N 2", false }
#define SCORES                                                                                     \
    { "scores", "float", "1 N / N", false }
#define DESCRIPTORS                                                                                \
    { "descriptors", "float", "1 N D / N D", false }
#define MATCHER_INPUTS                                                                             \
    {"kpts0", "float", "1 M 2", false}, {"kpts1", "float", "1 N 2", false},                        \
        {"desc0", "float", "1 M D", false}, {                                                      \
        "desc1", "float", "1 N D", false                                                           \
    }
#define MATCHER_OUTPUTS                                                                            \
    {"matches0", "int64 int32 float", "1 M / M / K 2", false}, {                                   \
        "mscores0", "float", "1 M / M / K", false                                                  \
    }

static const KindSpec kinds[] = {
    [AQM_MODEL_EXTRACTOR] = {"an extractor",
                             {{"image", "float", IMAGE_SHAPE, false}},
                             {KEYPOINTS, SCORES, DESCRIPTORS}},
    [AQM_MODEL_MATCHER] = {"a matcher", {MATCHER_INPUTS}, {MATCHER_OUTPUTS}},
    [AQM_MODEL_PIPELINE] = {"extractor and matcher in one",
                            {{"images", "float", "2 1|3 H W", false}},
                            {{"keypoints", "float int64 int32", "2 N 2", false},
                             {"matches", "int64 int32", "K 3", false},
                             {"mscores", "float", "K", false}}},
    [AQM_MODEL_COLMAP_EXTRACTOR] = {"an extractor of COLMAP",
                                    {{"image", "float", IMAGE_SHAPE, false},
                                     {"max_keypoints", "int64", "scalar / 1", false},
                                     {"min_score", "float", "scalar / 1", false}},
                                    {{"keypoints", "float", "1 N 2 / N 2", false},
                                     SCORES,
                                     DESCRIPTORS}},
    [AQM_MODEL_COLMAP_MATCHER] = {"a matcher of COLMAP",
                                  {MATCHER_INPUTS,
                                   {"image_size0", "float", "1 2 / 2", false},
                                   {"image_size1", "float", "1 2 / 2", false}},
                                  {MATCHER_OUTPUTS}},
    [AQM_MODEL_DENSE] = {"a dense matcher",
                         {{"img_A", "float", "1 3 H W", false},
                          {"img_B", "float", "1 3 H W", false}},
                         {{"warp_AB", "float", "1 H W 2", false},
                          {"overlap_AB", "float", "1 H W 1 / 1 H W", false},
                          {"precision_AB", "float", "1 H W 2 2 / 1 H W 1", true}}},
};
enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

/* ---- text ------------------------------------------------------------------------------------ */

/* A message in the making; what does not fit is cut. */
typedef struct Text {
    char text[AQM_DIAG_MAX];
    size_t length;
} Text;

__attribute__((format(printf, 2, 3))) static void add(Text *text, const char *format, ...) {
    va_list arguments;
    const size_t room = sizeof text->text - text->length;
    va_start(arguments, format);
    const int length = vsnprintf(text->text + text->length, room, format, arguments);
    va_end(arguments);
    if (length > 0)
        text->length += (size_t)length < room ? (size_t)length : room - 1;
}

static void add_shape(Text *text, size_t rank, const int64_t *shape) {
    add(text, "[");
    for (size_t i = 0; i < rank && i < AQM_RANK_MAX; i++) {
        add(text, "%s", i ? " " : "");
        if (shape[i] < 0)
            add(text, "?");
        else
            add(text, "%lld", (long long)shape[i]);
    }
    add(text, rank > AQM_RANK_MAX ? " ...]" : "]");
}

static void add_ports(Text *text, const AqmPort *ports, size_t count) {
    enum { SHOWN = 8 };
    for (size_t i = 0; i < count && i < SHOWN; i++) {
        add(text, "%s%.40s %s ", i ? ", " : "", ports[i].name, aqm_element_name(ports[i].element));
        add_shape(text, ports[i].rank, ports[i].shape);
    }
    add(text, "%s", count > SHOWN ? ", ..." : count ? "" : "nothing");
}

static void add_specs(Text *text, const PortSpec *specs, bool in_full) {
    for (size_t i = 0; specs[i].name; i++) {
        add(text, "%s%s", i ? ", " : "", specs[i].name);
        if (in_full)
            add(text, " %s [%s]", specs[i].elements, specs[i].shapes);
        add(text, "%s", specs[i].is_optional ? " or without" : "");
    }
}

static AqmStatus fail_kind(const AqmSession *s, const char *reason, const KindSpec *one,
                           AqmDiag *diag) {
    Text text = {.length = 0};
    add(&text, "%.300s: %s. It takes ", s->path, reason);
    add_ports(&text, s->inputs, s->input_count);
    add(&text, " and gives ");
    add_ports(&text, s->outputs, s->output_count);
    add(&text, ". Accepted: ");
    for (size_t k = 0; k < KIND_COUNT; k++) {
        if (one && one != &kinds[k])
            continue;
        add(&text, "%s%s (", !one && k ? "; " : "", kinds[k].name);
        add_specs(&text, kinds[k].inputs, one);
        add(&text, " -> ");
        add_specs(&text, kinds[k].outputs, one);
        add(&text, ")");
    }
    return aqm_fail(diag, AQM_ERROR_FORMAT, "%s", text.text);
}

/* ---- recognition ----------------------------------------------------------------------------- */

/* Does one dimension fit the word at `word` ("2", "1|3", "H")? */
static bool length_fits(int64_t length, const char *word) {
    if (length < 0 || *word < '0' || *word > '9')
        return true;
    char *end;
    while (strtoll(word, &end, 10) != length) {
        if (*end != '|')
            return false;
        word = end + 1;
    }
    return true;
}

static bool shape_fits(size_t rank, const int64_t *shape, const char *pattern, size_t size) {
    if (size >= 6 && strncmp(pattern, "scalar", 6) == 0)
        return rank == 0;
    size_t words = 0;
    for (const char *at = pattern; at && at < pattern + size; words++) {
        if (words == rank || !length_fits(shape[words], at))
            return false;
        at = memchr(at, ' ', (size_t)(pattern + size - at));
        at = at ? at + 1 : NULL;
    }
    return words == rank;
}

static bool port_fits(const AqmPort *port, const PortSpec *spec, bool is_output) {
    if (port->element == AQM_ELEMENT_NONE ||
        !strstr(spec->elements, aqm_element_name(port->element)))
        return false;
    if (is_output && port->rank == 0) /* exporters leave shapes out; each run is checked again */
        return true;
    for (const char *at = spec->shapes;;) {
        const char *end = strstr(at, " / ");
        if (port->rank <= AQM_RANK_MAX &&
            shape_fits(port->rank, port->shape, at, end ? (size_t)(end - at) : strlen(at)))
            return true;
        if (!end)
            return false;
        at = end + 3;
    }
}

static bool takes_exactly(const AqmSession *s, const KindSpec *kind) {
    size_t count = 0;
    for (; kind->inputs[count].name; count++)
        if (!aqm_session_input(s, kind->inputs[count].name))
            return false;
    return count == s->input_count;
}

static AqmStatus check_kind(const AqmSession *s, const KindSpec *kind, AqmDiag *diag) {
    char reason[160];
    for (size_t side = 0; side < 2; side++)
        for (const PortSpec *spec = side ? kind->outputs : kind->inputs; spec->name; spec++) {
            const AqmPort *port =
                side ? aqm_session_output(s, spec->name) : aqm_session_input(s, spec->name);
            if (port ? port_fits(port, spec, side) : spec->is_optional)
                continue;
            snprintf(reason, sizeof reason, "%s by its inputs, but %s %s", kind->name, spec->name,
                     port ? "has another type or shape" : "is missing");
            return fail_kind(s, reason, kind, diag);
        }
    return AQM_OK;
}

/* The sides of an image input (the last two dimensions); 0 where they are open. */
static AqmStatus take_image(AqmModel *model, const char *name, AqmDiag *diag) {
    const AqmPort *port = aqm_session_input(model->session, name);
    int *const sides[] = {&model->height, &model->width};
    for (size_t i = 0; i < 2; i++) {
        const int64_t length = port->shape[2 + i];
        if (length < 0)
            continue;
        if (length < 1 || length > 65535 || (*sides[i] && *sides[i] != length))
            return aqm_fail(diag, AQM_ERROR_FORMAT,
                            "%s: input %s wants an image with a side of %lld; 1 to 65535, and "
                            "both images alike, is what can be given",
                            model->session->path, name, (long long)length);
        *sides[i] = (int)length;
    }
    /* One that leaves its channels open was made from a model of colours. */
    model->channels = port->shape[1] == 1 ? 1 : 3;
    return AQM_OK;
}

static AqmStatus recognise(AqmModel *model, AqmDiag *diag) {
    for (size_t k = 0; k < KIND_COUNT; k++) {
        if (!takes_exactly(model->session, &kinds[k]))
            continue;
        AQM_TRY(check_kind(model->session, &kinds[k], diag));
        model->kind = (AqmModelKind)k;
        model->has_precision = aqm_session_output(model->session, "precision_AB");
        for (const PortSpec *spec = kinds[k].inputs; spec->name; spec++)
            if (strncmp(spec->name, "image", 5) == 0 || strncmp(spec->name, "img", 3) == 0)
                if (strncmp(spec->name, "image_size", 10) != 0)
                    AQM_TRY(take_image(model, spec->name, diag));
        return AQM_OK;
    }
    return fail_kind(model->session, "none of the models that are known, by its inputs", NULL,
                     diag);
}

AqmStatus aqm_model_open(AqmModel **out, AqmOnnx *onnx, const char *path, int threads,
                         AqmDiag *diag) {
    AqmModel *model = aqm_calloc(1, sizeof *model);
    if (!model)
        return aqm_fail_memory(diag, "a model", 1, sizeof *model);
    AqmStatus status;
    AQM_TRY_GOTO(status, fail, aqm_session_open(&model->session, onnx, path, threads, diag));
    AQM_TRY_GOTO(status, fail, recognise(model, diag));
    *out = model;
    return AQM_OK;
fail:
    aqm_model_close(&model);
    return status;
}

void aqm_model_close(AqmModel **model) {
    if (!model || !*model)
        return;
    aqm_session_close(&(*model)->session);
    aqm_free(*model);
    *model = NULL;
}

AqmModelKind aqm_model_kind(const AqmModel *model) {
    return model->kind;
}

const char *aqm_model_kind_name(AqmModelKind kind) {
    return kinds[kind].name;
}

/* ---- what comes out -------------------------------------------------------------------------- */

AqmStatus aqm_model_fail_output(const AqmModel *model, const AqmTensorOut *out, AqmDiag *diag,
                                const char *expected, ...) {
    Text is = {.length = 0}, wanted = {.length = 0};
    va_list arguments;
    add_shape(&is, out->rank, out->shape);
    va_start(arguments, expected);
    vsnprintf(wanted.text, sizeof wanted.text, expected, arguments);
    va_end(arguments);
    return aqm_fail(diag, AQM_ERROR_FORMAT, "%s: output %s is %s %s; expected is %s",
                    model->session->path, out->name, aqm_element_name(out->element), is.text,
                    wanted.text);
}

bool aqm_tensor_is(const AqmTensorOut *out, size_t rank, const int64_t *shape) {
    if (out->rank != rank)
        return false;
    for (size_t i = 0; i < rank; i++)
        if (shape[i] >= 0 && shape[i] != out->shape[i])
            return false;
    return true;
}

AqmStatus aqm_model_check_floats(const AqmModel *model, const AqmTensorOut *out, bool is_share,
                                 AqmDiag *diag) {
    const float *values = out->data, slack = 1e-3f;
    if (out->element != AQM_ELEMENT_FLOAT)
        return aqm_model_fail_output(model, out, diag, "float");
    for (size_t i = 0; i < out->count; i++)
        if (!isfinite(values[i]) || (is_share && !(values[i] >= -slack && values[i] <= 1 + slack)))
            return aqm_fail(diag, AQM_ERROR_FORMAT, "%s: output %s holds %g (value %zu of %zu); %s",
                            model->session->path, out->name, (double)values[i], i, out->count,
                            is_share ? "0 to 1 is expected" : "a number is expected");
    return AQM_OK;
}
