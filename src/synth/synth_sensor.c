/* Value = 268 * gain_camera * (1 - 0.25 r^2) * radiance (r from the principal point in image
 * widths), blurred by a Gaussian that is cut off at 4 sigma, plus Gaussian noise of a fixed sigma
 * in 8-bit levels; 16-bit images hold the same times 257. Noise has a stream a row. */
#include "synth/synth_sensor.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "synth/synth_random.h"

enum { MAX_BLUR_RADIUS = 64 };
static const double white_level = 268.0, vignetting = 0.25; /* sand comes out mid-grey */

static double camera_gain(const AqmSynthOptions *options, size_t camera) {
    AqmRng rng = aqm_synth_rng(options->seed, AQM_USE_GAIN, camera, 0, 0);
    return fmin(fmax(1.0 + options->gain_spread * aqm_rng_normal(&rng), 0.4), 1.6);
}

static void expose(const AqmCamera *camera, double gain, float *pixels) {
    for (int v = 0; v < camera->height; v++) {
        const double y = (v - camera->K[5]) / camera->width;
        for (int u = 0; u < camera->width; u++, pixels += 3) {
            const double x = (u - camera->K[2]) / camera->width;
            const float k = (float)(white_level * gain * (1.0 - vignetting * (x * x + y * y)));
            for (int c = 0; c < 3; c++)
                pixels[c] *= k;
        }
    }
}

static int gauss_weights(double sigma, float weights[MAX_BLUR_RADIUS + 1]) {
    const int radius = (int)fmin(ceil(4.0 * sigma), MAX_BLUR_RADIUS);
    double sum = 0.0;
    for (int i = -radius; i <= radius; i++)
        sum += exp(-0.5 * i * i / (sigma * sigma));
    for (int i = 0; i <= radius; i++)
        weights[i] = (float)(exp(-0.5 * i * i / (sigma * sigma)) / sum);
    return radius;
}

/* out = weights[0] taps[0] + sum over k of weights[k] (taps[2k - 1] + taps[2k]), `count` floats:
 * the taps are the line itself and its neighbours k to either side. */
static void blur_line(const float *const *taps, const float *weights, int radius, size_t count,
                      float *out) {
    for (size_t i = 0; i < count; i++)
        out[i] = weights[0] * taps[0][i];
    for (int k = 1; k <= radius; k++)
        for (size_t i = 0; i < count; i++)
            out[i] += weights[k] * (taps[2 * k - 1][i] + taps[2 * k][i]);
}

/* Blurs every row, then every column; `scratch` holds as much as the image. */
static void blur(const AqmCamera *camera, double sigma, float *pixels, float *scratch,
                 float *padded) {
    float weights[MAX_BLUR_RADIUS + 1];
    const float *taps[2 * MAX_BLUR_RADIUS + 1];
    const int radius = gauss_weights(sigma, weights), h = camera->height;
    const size_t row = 3 * (size_t)camera->width;
    for (int v = 0; v < h; v++) {
        const float *in = pixels + (size_t)v * row;
        float *middle = padded + 3 * (size_t)radius;
        memcpy(middle, in, row * sizeof *in);
        for (int i = 0; i < 3 * radius; i++) {
            padded[i] = in[i % 3];
            middle[row + (size_t)i] = in[row - 3 + (size_t)(i % 3)];
        }
        taps[0] = middle;
        for (int k = 1; k <= radius; k++)
            taps[2 * k - 1] = middle - 3 * k, taps[2 * k] = middle + 3 * k;
        blur_line(taps, weights, radius, row, scratch + (size_t)v * row);
    }
    for (int v = 0; v < h; v++) {
        taps[0] = scratch + (size_t)v * row;
        for (int k = 1; k <= radius; k++) {
            taps[2 * k - 1] = scratch + (size_t)(v > k ? v - k : 0) * row;
            taps[2 * k] = scratch + (size_t)(v + k < h ? v + k : h - 1) * row;
        }
        blur_line(taps, weights, radius, row, pixels + (size_t)v * row);
    }
}

static AqmStatus apply_blur(const AqmCamera *camera, double sigma, float *pixels, AqmDiag *diag) {
    if (sigma <= 0.0)
        return AQM_OK;
    const size_t row = 3 * (size_t)camera->width, count = row * (size_t)camera->height;
    float *scratch = aqm_alloc(count, sizeof *scratch);
    float *padded = aqm_alloc(row + 6 * MAX_BLUR_RADIUS, sizeof *padded);
    AqmStatus status = AQM_OK;
    if (scratch && padded)
        blur(camera, sigma, pixels, scratch, padded);
    else
        status = aqm_fail_memory(diag, "the lens blur", count, sizeof *scratch);
    aqm_free(scratch);
    aqm_free(padded);
    return status;
}

static void read_out(const AqmSynthOptions *options, size_t camera, int frame, const float *pixels,
                     AqmImage *image) {
    const bool deep = image->type == AQM_U16;
    const float scale = deep ? 257.0f : 1.0f, limit = deep ? 65535.0f : 255.0f;
    for (int v = 0; v < image->height; v++) {
        AqmRng rng = aqm_synth_rng(options->seed, AQM_USE_NOISE, camera, frame, v);
        uint8_t *row8 = (uint8_t *)image->data + (size_t)v * image->stride;
        uint16_t *row16 = (uint16_t *)(void *)row8;
        for (int u = 0; u < image->width; u++, pixels += 3)
            for (int c = 0; c < image->channels; c++) {
                float value = pixels[c];
                if (image->channels == 1) /* ITU-R BT.601 luma */
                    value = 0.299f * pixels[0] + 0.587f * pixels[1] + 0.114f * pixels[2];
                if (options->noise > 0.0)
                    value += (float)(options->noise * aqm_rng_normal(&rng));
                value = fminf(fmaxf(scale * value + 0.5f, 0.0f), limit);
                const size_t at = (size_t)u * (size_t)image->channels + (size_t)c;
                if (deep)
                    row16[at] = (uint16_t)value;
                else
                    row8[at] = (uint8_t)value;
            }
    }
}

AqmStatus aqm_sensor_expose(const AqmSynthOptions *options, const AqmCamera *camera,
                            size_t camera_index, int frame, float *radiance, AqmImage **out,
                            AqmDiag *diag) {
    const AqmSampleType type = options->format == AQM_FRAMES_PNG16 ? AQM_U16 : AQM_U8;
    expose(camera, camera_gain(options, camera_index), radiance);
    AQM_TRY(apply_blur(camera, options->blur_px, radiance, diag));
    AqmImage *image = NULL;
    AQM_TRY(aqm_image_create(&image, camera->width, camera->height, options->color ? 3 : 1, type,
                             diag));
    read_out(options, camera_index, frame, radiance, image);
    *out = image;
    return AQM_OK;
}
