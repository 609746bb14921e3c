/* A bed of known colours with a plate over its middle, seen by three cameras. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/color.h"
#include "aquamvs/geometry.h"
#include "base/alloc.h"

enum { VIEWS = 3, WIDTH = 480, HEIGHT = 360, SIDE = 161, BED = SIDE * SIDE, PLATE = 41 };
static const double BED_Z = 1.3, PLATE_Z = 1.2, PLATE_HALF = 0.05, STEP = 0.0025;

typedef struct Scene {
    AqmView views[VIEWS];
    AqmImage *images[VIEWS];
    AqmImageView borrowed[VIEWS];
    AqmColorView colors[VIEWS];
    AqmMesh *mesh;
} Scene;

/* Varies by 3 levels a millimetre. */
static double bed_level(double x, double y) {
    return 120.0 + 60.0 * sin(50.0 * x) * cos(40.0 * y + 0.4);
}

/* Red plate, green and blue bed, by a ray from the view. */
static void color_of_ray(const AqmRay *ray, double color[3]) {
    const double to_plate = (PLATE_Z - ray->origin[2]) / ray->direction[2];
    const double x = ray->origin[0] + to_plate * ray->direction[0];
    const double y = ray->origin[1] + to_plate * ray->direction[1];
    const double to_bed = (BED_Z - ray->origin[2]) / ray->direction[2];
    const bool is_plate = fabs(x) <= PLATE_HALF && fabs(y) <= PLATE_HALF;
    const double level = bed_level(ray->origin[0] + to_bed * ray->direction[0],
                                   ray->origin[1] + to_bed * ray->direction[1]);
    color[0] = is_plate ? 220.0 : 20.0;
    color[1] = is_plate ? 30.0 : level;
    color[2] = is_plate ? 30.0 : 0.5 * level;
}

static void render(const AqmView *view, AqmSampleType type, double gain, AqmImage *image) {
    for (int v = 0; v < HEIGHT; v++)
        for (int u = 0; u < WIDTH; u++) {
            AqmRay ray;
            double color[3];
            const size_t at = 3 * (size_t)u;
            assert_true(aqm_view_cast(view, u, v, &ray));
            color_of_ray(&ray, color);
            char *row = (char *)image->data + (size_t)v * image->stride;
            for (size_t k = 0; k < 3; k++)
                if (type == AQM_U8)
                    ((uint8_t *)row)[at + k] = (uint8_t)(gain * color[k] + 0.5);
                else
                    ((uint16_t *)(void *)row)[at + k] = (uint16_t)(gain * color[k] * 16.0 + 0.5);
        }
}

static void put_vertex(AqmMesh *mesh, size_t i, double x, double y, double z) {
    mesh->position[3 * i] = (float)x, mesh->position[3 * i + 1] = (float)y;
    mesh->position[3 * i + 2] = (float)z;
    mesh->normal[3 * i + 2] = -1.0f;
}

/* A square grid of `side` vertices from vertex `first` on. */
static void put_sheet(AqmMesh *mesh, size_t first, int side, double z, size_t *triangles) {
    for (int j = 0; j < side; j++)
        for (int i = 0; i < side; i++)
            put_vertex(mesh, first + (size_t)(j * side + i), STEP * (i - side / 2),
                       STEP * (j - side / 2), z);
    for (int j = 0; j + 1 < side; j++)
        for (int i = 0; i + 1 < side; i++) {
            const uint32_t a = (uint32_t)first + (uint32_t)(j * side + i), b = a + (uint32_t)side;
            const uint32_t both[6] = {a, b, a + 1, a + 1, b, b + 1};
            memcpy(mesh->triangles + 3 * *triangles, both, sizeof both);
            *triangles += 2;
        }
}

static Scene make_scene(AqmSampleType type, const double gains[VIEWS]) {
    static const double centers[VIEWS][2] = {{-0.3, 0.05}, {0.3, -0.02}, {0.02, 0.3}};
    Scene scene = {0};
    size_t triangles = 0;
    for (int v = 0; v < VIEWS; v++) {
        AqmView *view = &scene.views[v];
        *view = (AqmView){.width = WIDTH,
                          .height = HEIGHT,
                          .fx = 700,
                          .fy = 700,
                          .water_z = 0.9,
                          .R = {1, 0, 0, 0, 1, 0, 0, 0, 1},
                          .n = 1.333};
        view->C[0] = centers[v][0], view->C[1] = centers[v][1];
        /* the middle of the bed lies 1.2 m below and away from the axis: shift the image */
        view->cx = 0.5 * WIDTH + 700 * view->C[0] / 1.2;
        view->cy = 0.5 * HEIGHT + 700 * view->C[1] / 1.2;
        view->t[0] = -view->C[0], view->t[1] = -view->C[1];
        assert_int_equal(aqm_image_create(&scene.images[v], WIDTH, HEIGHT, 3, type, NULL), AQM_OK);
        render(view, type, gains[v], scene.images[v]);
    }
    const size_t sheets = 2 * (SIDE - 1) * (SIDE - 1) + 2 * (PLATE - 1) * (PLATE - 1);
    assert_int_equal(aqm_mesh_create(&scene.mesh, BED + PLATE * PLATE, sheets, NULL), AQM_OK);
    put_sheet(scene.mesh, 0, SIDE, BED_Z, &triangles);
    put_sheet(scene.mesh, BED, PLATE, PLATE_Z, &triangles);
    assert_int_equal(triangles, sheets);
    return scene;
}

