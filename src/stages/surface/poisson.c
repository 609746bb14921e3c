/* Screened Poisson surface reconstruction (Kazhdan & Hoppe 2013, "Screened Poisson Surface
 * Reconstruction"; Kazhdan, Bolitho & Hoppe 2006, "Poisson Surface Reconstruction").
 *
 * Points into a cube, sorted and averaged in cells half as large as the finest (poisson_points.c);
 * their density (poisson_density.c); the octree as sparse grids of bricks (poisson_tree.c,
 * poisson_bricks.c); normals to a right-hand side (poisson_field.c); the system and its solution
 * (poisson_solve.c, poisson_base.c); the zero set (poisson_extract.c, poisson_polygon.c); what is
 * far from the points cut away (poisson_trim.c); colours (poisson_attributes.c).
 *
 * Where we deviate: hats of degree 1 on the nodes (poisson_solve.c says why); the area of a point
 * from counts in cells; slope free on the cube's faces; the cube laid around the bulk of the
 * points; a budget of bricks that lowers the depth where scattered points would fill memory. */
#include <math.h>

#include "aquamvs/surface.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "math/stats.h"
#include "stages/surface/poisson_surface.h"
#include "stages/surface/poisson_system.h"

enum {
    BASE_DEPTH = 4,
    THREAD_POINTS = 10000 /* a smaller cloud is not worth more than one thread */
};

/* A brick takes 8 to 18 kB in all, so these are about 0.4 GB, and 0.1 kB a sample more. A sheet
 * that fills the cube takes 8000 bricks at depth 9 and 30 000 at depth 10. */
enum { FREE_BRICKS = 32768, SAMPLES_PER_BRICK = 128 };

static const double MOST_WEIGHT = 1000.0, MOST_SAMPLES = 100.0;

AqmPoissonOptions aqm_poisson_options_default(void) {
    return (AqmPoissonOptions){
        .depth = 9, .point_weight = 4.0, .samples_per_node = 1.5, .trim_m = 0.0, .threads = 0};
}

AqmStatus aqm_poisson_options_validate(const AqmPoissonOptions *options, AqmDiag *diag) {
    if (options->depth < 1 || options->depth > AQM_POISSON_MOST_DEPTH)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "depth is %d: must be in 1..%d", options->depth,
                        AQM_POISSON_MOST_DEPTH);
    if (!(options->point_weight >= 0.0 && options->point_weight <= MOST_WEIGHT))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "point_weight is %g: must be in 0..%g",
                        options->point_weight, MOST_WEIGHT);
    if (!(options->samples_per_node >= 1.0 && options->samples_per_node <= MOST_SAMPLES))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "samples_per_node is %g: must be in 1..%g",
                        options->samples_per_node, MOST_SAMPLES);
    if (!(options->trim_m >= 0.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "trim is %g m: must be 0 (from the spacing of the points) or more",
                        options->trim_m);
    if (options->threads < 0)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "threads is %d: must be 0 (all cores) or more",
                        options->threads);
    return AQM_OK;
}

/* The octree, less deep than the density asks for where it would not fit its budget. */
static AqmStatus make_tree(AqmPoissonTree *tree, AqmPoissonPoints *points, int base, size_t budget,
                           int threads, AqmDiag *diag) {
    for (int deepest = points->depth;; deepest--) {
        bool fits = false;
        for (size_t i = 0; i < points->count; i++)
            points->samples[i].depth = fminf(points->samples[i].depth, (float)deepest);
        AQM_TRY(aqm_poisson_tree_create(tree, points, base, budget, threads, &fits, diag));
        if (fits)
            return AQM_OK;
    }
}

/* How closely the surface is known. */
typedef struct Support {
    double trim_m;  /* what is farther from every point is cut away, unless told otherwise */
    double piece_m; /* twice the spacing of the points or of the finest cells */
} Support;

/* 1.8 spacings close where up to 2 x 2 points of a square lattice are missing, whose empty circle
 * has a radius of sqrt(2.5) spacings. */
static AqmStatus find_support(const AqmPoissonPoints *points, int finest, Support *support,
                              AqmDiag *diag) {
    float *areas = aqm_alloc(points->count, sizeof *areas);
    if (!areas)
        return aqm_fail_memory(diag, "samples", points->count, sizeof *areas);
    for (size_t i = 0; i < points->count; i++)
        areas[i] = points->samples[i].area;
    const double spacing = sqrt((double)aqm_select_f32(areas, points->count, points->count / 2));
    aqm_free(areas);
    support->trim_m = 1.8 * points->size_m * spacing;
    support->piece_m = 2.0 * points->size_m * fmax(spacing, ldexp(1.0, -finest));
    return AQM_OK;
}

/* From the points to the whole surface in the cube. */
static AqmStatus reconstruct(AqmPoissonPoints *points, const AqmPoissonOptions *options,
                             int threads, AqmPoissonSurface *surface, Support *support,
                             AqmDiag *diag) {
    const int base = options->depth < BASE_DEPTH ? options->depth : BASE_DEPTH;
    const size_t budget = FREE_BRICKS + points->count / SAMPLES_PER_BRICK;
    AQM_TRY(aqm_poisson_density(points, options->samples_per_node, base, budget, threads, diag));
    AqmPoissonTree tree = {0};
    AQM_TRY(make_tree(&tree, points, base, budget, threads, diag));
    AqmStatus status = find_support(points, tree.finest, support, diag);
    if (status == AQM_OK)
        status = aqm_poisson_field(&tree, points, diag);
    if (status == AQM_OK)
        status = aqm_poisson_solve(&tree, points, options->point_weight, diag);
    if (status == AQM_OK)
        status = aqm_poisson_extract(&tree, points, surface, diag);
    aqm_poisson_tree_free(&tree);
    return status;
}

/* From the whole surface to the mesh. */
static AqmStatus finish(AqmPoissonSurface *surface, const AqmCloud *cloud, double trim_m,
                        double piece_m, int threads, AqmMesh **out, AqmDiag *diag) {
    AqmNeighbors *neighbors = NULL;
    AQM_TRY(aqm_neighbors_create(&neighbors, cloud->position, cloud->count, threads, diag));
    AqmStatus status = aqm_poisson_trim(surface, neighbors, trim_m, piece_m, threads, diag);
    if (status == AQM_OK && surface->triangle_count == 0)
        status = aqm_fail(diag, AQM_ERROR_NO_DATA,
                          "the points' normals make no Poisson surface within %g m of the points",
                          trim_m);
    if (status == AQM_OK)
        status = aqm_poisson_attributes(surface, cloud, neighbors, threads, out, diag);
    aqm_neighbors_destroy(&neighbors);
    return status;
}

AqmStatus aqm_surface_poisson(const AqmCloud *cloud, const AqmPoissonOptions *options,
                              AqmMesh **out, AqmDiag *diag) {
    AQM_TRY(aqm_poisson_options_validate(options, diag));
    const int threads = cloud->count < THREAD_POINTS ? 1 : aqm_thread_count(options->threads);
    AqmPoissonPoints points = {0};
    AqmPoissonSurface surface = {0};
    Support support = {0};
    AQM_TRY(aqm_poisson_points_create(&points, cloud, options->depth, threads, diag));
    AqmStatus status = reconstruct(&points, options, threads, &surface, &support, diag);
    aqm_poisson_points_free(&points);
    if (status == AQM_OK) {
        const double trim_m = options->trim_m > 0.0 ? options->trim_m : support.trim_m;
        status = finish(&surface, cloud, trim_m, support.piece_m, threads, out, diag);
    }
    aqm_poisson_surface_free(&surface);
    return status;
}
