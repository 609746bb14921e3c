/* The bed below a view from the points that lie in its image.
 *
 * The plane h = a + g . (X, Y) through the points by least squares, if that leaves less than KEPT
 * of the range of their h, else a level one; r is what a point lies below it.
 *
 * Robust ends of r. Sorted, the outermost 0.5 % (at least one) are looked through: what lies beyond
 * a gap is chance, unless it is itself a body, with no such gap in max(7, 0.25 %) points in a row.
 * A gap is 10 % of the range of the others (a mound may end in a few points 5 % apart), or ten
 * times the mean distance of even values, which chance exceeds once in e^10. The tail of a bed that
 * rises and falls smoothly has no gap and stays whole.
 *
 * Points of another source (a coarse depth map) reach where matches do not, but are less exact.
 * Ends are sought among them by themselves, so that a body that few matches show is not lost among
 * the many, and the wider ones count.
 *
 * Elsewhere. How far r may be from that of a point at a distance d is what pairs of points tell:
 * G(d) is the 98.5th percentile of |r_i - r_j| over the pairs at about that distance, and never
 * falls with it (the square root of a structure function, with a percentile for the mean). The
 * other points have a G of their own, from pairs of one of them and a matched one: at d = 0 it is
 * what they are off by, and what they blur is in it. G(0) is that of pairs up close. Each of
 * the NEAREST points i of a place says that r lies in r_i - G(d_i) .. r_i + G(d_i); the medians of
 * what they say hold, within the ends of all. At the rim of the image, where no other camera looks,
 * this is a third narrower than the ends alone. */
#include "stages/matching/bed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/geometry.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "math/solve.h"

enum { BODY = 7, NEAREST = 6, PAIRED = 700, LEVELS = 256, FEWEST_PAIRS = 20 };
static const double CUT = 0.005, BODY_SHARE = 0.0025, GAP_SHARE = 0.1, GAPS = 10.0;
static const double KEPT = 0.7, PERCENTILE = 0.985;
static const float CLOSE = 0.2f; /* of a bin: 10 to 20 mm below a tank's cameras */

static bool is_in_image(const AqmView *view, const double point[3]) {
    double pixel[2];
    return aqm_view_project_fast(view, point, pixel) && pixel[0] >= -0.5 && pixel[1] >= -0.5 &&
           pixel[0] < view->width - 0.5 && pixel[1] < view->height - 0.5;
}

static void add(AqmBed *bed, const AqmView *view, const double point[3]) {
    double *to = bed->point + 3 * bed->count;
    if (!is_in_image(view, point))
        return;
    to[0] = point[0] - view->C[0], to[1] = point[1] - view->C[1], to[2] = point[2] - view->water_z;
    bed->count++;
}

static void collect(AqmBed *bed, const AqmTracks *tracks, const AqmCloud *others,
                    const AqmView *view) {
    for (size_t i = 0; i < tracks->count; i++)
        add(bed, view, tracks->position + 3 * i);
    bed->matched = bed->count;
    for (size_t i = 0; others && i < others->count; i++) {
        const float *at = others->position + 3 * i;
        const double point[3] = {(double)at[0], (double)at[1], (double)at[2]};
        add(bed, view, point);
    }
    if (bed->count - bed->matched < AQM_BED_FEWEST)
        bed->count = bed->matched;
}

/* ---- the plane and the ends ------------------------------------------------------------------ */

