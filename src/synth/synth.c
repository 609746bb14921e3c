/* Renders a data set. The work is cut into jobs, one still or one video each, that share nothing
 * they write: what a job makes depends on the options, its camera and its frames alone, so the
 * bytes are the same for any number of threads. */
#include "aquamvs/synth.h"

#include <math.h>
#include <stdatomic.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "synth/synth_dataset.h"
#include "synth/synth_rig.h"
#include "synth/synth_sensor.h"

static const double video_frames_per_s = 30.0;

AqmSynthOptions aqm_synth_options_default(void) {
    return (AqmSynthOptions){.scene = AQM_SCENE_UNDULATING,
                             .rig = AQM_RIG_RING5,
                             .frames = 1,
                             .seed = 1,
                             .noise = 1.5,
                             .blur_px = 0.45,
                             .gain_spread = 0.05,
                             .contrast = 1.0,
                             .distortion = 1.0,
                             .n_water = 1.333,
                             .amplitude_m = 0.005,
                             .wavelength_m = 0.05,
                             .tilt_deg = 12.0,
                             .board = {.squares_x = 12,
                                       .squares_y = 9,
                                       .square_m = 0.03,
                                       .marker_m = 0.022,
                                       .dictionary = AQM_DICTIONARY_4X4_100},
                             .format = AQM_FRAMES_PNG,
                             .color = true};
}

static AqmStatus in_range(const char *name, double value, double least, double most,
                          AqmDiag *diag) {
    if (value >= least && value <= most) /* false for NaN */
        return AQM_OK;
    return aqm_fail(diag, AQM_ERROR_ARGUMENT, "%s of %g: must be in %g..%g", name, value, least,
                    most);
}

AqmStatus aqm_synth_options_validate(const AqmSynthOptions *o, AqmDiag *diag) {
    const bool own_size = o->width == 0 && o->height == 0;
    AQM_TRY(in_range("scene", (double)o->scene, AQM_SCENE_PLANE, AQM_SCENE_CHARUCO, diag));
    AQM_TRY(in_range("rig", (double)o->rig, AQM_RIG_RING12, AQM_RIG_PAIR, diag));
    AQM_TRY(in_range("format", (double)o->format, AQM_FRAMES_PNG, AQM_FRAMES_VIDEO, diag));
    AQM_TRY(in_range("width", o->width, own_size ? 0 : 16, 16384, diag));
    AQM_TRY(in_range("height", o->height, own_size ? 0 : 16, 16384, diag));
    AQM_TRY(in_range("frames", o->frames, 1, 999999, diag));
    AQM_TRY(in_range("noise", o->noise, 0, 100, diag));
    AQM_TRY(in_range("blur", o->blur_px, 0, 16, diag));
    AQM_TRY(in_range("gain spread", o->gain_spread, 0, 0.5, diag));
    AQM_TRY(in_range("contrast", o->contrast, 0, 4, diag));
    AQM_TRY(in_range("distortion", o->distortion, 0, 2, diag));
    AQM_TRY(in_range("n_water", o->n_water, 1, 2, diag));
    AQM_TRY(in_range("amplitude", o->amplitude_m, 0, 0.1, diag));
    AQM_TRY(in_range("wavelength", o->wavelength_m, 0.005, 10, diag));
    AQM_TRY(in_range("tilt", o->tilt_deg, 0, 45, diag));
    AQM_TRY(aqm_board_validate(&o->board, diag));
    return in_range("threads", o->threads, 0, 4096, diag);
}