static void scene_free(Scene *scene) {
    for (int v = 0; v < VIEWS; v++)
        aqm_image_destroy(&scene->images[v]);
    aqm_mesh_destroy(&scene->mesh);
}

static size_t color_scene(Scene *scene, int threads, const AqmImageView *mask) {
    AqmMeshColorOptions options = aqm_mesh_color_options_default();
    options.threads = threads;
    size_t unseen = 0;
    for (int v = 0; v < VIEWS; v++) {
        scene->borrowed[v] = aqm_image_view(scene->images[v]);
        scene->colors[v] = (AqmColorView){&scene->views[v], &scene->borrowed[v], mask,
                                          scene->images[v]->type == AQM_U8 ? 255.0 : 4080.0};
    }
    assert_int_equal(aqm_mesh_color(scene->mesh, scene->colors, VIEWS, &options, &unseen, NULL),
                     AQM_OK);
    return unseen;
}

/* Is the bed's vertex (i, j) so far from where the plate hides it, for all cameras, that no
 * shadow's edge is near? */
static bool is_clear(int i, int j) {
    return abs(i - SIDE / 2) > 40 || abs(j - SIDE / 2) > 40;
}

static void colors_are_those_of_the_bed(void **state) {
    (void)state;
    static const double even[VIEWS] = {1, 1, 1};
    for (int type = AQM_U8; type <= AQM_U16; type++) {
        Scene scene = make_scene((AqmSampleType)type, even);
        color_scene(&scene, 2, NULL);
        double worst = 0.0;
        for (int j = 0; j < SIDE; j++)
            for (int i = 0; i < SIDE; i++) {
                const size_t at = (size_t)(j * SIDE + i);
                const double truth = bed_level(STEP * (i - SIDE / 2), STEP * (j - SIDE / 2));
                if (is_clear(i, j) && scene.mesh->views[at] > 0)
                    worst = fmax(worst, fabs(scene.mesh->color[3 * at + 1] - truth));
            }
        print_message("worst colour error %.2f levels\n", worst);
        assert_true(worst < 1.2); /* half a pixel off would be 2.5 */
        scene_free(&scene);
    }
}

/* The plate hides from a camera what lies behind it along its refracted rays, and nothing else. */
static void hidden_vertices_take_no_colors_from_before_them(void **state) {
    (void)state;
    static const double even[VIEWS] = {1, 1, 1};
    Scene scene = make_scene(AQM_U8, even);
    const size_t unseen = color_scene(&scene, 1, NULL);
    size_t none = 0, red = 0, fewer = 0;
    for (size_t i = 0; i < BED; i++) {
        const uint8_t *color = scene.mesh->color + 3 * i;
        const bool is_marked = color[0] == AQM_UNSEEN_RED && color[1] == AQM_UNSEEN_GREEN &&
                               color[2] == AQM_UNSEEN_BLUE;
        assert_true(is_marked == (scene.mesh->views[i] == 0));
        none += is_marked;
        red += !is_marked && color[0] > 60;
        fewer += scene.mesh->views[i] == 1 || scene.mesh->views[i] == 2;
    }
    print_message(
        "of %d vertices %zu are hidden from all, %zu from some, %zu took the plate's red\n", BED,
        none, fewer, red);
    assert_int_equal(none, unseen);
    assert_true(none > 500 && none < 1500 && fewer > 500);
    assert_int_equal(red, 0);
    for (size_t i = BED; i < BED + PLATE * PLATE; i++)
        assert_int_equal(scene.mesh->views[i], VIEWS);
    assert_true(scene.mesh->color[3 * (BED + PLATE * PLATE / 2)] == 220);
    scene_free(&scene);
}

/* The plate as two triangles, its other vertices out of the water. */
static void make_plate_coarse(AqmMesh *mesh) {
    const uint32_t a = BED, b = BED + PLATE - 1, c = BED + PLATE * (PLATE - 1),
                   d = BED + PLATE * PLATE - 1;
    const uint32_t both[6] = {a, c, b, b, c, d};
    for (uint32_t i = BED; i < BED + PLATE * PLATE; i++)
        if (i != a && i != b && i != c && i != d)
            mesh->position[3 * (size_t)i + 2] = 0.5f;
    mesh->triangle_count = 2 * (SIDE - 1) * (SIDE - 1) + 2;
    memcpy(mesh->triangles + 3 * (mesh->triangle_count - 2), both, sizeof both);
}

