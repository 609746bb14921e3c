/* Stage: from features to matches, and from matches to points under water. What the calibration
 * knows is used: a point that one camera sees lies on its refracted ray, so in another camera on
 * the curve that the ray projects to. */
#ifndef AQUAMVS_MATCHING_H
#define AQUAMVS_MATCHING_H

#include "aquamvs/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct AqmMatchOptions {
    double filter_threshold; /* 0..1, default 0.1: matches scored lower are dropped; for SIFT the
                                score is 1 - (best distance / second best distance) */
    double epipolar_px;      /* 0.1..100, default 2: how far from the curve a counterpart may lie */
    int threads;             /* 0 = all cores */
} AqmMatchOptions;

AQM_API AqmMatchOptions aqm_match_options_default(void);
AQM_API AQM_NODISCARD AqmStatus aqm_match_options_validate(const AqmMatchOptions *options,
                                                           AqmDiag *diag);

/* One image of a frame as matching sees it: borrowed. */
typedef struct AqmMatchView {
    const AqmView *view;
    const AqmImageView *gray; /* of aqm_features_image; NULL = positions are not refined */
    const AqmFeatures *features;
    AqmDepthRange range; /* of the water column to look in; all 0 = from the surface down to twenty
                            times the camera's height over the water of apparent depth */
} AqmMatchView;

/* Matches of two images: candidates for a feature lie within epipolar_px of its curve over its own
 * view's depth range (of `first` one way round, of `second` the other), with a scale and an
 * orientation (where they are known) near what a level surface there would make of the feature's;
 * the best and the second best (at another place) by descriptor distance, both ways round (mutual
 * best), with the score as ratio test. Then, where both views have gray images, the counterpart in
 * `second` is refined by least squares between the images (Lucas & Kanade 1981; gain and offset
 * free) with the patch warped as a level surface through the point would be, and with its slope
 * free; the first position stays the feature's own. A match that does not settle within 1.5 px of
 * its feature, whose patches correlate by less than 0.75, or that is so near the border that its
 * patch is not whole, is dropped. In the order of `first`'s features. The same bytes for any number
 * of threads. ARGUMENT for features of different descriptor sizes or images of other sizes than
 * their views; MEMORY. *out is set on AQM_OK only. */
AQM_API AQM_NODISCARD AqmStatus aqm_match_features(AqmMatches **out, const AqmMatchView *first,
                                                   const AqmMatchView *second,
                                                   const AqmMatchOptions *options, AqmDiag *diag);

/* The matches of one pair of views. */
typedef struct AqmMatchPair {
    size_t first, second; /* views */
    const AqmMatches *matches;
} AqmMatchPair;

/* The pairs {first, second}, first < second, that AquaMVS would match: every non-auxiliary view
 * with the num_neighbors nearest (camera centre to camera centre) of its kind and, with
 * include_center, with every auxiliary view. Sorted; each pair once. pairs: room for view_count *
 * (view_count - 1) / 2 pairs of indices. Returns how many there are. */
AQM_API size_t aqm_pairs_by_distance(const AqmView *const *views, const bool *is_auxiliary,
                                     size_t view_count, int num_neighbors, bool include_center,
                                     size_t (*pairs)[2]);

/* The same choice for one view: its nearest of its kind, nearest first, then with include_center
 * the auxiliary ones. sources: room for view_count indices. Returns how many there are. */
AQM_API size_t aqm_sources_by_distance(const AqmView *const *views, const bool *is_auxiliary,
                                       size_t view_count, size_t view, int num_neighbors,
                                       bool include_center, size_t *sources);

typedef struct AqmTrackOptions {
    double max_error_px;  /* 0.01..100, default 1.5: largest reprojection error of an observation */
    double min_angle_deg; /* 0..90, default 1.5: least angle in water between two of its rays */
    int threads;          /* 0 = all cores */
} AqmTrackOptions;