static AqmStatus render_still(const AqmSynthDataset *dataset, size_t camera, int frame,
                              AqmTrace *trace, AqmImage **out, AqmDiag *diag) {
    const size_t pixels = (size_t)trace->width * (size_t)trace->height;
    float *radiance = aqm_alloc(3 * pixels, sizeof *radiance);
    if (!radiance)
        return aqm_fail_memory(diag, "a rendered view", 3 * pixels, sizeof *radiance);
    const AqmBoard *board = &dataset->options->board;
    const AqmTraceBoard print = {board, board->square_m};
    const AqmSynthFrame *scene = &dataset->frames[frame];
    aqm_trace_paint(trace, &scene->texture, scene->has_plate ? &print : NULL, radiance);
    const AqmStatus status = aqm_sensor_expose(dataset->options, &dataset->rig->cameras[camera],
                                               camera, frame, radiance, out, diag);
    aqm_free(radiance);
    return status;
}

/* One camera, one frame: the truth goes to its file, the picture to *out. */
static AqmStatus render_view(const AqmSynthDataset *dataset, size_t camera, int frame,
                             AqmImage **out, AqmDiag *diag) {
    const AqmSynthFrame *scene = &dataset->frames[frame];
    AqmSynthSight *sight = &dataset->sights[(size_t)frame * dataset->rig->camera_count + camera];
    AqmTrace *trace = NULL;
    AQM_TRY(aqm_trace_camera(dataset->rig, camera, scene->surface, &scene->bounds,
                             scene->has_plate ? &scene->pose.plate : NULL, &trace, diag));
    for (int k = 0; k < 4; k++)
        sight->box[k] = trace->box[k];
    for (int k = 0; k < 2; k++)
        sight->depth_range[k] = trace->depth_range[k];
    AqmStatus status = aqm_synth_write_depth(dataset, frame, camera, trace, diag);
    if (status == AQM_OK)
        status = render_still(dataset, camera, frame, trace, out, diag);
    aqm_trace_destroy(&trace);
    return status;
}

static AqmStatus render_png(const AqmSynthDataset *dataset, size_t camera, int frame,
                            AqmDiag *diag) {
    char path[AQM_SYNTH_PATH_MAX];
    AqmImage *image = NULL;
    AQM_TRY(aqm_synth_path(path, diag, dataset, "images/%s/frame_%06d.png",
                           dataset->rig->cameras[camera].name, frame));
    AQM_TRY(render_view(dataset, camera, frame, &image, diag));
    const AqmImageView view = aqm_image_view(image);
    const AqmStatus status = aqm_png_write(path, &view, diag);
    aqm_image_destroy(&image);
    return status;
}

static AqmStatus add_video_frame(const AqmSynthDataset *dataset, size_t camera, int frame,
                                 AqmVideoWriter *writer, AqmDiag *diag) {
    AqmImage *image = NULL;
    AQM_TRY(render_view(dataset, camera, frame, &image, diag));
    const AqmImageView view = aqm_image_view(image);
    const AqmStatus status = aqm_video_writer_add(writer, &view, diag);
    aqm_image_destroy(&image);
    return status;
}

static AqmStatus render_video(const AqmSynthDataset *dataset, size_t camera, AqmDiag *diag) {
    const AqmCamera *lens = &dataset->rig->cameras[camera];
    char path[AQM_SYNTH_PATH_MAX];
    AqmVideoWriter *writer = NULL;
    AQM_TRY(aqm_synth_path(path, diag, dataset, "videos/%s.mkv", lens->name));
    AQM_TRY(
        aqm_video_writer_open(&writer, path, lens->width, lens->height, video_frames_per_s, diag));
    AqmStatus status = AQM_OK;
    for (int frame = 0; frame < dataset->options->frames && status == AQM_OK; frame++)
        status = add_video_frame(dataset, camera, frame, writer, diag);
    const AqmStatus closed = aqm_video_writer_close(&writer, diag);
    return status != AQM_OK ? status : closed;
}

