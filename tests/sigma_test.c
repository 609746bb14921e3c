/* Whether the standard deviations of clouds and heightfields are those of their errors: rendered
 * scenes whose truth is known, from images to files.
 *
 * Of normal errors with the right sigma 68.3 % lie within one and 95.4 % within two. On scenes of
 * the usual size clouds and meshes come to 64..74 and 92..97 %; these are small, 320 x 240 px, and
 * few, so the bounds here are wider: a sigma 25 % too small or 30 % too large does not pass them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "math/vec.h"
#include "pathways_util.h"

typedef struct Coverage {
    size_t count;
    double one, two, sigma_mm, rms_mm; /* shares; the mean sigma; of the errors */
} Coverage;

/* Of points (xyz each) whose sigma is known, off the truth by less than 5 mm: gross errors are no
 * matter of sigma. */
static Coverage coverage_of(const AqmSurfaceModel *truth, const float *position, const float *sigma,
                            size_t count, double scale) {
    Coverage found = {0};
    double squares = 0.0;
    for (size_t i = 0; i < count; i++) {
        const float *p = position + 3 * i;
        const double off = fabs(aqm_surface_distance(truth, (const double[3]){p[0], p[1], p[2]}));
        const double s = scale * (double)sigma[i];
        if (!(s > 0.0) || off > 0.005)
            continue;
        found.count++;
        found.one += off < s, found.two += off < 2.0 * s;
        found.sigma_mm += 1000.0 * s;
        squares += 1e6 * off * off;
    }
    const double n = (double)found.count;
    found.one /= n, found.two /= n, found.sigma_mm /= n;
    found.rms_mm = sqrt(squares / n);
    return found;
}

static bool is_calibrated(const Coverage *c) {
    return c->one > 0.58 && c->one < 0.78 && c->two > 0.89 && c->two < 0.985;
}

static void check(const char *what, const AqmSurfaceModel *truth, const float *position,
                  const float *sigma, size_t count) {
    const Coverage found = coverage_of(truth, position, sigma, count, 1.0);
    print_message("%s: %zu points, rms %.3f mm, mean sigma %.3f mm, %.1f %% within one, %.1f %% "
                  "within two\n",
                  what, found.count, found.rms_mm, found.sigma_mm, 100.0 * found.one,
                  100.0 * found.two);
    assert_true(found.count > count / 100 * 98 && is_calibrated(&found));
    const Coverage small = coverage_of(truth, position, sigma, count, 0.6);
    const Coverage large = coverage_of(truth, position, sigma, count, 1.6);
    assert_false(is_calibrated(&small) || is_calibrated(&large)); /* the bounds can fail */
}

static void read_ply(const char *output, const char *name, AqmCloud **cloud, AqmMesh **mesh) {
    char path[PATH_MAX];
    AqmDiag diag = {0};
    if (aqm_ply_read(in_folder(path, output, name), cloud, mesh, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
}

/* Of 320 x 240 px: waves that are as many pixels long as those of 50 mm are at 640 x 480. */
static void render_coarse(const char *dir, AqmScene scene, uint64_t seed) {
    AqmSynthOptions options = aqm_synth_options_default();
    options.scene = scene;
    options.width = 320, options.height = 240;
    options.wavelength_m = 0.1;
    options.seed = seed;
    AqmDiag diag = {0};
    if (aqm_synth_write(&options, dir, NULL, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
}

static void check_scene(const char *folder, AqmScene scene, const char *name, uint64_t seed) {
    static const Settings settings = {"reconstruction.voxel_size",      "0.002",
                                      "reconstruction.grid_resolution", "0.004",
                                      "reconstruction.window_size",     "11"};
    char dir[PATH_MAX], output[PATH_MAX], what[64];
    AqmTruth *truth = NULL;
    AqmCloud *cloud = NULL, *none = NULL;
    AqmMesh *mesh = NULL, *no_mesh = NULL;
    render_coarse(in_folder(dir, folder, name), scene, seed);
    reconstruct(dir, in_folder(output, dir, "output"), "sift", "full", settings);
    assert_int_equal(aqm_truth_read(&truth, dir, 0, NULL), AQM_OK);
    read_ply(output, "frame_000000/point_cloud/fused.ply", &cloud, &no_mesh);
    read_ply(output, "frame_000000/mesh/surface.ply", &none, &mesh);
    snprintf(what, sizeof what, "%s, cloud", name);
    check(what, truth->surface, cloud->position, cloud->sigma_m, cloud->count);
    snprintf(what, sizeof what, "%s, heightfield", name);
    check(what, truth->surface, mesh->position, mesh->sigma_m, mesh->vertex_count);
    aqm_cloud_destroy(&cloud);
    aqm_mesh_destroy(&mesh);
    aqm_truth_destroy(&truth);
}

static void sigmas_are_those_of_the_errors(void **state) {
    check_scene(*state, AQM_SCENE_UNDULATING, "undulating", 3);
    check_scene(*state, AQM_SCENE_BOARD, "board", 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sigmas_are_those_of_the_errors, make_test_folder,
                                        remove_test_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
