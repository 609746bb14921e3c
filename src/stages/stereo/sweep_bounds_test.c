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
#include "stages/stereo/sweep.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planes_are_warped_within_a_hundredth_of_a_pixel),
        cmocka_unit_test(the_second_look_is_linear_within_a_hundredth_of_a_pixel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
