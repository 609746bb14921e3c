#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/charuco.h"
#include "aquamvs/geometry.h"
#include "base/alloc.h"
#include "evaluate/rigid_board.h"
#include "math/rng.h"
#include "math/vec.h"

/* Six cameras on a ring of 0.4 m, 0.8 m over the water, that look down through it. */
enum { CAMERAS = 6, WIDTH = 160, HEIGHT = 120, CORNERS = 35 };
static const AqmBoard board = {8, 6, 0.03, 0.022, AQM_DICTIONARY_4X4_50, false};

typedef struct Scene {
    AqmRig *rig;
    AqmView views[CAMERAS];
    AqmBoardSighting sightings[CAMERAS];
    AqmBoardCorner corners[CAMERAS][CORNERS];
    AqmDepthMap *maps[CAMERAS];
    AqmBoardView seen[CAMERAS];
    AqmRigidBoard pose;
    AqmBoardPoint points[CORNERS];
} Scene;

static void make_rig(Scene *s) {
    assert_int_equal(aqm_rig_create(&s->rig, CAMERAS, NULL), AQM_OK);
    s->rig->water_z = 0.8, s->rig->n_water = 1.333;
    for (size_t c = 0; c < CAMERAS; c++) {
        AqmCamera *camera = &s->rig->cameras[c];
        const double azimuth = 0.3 + 1.0471975511965976 * (double)c, tilt = 0.25;
        const double ca = cos(azimuth), sa = sin(azimuth);
        const double R[9] = {-sa,
                             ca,
                             0.0,
                             -cos(tilt) * ca,
                             -cos(tilt) * sa,
                             -sin(tilt),
                             -sin(tilt) * ca,
                             -sin(tilt) * sa,
                             cos(tilt)};
        const double K[9] = {240.0, 0.0, 79.5, 0.0, 240.0, 59.5, 0.0, 0.0, 1.0};
        const double C[3] = {0.4 * ca, 0.4 * sa, 0.0};
        memcpy(camera->R, R, sizeof R);
        memcpy(camera->K, K, sizeof K);
        aqm_mul33v(R, C, camera->t);
        for (int k = 0; k < 3; k++)
            camera->t[k] = -camera->t[k];
        camera->width = WIDTH, camera->height = HEIGHT;
        AqmDiag diag = {0};
        if (aqm_view_create(&s->views[c], s->rig, c, K, &diag) != AQM_OK)
            fail_msg("%s", diag.message);
    }
}

/* The plane of the board as ray depths. */
static void make_map(Scene *s, size_t c) {
    assert_int_equal(aqm_depth_map_create(&s->maps[c], WIDTH, HEIGHT, NULL), AQM_OK);
    const double n[3] = {s->pose.R[2], s->pose.R[5], s->pose.R[8]};
    const double offset = aqm_dot3(n, s->pose.origin);
    for (int v = 0; v < HEIGHT; v++)
        for (int u = 0; u < WIDTH; u++) {
            AqmRay ray;
            if (!aqm_view_cast(&s->views[c], u, v, &ray))
                continue;
            const double depth = (offset - aqm_dot3(n, ray.origin)) / aqm_dot3(n, ray.direction);
            s->maps[c]->depth_m[v * WIDTH + u] = (float)depth;
        }
}

