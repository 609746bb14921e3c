/* Distances to the nearest point, not to the surface: between two clouds of spacing s even the same
 * surface has distances of about half of s. What lies beyond the other cloud's rim is far from it;
 * the region is there to leave it out. Along the normals the spacing does not matter. Cost: 1 us a
 * point. */
#include <math.h>

#include "aquamvs/evaluate.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "evaluate/cloud_normals.h"
#include "geometry/neighbors.h"
#include "math/stats.h"

static const double limits_mm[AQM_EVAL_LIMITS] = {0.5, 1.0, 2.0, 5.0};
static const size_t most_queries = 2000000;

typedef struct Queries {
    const AqmCloud *from, *to;
    const float *normals;
    const AqmNeighbors *neighbors;
    size_t count;
    size_t *index;    /* of the points asked for */
    double *mm;       /* to the nearest point */
    double *along_mm; /* its part along the normal, positive = deeper; NaN = not known */
} Queries;

static bool is_wanted(const float *p, const double *region) {
    if (!isfinite(p[0]) || !isfinite(p[1]) || !isfinite(p[2]))
        return false;
    return !region ||
           (p[0] >= region[0] && p[1] >= region[1] && p[0] <= region[2] && p[1] <= region[3]);
}

static AqmStatus choose_queries(Queries *q, const double *region, AqmDiag *diag) {
    size_t wanted = 0, seen = 0;
    for (size_t i = 0; i < q->from->count; i++)
        wanted += is_wanted(q->from->position + 3 * i, region);
    if (wanted == 0)
        return aqm_fail(diag, AQM_ERROR_NO_DATA, "%s: no point to measure the distance of",
                        region ? "the region" : "a cloud");
    const size_t most = wanted < most_queries ? wanted : most_queries;
    q->index = aqm_alloc(most, sizeof *q->index);
    q->mm = aqm_alloc(most, sizeof *q->mm);
    q->along_mm = aqm_alloc(most, sizeof *q->along_mm);
    if (!q->index || !q->mm || !q->along_mm)
        return aqm_fail_memory(diag, "distances of points", most, 24);
    for (size_t i = 0; i < q->from->count; i++) {
        if (!is_wanted(q->from->position + 3 * i, region))
            continue;
        /* the next of `most` even steps through the `wanted` */
        if ((double)seen >= (double)q->count * (double)wanted / (double)most && q->count < most)
            q->index[q->count++] = i;
        seen++;
    }
    return AQM_OK;
}

static bool ask(const Queries *q, size_t k) {
    const float *p = q->from->position + 3 * q->index[k];
    float distance;
    uint32_t nearest;
    if (!aqm_neighbors_distance(q->neighbors, p, INFINITY, &distance, &nearest))
        return false;
    const float *at = q->to->position + 3 * (size_t)nearest;
    const float *n = q->normals + 3 * (size_t)nearest;
    double along = 0.0, length2 = 0.0;
    for (int c = 0; c < 3; c++) {
        along -= (double)n[c] * ((double)p[c] - (double)at[c]); /* normals point up */
        length2 += (double)n[c] * (double)n[c];
    }
    q->mm[k] = 1000.0 * (double)distance;
    q->along_mm[k] =
        length2 > 0.5 && q->mm[k] <= limits_mm[AQM_EVAL_LIMITS - 1] ? 1000.0 * along : (double)NAN;
    return true;
}

static void summarise_along(Queries *q, AqmCloudDistances *out) {
    double sum = 0.0, squares = 0.0;
    size_t count = 0;
    for (size_t k = 0; k < q->count; k++) {
        if (isnan(q->along_mm[k]))
            continue;
        sum += q->along_mm[k];
        squares += q->along_mm[k] * q->along_mm[k];
        q->along_mm[count++] = q->along_mm[k];
    }
    out->signed_count = count;
    out->signed_mean_mm = count > 0 ? sum / (double)count : (double)NAN;
    out->signed_rms_mm = count > 0 ? sqrt(squares / (double)count) : (double)NAN;
    out->signed_median_mm = count > 0 ? aqm_percentile_f64(q->along_mm, count, 50.0) : (double)NAN;
}

static AqmCloudDistances summarise(Queries *q) {
    AqmCloudDistances out = {.count = q->count};
    double sum = 0.0, squares = 0.0;
    size_t within[AQM_EVAL_LIMITS] = {0};
    for (size_t k = 0; k < q->count; k++) {
        sum += q->mm[k];
        squares += q->mm[k] * q->mm[k];
        out.max_mm = fmax(out.max_mm, q->mm[k]);
        for (int l = 0; l < AQM_EVAL_LIMITS; l++)
            within[l] += q->mm[k] < limits_mm[l];
    }
    const double n = (double)q->count;
    out.mean_mm = sum / n;
    out.rms_mm = sqrt(squares / n);
    for (int l = 0; l < AQM_EVAL_LIMITS; l++) {
        out.limit_mm[l] = limits_mm[l];
        out.within_pct[l] = 100.0 * (double)within[l] / n;
    }
    summarise_along(q, &out);
    out.median_mm = aqm_percentile_f64(q->mm, q->count, 50.0);
    out.p95_mm = aqm_percentile_f64(q->mm, q->count, 95.0);
    return out;
}

static AqmStatus measure(Queries *q, int threads, AqmDiag *diag) {
    int lost = 0; /* every query has an answer unless there is no point at all */
#pragma omp parallel for schedule(dynamic, 1024) num_threads(aqm_thread_count(threads))            \
    reduction(||                                                                                   \
              : lost)
    for (size_t k = 0; k < q->count; k++)
        lost = lost || !ask(q, k);
    if (lost)
        return aqm_fail(diag, AQM_ERROR_NO_DATA, "a cloud has no point to measure distances to");
    return AQM_OK;
}

AqmStatus aqm_cloud_distances(const AqmCloud *from, const AqmCloud *to, const double region[4],
                              int threads, AqmCloudDistances *out, AqmDiag *diag) {
    AqmNeighbors *neighbors = NULL;
    float *own = NULL;
    Queries q = {.from = from, .to = to};
    AqmStatus status;
    AQM_TRY_GOTO(status, done, choose_queries(&q, region, diag));
    AQM_TRY_GOTO(status, done,
                 aqm_neighbors_create(&neighbors, to->position, to->count, threads, diag));
    AQM_TRY_GOTO(status, done, aqm_cloud_normals(to, neighbors, threads, &own, diag));
    q.neighbors = neighbors;
    q.normals = own ? own : to->normal;
    AQM_TRY_GOTO(status, done, measure(&q, threads, diag));
    *out = summarise(&q);
done:
    aqm_neighbors_destroy(&neighbors);
    aqm_free(own);
    aqm_free(q.index);
    aqm_free(q.mm);
    aqm_free(q.along_mm);
    return status;
}
