/* Ball pivoting (Bernardini, Mittleman, Rushmeier, Silva, Taubin 1999, "The Ball-Pivoting Algorithm
 * for Surface Reconstruction"): a ball that rests on three points, with no point in it, makes them
 * a triangle; it is rolled over each edge until it meets another point, and so on (bpa_ball.c the
 * geometry, bpa_front.c the edges with join and glue, bpa_grow.c seeds and rolling). Balls of all
 * radii are rolled, the smallest first; where one stops, the next goes on if it rests there.
 *
 * - Triangles face where the normals of their corners point, or are not made. Where a corner has no
 *   normal, a triangle must not fold back over the one before it instead; where none of a seed's
 * has one, the ball starts above, where the cameras are, and stays on its side of the surface.
 * - Points nearer to each other than a quarter of the smallest radius are thinned first, in the
 * order of cells in space: noise turns what such points make into slivers of any tilt. Before a
 * larger ball, what the smaller ones did not use is thinned likewise; most of it lies just below
 * the surface, where noise has put it.
 * - Every edge runs at most once in either direction, so that none has more than two triangles and
 *   neighbours are wound alike. Vertices may hold more than one fan of triangles.
 * - Radii are chosen as 1.5, 3 and 6 spacings of the points. Fused clouds have about one point a
 *   voxel, at uneven distances: with 1 spacing balls fall through everywhere, with 1.5 in some tens
 *   of places a million points, with more the ball skips points (of those on the r5 scenes 2 gives
 * up 8 % more). The largest bridges gaps of 12 spacings. Holes of up to eight edges that are left
 * are closed in the end (bpa_holes.c).
 *
 * One thread rolls; the others help with spacing and sorting. Cost: about 4 us a point; besides the
 * mesh some 100 bytes a point. */
#include "aquamvs/surface.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "stages/surface/bpa_grow.h"
#include "stages/surface/bpa_holes.h"
#include "stages/surface/bpa_mesh.h"

AqmBpaOptions aqm_bpa_options_default(void) {
    return (AqmBpaOptions){.radii_m = NULL, .radius_count = 0, .threads = 0};
}

AqmStatus aqm_bpa_options_validate(const AqmBpaOptions *options, AqmDiag *diag) {
    if (options->radii_m && options->radius_count == 0)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "bpa_radii is empty: needs at least one");
    if (!options->radii_m && options->radius_count > 0)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "bpa_radii: %zu radii, but no list of them",
                        options->radius_count);
    for (size_t i = 0; i < options->radius_count; i++)
        if (!(isfinite(options->radii_m[i]) && options->radii_m[i] > 0.0))
            return aqm_fail(diag, AQM_ERROR_ARGUMENT, "bpa_radii[%zu] is %g m: must be more than 0",
                            i, options->radii_m[i]);
    if (options->threads < 0)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "threads is %d: must be 0 (all cores) or more",
                        options->threads);
    return AQM_OK;
}

typedef struct Work {
    const AqmCloud *cloud;
    int threads;
    double *radii; /* ascending */
    size_t radius_count;
    AqmBpaSites sites;
    uint32_t *which; /* sites still pivoted over */
    size_t which_count;
    AqmBpaFront front;
} Work;

/* The sites for a larger ball: of those that the smaller ones did not use, none nearer than
 * `apart_m` to another site. They lie below what was made already, or are too close to each other
 * to matter to this ball. */
static AqmStatus thin_sites(Work *work, double radius, double apart_m, AqmDiag *diag) {
    AqmBpaGrid *grid = NULL;
    AQM_TRY(aqm_bpa_grid_create(&grid, work->sites.position, work->sites.count, work->which,
                                work->which_count, 2.0 * radius, work->threads, diag));
    const AqmStatus status =
        aqm_bpa_grid_thin(grid, apart_m, work->front.open, work->which, &work->which_count, diag);
    aqm_bpa_grid_destroy(&grid);
    return status;
}

static AqmStatus roll_ball(Work *work, double radius, AqmDiag *diag) {
    AqmBpaGrid *grid = NULL;
    AQM_TRY(aqm_bpa_grid_create(&grid, work->sites.position, work->sites.count, work->which,
                                work->which_count, 2.0 * radius, work->threads, diag));
    AqmBpaBall ball = {.sites = &work->sites, .grid = grid, .radius_m = radius};
    ball.places = aqm_alloc(grid->most_around, sizeof *ball.places);
    AqmStatus status;
    if (ball.places)
        status = aqm_bpa_grow(&work->front, &ball, diag);
    else
        status = aqm_fail_memory(diag, "ball pivoting: neighbours", grid->most_around, 4);
    aqm_free(ball.places);
    aqm_bpa_grid_destroy(&grid);
    return status;
}

/* ---- radii ----------------------------------------------------------------------------------- */

