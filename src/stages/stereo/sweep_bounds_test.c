/* The approximations of the sweep against the exact projection, on the ring of twelve cameras that
 * the program is made for: neighbour, second neighbour and opposite camera, and the wide one in the
 * centre. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "aquamvs/geometry.h"
#include "base/cpu.h"
#include "stages/stereo/slab.h"

enum { CELLS = 6, SPAN = CELLS * AQM_KNOT };
static const double water_z = 0.978, ring_radius = 0.635, tilt_rad = 0.2618;

/* Camera k of the ring, looking inwards; k < 0: in the centre, looking down, with 0.56 of the focal
 * length. */
static AqmView ring_view(int k) {
    const double phi = 0.14 + k * 0.5235987755982988, c = cos(tilt_rad), s = sin(tilt_rad);
    const double forward[3] = {-s * cos(phi), -s * sin(phi), c},
                 right[3] = {-sin(phi), cos(phi), 0};
    const double down[3] = {forward[1] * right[2] - forward[2] * right[1],
                            forward[2] * right[0] - forward[0] * right[2],
                            forward[0] * right[1] - forward[1] * right[0]};
    AqmView view = {.width = 1600,
                    .height = 1200,
                    .fx = 1360,
                    .fy = 1372,
                    .cx = 805,
                    .cy = 592,
                    .water_z = water_z,
                    .n = 1.333};
    memcpy(view.R, right, sizeof right);
    memcpy(view.R + 3, down, sizeof down);
    memcpy(view.R + 6, forward, sizeof forward);
    const double C[3] = {ring_radius * cos(phi), ring_radius * sin(phi), 0.003 * (k % 3)};
    memcpy(view.C, C, sizeof C);
    if (k < 0) {
        const double straight[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
        memcpy(view.R, straight, sizeof straight);
        view.C[0] = view.C[1] = 0;
        view.fx = view.fy = 762;
    }
    for (int i = 0; i < 3; i++)
        view.t[i] = -(view.R[3 * i] * view.C[0] + view.R[3 * i + 1] * view.C[1] +
                      view.R[3 * i + 2] * view.C[2]);
    return view;
}

static AqmProjector projector(const AqmView *view) {
    AqmProjector p = {.fx = view->fx,
                      .fy = view->fy,
                      .cx = view->cx,
                      .cy = view->cy,
                      .water_z = view->water_z,
                      .n = view->n};
    memcpy(p.R, view->R, sizeof p.R);
    memcpy(p.C, view->C, sizeof p.C);
    return p;
}

static void point_at(const AqmView *view, double u, double v, double h, double point[3]) {
    AqmRay ray;
    assert_true(aqm_view_cast(view, u, v, &ray));
    for (int i = 0; i < 3; i++)
        point[i] = ray.origin[i] + h / ray.direction[2] * ray.direction[i];
}

static void project(const AqmProjector *p, double (*points)[3], size_t n, float *u, float *v) {
    double X[64], Y[64], Z[64];
    for (size_t k = 0; k < 64; k++) {
        X[k] = points[k < n ? k : 0][0];
        Y[k] = points[k < n ? k : 0][1];
        Z[k] = points[k < n ? k : 0][2];
    }
    aqm_kernels(aqm_cpu_features())->project(p, X, Y, Z, 64, u, v);
}

/* Worst distance from the exact projection over a block of cells at (u0, v0) on the plane h. */
static double knot_error(const AqmView *reference, const AqmView *source, int u0, int v0,
                         double h) {
    enum { ACROSS = CELLS + 1 };
    const AqmProjector p = projector(source);
    double points[64][3], worst = 0.0;
    float ku[64], kv[64], u[SPAN], v[SPAN];
    for (int k = 0; k < ACROSS * ACROSS; k++)
        point_at(reference, u0 + k % ACROSS * AQM_KNOT, v0 + k / ACROSS * AQM_KNOT, h, points[k]);
    project(&p, points, (size_t)ACROSS * ACROSS, ku, kv);
    const AqmKernels *kernels = aqm_kernels(aqm_cpu_features());
    for (int y = 0; y < SPAN; y++) {
        const int top = y / AQM_KNOT * ACROSS, bottom = top + ACROSS;
        const float down = (float)(y % AQM_KNOT) / AQM_KNOT;
        kernels->spread(ku + top, ku + bottom, down, CELLS, u);
        kernels->spread(kv + top, kv + bottom, down, CELLS, v);
        for (int x = 0; x < SPAN; x++) {
            double point[3], exact[2];
            point_at(reference, u0 + x, v0 + y, h, point);
            if (aqm_view_project(source, point, exact))
                worst = fmax(worst, hypot(u[x] - exact[0], v[x] - exact[1]));
        }
    }
    return worst;
}

static void planes_are_warped_within_a_hundredth_of_a_pixel(void **state) {
    (void)state;
    static const int others[] = {1, 2, 6, -1};
    const AqmView reference = ring_view(0);
    for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
        const AqmView source = ring_view(others[k]);
        double worst = 0.0;
        for (int place = 0; place < 9; place++)
            for (double h = 0.05; h < 0.62; h += 0.18)
                worst = fmax(worst, knot_error(&reference, &source, place % 3 * (1600 - SPAN) / 2,
                                               place / 3 * (1200 - SPAN) / 2, h));
        print_message("camera %d: %.4f px\n", others[k], worst);
        assert_true(worst < 0.01);
    }
}

