/* Sand as a sum of octaves of value noise (Perlin 1985's lattice, values instead of gradients).
 *
 * Octave k has cells of 0.75 mm * 2^k, each lattice turned and shifted by itself so that no
 * direction stands out; a hash of the cell gives two numbers, brightness and hue, interpolated with
 * the quintic 6 t^5 - 15 t^4 + 10 t^3 (Perlin 2002). The weights peak at cells of 1 to 3 mm, the
 * size of coarse grains, where matching finds its detail.
 *
 * Band limit: an octave of cells c varies over 2 c, so where a pixel spans p the octave is faded
 * out from c = 1.25 p to c = 0.6 p; what remains is averaged over 2 x 2 sub-samples. Octaves with
 * c > 8 p do not change within a pixel and are evaluated once.
 *
 * The board: 10 x 7 squares of 30 mm with a margin of 12 mm. It is a bitmap of 3.75 mm modules (8 a
 * square; white squares carry 4 x 4 random bits in a black frame), filtered with a box of the
 * sub-sample's size, in closed form. A ChArUco board has modules that do not fit into its squares
 * evenly: the box is cut along all edges within it, and the pieces are summed up, which is exact.
 *
 * Cost: about 12 ns an octave, some 0.3 us a pixel. */
#include "synth/synth_texture.h"

#include <math.h>

#include "synth/synth_random.h"

static const double finest_cell_m = 0.00075;
static const float brightness[AQM_TEXTURE_OCTAVES] = {0.62f, 0.76f, 0.52f, 0.38f, 0.28f,
                                                      0.20f, 0.15f, 0.13f, 0.12f};
static const float hue[AQM_TEXTURE_OCTAVES] = {0.50f, 0.62f, 0.45f, 0.25f, 0.30f,
                                               0.15f, 0.20f, 0.15f, 0.20f};
static const float wet_sand[3] = {0.585f, 0.525f, 0.435f};
static const float hue_axis[3] = {0.016f, 0.0f, -0.020f};
static const double module_m = 0.00375, board_margin_m = 0.012;
static const double lattice_origin = 1e6; /* keeps cell numbers positive */

/* Hash of two cell numbers: multiply and fold (the finaliser's constants are those that Wellons
 * found by search in 2018 for 32 bits, "lowbias32"). */
static inline uint32_t cell_hash(uint32_t i, uint32_t j, uint32_t seed) {
    uint32_t h = i * 0x9e3779b1u ^ (j * 0x85ebca6bu + seed);
    h = (h ^ (h >> 16)) * 0x7feb352du;
    h = (h ^ (h >> 15)) * 0x846ca68bu;
    return h ^ (h >> 16);
}

void aqm_texture_init(AqmTexture *texture, uint64_t seed, double contrast, bool has_board,
                      double board_azimuth, double board_slope) {
    AqmRng rng = aqm_synth_rng(seed, AQM_USE_TEXTURE, 0, 0, 0);
    *texture = (AqmTexture){.seed = aqm_rng_u32(&rng),
                            .contrast = (float)contrast,
                            .has_board = has_board,
                            .board_cos = cos(board_azimuth),
                            .board_sin = sin(board_azimuth),
                            .board_stretch = sqrt(1.0 + board_slope * board_slope)};
    float norm = 0.0f, hue_norm = 0.0f;
    for (int k = 0; k < AQM_TEXTURE_OCTAVES; k++) {
        norm += brightness[k] * brightness[k];
        hue_norm += hue[k] * hue[k];
    }
    /* the variance of value noise is that of its lattice, 1/3, times (2 * 181 / 462)^2, the mean of
     * the squared interpolation weights */
    const float unit = 1.0f / 0.4523f;
    for (int k = 0; k < AQM_TEXTURE_OCTAVES; k++) {
        const double angle = 6.283185307179586 * aqm_rng_uniform(&rng);
        AqmTextureOctave *o = &texture->octaves[k];
        o->cell_m = ldexp(finest_cell_m, k);
        o->turn_cos = cos(angle) / o->cell_m;
        o->turn_sin = sin(angle) / o->cell_m;
        o->shift[0] = lattice_origin + aqm_rng_uniform(&rng);
        o->shift[1] = lattice_origin + aqm_rng_uniform(&rng);
        o->brightness = unit * brightness[k] / sqrtf(norm);
        o->hue = unit * hue[k] / sqrtf(hue_norm);
        o->seed = aqm_rng_u32(&rng);
    }
}

