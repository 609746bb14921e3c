/* The exhaustive sweep and the whole depth stage on a textured plane under water, seen by a camera
 * with four others around it. The same answers are asked of every variant and number of threads. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/geometry.h"
#include "aquamvs/stereo.h"
#include "base/cpu.h"
#include "base/trace.h"
#include "bench.h"
#include "stages/stereo/slab.h"

enum { VIEWS = 5 };
static const double water_z = 0.6, bed_z = 0.8;
static const AqmDepthRange range = {.min_m = 0.12, .max_m = 0.30};

typedef struct Scene {
    AqmView views[VIEWS];
    AqmStereoImage *images[VIEWS];
    AqmStereoView stereo[VIEWS];
    int depths;
} Scene;

static const size_t sources[VIEWS - 1] = {1, 2, 3, 4};

static double lattice(int x, int y) {
    uint32_t h = (uint32_t)x * 2654435761u ^ (uint32_t)y * 2246822519u;
    h = (h ^ (h >> 15)) * 739982445u;
    return (double)((h ^ (h >> 16)) & 0xffff) / 65535.0;
}

/* Smooth noise with cells of 4 mm. */
static double texture(double x, double y) {
    const double gx = x / 0.004, gy = y / 0.004;
    const int ix = (int)floor(gx), iy = (int)floor(gy);
    const double a = gx - ix, b = gy - iy;
    return (1 - b) * ((1 - a) * lattice(ix, iy) + a * lattice(ix + 1, iy)) +
           b * ((1 - a) * lattice(ix, iy + 1) + a * lattice(ix + 1, iy + 1));
}

static bool render(const AqmView *view, AqmStereoImage **out) {
    AqmImage *image = NULL;
    if (aqm_image_create(&image, view->width, view->height, 1, AQM_U8, NULL) != AQM_OK)
        return false;
    for (int v = 0; v < view->height; v++)
        for (int u = 0; u < view->width; u++) {
            AqmRay ray;
            double value = 0.5;
            if (aqm_view_cast(view, u, v, &ray)) {
                const double s = (bed_z - ray.origin[2]) / ray.direction[2];
                value = texture(ray.origin[0] + s * ray.direction[0],
                                ray.origin[1] + s * ray.direction[1]);
            }
            ((uint8_t *)image->data)[(size_t)v * image->stride + (size_t)u] =
                (uint8_t)(20.0 + 215.0 * value);
        }
    const AqmImageView borrowed = aqm_image_view(image);
    const AqmStatus status = aqm_stereo_image_create(out, &borrowed, NULL, 255.0, NULL);
    aqm_image_destroy(&image);
    return status == AQM_OK;
}

static bool create_scene(Scene *scene, const BenchOptions *options) {
    static const double centers[VIEWS][2] = {{0, 0}, {0.1, 0}, {-0.1, 0}, {0, 0.1}, {0, -0.1}};
    *scene = (Scene){.depths = options->depths};
    AqmRig *rig = NULL;
    bool is_good = aqm_rig_create(&rig, VIEWS, NULL) == AQM_OK;
    if (!is_good)
        return false;
    rig->water_z = water_z;
    rig->n_air = 1.0;
    rig->n_water = 1.333;
    const double f = 1.1 * options->width;
    const double K[9] = {f, 0, 0.5 * options->width, 0, f, 0.5 * options->height, 0, 0, 1};
    for (size_t k = 0; k < VIEWS && is_good; k++) {
        AqmCamera *camera = &rig->cameras[k];
        camera->width = options->width;
        camera->height = options->height;
        memcpy(camera->K, K, sizeof K);
        camera->R[0] = camera->R[4] = camera->R[8] = 1.0;
        camera->t[0] = -centers[k][0];
        camera->t[1] = -centers[k][1];
        is_good = aqm_view_create(&scene->views[k], rig, k, K, NULL) == AQM_OK &&
                  render(&scene->views[k], &scene->images[k]);
        scene->stereo[k] = (AqmStereoView){&scene->views[k], scene->images[k], false};
    }
    aqm_rig_destroy(&rig);
    return is_good;
}

/* ---- the two ways to a depth map --------------------------------------------------------------
 */

typedef bool (*Search)(const Scene *scene, int threads, float *depth);

