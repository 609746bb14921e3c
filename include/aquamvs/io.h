/* Files: calibration, images and video, npz arrays, PLY clouds and meshes. All writers write to a
 * temporary name in the same folder, flush, and rename, so a file is either whole or not there. */
#ifndef AQUAMVS_IO_H
#define AQUAMVS_IO_H

#include "aquamvs/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Statuses in this file: IO where the operating system refuses (missing, no permission, disk full),
 * FORMAT where a file is not what it should be, MEMORY. On failure outputs are untouched and what
 * stood under the name of a file to be written is still there. All functions may be called from
 * several threads at once for different objects and files. */

/* AquaCal's calibration.json, version "1.0". Every defect is a FORMAT error that names the file,
 * the camera and the value. `log` (may be NULL) receives what is odd but usable: no version, a
 * normal that points down or is not of length 1, an R that is off by 1e-6..1e-3, tilted water.
 *
 * Cameras stand in *out in the order of the file. dist_coeffs: 4, 5 or 8 for pinhole lenses (4 =
 * k1 k2 p1 p2), 4 for fisheye. Tilted water: its plane passes through (0, 0, water_z) of the world;
 * the rig is turned so that it is level (AqmRig.world_from_rig turns back). The caller destroys
 * *out. */
AQM_API AQM_NODISCARD AqmStatus aqm_calibration_read(const char *path, const AqmLog *log,
                                                     AqmRig **out, AqmDiag *diag);
/* The same layout, in the world frame; reads back identically (tilted rigs to 1e-15). */
AQM_API AQM_NODISCARD AqmStatus aqm_calibration_write(const char *path, const AqmRig *rig,
                                                      AqmDiag *diag);

/* ---- frames: a folder of stills, or a video -------------------------------------------------- */

typedef struct AqmFrameSource AqmFrameSource;

/* A folder (.png .jpg .jpeg .tif .tiff .bmp, upper or lower case; sorted by name, numbers in names
 * as numbers: img2 before img10; hidden files are passed over), one such image alone, or a video
 * (.mp4 .avi .mkv .mov). IO if it is missing, NO_DATA if it holds no image, FORMAT if it cannot be
 * decoded. Opening a video reads it once; one without time stamps (AVI with B-frames) is decoded
 * once too. */
AQM_API AQM_NODISCARD AqmStatus aqm_frame_source_open(AqmFrameSource **out, const char *path,
                                                      AqmDiag *diag);
AQM_API void aqm_frame_source_close(AqmFrameSource **source);
AQM_API size_t aqm_frame_source_count(const AqmFrameSource *source);
AQM_API bool aqm_frame_source_is_video(const AqmFrameSource *source);
/* File name without its folder; "" for video. Owned by the source. */
AQM_API const char *aqm_frame_source_name(const AqmFrameSource *source, size_t index);
/* Frame `index`, exactly; gray or R G B; U8 or U16 (more than 8 bits: scaled to the full 16).
 * Palettes become R G B, alpha is dropped, orientation tags are ignored. Frames of a video in
 * order, or forward within one group of pictures, cost no seek. ARGUMENT where there is no such
 * frame; FORMAT where it is damaged or cut off or predicted from a frame that is: half a picture is
 * never given. Other frames stay readable. A source is used by one thread at a time. */
AQM_API AQM_NODISCARD AqmStatus aqm_frame_source_read(AqmFrameSource *source, size_t index,
                                                      AqmImage **out, AqmDiag *diag);

/* One still image from a file (its kind is told from its first bytes), as aqm_frame_source_read
 * gives it. */
AQM_API AQM_NODISCARD AqmStatus aqm_image_read(const char *path, AqmImage **out, AqmDiag *diag);
/* Lossless, 8 or 16 bits, gray or R G B. */
AQM_API AQM_NODISCARD AqmStatus aqm_png_write(const char *path, const AqmImageView *image,
                                              AqmDiag *diag);

/* A video file (lossless FFV1 in .mkv, or MPEG-4 in .avi/.mp4) written frame by frame. The first
 * frame says whether it is gray or R G B, 8 or 16 bits; the others must be like it. MPEG-4 keeps 8
 * bits and reads back as R G B. The same frames give the same bytes. ARGUMENT for another ending of
 * the name, sides out of 2..16384 px (MPEG-4: 8191), a rate out of 0.01..1000 a second, or a frame
 * unlike the first. */