static inline float quintic(float t) {
    return t * t * t * (t * (t * 6.0f - 15.0f) + 10.0f);
}

/* Adds one octave at (x, y) to sand[0] (brightness) and sand[1] (hue). */
static inline void add_octave(const AqmTextureOctave *o, double x, double y, float weight,
                              float sand[2]) {
    const double u = o->turn_cos * x + o->turn_sin * y + o->shift[0];
    const double v = o->turn_cos * y - o->turn_sin * x + o->shift[1];
    const uint32_t i = (uint32_t)(int32_t)u, j = (uint32_t)(int32_t)v;
    const float s = quintic((float)(u - i)), t = quintic((float)(v - j));
    const float w[4] = {(1.0f - s) * (1.0f - t), s * (1.0f - t), (1.0f - s) * t, s * t};
    float a = 0.0f, b = 0.0f;
    for (uint32_t k = 0; k < 4; k++) {
        const uint32_t h = cell_hash(i + (k & 1u), j + (k >> 1), o->seed);
        a += w[k] * ((float)(h & 0xffffu) * (2.0f / 65535.0f) - 1.0f);
        b += w[k] * ((float)(h >> 16) * (2.0f / 65535.0f) - 1.0f);
    }
    sand[0] += weight * o->brightness * a;
    sand[1] += weight * o->hue * b;
}

/* Shell fragments (bright) and heavy minerals (dark): in two of five cells of 7 mm an ellipse that
 * never leaves its cell, its edge as soft as the pixel is wide. */
static float fragment(uint32_t seed, double x, double y, double pixel_m) {
    const double cell_m = 0.007;
    const double u = x / cell_m + lattice_origin, v = y / cell_m + lattice_origin;
    const uint32_t i = (uint32_t)(int32_t)u, j = (uint32_t)(int32_t)v;
    const uint32_t h = cell_hash(i, j, seed);
    if ((h & 0xffu) > 102u)
        return 0.0f;
    const uint32_t g = cell_hash(i, j, seed + 1u);
    const double size_m = 0.0006 + 0.001 * (double)((h >> 8) & 0xffu) / 255.0;
    const double aspect = 0.5 + 0.5 * (double)((h >> 16) & 0xffu) / 255.0;
    const double angle = 3.1416 * (double)(g & 0xffu) / 256.0, c = cos(angle), s = sin(angle);
    const double cx = 0.0012 * ((double)((g >> 8) & 0xffu) / 127.5 - 1.0);
    const double cy = 0.0012 * ((double)((g >> 16) & 0xffu) / 127.5 - 1.0);
    const double dx = (u - i - 0.5) * cell_m - cx, dy = (v - j - 0.5) * cell_m - cy;
    const double p = c * dx + s * dy, q = (c * dy - s * dx) / aspect;
    const double soft_m = fmin(fmax(0.00025, pixel_m), 0.0023 - size_m);
    const double inside = (size_m - sqrt(p * p + q * q)) / soft_m;
    const float edge = quintic((float)fmin(fmax(0.5 + 0.5 * inside, 0.0), 1.0));
    return (h >> 24) & 1u ? 1.8f * edge : -1.6f * edge;
}

static float module_value(uint32_t seed, int i, int j) {
    if (i < 0 || j < 0 || i >= AQM_BOARD_MODULES_X || j >= AQM_BOARD_MODULES_Y)
        return 1.0f; /* the margin */
    if ((i / 8 + j / 8) % 2 == 0)
        return 0.0f;
    const int a = i % 8 - 1, b = j % 8 - 1; /* within the 6 x 6 marker */
    if (a < 0 || b < 0 || a > 5 || b > 5)
        return 1.0f;
    if (a == 0 || b == 0 || a == 5 || b == 5)
        return 0.0f;
    return (float)(cell_hash((uint32_t)i, (uint32_t)j, seed + 2u) & 1u);
}

static double clamp01(double t) {
    return fmin(fmax(t, 0.0), 1.0);
}

/* Share of a box of the given width about x that lies in |x| < half. */
static double covered(double x, double half, double width) {
    return clamp01((half - fabs(x)) / width + 0.5);
}

