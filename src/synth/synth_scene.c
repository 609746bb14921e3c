/* A sand bed is a self-affine surface (Musgrave, Kolb & Mace 1989 build theirs of the same sum):
 * plane waves of random direction and phase whose lengths fall geometrically from 0.65 m to 24 mm
 * and whose amplitudes fall with them, wavelength^H, H = 0.9; on it travelling ripples, a mound in
 * a shallow moat, and a crater with a rim. The scene `mound` is a bed of the same waves that stays
 * as it is but for a mound, a Gauss of 30 mm and sigma 50 mm (4.712e-4 m3), which lies there in
 * frame 0 and is gone afterwards. The ChArUco board is printed on a plate that hangs over a level
 * bed. */
#include "synth/synth_scene.h"

#include <math.h>

#include "math/vec.h"
#include "synth/synth_random.h"

static const double pi = 3.14159265358979323846;

static AqmSurfaceTerm plane(double z0, double gx, double gy) {
    return (AqmSurfaceTerm){AQM_TERM_PLANE, {.plane = {z0, gx, gy}}};
}

static AqmSurfaceTerm wave(double amplitude, double wavelength, double azimuth, double phase) {
    const double k = 2.0 * pi / wavelength;
    return (AqmSurfaceTerm){AQM_TERM_SINE,
                            {.sine = {amplitude, k * cos(azimuth), k * sin(azimuth), phase}}};
}

static AqmSurfaceTerm hill(double height, double cx, double cy, double radius, double sigma) {
    return (AqmSurfaceTerm){AQM_TERM_HILL, {.hill = {height, cx, cy, radius, sigma}}};
}

static AqmStatus add_waves(const AqmSynthOptions *options, int frame, AqmSurfaceModel *model,
                           AqmDiag *diag) {
    const double drift = 0.35 * frame, a = 0.5 * options->amplitude_m;
    AQM_TRY(aqm_surface_model_add(model, wave(a, options->wavelength_m, 0.0, 0.4 + drift), diag));
    return aqm_surface_model_add(model, wave(a, options->wavelength_m, 0.5 * pi, 1.1), diag);
}

static AqmStatus add_relief(uint64_t seed, AqmSurfaceModel *model, AqmDiag *diag) {
    enum { WAVES = 28 };
    const double longest_m = 0.65, shortest_m = 0.024;
    AqmRng rng = aqm_synth_rng(seed, AQM_USE_RELIEF, 0, 0, 0);
    for (int i = 0; i < WAVES; i++) {
        const double even = longest_m * pow(shortest_m / longest_m, i / (WAVES - 1.0));
        const double length = even * (1.0 + aqm_rng_spread(&rng, 0.1));
        const double amplitude =
            0.0042 * pow(length / 0.3, 0.9) * (1.0 + aqm_rng_spread(&rng, 0.4));
        const double azimuth = 2.0 * pi * aqm_rng_uniform(&rng);
        const double phase = 2.0 * pi * aqm_rng_uniform(&rng);
        AQM_TRY(aqm_surface_model_add(model, wave(amplitude, length, azimuth, phase), diag));
    }
    return AQM_OK;
}

static AqmStatus add_sandbed(uint64_t seed, int frame, AqmSurfaceModel *model, AqmDiag *diag) {
    AQM_TRY(add_relief(seed, model, diag));
    /* Z points down: a mound is negative */
    const double growth = 1.0 + 0.15 * frame;
    const AqmSurfaceTerm features[] = {
        wave(0.0018, 0.062, 0.35, 0.6 + 0.5 * frame), /* ripples and their sharper crests */
        wave(0.0007, 0.033, 0.48, 1.9 + 0.9 * frame),
        hill(-0.036 * growth, -0.11, 0.08, 0.0, 0.05), /* mound */
        hill(0.004 * growth, -0.11, 0.08, 0.13, 0.02), /* its moat */
        hill(0.029 * growth, 0.09, -0.06, 0.0, 0.042), /* crater */
        hill(-0.007 * growth, 0.09, -0.06, 0.1, 0.018) /* its rim */
    };
    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        AQM_TRY(aqm_surface_model_add(model, features[i], diag));
    return AQM_OK;
}

static const double mound_height_m = 0.03, mound_sigma_m = 0.05;

static bool mound_is_there(int frame) {
    return frame == 0;
}

static AqmStatus add_mound(uint64_t seed, int frame, AqmSurfaceModel *model, AqmDiag *diag) {
    AQM_TRY(add_relief(seed, model, diag));
    if (!mound_is_there(frame))
        return AQM_OK;
    return aqm_surface_model_add(model, hill(-mound_height_m, 0.02, -0.015, 0.0, mound_sigma_m),
                                 diag);
}

double aqm_synth_mound_volume(int frame) {
    return mound_is_there(frame) ? 2.0 * pi * mound_height_m * mound_sigma_m * mound_sigma_m : 0.0;
}

/* The floor of the tank below the water; between the plate and both there is at least the
 * clearance. */
static const double floor_m = 0.6, clearance_m = 0.02;

double aqm_synth_board_azimuth(int frame) {
    return (30.0 + 25.0 * frame) * pi / 180.0;
}

