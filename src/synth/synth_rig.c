/* A ring of cameras: camera i stands at azimuth a_i, its forward axis tilted by the rig's angle
 * from straight down towards the axis of the ring, its x axis along the tangent. */
#include "synth/synth_rig.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "math/vec.h"
#include "synth/synth_random.h"

typedef struct Layout {
    size_t ring_count;
    double radius_m, tilt_deg;
    int width, height;
    double focal_px, water_z;
    bool center; /* a fisheye camera on the axis */
} Layout;

static const Layout layouts[] = {
    [AQM_RIG_RING12] = {12, 0.635, 15.0, 1600, 1200, 1400.0, 0.978, true},
    [AQM_RIG_RING5] = {5, 0.25, 11.0, 640, 480, 560.0, 0.6, false},
    [AQM_RIG_PAIR] = {2, 0.10, 4.0, 640, 480, 560.0, 0.6, false},
};

static const double radians = 3.14159265358979323846 / 180.0;
static const double first_azimuth_deg = 8.0; /* no camera exactly on an axis of the world */
static const double fisheye_focal = 0.56;    /* of the ring's: sees the whole ring's ground */

/* M = rotation about axis `k` by the angle, times M. */
static void turn(double M[9], int k, double angle) {
    const int i = (k + 1) % 3, j = (k + 2) % 3;
    const double c = cos(angle), s = sin(angle);
    for (int column = 0; column < 3; column++) {
        const double a = M[3 * i + column], b = M[3 * j + column];
        M[3 * i + column] = c * a - s * b;
        M[3 * j + column] = s * a + c * b;
    }
}

static void pose_camera(AqmCamera *camera, double radius_m, double tilt, double azimuth,
                        AqmRng *rng) {
    const double forward[3] = {-sin(tilt) * cos(azimuth), -sin(tilt) * sin(azimuth), cos(tilt)};
    const double right[3] = {-sin(azimuth), cos(azimuth), 0.0};
    memcpy(camera->R, right, sizeof right);
    aqm_cross3(forward, right, camera->R + 3);
    memcpy(camera->R + 6, forward, sizeof forward);
    double C[3] = {radius_m * cos(azimuth), radius_m * sin(azimuth), 0.0};
    for (int k = 0; k < 3; k++) {
        turn(camera->R, k, aqm_rng_spread(rng, 1.0 * radians));
        C[k] += aqm_rng_spread(rng, 0.004);
    }
    aqm_mul33v(camera->R, C, camera->t);
    for (int k = 0; k < 3; k++)
        camera->t[k] = -camera->t[k];
}

static void give_lens(AqmCamera *camera, double focal_px, double distortion, AqmRng *rng) {
    const double fx = focal_px * (1.0 + aqm_rng_spread(rng, 0.004));
    const double fy = focal_px * (1.0 + aqm_rng_spread(rng, 0.004));
    const double cx = 0.5 * (camera->width - 1) + aqm_rng_spread(rng, 0.006) * camera->width;
    const double cy = 0.5 * (camera->height - 1) + aqm_rng_spread(rng, 0.006) * camera->height;
    const double K[9] = {fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0};
    memcpy(camera->K, K, sizeof K);
    /* typical of 8 mm C-mount lenses, and of wide fisheye ones */
    double brown[8] = {-0.105, 0.065, 0.0, 0.0, -0.014};
    static const double spread[5] = {0.012, 0.01, 4e-4, 4e-4, 0.003};
    for (int i = 0; i < 5; i++)
        brown[i] += aqm_rng_spread(rng, spread[i]);
    const double fisheye[8] = {-0.014, 0.005, -0.003, 0.0007};
    for (int i = 0; i < 8; i++)
        camera->distortion[i] =
            distortion * (camera->lens == AQM_LENS_FISHEYE ? fisheye[i] : brown[i]);
}

AqmStatus aqm_synth_rig(const AqmSynthOptions *options, AqmRig **out, AqmDiag *diag) {
    const Layout *layout = &layouts[options->rig];
    AqmRig *rig = NULL;
    AQM_TRY(aqm_rig_create(&rig, layout->ring_count + (layout->center ? 1 : 0), diag));
    rig->water_z = layout->water_z;
    rig->n_water = options->n_water;
    for (size_t i = 0; i < rig->camera_count; i++) {
        AqmCamera *camera = &rig->cameras[i];
        AqmRng rng = aqm_synth_rng(options->seed, AQM_USE_POSE, i, 0, 0);
        camera->width = options->width ? options->width : layout->width;
        camera->height = options->height ? options->height : layout->height;
        const double focal_px = layout->focal_px * camera->width / layout->width;
        const bool on_ring = i < layout->ring_count;
        if (on_ring)
            (void)snprintf(camera->name, sizeof camera->name, "cam%02zu", i);
        else
            (void)snprintf(camera->name, sizeof camera->name, "center");
        camera->lens = on_ring ? AQM_LENS_PINHOLE : AQM_LENS_FISHEYE;
        camera->is_auxiliary = !on_ring;
        const double azimuth =
            radians * (first_azimuth_deg + 360.0 * (double)i / (double)layout->ring_count);
        pose_camera(camera, on_ring ? layout->radius_m : 0.0,
                    on_ring ? layout->tilt_deg * radians : 0.0, azimuth, &rng);
        give_lens(camera, on_ring ? focal_px : fisheye_focal * focal_px, options->distortion, &rng);
    }
    *out = rig;
    return AQM_OK;
}
