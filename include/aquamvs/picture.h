/* Stage: pictures of the results, to look at and to print. Plain data in, an image of 8-bit R, G, B
 * out; nothing here knows of files.
 *
 * Colours of depth run along a map of our own: light yellow is near the water surface, dark violet
 * is deep, equal steps of depth are equal steps of perceived colour, and lightness alone tells the
 * order, so the pictures survive a gray printer and colour-blind eyes. The range of colours is
 * that of the data without the outermost percent of a depth map, or half percent of a surface, at
 * either end; a colour bar with a pointed end says
 * that there is more beyond. Grey (a neutral light one, which the map never takes) is where nothing
 * is known.
 *
 * The same bytes whenever the same data are drawn with the same fonts. Every picture may be drawn
 * from any thread. *out is NULL on failure; the caller destroys it with aqm_image_destroy. Status:
 * MEMORY everywhere, else as stated. */
#ifndef AQUAMVS_PICTURE_H
#define AQUAMVS_PICTURE_H

#include "aquamvs/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The colour map: t in 0 (dark, deep) .. 1 (light, near); values outside, and NaN, are taken as the
 * nearest end (NaN as 0). A path through OKLab (Ottosson 2020) at constant speed: lightness rises
 * from 0.26 to 0.93 while the hue turns from violet over blue and green to yellow. */
AQM_API void aqm_picture_color(double t, uint8_t rgb[3]);

/* A depth map in colours and, beside it, its confidence in gray (black 0, white 1), each with its
 * bar. Ray depth in metres, or in mm where the range is below half a metre. Maps larger than 1000
 * pixels are reduced by whole factors (the mean of what is known in a block), those smaller than
 * 480 magnified. A map that knows nothing is drawn as such. `name`: of the camera, UTF-8. */
AQM_API AQM_NODISCARD AqmStatus aqm_picture_depth(const AqmDepthMap *map, const char *name,
                                                  AqmImage **out, AqmDiag *diag);

/* Points of interest over the image in gray: a circle around each, of radius sqrt(2) times its
 * scale but at least 2.5 px in the picture, a dot where the scale is not known; a tick for its
 * orientation; its colour says its score, light is high (range without the outermost two percent;
 * light gray is no number). The caption has the name, how many there are, and how many of them are
 * not drawn because they lie outside the image. Gray or R G B, U8 or U16; `full_scale` is the value
 * of white. Size as for depth maps. ARGUMENT for a full_scale <= 0. */
AQM_API AQM_NODISCARD AqmStatus aqm_picture_features(const AqmImageView *image, double full_scale,
                                                     const AqmFeatures *features, const char *name,
                                                     AqmImage **out, AqmDiag *diag);

/* Two images side by side in gray, to the same scale, and thin lines from points of the first to
 * their counterparts in the second. At most 400 matches are drawn, spread over the first image and
 * chosen without regard to score, so that wrong ones show as often as they occur; matches with an
 * end outside its image are counted, not drawn. The colour of a line and its dots tells the place
 * in the first image (hue from left to right, dark is low): a match that is not coloured as its
 * neighbours in the second image are is wrong. Images as in aqm_picture_features, `full_scale` that
 * of both. ARGUMENT for a full_scale <= 0. */
AQM_API AQM_NODISCARD AqmStatus aqm_picture_matches(const AqmImageView *first,
                                                    const AqmImageView *second, double full_scale,
                                                    const AqmMatches *matches,
                                                    const char *first_name, const char *second_name,
                                                    AqmImage **out, AqmDiag *diag);

/* The mesh as seen from above, along +Z (X to the right, Y down, as in the images of cameras that
 * look down): left as a relief, shaded by light from the upper left with slopes exaggerated as the
 * picture says, and coloured by depth below the water surface in mm; right in its own colours. Axes
 * in metres and a scale bar. Each pixel is interpolated over the triangles; where several lie above
 * each other the one nearest to the water shows. NO_DATA for a mesh without area. */
AQM_API AQM_NODISCARD AqmStatus aqm_picture_scene(const AqmMesh *mesh, double water_z,
                                                  AqmImage **out, AqmDiag *diag);

/* A camera to be drawn; borrows. */
typedef struct AqmPictureCamera {
    const AqmView *view;
    const char *name; /* UTF-8 */
    bool is_auxiliary;
} AqmPictureCamera;

/* The rig from above and from the side (along +Y), to the same scale: each camera with its name,
 * its field of view as a small pyramid and its central ray, which bends at the water surface and
 * ends at the median depth of the mesh; what the image borders see at that depth; the mesh. `mesh`
 * may be NULL: then rays end 0.3 m below the surface. Auxiliary cameras are drawn hollow. ARGUMENT
 * for count == 0. */