/* The board at a tilt (rad), its squares `scale` times as large as they should be. */
static void begin(Scene *s, double tilt, double scale) {
    memset(s, 0, sizeof *s);
    make_rig(s);
    const double R[9] = {cos(tilt), 0, -sin(tilt), 0, 1, 0, sin(tilt), 0, cos(tilt)};
    memcpy(s->pose.R, R, sizeof R);
    s->pose.origin[0] = -0.12, s->pose.origin[1] = -0.09, s->pose.origin[2] = 1.05;
    for (size_t c = 0; c < CAMERAS; c++) {
        s->sightings[c] = (AqmBoardSighting){.corners = s->corners[c]};
        for (uint32_t i = 0; i < CORNERS; i++) {
            double xy[2], p[3], pixel[2];
            aqm_board_corner(&board, i, xy);
            xy[0] *= scale, xy[1] *= scale;
            aqm_rigid_board_place(&s->pose, xy, p);
            assert_true(aqm_view_project(&s->views[c], p, pixel));
            s->corners[c][s->sightings[c].count++] = (AqmBoardCorner){i, pixel[0], pixel[1], 0.02};
        }
        make_map(s, c);
        s->seen[c] = (AqmBoardView){&s->views[c], &s->sightings[c], s->maps[c]};
    }
}

static void end(Scene *s) {
    for (size_t c = 0; c < CAMERAS; c++)
        aqm_depth_map_destroy(&s->maps[c]);
    aqm_rig_destroy(&s->rig);
}

static AqmBoardMeasures measure(Scene *s, const AqmCloud *cloud) {
    const AqmBoardMeasureOptions options = aqm_board_measure_options_default();
    AqmBoardMeasures m;
    AqmDiag diag = {0};
    if (aqm_board_measure(s->seen, CAMERAS, cloud, &board, &options, s->points, &m, NULL, &diag) !=
        AQM_OK)
        fail_msg("%s", diag.message);
    return m;
}

static void near_to(double value, double expected, double tolerance) {
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%g, expected %g +- %g", value, expected, tolerance);
}

/* Points on the board every 1.5 mm, off by `noise` along its normal and `offset` deeper. */
static AqmCloud *make_cloud(const Scene *s, double noise_m, double offset_m) {
    enum { COLUMNS = 160, ROWS = 120 };
    AqmCloud *cloud = NULL;
    AqmRng rng = aqm_rng(9, 2);
    assert_int_equal(aqm_cloud_create(&cloud, COLUMNS * ROWS, NULL), AQM_OK);
    cloud->count = COLUMNS * ROWS;
    for (size_t i = 0; i < cloud->count; i++) {
        const double q[3] = {0.0015 * (double)(i % COLUMNS), 0.0015 * (double)(i / COLUMNS),
                             offset_m + noise_m * aqm_rng_normal(&rng)};
        double p[3];
        aqm_mul33v(s->pose.R, q, p);
        for (size_t k = 0; k < 3; k++)
            cloud->position[3 * i + k] = (float)(p[k] + s->pose.origin[k]);
    }
    return cloud;
}

static void without_errors_all_is_zero(void **state) {
    (void)state;
    for (int k = 0; k < 2; k++) {
        Scene s;
        begin(&s, k == 0 ? 0.0 : 0.6, 1.0);
        const AqmBoardMeasures m = measure(&s, NULL);
        assert_true(m.cameras == CAMERAS && m.corners == CORNERS && m.dropped == 0);
        assert_int_equal(m.sightings, CAMERAS * CORNERS);
        assert_int_equal(m.squares, 6 * 5 + 7 * 4);
        near_to(m.tilt_deg, k == 0 ? 0.0 : 0.6 * 57.29577951308232, 1e-5);
        near_to(m.reprojection_px, 0.0, 1e-6);
        near_to(m.grid_rms_mm, 0.0, 1e-5);
        near_to(m.corner_flatness_mm, 0.0, 1e-5);
        near_to(m.square_error_pct, 0.0, 1e-5);
        near_to(m.square_cv_pct, 0.0, 1e-4);
        near_to(m.scale_error_pct, 0.0, 1e-5);
        near_to(m.cross_camera_mm, 0.0, 0.02); /* depths are floats, and bent between pixels */
        near_to(m.map_range_rms_mm, 0.0, 0.02);
        near_to(m.map_grid_rms_mm, 0.0, 0.02);
        assert_true(isnan(m.flatness_mm) && m.cloud_points == 0);
        end(&s);
    }
}

