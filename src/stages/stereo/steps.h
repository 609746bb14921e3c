/* The steps of a disparity map moved to where the image has edges, and its small gaps filled. */
#ifndef AQM_STEREO_STEPS_H
#define AQM_STEREO_STEPS_H

#include "stages/stereo/stereo_image.h"

typedef struct AqmStepRules {
    float unit_px;   /* what counts as a pixel, in units of the map */
    float rim_share; /* 0..1: of their worth that the pixels beside a step keep: 1 if sides have
                        been compared there, less if foregrounds may have grown by half a window */
} AqmStepRules;

/* Within reach of a step of the map (a pixel or more between neighbours, and not a slope) every
 * pixel takes the weighted median of the disparities around it if that lies across the step.
 * `disparity` and `confidence`: the image's size, px (near_warp.h) and 0..1; where one is NaN or
 * the other 0 there is no disparity, which stays and has no say. Where the map has no
 * steps it costs a pass over it and changes nothing. MEMORY; the map is as before then. */
AqmStatus aqm_align_steps(const AqmStereoImage *image, const float *confidence,
                          const AqmStepRules *rules, float *disparity, int threads, AqmDiag *diag);

/* What is known of each pixel, the image's size: disparity, its standard deviation, both in px, and
 * confidence. */
typedef struct AqmMeasured {
    float *disparity, *sigma_px, *confidence;
} AqmMeasured;

/* Fills gaps of at most 100 pixels (NaN, or confidence 0, where the image has a pixel) with the
 * weighted median of the disparities around that look alike. It is a guess, and says so: the
 * confidence is less than that of chance and the standard deviation a pixel (`unit_px`). Nothing
 * else changes. MEMORY; the map is as before then. */
AqmStatus aqm_fill_gaps(const AqmStereoImage *image, float unit_px, const AqmMeasured *map,
                        int threads, AqmDiag *diag);

#endif
