/* Scenes with a known surface, and the renderer that refracts them: exact truth for tests, the demo
 * and the benchmarks. */
#ifndef AQUAMVS_SYNTH_H
#define AQUAMVS_SYNTH_H

#include "aquamvs/board.h"
#include "aquamvs/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum AqmScene {
    AQM_SCENE_PLANE,
    AQM_SCENE_UNDULATING,
    AQM_SCENE_SANDBED,
    AQM_SCENE_BOARD,
    AQM_SCENE_MOUND,
    AQM_SCENE_CHARUCO
} AqmScene;
typedef enum AqmRigKind { AQM_RIG_RING12, AQM_RIG_RING5, AQM_RIG_PAIR } AqmRigKind;
typedef enum AqmFrameFormat { AQM_FRAMES_PNG, AQM_FRAMES_PNG16, AQM_FRAMES_VIDEO } AqmFrameFormat;

typedef struct AqmSynthOptions {
    AqmScene scene;
    AqmRigKind rig;    /* default ring5 */
    int width, height; /* px; 0 = the rig's own (ring12 1600x1200 + fisheye centre, else 640x480) */
    int frames;        /* default 1; the scene moves from frame to frame */
    uint64_t seed;     /* default 1 */
    double noise;      /* sensor noise, 1 sigma, 8-bit levels; default 1.5 */
    double blur_px;    /* lens blur, sigma; default 0.45 */
    double gain_spread;  /* 1 sigma of the per-camera exposure; default 0.05 */
    double contrast;     /* of the texture; default 1 */
    double distortion;   /* scales the rig's lens distortion; 0 = perfect lenses; default 1 */
    double n_water;      /* default 1.333 */
    double amplitude_m;  /* undulating: default 0.005 */
    double wavelength_m; /* undulating: default 0.05 */
    double tilt_deg;     /* board, and charuco of one frame: default 12 */
    AqmBoard board;      /* charuco: default 12 x 9 squares of 30 mm, markers of 22 mm, 4x4_100 */
    AqmFrameFormat format;
    bool color; /* default true */
    int threads;
} AqmSynthOptions;

AQM_API AqmSynthOptions aqm_synth_options_default(void);
/* ARGUMENT for a value out of its range, which the message names. */
AQM_API AQM_NODISCARD AqmStatus aqm_synth_options_validate(const AqmSynthOptions *options,
                                                           AqmDiag *diag);

/* Renders a data set below `output_dir`:
 *
 *   calibration.json, config.yaml        what a run takes; paths are relative to the folder
 *   images/{camera}/frame_NNNNNN.png     or videos/{camera}.mkv, lossless
 *   gt/scene.json                        water_z and, frame by frame, the surface as a sum of
 *                                        terms, the box that the cameras see and their depths; in
 *                                        the scene `mound` mound_volume_m3 too; in `charuco` the
 *                                        surface is the level bed, `plate` is what hangs over it
 *                                        (corner + a x_axis + b y_axis with a, b in 0..size_m), and
 *                                        `board` is printed on it: pose and inner corners
 *   gt/frame_NNNNNN/{camera}_depth_raw.npz   `depth`: the ray depth of every raw (distorted)
 *                                        pixel, metres, float32, NaN where it sees no ground
 *   gt/frame_NNNNNN/surface.ply          the surface on a 2 mm grid over that box, and the plate
 *
 * scene.json is written last: by it a data set is whole. The folder must be new, empty, or an
 * earlier data set of this function, which is replaced. The same options give the same bytes for
 * any number of threads. `log` (may be NULL) receives a line a view. On failure what is written so
 * far stays. ARGUMENT for an option out of range or a folder that holds other things (untouched),
 * IO, MEMORY, NO_DATA where no camera sees the ground under water. */
AQM_API AQM_NODISCARD AqmStatus aqm_synth_write(const AqmSynthOptions *options,
                                                const char *output_dir, const AqmLog *log,
                                                AqmDiag *diag);

#ifdef __cplusplus
}
#endif
#endif