AQM_API AqmTrackOptions aqm_track_options_default(void);
AQM_API AQM_NODISCARD AqmStatus aqm_track_options_validate(const AqmTrackOptions *options,
                                                           AqmDiag *diag);

/* Matches of pairs chained into tracks, best score first: a match that would bring two features of
 * one view into a track is left out. Every observation is moved to where the matches, link by link,
 * put the point of the track's most matched feature, so that all are positions of one point; the
 * point is triangulated from their rays, then moved to the least sum of squared reprojection errors
 * through the water (Gauss-Newton); while the largest error is above max_error_px the worst
 * observation is dropped, and the track where only two remain. A point counts if it lies below the
 * surface, within the range of the first view that sees it (0 = anywhere below), and two of its
 * rays make min_angle_deg. sigma_m comes from the normal equations and the errors of all tracks, at
 * least those of 0.02 px.
 *
 * `views`: those of the pairs' indices; their images are not used. Matches whose score or positions
 * are not finite are left out. Tracks are in the order of their first observations before any was
 * dropped (view, then feature), observations in the order of the views; the same bytes for any
 * number of threads. ARGUMENT for options out of range and pairs or matches of views or features
 * that are not there; MEMORY. *out is set on AQM_OK only; no point at all is no error. */
AQM_API AQM_NODISCARD AqmStatus aqm_tracks_build(AqmTracks **out, const AqmMatchView *views,
                                                 size_t view_count, const AqmMatchPair *pairs,
                                                 size_t pair_count, const AqmTrackOptions *options,
                                                 AqmDiag *diag);

/* Removes points that lie alone: those whose depth differs from the median of their 12 nearest
 * (horizontally) by more than 6 times the median of such differences, 4 times the median absolute
 * deviation of those 12, and 1 mm. The others keep their order. MEMORY; the tracks are as before
 * then. */
AQM_API AQM_NODISCARD AqmStatus aqm_tracks_remove_outliers(AqmTracks *tracks, AqmDiag *diag);

/* The depth range of `view`, from all points that lie in its image (not only those it matched): a
 * level bed, or a plane where that fits much better, and what the bed may lie above and below it
 * along all rays of the image. Near points that is what they say; away from them, by so much more
 * as points that far apart differ; nowhere more than the range of all, without the outermost 0.5 %
 * where those lie apart and are no body of points. Widened at either end by margin_m, and
 * by 5 % along rays, 10 % at the points (more with few of them), for what lies between.
 *
 * `others` (may be NULL): more points of the bed, less exact, as aqm_stereo_find_points has them
 * for this view; they count where 20 of them lie in the image. How far they may be off is seen from
 * the matched points near them. NO_DATA, and *range untouched, where fewer than 20 matched points
 * lie in the image; MEMORY. */
AQM_API AQM_NODISCARD AqmStatus aqm_tracks_depth_range(const AqmTracks *tracks,
                                                       const AqmCloud *others, const AqmView *view,
                                                       double margin_m, AqmDepthRange *range,
                                                       AqmDiag *diag);

/* The points as a cloud: normals point to the mean of the cameras that see each, colours are the
 * mean over the observations in `colors` (one per view, gray or R G B; NULL, or an entry of NULL,
 * adds nothing; mid-gray where nothing does), confidence is 1 / (1 + (error_px)^2), views the
 * number of observations. full_scale: per view, the sample that means 255; NULL where colors is.
 * ARGUMENT for images of other sizes than their views, a full_scale that is not positive, or tracks
 * of views that are not there; MEMORY. *out is set on AQM_OK only. */
AQM_API AQM_NODISCARD AqmStatus aqm_tracks_cloud(AqmCloud **out, const AqmTracks *tracks,
                                                 const AqmView *const *views,
                                                 const AqmImageView *const *colors,
                                                 const double *full_scale, size_t view_count,
                                                 AqmDiag *diag);

#ifdef __cplusplus
}
#endif
#endif
