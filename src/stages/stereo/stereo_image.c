#include "stages/stereo/stereo_image.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "kernels/tone_kernels.h"

static AqmStatus create_empty(AqmStereoImage **out, int width, int height, bool has_tint,
                              AqmDiag *diag) {
    AqmStereoImage *image = aqm_calloc(1, sizeof *image);
    if (!image)
        return aqm_fail_memory(diag, "a matching image", 1, sizeof *image);
    image->width = width;
    image->height = height;
    image->stride = (width + 1 + AQM_ROW_MULTIPLE - 1) / AQM_ROW_MULTIPLE * AQM_ROW_MULTIPLE;
    image->blocks_x = (width + AQM_BLOCK - 1) / AQM_BLOCK;
    image->blocks_y = (height + AQM_BLOCK - 1) / AQM_BLOCK;
    const size_t rows = (size_t)height + 1, stride = (size_t)image->stride;
    const size_t table = ((size_t)image->blocks_x + 1) * ((size_t)image->blocks_y + 1);
    image->gray = aqm_alloc(rows * stride, sizeof *image->gray);
    image->pairs = aqm_alloc((size_t)height * stride, sizeof *image->pairs);
    image->holes = aqm_calloc(table, sizeof *image->holes);
    if (has_tint)
        image->tint = aqm_alloc((size_t)height * (size_t)width, 2);
    if (!image->gray || !image->pairs || !image->holes || (has_tint && !image->tint)) {
        aqm_stereo_image_destroy(&image);
        return aqm_fail_memory(diag, "a matching image", rows * stride, sizeof(int16_t));
    }
    *out = image;
    return AQM_OK;
}

void aqm_stereo_image_destroy(AqmStereoImage **image) {
    if (!image || !*image)
        return;
    aqm_free((*image)->gray);
    aqm_free((*image)->pairs);
    aqm_free((*image)->tint);
    aqm_free((*image)->holes);
    aqm_stereo_image_destroy(&(*image)->half);
    aqm_free(*image);
    *image = NULL;
}

/* With the chain of images of half the size. */
static AqmStatus create_chain(AqmStereoImage **out, int width, int height, bool has_tint,
                              AqmDiag *diag) {
    AqmStereoImage *first = NULL;
    AQM_TRY(create_empty(&first, width, height, has_tint, diag));
    for (AqmStereoImage *last = first;
         last->width / 2 >= AQM_SMALLEST_SIDE && last->height / 2 >= AQM_SMALLEST_SIDE;
         last = last->half) {
        const AqmStatus status =
            create_empty(&last->half, last->width / 2, last->height / 2, has_tint, diag);
        if (status != AQM_OK) {
            aqm_stereo_image_destroy(&first);
            return status;
        }
    }
    *out = first;
    return AQM_OK;
}

/* Luminance (ITU-R BT.601) of a pixel, in the samples' own scale. */
static double luminance(const AqmImageView *image, const void *row, int x) {
    const int c = image->channels;
    if (image->type == AQM_U8) {
        const uint8_t *p = (const uint8_t *)row + (size_t)x * (size_t)c;
        return c == 1 ? p[0] : 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
    }
    const uint16_t *p = (const uint16_t *)row + (size_t)x * (size_t)c;
    return c == 1 ? p[0] : 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
}

/* Samples above white may reach farther. */
static float clamp_tint(float value) {
    return value < -128.0f ? -128.0f : value > 127.0f ? 127.0f : value;
}

/* Rows of samples that are not three bytes a pixel. */
static void gray_row(const AqmImageView *image, const void *row, double scale, int16_t *gray) {
    for (int x = 0; x < image->width; x++) {
        const double value = scale * luminance(image, row, x) - AQM_GRAY_CENTER;
        gray[x] = (int16_t)(value < AQM_GRAY_MAX ? (int)floor(value + 0.5) : AQM_GRAY_MAX);
    }
}

static void tint_row(const AqmImageView *image, const uint16_t *row, float unit,
                     const int16_t *gray, int8_t *tint) {
    const size_t c = (size_t)image->channels;
    for (int x = 0; x < image->width; x++) {
        const uint16_t *p = row + (size_t)x * c;
        const float level = (float)(gray[x] + AQM_GRAY_CENTER) / AQM_TINT_UNIT;
        tint[2 * x] = (int8_t)clamp_tint((float)p[2] * unit - level);
        tint[2 * x + 1] = (int8_t)clamp_tint((float)p[0] * unit - level);
    }
}

/* `tint` NULL: of a gray image. */
static void fill_row(const AqmToneKernels *kernels, const AqmImageView *image, const void *row,
                     const uint8_t *keep, double scale, int16_t *gray, int8_t *tint) {
    const size_t width = (size_t)image->width;
    const float unit = (float)(scale / AQM_TINT_UNIT);
    if (image->type == AQM_U8 && image->channels == 3) {
        kernels->gray(row, width, (float)scale, gray);
        kernels->tint(row, gray, width, unit, 1.0f / AQM_TINT_UNIT, tint);
    } else {
        gray_row(image, row, scale, gray);
        if (tint)
            tint_row(image, row, unit, gray, tint);
    }
    for (size_t x = 0; keep && x < width; x++) {
        if (keep[x])
            continue;
        gray[x] = AQM_GRAY_MISSING;
        if (tint)
            tint[2 * x] = tint[2 * x + 1] = 0;
    }
}

static int16_t *gray_at(const AqmStereoImage *image, int y) {
    return image->gray + y * image->stride;
}

