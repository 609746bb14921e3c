/* How certain the mean of several depths of one place is. Their errors are not independent: they
 * come from the same images.
 *
 * In image i noise shifts what is matched by eta_i, a vector with variance tau^2 along each axis.
 * View A with sources s at p_s (horizontal positions of the cameras) finds the depth by least
 * squares over all of them; its error is, up to a factor that all views share,
 *
 *     e_A = sum_s (p_s - p_A) . (eta_s - eta_A) / sum_s |p_s - p_A|^2,
 *
 * a linear form in the eta of its own image and of its sources'. The mean of the agreeing views' is
 * one, too. The ratio of its variance to theirs,
 *
 *     share = var(mean_A e_A) / mean_A var(e_A),
 *
 * depends on where the cameras stand and which are matched, and on nothing else. For n cameras on a
 * ring, each matched with all others, it is 4 / (n + 2): 0.57 for five, where errors that are
 * independent would give 0.2. For twelve on a ring that are matched with their four nearest it is
 * 0.13, where independent errors would give 0.083. On rendered scenes with known truth it is 0.53
 * to 0.56 and 0.13.
 *
 * Which views agree on a point is taken to be: one and those nearest to it, each in turn, so that
 * there is one share for each number of views. All sources are taken to see the point.
 *
 * Where views differ by much more than their variances allow, those were too small. The misfit sum
 * w (e - mean)^2 with w = 1 / (2 variance) is n (1 - share) / 2 on average; up to CHANCE times that
 * the errors of fused points are found not to depend on it, and beyond to grow with it. */
#include "stages/fusion/fusion_errors.h"

#include <math.h>
#include <string.h>

/* Beyond so many views the share is taken to fall as 1 / n: the table costs the cube of them. */
enum { VIEWS = 24 };
/* 4 degrees of freedom, as five views have, exceed 3 times the mean once in 60 times. */
static const double CHANCE = 3.0;
/* Of 1 - share in the misfit's mean: a pair's views, which match the same images, differ too. */
static const double LEAST_APART = 0.25;

typedef struct Sources {
    uint8_t of[AQM_FUSION_VIEWS_MAX]
              [AQM_FUSION_VIEWS_MAX]; /* not 0: the view was matched with it */
} Sources;

/* The views by their distance from one of them, which comes first or ties with the first. */
static void sort_views(const AqmFusionView *views, size_t count, size_t center, size_t *sorted,
                       double *distances2) {
    const double *p = views[center].view->C;
    for (size_t i = 0; i < count; i++) {
        const double *q = views[i].view->C, x = q[0] - p[0], y = q[1] - p[1], far = x * x + y * y;
        size_t at = i;
        for (; at > 0 && distances2[at - 1] > far; at--)
            sorted[at] = sorted[at - 1], distances2[at] = distances2[at - 1];
        sorted[at] = i;
        distances2[at] = far;
    }
}

/* Marks what each view was matched with; of views as near as the last one, all. */
static void find_sources(const AqmFusionView *views, size_t count, size_t matched,
                         Sources *sources) {
    size_t sorted[AQM_FUSION_VIEWS_MAX];
    double distances2[AQM_FUSION_VIEWS_MAX];
    for (size_t a = 0; a < count; a++) {
        sort_views(views, count, a, sorted, distances2);
        const double limit2 = distances2[matched < count ? matched : count - 1] * (1.0 + 1e-9);
        for (size_t i = 0; i < count; i++)
            sources->of[a][sorted[i]] = sorted[i] != a && distances2[i] <= limit2;
    }
}

/* The error of one view as a linear form: two factors for each of all views, those of its sources
 * and its own. false if it has no source. */
static bool error_of(const AqmFusionView *views, size_t count, size_t a, const uint8_t *is_source,
                     double form[][2]) {
    double sum = 0.0;
    const double *p = views[a].view->C;
    memset(form, 0, count * sizeof *form);
    for (size_t s = 0; s < count; s++)
        for (int i = 0; i < 2 && is_source[s]; i++) {
            const double baseline = views[s].view->C[i] - p[i];
            form[s][i] = baseline;
            form[a][i] -= baseline;
            sum += baseline * baseline;
        }
    for (size_t s = 0; s < count && sum > 0.0; s++)
        form[s][0] /= sum, form[s][1] /= sum;
    return sum > 0.0;
}

static double variance_of(double form[][2], size_t count) {
    double sum = 0.0;
    for (size_t s = 0; s < count; s++)
        sum += form[s][0] * form[s][0] + form[s][1] * form[s][1];
    return sum;
}

/* The share of the first n views of `sorted`, weighted as fusion_vote.c has it with the first as
 * the reference, if only the views in `seen` see the place; 1 if none has a source among them. */
static double share_of(const AqmFusionView *views, size_t count, const size_t *sorted, size_t n,
                       const Sources *sources) {
    double mean[AQM_FUSION_VIEWS_MAX][2] = {{0.0}}, form[AQM_FUSION_VIEWS_MAX][2];
    double variances = 0.0, weights = 0.0, reference = 0.0;
    for (size_t k = 0; k < n; k++) {
        if (!error_of(views, count, sorted[k], sources->of[sorted[k]], form))
            continue;
        const double variance = variance_of(form, count);
        reference = reference > 0.0 ? reference : variance;
        const double weight = 1.0 / (variance + reference);
        variances += weight * variance;
        weights += weight;
        for (size_t s = 0; s < count; s++)
            mean[s][0] += weight * form[s][0], mean[s][1] += weight * form[s][1];
    }
    return weights > 0.0 ? variance_of(mean, count) / (weights * variances) : 1.0;
}

/* Over all views, each with those nearest to it. */
static double mean_share(const AqmFusionView *views, size_t count, size_t n,
                         const Sources *sources) {
    size_t sorted[AQM_FUSION_VIEWS_MAX];
    double distances2[AQM_FUSION_VIEWS_MAX], sum = 0.0;
    for (size_t center = 0; center < count; center++) {
        sort_views(views, count, center, sorted, distances2);
        sum += share_of(views, count, sorted, n, sources);
    }
    return sum / (double)count;
}

static void set_count(AqmFusionErrors *errors, int n, double share) {
    const double apart = fmax(1.0 - share, LEAST_APART);
    errors->share[n] = (float)share;
    errors->doubt[n] = (float)(2.0 / (CHANCE * n * apart));
}

void aqm_fusion_errors_init(AqmFusionErrors *errors, const AqmFusionView *views, size_t view_count,
                            int matched_views) {
    Sources sources;
    double share = 1.0;
    find_sources(views, view_count, matched_views ? (size_t)matched_views : view_count, &sources);
    *errors = (AqmFusionErrors){.share = {1.0f, 1.0f}};
    for (size_t n = 2; n <= AQM_FUSION_VIEWS_MAX; n++) {
        if (n <= VIEWS && n <= view_count) /* more views never make it worse */
            share = fmin(share, mean_share(views, view_count, n, &sources));
        else
            share *= (double)(n - 1) / (double)n;
        set_count(errors, (int)n, share);
    }
}
