/* Tracks as a cloud. */
#include <math.h>
#include <string.h>

#include "aquamvs/matching.h"
#include "base/alloc.h"
#include "base/diag.h"

enum { MOST_VIEWS = 255 }; /* AqmCloud.views is a byte */

static double sample_at(const AqmImageView *image, int x, int y, int channel) {
    const char *row = (const char *)image->data + (size_t)y * image->stride;
    const size_t i =
        (size_t)x * (size_t)image->channels + (size_t)(image->channels == 3 ? channel : 0);
    return image->type == AQM_U8 ? ((const uint8_t *)(const void *)row)[i]
                                 : ((const uint16_t *)(const void *)row)[i];
}

/* Adds the image's colour at (u, v) to `sum`, in 0..1, interpolated; the rim goes on outside. */
static void add_color(const AqmImageView *image, double full_scale, const AqmObservation *at,
                      double sum[3]) {
    const double u = fmin(fmax((double)at->u, 0.0), image->width - 1),
                 v = fmin(fmax((double)at->v, 0.0), image->height - 1);
    const int x = (int)u, y = (int)v;
    const int right = x + 1 < image->width ? x + 1 : x, low = y + 1 < image->height ? y + 1 : y;
    const double fu = u - x, fv = v - y;
    for (int c = 0; c < 3; c++) {
        const double top =
            sample_at(image, x, y, c) * (1.0 - fu) + sample_at(image, right, y, c) * fu;
        const double bottom =
            sample_at(image, x, low, c) * (1.0 - fu) + sample_at(image, right, low, c) * fu;
        sum[c] += (top * (1.0 - fv) + bottom * fv) / full_scale;
    }
}

static void point_normal(const double position[3], const double centers[3], size_t count,
                         float normal[3]) {
    double d[3], length2 = 0.0;
    for (int k = 0; k < 3; k++) {
        d[k] = centers[k] / (double)count - position[k];
        length2 += d[k] * d[k];
    }
    for (int k = 0; k < 3; k++)
        normal[k] = length2 > 0.0 ? (float)(d[k] / sqrt(length2)) : 0.0f;
}

/* Point i of the tracks to point i of the cloud. */
static void add_point(AqmCloud *cloud, const AqmTracks *tracks, size_t i,
                      const AqmView *const *views, const AqmImageView *const *colors,
                      const double *full_scale) {
    const size_t count = tracks->first[i + 1] - tracks->first[i];
    const double *position = tracks->position + 3 * i;
    double centers[3] = {0}, color[3] = {0}, colored = 0.0;
    for (size_t k = tracks->first[i]; k < tracks->first[i + 1]; k++) {
        const AqmObservation *seen = &tracks->observation[k];
        for (int j = 0; j < 3; j++)
            centers[j] += views[seen->view]->C[j];
        if (colors && colors[seen->view]) {
            add_color(colors[seen->view], full_scale[seen->view], seen, color);
            colored += 1.0;
        }
    }
    for (size_t j = 0; j < 3; j++) {
        const double level = colored > 0.0 ? 255.0 * color[j] / colored : 128.0;
        cloud->position[3 * i + j] = (float)position[j];
        cloud->color[3 * i + j] = (uint8_t)(fmin(fmax(level, 0.0), 255.0) + 0.5);
    }
    point_normal(position, centers, count, cloud->normal + 3 * i);
    cloud->confidence[i] = 1.0f / (1.0f + tracks->error_px[i] * tracks->error_px[i]);
    cloud->sigma_m[i] = tracks->sigma_m[i];
    cloud->views[i] = (uint8_t)(count < MOST_VIEWS ? count : MOST_VIEWS);
}

static AqmStatus check(const AqmTracks *tracks, const AqmView *const *views,
                       const AqmImageView *const *colors, const double *full_scale,
                       size_t view_count, AqmDiag *diag) {
    for (size_t k = 0; k < tracks->first[tracks->count]; k++)
        if (tracks->observation[k].view >= view_count)
            return aqm_fail(diag, AQM_ERROR_ARGUMENT, "a track is seen by view %u of %zu views",
                            (unsigned)tracks->observation[k].view, view_count);
    for (size_t v = 0; colors && v < view_count; v++) {
        if (!colors[v])
            continue;
        if (colors[v]->width != views[v]->width || colors[v]->height != views[v]->height)
            return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                            "view %zu: its image is %d x %d px, its camera %d x %d", v,
                            colors[v]->width, colors[v]->height, views[v]->width, views[v]->height);
        if (!(full_scale[v] > 0.0))
            return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                            "view %zu: full_scale is %g: must be positive", v, full_scale[v]);
    }
    return AQM_OK;
}

AqmStatus aqm_tracks_cloud(AqmCloud **out, const AqmTracks *tracks, const AqmView *const *views,
                           const AqmImageView *const *colors, const double *full_scale,
                           size_t view_count, AqmDiag *diag) {
    AQM_TRY(check(tracks, views, colors, full_scale, view_count, diag));
    AqmCloud *cloud = NULL;
    AQM_TRY(aqm_cloud_create(&cloud, tracks->count, diag));
    for (size_t i = 0; i < tracks->count; i++)
        add_point(cloud, tracks, i, views, colors, full_scale);
    cloud->count = tracks->count;
    *out = cloud;
    return AQM_OK;
}
