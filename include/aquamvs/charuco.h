/* ChArUco boards in images, and what the corners of one that several cameras see tell about them:
 * how well the cameras agree, how well lengths and shapes come out. Frames and units: types.h,
 * board.h. docs/verify.md has the mathematics.
 *
 * Everything here may be called from any number of threads at once and gives the same bytes for
 * any. *out is written on AQM_OK alone; the caller destroys what it is given. */
#ifndef AQUAMVS_CHARUCO_H
#define AQUAMVS_CHARUCO_H

#include "aquamvs/board.h"
#include "aquamvs/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- one image ------------------------------------------------------------------------------- */

typedef struct AqmBoardCorner {
    uint32_t index;  /* of the board's inner corners */
    double u, v;     /* px */
    double sigma_px; /* standard deviation of u and of v, from how well the model fits */
} AqmBoardCorner;

/* Owns its corners, sorted by index, each there once. */
typedef struct AqmBoardSighting {
    size_t count;
    AqmBoardCorner *corners;
    size_t quad_count;   /* dark quadrangles that might have been markers */
    size_t marker_count; /* markers of the board that were read and agree with each other */
} AqmBoardSighting;

/* Finds the board in an undistorted image (gray or R G B, U8 or U16): markers first, then the
 * corners beside them. `mask` (U8, NULL = none): corners where it is 0 are left out. An image
 * without the board gives count 0, which is no error. Two markers that agree are needed. The image
 * may be tilted, partly hidden, blurred by up to a third of a module; markers must be at least 1.5
 * px a module. ARGUMENT for a board that cannot be or a mask of another size; MEMORY. */
AQM_API AQM_NODISCARD AqmStatus aqm_board_detect(AqmBoardSighting **out, const AqmImageView *image,
                                                 const AqmImageView *mask, const AqmBoard *board,
                                                 AqmDiag *diag);
AQM_API void aqm_board_sighting_destroy(AqmBoardSighting **sighting);

/* ---- several cameras ------------------------------------------------------------------------- */

/* What one camera gives; borrows. */
typedef struct AqmBoardView {
    const AqmView *view;
    const AqmBoardSighting *sighting; /* NULL: the camera has no image */
    const AqmDepthMap *map;           /* of the same undistorted image; NULL: none */
} AqmBoardView;

/* A corner of the board as the cameras see it. NaN where it is not known. */
typedef struct AqmBoardPoint {
    int views;              /* cameras whose rays agree on it; 0: not triangulated */
    int dropped;            /* sightings left out: they do not fit the others */
    double position[3];     /* metres, rig frame */
    double error_px;        /* root mean square of the reprojection errors, per coordinate */
    double residual_m[3];   /* position - the rigid board, along the board's X, Y, Z */
    double range_m;         /* the part of the residual along the mean ray in water */
    double lateral_m;       /* length of the rest */
    int map_views;          /* cameras with a depth at the corner */
    double map_position[3]; /* mean of the points that the depth maps give */
} AqmBoardPoint;

