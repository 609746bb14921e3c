/* AquaCal's calibration.json, version "1.0".
 *
 * Everything is checked before it is believed, because a calibration that is wrong by a sign gives
 * a reconstruction that only looks wrong. Notation: K camera matrix, R, t world to camera, centre
 * C = -R^T t, water plane through (0, 0, water_z) with normal n from water to air.
 *
 * Tilted water. The rig frame is the world turned by the smallest rotation Q (Rodrigues) that takes
 * n to (0, 0, -1). With a = -n the third row of Q is a, so the plane a . X = a . (0, 0, water_z)
 * becomes Z = a_z water_z; a camera keeps its t and gets R Q^T. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "aquamvs/io.h"
#include "io/calibration_json.h"
#include "math/vec.h"

/* Deviations of R from a rotation, as the largest entry of |R^T R - I|: refused, and put right with
 * a warning. Six printed digits give 1e-6. */
static const double rotation_refused = 1e-3, rotation_repaired = 1e-6;
/* Cameras disagree about the one water surface from here on, metres. */
static const double water_agreement_m = 1e-6;
static const double steepest_water_rad = 1.0; /* 57 degrees: no tank; a mistake in the axes */

static AqmStatus check_name(const AqmJsonPlace *place, const char *name) {
    if (name[0] == '\0')
        return aqm_json_fail(place, "a camera has an empty name");
    if (strlen(name) >= AQM_NAME_MAX)
        return aqm_json_fail(place, "camera name \"%.70s\" has %zu bytes, at most %d are possible",
                             name, strlen(name), AQM_NAME_MAX - 1);
    bool usable = strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
    for (const char *p = name; *p != '\0'; p++)
        usable = usable && *p != '/' && (unsigned char)*p >= 32;
    if (!usable)
        return aqm_json_fail(place, "camera name \"%s\" cannot be a file name", name);
    return AQM_OK;
}

static AqmStatus read_size(const AqmJsonPlace *place, const json_t *intrinsics, AqmCamera *camera) {
    double size[2];
    size_t count;
    AQM_TRY(aqm_json_vector(place, intrinsics, "image_size", 2, size, &count));
    if (count != 2)
        return aqm_json_fail(place, "\"image_size\" has %zu numbers, must have 2 (width, height)",
                             count);
    for (int i = 0; i < 2; i++)
        if (size[i] < 1 || size[i] > 65535 || size[i] != floor(size[i]))
            return aqm_json_fail(
                place, "image_size[%d] is %.9g, must be a whole number in 1..65535", i, size[i]);
    camera->width = (int)size[0];
    camera->height = (int)size[1];
    return AQM_OK;
}

static AqmStatus read_matrix(const AqmJsonPlace *place, const json_t *intrinsics,
                             AqmCamera *camera) {
    double *K = camera->K;
    AQM_TRY(aqm_json_matrix33(place, intrinsics, "K", K));
    if (!(K[0] > 0) || !(K[4] > 0))
        return aqm_json_fail(place, "focal length of K is (%.9g, %.9g) px, must be positive", K[0],
                             K[4]);
    if (fabs(K[1]) > 1e-9 * K[0])
        return aqm_json_fail(place,
                             "K[0][1] is %.9g: a skewed camera matrix is not supported, "
                             "must be 0",
                             K[1]);
    if (K[3] != 0 || K[6] != 0 || K[7] != 0 || fabs(K[8] - 1) > 1e-9)
        return aqm_json_fail(place,
                             "K is not a camera matrix: below the diagonal it must be 0 and "
                             "K[2][2] must be 1 (found %.9g, %.9g, %.9g, %.9g)",
                             K[3], K[6], K[7], K[8]);
    K[1] = 0;
    K[8] = 1;
    if (K[2] < 0 || K[5] < 0 || K[2] > camera->width || K[5] > camera->height)
        aqm_json_warn(place, "principal point (%.6g, %.6g) px lies outside of its image of %d x %d",
                      K[2], K[5], camera->width, camera->height);
    return AQM_OK;
}