static void large_triangles_hide_as_small_ones_do(void **state) {
    (void)state;
    static const double even[VIEWS] = {1, 1, 1};
    Scene fine = make_scene(AQM_U8, even), coarse = make_scene(AQM_U8, even);
    make_plate_coarse(coarse.mesh);
    color_scene(&fine, 1, NULL), color_scene(&coarse, 1, NULL);
    size_t hidden = 0, different = 0, red = 0;
    for (size_t i = 0; i < BED; i++) {
        hidden += fine.mesh->views[i] < VIEWS;
        different += fine.mesh->views[i] != coarse.mesh->views[i];
        red += coarse.mesh->views[i] > 0 && coarse.mesh->color[3 * i] > 60;
    }
    print_message("%zu hidden from some, %zu not alike, %zu red\n", hidden, different, red);
    /* at the outlines, as a vertex may lie half a cell beside its own */
    assert_true(hidden > 3000 && different < hidden / 6);
    assert_int_equal(red, 0);
    scene_free(&fine);
    scene_free(&coarse);
}

static int largest_jump(const AqmMesh *mesh, int row) {
    int largest = 0;
    for (int i = 1; i < SIDE; i++) {
        const size_t at = (size_t)(row * SIDE + i);
        const double truth = bed_level(STEP * (i - SIDE / 2), STEP * (row - SIDE / 2)) -
                             bed_level(STEP * (i - 1 - SIDE / 2), STEP * (row - SIDE / 2));
        const int jump = (int)fabs(mesh->color[3 * at + 1] - mesh->color[3 * at - 2] - truth);
        largest = jump > largest && mesh->views[at] && mesh->views[at - 1] ? jump : largest;
    }
    return largest;
}

static void exposures_leave_no_seams(void **state) {
    (void)state;
    static const double uneven[VIEWS] = {1.0, 0.8, 0.9}; /* 0.2 of 120: 24 levels */
    Scene scene = make_scene(AQM_U8, uneven);
    color_scene(&scene, 1, NULL);
    for (int row = 0; row < 30; row += 10) {
        print_message("row %d: jumps of up to %d levels\n", row, largest_jump(scene.mesh, row));
        assert_true(largest_jump(scene.mesh, row) <= 2);
    }
    scene_free(&scene);
}

static void masks_hide_and_threads_change_nothing(void **state) {
    (void)state;
    static const double even[VIEWS] = {1, 0.9, 0.8};
    Scene one = make_scene(AQM_U8, even), three = make_scene(AQM_U8, even);
    color_scene(&one, 1, NULL), color_scene(&three, 3, NULL);
    assert_memory_equal(one.mesh->color, three.mesh->color, 3 * one.mesh->vertex_count);
    assert_memory_equal(one.mesh->views, three.mesh->views, one.mesh->vertex_count);
    uint8_t *closed = calloc(WIDTH * HEIGHT, 1);
    const AqmImageView mask = {WIDTH, HEIGHT, 1, AQM_U8, WIDTH, closed};
    assert_int_equal(color_scene(&one, 1, &mask), one.mesh->vertex_count);
    free(closed);
    scene_free(&one);
    scene_free(&three);
}

static void what_does_not_fit_is_refused(void **state) {
    (void)state;
    static const double even[VIEWS] = {1, 1, 1};
    Scene scene = make_scene(AQM_U8, even);
    color_scene(&scene, 1, NULL);
    AqmMeshColorOptions options = aqm_mesh_color_options_default();
    AqmDiag diag = {0};
    scene.borrowed[1].width--;
    assert_int_equal(aqm_mesh_color(scene.mesh, scene.colors, VIEWS, &options, NULL, &diag),
                     AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "view 1"));
    scene.borrowed[1].width++;
    options.sharpness = -1.0;
    assert_int_equal(aqm_mesh_color(scene.mesh, scene.colors, VIEWS, &options, NULL, NULL),
                     AQM_ERROR_ARGUMENT);
    options = aqm_mesh_color_options_default();
    const size_t before = aqm_alloc_count().live_bytes;
    for (size_t n = 1; n <= 6; n++) {
        aqm_alloc_fail_from(n);
        assert_int_equal(aqm_mesh_color(scene.mesh, scene.colors, VIEWS, &options, NULL, NULL),
                         AQM_ERROR_MEMORY);
        aqm_alloc_fail_from(0);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
    }
    scene.mesh->vertex_count = scene.mesh->triangle_count = 0;
    assert_int_equal(color_scene(&scene, 2, NULL), 0);
    scene_free(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colors_are_those_of_the_bed),
        cmocka_unit_test(hidden_vertices_take_no_colors_from_before_them),
        cmocka_unit_test(large_triangles_hide_as_small_ones_do),
        cmocka_unit_test(exposures_leave_no_seams),
        cmocka_unit_test(masks_hide_and_threads_change_nothing),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
