/* A frame while it is made: what its stages hand to each other, and the stages. */
#ifndef AQM_PIPELINE_FRAME_WORK_H
#define AQM_PIPELINE_FRAME_WORK_H

#include <limits.h>

#include "aquamvs/matching.h"
#include "pipeline/background.h"
#include "pipeline/frame.h"

/* Two views that are matched, and what came of it; NULL where nothing is kept. */
typedef struct AqmFramePair {
    size_t first, second;
    AqmMatches *matches;
} AqmFramePair;

/* Everything a frame holds while it is made. Arrays run over the cameras of the run where it says
 * so, else over the views: the usable cameras of the frame, in camera order. */
typedef struct AqmFrameWork {
    const AqmFrameJob *job;
    AqmFrameReport *report;
    AqmLog log;                     /* keeps what it passes on for the report */
    size_t count;                   /* cameras */
    AqmImage **images;              /* per camera: raw, then undistorted */
    double white_16;                /* of its 16-bit images */
    double *full_scale;             /* per camera */
    AqmStereoImage **stereo_images; /* per camera; NULL where there are none now */
    AqmStereoView *views;           /* borrow these */
    size_t *camera_of;              /* view to camera */
    size_t view_count;
    AqmImage **grays;          /* what features are sought in */
    AqmImageView *gray_views;  /* the same, borrowed */
    AqmFeatures **features;    /* NULL: none */
    AqmMatchView *match_views; /* borrow the above */
    AqmFramePair *pairs;       /* sorted, first < second */
    size_t pair_count;
    AqmTracks *tracks;
    AqmCloud *sparse_cloud;
    AqmDepthRange *ranges; /* NaN for auxiliary views */
    AqmDepthMap **maps;    /* NULL for auxiliary views */
    bool *has_map;         /* per camera: it has a depth map */
    AqmCloud *cloud;
    AqmMesh *mesh;
    AqmHeightMap *height_map; /* NULL unless the surface is a heightfield */
    AqmBackground *writer;    /* borrows maps and clouds */
} AqmFrameWork;

/* ---- what all stages use (frame.c) ----------------------------------------------------------- */

/* INTERRUPTED where the caller of the frame wants it to stop. */
AqmStatus aqm_frame_enter(const AqmFrameWork *work, AqmStage stage, size_t done, size_t total,
                          AqmDiag *diag);
/* A path in the frame's folder. */
void aqm_frame_path(const AqmFrameWork *work, char path[PATH_MAX], const char *format, ...)
    __attribute__((format(printf, 3, 4)));
AqmStatus aqm_frame_folder(const AqmFrameWork *work, const char *name, AqmDiag *diag);
/* rig to world; NULL where both are the same. */
const double *aqm_frame_rotation(const AqmFrameWork *work);
const char *aqm_frame_view_name(const AqmFrameWork *work, size_t view);
const AqmInput *aqm_frame_input(const AqmFrameWork *work, size_t view);
/* Does the mask of a view leave out what lies at a position (px)? What lies outside is left out. */
bool aqm_frame_is_masked(const AqmFrameWork *work, size_t view, const float position[2]);
/* Writes `cloud` while the frame goes on; it stays as it is from here on. */
AqmStatus aqm_frame_write_cloud(AqmFrameWork *work, const char *folder, const char *file,
                                const AqmCloud *cloud, AqmDiag *diag);
/* A picture that cannot be drawn or written is no reason to lose the frame: a warning. */
void aqm_frame_tell_picture(AqmFrameWork *work, AqmStatus status, const AqmDiag *why);

/* ---- which views are compared (frame_pairs.c) ------------------------------------------------ */

/* The sources of a view and, after them, its spares, as sparse_matching says. `range` may be NULL.
 * sources: room for all views. */
void aqm_frame_sources(const AqmFrameWork *work, size_t view, const AqmDepthRange *range,
                       size_t *sources, size_t *count, size_t *spare_count);
/* Fills work->pairs: every view with its sources, each pair once. */
AqmStatus aqm_frame_find_pairs(AqmFrameWork *work, AqmDiag *diag);

/* ---- the stages, in their order -------------------------------------------------------------- */

/* frame_images.c */
AqmStatus aqm_frame_read_images(AqmFrameWork *work, AqmDiag *diag);
AqmStatus aqm_frame_normalize(AqmFrameWork *work, AqmDiag *diag);
AqmStatus aqm_frame_undistort(AqmFrameWork *work, AqmDiag *diag);
/* Makes the matching images of all views that have none yet; of models' warps they need none. */
AqmStatus aqm_frame_need_stereo_images(AqmFrameWork *work, AqmDiag *diag);
void aqm_frame_drop_stereo_images(AqmFrameWork *work);
/* frame_sparse.c */
AqmStatus aqm_frame_find_features(AqmFrameWork *work, AqmDiag *diag);
AqmStatus aqm_frame_match(AqmFrameWork *work, AqmDiag *diag);
AqmStatus aqm_frame_triangulate(AqmFrameWork *work, AqmDiag *diag);
/* frame_depth.c */
AqmStatus aqm_frame_find_ranges(AqmFrameWork *work, AqmDiag *diag);
AqmStatus aqm_frame_estimate_depths(AqmFrameWork *work, AqmDiag *diag);
/* Keeps the depth map of a view, and writes it if it is to be kept. */
AqmStatus aqm_frame_take_map(AqmFrameWork *work, size_t view, AqmDepthMap *map, AqmDiag *diag);
/* By dense matching: frame_warp_matches.c, in place of features and aqm_frame_match;
 * frame_dense.c, in place of the plane sweep. */
AqmStatus aqm_frame_match_densely(AqmFrameWork *work, AqmDiag *diag);
AqmStatus aqm_frame_estimate_densely(AqmFrameWork *work, AqmDiag *diag);
/* frame_results.c */
AqmStatus aqm_frame_draw_depths(AqmFrameWork *work, AqmDiag *diag);
AqmStatus aqm_frame_fuse(AqmFrameWork *work, AqmDiag *diag);
AqmStatus aqm_frame_remove_outliers(AqmFrameWork *work, AqmDiag *diag);
/* frame_surface.c */
AqmStatus aqm_frame_make_surface(AqmFrameWork *work, AqmDiag *diag);
/* frame_results.c */
AqmStatus aqm_frame_draw_results(AqmFrameWork *work, AqmDiag *diag);
AqmStatus aqm_frame_write_results(AqmFrameWork *work, AqmDiag *diag);

/* Does the configuration match densely (dense, roma)? By learned models (lightglue, roma)? */
bool aqm_matches_densely(const AqmConfig *config);
bool aqm_matches_by_models(const AqmConfig *config);

#endif
