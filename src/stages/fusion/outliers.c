/* Statistical outlier removal (Rusu et al. 2008, "Towards 3D point cloud based object maps for
 * household environments"): a point whose mean distance to its k nearest neighbours is larger than
 * mean + ratio * deviation of all those distances stands apart from the surface. Cost: that of the
 * neighbour search (geometry/neighbors_mean.c), 40 bytes a point while it runs. */
#include <math.h>
#include <string.h>

#include "aquamvs/fusion.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "geometry/neighbors.h"

/* The largest distance that stays; the sums run in the order of the points. NaN: none is finite. */
static double distance_limit(const float *distances, size_t count, double ratio) {
    double sum = 0.0, squares = 0.0, finite = 0.0;
    for (size_t i = 0; i < count; i++)
        if (isfinite(distances[i]))
            sum += (double)distances[i], finite += 1.0;
    const double mean = sum / finite;
    for (size_t i = 0; i < count; i++)
        if (isfinite(distances[i]))
            squares += ((double)distances[i] - mean) * ((double)distances[i] - mean);
    return mean + ratio * sqrt(squares / finite);
}

static void move_point(AqmCloud *cloud, size_t to, size_t from) {
    memmove(cloud->position + 3 * to, cloud->position + 3 * from, 3 * sizeof(float));
    memmove(cloud->normal + 3 * to, cloud->normal + 3 * from, 3 * sizeof(float));
    memmove(cloud->color + 3 * to, cloud->color + 3 * from, 3);
    cloud->confidence[to] = cloud->confidence[from];
    cloud->views[to] = cloud->views[from];
}

static AqmStatus mean_distances(const AqmCloud *cloud, const AqmFusionOptions *options,
                                float *distances, AqmDiag *diag) {
    AqmNeighbors *neighbors = NULL;
    AQM_TRY(
        aqm_neighbors_create(&neighbors, cloud->position, cloud->count, options->threads, diag));
    const AqmStatus status = aqm_neighbors_mean_knn_distance(
        neighbors, options->outlier_nb_neighbors, options->threads, distances, diag);
    aqm_neighbors_destroy(&neighbors);
    return status;
}

AqmStatus aqm_cloud_remove_outliers(AqmCloud *cloud, const AqmFusionOptions *options,
                                    size_t *removed, AqmDiag *diag) {
    AQM_TRY(aqm_fusion_options_validate(options, diag));
    float *distances = aqm_alloc(cloud->count, sizeof *distances);
    if (!distances)
        return aqm_fail_memory(diag, "outlier removal", cloud->count, sizeof *distances);
    const AqmStatus status = mean_distances(cloud, options, distances, diag);
    if (status == AQM_OK) {
        const double limit = distance_limit(distances, cloud->count, options->outlier_std_ratio);
        size_t kept = 0;
        for (size_t i = 0; i < cloud->count; i++)
            if ((double)distances[i] <= limit)
                move_point(cloud, kept++, i);
        if (removed)
            *removed = cloud->count - kept;
        cloud->count = kept;
    }
    aqm_free(distances);
    return status;
}
