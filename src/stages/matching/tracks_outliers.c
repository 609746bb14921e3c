/* Points of tracks that lie alone.
 *
 * With d_i the depth of point i less the median depth of its K nearest horizontally, m_i the median
 * of |depth - that median| among those, and M the median of all |d_i|, a point goes where
 *
 *     |d_i| > max(10 M, 7 m_i, 1 mm).
 *
 * M and m_i tell how rough the bed is, over all and near by. Of 20000 points of rendered beds and
 * waves the right ones lie up to 9 M and 6 m_i off, mostly at the rim, where a range of depths
 * needs them; the wrong ones by 0.1 to 8 m, all but two that are 10 mm off and too near to tell.
 * m_i also keeps what lies on a slope: on a plane with points all around, or on one side only at
 * the rim, |d_i| stays below 2 m_i. Cost: a search of K neighbours a point,
 * 36 bytes a point while it runs. */
#include <math.h>
#include <string.h>

#include "aquamvs/matching.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "geometry/neighbors.h"
#include "math/stats.h"

enum { NEAREST = 12 };
static const double LEAST_STEP_M = 0.001, OF_ALL = 10.0, OF_NEIGHBORS = 7.0;

typedef struct Alone {
    float *flat;     /* x y 0, from the first point, which keeps the digits */
    double *away;    /* |d_i| */
    double *allowed; /* max(4 m_i, 1 mm) */
    double *sorted;
} Alone;

static void alone_free(Alone *alone) {
    aqm_free(alone->flat);
    aqm_free(alone->away);
    aqm_free(alone->allowed);
    aqm_free(alone->sorted);
}

/* The middle value; of an even number the lower of the two. */
static double median(double *values, size_t n) {
    return aqm_select_f64(values, n, (n - 1) / 2);
}

static AqmStatus compare_point(const AqmTracks *tracks, const AqmNeighbors *neighbors, size_t i,
                               Alone *alone, AqmDiag *diag) {
    uint32_t nearest[NEAREST + 1];
    double depths[NEAREST + 1];
    int found = 0;
    size_t count = 0;
    AQM_TRY(aqm_neighbors_nearest(neighbors, alone->flat + 3 * i, NEAREST + 1, nearest, NULL,
                                  &found, diag));
    for (int k = 0; k < found && count < NEAREST; k++)
        if (nearest[k] != i)
            depths[count++] = tracks->position[3 * (size_t)nearest[k] + 2];
    alone->away[i] = 0.0, alone->allowed[i] = LEAST_STEP_M;
    if (count == 0)
        return AQM_OK;
    const double middle = median(depths, count);
    for (size_t k = 0; k < count; k++)
        depths[k] = fabs(depths[k] - middle);
    alone->away[i] = fabs(tracks->position[3 * i + 2] - middle);
    alone->allowed[i] = fmax(LEAST_STEP_M, OF_NEIGHBORS * median(depths, count));
    return AQM_OK;
}

static AqmStatus compare_all(const AqmTracks *tracks, Alone *alone, AqmDiag *diag) {
    const size_t count = tracks->count;
    *alone = (Alone){.flat = aqm_calloc(count, 3 * sizeof *alone->flat),
                     .away = aqm_alloc(count, sizeof *alone->away),
                     .allowed = aqm_alloc(count, sizeof *alone->allowed),
                     .sorted = aqm_alloc(count, sizeof *alone->sorted)};
    if (!alone->flat || !alone->away || !alone->allowed || !alone->sorted)
        return aqm_fail_memory(diag, "points that lie alone", count, 36);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < 2; k++)
            alone->flat[3 * i + k] = (float)(tracks->position[3 * i + k] - tracks->position[k]);
    AqmNeighbors *neighbors = NULL;
    AQM_TRY(aqm_neighbors_create(&neighbors, alone->flat, count, 1, diag));
    AqmStatus status = AQM_OK;
    for (size_t i = 0; status == AQM_OK && i < count; i++)
        status = compare_point(tracks, neighbors, i, alone, diag);
    aqm_neighbors_destroy(&neighbors);
    return status;
}

static void move_track(AqmTracks *tracks, size_t to, size_t from) {
    const size_t begin = tracks->first[from], count = tracks->first[from + 1] - begin;
    memmove(tracks->position + 3 * to, tracks->position + 3 * from, 3 * sizeof(double));
    tracks->sigma_m[to] = tracks->sigma_m[from];
    tracks->error_px[to] = tracks->error_px[from];
    memmove(tracks->observation + tracks->first[to], tracks->observation + begin,
            count * sizeof *tracks->observation);
    tracks->first[to + 1] = tracks->first[to] + count;
}

AqmStatus aqm_tracks_remove_outliers(AqmTracks *tracks, AqmDiag *diag) {
    Alone alone = {0};
    if (tracks->count == 0)
        return AQM_OK;
    const AqmStatus status = compare_all(tracks, &alone, diag);
    if (status == AQM_OK) {
        memcpy(alone.sorted, alone.away, tracks->count * sizeof *alone.sorted);
        const double limit = OF_ALL * median(alone.sorted, tracks->count);
        size_t kept = 0;
        for (size_t i = 0; i < tracks->count; i++)
            if (alone.away[i] <= fmax(limit, alone.allowed[i]))
                move_track(tracks, kept++, i);
        tracks->count = kept;
    }
    alone_free(&alone);
    return status;
}
