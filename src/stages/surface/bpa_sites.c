/* Which points of a cloud are pivoted over, and how far apart they are. */
#include "stages/surface/bpa_sites.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "geometry/neighbors.h"
#include "math/stats.h"
#include "stages/surface/bpa_grid.h"

enum {
    SAMPLES = 2000,   /* the median of their spacings is good to 1 % */
    NEIGHBORS = 6,    /* as many as surround a point of an even cloud */
    NEAREST_MOST = 64 /* looked at, for the sake of clouds that hold points several times */
};

static AqmStatus copy_sites(AqmBpaSites *sites, const AqmCloud *cloud, int threads, AqmDiag *diag) {
    sites->position = aqm_alloc(sites->count, 3 * sizeof *sites->position);
    sites->normal = aqm_alloc(sites->count, 3 * sizeof *sites->normal);
    if (!sites->position || !sites->normal)
        return aqm_fail_memory(diag, "ball pivoting: points", sites->count, 6 * sizeof(float));
#pragma omp parallel for num_threads(aqm_thread_count(threads))
    for (size_t i = 0; i < sites->count; i++) {
        const size_t from = 3 * (size_t)sites->source[i];
        memcpy(sites->position + 3 * i, cloud->position + from, 3 * sizeof(float));
        memcpy(sites->normal + 3 * i, cloud->normal + from, 3 * sizeof(float));
    }
    return AQM_OK;
}

AqmStatus aqm_bpa_sites_create(AqmBpaSites *out, const AqmCloud *cloud, double cell_m,
                               double apart_m, int threads, AqmDiag *diag) {
    AqmBpaGrid *grid = NULL;
    AQM_TRY(aqm_bpa_grid_create(&grid, cloud->position, cloud->count, NULL, cloud->count, cell_m,
                                threads, diag));
    AqmBpaSites sites = {.source = aqm_alloc(grid->count, sizeof *sites.source)};
    AqmStatus status = AQM_OK;
    if (!sites.source)
        status = aqm_fail_memory(diag, "ball pivoting: points", grid->count, sizeof(uint32_t));
    if (status == AQM_OK)
        status = aqm_bpa_grid_thin(grid, apart_m, NULL, sites.source, &sites.count, diag);
    aqm_bpa_grid_destroy(&grid);
    if (status == AQM_OK)
        status = copy_sites(&sites, cloud, threads, diag);
    if (status == AQM_OK)
        *out = sites;
    else
        aqm_bpa_sites_free(&sites);
    return status;
}

void aqm_bpa_sites_free(AqmBpaSites *sites) {
    aqm_free(sites->position);
    aqm_free(sites->normal);
    aqm_free(sites->source);
    *sites = (AqmBpaSites){0};
}

/* ---- spacing --------------------------------------------------------------------------------- */

static bool is_repeated(const float *position, const uint32_t *indices, int i) {
    for (int j = 0; j < i; j++)
        if (memcmp(position + 3 * (size_t)indices[j], position + 3 * (size_t)indices[i],
                   3 * sizeof(float)) == 0)
            return true;
    return false;
}

/* k points in other places within the distance r of one of an even cloud of spacing s: pi r^2 = k
 * s^2. 0 where there is no other place. */
static double spacing_at(const AqmNeighbors *neighbors, const float *position, size_t point) {
    uint32_t indices[NEAREST_MOST];
    float distances2[NEAREST_MOST];
    int found = 0, others = -1;
    double distance2 = 0.0;
    if (aqm_neighbors_nearest(neighbors, position + 3 * point, NEAREST_MOST, indices, distances2,
                              &found, NULL) != AQM_OK)
        return 0.0;
    for (int i = 0; i < found && others < NEIGHBORS; i++) {
        if (is_repeated(position, indices, i))
            continue;
        distance2 = (double)distances2[i];
        others++;
    }
    return others > 0 ? sqrt(3.141592653589793 * distance2 / others) : 0.0;
}

AqmStatus aqm_bpa_spacing(const AqmCloud *cloud, int threads, double *spacing_m, AqmDiag *diag) {
    AqmNeighbors *neighbors = NULL;
    AQM_TRY(aqm_neighbors_create(&neighbors, cloud->position, cloud->count, threads, diag));
    const size_t samples = cloud->count < SAMPLES ? cloud->count : SAMPLES;
    double spacings[SAMPLES];
#pragma omp parallel for schedule(dynamic, 16) num_threads(aqm_thread_count(threads))
    for (size_t i = 0; i < samples; i++)
        spacings[i] = spacing_at(neighbors, cloud->position, i * cloud->count / samples);
    aqm_neighbors_destroy(&neighbors);
    size_t known = 0;
    for (size_t i = 0; i < samples; i++)
        if (spacings[i] > 0.0)
            spacings[known++] = spacings[i];
    *spacing_m = known > 0 ? aqm_select_f64(spacings, known, known / 2) : 0.0;
    return AQM_OK;
}
