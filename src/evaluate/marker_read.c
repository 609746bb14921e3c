/* Modules are sampled through the quadrangle's homography and compared with the middle between the
 * black of the frame and the white around it; the code is the nearest of the board's in any of four
 * turns, if no more bits differ than the dictionary can correct. */
#include "evaluate/marker_read.h"

#include <math.h>
#include <string.h>

#include "math/homography.h"

enum { SIDE_MAX = 6, GRID_MAX = SIDE_MAX + 2 };
static const double least_contrast = 0.08; /* of the image's range */

/* Mean of 3 x 3 samples within a module; NaN at the rim of the image. */
static double module_mean(const AqmGrayPlane *plane, const double H[9], int i, int j) {
    double sum = 0.0;
    for (int b = -1; b <= 1; b++)
        for (int a = -1; a <= 1; a++) {
            const double at[2] = {i + 0.5 + 0.2 * a, j + 0.5 + 0.2 * b};
            double px[2];
            if (!aqm_homography_apply(H, at, px))
                return (double)NAN;
            sum += aqm_gray_sample(plane, px[0], px[1]);
        }
    return sum / 9.0;
}

/* Mean of the white around, half way to the squares beside it. */
static double surrounding_mean(const AqmGrayPlane *plane, const double H[9], int grid,
                               double inset_modules) {
    const double out = fmin(0.5 * inset_modules, 0.7);
    double sum = 0.0;
    int count = 0;
    for (int k = 0; k < grid; k++) {
        const double t = k + 0.5;
        const double at[4][2] = {{t, -out}, {t, grid + out}, {-out, t}, {grid + out, t}};
        for (int side = 0; side < 4; side++) {
            double px[2];
            const double value = aqm_homography_apply(H, at[side], px)
                                     ? aqm_gray_sample(plane, px[0], px[1])
                                     : (double)NAN;
            if (isfinite(value))
                sum += value, count++;
        }
    }
    return count >= 2 * grid ? sum / count : (double)NAN;
}

/* Bits as numbers, row by row; false where the frame is not dark or the contrast is low. */
static bool read_bits(const AqmGrayPlane *plane, const double H[9], int side, double inset_modules,
                      int bits[SIDE_MAX * SIDE_MAX]) {
    double mean[GRID_MAX][GRID_MAX], black = 0.0;
    const int grid = side + 2, frame = 4 * (grid - 1);
    for (int j = 0; j < grid; j++)
        for (int i = 0; i < grid; i++) {
            mean[j][i] = module_mean(plane, H, i, j);
            if (i == 0 || j == 0 || i == grid - 1 || j == grid - 1)
                black += mean[j][i] / frame;
        }
    const double white = surrounding_mean(plane, H, grid, inset_modules);
    if (!(white - black > least_contrast * (double)plane->range))
        return false;
    const double middle = 0.5 * (white + black);
    int light = 0;
    for (int k = 0; k < grid; k++) {
        light += mean[0][k] > middle;
        light += mean[grid - 1][k] > middle;
        light += k > 0 && k < grid - 1 && mean[k][0] > middle;
        light += k > 0 && k < grid - 1 && mean[k][grid - 1] > middle;
    }
    for (int j = 0; j < side; j++)
        for (int i = 0; i < side; i++)
            bits[j * side + i] = mean[j + 1][i + 1] > middle;
    return 10 * light <= frame;
}

/* As one reads them after a quarter turn: the second corner becomes the first. */
static void turn_bits(int side, int bits[SIDE_MAX * SIDE_MAX]) {
    int before[SIDE_MAX * SIDE_MAX];
    memcpy(before, bits, sizeof before);
    for (int j = 0; j < side; j++)
        for (int i = 0; i < side; i++)
            bits[j * side + i] = before[i * side + (side - 1 - j)];
}

static int count_bits(uint64_t value) {
    int count = 0;
    for (; value; value &= value - 1)
        count++;
    return count;
}

bool aqm_marker_read(const AqmGrayPlane *plane, const AqmQuad *quad, const AqmBoard *board,
                     AqmMarker *out) {
    const int side = aqm_dictionary_side(board->dictionary), grid = side + 2;
    const int markers = aqm_board_marker_count(board);
    const double square[4][2] = {{0, 0}, {grid, 0}, {grid, grid}, {0, grid}};
    const double inset = 0.5 * (board->square_m / board->marker_m - 1.0) * grid;
    int bits[SIDE_MAX * SIDE_MAX] = {0}, best = aqm_dictionary_correction(board->dictionary) + 1;
    double H[9];
    if (!aqm_homography_fit(square, quad->corner, 4, H) || !read_bits(plane, H, side, inset, bits))
        return false;
    for (int turn = 0; turn < 4; turn++, turn_bits(side, bits)) {
        uint64_t code = 0;
        for (int k = 0; k < side * side; k++)
            code = code << 1 | (uint64_t)bits[k];
        for (int id = 0; id < markers; id++) {
            const int wrong = count_bits(code ^ aqm_dictionary_code(board->dictionary, id));
            if (wrong >= best)
                continue;
            best = wrong;
            out->id = id, out->wrong_bits = wrong;
            for (int k = 0; k < 4; k++)
                memcpy(out->corner[k], quad->corner[(k + turn) % 4], sizeof out->corner[k]);
        }
    }
    return best <= aqm_dictionary_correction(board->dictionary);
}