typedef struct AqmVideoWriter AqmVideoWriter;
AQM_API AQM_NODISCARD AqmStatus aqm_video_writer_open(AqmVideoWriter **out, const char *path,
                                                      int width, int height, double frames_per_s,
                                                      AqmDiag *diag);
AQM_API AQM_NODISCARD AqmStatus aqm_video_writer_add(AqmVideoWriter *writer,
                                                     const AqmImageView *image, AqmDiag *diag);
/* Finishes and renames the file; the writer is gone afterwards whatever is returned. */
AQM_API AQM_NODISCARD AqmStatus aqm_video_writer_close(AqmVideoWriter **writer, AqmDiag *diag);

/* ---- arrays: .npz as numpy reads and writes it ------------------------------------------------
 */

typedef enum AqmNpyType { AQM_NPY_F32, AQM_NPY_F64, AQM_NPY_U8, AQM_NPY_I32 } AqmNpyType;

typedef struct AqmNpyArray {
    const char *name;
    AqmNpyType type;
    int dimensions; /* 1..3 */
    size_t shape[3];
    const void *data; /* C order, little endian */
} AqmNpyArray;

AQM_API AQM_NODISCARD AqmStatus aqm_npz_write(const char *path, const AqmNpyArray *arrays,
                                              size_t array_count, AqmDiag *diag);
/* Reads one array of 1 to 3 dimensions as float, converted from f2 f4 f8 u1 u2 u4 u8 i1 i2 i4 i8 or
 * bool, little endian, C order, stored or deflated. FORMAT where it is not there, or not of these.
 * The caller frees *data with aqm_free_buffer. */
AQM_API AQM_NODISCARD AqmStatus aqm_npz_read(const char *path, const char *name, float **data,
                                             size_t shape[3], int *dimensions, AqmDiag *diag);
AQM_API void aqm_free_buffer(void *data);

/* depth (ray depth, metres, NaN = not known) and confidence, HxW float32. A file of depth alone
 * reads with confidence 1 wherever there is a depth. */
AQM_API AQM_NODISCARD AqmStatus aqm_depth_map_write(const char *path, const AqmDepthMap *map,
                                                    AqmDiag *diag);
AQM_API AQM_NODISCARD AqmStatus aqm_depth_map_read(const char *path, AqmDepthMap **out,
                                                   AqmDiag *diag);

/* Features of one image: keypoints (Nx2: u v, px), scales, orientations and scores (N), descriptors
 * (NxD), all float32 with the meaning of AqmFeatures; N may be 0. Arrays of other types are read
 * too. FORMAT for lengths that differ and for positions that are not finite. The same features give
 * the same bytes. The caller destroys *out. */
AQM_API AQM_NODISCARD AqmStatus aqm_features_write(const char *path, const AqmFeatures *features,
                                                   AqmDiag *diag);
AQM_API AQM_NODISCARD AqmStatus aqm_features_read(const char *path, AqmFeatures **out,
                                                  AqmDiag *diag);

/* Matches of two images: first and second (N, int32: which feature of either), first_keypoints and
 * second_keypoints (Nx2: u v, px) and scores (N), float32; N may be 0. As features otherwise;
 * FORMAT also for indices that are not whole numbers of 0 to 2^24 - 1, ARGUMENT for larger ones to
 * be written. */
AQM_API AQM_NODISCARD AqmStatus aqm_matches_write(const char *path, const AqmMatches *matches,
                                                  AqmDiag *diag);
AQM_API AQM_NODISCARD AqmStatus aqm_matches_read(const char *path, AqmMatches **out, AqmDiag *diag);

/* ---- PLY --------------------------------------------------------------------------------------
 */

/* Binary little-endian: x y z, nx ny nz (float), red green blue (uchar), of clouds confidence
 * (float), sigma (float), views (uchar). `rotation` (3x3, NULL = identity) is applied to positions
 * and normals on the way. */
AQM_API AQM_NODISCARD AqmStatus aqm_ply_write_cloud(const char *path, const AqmCloud *cloud,
                                                    const double *rotation, AqmDiag *diag);
