#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/geometry.h"
#include "base/alloc.h"
#include "math/vec.h"
#include "synth/synth_render.h"
#include "synth/synth_rig.h"
#include "synth/synth_scene.h"
#include "synth/synth_sensor.h"

static AqmSynthOptions small_options(AqmScene scene, AqmRigKind rig) {
    AqmSynthOptions options = aqm_synth_options_default();
    options.scene = scene;
    options.rig = rig;
    options.width = 96, options.height = 72;
    return options;
}

static AqmRig *make_rig(const AqmSynthOptions *options) {
    AqmRig *rig = NULL;
    assert_int_equal(aqm_synth_rig(options, &rig, NULL), AQM_OK);
    return rig;
}

static void every_rig_looks_down_at_the_ground_below_its_middle(void **state) {
    (void)state;
    static const size_t counts[] = {13, 5, 2};
    for (int kind = 0; kind < 3; kind++) {
        const AqmSynthOptions options = small_options(AQM_SCENE_PLANE, (AqmRigKind)kind);
        AqmRig *rig = make_rig(&options);
        assert_int_equal(rig->camera_count, counts[kind]);
        for (size_t i = 0; i < rig->camera_count; i++) {
            const AqmCamera *c = &rig->cameras[i];
            double Rt[9], I[9];
            aqm_transpose33(c->R, Rt);
            aqm_mul33(c->R, Rt, I);
            for (int k = 0; k < 9; k++)
                assert_true(fabs(I[k] - (k % 4 == 0)) < 1e-12);
            assert_true(fabs(aqm_det33(c->R) - 1.0) < 1e-12);
            AqmView view;
            assert_int_equal(aqm_view_create(&view, rig, i, c->K, NULL), AQM_OK);
            const double middle[3] = {0.0, 0.0, rig->water_z + 0.25};
            double pixel[2];
            assert_true(aqm_view_project(&view, middle, pixel));
            assert_true(pixel[0] > 10 && pixel[0] < 86 && pixel[1] > 10 && pixel[1] < 62);
        }
        aqm_rig_destroy(&rig);
    }
}

static void the_seed_moves_the_cameras_and_the_size_scales_the_lens(void **state) {
    (void)state;
    AqmSynthOptions options = small_options(AQM_SCENE_PLANE, AQM_RIG_RING5);
    AqmRig *a = make_rig(&options), *again = make_rig(&options);
    options.seed = 2;
    AqmRig *b = make_rig(&options);
    options.width *= 2, options.height *= 2;
    AqmRig *large = make_rig(&options);
    assert_memory_equal(a->cameras, again->cameras, 5 * sizeof *a->cameras);
    assert_true(fabs(a->cameras[0].t[2] - b->cameras[0].t[2]) > 1e-6);
    assert_true(fabs(a->cameras[0].t[2] - b->cameras[0].t[2]) < 0.05);
    assert_true(fabs(large->cameras[3].K[0] / b->cameras[3].K[0] - 2.0) < 1e-12);
    aqm_rig_destroy(&a);
    aqm_rig_destroy(&again);
    aqm_rig_destroy(&b);
    aqm_rig_destroy(&large);
}

