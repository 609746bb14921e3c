/* Correlation divides by the contrast and so makes noise look like texture. A window's scores
 * therefore count for v / (v + noise^2), with v the variance of its pixels.
 *
 * The noise is the image's own: a Laplacian that takes out planes and edges along either axis
 * leaves six times the standard deviation of noise (Immerkaer 1996), and where a block of the image
 * has little texture its mean size says that of the noise. Of all blocks the tenth percentile is
 * taken. Texture everywhere makes it too large, in proportion to the contrast there, which does no
 * harm: all windows are then worth nearly the same. */
#include "stages/stereo/worth.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "math/stats.h"

enum { NOISE_BLOCK = 16, QUIET_PERCENT = 10, ENOUGH_BLOCKS = 1024 };
static const double least_noise = 1.5 * AQM_GRAY_WHITE / 255.0; /* rounding, and a little more */
static const double sigma_of_mean = 1.2533141373155 / 6.0;      /* sqrt(pi / 2) / 6 */

/* ---- noise ----------------------------------------------------------------------------------- */

/* Mean size of the Laplacian over the block's pixels with all neighbours present; negative where
 * they are fewer than half of it. */
static double block_laplacian(const AqmStereoImage *image, int x0, int y0) {
    int64_t sum = 0;
    int count = 0;
    for (int y = y0; y < y0 + NOISE_BLOCK; y++) {
        const int16_t *row = image->gray + y * image->stride;
        const int16_t *above = row - image->stride, *below = row + image->stride;
        for (int x = x0; x < x0 + NOISE_BLOCK; x++) {
            const int16_t p[9] = {above[x - 1], above[x],     above[x + 1], row[x - 1],  row[x],
                                  row[x + 1],   below[x - 1], below[x],     below[x + 1]};
            int missing = 0;
            for (int k = 0; k < 9; k++)
                missing |= p[k] == AQM_GRAY_MISSING;
            const int value =
                p[0] + p[2] + p[6] + p[8] - 2 * (p[1] + p[3] + p[5] + p[7]) + 4 * p[4];
            sum += missing ? 0 : abs(value);
            count += !missing;
        }
    }
    return 2 * count < NOISE_BLOCK * NOISE_BLOCK ? -1.0 : (double)sum / count;
}

AqmStatus aqm_image_noise(const AqmStereoImage *image, float *noise, AqmDiag *diag) {
    const int across = (image->width - 2) / NOISE_BLOCK, down = (image->height - 2) / NOISE_BLOCK;
    const size_t blocks = across > 0 && down > 0 ? (size_t)across * (size_t)down : 0;
    *noise = (float)least_noise;
    if (blocks == 0)
        return AQM_OK;
    int skip = 1; /* of a large image every second or third block each way says enough */
    while (blocks > (size_t)(skip * skip) * ENOUGH_BLOCKS)
        skip++;
    double *sizes = aqm_alloc(blocks, sizeof *sizes);
    if (!sizes)
        return aqm_fail_memory(diag, "the noise of an image", blocks, sizeof *sizes);
    size_t count = 0;
    for (int by = 0; by < down; by += skip)
        for (int bx = 0; bx < across; bx += skip) {
            const double size = block_laplacian(image, 1 + bx * NOISE_BLOCK, 1 + by * NOISE_BLOCK);
            if (size >= 0.0)
                sizes[count++] = size;
        }
    if (count > 0)
        *noise = (float)fmax(least_noise,
                             sigma_of_mean * aqm_percentile_f64(sizes, count, QUIET_PERCENT));
    aqm_free(sizes);
    return AQM_OK;
}

/* ---- windows --------------------------------------------------------------------------------- */

/* Sums over the rows of a window, a column each. */
typedef struct Columns {
    int32_t *count, *sum, *squares;
} Columns;

static void add_row(const AqmStereoImage *image, int y, int sign, const Columns *columns) {
    if (y < 0 || y >= image->height)
        return;
    const int16_t *row = image->gray + y * image->stride;
    for (int x = 0; x < image->width; x++) {
        const int32_t is_there = row[x] != AQM_GRAY_MISSING, value = is_there ? row[x] : 0;
        columns->count[x] += sign * is_there;
        columns->sum[x] += sign * value;
        columns->squares[x] += sign * value * value;
    }
}

static void weigh_row(const Columns *columns, int width, int radius, float noise, float *worth) {
    int64_t count = 0, sum = 0, squares = 0;
    for (int x = -radius; x < width; x++) {
        if (x + radius < width) {
            count += columns->count[x + radius];
            sum += columns->sum[x + radius];
            squares += columns->squares[x + radius];
        }
        if (x < 0)
            continue;
        const double n = (double)(count > 0 ? count : 1), mean = (double)sum / n;
        const float variance = (float)fmax(0.0, (double)squares / n - mean * mean);
        worth[x] = variance / (variance + noise * noise);
        if (x >= radius) {
            count -= columns->count[x - radius];
            sum -= columns->sum[x - radius];
            squares -= columns->squares[x - radius];
        }
    }
}

AqmStatus aqm_window_worth(const AqmStereoImage *image, int radius, float *worth, AqmDiag *diag) {
    float noise;
    AQM_TRY(aqm_image_noise(image, &noise, diag));
    const size_t width = (size_t)image->width;
    int32_t *sums = aqm_calloc(3 * width, sizeof *sums);
    if (!sums)
        return aqm_fail_memory(diag, "the contrast of an image", 3 * width, sizeof *sums);
    const Columns columns = {sums, sums + width, sums + 2 * width};
    for (int y = -radius; y < image->height; y++) {
        add_row(image, y + radius, 1, &columns);
        add_row(image, y - radius - 1, -1, &columns);
        if (y >= 0)
            weigh_row(&columns, image->width, radius, noise, worth + (size_t)y * width);
    }
    aqm_free(sums);
    return AQM_OK;
}
