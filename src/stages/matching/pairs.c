/* Which views are matched with which. For every pair the nearer views are counted: O(n^3) for n
 * views, 2 us for a ring of 13. */
#include "aquamvs/matching.h"

static double distance2(const AqmView *a, const AqmView *b) {
    double sum = 0.0;
    for (int k = 0; k < 3; k++)
        sum += (a->C[k] - b->C[k]) * (a->C[k] - b->C[k]);
    return sum;
}

/* Is `other` among the `count` nearest non-auxiliary views of `view`? Of equally near ones the
 * first counts as nearer. */
static bool is_near(const AqmView *const *views, const bool *is_auxiliary, size_t view_count,
                    size_t view, size_t other, int count) {
    const double own = distance2(views[view], views[other]);
    int nearer = 0;
    for (size_t k = 0; k < view_count; k++) {
        if (k == view || k == other || is_auxiliary[k])
            continue;
        const double d = distance2(views[view], views[k]);
        nearer += d < own || (d == own && k < other);
    }
    return nearer < count;
}

size_t aqm_sources_by_distance(const AqmView *const *views, const bool *is_auxiliary,
                               size_t view_count, size_t view, int num_neighbors,
                               bool include_center, size_t *sources) {
    size_t count = 0;
    for (size_t k = 0; k < view_count; k++) {
        if (k == view || is_auxiliary[k] ||
            !is_near(views, is_auxiliary, view_count, view, k, num_neighbors))
            continue;
        size_t at = count++;
        for (; at > 0 &&
               distance2(views[view], views[k]) < distance2(views[view], views[sources[at - 1]]);
             at--)
            sources[at] = sources[at - 1];
        sources[at] = k;
    }
    for (size_t k = 0; include_center && k < view_count; k++)
        if (is_auxiliary[k] && k != view)
            sources[count++] = k;
    return count;
}

size_t aqm_pairs_by_distance(const AqmView *const *views, const bool *is_auxiliary,
                             size_t view_count, int num_neighbors, bool include_center,
                             size_t (*pairs)[2]) {
    size_t count = 0;
    for (size_t i = 0; i < view_count; i++)
        for (size_t j = i + 1; j < view_count; j++) {
            bool wanted;
            if (is_auxiliary[i] || is_auxiliary[j])
                wanted = include_center && !(is_auxiliary[i] && is_auxiliary[j]);
            else
                wanted = is_near(views, is_auxiliary, view_count, i, j, num_neighbors) ||
                         is_near(views, is_auxiliary, view_count, j, i, num_neighbors);
            if (wanted) {
                pairs[count][0] = i;
                pairs[count++][1] = j;
            }
        }
    return count;
}
