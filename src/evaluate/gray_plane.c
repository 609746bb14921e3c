#include "evaluate/gray_plane.h"

#include "base/alloc.h"

static float sample(const AqmImageView *image, const uint8_t *row, size_t i) {
    return image->type == AQM_U16 ? (float)((const uint16_t *)(const void *)row)[i] : (float)row[i];
}

AqmStatus aqm_gray_plane_create(AqmGrayPlane *out, const AqmImageView *image, AqmDiag *diag) {
    const size_t width = (size_t)image->width, height = (size_t)image->height;
    float *value = aqm_alloc(width * height, sizeof *value);
    if (!value)
        return aqm_fail_memory(diag, "a gray image", width * height, sizeof *value);
    float least = INFINITY, most = -INFINITY;
    for (size_t y = 0; y < height; y++) {
        const uint8_t *row = (const uint8_t *)image->data + y * image->stride;
        for (size_t x = 0; x < width; x++) {
            float v;
            if (image->channels == 1)
                v = sample(image, row, x);
            else
                v = 0.299f * sample(image, row, 3 * x) + 0.587f * sample(image, row, 3 * x + 1) +
                    0.114f * sample(image, row, 3 * x + 2);
            value[y * width + x] = v;
            least = fminf(least, v), most = fmaxf(most, v);
        }
    }
    *out = (AqmGrayPlane){image->width, image->height, value, most - least};
    return AQM_OK;
}

void aqm_gray_plane_free(AqmGrayPlane *plane) {
    aqm_free(plane->value);
    *plane = (AqmGrayPlane){0};
}