static AqmStatus read_lens(const AqmJsonPlace *place, const json_t *intrinsics, AqmCamera *camera) {
    bool is_fisheye;
    double coefficients[14] = {0}; /* the most that OpenCV has, so that they can be counted */
    size_t count;
    AQM_TRY(aqm_json_flag(place, intrinsics, "is_fisheye", &is_fisheye));
    camera->lens = is_fisheye ? AQM_LENS_FISHEYE : AQM_LENS_PINHOLE;
    AQM_TRY(aqm_json_vector(place, intrinsics, "dist_coeffs", 14, coefficients, &count));
    if (is_fisheye ? count != 4 : count != 4 && count != 5 && count != 8)
        return aqm_json_fail(place, "\"dist_coeffs\" has %zu numbers, a %s must have %s", count,
                             is_fisheye ? "fisheye lens" : "pinhole lens",
                             is_fisheye ? "4" : "4, 5 or 8");
    memcpy(camera->distortion, coefficients, sizeof camera->distortion);
    return AQM_OK;
}

/* A rotation near R, by Gram and Schmidt from the first row on: within the deviation itself of the
 * nearest one, which is as much as the file can be believed. */
static void orthonormalise(double R[9]) {
    const double length = aqm_norm3(R);
    for (int j = 0; j < 3; j++)
        R[j] /= length;
    const double along = aqm_dot3(R, R + 3);
    for (int j = 0; j < 3; j++)
        R[3 + j] -= along * R[j];
    const double second = aqm_norm3(R + 3);
    for (int j = 0; j < 3; j++)
        R[3 + j] /= second;
    aqm_cross3(R, R + 3, R + 6);
}

static AqmStatus read_pose(const AqmJsonPlace *place, const json_t *extrinsics, AqmCamera *camera) {
    double *R = camera->R;
    size_t count;
    AQM_TRY(aqm_json_matrix33(place, extrinsics, "R", R));
    AQM_TRY(aqm_json_vector(place, extrinsics, "t", 3, camera->t, &count));
    if (count != 3)
        return aqm_json_fail(place, "\"t\" has %zu numbers, must have 3", count);
    double transposed[9], product[9], deviation = 0;
    aqm_transpose33(R, transposed);
    aqm_mul33(transposed, R, product);
    for (int i = 0; i < 9; i++)
        deviation = fmax(deviation, fabs(product[i] - (i % 4 == 0 ? 1 : 0)));
    if (!(deviation <= rotation_refused))
        return aqm_json_fail(place,
                             "R is not a rotation: R^T R differs from the identity by %.3g, "
                             "at most %g is allowed",
                             deviation, rotation_refused);
    if (aqm_det33(R) < 0)
        return aqm_json_fail(place, "R is not a rotation but a reflection: its determinant is %.6g",
                             aqm_det33(R));
    if (deviation > rotation_repaired) {
        aqm_json_warn(place, "R^T R differs from the identity by %.3g; R was made orthonormal",
                      deviation);
        orthonormalise(R);
    }
    return AQM_OK;
}

static AqmStatus read_water(const AqmJsonPlace *place, const json_t *camera, double *water_z) {
    /* Files from before the key was renamed say interface_distance and mean the same number. */
    const bool is_old =
        !json_object_get(camera, "water_z") && json_object_get(camera, "interface_distance");
    return aqm_json_number(place, camera, is_old ? "interface_distance" : "water_z", water_z);
}

static AqmStatus read_camera(const AqmJsonPlace *place, const json_t *json, AqmCamera *camera,
                             double *water_z) {
    const json_t *intrinsics, *extrinsics;
    AQM_TRY(aqm_json_object(place, json, "intrinsics", &intrinsics));
    AQM_TRY(aqm_json_object(place, json, "extrinsics", &extrinsics));
    AQM_TRY(read_size(place, intrinsics, camera));
    AQM_TRY(read_matrix(place, intrinsics, camera));
    AQM_TRY(read_lens(place, intrinsics, camera));
    AQM_TRY(read_pose(place, extrinsics, camera));
    AQM_TRY(aqm_json_flag(place, json, "is_auxiliary", &camera->is_auxiliary));
    return read_water(place, json, water_z);
}

