/* The inner loops of fusion: rays of pixels, normals from depths, what another view says about
 * points, the robust mean of what all say, and the voxels of points. Raw pointers, no allocation,
 * cannot fail.
 *
 * Everything is float (positions in the grid of voxels: double) and unfused, every root and
 * quotient correctly rounded, every sum in one order: the variants give the same bits as the
 * reference. Lengths n are multiples of AQM_FUSION_LANES. NaN stands for "not known" throughout. */
#ifndef AQM_KERNELS_FUSION_KERNELS_H
#define AQM_KERNELS_FUSION_KERNELS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/deviation_code.h"
#include "kernels/voxel_sums.h"

enum {
    AQM_FUSION_LANES = 8,
    AQM_FUSION_CHUNK = 64,
    AQM_SLOPES_SIDE = 32,
    AQM_ARRIVALS = 32,
    AQM_FUSION_VIEWS_MAX = 255 /* AqmCloud.views is a byte */
};

/* A camera over water (see AqmView). h_c: its height over the water; n = n_water / n_air. */
typedef struct AqmSightCamera {
    float R[9], C[2], water_z, h_c, n;
    float fx, fy, cx, cy;
} AqmSightCamera;

/* Rays in water: where they leave the surface, relative to the camera's C, and unit directions. */
typedef struct AqmRayRow {
    float *x, *y, *direction[3];
} AqmRayRow;

/* Points with the normals of the surface there, and the ray each was found along: its direction's
 * dot product with the normal, and its Z component. */
typedef struct AqmSightPoints {
    const float *position[3], *normal[3], *facing, *descent;
} AqmSightPoints;

/* A depth map ready to be sampled: a word a pixel, depth and standard deviation together so that
 * one access brings both. The upper 24 bits are the depth, 5 bits of exponent from 2^-20 m on and
 * 19 of mantissa: rounded by at most 1e-6 of itself, 2^-20 m .. 4096 m. The lower 8 bits are the
 * standard deviation, 5 bits of exponent from 2^-20 m on and 3 of mantissa: rounded by at most 1/16
 * of itself, 2^-20 m .. 3840 m. 0 = unusable. `texels` points to pixel (0, 0); a column and a row
 * more on every side are unusable. Rows lie `pitch` words apart. */
typedef struct AqmSightMap {
    const uint32_t *texels;
    int32_t pitch, width, height;
} AqmSightMap;

/* How the water bends a camera's sight of a region of r^2, the squared horizontal distance from the
 * camera, and h, the depth below the water: quadratics in both, as shares of half the region's
 * width from its middle, with the factors of 1, x, y, x^2, x y and y^2. `apparent`: how far below
 * the water a point seems to be (seen straight from the camera), in h; `slant`: its ray depth in h.
 */
typedef struct AqmSightBend {
    float middle[2], per_half[2], apparent[6], slant[6];
} AqmSightBend;

/* A texel's depth in the upper bits becomes the bits of a float by a shift and an addition; so does
 * its standard deviation in the lower ones (deviation_code.h). */
enum { AQM_TEXEL_SHIFT = 4, AQM_TEXEL_BIAS = AQM_DEVIATION_BIAS };

/* Which depths are usable, those with at least this confidence; and the standard deviation of one
 * of confidence 1 whose own is not known: one of confidence c has 1 / sqrt(c) times that. */
typedef struct AqmPackRules {
    float least_confidence, stand_in;
} AqmPackRules;

/* Rows of a depth map, in metres; a deviation that is not positive and finite is not known. */
typedef struct AqmDepthRow {
    const float *depth, *confidence, *deviation;
} AqmDepthRow;

/* What settle finds at each point: the mean; the sum of the weighted squared differences from it,
 * with the weights that it was made with; how many agree, the point itself counted. */
typedef struct AqmSettled {
    float *mean, *misfit;
    uint8_t *count;
} AqmSettled;

/* How finely a displacement along the ray is stored: this many steps in one depth tolerance. At 5
 * mm a step is 0.3 micrometres, below the rounding of a float coordinate of 4 m. */
enum { AQM_SHIFT_STEPS = 16000, AQM_SHIFT_NONE = INT16_MIN };

/* A depth moved by a stored displacement; step: metres. */
static inline float aqm_shifted_depth(float depth, int16_t shift, float step) {
    return depth + (float)shift * step;
}

/* The variance of the mean of views of which one has `variance`; misfit: as AqmSettled, of weights
 * 1 / (variance of the view + variance of the reference). `share`: of their mean's variance in
 * theirs; `doubt`: 1 / the largest misfit that chance explains; both for so many views. */
static inline float aqm_fused_variance(float share, float doubt, float variance, float misfit) {
    const float excess = misfit * doubt;
    return variance * share * (excess > 1.0f ? excess : 1.0f);
}

/* What is known of points once they are settled: how many views agree, the variance of the point's
 * own depth, the misfit, the error that all views share, and facing as AqmSightPoints. `share` and
 * `doubt`: for each count. */
typedef struct AqmVoted {
    const uint8_t *count;
    const float *variance, *misfit, *smoothing, *facing, *share, *doubt;
} AqmVoted;

