#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "math/vec.h"

static json_t *vector(const double *values, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_real(values[i]));
    return list;
}

static json_t *matrix(const double M[9]) {
    json_t *rows = json_array();
    for (size_t i = 0; i < 3; i++)
        json_array_append_new(rows, vector(M + 3 * i, 3));
    return rows;
}

/* AquaCal writes 5 coefficients (8 where the rational model is used), 4 for fisheye lenses. */
static size_t coefficient_count(const AqmCamera *camera) {
    if (camera->lens == AQM_LENS_FISHEYE)
        return 4;
    for (size_t i = 5; i < 8; i++)
        if (camera->distortion[i] != 0)
            return 8;
    return 5;
}

/* The camera as it stands in the world: R = cam_from_rig rig_from_world. */
static json_t *camera_json(const AqmCamera *camera, const AqmRig *rig, double water_z) {
    double rig_from_world[9], R[9];
    aqm_transpose33(rig->world_from_rig, rig_from_world);
    aqm_mul33(camera->R, rig_from_world, R);
    json_t *intrinsics = json_object(), *extrinsics = json_object(), *json = json_object();
    json_object_set_new(intrinsics, "K", matrix(camera->K));
    json_object_set_new(intrinsics, "dist_coeffs",
                        vector(camera->distortion, coefficient_count(camera)));
    json_object_set_new(intrinsics, "image_size",
                        json_pack("[i,i]", camera->width, camera->height));
    json_object_set_new(intrinsics, "is_fisheye", json_boolean(camera->lens == AQM_LENS_FISHEYE));
    json_object_set_new(extrinsics, "R", matrix(R));
    json_object_set_new(extrinsics, "t", vector(camera->t, 3));
    json_object_set_new(json, "name", json_string(camera->name));
    json_object_set_new(json, "intrinsics", intrinsics);
    json_object_set_new(json, "extrinsics", extrinsics);
    json_object_set_new(json, "water_z", json_real(water_z));
    json_object_set_new(json, "is_auxiliary", json_boolean(camera->is_auxiliary));
    return json;
}

static json_t *rig_json(const AqmRig *rig) {
    const double *W = rig->world_from_rig;
    /* 0 - x and not -x: no "-0.0" where the normal is vertical */
    const double normal[3] = {0 - W[2], 0 - W[5], 0 - W[8]};
    json_t *cameras = json_object(), *interface = json_object(), *root = json_object();
    for (size_t i = 0; i < rig->camera_count; i++)
        json_object_set_new(cameras, rig->cameras[i].name,
                            camera_json(&rig->cameras[i], rig, rig->water_z / W[8]));
    json_object_set_new(interface, "normal", vector(normal, 3));
    json_object_set_new(interface, "n_air", json_real(rig->n_air));
    json_object_set_new(interface, "n_water", json_real(rig->n_water));
    json_object_set_new(root, "version", json_string("1.0"));
    json_object_set_new(root, "cameras", cameras);
    json_object_set_new(root, "interface", interface);
    return root;
}

AqmStatus aqm_calibration_write(const char *path, const AqmRig *rig, AqmDiag *diag) {
    json_t *root = rig_json(rig);
    char *text = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(root);
    if (!text)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "%s: the rig cannot be written: a camera name is not UTF-8, or out of "
                        "memory",
                        path);
    const AqmStatus status = aqm_text_write(path, text, diag);
    free(text);
    return status;
}