/* How far a box of `width` modules about `t` reaches into the module of floor(t - 1/2) + 1. */
static float step_between(double t, double width, int *lower) {
    const double base = floor(t - 0.5);
    *lower = (int)base;
    return (float)clamp01((t - base - 1.0) / width + 0.5);
}

/* White of the board in 0..1; *alpha is the share of the sample that the board covers. */
static float board_white(const AqmTexture *texture, double x, double y, double sample_m,
                         float *alpha) {
    const double p = (texture->board_cos * x + texture->board_sin * y) * texture->board_stretch;
    const double q = texture->board_cos * y - texture->board_sin * x;
    const double half_x = 0.5 * AQM_BOARD_MODULES_X * module_m,
                 half_y = 0.5 * AQM_BOARD_MODULES_Y * module_m;
    *alpha = (float)(covered(p, half_x + board_margin_m, sample_m) *
                     covered(q, half_y + board_margin_m, sample_m));
    if (*alpha <= 0.0f)
        return 0.0f;
    const double width = fmin(sample_m / module_m, 1.0);
    int i, j;
    const float s = step_between((p + half_x) / module_m, width, &i);
    const float t = step_between((q + half_y) / module_m, width, &j);
    const uint32_t seed = texture->seed;
    return (1.0f - t) * ((1.0f - s) * module_value(seed, i, j) + s * module_value(seed, i + 1, j)) +
           t * ((1.0f - s) * module_value(seed, i, j + 1) + s * module_value(seed, i + 1, j + 1));
}

enum { CUTS_MAX = 24 };

static int add_cut(double cuts[CUTS_MAX], int count, double lo, double hi, double at) {
    if (at <= lo || at >= hi || count == CUTS_MAX - 1)
        return count;
    int k = count;
    for (; k > 0 && cuts[k - 1] > at; k--)
        cuts[k] = cuts[k - 1];
    cuts[k] = at;
    return count + 1;
}

/* Where lines of squares and modules cut lo..hi; cuts[0] = lo, the last is hi. */
static int find_cuts(const AqmBoard *board, double lo, double hi, double cuts[CUTS_MAX]) {
    const double inset = 0.5 * (board->square_m - board->marker_m);
    const int grid = aqm_dictionary_side(board->dictionary) + 2;
    int count = 0;
    cuts[count++] = lo;
    for (int k = (int)floor(lo / board->square_m); k * board->square_m < hi; k++) {
        const double square = k * board->square_m;
        count = add_cut(cuts, count, lo, hi, square);
        for (int m = 0; m <= grid; m++)
            count = add_cut(cuts, count, lo, hi, square + inset + m * board->marker_m / grid);
    }
    cuts[count] = hi;
    return count;
}

/* White of the ChArUco board in 0..1, a box of the sample's size about a place in its frame. */
static float charuco_white(const AqmBoard *board, double x, double y, double sample_m) {
    double across[CUTS_MAX], down[CUTS_MAX], white = 0.0;
    const double half = 0.5 * fmin(sample_m, 0.5 * board->square_m);
    const int columns = find_cuts(board, x - half, x + half, across);
    const int rows = find_cuts(board, y - half, y + half, down);
    for (int j = 0; j < rows; j++)
        for (int i = 0; i < columns; i++)
            if (aqm_board_is_white(board, 0.5 * (across[i] + across[i + 1]),
                                   0.5 * (down[j] + down[j + 1])))
                white += (across[i + 1] - across[i]) * (down[j + 1] - down[j]);
    return (float)(white / (4.0 * half * half));
}

/* The part of a pixel that is sampled: where, and the octaves that do and do not change within it.
 */
typedef struct Spot {
    double x, y, pixel_m;
    const double *du, *dv;
    float coarse[2], weight[AQM_TEXTURE_OCTAVES];
    int fine; /* the first ones */
} Spot;

static Spot look_at(const AqmTexture *texture, double x, double y, const double du[2],
                    const double dv[2]) {
    Spot spot = {.x = x, .y = y, .du = du, .dv = dv};
    spot.pixel_m = fmax(sqrt(fabs(du[0] * dv[1] - du[1] * dv[0])), 1e-6);
    for (int k = 0; k < AQM_TEXTURE_OCTAVES; k++) {
        const AqmTextureOctave *o = &texture->octaves[k];
        spot.weight[k] = (float)clamp01((o->cell_m / spot.pixel_m - 0.6) / 0.65);
        if (o->cell_m < 8.0 * spot.pixel_m)
            spot.fine = k + 1;
        else
            add_octave(o, x, y, spot.weight[k], spot.coarse);
    }
    return spot;
}

