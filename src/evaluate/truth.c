/* A camera sees a point if its refracted projection, through the lens, lies within the raw image.
 * A polynomial lens model turns back far off the axis and would bring points from behind the
 * horizon into the image: points further out than 1.02 times the farthest image corner are not
 * seen, whatever the polynomial says. Nor are points whose ray the plate of the scene crosses. */
#include "evaluate/truth.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "evaluate/surface_json.h"
#include "math/vec.h"

enum { PATH_MAX_LENGTH = 4096 };

void aqm_truth_destroy(AqmTruth **truth) {
    if (!truth || !*truth)
        return;
    aqm_rig_destroy(&(*truth)->rig);
    aqm_surface_model_destroy(&(*truth)->surface);
    aqm_free((*truth)->views);
    aqm_free((*truth)->radius_limit);
    aqm_free(*truth);
    *truth = NULL;
}

static AqmStatus join(char path[PATH_MAX_LENGTH], const char *dir, const char *name,
                      AqmDiag *diag) {
    const int length = snprintf(path, PATH_MAX_LENGTH, "%s/%s", dir, name);
    if (length < 0 || length >= PATH_MAX_LENGTH)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "folder name of more than %d characters",
                        PATH_MAX_LENGTH - 20);
    return AQM_OK;
}

static AqmStatus load_json(const char *path, json_t **out, AqmDiag *diag) {
    FILE *file = fopen(path, "rb");
    if (!file)
        return aqm_fail(diag, AQM_ERROR_IO,
                        "%s: cannot be opened; the ground truth is a folder as `aquamvs synth` "
                        "writes it",
                        path);
    json_error_t error;
    *out = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
    (void)fclose(file);
    if (!*out)
        return aqm_fail(diag, AQM_ERROR_FORMAT, "%s:%d:%d: %s", path, error.line, error.column,
                        error.text);
    return AQM_OK;
}

static const json_t *find_frame(const json_t *scene, int index) {
    const json_t *frames = json_object_get(scene, "frames");
    for (size_t i = 0; i < json_array_size(frames); i++) {
        const json_t *frame = json_array_get(frames, i), *number = json_object_get(frame, "index");
        if (json_is_integer(number) && json_integer_value(number) == index)
            return frame;
    }
    return NULL;
}

static bool read_numbers(const json_t *list, size_t count, double *out) {
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(list, i);
        out[i] = json_number_value(value);
        if (!json_is_number(value) || fabs(out[i]) > 1000.0)
            return false;
    }
    return json_array_size(list) == count;
}

/* The sides must be of unit length and square to each other, to what text keeps of a number. */
static bool read_plate(const json_t *json, AqmPlate *plate) {
    const double *x = plate->side[0], *y = plate->side[1];
    return read_numbers(json_object_get(json, "corner"), 3, plate->corner) &&
           read_numbers(json_object_get(json, "x_axis"), 3, plate->side[0]) &&
           read_numbers(json_object_get(json, "y_axis"), 3, plate->side[1]) &&
           read_numbers(json_object_get(json, "size_m"), 2, plate->size_m) &&
           fabs(aqm_dot3(x, x) - 1.0) < 1e-6 && fabs(aqm_dot3(y, y) - 1.0) < 1e-6 &&
           fabs(aqm_dot3(x, y)) < 1e-6 && plate->size_m[0] > 0.0 && plate->size_m[1] > 0.0;
}

static AqmStatus read_frame(AqmTruth *truth, const json_t *scene, int index, const char *path,
                            AqmDiag *diag) {
    const json_t *frame = find_frame(scene, index);
    if (!frame)
        return aqm_fail(diag, AQM_ERROR_FORMAT, "%s: has no frame %d", path, index);
    const json_t *water_z = json_object_get(frame, "water_z");
    if (!json_is_number(water_z))
        return aqm_fail(diag, AQM_ERROR_FORMAT, "%s: frame %d: water_z must be a number", path,
                        index);
    truth->rig->water_z = json_number_value(water_z);
    double *box = truth->footprint;
    if (!read_numbers(json_object_get(frame, "footprint"), 4, box) || !(box[0] < box[1]) ||
        !(box[2] < box[3]))
        return aqm_fail(diag, AQM_ERROR_FORMAT,
                        "%s: frame %d: footprint must be [x min, x max, y min, y max] in metres",
                        path, index);
    const json_t *plate = json_object_get(frame, "plate");
    truth->has_plate = plate != NULL;
    if (plate && !read_plate(plate, &truth->plate))
        return aqm_fail(diag, AQM_ERROR_FORMAT,
                        "%s: frame %d: plate must have a corner, x_axis and y_axis of length 1, "
                        "square to each other, and size_m, in metres",
                        path, index);
    const AqmStatus status =
        aqm_surface_from_json(json_object_get(frame, "surface"), &truth->surface, diag);
    if (status != AQM_OK)
        aqm_diag_prefix(diag, "%s: frame %d: ", path, index);
    return status;
}

static double corner_radius(const AqmCamera *camera) {
    double radius = 0.0;
    for (int i = 0; i < 4; i++) {
        const double u = i & 1 ? camera->width - 1 : 0, v = i & 2 ? camera->height - 1 : 0;
        double x, y;
        if (!aqm_lens_undistort(camera, (u - camera->K[2]) / camera->K[0],
                                (v - camera->K[5]) / camera->K[4], &x, &y))
            return INFINITY;
        radius = fmax(radius, hypot(x, y));
    }
    return radius;
}

