/* What may be counterparts, along refracted epipolar curves.
 *
 * Candidates are the features within a distance of the curve, found in the cells of a grid that it
 * passes, whose descriptors are nearer than those of unrelated features. Of them the calibration is
 * asked: were the surface level where the curve passes the candidate, the warp of it between the
 * views would turn the feature's orientation and change its scale in a known way. A real surface
 * slopes, so there is some room; what is farther off is another point. Of the rest the nearest
 * descriptors are kept.
 *
 * Cost: some 5 us a feature: the curve, the cells it passes, the descriptors in them, and for one
 * in ten of these a warp of 0.3 us; memory none. */
#include "stages/matching/match_search.h"

#include <math.h>

#include "base/cpu.h"
#include "stages/matching/epipolar_curve.h"
#include "stages/matching/level_warp.h"

static const double turn_most_rad = 0.6, scale_most = 1.6;

typedef struct Search {
    const AqmMatchView *from, *to;
    const AqmFeatureGrid *grid;
    double epipolar_px;
    size_t feature; /* of `from` */
    double scale, direction[2];
    AqmPixelRays rays;
    AqmCurve curve;
    AqmCandidates *out; /* with squares of distances */
} Search;

static float distance2(const float *a, const float *b, int size) {
    enum { LANES = 16 };
    float sums[LANES] = {0}, sum = 0.0f;
    int i = 0;
    for (; i + LANES <= size; i += LANES)
        for (int k = 0; k < LANES; k++) {
            const float d = a[i + k] - b[i + k];
            sums[k] += d * d;
        }
    for (; i < size; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    for (int k = 0; k < LANES; k++)
        sum += sums[k];
    return sum;
}

/* Do scale and orientation agree with a level surface? What is not known agrees. */
static bool is_alike(const Search *search, uint32_t feature, double depth_m) {
    const double scale = (double)search->to->features->scale[feature];
    const double angle = (double)search->to->features->orientation[feature];
    AqmLevelWarp warp;
    if (!aqm_level_warp(&search->rays, search->to->view, depth_m, &warp))
        return false;
    const double *A = warp.A, area = fabs(A[0] * A[3] - A[1] * A[2]);
    const double ratio = scale / (search->scale * sqrt(area));
    if (ratio > scale_most || ratio * scale_most < 1.0)
        return false;
    const double *d = search->direction;
    const double turned = atan2(A[2] * d[0] + A[3] * d[1], A[0] * d[0] + A[1] * d[1]);
    return !(fabs(remainder(turned - angle, 6.283185307179586)) > turn_most_rad);
}

static void keep(AqmCandidates *out, const AqmCandidate *candidate) {
    for (int k = 0; k < out->count; k++)
        if (out->kept[k].feature == candidate->feature)
            return; /* near two pieces */
    int place = out->count < AQM_MATCH_KEPT ? out->count++ : AQM_MATCH_KEPT;
    for (; place > 0 && candidate->distance < out->kept[place - 1].distance; place--)
        if (place < AQM_MATCH_KEPT)
            out->kept[place] = out->kept[place - 1];
    if (place < AQM_MATCH_KEPT)
        out->kept[place] = *candidate;
}

static void visit_cell(Search *search, int piece, size_t cell) {
    const AqmFeatures *own = search->from->features, *other = search->to->features;
    const size_t size = (size_t)own->descriptor_size;
    for (uint32_t k = search->grid->first[cell]; k < search->grid->first[cell + 1]; k++) {
        const uint32_t feature = search->grid->order[k];
        const float *position = other->position + 2 * (size_t)feature;
        AqmCandidate candidate = {.feature = feature};
        const double off = aqm_curve_distance(&search->curve, piece, (double)position[0],
                                              (double)position[1], &candidate.depth_m);
        if (off > search->epipolar_px)
            continue;
        candidate.distance = distance2(own->descriptor + size * search->feature,
                                       other->descriptor + size * feature, (int)size);
        if (candidate.distance < AQM_MATCH_UNRELATED * AQM_MATCH_UNRELATED &&
            is_alike(search, feature, candidate.depth_m))
            keep(search->out, &candidate);
    }
}

static int limit(double value, int count) {
    return !(value >= 0.0) ? 0 : value >= count ? count - 1 : (int)value;
}

/* The cells within the distance of a piece, column by column (row by row for a steep piece). */
static void visit_piece(Search *search, int number) {
    const AqmFeatureGrid *grid = search->grid;
    const AqmCurvePiece *piece = &search->curve.pieces[number];
    const double run[2] = {fabs(piece->b[0] - piece->a[0]), fabs(piece->b[1] - piece->a[1])};
    const int main = run[0] >= run[1] ? 0 : 1, other = 1 - main;
    const int counts[2] = {grid->columns, grid->rows};
    const size_t pitch = (size_t)grid->columns;
    const double cell = grid->cell_px, wide = search->epipolar_px * 1.5; /* sqrt 2 across a slope */
    const double slope =
        run[main] > 0.0 ? (piece->b[other] - piece->a[other]) / (piece->b[main] - piece->a[main])
                        : 0.0;
    const double low = fmin(piece->a[main], piece->b[main]) - wide;
    const double high = fmax(piece->a[main], piece->b[main]) + wide;
    if (high < -0.5 || low > counts[main] * cell)
        return;
    const int from = limit((low + 0.5) / cell, counts[main]);
    const int to = limit((high + 0.5) / cell, counts[main]);
    for (int line = from; line <= to; line++) {
        const double left = fmax(line * cell - 0.5, low), right = fmin((line + 1) * cell, high);
        const double at_left = piece->a[other] + slope * (left - piece->a[main]);
        const double at_right = piece->a[other] + slope * (right - piece->a[main]);
        const double first = (fmin(at_left, at_right) - wide + 0.5) / cell;
        const double last = (fmax(at_left, at_right) + wide + 0.5) / cell;
        if (last < 0.0 || first >= counts[other])
            continue;
        for (int k = limit(first, counts[other]); k <= limit(last, counts[other]); k++)
            visit_cell(search, number,
                       main == 0 ? (size_t)k * pitch + (size_t)line
                                 : (size_t)line * pitch + (size_t)k);
    }
}

static void search_one(Search *search) {
    const AqmFeatures *own = search->from->features;
    const double u = (double)own->position[2 * search->feature],
                 v = (double)own->position[2 * search->feature + 1];
    const double angle = (double)own->orientation[search->feature];
    double depths_m[2];
    search->out->count = 0;
    search->scale = (double)own->scale[search->feature];
    search->direction[0] = cos(angle);
    search->direction[1] = sin(angle);
    if (aqm_pixel_rays(search->from->view, u, v, &search->rays) &&
        aqm_curve_depths(search->from->view, &search->rays.ray, &search->from->range, depths_m)) {
        aqm_curve_trace(&search->curve, search->to->view, &search->rays.ray, depths_m,
                        search->epipolar_px);
        for (int k = 0; k < search->curve.count; k++)
            visit_piece(search, k);
    }
    for (int k = 0; k < search->out->count; k++)
        search->out->kept[k].distance = sqrtf(search->out->kept[k].distance);
}

void aqm_match_search(const AqmMatchView *from, const AqmMatchView *to, const AqmFeatureGrid *grid,
                      double epipolar_px, int threads, AqmCandidates *out) {
    const ptrdiff_t count = (ptrdiff_t)from->features->count;
#pragma omp parallel for num_threads(aqm_thread_count(threads)) schedule(static, 64)
    for (ptrdiff_t k = 0; k < count; k++) {
        Search search;
        search.from = from;
        search.to = to;
        search.grid = grid;
        search.epipolar_px = epipolar_px;
        search.feature = (size_t)k;
        search.out = &out[k];
        search_one(&search);
    }
}