/* Where the lens puts a point, by the reference projection: the way back of the renderer's. */
static void raw_pixel_of(const AqmRig *rig, size_t camera, const double point[3], double raw[2]) {
    const double unit[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    const AqmCamera *c = &rig->cameras[camera];
    AqmView view;
    double p[2], xd, yd;
    assert_int_equal(aqm_view_create(&view, rig, camera, unit, NULL), AQM_OK);
    assert_true(aqm_view_project(&view, point, p));
    aqm_lens_distort(c, p[0], p[1], &xd, &yd);
    raw[0] = c->K[0] * xd + c->K[2];
    raw[1] = c->K[4] * yd + c->K[5];
}

static void check_view(const AqmRig *rig, size_t camera, const AqmSurfaceModel *surface) {
    const AqmSurfaceBounds bounds = aqm_surface_bounds(surface, 3.0);
    AqmTrace *trace = NULL;
    assert_int_equal(aqm_trace_camera(rig, camera, surface, &bounds, NULL, &trace, NULL), AQM_OK);
    for (int v = 0; v < trace->height; v += 5)
        for (int u = 0; u < trace->width; u += 7) {
            const size_t at = (size_t)v * (size_t)trace->width + (size_t)u;
            assert_false(isnan(trace->depth_m[at]));
            const double x = trace->ground.x[at], y = trace->ground.y[at];
            const double point[3] = {x, y, aqm_surface_height(surface, x, y)};
            double raw[2], depth;
            raw_pixel_of(rig, camera, point, raw);
            /* x and y are floats: 1e-7 m is 1e-5 px */
            assert_true(fabs(raw[0] - u) < 1e-4 && fabs(raw[1] - v) < 1e-4);
            const double unit[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
            AqmView view;
            assert_int_equal(aqm_view_create(&view, rig, camera, unit, NULL), AQM_OK);
            assert_true(aqm_view_ray_depth(&view, point, &depth));
            assert_true(fabs(depth - (double)trace->depth_m[at]) < 1e-6);
            assert_true(trace->depth_m[at] >= (float)trace->depth_range[0] &&
                        trace->depth_m[at] <= (float)trace->depth_range[1]);
            assert_true(x >= trace->box[0] - 1e-6 && x <= trace->box[1] + 1e-6);
        }
    aqm_trace_destroy(&trace);
}

static void traced_points_project_back_to_their_pixels(void **state) {
    (void)state;
    for (int scene = 0; scene < 4; scene++) {
        const AqmSynthOptions options = small_options((AqmScene)scene, AQM_RIG_RING5);
        AqmRig *rig = make_rig(&options);
        AqmSurfaceModel *surface = NULL;
        assert_int_equal(aqm_synth_surface(&options, rig->water_z, 2, &surface, NULL), AQM_OK);
        for (size_t i = 0; i < rig->camera_count; i += 2)
            check_view(rig, i, surface);
        aqm_surface_model_destroy(&surface);
        aqm_rig_destroy(&rig);
    }
}

static void the_fisheye_camera_and_perfect_lenses_project_back_too(void **state) {
    (void)state;
    AqmSynthOptions options = small_options(AQM_SCENE_UNDULATING, AQM_RIG_RING12);
    for (int perfect = 0; perfect < 2; perfect++) {
        options.distortion = perfect ? 0.0 : 1.0;
        options.n_water = perfect ? 1.0 : 1.333;
        AqmRig *rig = make_rig(&options);
        AqmSurfaceModel *surface = NULL;
        assert_int_equal(aqm_synth_surface(&options, rig->water_z, 0, &surface, NULL), AQM_OK);
        assert_true(rig->cameras[12].is_auxiliary && rig->cameras[12].lens == AQM_LENS_FISHEYE);
        check_view(rig, 0, surface);
        check_view(rig, 12, surface);
        aqm_surface_model_destroy(&surface);
        aqm_rig_destroy(&rig);
    }
}

static void ground_above_the_water_is_black(void **state) {
    (void)state;
    AqmSynthOptions options = small_options(AQM_SCENE_BOARD, AQM_RIG_RING5);
    AqmRig *rig = make_rig(&options);
    AqmSurfaceModel *surface = NULL;
    options.tilt_deg = 45.0;
    assert_int_equal(aqm_synth_surface(&options, rig->water_z, 0, &surface, NULL), AQM_OK);
    const AqmSurfaceBounds bounds = aqm_surface_bounds(surface, 3.0);
    AqmTrace *trace = NULL;
    assert_int_equal(aqm_trace_camera(rig, 1, surface, &bounds, NULL, &trace, NULL), AQM_OK);
    AqmTexture texture;
    aqm_texture_init(&texture, 1, 1.0, true, aqm_synth_board_azimuth(0), 1.0);
    float *radiance = malloc(3 * 96 * 72 * sizeof *radiance);
    assert_non_null(radiance);
    aqm_trace_paint(trace, &texture, NULL, radiance);
    int dry = 0;
    for (size_t i = 0; i < 96 * 72; i++) {
        assert_true(isnan(trace->depth_m[i]) == isnan(trace->ground.x[i]));
        assert_true(isnan(trace->ground.x[i]) == (radiance[3 * i] == 0.0f));
        dry += isnan(trace->depth_m[i]);
    }
    assert_true(dry > 100 && dry < 96 * 72 - 100);
    free(radiance);
    aqm_trace_destroy(&trace);
    aqm_surface_model_destroy(&surface);
    aqm_rig_destroy(&rig);
}

typedef struct Hanging {
    AqmRig *rig;
    AqmSurfaceModel *surface;
    AqmSynthPose pose;
    AqmTrace *trace;
} Hanging;

/* What camera `camera` of ring5 sees of the steepest ChArUco board of three. */
static Hanging hang_board(const AqmSynthOptions *options, size_t camera) {
    Hanging h = {.rig = make_rig(options)};
    assert_int_equal(aqm_synth_surface(options, h.rig->water_z, 2, &h.surface, NULL), AQM_OK);
    h.pose = aqm_synth_charuco_pose(options, h.rig->water_z, 2);
    const AqmSurfaceBounds bounds = aqm_surface_bounds(h.surface, 3.0);
    assert_int_equal(
        aqm_trace_camera(h.rig, camera, h.surface, &bounds, &h.pose.plate, &h.trace, NULL), AQM_OK);
    return h;
}

static void take_down(Hanging *h) {
    aqm_trace_destroy(&h->trace);
    aqm_surface_model_destroy(&h->surface);
    aqm_rig_destroy(&h->rig);
}

static AqmSynthOptions charuco_options(void) {
    AqmSynthOptions options = small_options(AQM_SCENE_CHARUCO, AQM_RIG_RING5);
    options.frames = 3;
    return options;
}

static void the_plate_hides_the_bed_and_nothing_else_does(void **state) {
    (void)state;
    const AqmSynthOptions options = charuco_options();
    const double unit[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    for (size_t camera = 0; camera < 5; camera += 2) {
        Hanging h = hang_board(&options, camera);
        AqmView view;
        assert_int_equal(aqm_view_create(&view, h.rig, camera, unit, NULL), AQM_OK);
        int on_plate = 0;
        for (int v = 0; v < 72; v++)
            for (int u = 0; u < 96; u++) {
                const AqmCamera *c = &h.rig->cameras[camera];
                const double s = h.trace->depth_m[v * 96 + u];
                double x, y, point[3];
                AqmRay ray;
                assert_true(aqm_lens_undistort(c, (u - c->K[2]) / c->K[0], (v - c->K[5]) / c->K[4],
                                               &x, &y) &&
                            aqm_view_cast(&view, x, y, &ray));
                for (int k = 0; k < 3; k++)
                    point[k] = ray.origin[k] + s * ray.direction[k];
                const bool is_plate = fabs(aqm_plate_distance(&h.pose.plate, point)) < 1e-6;
                assert_true(is_plate || fabs(point[2] - h.pose.floor_z) < 1e-6);
                assert_false(aqm_plate_hides(&h.pose.plate, &ray, s));
                on_plate += is_plate;
            }
        assert_true(on_plate > 200 && on_plate < 96 * 72 / 2);
        take_down(&h);
    }
}

/* Of the outline of the plate as the camera sees it, px^2 (shoelace formula). */
static double outline_area(const Hanging *h, size_t camera) {
    enum { STEPS = 50 };
    const AqmPlate *p = &h->pose.plate;
    const double corners[5][2] = {{0, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 0}};
    double sum = 0.0, last[2] = {0.0, 0.0};
    for (int i = 0; i <= 4 * STEPS; i++) {
        const int side = i / STEPS < 4 ? i / STEPS : 3;
        const double t = (double)(i - side * STEPS) / STEPS, *a = corners[side], *b = a + 2;
        double point[3], raw[2];
        for (int k = 0; k < 3; k++)
            point[k] = p->corner[k] + p->size_m[0] * (a[0] + t * (b[0] - a[0])) * p->side[0][k] +
                       p->size_m[1] * (a[1] + t * (b[1] - a[1])) * p->side[1][k];
        raw_pixel_of(h->rig, camera, point, raw);
        if (i > 0)
            sum += 0.5 * (last[0] * raw[1] - raw[0] * last[1]);
        last[0] = raw[0], last[1] = raw[1];
    }
    return fabs(sum);
}

/* Without texture the ground is (0.585, 0.525, 0.435) and the plate gray, so that red less blue
 * tells the plate's share of a pixel. */
static void the_rim_of_the_plate_is_as_sharp_as_pixels_allow(void **state) {
    (void)state;
    const AqmSynthOptions options = charuco_options();
    const AqmTraceBoard print = {&options.board, options.board.square_m};
    AqmTexture texture;
    aqm_texture_init(&texture, 1, 0.0, false, 0.0, 0.0);
    float *radiance = malloc(3 * 96 * 72 * sizeof *radiance);
    assert_non_null(radiance);
    Hanging h = hang_board(&options, 1);
    aqm_trace_paint(h.trace, &texture, &print, radiance);
    double covered = 0.0;
    int mixed = 0;
    for (size_t i = 0; i < 96 * 72; i++) {
        const double off = (double)radiance[3 * i] - (double)radiance[3 * i + 2];
        const double share = 1.0 - off / (0.15 * (double)h.trace->ground.shade[i]);
        covered += share;
        mixed += share > 0.01 && share < 0.99;
        assert_true(share > -0.01 && share < 1.01);
    }
    const double area = outline_area(&h, 1);
    if (!(fabs(covered - area) < 0.005 * area))
        fail_msg("%g px covered, the outline holds %g", covered, area);
    assert_true(mixed > 30 && mixed < 200);
    free(radiance);
    take_down(&h);
}

static void a_board_that_would_rise_out_of_the_water_hangs_deeper(void **state) {
    (void)state;
    AqmSynthOptions options = small_options(AQM_SCENE_CHARUCO, AQM_RIG_RING5);
    options.tilt_deg = 45.0;
    const AqmSynthPose usual = aqm_synth_charuco_pose(&options, 0.6, 0);
    options.board.square_m = 0.1;
    const AqmSynthPose large = aqm_synth_charuco_pose(&options, 0.6, 0);
    const AqmSynthPose *poses[2] = {&usual, &large};
    for (int i = 0; i < 2; i++) {
        const AqmPlate *p = &poses[i]->plate;
        for (int k = 0; k < 4; k++) {
            const double z = p->corner[2] + (k & 1 ? p->size_m[0] * p->side[0][2] : 0.0) +
                             (k & 2 ? p->size_m[1] * p->side[1][2] : 0.0);
            assert_true(z > 0.6 + 0.0199 && z < poses[i]->floor_z - 0.0199);
        }
    }
    assert_true(fabs(usual.floor_z - 1.2) < 1e-12 && large.floor_z > 1.5);
}

/* Mean and standard deviation of the green albedo on a grid of `pixel_m`. */
static void albedo_statistics(const AqmTexture *texture, double pixel_m, double *mean, double *sd) {
    enum { SIDE = 150 };
    const double du[2] = {pixel_m, 0.0}, dv[2] = {0.0, pixel_m};
    double sum = 0.0, squares = 0.0;
    for (int i = 0; i < SIDE * SIDE; i++) {
        float rgb[3];
        aqm_texture_albedo(texture, pixel_m * (i % SIDE), pixel_m * (i / SIDE), du, dv, rgb);
        sum += (double)rgb[1];
        squares += (double)rgb[1] * (double)rgb[1];
    }
    *mean = sum / (SIDE * SIDE);
    *sd = sqrt(squares / (SIDE * SIDE) - *mean * *mean);
}

static void the_texture_is_rich_where_pixels_are_small_and_calm_where_they_are_large(void **state) {
    (void)state;
    AqmTexture texture, flat;
    aqm_texture_init(&texture, 1, 1.0, false, 0.0, 0.0);
    aqm_texture_init(&flat, 1, 0.0, false, 0.0, 0.0);
    double mean, fine, coarse, none;
    albedo_statistics(&texture, 0.0008, &mean, &fine);
    assert_true(mean > 0.45 && mean < 0.6);
    assert_true(fine > 0.06 && fine < 0.2);
    albedo_statistics(&texture, 0.05, &mean, &coarse);
    assert_true(coarse < 0.45 * fine);
    albedo_statistics(&flat, 0.0008, &mean, &none);
    assert_true(none < 1e-3);
}

static void the_board_is_where_it_should_be(void **state) {
    (void)state;
    AqmTexture texture;
    const double azimuth = 0.5, slope = 0.3, stretch = sqrt(1.0 + slope * slope);
    aqm_texture_init(&texture, 1, 0.0, true, azimuth, slope);
    const double du[2] = {1e-4, 0.0}, dv[2] = {0.0, 1e-4};
    for (int j = 0; j < 7; j++)
        for (int i = 0; i < 10; i++) { /* 1 mm inside the corner of each square: its margin */
            const double p = (0.03 * (i - 5) + 0.001) / stretch, q = 0.03 * (j - 3.5) + 0.001;
            float rgb[3];
            aqm_texture_albedo(&texture, cos(azimuth) * p - sin(azimuth) * q,
                               sin(azimuth) * p + cos(azimuth) * q, du, dv, rgb);
            assert_true(fabsf(rgb[0] - ((i + j) % 2 ? 0.8f : 0.1f)) < 1e-4f);
        }
}

static AqmImage *expose_even(const AqmSynthOptions *options, const AqmCamera *camera, float value) {
    const size_t count = 3 * (size_t)camera->width * (size_t)camera->height;
    float *radiance = malloc(count * sizeof *radiance);
    assert_non_null(radiance);
    for (size_t i = 0; i < count; i++)
        radiance[i] = value;
    AqmImage *image = NULL;
    assert_int_equal(aqm_sensor_expose(options, camera, 0, 0, radiance, &image, NULL), AQM_OK);
    free(radiance);
    return image;
}

static void the_sensor_adds_the_noise_that_was_asked_for(void **state) {
    (void)state;
    AqmSynthOptions options = aqm_synth_options_default();
    AqmCamera camera = {.width = 200, .height = 200, .K = {1, 0, 1e9, 0, 1, 1e9, 0, 0, 1}};
    camera.K[2] = camera.K[5] = 100.0;
    options.gain_spread = 0.0;
    options.noise = 3.0;
    AqmImage *image = expose_even(&options, &camera, 0.45f);
    double sum = 0.0, squares = 0.0;
    int count = 0;
    const uint8_t *data = image->data;
    for (size_t v = 90; v < 110; v++) /* where vignetting is less than 0.2 % */
        for (size_t u = 3 * 90; u < 3 * 110; u++, count++) {
            const double value = data[v * image->stride + u];
            sum += value;
            squares += value * value;
        }
    const double mean = sum / count, sd = sqrt(squares / count - mean * mean);
    assert_true(fabs(mean - 268.0 * 0.45) < 0.5);
    assert_true(fabs(sd - 3.0) < 0.3);
    aqm_image_destroy(&image);

    options.noise = 0.0;
    options.format = AQM_FRAMES_PNG16;
    options.color = false;
    image = expose_even(&options, &camera, 0.45f);
    assert_true(image->type == AQM_U16 && image->channels == 1);
    const uint16_t *deep = image->data;
    assert_true(abs((int)deep[100 * 200 + 100] - (int)(257.0 * 268.0 * 0.45)) <= 2);
    assert_true(deep[0] < deep[100 * 200 + 100]);
    aqm_image_destroy(&image);
}

static void the_lens_blurs_a_point_to_a_gauss_of_its_sigma(void **state) {
    (void)state;
    AqmSynthOptions options = aqm_synth_options_default();
    options.noise = options.gain_spread = 0.0;
    options.blur_px = 1.3;
    options.format = AQM_FRAMES_PNG16;
    const AqmCamera camera = {.width = 41, .height = 31, .K = {1, 0, 20, 0, 1, 15, 0, 0, 1}};
    float *radiance = calloc(3 * 41 * 31, sizeof *radiance);
    assert_non_null(radiance);
    radiance[3 * (15 * 41 + 20) + 1] = 0.9f;
    AqmImage *image = NULL;
    assert_int_equal(aqm_sensor_expose(&options, &camera, 0, 0, radiance, &image, NULL), AQM_OK);
    double sum = 0.0, xx = 0.0, yy = 0.0;
    const uint16_t *data = image->data;
    for (int v = 0; v < 31; v++)
        for (int u = 0; u < 41; u++) {
            const double value = data[3 * (v * 41 + u) + 1];
            sum += value;
            xx += value * (u - 20) * (u - 20);
            yy += value * (v - 15) * (v - 15);
        }
    assert_true(fabs(sum - 257.0 * 268.0 * 0.9) < 60.0); /* rounding of some hundred pixels */
    assert_true(fabs(sqrt(xx / sum) - 1.3) < 0.01 && fabs(sqrt(yy / sum) - 1.3) < 0.01);
    free(radiance);
    aqm_image_destroy(&image);
}

static void options_out_of_range_are_named(void **state) {
    (void)state;
    AqmSynthOptions wrong[8];
    static const char *const names[] = {"width",   "frames", "noise",      "blur",
                                        "n_water", "tilt",   "wavelength", "contrast"};
    for (int i = 0; i < 8; i++)
        wrong[i] = aqm_synth_options_default();
    wrong[0].width = 5, wrong[0].height = 480;
    wrong[1].frames = 0;
    wrong[2].noise = -1.0;
    wrong[3].blur_px = NAN;
    wrong[4].n_water = 0.9;
    wrong[5].tilt_deg = 60.0;
    wrong[6].wavelength_m = 0.0;
    wrong[7].contrast = INFINITY;
    for (int i = 0; i < 8; i++) {
        AqmDiag diag = {0};
        assert_int_equal(aqm_synth_options_validate(&wrong[i], &diag), AQM_ERROR_ARGUMENT);
        assert_non_null(strstr(diag.message, names[i]));
    }
    const AqmSynthOptions right = aqm_synth_options_default();
    assert_int_equal(aqm_synth_options_validate(&right, NULL), AQM_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rig_looks_down_at_the_ground_below_its_middle),
        cmocka_unit_test(the_seed_moves_the_cameras_and_the_size_scales_the_lens),
        cmocka_unit_test(traced_points_project_back_to_their_pixels),
        cmocka_unit_test(the_fisheye_camera_and_perfect_lenses_project_back_too),
        cmocka_unit_test(ground_above_the_water_is_black),
        cmocka_unit_test(the_plate_hides_the_bed_and_nothing_else_does),
        cmocka_unit_test(the_rim_of_the_plate_is_as_sharp_as_pixels_allow),
        cmocka_unit_test(a_board_that_would_rise_out_of_the_water_hangs_deeper),
        cmocka_unit_test(the_texture_is_rich_where_pixels_are_small_and_calm_where_they_are_large),
        cmocka_unit_test(the_board_is_where_it_should_be),
        cmocka_unit_test(the_sensor_adds_the_noise_that_was_asked_for),
        cmocka_unit_test(the_lens_blurs_a_point_to_a_gauss_of_its_sigma),
        cmocka_unit_test(options_out_of_range_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