static bool create_sweep(const Scene *scene, int threads, AqmSweep **sweep) {
    return aqm_sweep_create(sweep, scene->stereo, 0, sources, VIEWS - 1, 0, AQM_COST_NCC, 11,
                            threads, NULL) == AQM_OK;
}

static bool search_exhaustively(const Scene *scene, int threads, float *depth) {
    AqmSweep *sweep = NULL;
    if (!create_sweep(scene, threads, &sweep))
        return false;
    const size_t pixels = (size_t)scene->views[0].width * (size_t)scene->views[0].height;
    float *confidence = malloc(pixels * sizeof *confidence);
    const AqmPlanes planes = aqm_planes(sweep, range.min_m, range.max_m, scene->depths);
    const bool is_good =
        confidence && aqm_sweep_planes(sweep, &planes, 4, depth, confidence, NULL) == AQM_OK;
    free(confidence);
    aqm_sweep_destroy(&sweep);
    return is_good;
}

static bool estimate(const Scene *scene, int threads, float *depth) {
    AqmStereoOptions options = aqm_stereo_options_default();
    options.num_depths = scene->depths;
    options.threads = threads;
    AqmDepthMap *map = NULL;
    if (aqm_stereo_estimate(scene->stereo, VIEWS, 0, sources, VIEWS - 1, 0, &range, &options, &map,
                            NULL) != AQM_OK)
        return false;
    memcpy(depth, map->depth_m, (size_t)map->width * (size_t)map->height * sizeof *depth);
    aqm_depth_map_destroy(&map);
    return true;
}

/* ---- checks and times ------------------------------------------------------------------------ */

/* Medians over the repeats of one way to run, CPU and wall seconds. */
static bool time_search(const Scene *scene, Search search, int threads, int repeats, float *depth,
                        double *cpu_s, double *wall_s) {
    double cpu[BENCH_MAX_REPEATS], wall[BENCH_MAX_REPEATS];
    for (int r = 0; r < repeats; r++) {
        const double cpu_start = bench_process_s(), wall_start = aqm_now_s();
        if (!search(scene, threads, depth))
            return false;
        cpu[r] = bench_process_s() - cpu_start;
        wall[r] = aqm_now_s() - wall_start;
    }
    *cpu_s = bench_median(cpu, repeats);
    *wall_s = bench_median(wall, repeats);
    return true;
}

/* Nearly everywhere within a micrometre: where two maxima are equal to a rounding, a variant may
 * take the other. */
static bool are_alike(const float *a, const float *b, size_t pixels) {
    size_t others = 0;
    for (size_t k = 0; k < pixels; k++)
        others += isnan(a[k]) != isnan(b[k]) || fabs((double)(a[k] - b[k])) > 1e-6;
    return others * 1000 < pixels;
}

/* The features to hide so that this table is the fastest. */
static const char *mask_for(const AqmKernels *kernels) {
    static const char *const masks[] = {"0", "4", "15"};
    const AqmKernels *tables[AQM_KERNEL_TABLES];
    (void)unsetenv("AQUAMVS_CPU_MASK");
    const unsigned features = aqm_cpu_features();
    for (size_t k = 0; k < sizeof masks / sizeof masks[0]; k++) {
        const unsigned hidden = (unsigned)strtoul(masks[k], NULL, 10);
        if (tables[aqm_kernel_tables(features & ~hidden, tables) - 1] == kernels)
            return masks[k];
    }
    return "0";
}

/* How many planes of the sweep share a picture of a source; 1: none does. */
static int planes_of_slab(const Scene *scene) {
    AqmSweep *sweep = NULL;
    if (!create_sweep(scene, 1, &sweep))
        return 1;
    const AqmPlanes planes = aqm_planes(sweep, range.min_m, range.max_m, scene->depths);
    const int count = aqm_slab_planes(&planes);
    aqm_sweep_destroy(&sweep);
    return count > 0 ? count : 1;
}

/* What a pixel x plane x source of whole windows takes when each kernel runs at its ceiling, one
 * after the other: those on rows of pixels with the halo of a tile, those on the picture of a slab
 * shared by its planes, those on all sources by these. */