static void sample_place(const Spot *spot, int sample, double place[2]) {
    const double a = sample & 1 ? 0.25 : -0.25, b = sample & 2 ? 0.25 : -0.25;
    place[0] = spot->x + a * spot->du[0] + b * spot->dv[0];
    place[1] = spot->y + a * spot->du[1] + b * spot->dv[1];
}

/* Brightness and hue of the sand, or of the grain of a print, before the contrast is applied. */
static void sample_sand(const AqmTexture *texture, const Spot *spot, const double place[2],
                        float sand[2]) {
    sand[0] = spot->coarse[0], sand[1] = spot->coarse[1];
    for (int k = 0; k < spot->fine; k++)
        if (spot->weight[k] > 0.0f)
            add_octave(&texture->octaves[k], place[0], place[1], spot->weight[k], sand);
    sand[0] += fragment(texture->seed, place[0], place[1], spot->pixel_m);
    /* soft limits keep the tails of the sum of octaves and fragments within 2.6 sigma */
    sand[0] = texture->contrast * sand[0] / sqrtf(1.0f + sand[0] * sand[0] / 6.76f);
    sand[1] *= texture->contrast;
}

static float print_albedo(float white, const float sand[2]) {
    return (0.10f + 0.70f * white) * (1.0f + 0.09f * sand[0]);
}

/* Adds the ground's albedo to rgb, a board on it where alpha is not 0. */
static void add_ground(const float sand[2], float white, float alpha, float rgb[3]) {
    const float board = print_albedo(white, sand);
    for (int c = 0; c < 3; c++) {
        const float ground = wet_sand[c] * (1.0f + 0.21f * sand[0]) + hue_axis[c] * sand[1];
        rgb[c] += fmaxf(0.01f, ground + alpha * (board - ground));
    }
}

void aqm_texture_albedo(const AqmTexture *texture, double x, double y, const double du[2],
                        const double dv[2], float rgb[3]) {
    const Spot spot = look_at(texture, x, y, du, dv);
    rgb[0] = rgb[1] = rgb[2] = 0.0f;
    for (int sample = 0; sample < 4; sample++) {
        double place[2];
        float sand[2], white = 0.0f, alpha = 0.0f;
        sample_place(&spot, sample, place);
        sample_sand(texture, &spot, place, sand);
        if (texture->has_board)
            white = board_white(texture, place[0], place[1], 0.5 * spot.pixel_m, &alpha);
        add_ground(sand, white, alpha, rgb);
    }
    for (int c = 0; c < 3; c++)
        rgb[c] *= 0.25f;
}

float aqm_texture_print(const AqmTexture *texture, const AqmBoard *board, double margin_m, double x,
                        double y, const double du[2], const double dv[2], float rgb[3]) {
    const double half_x = 0.5 * board->squares_x * board->square_m;
    const double half_y = 0.5 * board->squares_y * board->square_m;
    const double reach_x = fabs(du[0]) + fabs(dv[0]), reach_y = fabs(du[1]) + fabs(dv[1]);
    if (fabs(x - half_x) > half_x + margin_m + reach_x ||
        fabs(y - half_y) > half_y + margin_m + reach_y)
        return 0.0f;
    const Spot spot = look_at(texture, x, y, du, dv);
    float sum = 0.0f, all = 0.0f;
    for (int sample = 0; sample < 4; sample++) {
        double place[2];
        float sand[2];
        sample_place(&spot, sample, place);
        const double sample_m = 0.5 * spot.pixel_m;
        const float alpha = (float)(covered(place[0] - half_x, half_x + margin_m, sample_m) *
                                    covered(place[1] - half_y, half_y + margin_m, sample_m));
        if (alpha <= 0.0f)
            continue;
        sample_sand(texture, &spot, place, sand);
        const float white = charuco_white(board, place[0], place[1], sample_m);
        sum += alpha * fmaxf(0.01f, print_albedo(white, sand));
        all += alpha;
    }
    rgb[0] = rgb[1] = rgb[2] = all > 0.0f ? sum / all : 0.0f;
    return 0.25f * all;
}
