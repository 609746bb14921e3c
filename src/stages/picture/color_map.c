/* A sequential colour map with equal perceived steps.
 *
 * The path is given in OKLab (Ottosson 2020), a space in which Euclidean distance is close to
 * perceived difference. With s from 0 to 1,
 *
 *     L(s) = 0.26 + 0.67 s        h(s) = 285 deg - 185 deg s        C(s) = 0.085 + 0.04 (2 s - 1)^2
 *
 * lightness L, hue h, chroma C. Chroma is what the gamut of sRGB leaves room for: it is tightest
 * in the greenish blues around s = 0.35 (at most 0.091 there), so the path dips and needs no
 * clipping anywhere. Hue turns fastest, per unit of colour distance, where chroma is large, so
 * s is replaced by arc length: entry i of the table lies at i/255 of the length of the path, and
 * neighbouring entries are equally far apart. L still rises monotonously, because it does in s.
 *
 * Cost: PATH_STEPS evaluations of sin, cos and a 3x3 product. */
#include "stages/picture/color_map.h"

#include <math.h>

#include "aquamvs/picture.h"

enum { PATH_STEPS = 4096 };

static void path(double s, double lab[3]) {
    const double hue = (285.0 - 185.0 * s) * (3.14159265358979323846 / 180.0);
    const double chroma = 0.085 + 0.04 * (2.0 * s - 1.0) * (2.0 * s - 1.0);
    lab[0] = 0.26 + 0.67 * s;
    lab[1] = chroma * cos(hue);
    lab[2] = chroma * sin(hue);
}

/* The matrices are those of Ottosson's definition. */
static void linear_from_oklab(const double lab[3], double rgb[3]) {
    double l = lab[0] + 0.3963377774 * lab[1] + 0.2158037573 * lab[2];
    double m = lab[0] - 0.1055613458 * lab[1] - 0.0638541728 * lab[2];
    double s = lab[0] - 0.0894841775 * lab[1] - 1.2914855480 * lab[2];
    l = l * l * l, m = m * m * m, s = s * s * s;
    rgb[0] = 4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s;
    rgb[1] = -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s;
    rgb[2] = -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s;
}

double aqm_linear_from_srgb(uint8_t sample) {
    const double v = sample / 255.0;
    return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

uint8_t aqm_srgb_from_linear(double linear) {
    const double v = linear <= 0.0 ? 0.0 : linear >= 1.0 ? 1.0 : linear;
    const double srgb = v <= 0.0031308 ? 12.92 * v : 1.055 * pow(v, 1.0 / 2.4) - 0.055;
    return (uint8_t)(srgb * 255.0 + 0.5);
}

void aqm_oklab_from_srgb(const uint8_t rgb[3], double lab[3]) {
    const double r = aqm_linear_from_srgb(rgb[0]), g = aqm_linear_from_srgb(rgb[1]);
    const double b = aqm_linear_from_srgb(rgb[2]);
    const double l = cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
    const double m = cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
    const double s = cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
    lab[0] = 0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s;
    lab[1] = 1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s;
    lab[2] = 0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s;
}

void aqm_srgb_from_oklab(const double lab[3], uint8_t rgb[3]) {
    double linear[3];
    linear_from_oklab(lab, linear);
    for (int c = 0; c < 3; c++)
        rgb[c] = aqm_srgb_from_linear(linear[c]);
}

static double distance(const double a[3], const double b[3]) {
    return sqrt((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]) +
                (a[2] - b[2]) * (a[2] - b[2]));
}

static double path_length(void) {
    double length = 0.0, last[3], next[3];
    path(0.0, last);
    for (int i = 1; i <= PATH_STEPS; i++) {
        path((double)i / PATH_STEPS, next);
        length += distance(last, next);
        last[0] = next[0], last[1] = next[1], last[2] = next[2];
    }
    return length;
}

static void set_entry(AqmColorMap *map, int index, double s) {
    double lab[3];
    path(s, lab);
    aqm_srgb_from_oklab(lab, map->rgb[index]);
    for (int c = 0; c < 3; c++)
        map->linear[index][c] = (float)aqm_linear_from_srgb(map->rgb[index][c]);
}

void aqm_color_map_make(AqmColorMap *map) {
    const double step = path_length() / (AQM_COLOR_MAP_SIZE - 1);
    double length = 0.0, last[3], next[3];
    int index = 0;
    path(0.0, last);
    set_entry(map, index++, 0.0);
    for (int i = 1; i <= PATH_STEPS && index < AQM_COLOR_MAP_SIZE - 1; i++) {
        path((double)i / PATH_STEPS, next);
        const double piece = distance(last, next);
        for (; index < AQM_COLOR_MAP_SIZE - 1 && length + piece >= index * step; index++)
            set_entry(map, index, (i - 1 + (index * step - length) / piece) / PATH_STEPS);
        length += piece;
        last[0] = next[0], last[1] = next[1], last[2] = next[2];
    }
    set_entry(map, AQM_COLOR_MAP_SIZE - 1, 1.0);
}

int aqm_color_map_index(double t) {
    if (!(t > 0.0))
        return 0;
    return t >= 1.0 ? AQM_COLOR_MAP_SIZE - 1 : (int)(t * (AQM_COLOR_MAP_SIZE - 1) + 0.5);
}

void aqm_picture_color(double t, uint8_t rgb[3]) {
    AqmColorMap map;
    aqm_color_map_make(&map);
    const uint8_t *entry = map.rgb[aqm_color_map_index(t)];
    rgb[0] = entry[0], rgb[1] = entry[1], rgb[2] = entry[2];
}