enum { AUTO_RADII = 3 };

/* In spacings of the points: */
static const double AUTO_RADIUS[AUTO_RADII] = {1.5, 3.0, 6.0};
/* Sites are no nearer to each other than this share of the smallest radius. */
static const double APART = 0.25;

static int ascending(const void *a, const void *b) {
    const double p = *(const double *)a, q = *(const double *)b;
    return p < q ? -1 : p > q;
}

static AqmStatus choose_radii(Work *work, const AqmBpaOptions *options, AqmDiag *diag) {
    double spacing = 0.0;
    work->radius_count = options->radii_m ? options->radius_count : AUTO_RADII;
    work->radii = aqm_alloc(work->radius_count, sizeof *work->radii);
    if (!work->radii)
        return aqm_fail_memory(diag, "ball pivoting: radii", work->radius_count, sizeof(double));
    if (options->radii_m) {
        memcpy(work->radii, options->radii_m, work->radius_count * sizeof *work->radii);
        qsort(work->radii, work->radius_count, sizeof *work->radii, ascending);
        return AQM_OK;
    }
    AQM_TRY(aqm_bpa_spacing(work->cloud, work->threads, &spacing, diag));
    if (!(spacing > 0.0))
        return aqm_fail(diag, AQM_ERROR_NO_DATA,
                        "ball pivoting: the %zu points of the cloud lie in one place, or each in "
                        "the place of more than 60 others: no spacing to choose bpa_radii by",
                        work->cloud->count);
    for (size_t i = 0; i < AUTO_RADII; i++)
        work->radii[i] = AUTO_RADIUS[i] * spacing;
    return AQM_OK;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static AqmStatus check_sites(const Work *work, AqmDiag *diag) {
    if (work->sites.count >= 3)
        return AQM_OK;
    return aqm_fail(diag, AQM_ERROR_NO_DATA,
                    "ball pivoting: of %zu points only %zu are left, as the others are not finite "
                    "or nearer than %g m (a quarter of the smallest of bpa_radii) to one of these",
                    work->cloud->count, work->sites.count, APART * work->radii[0]);
}

static AqmStatus check_triangles(const Work *work, AqmDiag *diag) {
    if (work->front.triangle_count > 0)
        return AQM_OK;
    return aqm_fail(diag, AQM_ERROR_NO_DATA,
                    "ball pivoting: no ball of radius %g to %g m rests on three of the %zu points: "
                    "they lie on a line, are farther apart than bpa_radii reach, or their normals "
                    "contradict each other",
                    work->radii[0], work->radii[work->radius_count - 1], work->sites.count);
}

static AqmStatus make_sites(Work *work, AqmDiag *diag) {
    AQM_TRY(aqm_bpa_sites_create(&work->sites, work->cloud, 2.0 * work->radii[0],
                                 APART * work->radii[0], work->threads, diag));
    AQM_TRY(check_sites(work, diag));
    work->which_count = work->sites.count;
    work->which = aqm_alloc(work->which_count, sizeof *work->which);
    if (!work->which)
        return aqm_fail_memory(diag, "ball pivoting: points", work->which_count, sizeof(uint32_t));
    for (size_t i = 0; i < work->which_count; i++)
        work->which[i] = (uint32_t)i;
    return aqm_bpa_front_create(&work->front, work->sites.count, diag);
}

static AqmStatus make_mesh(Work *work, AqmMesh **out, AqmDiag *diag) {
    AQM_TRY(make_sites(work, diag));
    for (size_t i = 0; i < work->radius_count; i++) {
        const double radius = work->radii[i];
        if (i > 0)
            AQM_TRY(thin_sites(work, radius, APART * radius, diag));
        AQM_TRY(roll_ball(work, radius, diag));
    }
    AQM_TRY(check_triangles(work, diag));
    AQM_TRY(aqm_bpa_close_holes(&work->front, &work->sites,
                                2.0 * work->radii[work->radius_count - 1], diag));
    return aqm_bpa_mesh(&work->front, &work->sites, work->cloud, out, diag);
}

AqmStatus aqm_surface_bpa(const AqmCloud *cloud, const AqmBpaOptions *options, AqmMesh **out,
                          AqmDiag *diag) {
    AQM_TRY(aqm_bpa_options_validate(options, diag));
    if (cloud->count < 3)
        return aqm_fail(diag, AQM_ERROR_NO_DATA,
                        "ball pivoting needs at least 3 points: the cloud has %zu", cloud->count);
    Work work = {.cloud = cloud, .threads = options->threads};
    AqmStatus status = choose_radii(&work, options, diag);
    if (status == AQM_OK)
        status = make_mesh(&work, out, diag);
    aqm_bpa_sites_free(&work.sites);
    aqm_bpa_front_free(&work.front);
    aqm_free(work.which);
    aqm_free(work.radii);
    return status;
}