AQM_API AQM_NODISCARD AqmStatus aqm_picture_rig(const AqmPictureCamera *cameras, size_t count,
                                                const AqmMesh *mesh, AqmImage **out, AqmDiag *diag);

/* The change from one height map to another (aqm_height_difference), from above: blue where the bed
 * has risen (Z is smaller), red where it has sunk, symmetric about 0 with a bar in mm (the range
 * without the outermost half percent, at least 0.1 mm), axes in metres, `captions` above as lines
 * of UTF-8, the first as title. significant (rows x columns; NULL = all are): other cells are pale,
 * and areas of at least 100 of these are outlined. Light gray is where one of the two knows
 * nothing. ARGUMENT for a step that is not positive. */
AQM_API AQM_NODISCARD AqmStatus aqm_picture_difference(const AqmHeightMap *difference,
                                                       const uint8_t *significant,
                                                       const char *const *captions,
                                                       size_t caption_count, AqmImage **out,
                                                       AqmDiag *diag);

/* Errors of a surface, from above: z_m is how much deeper than the truth it lies; red = too deep,
 * blue = too high, the range of colours is +-range_m, so that pictures of several results can be
 * held beside each other. Else as aqm_picture_difference. ARGUMENT also for a range that is not
 * positive. */
AQM_API AQM_NODISCARD AqmStatus aqm_picture_errors(const AqmHeightMap *errors, double range_m,
                                                   const char *const *captions,
                                                   size_t caption_count, AqmImage **out,
                                                   AqmDiag *diag);

/* A depth map, the truth, and the difference, side by side: the first two in the colours of depth
 * with one range, that of the truth; the third as errors are (red = too deep, +-range_m). Its
 * caption has the median of the absolute errors and the share of the pixels that have a depth.
 * ARGUMENT for maps of different sizes and a range that is not positive. */
AQM_API AQM_NODISCARD AqmStatus aqm_picture_depth_error(const AqmDepthMap *map,
                                                        const AqmDepthMap *truth, double range_m,
                                                        const char *title, AqmImage **out,
                                                        AqmDiag *diag);

/* Horizontal bars: a row for each thing that is measured. Borrows everything. */
typedef struct AqmPictureBars {
    const char *title, *unit;
    const char *const *rows;   /* names, UTF-8 */
    const char *const *series; /* at most 16 */
    const double *values;      /* row_count x series_count, not negative; NaN = not known */
    size_t row_count, series_count;
    bool is_stacked; /* one bar a row, its parts end to end; else a bar for each series */
} AqmPictureBars;

/* The number stands behind each bar (behind a stack, its sum); what is not known has no bar and
 * says so. The axis begins at 0. ARGUMENT without rows or series, or with too many. */
AQM_API AQM_NODISCARD AqmStatus aqm_picture_bars(const AqmPictureBars *bars, AqmImage **out,
                                                 AqmDiag *diag);
/* A point on an image and an error of it, px; the error is NaN where it is not known. */
typedef struct AqmPictureMark {
    double u, v, du, dv;
} AqmPictureMark;

/* Points over the image in gray with their errors as arrows, magnified as the legend says, so that
 * most are a few pixels long; points of unknown error are hollow. Image as in aqm_picture_features.
 * ARGUMENT for a full_scale <= 0. */
AQM_API AQM_NODISCARD AqmStatus aqm_picture_marks(const AqmImageView *image, double full_scale,
                                                  const AqmPictureMark *marks, size_t count,
                                                  const char *title, AqmImage **out, AqmDiag *diag);

/* A corner of a board and what it is off, metres, in the board's frame. */
typedef struct AqmPictureCorner {
    double x, y, dx, dy, dz;
} AqmPictureCorner;

/* A flat board from above: the distance of what was reconstructed from its plane in colours (light
 * = above it, towards the water; gray = nothing there; range without the outermost percent,
 * symmetric), and its corners with what they are off: an arrow within the board, magnified as the
 * legend says, and the colour of the distance. deviations: z_m in the board's frame; NULL = none,
 * then `width_m` x `height_m` is drawn empty. `captions` as in aqm_picture_difference. ARGUMENT for
 * a size that is not positive. */
AQM_API AQM_NODISCARD AqmStatus aqm_picture_board(const AqmHeightMap *deviations, double width_m,
                                                  double height_m, const AqmPictureCorner *corners,
                                                  size_t corner_count, const char *const *captions,
                                                  size_t caption_count, AqmImage **out,
                                                  AqmDiag *diag);

#ifdef __cplusplus
}
#endif
#endif
