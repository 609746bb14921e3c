/* The plain data that stages exchange: images, cameras, views, depth maps, clouds, meshes.
 *
 * Frames of reference. World: metres, +Z down. The *rig frame* is the world frame turned so that
 * the water surface is the horizontal plane Z = water_z and its normal (water to air) is (0, 0,
 * -1); for nearly every calibration the two are the same. All stages work in the rig frame; only
 * what is written to files is turned back (AqmRig.world_from_rig). Camera: OpenCV axes (+X right,
 * +Y down, +Z forward), p_cam = R p + t. Matrices are row-major. Pixels: (u, v) = (column, row),
 * integer coordinates are pixel centres, origin top-left.
 *
 * Every _create leaves *out untouched on failure; every _destroy frees what *object owns, sets
 * *object to NULL, and takes NULL and a *object of NULL. An object is changed by one thread at a
 * time and may be read by any number; nothing else is shared between objects. */
#ifndef AQUAMVS_TYPES_H
#define AQUAMVS_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aquamvs/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { AQM_NAME_MAX = 64 };

/* ---- images ---------------------------------------------------------------------------------- */

typedef enum AqmSampleType { AQM_U8 = 1, AQM_U16 = 2 } AqmSampleType; /* value = bytes a sample */

/* Owns its samples. Interleaved; 1 channel is gray, 3 are R, G, B. */
typedef struct AqmImage {
    int width, height, channels;
    AqmSampleType type;
    size_t stride; /* bytes from one row to the next */
    void *data;
} AqmImage;

/* Borrows its samples: valid while the owner lives. Same layout as AqmImage. */
typedef struct AqmImageView {
    int width, height, channels;
    AqmSampleType type;
    size_t stride;
    const void *data;
} AqmImageView;

/* A zeroed image. ARGUMENT if a size is not in 1..65535 or channels is not 1 or 3; MEMORY. */
AQM_API AQM_NODISCARD AqmStatus aqm_image_create(AqmImage **out, int width, int height,
                                                 int channels, AqmSampleType type, AqmDiag *diag);
AQM_API void aqm_image_destroy(AqmImage **image);
/* The whole image, borrowed: valid until it is destroyed. */
AQM_API AqmImageView aqm_image_view(const AqmImage *image);

/* ---- cameras --------------------------------------------------------------------------------- */

typedef enum AqmLens { AQM_LENS_PINHOLE, AQM_LENS_FISHEYE } AqmLens;

/* One calibrated camera, as filmed (with its lens), posed in the rig frame. */
typedef struct AqmCamera {
    char name[AQM_NAME_MAX];
    int width, height;
    double K[9]; /* px; no skew */
    AqmLens lens;
    double distortion[8]; /* pinhole: k1 k2 p1 p2 k3 k4 k5 k6 (Brown, rational); fisheye: k1..k4 */
    double R[9], t[3];    /* cam_from_rig: rotation, and translation in metres */
    bool is_auxiliary;    /* serves as a source view, never as a reference */
} AqmCamera;

/* Owns `cameras`. */
typedef struct AqmRig {
    size_t camera_count;
    AqmCamera *cameras;
    double water_z; /* metres, rig frame */
    double n_air, n_water;
    double world_from_rig[9]; /* rotation; the identity where the water normal is vertical */
} AqmRig;

/* camera_count cameras, all zero; both refractive indices 1, water_z 0, world_from_rig the
 * identity: the caller fills in the rest. MEMORY. */
AQM_API AQM_NODISCARD AqmStatus aqm_rig_create(AqmRig **out, size_t camera_count, AqmDiag *diag);
AQM_API void aqm_rig_destroy(AqmRig **rig);

/* A camera after undistortion, over its water surface: all that projection and ray casting need. */
typedef struct AqmView {
    int width, height;
    double fx, fy, cx, cy; /* px, of the undistorted image */
    double R[9], t[3];     /* cam_from_rig */
    double C[3];           /* camera centre, rig frame, metres */
    double water_z;        /* metres */
    double n;              /* n_water / n_air */
} AqmView;