static int8_t *tint_at(const AqmStereoImage *image, int y) {
    return image->tint ? image->tint + 2 * (size_t)y * (size_t)image->width : NULL;
}

static void pair_rows(const AqmStereoImage *image, int y) {
    const int16_t *top = gray_at(image, y), *bottom = gray_at(image, y + 1);
    uint32_t *pairs = image->pairs + y * image->stride;
    for (ptrdiff_t x = 0; x < image->stride; x++)
        pairs[x] = (uint16_t)top[x] | (uint32_t)(uint16_t)bottom[x] << 16;
}

/* Row y has its pixels: repeats the last one, pairs it with the row above, and makes what comes of
 * both in the chain, while they are near. The last row is repeated. */
static void finish_row(const AqmStereoImage *image, const AqmToneKernels *kernels, int y) {
    for (; image; image = image->half, y /= 2) {
        int16_t *gray = gray_at(image, y);
        for (ptrdiff_t x = image->width; x < image->stride; x++)
            gray[x] = gray[image->width - 1];
        if (y > 0)
            pair_rows(image, y - 1);
        if (y == image->height - 1) {
            memcpy(gray_at(image, y + 1), gray, (size_t)image->stride * sizeof *gray);
            pair_rows(image, y);
        }
        const AqmStereoImage *half = image->half;
        if (y % 2 == 0 || !half)
            return;
        kernels->halve_gray(gray_at(image, y - 1), gray, (size_t)half->width, gray_at(half, y / 2));
        if (half->tint)
            kernels->halve_tint(tint_at(image, y - 1), tint_at(image, y), (size_t)half->width,
                                tint_at(half, y / 2));
    }
}

static bool block_has_hole(const AqmStereoImage *image, int bx, int by) {
    const int x1 = (bx + 1) * AQM_BLOCK, y1 = (by + 1) * AQM_BLOCK;
    for (int y = by * AQM_BLOCK; y < y1 && y < image->height; y++)
        for (int x = bx * AQM_BLOCK; x < x1 && x < image->width; x++)
            if (gray_at(image, y)[x] == AQM_GRAY_MISSING)
                return true;
    return false;
}

static void sum_up_holes(const AqmStereoImage *image) {
    const int pitch = image->blocks_x + 1;
    for (int by = 0; by < image->blocks_y; by++)
        for (int bx = 0; bx < image->blocks_x; bx++) {
            int32_t *above = image->holes + by * pitch + bx, *here = above + pitch;
            here[1] = here[0] + above[1] - above[0] + block_has_hole(image, bx, by);
        }
}

AqmStatus aqm_stereo_image_create(AqmStereoImage **out, const AqmImageView *image,
                                  const AqmImageView *mask, double full_scale, AqmDiag *diag) {
    if (!(full_scale > 0.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "full scale is %g: must be positive", full_scale);
    if (mask && (mask->width != image->width || mask->height != image->height ||
                 mask->channels != 1 || mask->type != AQM_U8))
        return aqm_fail(
            diag, AQM_ERROR_ARGUMENT,
            "mask is %d x %d px with %d channels: must be 8-bit, one channel, %d x %d px",
            mask->width, mask->height, mask->channels, image->width, image->height);
    const int limit = AQM_GRAY_MAX_SIZE - AQM_ROW_MULTIPLE; /* the stride is longer than a row */
    if (image->width > limit || image->height > limit)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "an image of %d x %d px is too large to match: at most %d px a side",
                        image->width, image->height, limit);
    AqmStereoImage *made = NULL;
    AQM_TRY(create_chain(&made, image->width, image->height, image->channels > 2, diag));
    const AqmToneKernels *kernels = aqm_tone_kernels(aqm_cpu_features());
    const double scale = AQM_GRAY_WHITE / full_scale;
    for (int y = 0; y < image->height; y++) {
        const void *row = (const char *)image->data + (size_t)y * image->stride;
        const uint8_t *keep = mask ? (const uint8_t *)mask->data + (size_t)y * mask->stride : NULL;
        fill_row(kernels, image, row, keep, scale, gray_at(made, y), tint_at(made, y));
        finish_row(made, kernels, y);
    }
    for (const AqmStereoImage *level = made; level && mask; level = level->half)
        sum_up_holes(level);
    *out = made;
    return AQM_OK;
}

AqmGray aqm_stereo_image_gray(const AqmStereoImage *image) {
    return (AqmGray){image->gray, image->pairs, image->stride, image->width, image->height};
}

bool aqm_stereo_image_is_whole(const AqmStereoImage *image, int x0, int y0, int x1, int y1) {
    const int pitch = image->blocks_x + 1;
    const int bx0 = x0 / AQM_BLOCK, by0 = y0 / AQM_BLOCK;
    const int bx1 = x1 / AQM_BLOCK + 1, by1 = y1 / AQM_BLOCK + 1;
    const int32_t *t = image->holes;
    return t[by1 * pitch + bx1] - t[by0 * pitch + bx1] - t[by1 * pitch + bx0] +
               t[by0 * pitch + bx0] ==
           0;
}

AqmView aqm_view_halve(const AqmView *view) {
    AqmView half = *view;
    half.width = view->width / 2;
    half.height = view->height / 2;
    half.fx = 0.5 * view->fx;
    half.fy = 0.5 * view->fy;
    half.cx = 0.5 * (view->cx - 0.5);
    half.cy = 0.5 * (view->cy - 0.5);
    return half;
}