static void a_scale_error_is_recovered(void **state) {
    (void)state;
    Scene s;
    begin(&s, 0.3, 1.001);
    const AqmBoardMeasures m = measure(&s, NULL);
    near_to(m.square_error_pct, 0.1, 1e-4);
    near_to(m.scale_error_pct, 0.1, 1e-4);
    near_to(m.square_mm, 30.03, 1e-4);
    /* the grid is not as it should be, either: 0.1 % of the corners' root mean square radius */
    double sum = 0.0;
    for (uint32_t i = 0; i < CORNERS; i++) {
        double xy[2];
        aqm_board_corner(&board, i, xy);
        sum += (xy[0] - 0.12) * (xy[0] - 0.12) + (xy[1] - 0.09) * (xy[1] - 0.09);
    }
    near_to(m.grid_rms_mm, 1000.0 * 0.001 * sqrt(sum / CORNERS), 1e-4);
    end(&s);
}

static void flatness_is_the_noise_of_the_cloud(void **state) {
    (void)state;
    Scene s;
    begin(&s, 0.5, 1.0);
    AqmCloud *cloud = make_cloud(&s, 0.0004, 0.0012);
    cloud->position[0] = NAN;
    cloud->position[3 * 9000 + 2] += 0.2f; /* not of the board, within its outline or not */
    AqmBoardMeasures m = measure(&s, cloud);
    assert_true(m.cloud_points > 17000);
    near_to(m.flatness_mm, 0.4, 0.008);
    near_to(m.flatness_p95_mm, 1.96 * 0.4, 0.02);
    near_to(m.plane_offset_mm, 1.2, 0.01);
    near_to(m.plane_turn_deg, 0.0, 0.01);
    near_to(m.cloud_coverage_pct, 100.0, 0.01);
    /* half of it is gone */
    cloud->count /= 2;
    m = measure(&s, cloud);
    near_to(m.cloud_coverage_pct, 50.0, 2.0);
    near_to(m.flatness_mm, 0.4, 0.01);
    aqm_cloud_destroy(&cloud);
    end(&s);
}

static void the_map_of_deviations_shows_a_bump(void **state) {
    (void)state;
    Scene s;
    begin(&s, 0.2, 1.0);
    AqmCloud *cloud = make_cloud(&s, 0.0, 0.0);
    AqmHeightMap *map = NULL;
    AqmBoardMeasures m;
    const AqmBoardMeasureOptions options = aqm_board_measure_options_default();
    for (size_t k = 0; k < 3; k++) /* at (0.12, 0.06), 2 mm deeper */
        cloud->position[3 * (40 * 160 + 80) + k] += (float)(0.002 * s.pose.R[3 * k + 2]);
    assert_int_equal(
        aqm_board_measure(s.seen, CAMERAS, cloud, &board, &options, s.points, &m, &map, NULL),
        AQM_OK);
    assert_true(map->columns == 121 && map->rows == 91);
    near_to((double)map->z_m[30 * 121 + 60], 0.002, 3e-4);
    near_to((double)map->z_m[30 * 121 + 70], 0.0, 2e-5);
    aqm_height_map_destroy(&map);
    aqm_cloud_destroy(&cloud);
    end(&s);
}

static void noise_of_corners_comes_out_as_range_and_lateral(void **state) {
    (void)state;
    Scene s;
    AqmRng rng = aqm_rng(4, 4);
    begin(&s, 0.2, 1.0);
    for (size_t c = 0; c < CAMERAS; c++)
        for (size_t i = 0; i < CORNERS; i++) {
            s.corners[c][i].u += 0.05 * aqm_rng_normal(&rng);
            s.corners[c][i].v += 0.05 * aqm_rng_normal(&rng);
        }
    const AqmBoardMeasures m = measure(&s, NULL);
    near_to(m.reprojection_px, 0.05, 0.005);
    near_to(m.grid_rms_mm * m.grid_rms_mm,
            m.range_rms_mm * m.range_rms_mm + m.lateral_rms_mm * m.lateral_rms_mm, 1e-9);
    assert_true(m.range_rms_mm > m.lateral_rms_mm); /* of a ring that is narrow for its height */
    assert_true(m.grid_rms_mm > 0.1 && m.grid_rms_mm < 1.0);
    end(&s);
}

