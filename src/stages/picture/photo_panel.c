#include "stages/picture/photo_panel.h"

#include <math.h>

/* Black is drawn as this, white as white: what is drawn on a photograph, dark violet to light
 * yellow, then differs from all of it in lightness or in hue. */
enum { BLACK = 84 };

AqmPhotoPanel aqm_photo_panel(const AqmImageView *image, double full_scale, AqmFit fit) {
    return (AqmPhotoPanel){
        .image = image,
        .full_scale = full_scale,
        .fit = fit,
        .width = (image->width + fit.reduce - 1) / fit.reduce * fit.magnify,
        .height = (image->height + fit.reduce - 1) / fit.reduce * fit.magnify,
    };
}

static double sample(const AqmImageView *image, const uint8_t *row, int i) {
    return image->type == AQM_U16 ? ((const uint16_t *)(const void *)row)[i] : row[i];
}

static double luma(const AqmImageView *image, int u, int v) {
    const uint8_t *row = (const uint8_t *)image->data + (size_t)v * image->stride;
    if (image->channels == 1)
        return sample(image, row, u);
    return 0.299 * sample(image, row, 3 * u) + 0.587 * sample(image, row, 3 * u + 1) +
           0.114 * sample(image, row, 3 * u + 2);
}

static double block_mean(const AqmPhotoPanel *panel, int x, int y) {
    const AqmImageView *image = panel->image;
    const int reduce = panel->fit.reduce;
    const int u0 = x / panel->fit.magnify * reduce, v0 = y / panel->fit.magnify * reduce;
    double sum = 0.0;
    int count = 0;
    for (int v = v0; v < v0 + reduce && v < image->height; v++)
        for (int u = u0; u < u0 + reduce && u < image->width; u++, count++)
            sum += luma(image, u, v);
    return sum / count; /* at least one: the panel is the image rounded up */
}

void aqm_photo_paint(const AqmPhotoPanel *panel, AqmCanvas *canvas) {
    aqm_canvas_begin_pixels(canvas);
    for (int y = 0; y < panel->height; y++) {
        uint32_t *row = canvas->pixels + (size_t)(panel->y + y) * (size_t)canvas->width + panel->x;
        for (int x = 0; x < panel->width; x++) {
            const double part = fmin(block_mean(panel, x, y) / panel->full_scale, 1.0);
            const uint8_t gray = (uint8_t)(BLACK + (255 - BLACK) * part + 0.5);
            row[x] = aqm_pixel((const uint8_t[3]){gray, gray, gray});
        }
    }
    aqm_canvas_end_pixels(canvas);
    cairo_set_line_width(canvas->cairo, 1.0);
    aqm_canvas_color(canvas, 0x222222, 1.0);
    aqm_canvas_frame(canvas, panel->x, panel->y, panel->width, panel->height);
}

double aqm_photo_length(const AqmPhotoPanel *panel, double length_px) {
    return length_px * panel->fit.magnify / panel->fit.reduce;
}

bool aqm_photo_place(const AqmPhotoPanel *panel, const float position[2], double at[2]) {
    /* the centre of a pixel is half a pixel from its corner; a NaN is not within either */
    const double u = (double)position[0] + 0.5, v = (double)position[1] + 0.5;
    if (!(u >= 0.0 && u <= panel->image->width && v >= 0.0 && v <= panel->image->height))
        return false;
    at[0] = panel->x + aqm_photo_length(panel, u);
    at[1] = panel->y + aqm_photo_length(panel, v);
    return true;
}
