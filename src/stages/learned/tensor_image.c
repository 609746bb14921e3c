/* Resampling is done axis by axis with a table of taps.
 *
 * Where an axis shrinks, from n to m pixels, output i is the mean over [a, b] = [i s - 0.5,
 * (i + 1) s - 0.5], s = n / m, of the line that joins the pixels (beyond the first and the last
 * centre it is level). The mean of the pixels themselves over the same stretch would not do: with s
 * no whole number, its centre of mass wanders by up to a tenth of a pixel, while this one
 * reproduces a ramp exactly, and the image's mean too. Where an axis grows the line is sampled at
 * (i + 0.5) s - 0.5. */
#include "stages/learned/tensor_image.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"

/* ---- positions ------------------------------------------------------------------------------- */

AqmPlacement aqm_place_image(const AqmModel *model, const AqmImageView *image, int multiple) {
    const int own[2] = {model->width, model->height};
    AqmPlacement p = {.image = {image->width, image->height}};
    for (int axis = 0; axis < 2; axis++) {
        p.scaled[axis] = own[axis] ? own[axis] : p.image[axis];
        p.given[axis] =
            own[axis] ? own[axis] : (p.image[axis] + multiple - 1) / multiple * multiple;
    }
    return p;
}

void aqm_place_back(const AqmPlacement *placement, const double xy[2], float uv[2]) {
    for (int axis = 0; axis < 2; axis++)
        uv[axis] =
            (float)((xy[axis] + 0.5) * placement->image[axis] / placement->scaled[axis] - 0.5);
}

double aqm_tensor_number(const AqmTensorOut *tensor, size_t i) {
    switch (tensor->element) {
    case AQM_ELEMENT_INT64:
        return (double)((const int64_t *)tensor->data)[i];
    case AQM_ELEMENT_INT32:
        return ((const int32_t *)tensor->data)[i];
    default:
        return (double)((const float *)tensor->data)[i];
    }
}

AqmStatus aqm_read_keypoint(const AqmModel *model, const AqmTensorOut *keypoints, size_t index,
                            const AqmPlacement *placement, bool is_normalized, float uv[2],
                            bool *is_inside, AqmDiag *diag) {
    double xy[2];
    *is_inside = true;
    for (int axis = 0; axis < 2; axis++) {
        const double value = aqm_tensor_number(keypoints, 2 * index + (size_t)axis);
        const int given = placement->given[axis];
        xy[axis] = is_normalized ? (value + 1.0) / 2.0 * (given - 1) : value;
        if (!(xy[axis] >= -1.5 && xy[axis] <= given + 0.5)) /* the image ends at -0.5: one more */
            return aqm_fail(diag, AQM_ERROR_FORMAT,
                            "%s: keypoint %zu has the %s %g, more than a pixel out of the image "
                            "of %d x %d that the model was given",
                            model->session->path, index, axis ? "row" : "column", xy[axis],
                            placement->given[0], placement->given[1]);
    }
    aqm_place_back(placement, xy, uv);
    for (int axis = 0; axis < 2; axis++)
        if (!(uv[axis] >= -0.5f && uv[axis] <= (float)placement->image[axis] - 0.5f))
            *is_inside = false;
    return AQM_OK;
}

/* ---- resampling ------------------------------------------------------------------------------ */

/* Output i of an axis is the sum over k < width of weight[i * width + k] times input first[i] + k.
 */
typedef struct Taps {
    int width, *first;
    float *weight;
} Taps;

static void free_taps(Taps *taps) {
    aqm_free(taps->first);
    aqm_free(taps->weight);
}

/* The integral of max(0, 1 - |t|) up to t. */
static double hat_integral(double t) {
    if (t <= -1.0)
        return 0.0;
    if (t >= 1.0)
        return 1.0;
    return t <= 0.0 ? 0.5 * (t + 1.0) * (t + 1.0) : 1.0 - 0.5 * (1.0 - t) * (1.0 - t);
}

static void mean_taps(const Taps *taps, int i, int inputs, double scale) {
    const double a = i * scale - 0.5, b = a + scale;
    const double begin = fmax(a, 0.0), end = fmin(b, inputs - 1.0);
    const int first = (int)begin, width = taps->width;
    float *weight = taps->weight + (size_t)i * (size_t)width;
    taps->first[i] = first < inputs - width ? first : inputs - width;
    for (int k = 0; k < width; k++) {
        const int pixel = taps->first[i] + k;
        double sum = hat_integral(end - pixel) - hat_integral(begin - pixel);
        sum += pixel == 0 ? begin - a : 0.0;
        sum += pixel == inputs - 1 ? b - end : 0.0;
        weight[k] = (float)(sum / scale);
    }
}