/* Half a pixel is 2 mm and more here: each place where it may be lost shows. */
static void half_a_pixel_shows(void **state) {
    (void)state;
    Scene s;
    AqmBoardMeasures m;
    begin(&s, 0.4, 1.0);
    for (size_t i = 0; i < CORNERS; i++) /* in one camera */
        s.corners[2][i].v += 0.5;
    m = measure(&s, NULL);
    assert_true(m.reprojection_px > 0.1);
    assert_true(m.cross_camera_mm > 0.5 && m.map_range_rms_mm > 0.3);
    end(&s);
    begin(&s, 0.4, 1.0);
    for (size_t c = 0; c < CAMERAS; c++) /* in the depth maps, as if pixels had their corners at
                                            whole numbers */
        for (int v = 0; v < HEIGHT; v++)
            for (int u = 0; u + 1 < WIDTH; u++) {
                float *at = &s.maps[c]->depth_m[v * WIDTH + u];
                at[0] = 0.5f * (at[0] + at[1]);
            }
    m = measure(&s, NULL);
    assert_true(m.cross_camera_mm > 0.3);
    end(&s);
    begin(&s, 0.4, 1.0);
    AqmCloud *cloud = make_cloud(&s, 0.0, 0.002); /* in the surface, by the depth it makes */
    near_to(measure(&s, cloud).plane_offset_mm, 2.0, 0.01);
    aqm_cloud_destroy(&cloud);
    end(&s);
}

static void a_wrong_sighting_is_dropped(void **state) {
    (void)state;
    Scene s;
    begin(&s, 0.3, 1.0);
    s.corners[1][7].u += 4.0;
    const AqmBoardMeasures m = measure(&s, NULL);
    assert_int_equal(m.dropped, 1);
    assert_int_equal(s.points[7].views, CAMERAS - 1);
    near_to(m.grid_rms_mm, 0.0, 1e-5);
    end(&s);
}

static void corners_of_too_few_cameras_are_left_out(void **state) {
    (void)state;
    Scene s;
    AqmBoardMeasures m;
    AqmDiag diag = {0};
    const AqmBoardMeasureOptions options = aqm_board_measure_options_default();
    begin(&s, 0.3, 1.0);
    for (size_t c = 2; c < CAMERAS; c++)
        s.sightings[c].count = 10; /* the others know all */
    s.seen[5].sighting = NULL;
    s.seen[5].map = NULL;
    m = measure(&s, NULL);
    assert_int_equal(m.corners, 10);
    assert_int_equal(m.cameras, 5);
    assert_true(s.points[20].views == 0 && isnan(s.points[20].position[0]));
    for (size_t c = 2; c < CAMERAS; c++)
        s.sightings[c].count = 3;
    assert_int_equal(
        aqm_board_measure(s.seen, CAMERAS, NULL, &board, &options, s.points, &m, NULL, &diag),
        AQM_ERROR_NO_DATA);
    assert_non_null(strstr(diag.message, "3 corners"));
    /* two cameras are all there are: both are enough */
    diag = (AqmDiag){0};
    assert_int_equal(
        aqm_board_measure(s.seen, 2, NULL, &board, &options, s.points, &m, NULL, &diag), AQM_OK);
    assert_int_equal(m.corners, CORNERS);
    assert_int_equal(aqm_board_measure(s.seen, 1, NULL, &board, &options, s.points, &m, NULL, NULL),
                     AQM_ERROR_NO_DATA);
    end(&s);
}