/* The plate's margin around the squares is as wide as one of them. */
static AqmPlate make_plate(const AqmBoard *board, const double R[9], const double origin[3]) {
    const double margin = board->square_m;
    AqmPlate plate = {.size_m = {board->squares_x * board->square_m + 2.0 * margin,
                                 board->squares_y * board->square_m + 2.0 * margin}};
    for (int k = 0; k < 3; k++) {
        plate.side[0][k] = R[3 * k], plate.side[1][k] = R[3 * k + 1];
        plate.corner[k] = origin[k] - margin * (R[3 * k] + R[3 * k + 1]);
    }
    return plate;
}

/* How far the highest and the lowest corner lie above and below the middle. */
static double plate_rise(const AqmBoard *board, const double R[9]) {
    return 0.5 * board->square_m *
           ((board->squares_x + 2) * fabs(R[6]) + (board->squares_y + 2) * fabs(R[7]));
}

/* The board is turned by `spin` in its plane, then tilted about the horizontal line across the
 * direction of descent. A large one sinks until it is under water. */
AqmSynthPose aqm_synth_charuco_pose(const AqmSynthOptions *options, double water_z, int frame) {
    const AqmBoard *board = &options->board;
    AqmSynthPose pose = {.tilt_deg = options->tilt_deg};
    if (options->frames > 1)
        pose.tilt_deg = 3.0 + 38.0 * frame / (options->frames - 1);
    const double tilt = pose.tilt_deg * pi / 180.0;
    const double azimuth = (30.0 + 77.0 * frame) * pi / 180.0;
    const double spin = (11.0 + 53.0 * frame) * pi / 180.0;
    const double c = cos(azimuth), s = sin(azimuth), k = 1.0 - cos(tilt);
    const double turn[9] = {1.0 - k * c * c, -k * c * s,      -sin(tilt) * c,
                            -k * c * s,      1.0 - k * s * s, -sin(tilt) * s,
                            sin(tilt) * c,   sin(tilt) * s,   cos(tilt)};
    const double flat[9] = {cos(spin), -sin(spin), 0.0, sin(spin), cos(spin), 0.0, 0.0, 0.0, 1.0};
    aqm_mul33(turn, flat, pose.R);
    const double rise = plate_rise(board, pose.R);
    const double depth = fmax(0.30 + 0.1 * (3 * frame % 8) / 7.0, rise + clearance_m);
    const double middle[3] = {0.05 * cos(2.1 * frame), 0.05 * sin(2.1 * frame), water_z + depth};
    const double half[3] = {0.5 * board->squares_x * board->square_m,
                            0.5 * board->squares_y * board->square_m, 0.0};
    aqm_mul33v(pose.R, half, pose.origin);
    for (int i = 0; i < 3; i++)
        pose.origin[i] = middle[i] - pose.origin[i];
    pose.plate = make_plate(board, pose.R, pose.origin);
    pose.floor_z = water_z + fmax(floor_m, depth + rise + clearance_m);
    return pose;
}

static AqmStatus add_terms(const AqmSynthOptions *options, double water_z, int frame,
                           AqmSurfaceModel *model, AqmDiag *diag) {
    const double tilt = tan(options->tilt_deg * pi / 180.0),
                 azimuth = aqm_synth_board_azimuth(frame);
    switch (options->scene) {
    case AQM_SCENE_PLANE:
        return aqm_surface_model_add(model, plane(water_z + 0.2 + 0.001 * frame, 0.0, 0.0), diag);
    case AQM_SCENE_UNDULATING:
        AQM_TRY(aqm_surface_model_add(model, plane(water_z + 0.2, 0.0, 0.0), diag));
        return add_waves(options, frame, model, diag);
    case AQM_SCENE_SANDBED:
        AQM_TRY(aqm_surface_model_add(model, plane(water_z + 0.35, 0.018, -0.014), diag));
        return add_sandbed(options->seed, frame, model, diag);
    case AQM_SCENE_BOARD:
        return aqm_surface_model_add(
            model, plane(water_z + 0.25, tilt * cos(azimuth), tilt * sin(azimuth)), diag);
    case AQM_SCENE_MOUND:
        AQM_TRY(aqm_surface_model_add(model, plane(water_z + 0.32, 0.012, 0.009), diag));
        return add_mound(options->seed, frame, model, diag);
    case AQM_SCENE_CHARUCO: {
        const AqmSynthPose pose = aqm_synth_charuco_pose(options, water_z, frame);
        return aqm_surface_model_add(model, plane(pose.floor_z, 0.0, 0.0), diag);
    }
    }
    return aqm_fail(diag, AQM_ERROR_ARGUMENT, "scene %d is unknown", (int)options->scene);
}

AqmStatus aqm_synth_surface(const AqmSynthOptions *options, double water_z, int frame,
                            AqmSurfaceModel **out, AqmDiag *diag) {
    AqmSurfaceModel *model = NULL;
    AQM_TRY(aqm_surface_model_create(&model, diag));
    const AqmStatus status = add_terms(options, water_z, frame, model, diag);
    if (status != AQM_OK) {
        aqm_surface_model_destroy(&model);
        return status;
    }
    *out = model;
    return AQM_OK;
}