static void the_second_look_is_linear_within_a_hundredth_of_a_pixel(void **state) {
    (void)state;
    static const int others[] = {1, 2, 6, -1};
    const AqmView reference = ring_view(0);
    for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
        const AqmView source = ring_view(others[k]);
        const AqmProjector p = projector(&source);
        double worst = 0.0;
        for (int place = 0; place < 48; place++)
            for (double h = 0.05; h < 0.62; h += 0.06) {
                /* about a pixel of the neighbour to either side: n z^2 / (f b) */
                const double z = water_z + h / 1.333, reach = 1.333 * z * z / (1360 * 0.33);
                const double u0 = place % 8 * 228.0, v0 = place / 8 * 239.0;
                double points[3][3];
                float u[64], v[64];
                for (int i = 0; i < 3; i++)
                    point_at(&reference, u0, v0, h + (i - 1) * reach, points[i]);
                project(&p, points, 3, u, v);
                const double mu = 0.5 * ((double)u[0] + (double)u[2]),
                             mv = 0.5 * ((double)v[0] + (double)v[2]);
                worst = fmax(worst, hypot(mu - (double)u[1], mv - (double)v[1]));
            }
        print_message("camera %d: %.5f px\n", others[k], worst);
        assert_true(worst < 0.01);
    }
}

/* Where the warped knots are at (x, y), pixels from the first. */
static void knots_at(const AqmKnots *knots, double x, double y, double out[2]) {
    const int i = (int)(x / AQM_KNOT), j = (int)(y / AQM_KNOT);
    const double a = x / AQM_KNOT - i, b = y / AQM_KNOT - j;
    for (int axis = 0; axis < 2; axis++) {
        const float *t = (axis ? knots->v : knots->u) + j * knots->across + i;
        const float *l = t + knots->across;
        out[axis] = (1 - b) * ((1 - a) * (double)t[0] + a * (double)t[1]) +
                    b * ((1 - a) * (double)l[0] + a * (double)l[1]);
    }
}