static void bad_options_are_refused(void **state) {
    (void)state;
    Scene s;
    AqmBoardMeasures m;
    begin(&s, 0.3, 1.0);
    const AqmBoardMeasureOptions bad[] = {
        {0.0, 3, 0.003, 0.02}, {1.0, 1, 0.003, 0.02}, {1.0, 3, -1.0, 0.02}, {1.0, 3, 0.003, 0.0}};
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++)
        assert_int_equal(
            aqm_board_measure(s.seen, CAMERAS, NULL, &board, &bad[k], s.points, &m, NULL, NULL),
            AQM_ERROR_ARGUMENT);
    end(&s);
}

static void a_summary_separates_tilt_from_depth(void **state) {
    (void)state;
    AqmBoardMeasures poses[6] = {0};
    AqmBoardSummary s;
    for (int i = 0; i < 6; i++) {
        poses[i].tilt_deg = 5.0 + 7.0 * i;
        poses[i].depth_m = 0.3 + 0.02 * (i * 5 % 6);
        poses[i].square_error_pct =
            0.05 + 0.03 * poses[i].tilt_deg / 10.0 - 0.02 * poses[i].depth_m / 0.1;
        poses[i].flatness_mm = i < 5 ? 0.2 : (double)NAN;
        poses[i].grid_rms_mm = i == 0 ? 0.6 : 0.0;
    }
    aqm_board_summarise(poses, 6, &s);
    assert_int_equal(s.poses, 6);
    near_to(s.square_per_10deg_pct, 0.03, 1e-9);
    near_to(s.square_per_100mm_pct, -0.02, 1e-9);
    near_to(s.flatness_mm, 0.2, 1e-12);
    near_to(s.grid_rms_mm, 0.6 / sqrt(6.0), 1e-12);
    near_to(s.tilt_max_deg, 40.0, 1e-12);
    assert_true(s.square_cv_pct > 0.0);
    aqm_board_summarise(poses, 3, &s);
    assert_true(isnan(s.square_per_10deg_pct));
    aqm_board_summarise(poses, 0, &s);
    assert_true(s.poses == 0 && isnan(s.flatness_mm) && isnan(s.square_error_pct));
}

static void running_out_of_memory_leaks_nothing(void **state) {
    (void)state;
    Scene s;
    begin(&s, 0.3, 1.0);
    AqmCloud *cloud = make_cloud(&s, 0.0001, 0.0);
    const AqmBoardMeasureOptions options = aqm_board_measure_options_default();
    const size_t live = aqm_alloc_count().live_bytes;
    AqmStatus status = AQM_ERROR_MEMORY;
    for (size_t n = 1; status == AQM_ERROR_MEMORY; n++) {
        AqmBoardMeasures m;
        AqmHeightMap *map = NULL;
        aqm_alloc_fail_from(n);
        status =
            aqm_board_measure(s.seen, CAMERAS, cloud, &board, &options, s.points, &m, &map, NULL);
        aqm_alloc_fail_from(0);
        assert_true((map != NULL) == (status == AQM_OK));
        aqm_height_map_destroy(&map);
        assert_int_equal(aqm_alloc_count().live_bytes, live);
    }
    assert_int_equal(status, AQM_OK);
    aqm_cloud_destroy(&cloud);
    end(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_errors_all_is_zero),
        cmocka_unit_test(a_scale_error_is_recovered),
        cmocka_unit_test(flatness_is_the_noise_of_the_cloud),
        cmocka_unit_test(the_map_of_deviations_shows_a_bump),
        cmocka_unit_test(noise_of_corners_comes_out_as_range_and_lateral),
        cmocka_unit_test(half_a_pixel_shows),
        cmocka_unit_test(a_wrong_sighting_is_dropped),
        cmocka_unit_test(corners_of_too_few_cameras_are_left_out),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(a_summary_separates_tilt_from_depth),
        cmocka_unit_test(running_out_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
