/* Colour normalisation over the cameras of one frame: each channel of each image goes through a
 * table of its own, so both methods cost one pass to measure and one to apply, 1 to 2 ns a sample.
 *
 * Gain: with m_i the mean of a channel of image i and M the mean of all m_i, values are multiplied
 * by M / m_i. A pixel with a channel at 0 or at the top of the range says only that the sensor was
 * out of its range, so m_i leaves those pixels out; an image that has no others stays as it is and
 * does not count in M.
 *
 * Histogram: with F_i the share of samples below a value (half of those equal to it counted) and
 * Q_i its inverse, interpolated linearly, a value x becomes the mean over j of Q_j(F_i(x)): the
 * quantile average of the distributions, which for shifted copies of one shape is that shape at
 * the mean shift (midway specification: Delon 2004, "Midway image equalization"). Saturated
 * samples are an end of the distribution like any other there. */
#include "aquamvs/color.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"

static size_t level_count(const AqmImage *image) {
    return image->type == AQM_U8 ? 256 : 65536;
}

static const void *row_of(const AqmImage *image, int y) {
    return (const char *)image->data + (size_t)y * image->stride;
}

static inline unsigned sample_at(const AqmImage *image, const void *row, size_t i) {
    return image->type == AQM_U8 ? ((const uint8_t *)row)[i] : ((const uint16_t *)row)[i];
}

static void apply_tables(AqmImage *image, const uint16_t *tables) {
    const size_t channels = (size_t)image->channels, levels = level_count(image);
    for (int y = 0; y < image->height; y++) {
        uint8_t *bytes = (uint8_t *)image->data + (size_t)y * image->stride;
        uint16_t *words = (uint16_t *)(void *)bytes;
        for (size_t x = 0; x < (size_t)image->width; x++)
            for (size_t c = 0; c < channels; c++) {
                const size_t i = x * channels + c;
                if (image->type == AQM_U8)
                    bytes[i] = (uint8_t)tables[c * levels + bytes[i]];
                else
                    words[i] = tables[c * levels + words[i]];
            }
    }
}

static uint16_t to_level(double value, double top) {
    return (uint16_t)(fmin(fmax(value, 0.0), top) + 0.5);
}

/* ---- gain ------------------------------------------------------------------------------------ */

/* Means of the channels over the pixels within the sensor's range; 0 where there is none. */
static void channel_means(const AqmImage *image, double top, double means[3]) {
    const size_t channels = (size_t)image->channels;
    uint64_t sums[3] = {0}, count = 0;
    for (int y = 0; y < image->height; y++) {
        const void *row = row_of(image, y);
        for (size_t x = 0; x < (size_t)image->width; x++) {
            unsigned value[3] = {0}, usable = 1;
            for (size_t c = 0; c < channels; c++) {
                value[c] = sample_at(image, row, x * channels + c);
                usable &= value[c] > 0 && (double)value[c] < top;
            }
            for (size_t c = 0; c < channels; c++)
                sums[c] += usable ? value[c] : 0;
            count += usable;
        }
    }
    for (size_t c = 0; c < 3; c++)
        means[c] = count ? (double)sums[c] / (double)count : 0.0;
}

static AqmStatus gain_tables(AqmImage *const *images, size_t image_count, double top,
                             uint16_t *tables, AqmDiag *diag) {
    const size_t levels = level_count(images[0]), channels = (size_t)images[0]->channels;
    double *means = aqm_calloc(image_count, 3 * sizeof *means), target[3] = {0};
    if (!means)
        return aqm_fail_memory(diag, "channel means", image_count, 3 * sizeof *means);
    size_t measured = 0;
    for (size_t i = 0; i < image_count; i++) {
        channel_means(images[i], top, means + 3 * i);
        measured += means[3 * i] > 0.0;
        for (size_t c = 0; c < channels; c++)
            target[c] += means[3 * i + c];
    }
    for (size_t i = 0; i < image_count; i++)
        for (size_t c = 0; c < channels; c++) {
            const double mean = means[3 * i + c];
            const double gain = mean > 0.0 ? target[c] / (double)measured / mean : 1.0;
            for (size_t v = 0; v < levels; v++)
                tables[(i * channels + c) * levels + v] = to_level(gain * (double)v, top);
        }
    aqm_free(means);
    return AQM_OK;
}

/* ---- histogram ------------------------------------------------------------------------------- */

/* A channel's distribution: the values that occur and, for each, F as said above. */
typedef struct Distribution {
    size_t count;
    float *value;
    double *below;
} Distribution;