/* Where depth is searched for: ray depths in metres, 0 <= min < max, and, where it is known, how
 * far straight down from the water surface the bed lies, 0 <= min < max (both 0: anywhere). A level
 * bed has one depth straight down and many ray depths, so that the second range can be much
 * smaller. */
typedef struct AqmDepthRange {
    double min_m, max_m;
    double down_min_m, down_max_m;
} AqmDepthRange;

/* ---- matches --------------------------------------------------------------------------------- */

/* Points of interest of one undistorted image; owns its arrays, each `count` long (times the size
 * of an entry). */
typedef struct AqmFeatures {
    size_t count;
    int descriptor_size; /* values a descriptor: 128 for SIFT */
    float *position;     /* u v, px of the undistorted image */
    float *scale;        /* px: standard deviation of the blob in the image; NaN = not known */
    float *orientation;  /* rad, from +u towards +v; NaN = not known */
    float *score;        /* the higher, the more distinct; its unit is that of the detector */
    float *descriptor;   /* descriptor_size values each, of unit length */
} AqmFeatures;

/* Zeroed arrays of these lengths (count 0 is fine). ARGUMENT for descriptor_size < 1; MEMORY. */
AQM_API AQM_NODISCARD AqmStatus aqm_features_create(AqmFeatures **out, size_t count,
                                                    int descriptor_size, AqmDiag *diag);
AQM_API void aqm_features_destroy(AqmFeatures **features);

/* Points of one image with their counterparts in another; owns its arrays, each `capacity` long
 * (positions times 2). A feature stands in at most one match. */
typedef struct AqmMatches {
    size_t count, capacity;
    uint32_t *first, *second;                /* which feature of either image */
    float *first_position, *second_position; /* u v, px, refined: not always the features' own */
    float *score;                            /* 0..1, 1 = certain */
} AqmMatches;

/* No matches, with room for `capacity` (0 is fine). MEMORY. */
AQM_API AQM_NODISCARD AqmStatus aqm_matches_create(AqmMatches **out, size_t capacity,
                                                   AqmDiag *diag);
AQM_API void aqm_matches_destroy(AqmMatches **matches);

/* Where an image's pixels lie in another image, on a grid of cells that tile the image: the centre
 * of cell (i, j) is its pixel ((i + 0.5) W / width - 0.5, (j + 0.5) H / height - 0.5), W x H being
 * the image's size. With as many cells as pixels every cell is a pixel. Owns its planes, row-major,
 * no padding. */
typedef struct AqmWarp {
    int width, height; /* cells */
    float *target;     /* u v, px of the other undistorted image; NaN = not known */
    float *certainty;  /* 0..1; 0 where the target is NaN */
    float *sigma_px;   /* standard deviation of the target, px; NaN = not known */
} AqmWarp;

/* target and sigma all NaN, certainty all 0. ARGUMENT if a side is below 1; MEMORY. */
AQM_API AQM_NODISCARD AqmStatus aqm_warp_create(AqmWarp **out, int width, int height,
                                                AqmDiag *diag);
AQM_API void aqm_warp_destroy(AqmWarp **warp);

/* Where one view sees a point: `view` counts the views of the frame. */
typedef struct AqmObservation {
    uint32_t view, feature;
    float u, v; /* px */
} AqmObservation;

/* Points triangulated from matches, and who sees them; owns its arrays. Point i is seen by
 * observations first[i] .. first[i + 1] - 1, at least two, each in another view. */
typedef struct AqmTracks {
    size_t count;
    double *position;            /* x y z, metres, rig frame */
    float *sigma_m;              /* standard deviation along its worst direction, metres */
    float *error_px;             /* root mean square of the reprojection errors */
    size_t *first;               /* count + 1 of them */
    AqmObservation *observation; /* first[count] of them */
} AqmTracks;

/* Zeroed arrays of these lengths (0 is fine). MEMORY. */
AQM_API AQM_NODISCARD AqmStatus aqm_tracks_create(AqmTracks **out, size_t count,
                                                  size_t observation_count, AqmDiag *diag);
