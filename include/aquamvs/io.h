/* Files: calibration, images and video, npz arrays, PLY clouds and meshes. All writers write to a
 * temporary name in the same folder, flush, and rename, so a file is either whole or not there. */
#ifndef AQUAMVS_IO_H
#define AQUAMVS_IO_H

#include "aquamvs/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* AquaCal's calibration.json, version "1.0". Every defect is a FORMAT error that names the file,
 * the camera and the value. `log` receives what is odd but usable. */
AQM_API AQM_NODISCARD AqmStatus aqm_calibration_read(const char *path, const AqmLog *log,
                                                     AqmRig **out, AqmDiag *diag);
AQM_API AQM_NODISCARD AqmStatus aqm_calibration_write(const char *path, const AqmRig *rig,
                                                      AqmDiag *diag);

/* ---- frames: a folder of stills, or a video -------------------------------------------------- */

typedef struct AqmFrameSource AqmFrameSource;

/* A folder (.png .jpg .jpeg .tif .tiff .bmp, sorted by name) or a video (.mp4 .avi .mkv .mov).
 * IO if it is missing, NO_DATA if it holds no image, FORMAT if it cannot be decoded. */
AQM_API AQM_NODISCARD AqmStatus aqm_frame_source_open(AqmFrameSource **out, const char *path,
                                                      AqmDiag *diag);
AQM_API void aqm_frame_source_close(AqmFrameSource **source);
AQM_API size_t aqm_frame_source_count(const AqmFrameSource *source);
AQM_API bool aqm_frame_source_is_video(const AqmFrameSource *source);
/* File name without its folder; "" for video. Owned by the source. */
AQM_API const char *aqm_frame_source_name(const AqmFrameSource *source, size_t index);
/* Frame `index`, exactly; gray or R G B; U8 or U16. A source is used by one thread at a time. */
AQM_API AQM_NODISCARD AqmStatus aqm_frame_source_read(AqmFrameSource *source, size_t index,
                                                      AqmImage **out, AqmDiag *diag);

/* One still image from a file. */
AQM_API AQM_NODISCARD AqmStatus aqm_image_read(const char *path, AqmImage **out, AqmDiag *diag);
AQM_API AQM_NODISCARD AqmStatus aqm_png_write(const char *path, const AqmImageView *image,
                                              AqmDiag *diag);

/* A video file (lossless FFV1 in .mkv, or MPEG-4 in .avi/.mp4) written frame by frame. */
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
/* Reads one array as float (converted from any of the types, stored or deflated). The caller frees
 * *data with aqm_free_buffer. */
AQM_API AQM_NODISCARD AqmStatus aqm_npz_read(const char *path, const char *name, float **data,
                                             size_t shape[3], int *dimensions, AqmDiag *diag);
AQM_API void aqm_free_buffer(void *data);

/* depth and confidence, HxW float32. */
AQM_API AQM_NODISCARD AqmStatus aqm_depth_map_write(const char *path, const AqmDepthMap *map,
                                                    AqmDiag *diag);
AQM_API AQM_NODISCARD AqmStatus aqm_depth_map_read(const char *path, AqmDepthMap **out,
                                                   AqmDiag *diag);

/* ---- PLY --------------------------------------------------------------------------------------
 */

/* Binary little-endian: x y z, nx ny nz (float), red green blue (uchar), confidence (float), views
 * (uchar). `rotation` (3x3, NULL = identity) is applied to positions and normals on the way. */
AQM_API AQM_NODISCARD AqmStatus aqm_ply_write_cloud(const char *path, const AqmCloud *cloud,
                                                    const double *rotation, AqmDiag *diag);
AQM_API AQM_NODISCARD AqmStatus aqm_ply_write_mesh(const char *path, const AqmMesh *mesh,
                                                   const double *rotation, AqmDiag *diag);
/* Any PLY (ascii, binary, either byte order); polygons are fanned. Exactly one of cloud and mesh is
 * set: a mesh if the file has faces. Missing properties read as zeros. */
AQM_API AQM_NODISCARD AqmStatus aqm_ply_read(const char *path, AqmCloud **cloud, AqmMesh **mesh,
                                             AqmDiag *diag);

/* Text, written whole: temporary name, flush, rename. */
AQM_API AQM_NODISCARD AqmStatus aqm_text_write(const char *path, const char *text, AqmDiag *diag);
/* Creates the folder and its parents. */
AQM_API AQM_NODISCARD AqmStatus aqm_make_folders(const char *path, AqmDiag *diag);

#ifdef __cplusplus
}
#endif
#endif
