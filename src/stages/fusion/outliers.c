/* Statistical outlier removal (Rusu et al. 2008, "Towards 3D point cloud based object maps for
 * household environments"): a point whose mean distance to its k nearest neighbours is larger than
 * mean + ratio * deviation of all those distances stands apart from the surface.
 *
 * A surface is sampled more thinly where fewer views see it, at its rim above all, and one limit
 * for all takes the rim for outliers: on a sand bed fused at 0.5 mm it cost 3 % of the area. So the
 * points that equally many views agree on are also compared among themselves, and only those
 * removed that stand apart from both: of the cloud and of their like. Cost: that of the neighbour
 * search (geometry/neighbors_mean.c), 40 bytes a point while it runs. */
#include <math.h>
#include <string.h>

#include "aquamvs/fusion.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "geometry/neighbors.h"

/* Sums of distances; their order is that of the points. */
typedef struct Moments {
    double count, sum, squares; /* squares: of the deviations from the mean */
} Moments;

enum { GROUPS = 256 };                  /* one for each number of views */
static const double least_share = 0.01; /* of the cloud: fewer are judged with the whole alone */

static double limit_of(const Moments *moments, double ratio) {
    return moments->sum / moments->count + ratio * sqrt(moments->squares / moments->count);
}

/* The largest distance that stays, for each number of views. NaN: none is finite. */
static void find_limits(const float *distances, const uint8_t *views, size_t count, double ratio,
                        double limits[GROUPS]) {
    Moments all = {0}, groups[GROUPS] = {0};
    for (size_t i = 0; i < count; i++)
        if (isfinite(distances[i])) {
            all.sum += (double)distances[i], all.count += 1.0;
            groups[views[i]].sum += (double)distances[i], groups[views[i]].count += 1.0;
        }
    for (size_t i = 0; i < count; i++)
        if (isfinite(distances[i])) {
            Moments *group = &groups[views[i]];
            const double off = (double)distances[i] - all.sum / all.count;
            const double group_off = (double)distances[i] - group->sum / group->count;
            all.squares += off * off, group->squares += group_off * group_off;
        }
    for (int g = 0; g < GROUPS; g++) {
        limits[g] = limit_of(&all, ratio);
        if (groups[g].count > least_share * all.count)
            limits[g] = fmax(limits[g], limit_of(&groups[g], ratio));
    }
}

static void move_point(AqmCloud *cloud, size_t to, size_t from) {
    memmove(cloud->position + 3 * to, cloud->position + 3 * from, 3 * sizeof(float));
    memmove(cloud->normal + 3 * to, cloud->normal + 3 * from, 3 * sizeof(float));
    memmove(cloud->color + 3 * to, cloud->color + 3 * from, 3);
    cloud->confidence[to] = cloud->confidence[from];
    cloud->sigma_m[to] = cloud->sigma_m[from];
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
        double limits[GROUPS];
        find_limits(distances, cloud->views, cloud->count, options->outlier_std_ratio, limits);
        size_t kept = 0;
        for (size_t i = 0; i < cloud->count; i++)
            if ((double)distances[i] <= limits[cloud->views[i]])
                move_point(cloud, kept++, i);
        if (removed)
            *removed = cloud->count - kept;
        cloud->count = kept;
    }
    aqm_free(distances);
    return status;
}