static double sweep_ceiling_ns(const char *variant, int slab_planes) {
    const double area = AQM_TILE_WIDTH * AQM_TILE_HEIGHT, rows = AQM_TILE_HEIGHT + 10;
    const double halo = (AQM_TILE_WIDTH + 16) * rows / area, margins = 2 * AQM_SLAB_MARGIN;
    const double picture =
        (AQM_TILE_WIDTH + 16 + margins) * (rows + margins) / (area * slab_planes);
    const double knots = picture / (AQM_KNOT * AQM_KNOT);
    const struct {
        const char *kernel;
        double share;
    } parts[] = {{"project", knots},          {"spread", 2 * picture},
                 {"sample", picture},         {"shift", halo},
                 {"columns", halo},           {"ncc", 1.0},
                 {"join", 1.0 / (VIEWS - 1)}, {"track", 1.0 / (VIEWS - 1)}};
    double ns = 0.0;
    for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++)
        ns += parts[k].share * bench_ceiling(variant, bench_demand(parts[k].kernel)).ns;
    return ns;
}

/* One way to a depth map by every variant, on one thread and on two. */
static bool run_search(const Scene *scene, const char *name, Search search, int repeats,
                       float *const depths[3]) {
    const AqmKernels *variants[AQM_KERNEL_TABLES];
    const int count = aqm_kernel_tables(aqm_cpu_features(), variants), runs = count + 1;
    const size_t pixels = (size_t)scene->views[0].width * (size_t)scene->views[0].height;
    const double items = (double)pixels * scene->depths * (VIEWS - 1);
    const int slab_planes = search == search_exhaustively ? planes_of_slab(scene) : 0;
    double reference_s = 0.0, one_wall_s = 0.0;
    for (int k = 0; k < runs; k++) {
        const int v = k < count ? k : count - 1, threads = k < count ? 1 : 2;
        float *depth = depths[k == 0 ? 0 : k < count ? 1 : 2];
        double cpu_s, wall_s;
        char label[64];
        /* the stage takes the best table for the features it is shown */
        setenv("AQUAMVS_CPU_MASK", mask_for(variants[v]), 1);
        if (!time_search(scene, search, threads, k == 0 ? 1 : repeats, depth, &cpu_s, &wall_s))
            return false;
        if (!are_alike(depths[0], depth, pixels) ||
            (k == count && count > 1 && memcmp(depths[1], depth, pixels * sizeof *depth) != 0)) {
            fprintf(stderr, "%s: another result with %s, %d threads\n", name, variants[v]->name,
                    threads);
            return false;
        }
        reference_s = k == 0 ? cpu_s : reference_s;
        one_wall_s = threads == 1 ? wall_s : one_wall_s;
        snprintf(label, sizeof label, "%s_%d", variants[v]->name, threads);
        const BenchCeiling ceiling = {
            slab_planes > 0 ? sweep_ceiling_ns(variants[v]->name, slab_planes) : 0.0, "sum"};
        bench_print(name, label, 1e9 * cpu_s / items, cpu_s / reference_s, &ceiling);
        if (threads == 2)
            printf("# %s: 2 threads are %.2f times as fast as 1 by the wall clock\n", name,
                   one_wall_s / wall_s);
    }
    return true;
}

bool bench_all_sweeps(const BenchOptions *options) {
    Scene scene;
    const size_t pixels = (size_t)options->width * (size_t)options->height;
    float *block = malloc(3 * pixels * sizeof *block);
    float *const depths[3] = {block, block + pixels, block + 2 * pixels};
    const int repeats = options->repeats < 5 ? options->repeats : 5;
    char name[2][64];
    snprintf(name[0], sizeof name[0], "sweep_%dx%dx%dx%d", options->width, options->height,
             options->depths, VIEWS - 1);
    snprintf(name[1], sizeof name[1], "stereo_%dx%dx%dx%d", options->width, options->height,
             options->depths, VIEWS - 1);
    const bool is_good = create_scene(&scene, options) && block &&
                         (!bench_is_wanted(options, name[0]) ||
                          run_search(&scene, name[0], search_exhaustively, repeats, depths)) &&
                         (!bench_is_wanted(options, name[1]) ||
                          run_search(&scene, name[1], estimate, repeats, depths));
    for (int k = 0; k < VIEWS; k++)
        aqm_stereo_image_destroy(&scene.images[k]);
    free(block);
    return is_good;
}