/* Name of the camera at `key`: what the file says in "name", which must be the key where it is
 * there at all. */
static AqmStatus read_name(const AqmJsonPlace *place, const char *key, const json_t *json,
                           AqmCamera *camera) {
    AQM_TRY(check_name(place, key));
    const json_t *name = json_object_get(json, "name");
    if (name && !json_is_string(name))
        return aqm_json_fail(place, "camera \"%s\": \"name\" must be a string", key);
    if (name && strcmp(json_string_value(name), key) != 0)
        return aqm_json_fail(place, "camera \"%s\" has the name \"%.70s\": both must be the same",
                             key, json_string_value(name));
    snprintf(camera->name, sizeof camera->name, "%s", key);
    return AQM_OK;
}

static AqmStatus read_cameras(const AqmJsonPlace *place, json_t *cameras, AqmRig *rig) {
    const char *key;
    json_t *json;
    size_t i = 0;
    json_object_foreach(cameras, key, json) {
        AqmCamera *camera = &rig->cameras[i];
        double water_z;
        AQM_TRY(read_name(place, key, json, camera));
        const AqmJsonPlace here = {place->path, camera->name, place->log, place->diag};
        if (!json_is_object(json))
            return aqm_json_fail(&here, "must be an object");
        AQM_TRY(read_camera(&here, json, camera, &water_z));
        if (i == 0)
            rig->water_z = water_z;
        else if (!(fabs(water_z - rig->water_z) <= water_agreement_m))
            return aqm_json_fail(&here,
                                 "water_z is %.9g m, but %.9g m for camera \"%s\": there is "
                                 "one water surface, they must agree to %g m",
                                 water_z, rig->water_z, rig->cameras[0].name, water_agreement_m);
        i++;
    }
    return AQM_OK;
}

/* Unit vector a = -n that points down, into the water. */
static AqmStatus read_normal(const AqmJsonPlace *place, const json_t *interface, double down[3]) {
    double normal[3] = {0, 0, -1};
    size_t count = 3;
    if (json_object_get(interface, "normal"))
        AQM_TRY(aqm_json_vector(place, interface, "normal", 3, normal, &count));
    else
        aqm_json_warn(place, "the interface has no \"normal\"; taken as (0, 0, -1)");
    const double length = aqm_norm3(normal);
    if (count != 3 || !(length > 1e-6) || !isfinite(length))
        return aqm_json_fail(place,
                             "interface normal has %zu numbers and length %.3g, must be 3 "
                             "numbers and not zero",
                             count, length);
    if (fabs(length - 1) > 1e-3)
        aqm_json_warn(place, "interface normal has length %.6g; it was scaled to 1", length);
    if (normal[2] > 0)
        aqm_json_warn(place,
                      "interface normal (%.6g, %.6g, %.6g) points into the water; it was "
                      "turned round",
                      normal[0], normal[1], normal[2]);
    for (int i = 0; i < 3; i++)
        down[i] = (normal[2] > 0 ? normal[i] : -normal[i]) / length;
    if (!(down[2] >= cos(steepest_water_rad)))
        return aqm_json_fail(place,
                             "interface normal (%.6g, %.6g, %.6g) is not near vertical: "
                             "the water surface would stand at %.0f degrees",
                             normal[0], normal[1], normal[2], acos(down[2]) * 57.29577951308232);
    return AQM_OK;
}

static AqmStatus read_interface(const AqmJsonPlace *place, const json_t *root, AqmRig *rig,
                                double down[3]) {
    const json_t *interface;
    AQM_TRY(aqm_json_object(place, root, "interface", &interface));
    AQM_TRY(aqm_json_number(place, interface, "n_air", &rig->n_air));
    AQM_TRY(aqm_json_number(place, interface, "n_water", &rig->n_water));
    const double values[2] = {rig->n_air, rig->n_water};
    for (int i = 0; i < 2; i++)
        if (!(values[i] >= 1 && values[i] <= 2))
            return aqm_json_fail(place, "%s is %.9g, a refractive index must be in 1..2",
                                 i == 0 ? "n_air" : "n_water", values[i]);
    if (rig->n_water < rig->n_air)
        return aqm_json_fail(place, "n_water %.9g is less than n_air %.9g", rig->n_water,
                             rig->n_air);
    return read_normal(place, interface, down);
}