/* Of all jobs that failed the first, in their order, is reported. */
static AqmStatus render_all(const AqmSynthDataset *dataset, const AqmLog *log, AqmDiag *diag) {
    const int cameras = (int)dataset->rig->camera_count, frames = dataset->options->frames;
    const bool video = dataset->options->format == AQM_FRAMES_VIDEO;
    const int jobs = video ? cameras : cameras * frames;
    int first_failed = jobs;
    AqmDiag failure = {0};
    AqmStatus status = AQM_OK;
    atomic_bool stop = false;
#pragma omp parallel for schedule(dynamic, 1)                                                      \
    num_threads(aqm_thread_count(dataset->options->threads))
    for (int job = 0; job < jobs; job++) {
        if (atomic_load(&stop))
            continue;
        const int camera = job % cameras, frame = job / cameras;
        AqmDiag own = {0};
        const AqmStatus done = video ? render_video(dataset, (size_t)camera, &own)
                                     : render_png(dataset, (size_t)camera, frame, &own);
#pragma omp critical(aqm_synth_report)
        {
            if (done == AQM_OK) {
                aqm_log(log, AQM_LOG_INFO, "%s: frame %d of %d", dataset->rig->cameras[camera].name,
                        video ? frames : frame + 1, frames);
            } else if (job < first_failed) {
                first_failed = job, status = done, failure = own;
                atomic_store(&stop, true);
            }
        }
    }
    if (status != AQM_OK)
        return aqm_fail(diag, status, "%s", failure.message);
    return AQM_OK;
}

static AqmStatus prepare_frames(AqmSynthDataset *dataset, AqmDiag *diag) {
    const AqmSynthOptions *o = dataset->options;
    const double slope = tan(o->tilt_deg * 3.14159265358979323846 / 180.0);
    const double seen_m = 5.0 * dataset->rig->water_z; /* the widest lens looks about that far */
    for (int i = 0; i < o->frames; i++) {
        AqmSynthFrame *frame = &dataset->frames[i];
        AQM_TRY(aqm_synth_surface(o, dataset->rig->water_z, i, &frame->surface, diag));
        frame->bounds = aqm_surface_bounds(frame->surface, seen_m);
        aqm_texture_init(&frame->texture, o->seed, o->contrast, o->scene == AQM_SCENE_BOARD,
                         aqm_synth_board_azimuth(i), slope);
        frame->has_plate = o->scene == AQM_SCENE_CHARUCO;
        if (frame->has_plate)
            frame->pose = aqm_synth_charuco_pose(o, dataset->rig->water_z, i);
    }
    return AQM_OK;
}

static AqmStatus write_dataset(AqmSynthDataset *dataset, const AqmLog *log, AqmDiag *diag) {
    AQM_TRY(prepare_frames(dataset, diag));
    AQM_TRY(aqm_synth_prepare(dataset, diag));
    AQM_TRY(aqm_synth_write_setup(dataset, diag));
    AQM_TRY(render_all(dataset, log, diag));
    return aqm_synth_write_truth(dataset, diag);
}

AqmStatus aqm_synth_write(const AqmSynthOptions *options, const char *output_dir, const AqmLog *log,
                          AqmDiag *diag) {
    AQM_TRY(aqm_synth_options_validate(options, diag));
    AqmRig *rig = NULL;
    AQM_TRY(aqm_synth_rig(options, &rig, diag));
    const size_t frames = (size_t)options->frames, views = frames * rig->camera_count;
    AqmSynthDataset dataset = {.options = options,
                               .dir = output_dir,
                               .rig = rig,
                               .frames = aqm_calloc(frames, sizeof *dataset.frames),
                               .sights = aqm_calloc(views, sizeof *dataset.sights)};
    AqmStatus status;
    if (dataset.frames && dataset.sights)
        status = write_dataset(&dataset, log, diag);
    else
        status = aqm_fail_memory(diag, "a synthetic series", views, sizeof *dataset.sights);
    for (size_t i = 0; dataset.frames && i < frames; i++)
        aqm_surface_model_destroy(&dataset.frames[i].surface);
    aqm_free(dataset.frames);
    aqm_free(dataset.sights);
    aqm_rig_destroy(&rig);
    return status;
}