static void measure(const AqmImage *image, size_t channel, uint64_t *histogram, Distribution *out) {
    const size_t levels = level_count(image), channels = (size_t)image->channels;
    memset(histogram, 0, levels * sizeof *histogram);
    for (int y = 0; y < image->height; y++) {
        const void *row = row_of(image, y);
        for (size_t x = 0; x < (size_t)image->width; x++)
            histogram[sample_at(image, row, x * channels + channel)]++;
    }
    const double total = (double)image->width * image->height;
    uint64_t before = 0;
    out->count = 0;
    for (size_t v = 0; v < levels; v++) {
        if (histogram[v] == 0)
            continue;
        out->value[out->count] = (float)v;
        out->below[out->count++] = ((double)before + 0.5 * (double)histogram[v]) / total;
        before += histogram[v];
    }
}

/* Adds Q(F(x)) / image_count for the values x of `from` to `sum`, Q that of `to`. */
static void add_quantiles(const Distribution *from, const Distribution *to, double weight,
                          double *sum) {
    size_t j = 0; /* both rise, so one walk serves all */
    for (size_t i = 0; i < from->count; i++) {
        const double p = from->below[i];
        while (j + 1 < to->count && to->below[j + 1] <= p)
            j++;
        double value = (double)to->value[j];
        if (p > to->below[j] && j + 1 < to->count)
            value += (double)(to->value[j + 1] - to->value[j]) * (p - to->below[j]) /
                     (to->below[j + 1] - to->below[j]);
        sum[i] += weight * value;
    }
}

static void histogram_table(const Distribution *all, size_t image_count, size_t own, double top,
                            double *sum, uint16_t *table) {
    const Distribution *from = &all[own];
    memset(sum, 0, from->count * sizeof *sum);
    for (size_t j = 0; j < image_count; j++)
        add_quantiles(from, &all[j], 1.0 / (double)image_count, sum);
    for (size_t i = 0; i < from->count; i++)
        table[(size_t)from->value[i]] = to_level(sum[i], top);
}

static AqmStatus histogram_tables(AqmImage *const *images, size_t image_count, double top,
                                  uint16_t *tables, AqmDiag *diag) {
    const size_t levels = level_count(images[0]), channels = (size_t)images[0]->channels;
    Distribution *all = aqm_calloc(image_count, sizeof *all);
    float *values = aqm_alloc(image_count, levels * sizeof *values);
    double *below = aqm_alloc(image_count + 1, levels * sizeof *below); /* one row for sums */
    uint64_t *histogram = aqm_alloc(levels, sizeof *histogram);
    AqmStatus status = AQM_OK;
    if (!all || !values || !below || !histogram) {
        status = aqm_fail_memory(diag, "histograms", image_count, levels * 12);
        goto done;
    }
    for (size_t i = 0; i < image_count; i++)
        all[i] = (Distribution){0, values + i * levels, below + i * levels};
    for (size_t c = 0; c < channels; c++) {
        for (size_t i = 0; i < image_count; i++)
            measure(images[i], c, histogram, &all[i]);
        for (size_t i = 0; i < image_count; i++)
            histogram_table(all, image_count, i, top, below + image_count * levels,
                            tables + (i * channels + c) * levels);
    }
done:
    aqm_free(all);
    aqm_free(values);
    aqm_free(below);
    aqm_free(histogram);
    return status;
}

AqmStatus aqm_color_normalize(AqmImage *const *images, size_t image_count, AqmColorNorm method,
                              double full_scale, AqmDiag *diag) {
    if (image_count < 2)
        return AQM_OK; /* one image agrees with itself */
    for (size_t i = 1; i < image_count; i++)
        if (images[i]->type != images[0]->type || images[i]->channels != images[0]->channels)
            return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                            "colour normalisation: image %zu has %d channels of %d bits, image 0 "
                            "%d of %d; all must be alike",
                            i, images[i]->channels, 8 * (int)images[i]->type, images[0]->channels,
                            8 * (int)images[0]->type);
    const double most = (double)(level_count(images[0]) - 1);
    if (!(full_scale >= 1.0 && full_scale <= most))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "colour normalisation: full scale is %g: must be in 1..%g", full_scale,
                        most);
    const size_t tables_each = (size_t)images[0]->channels * level_count(images[0]);
    uint16_t *tables = aqm_calloc(image_count, tables_each * sizeof *tables);
    if (!tables)
        return aqm_fail_memory(diag, "colour tables", image_count, tables_each * sizeof *tables);
    const AqmStatus status = method == AQM_COLOR_GAIN
                                 ? gain_tables(images, image_count, full_scale, tables, diag)
                                 : histogram_tables(images, image_count, full_scale, tables, diag);
    if (status == AQM_OK)
        for (size_t i = 0; i < image_count; i++)
            apply_tables(images[i], tables + i * tables_each);
    aqm_free(tables);
    return status;
}