/* Turns the rig so that `down` becomes +Z; nothing at all where it is. */
static void level(AqmRig *rig, const double down[3], const AqmJsonPlace *place) {
    const double sine = hypot(down[0], down[1]);
    if (sine < 1e-12)
        return;
    aqm_json_warn(place,
                  "the water surface is tilted by %.3f degrees; computed in a frame where "
                  "it is level, results are given in the world frame",
                  atan2(sine, down[2]) * 57.29577951308232);
    /* Q = I + [k]x + [k]x^2 / (1 + c) with k = down x z, c = down . z */
    const double x = down[0], y = down[1], c = down[2], s = 1 / (1 + c);
    const double Q[9] = {1 - x * x * s, -x * y * s, -x, -x * y * s, 1 - y * y * s, -y, x, y, c};
    double Qt[9];
    aqm_transpose33(Q, Qt);
    memcpy(rig->world_from_rig, Qt, sizeof Qt);
    for (size_t i = 0; i < rig->camera_count; i++) {
        double R[9];
        aqm_mul33(rig->cameras[i].R, Qt, R);
        memcpy(rig->cameras[i].R, R, sizeof R);
    }
    rig->water_z *= c;
}

static AqmStatus check_above_water(const AqmJsonPlace *place, const AqmRig *rig) {
    for (size_t i = 0; i < rig->camera_count; i++) {
        const AqmCamera *camera = &rig->cameras[i];
        double C[3];
        aqm_mul33tv(camera->R, camera->t, C);
        if (-C[2] < rig->water_z)
            continue;
        const AqmJsonPlace here = {place->path, camera->name, place->log, place->diag};
        return aqm_json_fail(&here,
                             "is not above the water: its centre lies at Z = %.6g m, the "
                             "water surface at water_z = %.6g m (Z points down)",
                             -C[2], rig->water_z);
    }
    return AQM_OK;
}

static AqmStatus check_version(const AqmJsonPlace *place, const json_t *root) {
    const json_t *version = json_object_get(root, "version");
    if (!version) {
        aqm_json_warn(place, "there is no \"version\"; read as 1.0");
        return AQM_OK;
    }
    if (!json_is_string(version) || strcmp(json_string_value(version), "1.0") != 0)
        return aqm_json_fail(place, "version is \"%.40s\", only \"1.0\" can be read",
                             json_is_string(version) ? json_string_value(version) : "not a string");
    return AQM_OK;
}

static AqmStatus read_rig(const AqmJsonPlace *place, json_t *root, AqmRig **rig) {
    AQM_TRY(check_version(place, root));
    json_t *cameras = json_object_get(root, "cameras");
    if (!json_is_object(cameras))
        return aqm_json_fail(place, "\"cameras\" is missing or not an object of cameras by name");
    if (json_object_size(cameras) == 0)
        return aqm_json_fail(place, "there is no camera in it");
    double down[3];
    AQM_TRY(aqm_rig_create(rig, json_object_size(cameras), place->diag));
    AQM_TRY(read_interface(place, root, *rig, down));
    AQM_TRY(read_cameras(place, cameras, *rig));
    level(*rig, down, place);
    return check_above_water(place, *rig);
}

AqmStatus aqm_calibration_read(const char *path, const AqmLog *log, AqmRig **out, AqmDiag *diag) {
    json_t *root = NULL;
    AQM_TRY(aqm_json_load(path, &root, diag));
    AqmRig *rig = NULL;
    const AqmJsonPlace place = {path, "", log, diag};
    const AqmStatus status = read_rig(&place, root, &rig);
    json_decref(root);
    if (status != AQM_OK)
        aqm_rig_destroy(&rig);
    else
        *out = rig;
    return status;
}