/* Numbers of one pose. All distances in mm; NaN where there is nothing to measure. */
typedef struct AqmBoardMeasures {
    size_t cameras;                    /* that see at least 4 corners */
    size_t corners;                    /* triangulated */
    size_t sightings;                  /* that went into them */
    size_t dropped;                    /* sightings that do not fit the others */
    double tilt_deg;                   /* of the board's plane against the water surface */
    double depth_m;                    /* of the middle of the corners below the water surface */
    double board_to_rig[9], origin[3]; /* of the rigid board: p = board_to_rig q + origin */
    double reprojection_px;            /* RMS over all sightings, per coordinate */

    double grid_rms_mm;        /* triangulated corners against the rigid board, 3-D */
    double range_rms_mm;       /* of the residuals' parts along the rays */
    double lateral_rms_mm;     /* and across them, both directions together */
    double corner_flatness_mm; /* RMS about the plane through the triangulated corners */

    size_t squares;          /* sides of squares measured */
    double square_mm;        /* mean length of a side */
    double square_error_pct; /* against the true length */
    double square_cv_pct;    /* standard deviation of the sides over their mean, in percent */
    double scale_error_pct;  /* of the similarity that fits all corners best */

    size_t map_corners;        /* corners with a depth in at least two maps */
    double cross_camera_mm;    /* RMS distance of the points of two cameras for the same corner */
    double cross_sigma_mm;     /* RMS distance of a point from the mean of its corner, n - 1 */
    double map_range_rms_mm;   /* depth map points against the rigid board: along the rays */
    double map_range_bias_mm;  /* mean; positive = too deep */
    double map_lateral_rms_mm; /* and across them */
    double map_grid_rms_mm;    /* means of the depth map points, rigidly fitted anew */

    size_t cloud_points;       /* of the cloud within the board */
    double cloud_outside_pct;  /* share of points above or below the board, farther than the gate */
    double flatness_mm;        /* RMS distance from the plane that fits them best */
    double flatness_p95_mm;    /* 95th percentile of its absolute value */
    double plane_offset_mm;    /* of that plane at the middle of the board; positive = deeper */
    double plane_turn_deg;     /* angle between it and the plane of the triangulated corners */
    double cloud_coverage_pct; /* cells of 4 mm of the board's area with a point */
} AqmBoardMeasures;

typedef struct AqmBoardMeasureOptions {
    double max_error_px; /* a sighting farther from its point than this is left out; default 1 */
    int min_views;       /* of a triangulated corner; 2..; default 3 */
    double rim_m;        /* the board's outline is drawn in by this; default 0.003 */
    double gate_m;       /* cloud points farther from the board are no part of it; default 0.02 */
} AqmBoardMeasureOptions;

AQM_API AqmBoardMeasureOptions aqm_board_measure_options_default(void);

/* Triangulates the corners through the water surface and measures them. points: room for
 * aqm_board_corner_count(board). `cloud` (NULL = none): the reconstructed surface, rig frame.
 * deviations (NULL = none): an AqmHeightMap for the caller to destroy, the mean distance of the
 * cloud from its plane on a grid of 2 mm in the board's frame (X, Y), z_m positive = deeper.
 * NO_DATA, with a sentence, where fewer than 4 corners that span a plane are triangulated; ARGUMENT
 * for options or a board that cannot be; MEMORY. Outputs are undefined then, *deviations is NULL.
 */
AQM_API AQM_NODISCARD AqmStatus aqm_board_measure(const AqmBoardView *views, size_t view_count,
                                                  const AqmCloud *cloud, const AqmBoard *board,
                                                  const AqmBoardMeasureOptions *options,
                                                  AqmBoardPoint *points, AqmBoardMeasures *out,
                                                  AqmHeightMap **deviations, AqmDiag *diag);

/* Numbers of a series of poses. */
typedef struct AqmBoardSummary {
    size_t poses;
    double tilt_min_deg, tilt_max_deg, depth_min_m, depth_max_m;
    double flatness_mm, cross_camera_mm, grid_rms_mm; /* root mean squares over the poses */
    double range_rms_mm, lateral_rms_mm, map_range_rms_mm, map_lateral_rms_mm, reprojection_px;
    double plane_offset_mm;      /* mean over the poses */
    double square_error_pct;     /* mean over the poses */
    double square_cv_pct;        /* standard deviation of the poses' means over their mean */
    double square_per_10deg_pct; /* change of the size with tilt and with depth, by least */
    double square_per_100mm_pct; /* squares over the poses; NaN for fewer than 4 poses */
} AqmBoardSummary;

/* Poses without a number (NaN) are passed over in the mean of that number. count 0: all NaN. */
AQM_API void aqm_board_summarise(const AqmBoardMeasures *poses, size_t count, AqmBoardSummary *out);

#ifdef __cplusplus
}
#endif
#endif
