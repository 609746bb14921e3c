#include <math.h>
#include <stdio.h>

#include "aquamvs/geometry.h"
#include "aquamvs/picture.h"
#include "base/alloc.h"
#include "pipeline/verify_work.h"

/* Writes the picture to {output}/{folder}/{name}.png and destroys it. */
static AqmStatus write_picture(const AqmVerifyWork *work, const char *folder, const char *name,
                               AqmImage **picture, AqmDiag *diag) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", work->folder, folder);
    AqmStatus status = aqm_make_folders(path, diag);
    snprintf(path, sizeof path, "%s/%s/%s.png", work->folder, folder, name);
    const AqmImageView view = aqm_image_view(*picture);
    if (status == AQM_OK)
        status = aqm_png_write(path, &view, diag);
    aqm_image_destroy(picture);
    return status;
}

/* The error of a sighting: where it is, less where the triangulated corner is seen. */
static AqmPictureMark mark_of(const AqmView *view, const AqmBoardCorner *corner,
                              const AqmBoardPoint *points) {
    AqmPictureMark mark = {corner->u, corner->v, (double)NAN, (double)NAN};
    double pixel[2];
    if (points && points[corner->index].views > 0 &&
        aqm_view_project(view, points[corner->index].position, pixel))
        mark.du = corner->u - pixel[0], mark.dv = corner->v - pixel[1];
    return mark;
}

AqmStatus aqm_verify_draw_corners(const AqmVerifyWork *work, const AqmVerifyFrame *frame,
                                  size_t camera, const AqmImageView *image, double full_scale,
                                  AqmDiag *diag) {
    const AqmInput *input = &work->inputs->cameras[camera];
    const AqmBoardSighting *seen = frame->sightings[camera];
    AqmPictureMark *marks = aqm_alloc(seen->count, sizeof *marks);
    if (!marks)
        return aqm_fail_memory(diag, "the marks of a picture", seen->count, sizeof *marks);
    for (size_t i = 0; i < seen->count; i++)
        marks[i] = mark_of(&input->view, &seen->corners[i], frame->pose->points);
    char title[160], name[AQM_NAME_MAX + 32];
    snprintf(title, sizeof title, "frame %d, %s: %zu corner%s, %zu marker%s", frame->pose->frame,
             input->camera->name, seen->count, seen->count == 1 ? "" : "s", seen->marker_count,
             seen->marker_count == 1 ? "" : "s");
    snprintf(name, sizeof name, "frame_%06d_%s", frame->pose->frame, input->camera->name);
    AqmImage *picture = NULL;
    AqmStatus status =
        aqm_picture_marks(image, full_scale, marks, seen->count, title, &picture, diag);
    aqm_free(marks);
    return status == AQM_OK ? write_picture(work, "corners", name, &picture, diag) : status;
}

AqmStatus aqm_verify_draw_board(const AqmVerifyWork *work, const AqmVerifyPose *pose,
                                const AqmHeightMap *deviations, AqmDiag *diag) {
    const AqmBoard *board = &work->out->board;
    const AqmBoardMeasures *m = &pose->measures;
    const size_t count = aqm_board_corner_count(board);
    AqmPictureCorner *corners = aqm_alloc(count, sizeof *corners);
    if (!corners)
        return aqm_fail_memory(diag, "the corners of a picture", count, sizeof *corners);
    for (size_t i = 0; i < count; i++) {
        const AqmBoardPoint *p = &pose->points[i];
        double xy[2];
        aqm_board_corner(board, i, xy);
        corners[i] =
            (AqmPictureCorner){xy[0], xy[1], p->residual_m[0], p->residual_m[1], p->residual_m[2]};
    }
    char lines[2][160], name[32];
    snprintf(lines[0], sizeof lines[0], "frame %d: tilt %.1f\u00b0, %.3f m under water",
             pose->frame, m->tilt_deg, m->depth_m);
    if (isfinite(m->flatness_mm))
        snprintf(lines[1], sizeof lines[1],
                 "surface %.3f mm RMS from a plane; corners %.3f mm RMS from the rigid board",
                 m->flatness_mm, m->grid_rms_mm);
    else
        snprintf(lines[1], sizeof lines[1], "corners %.3f mm RMS from the rigid board",
                 m->grid_rms_mm);
    const char *const captions[2] = {lines[0], lines[1]};
    snprintf(name, sizeof name, "frame_%06d", pose->frame);
    AqmImage *picture = NULL;
    const AqmStatus status = aqm_picture_board(deviations, board->squares_x * board->square_m,
                                               board->squares_y * board->square_m, corners, count,
                                               captions, 2, &picture, diag);
    aqm_free(corners);
    return status == AQM_OK ? write_picture(work, "boards", name, &picture, diag) : status;
}
