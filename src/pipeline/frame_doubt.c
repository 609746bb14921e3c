/* Are depth maps what they seem? A sweep finds a best plane for every pixel, also where the surface
 * is on none of them: such depths come with confidence, and some agree by chance. Measured on
 * scenes of 2, 5 and 12 cameras: 87 to 98 % of the confident depths are agreed on where the range
 * is right, 1 to 22 % where the surface lies outside it.
 * Cost: agreement is counted in three views at most, well below the cost of fusion. */
#include <stdio.h>

#include "base/alloc.h"
#include "pipeline/frame.h"

enum { VIEWS_COUNTED = 3 };

static const double LEAST_DEPTHS = 0.05;    /* of the pixels */
static const double LEAST_AGREEMENT = 0.25; /* of the pixels with a depth */

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

/* Adds what one view has, and what of that `agree` views agree on. */
static AqmStatus count_agreed(const AqmFusionView *views, size_t count, size_t k, int agree,
                              const AqmFusionOptions *options, size_t *depths, size_t *agreed,
                              AqmDiag *diag) {
    const size_t pixels = pixels_of(views[k].depth);
    uint8_t *counts = aqm_calloc(pixels, 1);
    if (!counts)
        return aqm_fail_memory(diag, "counting the views that agree", pixels, 1);
    const AqmStatus status = aqm_fusion_consistency(views, count, k, options, counts, diag);
    for (size_t i = 0; i < pixels; i++) {
        *depths += counts[i] > 0;
        *agreed += counts[i] >= agree;
    }
    aqm_free(counts);
    return status;
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
    const size_t step = (count + VIEWS_COUNTED - 1) / VIEWS_COUNTED;
    for (size_t k = 0; count > 1 && k < count; k += step)
        AQM_TRY(count_agreed(views, count, k, agree, options, &depths, &agreed, diag));
    if ((double)agreed < LEAST_AGREEMENT * (double)depths)
        snprintf(doubt, size,
                 "%d cameras agree on only %.1f %% of the depths found, little more than by "
                 "chance: the cloud is not to be trusted; %s",
                 agree, 100.0 * (double)agreed / (double)depths, cause(config));
    return AQM_OK;
}