static int by_value(const void *left, const void *right) {
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* How many of `most` values from `end` on (every `step`-th, inwards) are chance. */
static size_t strays(const double *end, ptrdiff_t step, size_t most, size_t body, double gap) {
    size_t found = 0, run = 1;
    for (size_t i = 1; i <= most && run < body; i++) {
        const ptrdiff_t at = (ptrdiff_t)i * step;
        const bool is_gap = fabs(end[at] - end[at - step]) > gap;
        run = is_gap ? 1 : run + 1;
        found = is_gap ? i : found;
    }
    return found;
}

static double rest(const double plane[3], const double point[3]) {
    return point[2] - (plane[0] * point[0] + plane[1] * point[1] + plane[2]);
}

/* The robust ends of `count` values; leaves them sorted. */
static void find_ends_of(double *sorted, size_t count, double *low, double *high) {
    const double n = (double)count;
    const size_t cut = (size_t)fmax(1.0, CUT * n), body = (size_t)fmax(BODY, BODY_SHARE * n);
    const double *last = sorted + count - 1;
    qsort(sorted, count, sizeof *sorted, by_value);
    const double gap = fmax(GAP_SHARE, GAPS / n) * (*(last - cut) - sorted[cut]);
    *low = sorted[strays(sorted, 1, cut, body, gap)];
    *high = *(last - strays(last, -1, cut, body, gap));
}

/* The ends of r for the plane that is set, by the matched points and the others each for
 * themselves: a body that few of the first show is not lost among the many. */
static void find_ends(AqmBed *bed) {
    for (size_t i = 0; i < bed->count; i++)
        bed->rest[i] = rest(bed->plane, bed->point + 3 * i);
    find_ends_of(bed->rest, bed->matched, &bed->low, &bed->high);
    if (bed->matched == bed->count)
        return;
    double low, high;
    find_ends_of(bed->rest + bed->matched, bed->count - bed->matched, &low, &high);
    bed->low = fmin(bed->low, low), bed->high = fmax(bed->high, high);
}

/* The plane through the points that lie between the ends; false where they do not tell it. */
static bool fit_plane(const AqmBed *bed, double plane[3]) {
    double A[9] = {0}, b[3] = {0};
    for (size_t i = 0; i < bed->count; i++) {
        const double *point = bed->point + 3 * i, r = rest(bed->plane, point);
        const double row[3] = {point[0], point[1], 1.0};
        if (r < bed->low || r > bed->high)
            continue;
        for (int j = 0; j < 3; j++) {
            b[j] += row[j] * point[2];
            for (int k = 0; k < 3; k++)
                A[3 * j + k] += row[j] * row[k];
        }
    }
    return aqm_solve_spd(A, b, 3, plane);
}

static void find_plane(AqmBed *bed) {
    find_ends(bed);
    AqmBed sloping = *bed;
    if (!fit_plane(bed, sloping.plane))
        return;
    find_ends(&sloping);
    if (!fit_plane(&sloping, sloping.plane))
        return;
    find_ends(&sloping);
    if (sloping.high - sloping.low < KEPT * (bed->high - bed->low))
        *bed = sloping;
}

/* ---- how it goes on -------------------------------------------------------------------------- */

static double distance(const double a[3], const double b[3]) {
    const double dx = a[0] - b[0], dy = a[1] - b[1];
    return sqrt(dx * dx + dy * dy);
}

static bool is_stray(const AqmBed *bed, size_t i) {
    return bed->rest[i] < bed->low || bed->rest[i] > bed->high;
}

/* Some of the points, none of them a stray. */
typedef struct Sample {
    int count;
    float x[PAIRED], y[PAIRED], r[PAIRED];
} Sample;

/* About PAIRED of the points first .. end - 1, at even steps. */
static void take_sample(const AqmBed *bed, size_t first, size_t end, Sample *sample) {
    const size_t step = (end - first) / PAIRED + 1;
    sample->count = 0;
    for (size_t i = first; i < end; i += step) {
        if (is_stray(bed, i))
            continue;
        sample->x[sample->count] = (float)bed->point[3 * i];
        sample->y[sample->count] = (float)bed->point[3 * i + 1];
        sample->r[sample->count++] = (float)bed->rest[i];
    }
}

/* Counts, by distance (of growth_m: up close, then one each bin_m) and size, how much r changes
 * from point i of a sample to the first `count` of another. */
static void count_changes(const AqmBed *bed, const Sample *from, int i, const Sample *to, int count,
                          uint32_t changes[(AQM_BED_BINS + 1) * LEVELS]) {
    const float per_bin = (float)(1.0 / bed->bin_m);
    const float per_level = (float)((LEVELS - 1) / fmax(bed->high - bed->low, 1e-9));
    uint16_t at[PAIRED];
    for (int j = 0; j < count; j++) { /* in vectors */
        const float dx = to->x[j] - from->x[i], dy = to->y[j] - from->y[i];
        const float bins = sqrtf(dx * dx + dy * dy) * per_bin;
        const float change = fabsf(to->r[j] - from->r[i]) * per_level;
        const int bin = 1 + (int)(bins < AQM_BED_BINS ? bins : AQM_BED_BINS - 1);
        const int level = 1 + (int)(change < LEVELS - 2 ? change : LEVELS - 2);
        at[j] = (uint16_t)((bins < CLOSE ? 0 : bin) * LEVELS + level);
    }
    for (int j = 0; j < count; j++)
        changes[at[j]]++;
}

/* growth_m: of the points first .. end - 1. */
static void find_growth(const AqmBed *bed, size_t first, size_t end,
                        double growth_m[AQM_BED_BINS + 1]) {
    uint32_t changes[(AQM_BED_BINS + 1) * LEVELS];
    Sample sample, matched;
    double most = 0.0;
    memset(changes, 0, sizeof changes);
    take_sample(bed, 0, bed->matched, &matched);
    take_sample(bed, first, end, &sample);
    for (int i = 0; i < sample.count; i++)
        count_changes(bed, &sample, i, &matched, first == 0 ? i : matched.count, changes);
    for (int k = 0; k <= AQM_BED_BINS; k++) {
        const uint32_t *of_bin = changes + k * LEVELS;
        uint32_t pairs = 0, below = 0;
        int level = 0;
        for (int i = 0; i < LEVELS; i++)
            pairs += of_bin[i];
        while (below + of_bin[level] < PERCENTILE * pairs && level < LEVELS - 1)
            below += of_bin[level++];
        if (pairs >= FEWEST_PAIRS)
            most = fmax(most, level * (bed->high - bed->low) / (LEVELS - 1));
        growth_m[k] = most;
    }
}

static void find_growths(AqmBed *bed) {
    double farthest = 0.0;
    for (size_t i = 0; i < bed->count; i++) /* twice the radius about one of them: far enough */
        farthest = fmax(farthest, distance(bed->point, bed->point + 3 * i));
    bed->bin_m = fmax(2.0 * farthest, 1e-9) / AQM_BED_BINS;
    find_growth(bed, 0, bed->matched, bed->growth_m[0]);
    if (bed->matched < bed->count)
        find_growth(bed, bed->matched, bed->count, bed->growth_m[1]);
}

static double growth(const AqmBed *bed, const double growth_m[AQM_BED_BINS + 1],
                     double distance_m) {
    const double bins = distance_m / bed->bin_m;
    if (!(bins < AQM_BED_BINS))
        return growth_m[AQM_BED_BINS];
    const int k = (int)bins;
    return growth_m[k] + (bins - k) * (growth_m[k + 1] - growth_m[k]);
}

/* Room for the points without strays is that of all. */
static AqmStatus index_points(AqmBed *bed, AqmDiag *diag) {
    float *flat = aqm_alloc(bed->count, 3 * sizeof *flat);
    bed->near_rest = aqm_alloc(bed->count, sizeof *bed->near_rest);
    size_t count = 0;
    for (size_t i = 0; flat && bed->near_rest && i < bed->count; i++) {
        if (is_stray(bed, i))
            continue;
        flat[3 * count] = (float)bed->point[3 * i],
                 flat[3 * count + 1] = (float)bed->point[3 * i + 1];
        flat[3 * count + 2] = 0.0f;
        bed->near_rest[count++] = bed->rest[i];
        bed->near_matched += i < bed->matched;
    }
    const AqmStatus status =
        flat && bed->near_rest
            ? aqm_neighbors_create(&bed->near, flat, count, 1, diag)
            : aqm_fail_memory(diag, "a depth range", bed->count, 3 * sizeof *flat + 8);
    aqm_free(flat);
    return status;
}

void aqm_bed_ends(const AqmBed *bed, double x, double y, double *low, double *high) {
    const float place[3] = {(float)x, (float)y, 0.0f};
    uint32_t nearest[NEAREST];
    float distances2[NEAREST];
    double lows[NEAREST], highs[NEAREST];
    int found = 0;
    *low = bed->low, *high = bed->high;
    if (aqm_neighbors_nearest(bed->near, place, NEAREST, nearest, distances2, &found, NULL) !=
            AQM_OK ||
        found == 0)
        return;
    for (int i = 0; i < found; i++) {
        const int kind = nearest[i] >= bed->near_matched;
        const double more = growth(bed, bed->growth_m[kind], sqrt((double)distances2[i]));
        lows[i] = bed->near_rest[nearest[i]] - more;
        highs[i] = bed->near_rest[nearest[i]] + more;
    }
    qsort(lows, (size_t)found, sizeof *lows, by_value);
    qsort(highs, (size_t)found, sizeof *highs, by_value);
    *low = fmax(*low, lows[(found - 1) / 2]);
    *high = fmin(*high, highs[found / 2]);
}

AqmStatus aqm_bed_create(AqmBed *bed, const AqmTracks *tracks, const AqmCloud *others,
                         const AqmView *view, AqmDiag *diag) {
    const size_t most = tracks->count + (others ? others->count : 0);
    *bed = (AqmBed){.point = aqm_alloc(most, 3 * sizeof *bed->point),
                    .rest = aqm_alloc(most, sizeof *bed->rest)};
    AqmStatus status = AQM_OK;
    if (!bed->point || !bed->rest) {
        status = aqm_fail_memory(diag, "a depth range", most, 4 * sizeof *bed->rest);
        goto done;
    }
    collect(bed, tracks, others, view);
    if (bed->matched < AQM_BED_FEWEST) {
        status = aqm_fail(diag, AQM_ERROR_NO_DATA,
                          "a depth range from %zu points in the image: at least %d are needed",
                          bed->matched, (int)AQM_BED_FEWEST);
        goto done;
    }
    find_plane(bed);
    for (size_t i = 0; i < bed->count; i++)
        bed->rest[i] = rest(bed->plane, bed->point + 3 * i);
    find_growths(bed);
    status = index_points(bed, diag);
done:
    if (status != AQM_OK)
        aqm_bed_free(bed);
    return status;
}

void aqm_bed_free(AqmBed *bed) {
    aqm_free(bed->point);
    aqm_free(bed->rest);
    aqm_free(bed->near_rest);
    aqm_neighbors_destroy(&bed->near);
    *bed = (AqmBed){0};
}