/* Worst distance of a slab's samples, at the plane it was moved to, from the exact projection. */
static double slab_error(const AqmView *reference, const AqmView *source, const AqmTile *tile,
                         const AqmSlab *slab, const AqmSlabGrid *grid, double h) {
    double worst = 0.0;
    for (int y = 0; y < tile->rows; y += 5)
        for (int x = 0; x < tile->columns; x += 5) {
            const AqmShift *shift =
                &slab->shifts[y / AQM_SLAB_BLOCK * slab->blocks_x + x / AQM_SLAB_BLOCK];
            double point[3], exact[2], used[2];
            point_at(reference, tile->x0 - tile->radius + x, tile->y0 - tile->radius + y, h, point);
            assert_true(aqm_view_project(source, point, exact));
            const int right = (int)(shift->offset % slab->stride);
            const int down = (int)(shift->offset / slab->stride);
            knots_at(&grid->wide, x + right + shift->across / 32768.0,
                     y + down + shift->down / 32768.0, used);
            worst = fmax(worst, hypot(used[0] - exact[0], used[1] - exact[1]));
        }
    return worst;
}

/* The worst of all planes of a source in a few tiles. Counts the slabs that could not be used. */
static double source_error(const AqmSweep *sweep, const AqmView *source, const AqmPlanes *planes,
                           AqmSlab *slab, AqmSlabGrid *grid, int *unusable) {
    const int count = aqm_slab_planes(planes);
    double worst = 0.0;
    for (size_t index = 0; index < aqm_sweep_tile_count(sweep->view); index += 13) {
        const AqmTile tile = aqm_sweep_tile(sweep, index);
        aqm_slab_grid_cast(grid, sweep->view, &tile);
        for (int first = 0; first < planes->count; first += count) {
            const int end = first + count < planes->count ? first + count : planes->count;
            aqm_slab_load(slab, grid, sweep, &tile, &sweep->sources[0], planes, first, end);
            *unusable += !slab->is_usable;
            for (int k = first; k < end && slab->is_usable; k++) {
                aqm_slab_move(slab, k);
                worst = fmax(worst, slab_error(sweep->view, source, &tile, slab, grid,
                                               aqm_plane_h(planes, k)));
            }
        }
    }
    return worst;
}

static void slabs_are_warped_within_a_twentieth_of_a_pixel(void **state) {
    (void)state;
    static const int others[] = {1, 2, 6, -1};
    static AqmSlabGrid grid;
    AqmView views[2] = {ring_view(0), ring_view(1)};
    AqmImage *blank = NULL;
    AqmStereoImage *image = NULL;
    assert_int_equal(aqm_image_create(&blank, 1600, 1200, 1, AQM_U8, NULL), AQM_OK);
    memset(blank->data, 0, blank->stride * 1200);
    const AqmImageView borrowed = aqm_image_view(blank);
    assert_int_equal(aqm_stereo_image_create(&image, &borrowed, NULL, 255.0, NULL), AQM_OK);
    const AqmStereoView stereo[2] = {{&views[0], image, false}, {&views[1], image, false}};
    const size_t sources[1] = {1};
    for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
        views[1] = ring_view(others[k]);
        AqmSweep *sweep = NULL;
        assert_int_equal(
            aqm_sweep_create(&sweep, stereo, 0, sources, 1, 0, AQM_COST_NCC, 11, 1, NULL), AQM_OK);
        const double h_min = 0.05, h_max = 0.62;
        const AqmPlanes planes =
            aqm_planes(sweep, h_min, h_max, aqm_plane_count_for(sweep, h_min, h_max, 1.0));
        static int16_t picture[320 * 240];
        assert_true(aqm_slab_picture_size(sweep) <= sizeof picture / sizeof picture[0]);
        AqmSlab slab = {.picture = picture};
        int unusable = 0;
        const double worst = source_error(sweep, &views[1], &planes, &slab, &grid, &unusable);
        print_message("camera %d: %.4f px, %d of the slabs cannot be used\n", others[k], worst,
                      unusable);
        assert_true(worst > 0.0 && worst < 0.05);
        aqm_sweep_destroy(&sweep);
    }
    aqm_stereo_image_destroy(&image);
    aqm_image_destroy(&blank);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planes_are_warped_within_a_hundredth_of_a_pixel),
        cmocka_unit_test(slabs_are_warped_within_a_twentieth_of_a_pixel),
        cmocka_unit_test(the_second_look_is_linear_within_a_hundredth_of_a_pixel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
