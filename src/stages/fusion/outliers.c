/* Statistical outlier removal (Rusu et al. 2008, "Towards 3D point cloud based object maps for
 * household environments"): a point whose mean distance to its k nearest neighbours is larger than
 * mean + ratio * deviation of all those distances stands apart from the surface.
 *
 * A surface is sampled more thinly where fewer views see it, at its rim above all, and one limit
 * for all takes the rim for outliers: on a sand bed fused at 0.5 mm it cost 3 % of the area. So the
 * points that equally many views agree on are also compared among themselves, and only those
 * removed that stand apart from both: of the cloud and of their like. Cost: that of the neighbour
 * search (geometry/neighbors_grid.c), 24 bytes a point while it runs, 56 where strays ask the tree.
 */
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

/* Of the points of each number of views. */
static void find_moments(const float *distances, const uint8_t *views, size_t count,
                         Moments groups[GROUPS]) {
    for (size_t i = 0; i < count; i++)
        if (isfinite(distances[i]))
            groups[views[i]].sum += (double)distances[i], groups[views[i]].count += 1.0;
    for (size_t i = 0; i < count; i++)
        if (isfinite(distances[i])) {
            Moments *group = &groups[views[i]];
            const double off = (double)distances[i] - group->sum / group->count;
            group->squares += off * off;
        }
}

/* Of all together. */
static Moments join(const Moments groups[GROUPS]) {
    Moments all = {0};
    for (int g = 0; g < GROUPS; g++)
        all.sum += groups[g].sum, all.count += groups[g].count;
    for (int g = 0; g < GROUPS; g++)
        if (groups[g].count > 0.0) {
            const double off = groups[g].sum / groups[g].count - all.sum / all.count;
            all.squares += groups[g].squares + groups[g].count * off * off;
        }
    return all;
}

/* The largest distance that stays, for each number of views. NaN: none is finite. */
static void find_limits(const float *distances, const uint8_t *views, size_t count, double ratio,
                        double limits[GROUPS]) {
    Moments groups[GROUPS] = {0};
    find_moments(distances, views, count, groups);
    const Moments all = join(groups);
    for (int g = 0; g < GROUPS; g++) {
        limits[g] = limit_of(&all, ratio);
        if (groups[g].count > least_share * all.count)
            limits[g] = fmax(limits[g], limit_of(&groups[g], ratio));
    }
}

static void move_points(AqmCloud *cloud, size_t to, size_t from, size_t count) {
    memmove(cloud->position + 3 * to, cloud->position + 3 * from, 3 * count * sizeof(float));
    memmove(cloud->normal + 3 * to, cloud->normal + 3 * from, 3 * count * sizeof(float));
    memmove(cloud->color + 3 * to, cloud->color + 3 * from, 3 * count);
    memmove(cloud->confidence + to, cloud->confidence + from, count * sizeof(float));
    memmove(cloud->sigma_m + to, cloud->sigma_m + from, count * sizeof(float));
    memmove(cloud->views + to, cloud->views + from, count);
}

/* Keeps the points within their limits, a run of them at a time. */
static void keep_near(AqmCloud *cloud, const float *distances, const double limits[GROUPS]) {
    size_t kept = 0, begin = 0;
    for (size_t i = 0; i <= cloud->count; i++) {
        if (i < cloud->count && (double)distances[i] <= limits[cloud->views[i]])
            continue;
        if (kept < begin)
            move_points(cloud, kept, begin, i - begin);
        kept += i - begin;
        begin = i + 1;
    }
    cloud->count = kept;
}

AqmStatus aqm_cloud_remove_outliers(AqmCloud *cloud, const AqmFusionOptions *options,
                                    size_t *removed, AqmDiag *diag) {
    AQM_TRY(aqm_fusion_options_validate(options, diag));
    float *distances = aqm_alloc(cloud->count, sizeof *distances);
    if (!distances)
        return aqm_fail_memory(diag, "outlier removal", cloud->count, sizeof *distances);
    const AqmStatus status =
        aqm_mean_knn_distance(cloud->position, cloud->count, options->outlier_nb_neighbors,
                              options->threads, distances, diag);
    if (status == AQM_OK) {
        double limits[GROUPS];
        find_limits(distances, cloud->views, cloud->count, options->outlier_std_ratio, limits);
        const size_t before = cloud->count;
        keep_near(cloud, distances, limits);
        if (removed)
            *removed = before - cloud->count;
    }
    aqm_free(distances);
    return status;
}
