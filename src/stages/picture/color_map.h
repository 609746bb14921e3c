/* The colour map of depths, and sRGB against linear light. */
#ifndef AQM_STAGES_PICTURE_COLOR_MAP_H
#define AQM_STAGES_PICTURE_COLOR_MAP_H

#include <stdint.h>

enum { AQM_COLOR_MAP_SIZE = 256 };

/* Entry 0 is dark (deep), the last is light (near). */
typedef struct AqmColorMap {
    uint8_t rgb[AQM_COLOR_MAP_SIZE][3];
    float linear[AQM_COLOR_MAP_SIZE][3]; /* the same in linear light, 0..1 */
} AqmColorMap;

/* Costs about 4000 evaluations of the path: once a picture. */
void aqm_color_map_make(AqmColorMap *map);

/* The entry for t in 0..1; t beyond is taken as the nearest end, NaN as 0. */
int aqm_color_map_index(double t);

/* The colours of differences: t from -1 (red) over 0 (near white) to 1 (blue), drawn with
 * `strength` 0..1 of their chroma and contrast. */
void aqm_diverging_color(double t, double strength, uint8_t rgb[3]);

/* 8-bit sRGB samples (IEC 61966-2-1) to linear light 0..1 and back. */
double aqm_linear_from_srgb(uint8_t sample);
uint8_t aqm_srgb_from_linear(double linear);

/* Lightness and the two opponent axes of OKLab, of an 8-bit sRGB colour. */
void aqm_oklab_from_srgb(const uint8_t rgb[3], double lab[3]);
/* And back; what sRGB cannot show is clipped channel by channel. */
void aqm_srgb_from_oklab(const double lab[3], uint8_t rgb[3]);

#endif
