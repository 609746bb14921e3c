/* Which views are compared: by overlap and angle (stages/stereo/sources.c), or the nearest by
 * camera centre, as AquaMVS has it (stages/matching/pairs.c). */
#include <string.h>

#include "base/alloc.h"
#include "pipeline/frame_work.h"

static size_t nearest(const AqmFrameWork *work, size_t view, size_t *sources) {
    const AqmConfig *config = work->job->config;
    const AqmView *views[AQM_CAMERAS_MAX];
    bool is_auxiliary[AQM_CAMERAS_MAX];
    for (size_t v = 0; v < work->view_count; v++) {
        views[v] = work->views[v].view;
        is_auxiliary[v] = work->views[v].is_auxiliary;
    }
    return aqm_sources_by_distance(views, is_auxiliary, work->view_count, view,
                                   config->sparse_matching.num_neighbors,
                                   config->sparse_matching.include_center, sources);
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