AQM_API AQM_NODISCARD AqmStatus aqm_ply_write_mesh(const char *path, const AqmMesh *mesh,
                                                   const double *rotation, AqmDiag *diag);
/* Any PLY (ascii, binary, either byte order); polygons are fanned. Exactly one of cloud and mesh is
 * set: a mesh if the file has faces. Missing properties read as zeros (sigma as NaN), but x y z
 * must be there. Colours of floats (0..1) and 16-bit colours are brought to 0..255. */
AQM_API AQM_NODISCARD AqmStatus aqm_ply_read(const char *path, AqmCloud **cloud, AqmMesh **mesh,
                                             AqmDiag *diag);

/* ---- meshes for other programs ----------------------------------------------------------------
 *
 * All keep world coordinates: metres, Z down. `rotation` as for PLY. Normals are written with a
 * length of 1; where a vertex has none, it is made from the triangles around it. NO_DATA for a mesh
 * without triangles, ARGUMENT for a position that is not finite and for a mesh that is larger than
 * the format holds. Numbers in text have a decimal point in every locale. The same mesh gives the
 * same bytes. */

/* OBJ: positions, each followed by its colour (0..1, sRGB; a widely read extension), normals. */
AQM_API AQM_NODISCARD AqmStatus aqm_obj_write_mesh(const char *path, const AqmMesh *mesh,
                                                   const double *rotation, AqmDiag *diag);
/* Binary STL: triangles with the normals of their planes, and nothing else. */
AQM_API AQM_NODISCARD AqmStatus aqm_stl_write_mesh(const char *path, const AqmMesh *mesh,
                                                   const double *rotation, AqmDiag *diag);
/* glTF 2.0 in one file: .gltf (JSON, the buffer in it as base64) or .glb (binary). Normals; colours
 * as 16-bit linear light, as glTF has them; sigma (metres, -1 = not known) as attribute _SIGMA
 * where any is known. The node turns the mesh so that up is +Y, as glTF has it: world Z becomes -Y,
 * world Y becomes Z. At most 4 GiB. */
AQM_API AQM_NODISCARD AqmStatus aqm_gltf_write_mesh(const char *path, const AqmMesh *mesh,
                                                    const double *rotation, AqmDiag *diag);
AQM_API AQM_NODISCARD AqmStatus aqm_glb_write_mesh(const char *path, const AqmMesh *mesh,
                                                   const double *rotation, AqmDiag *diag);

/* ---- height maps ------------------------------------------------------------------------------
 */

/* .npz: z and sigma (rows x columns, float32, metres, NaN = not known), x (columns) and y (rows),
 * float64, the metres of the nodes, step (1, float64), and world_from_rig (3x3, float64; NULL =
 * identity), for water that is tilted in the world. ARGUMENT for a map without nodes or step. */
AQM_API AQM_NODISCARD AqmStatus aqm_height_map_write(const char *path, const AqmHeightMap *map,
                                                     const double *world_from_rig, AqmDiag *diag);
/* Such a file, step_m to the last bit; sigma and step may be missing. FORMAT for nodes that are not
 * successive multiples of one step in X and Y. The caller destroys *out. */
AQM_API AQM_NODISCARD AqmStatus aqm_height_map_read(const char *path, AqmHeightMap **out,
                                                    AqmDiag *diag);
/* GeoTIFF of two float32 bands, Z and sigma, in metres, NaN = no data; placed by X and Y in a local
 * coordinate system (the rig frame), first row at the largest Y as GIS programs expect. Pixels are
 * points: the centre of each is a node. ARGUMENT also for more than 4 GiB. */
AQM_API AQM_NODISCARD AqmStatus aqm_height_map_write_tiff(const char *path, const AqmHeightMap *map,
                                                          AqmDiag *diag);

/* Text, written whole: temporary name, flush, rename. */
AQM_API AQM_NODISCARD AqmStatus aqm_text_write(const char *path, const char *text, AqmDiag *diag);
/* Creates the folder and its parents. */
AQM_API AQM_NODISCARD AqmStatus aqm_make_folders(const char *path, AqmDiag *diag);
/* Whether there is nothing at the path, or an empty folder. */
AQM_API bool aqm_folder_is_free(const char *path);

#ifdef __cplusplus
}
#endif
#endif
