/* The normal of a patch is the direction in which its points vary least (Hoppe et al. 1992): the
 * eigenvector of the least eigenvalue of their covariance. */
#include "evaluate/cloud_normals.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "math/solve.h"

enum { PATCH = 16 };

static bool is_unknown(const float normal[3]) {
    return normal[0] == 0.0f && normal[1] == 0.0f && normal[2] == 0.0f;
}

static void fit_normal(const AqmCloud *cloud, const AqmNeighbors *neighbors, size_t point,
                       float normal[3]) {
    const float *p = cloud->position + 3 * point;
    uint32_t index[PATCH];
    double covariance[9] = {0}, mean[3] = {0}, values[3], V[9];
    int found = 0;
    if (!isfinite(p[0]) || !isfinite(p[1]) || !isfinite(p[2]))
        return;
    /* fails for more than 64 neighbours alone */
    if (aqm_neighbors_nearest(neighbors, p, PATCH, index, NULL, &found, NULL) != AQM_OK)
        return;
    for (int i = 0; i < found; i++)
        for (size_t k = 0; k < 3; k++)
            mean[k] += ((double)cloud->position[3 * (size_t)index[i] + k] - (double)p[k]) / found;
    for (int i = 0; i < found; i++) {
        const float *q = cloud->position + 3 * (size_t)index[i];
        for (int k = 0; k < 9; k++)
            covariance[k] += ((double)q[k / 3] - (double)p[k / 3] - mean[k / 3]) *
                             ((double)q[k % 3] - (double)p[k % 3] - mean[k % 3]);
    }
    aqm_eigen_sym3(covariance, values, V);
    if (!(values[1] > 1e-6 * values[2])) /* a line, or a point */
        return;
    for (size_t k = 0; k < 3; k++)
        normal[k] = (float)(V[2] > 0.0 ? -V[k] : V[k]);
}

AqmStatus aqm_cloud_normals(const AqmCloud *cloud, const AqmNeighbors *neighbors, int threads,
                            float **own, AqmDiag *diag) {
    size_t first = 0;
    *own = NULL;
    while (first < cloud->count && !is_unknown(cloud->normal + 3 * first))
        first++;
    if (first == cloud->count)
        return AQM_OK;
    float *normals = aqm_alloc(cloud->count, 3 * sizeof *normals);
    if (!normals)
        return aqm_fail_memory(diag, "normals of a cloud", cloud->count, 3 * sizeof *normals);
    memcpy(normals, cloud->normal, 3 * cloud->count * sizeof *normals);
#pragma omp parallel for schedule(dynamic, 1024) num_threads(aqm_thread_count(threads))
    for (size_t i = first; i < cloud->count; i++)
        if (is_unknown(cloud->normal + 3 * i))
            fit_normal(cloud, neighbors, i, normals + 3 * i);
    *own = normals;
    return AQM_OK;
}
