/* Are depth maps what they seem? A sweep finds a best plane for every pixel, also where the surface
 * is on none of them: such depths come with confidence, and some agree by chance. Measured on
 * scenes of 2, 5 and 12 cameras: 87 to 98 % of the confident depths are agreed on where the range
 * is right, 1 to 29 % where the surface lies outside it.
 * Cost: agreement is counted in a sample of tiles, a few per cent of the cost of fusion. */
#include <stdio.h>

#include "base/diag.h"
#include "pipeline/frame.h"

static const double LEAST_DEPTHS = 0.05;    /* of the pixels */
static const double LEAST_AGREEMENT = 0.35; /* of the pixels with a depth */

static size_t pixels_of(const AqmDepthMap *map) {
    return (size_t)map->width * (size_t)map->height;
}

/* The pixels of a map that fusion uses. */
static size_t count_depths(const AqmDepthMap *map, double min_confidence) {
    size_t count = 0;
    for (size_t i = 0; i < pixels_of(map); i++)
        count += map->depth_m[i] > 0.0f && (double)map->confidence[i] >= min_confidence;
    return count;
}

static const char *cause(const AqmConfig *config) {
    return config->reconstruction.has_depth_range
               ? "is reconstruction.depth_range right (metres along the ray below the water)?"
               : "are the calibration, its water_z and the pairing of the images right, are there "
                 "enough texture and overlap? reconstruction.depth_range can say where to look";
}

AqmStatus aqm_frame_doubt(const AqmConfig *config, const AqmFusionView *views, size_t count,
                          char *doubt, size_t size, AqmDiag *diag) {
    const AqmFusionOptions *options = &config->reconstruction.fusion;
    size_t empty = 0, depths = 0, agreed = 0;
    doubt[0] = '\0';
    for (size_t k = 0; k < count; k++)
        empty += (double)count_depths(views[k].depth, options->min_confidence) <
                 LEAST_DEPTHS * (double)pixels_of(views[k].depth);
    if (2 * empty > count) {
        snprintf(doubt, size,
                 "in %zu of %zu cameras fewer than %.0f %% of the pixels have a depth with "
                 "min_confidence (%g): %s",
                 empty, count, 100.0 * LEAST_DEPTHS, options->min_confidence, cause(config));
        return AQM_OK;
    }
    /* one view agrees with itself: that says nothing */
    const int agree = options->min_consistent_views > 2 ? options->min_consistent_views : 2;
    if (count > 1)
        AQM_TRY(aqm_fusion_agreement(views, count, agree, options, &depths, &agreed, diag));
    if ((double)agreed < LEAST_AGREEMENT * (double)depths)
        snprintf(doubt, size,
                 "%d cameras agree on only %.1f %% of the depths found, little more than by "
                 "chance: the cloud is not to be trusted; %s",
                 agree, 100.0 * (double)agreed / (double)depths, cause(config));
    return AQM_OK;
}
