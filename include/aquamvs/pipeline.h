/* Runs the stages over the frames of a configuration: order, resume, shards, files.
 *
 * Two runs may go on at once in one process for different output folders; a configuration is only
 * read, so they may share it. `log` and `progress` are called by the thread that made the call. */
#ifndef AQUAMVS_PIPELINE_H
#define AQUAMVS_PIPELINE_H

#include "aquamvs/config.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct AqmProgress {
    size_t frames_total, frames_done, frames_skipped, frames_failed;
    int frame;           /* index of the frame at work, -1 before the first */
    const char *stage;   /* "read", "undistort", "stereo", ... */
    double fraction;     /* 0..1 of the whole run */
    double elapsed_s;    /* since the run began */
    double remaining_s;  /* estimate; NaN = not known */
    bool frame_finished; /* this call reports the end of a frame */
} AqmProgress;

typedef struct AqmRunOptions {
    bool has_frames; /* --frames: replaces frame_start, frame_stop, frame_step */
    int frame_start, frame_stop, frame_step; /* frame_stop -1 = to the end */
    int shard_index, shard_count;            /* --shard K/N, K in 1..N; count 0 = no sharding */
    bool force;                              /* redo finished frames */
    bool require_device; /* --device cuda on the command line: an error where there is none */
    AqmLog log;
    void (*progress)(void *user, const AqmProgress *progress); /* may be NULL */
    void *progress_user;
    const volatile int *cancel; /* nonzero: stop cleanly at the next chance; may be NULL */
} AqmRunOptions;

typedef struct AqmRunResult {
    size_t frames_total, frames_done, frames_skipped, frames_failed;
    double elapsed_s;
    char record[4096]; /* the file that tells how the run went; "" if nothing was started */
} AqmRunResult;

/* Runs a configuration. Failed frames are no error: they are counted in `result` and named with
 * their reason in the record: run.json, or run_K_of_N.json for a shard. Finished frames are
 * skipped, with a warning if they were made from other input or with another configuration. *result
 * is written whatever is returned.
 *
 * Before the first frame, nothing started: ARGUMENT for frames or a shard that cannot be; CONFIG
 * where the configuration does not fit the cameras (more views must agree than there are, two
 * cameras with the same files, no mask_dir), a path is not UTF-8, or the run would overwrite the
 * file the configuration was read from; UNSUPPORTED for a learned matcher
 * whose model files or ONNX Runtime are not there and for too many cameras, with the way out;
 * FORMAT for a model that is not what it should be; DEVICE where require_device asks for one that
 * is not there; IO or FORMAT where the calibration or a mask cannot be read, the output folder not
 * be written, or another run is writing to it (shards go together); NO_DATA for fewer than two
 * usable cameras or no frame to do. Later: INTERRUPTED once `cancel` is set (what is finished is
 * kept), MEMORY. */
AQM_API AQM_NODISCARD AqmStatus aqm_run(const AqmConfig *config, const AqmRunOptions *options,
                                        AqmRunResult *result, AqmDiag *diag);

/* Writes the undistorted image of every camera of one frame to
 * {output_dir}/reference_images/{camera}.png. A camera without a usable image of that frame is left
 * out with a warning through `log` (may be NULL). NO_DATA if there is no such frame, or no camera
 * is left; CONFIG, IO or FORMAT as aqm_run; MEMORY. On failure images written before it
 * stay. */
AQM_API AQM_NODISCARD AqmStatus aqm_export_references(const AqmConfig *config, int frame,
                                                      const AqmLog *log, AqmDiag *diag);

/* "init": matches the files and folders of input_dir with a POSIX extended regular expression whose
 * first group is the camera name, checks them against the calibration (calibration_path must be
 * set), and adds to the input map. Cameras without an input and inputs without a camera warn
 * through `log` (may be NULL) and are left out. ARGUMENT for a pattern that is no such expression
 * or has no group, or an input_dir of ""; CONFIG without calibration_path, or where two inputs name
 * one camera; IO or FORMAT for the folder or the calibration; NO_DATA if no camera has an input;
 * MEMORY. On failure the map may hold some of the cameras: destroy the configuration. */
AQM_API AQM_NODISCARD AqmStatus aqm_config_discover(AqmConfig *config, const char *input_dir,
                                                    const char *pattern, const AqmLog *log,
                                                    AqmDiag *diag);

/* A mesh in a folder. */
typedef struct AqmMeshFile {
    char *path; /* {folder}/frame_000012/mesh/surface.ply, or {folder}/{name}.ply */
    char *name; /* "frame_000012", or the file's name without .ply */
} AqmMeshFile;

typedef struct AqmMeshFiles {
    size_t count;
    AqmMeshFile *files;
} AqmMeshFiles;

/* Lists where the meshes of a run are: one for every frame folder, whether or not the frame has a
 * mesh. Where a folder holds no frames, its .ply files (upper or lower case, hidden ones passed
 * over). Numbers in names are ordered as numbers. IO where the folder cannot be read; NO_DATA where
 * it holds neither; MEMORY. The caller destroys *out. */
AQM_API AQM_NODISCARD AqmStatus aqm_mesh_files_find(const char *folder, AqmMeshFiles **out,
                                                    AqmDiag *diag);
AQM_API void aqm_mesh_files_destroy(AqmMeshFiles **files);

#ifdef __cplusplus
}
#endif
#endif
