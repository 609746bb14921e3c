/* Which views are compared: by overlap and angle (stages/stereo/sources.c), or the nearest by
 * camera centre, as AquaMVS has it. */
#include <string.h>

#include "base/alloc.h"
#include "math/vec.h"
#include "pipeline/frame_work.h"

static double distance_m(const AqmFrameWork *work, size_t a, size_t b) {
    const double *p = work->views[a].view->C, *q = work->views[b].view->C;
    const double between[3] = {p[0] - q[0], p[1] - q[1], p[2] - q[2]};
    return aqm_norm3(between);
}

/* The num_neighbors nearest non-auxiliary views, nearest first. */
static size_t nearest(const AqmFrameWork *work, size_t view, size_t *sources) {
    const size_t wanted = (size_t)work->job->config->sparse_matching.num_neighbors;
    size_t count = 0;
    for (size_t k = 0; k < work->view_count; k++) {
        if (k == view || work->views[k].is_auxiliary)
            continue;
        size_t at = count;
        while (at > 0 && distance_m(work, view, k) < distance_m(work, view, sources[at - 1]))
            at--;
        memmove(sources + at + 1, sources + at, (count - at) * sizeof *sources);
        sources[at] = k;
        count++;
    }
    return count < wanted ? count : wanted;
}

static bool has(const size_t *list, size_t count, size_t value) {
    for (size_t k = 0; k < count; k++)
        if (list[k] == value)
            return true;
    return false;
}

void aqm_frame_sources(const AqmFrameWork *work, size_t view, const AqmDepthRange *range,
                       size_t *sources, size_t *count, size_t *spare_count) {
    const AqmConfig *config = work->job->config;
    size_t best[AQM_CAMERAS_MAX], best_count, best_spares;
    aqm_stereo_select_sources(
        work->views, work->view_count, view, config->sparse_matching.num_neighbors,
        config->sparse_matching.include_center, range, best, &best_count, &best_spares);
    if (config->sparse_matching.pair_selection == AQM_PAIRS_BY_OVERLAP) {
        memcpy(sources, best, (best_count + best_spares) * sizeof *sources);
        *count = best_count;
        *spare_count = best_spares;
        return;
    }
    *count = nearest(work, view, sources);
    for (size_t k = 0; config->sparse_matching.include_center && k < work->view_count; k++)
        if (work->views[k].is_auxiliary && k != view)
            sources[(*count)++] = k;
    *spare_count = 0;
    for (size_t k = 0; k < best_count + best_spares; k++)
        if (!has(sources, *count, best[k]))
            sources[*count + (*spare_count)++] = best[k];
}

AqmStatus aqm_frame_find_pairs(AqmFrameWork *work, AqmDiag *diag) {
    const size_t n = work->view_count;
    bool *is_pair = aqm_calloc(n * n, sizeof *is_pair);
    if (!is_pair)
        return aqm_fail_memory(diag, "pairs of views", n, n);
    for (size_t v = 0; v < n; v++) {
        size_t sources[AQM_CAMERAS_MAX], count, spare_count;
        if (work->views[v].is_auxiliary)
            continue;
        aqm_frame_sources(work, v, NULL, sources, &count, &spare_count);
        for (size_t s = 0; s < count; s++)
            is_pair[v < sources[s] ? v * n + sources[s] : sources[s] * n + v] = true;
    }
    work->pair_count = 0;
    for (size_t k = 0; k < n * n; k++)
        if (is_pair[k])
            work->pairs[work->pair_count++] = (AqmFramePair){k / n, k % n, NULL};
    aqm_free(is_pair);
    return AQM_OK;
}