/* Which points are kept: those that this many views agree on and that still lie below the water.
 * Displacements are below two tolerances. */
typedef struct AqmKeepRules {
    float tolerance, step; /* metres */
    int needed;
} AqmKeepRules;

/* A row of points that are voted on: depths, where their rays leave the water and their directions,
 * both along Y and in the rig frame, and the displacements. */
typedef struct AqmKeepRow {
    const float *depth, *start, *direction, *shift;
    const uint8_t *count;
    float center; /* of the camera */
} AqmKeepRow;

/* Adjacent pixels with their points: positions and unit normals (NaN = not known), the fused
 * standard deviations along these as codes (deviation_code.h), how many views agree, and colours,
 * r g b each. */
typedef struct AqmPointRow {
    const float *position[3], *normal[3], *confidence;
    const uint8_t *deviation, *views, *color;
} AqmPointRow;

typedef struct AqmFusionKernels {
    const char *name;

    /* The rays of pixels (u, v), (u + 1, v) .. ; NaN for those that never reach the water. Within
     * 5e-7 of the exact directions and of h_c times them. */
    void (*rays)(const AqmSightCamera *camera, float u, float v, size_t n, const AqmRayRow *out);

    /* A row of texels. A depth that is not in 2^-20 .. 4096 m (NaN) or has too little confidence is
     * unusable. Any n. */
    void (*pack)(const AqmDepthRow *row, const AqmPackRules *rules, size_t n, uint32_t *texels);

    /* The slopes in metres a pixel along u and v of a depth map at width x height pixels (at most
     * AQM_SLOPES_SIDE each; width a multiple of AQM_FUSION_LANES), rows `pitch` apart in, `width`
     * out: the mean of differences over 6 px in five adjacent lines, or over 3 px to one side where
     * none of those is whole. A pair that rises more than 0.7 tolerances a pixel, or whose middle
     * lies half a tolerance off, straddles a step and does not count. Reads 3 px around. */
    void (*slopes)(const float *depth, ptrdiff_t pitch, float tolerance, size_t width,
                   size_t height, float *slope_u, float *slope_v);

    /* Unit normals towards the camera of the surface through n adjacent pixels: `here` has n + 1
     * rays, `below` those of the next row, `slope_u` and `slope_v` the slopes of the depths. */
    void (*normals)(const AqmRayRow *here, const AqmRayRow *below, const float *depth,
                    const float *slope_u, const float *slope_v, size_t n, float *const normal[3]);

    /* Finds `bend` for the region r2[0] .. r2[1], h[0] .. h[1]; returns whether it is as exact as
     * `sight` wants it. It is over 0.1 m and 0.1 m at 1.4 m; not over a region with a step of
     * several times that, or none at all (NaN). */
    int (*bend)(const AqmSightCamera *camera, const float r2[2], const float h[2],
                AqmSightBend *out);

    /* What another view says about n points. Where its map agrees with a point to less than
     * `tolerance` in ray depth: how far along the points' own rays its surface lies beyond them,
     * and the weight of that, 1 / (its variance + `variance` of the point); elsewhere NaN and 0.
     * The variance is that of the nearest pixel, carried over to the point's ray as the distance
     * is. `bend`: of a region that holds all points: pixels within 1.5e-5 of the focal length times
     * the tangent from the vertical, depths within 3e-5 of themselves. NULL = two Newton steps:
     * pixels within 1e-3 px for h <= 0.6 h_c and r <= 1.6 h_c. */
    void (*sight)(const AqmSightCamera *camera, const AqmSightBend *bend, const AqmSightMap *map,
                  const AqmSightPoints *points, const float *variance, float tolerance, size_t n,
                  float *beyond, float *weight);

    /* The weighted robust mean at each of n points of what `views` views say (rows of n each, NaN =
     * nothing) and of 0 with weight `own`. n a multiple of AQM_FUSION_CHUNK. */
    void (*settle)(const float *beyond, const float *weight, size_t views, const float *own,
                   float tolerance, size_t n, const AqmSettled *settled);

    /* The standard deviations along the normals, as codes, of n settled points. */
    void (*spread)(const AqmVoted *voted, size_t n, uint8_t *codes);

    /* The displacements of n points in steps, AQM_SHIFT_NONE for those not kept. Extends low[] and
     * high[] (AQM_FUSION_LANES each) by the Y of those kept; returns how many. */
    uint32_t (*keep)(const AqmKeepRow *row, const AqmKeepRules *rules, size_t n, int16_t *shifts,
                     float *low, float *high);

    /* The points of n adjacent pixels (a multiple of AQM_ARRIVALS), ready to be added to their
     * voxels; `views` is 0 where the position is not known. */
    void (*arrive)(const AqmVoxelGrid *grid, const AqmPointRow *row, size_t n, AqmVoxelSums *points,
                   AqmVoxelPlace *places);
} AqmFusionKernels;

/* The fastest table this processor can run (features as aqm_cpu_features gives them). */
const AqmFusionKernels *aqm_fusion_kernels(unsigned cpu_features);

extern const AqmFusionKernels aqm_fusion_kernels_reference;
#if defined(__x86_64__)
extern const AqmFusionKernels aqm_fusion_kernels_avx2;
#endif

#endif