AQM_API void aqm_tracks_destroy(AqmTracks **tracks);

/* ---- results --------------------------------------------------------------------------------- */

/* Owns its planes, each height x width, row-major, no padding. */
typedef struct AqmDepthMap {
    int width, height;
    float *depth_m; /* ray depth: metres along the ray below the water surface; NaN = not known */
    float *confidence; /* 0..1; 0 where depth is NaN */
    float *sigma_m;    /* standard deviation of depth_m, metres; NaN = not known */
} AqmDepthMap;

/* depth and sigma all NaN, confidence all 0. ARGUMENT if a side is below 1 px; MEMORY. */
AQM_API AQM_NODISCARD AqmStatus aqm_depth_map_create(AqmDepthMap **out, int width, int height,
                                                     AqmDiag *diag);
AQM_API void aqm_depth_map_destroy(AqmDepthMap **map);

/* Points with what is known of each; owns its arrays, each `capacity` long (times 3 for vectors).
 */
typedef struct AqmCloud {
    size_t count, capacity;
    float *position;   /* x y z, metres */
    float *normal;     /* unit, towards the cameras; 0 0 0 = not known */
    uint8_t *color;    /* R G B */
    float *confidence; /* 0..1 */
    float *sigma_m;    /* standard deviation along the normal, metres; NaN = not known */
    uint8_t *views;    /* cameras that agree on the point, the reference counted */
} AqmCloud;

/* An empty cloud with room for `capacity` points (0 is fine). MEMORY. */
AQM_API AQM_NODISCARD AqmStatus aqm_cloud_create(AqmCloud **out, size_t capacity, AqmDiag *diag);
AQM_API void aqm_cloud_destroy(AqmCloud **cloud);
/* Makes room for at least `capacity` points; on MEMORY the cloud is as before. */
AQM_API AQM_NODISCARD AqmStatus aqm_cloud_reserve(AqmCloud *cloud, size_t capacity, AqmDiag *diag);

/* Triangles over shared vertices; wound so that the geometric normal points to the cameras. */
typedef struct AqmMesh {
    size_t vertex_count, triangle_count;
    float *position;     /* 3 x vertex_count, metres */
    float *normal;       /* 3 x vertex_count, unit */
    uint8_t *color;      /* 3 x vertex_count, R G B */
    float *sigma_m;      /* standard deviation along the normal, metres; NaN = not known */
    uint8_t *views;      /* cameras that see the vertex and gave its colour; 0 = no camera does */
    uint32_t *triangles; /* 3 x triangle_count, vertex indices */
} AqmMesh;

/* Arrays of these lengths (0 is fine) for the caller to fill: sigma_m all NaN, the others zero.
 * MEMORY. */
AQM_API AQM_NODISCARD AqmStatus aqm_mesh_create(AqmMesh **out, size_t vertex_count,
                                                size_t triangle_count, AqmDiag *diag);
AQM_API void aqm_mesh_destroy(AqmMesh **mesh);

/* Heights over a regular horizontal grid of the rig frame; owns its planes, each rows x columns,
 * row-major, no padding. Node (i, j) lies at X = (first_column + i) step_m, Y = (first_row + j)
 * step_m: maps of one step share their nodes, whatever they cover. */
typedef struct AqmHeightMap {
    int32_t first_column, first_row;
    int columns, rows;
    double step_m;
    float *z_m;     /* Z of the surface, metres (down); NaN = not measured */
    float *sigma_m; /* standard deviation of z_m, metres; NaN = not known */
} AqmHeightMap;

/* All NaN, first_column, first_row and step_m 0. ARGUMENT if a side is below 1; MEMORY. */
AQM_API AQM_NODISCARD AqmStatus aqm_height_map_create(AqmHeightMap **out, int columns, int rows,
                                                      AqmDiag *diag);
AQM_API void aqm_height_map_destroy(AqmHeightMap **map);

#ifdef __cplusplus
}
#endif
#endif