static void line_taps(const Taps *taps, int i, int inputs, double scale) {
    const double at = fmin(fmax((i + 0.5) * scale - 0.5, 0.0), inputs - 1.0);
    const int first = at < inputs - taps->width ? (int)at : inputs - taps->width;
    float *weight = taps->weight + (size_t)i * (size_t)taps->width;
    taps->first[i] = first;
    for (int k = 0; k < taps->width; k++)
        weight[k] = (float)fmax(0.0, 1.0 - fabs(at - (first + k)));
}

static AqmStatus make_taps(Taps *taps, int inputs, int outputs, AqmDiag *diag) {
    const double scale = (double)inputs / outputs;
    const int wanted = outputs < inputs ? (int)ceil(scale) + 2 : 2;
    taps->width = wanted < inputs ? wanted : inputs;
    taps->first = aqm_calloc((size_t)outputs, sizeof *taps->first);
    taps->weight = aqm_calloc((size_t)outputs * (size_t)taps->width, sizeof *taps->weight);
    if (!taps->first || !taps->weight)
        return aqm_fail_memory(diag, "a resized image", (size_t)outputs,
                               (size_t)taps->width * sizeof *taps->weight);
    for (int i = 0; i < outputs; i++)
        if (outputs < inputs)
            mean_taps(taps, i, inputs, scale);
        else
            line_taps(taps, i, inputs, scale);
    return AQM_OK;
}

static void read_row(const AqmImageView *image, int y, int channel, int channels, float *row) {
    const uint8_t *pixel = (const uint8_t *)image->data + (size_t)y * image->stride;
    const bool to_gray = image->channels == 3 && channels == 1;
    const int offset = image->channels == 3 ? channel : 0;
    for (int x = 0; x < image->width; x++, pixel += image->channels)
        row[x] = (to_gray ? 0.299f * pixel[0] + 0.587f * pixel[1] + 0.114f * pixel[2]
                          : (float)pixel[offset]) /
                 255.0f;
}

static void resample_row(const Taps *taps, const float *row, int outputs, float *out) {
    for (int i = 0; i < outputs; i++) {
        float sum = 0.0f;
        for (int k = 0; k < taps->width; k++)
            sum +=
                taps->weight[(size_t)i * (size_t)taps->width + (size_t)k] * row[taps->first[i] + k];
        out[i] = sum;
    }
}

/* One channel: rows first, into `narrow` (image height x scaled width), then columns. */
static void resample(const AqmImageView *image, int channel, int channels,
                     const AqmPlacement *placement, const Taps taps[2], float *row, float *narrow,
                     float *out) {
    const size_t width = (size_t)placement->scaled[0], stride = (size_t)placement->given[0];
    for (int y = 0; y < image->height; y++) {
        read_row(image, y, channel, channels, row);
        resample_row(&taps[0], row, placement->scaled[0], narrow + (size_t)y * width);
    }
    for (int y = 0; y < placement->given[1]; y++) {
        float *line = out + (size_t)y * stride;
        if (y >= placement->scaled[1]) {
            memcpy(line, line - stride, stride * sizeof *line);
            continue;
        }
        memset(line, 0, width * sizeof *line);
        for (int k = 0; k < taps[1].width; k++) {
            const float weight = taps[1].weight[(size_t)y * (size_t)taps[1].width + (size_t)k];
            const float *from = narrow + (size_t)(taps[1].first[y] + k) * width;
            for (size_t x = 0; x < width; x++)
                line[x] += weight * from[x];
        }
        for (size_t x = width; x < stride; x++)
            line[x] = line[width - 1];
    }
}

AqmStatus aqm_image_to_tensor(const AqmImageView *image, int channels,
                              const AqmPlacement *placement, float *out, AqmDiag *diag) {
    Taps taps[2] = {{0}};
    const size_t narrow_size = (size_t)placement->scaled[0] * (size_t)image->height;
    float *row = aqm_alloc((size_t)image->width, sizeof *row);
    float *narrow = aqm_alloc(narrow_size, sizeof *narrow);
    AqmStatus status = row && narrow
                           ? AQM_OK
                           : aqm_fail_memory(diag, "a resized image", narrow_size, sizeof *narrow);
    for (int axis = 0; status == AQM_OK && axis < 2; axis++)
        status = make_taps(&taps[axis], placement->image[axis], placement->scaled[axis], diag);
    const size_t plane = (size_t)placement->given[0] * (size_t)placement->given[1];
    for (int c = 0; status == AQM_OK && c < channels; c++)
        resample(image, c, channels, placement, taps, row, narrow, out + (size_t)c * plane);
    free_taps(&taps[0]);
    free_taps(&taps[1]);
    aqm_free(row);
    aqm_free(narrow);
    return status;
}

AqmStatus aqm_check_image(const AqmImageView *image, AqmDiag *diag) {
    if (image->type == AQM_U8 && (image->channels == 1 || image->channels == 3) &&
        image->width > 0 && image->height > 0)
        return AQM_OK;
    return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                    "an image of %d x %d with %d channels of %d bits; 1 or 3 of 8 bits are wanted",
                    image->width, image->height, image->channels, 8 * (int)image->type);
}