static AqmStatus create_views(AqmTruth *truth, AqmDiag *diag) {
    const double unit[9] = {1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0};
    const size_t count = truth->rig->camera_count;
    truth->views = aqm_calloc(count, sizeof *truth->views);
    truth->radius_limit = aqm_calloc(count, sizeof *truth->radius_limit);
    if (!truth->views || !truth->radius_limit)
        return aqm_fail_memory(diag, "the views of the truth", count, sizeof *truth->views);
    for (size_t i = 0; i < count; i++) {
        AQM_TRY(aqm_view_create(&truth->views[i], truth->rig, i, unit, diag));
        truth->radius_limit[i] = 1.02 * corner_radius(&truth->rig->cameras[i]);
    }
    return AQM_OK;
}

/* Scenes are given in the world frame, projection works in the rig's. */
static bool frames_agree(const AqmRig *rig) {
    for (int i = 0; i < 9; i++)
        if (fabs(rig->world_from_rig[i] - (i % 4 == 0 ? 1.0 : 0.0)) > 1e-12)
            return false;
    return true;
}

static AqmStatus read_truth(AqmTruth *truth, const char *dir, int frame, AqmDiag *diag) {
    char path[PATH_MAX_LENGTH];
    json_t *scene = NULL;
    AQM_TRY(join(path, dir, "gt/scene.json", diag));
    AQM_TRY(load_json(path, &scene, diag));
    char calibration[PATH_MAX_LENGTH];
    AqmStatus status = join(calibration, dir, "calibration.json", diag);
    if (status == AQM_OK)
        status = aqm_calibration_read(calibration, NULL, &truth->rig, diag);
    if (status == AQM_OK && !frames_agree(truth->rig))
        status = aqm_fail(diag, AQM_ERROR_UNSUPPORTED,
                          "%s: the water surface is tilted; scenes with a formula have a level one",
                          calibration);
    if (status == AQM_OK)
        status = read_frame(truth, scene, frame, path, diag);
    json_decref(scene);
    return status == AQM_OK ? create_views(truth, diag) : status;
}

AqmStatus aqm_truth_read(AqmTruth **out, const char *dir, int frame, AqmDiag *diag) {
    AqmTruth *truth = aqm_calloc(1, sizeof *truth);
    if (!truth)
        return aqm_fail_memory(diag, "the truth", 1, sizeof *truth);
    const AqmStatus status = read_truth(truth, dir, frame, diag);
    if (status != AQM_OK) {
        aqm_truth_destroy(&truth);
        return status;
    }
    *out = truth;
    return AQM_OK;
}

void aqm_truth_top(const AqmTruth *truth, double x, double y, double point[3]) {
    point[0] = x, point[1] = y, point[2] = aqm_surface_height(truth->surface, x, y);
    const AqmRay down = {{x, y, truth->rig->water_z}, {0.0, 0.0, 1.0}};
    double depth, place[2];
    if (truth->has_plate && aqm_plate_cross(&truth->plate, &down, &depth, place) &&
        aqm_plate_has(&truth->plate, place))
        point[2] = fmin(point[2], truth->rig->water_z + depth);
}

double aqm_truth_distance(const AqmTruth *truth, const double point[3]) {
    const double surface = aqm_surface_distance(truth->surface, point);
    if (!truth->has_plate)
        return surface;
    double normal[3];
    aqm_plate_normal(&truth->plate, normal);
    const double plate = copysign(1.0, normal[2]) * aqm_plate_distance(&truth->plate, point);
    return fabs(plate) < fabs(surface) ? plate : surface;
}

/* Does the plate stand between a camera and a point that it has at p? */
static bool is_hidden(const AqmTruth *truth, size_t index, const double p[2],
                      const double point[3]) {
    AqmRay ray;
    double depth;
    return truth->has_plate && aqm_view_cast(&truth->views[index], p[0], p[1], &ray) &&
           aqm_view_ray_depth(&truth->views[index], point, &depth) &&
           aqm_plate_hides(&truth->plate, &ray, depth);
}

static bool sees(const AqmTruth *truth, size_t index, const double point[3]) {
    const AqmCamera *camera = &truth->rig->cameras[index];
    const double limit = truth->radius_limit[index];
    double p[2], xd, yd;
    if (!aqm_view_project(&truth->views[index], point, p))
        return false;
    if (p[0] * p[0] + p[1] * p[1] > limit * limit)
        return false;
    aqm_lens_distort(camera, p[0], p[1], &xd, &yd);
    const double u = camera->K[0] * xd + camera->K[2], v = camera->K[4] * yd + camera->K[5];
    return u >= 0.0 && v >= 0.0 && u <= camera->width - 1 && v <= camera->height - 1 &&
           !is_hidden(truth, index, p, point);
}

int aqm_truth_count_views(const AqmTruth *truth, const double point[3]) {
    int count = 0;
    for (size_t i = 0; i < truth->rig->camera_count; i++)
        count += !truth->rig->cameras[i].is_auxiliary && sees(truth, i, point);
    return count;
}
