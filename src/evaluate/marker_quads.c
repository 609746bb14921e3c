/* Local threshold (box mean from an integral image), connected areas of runs (union-find, sides
 * only: a marker that touches a black square at a corner stays its own), the convex hull of each,
 * the quadrangle that is left when the hull's vertices are taken off by the area that they add,
 * and straight lines through the steepest points of its four edges.
 *
 * The outer edge of a marker is convex, so that its hull is all that is needed; what is white
 * within it does not matter. Cost: about 25 ns a pixel. */
#include "evaluate/marker_quads.h"

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"

static const float threshold_part = 0.04f; /* of the image's range */
static const double least_hull_part = 0.8; /* of the hull's area that the quadrangle holds */

/* Dark pixels x0..x1 of row y; `parent` leads to the run that stands for the area. */
typedef struct Run {
    int y, x0, x1;
    uint32_t parent;
} Run;

typedef struct Area {
    int x0, x1, y0, y1;
    uint32_t run_count, first; /* in the list of runs sorted by area */
} Area;

typedef struct Search {
    const AqmGrayPlane *plane;
    double *sums; /* (width + 1) (height + 1): of all above and left */
    Run *runs;
    size_t run_count, run_capacity;
    Area *areas;     /* per run: used at roots */
    uint32_t *order; /* runs, area by area, within each by row and column */
    double (*points)[2], (*hull)[2];
    double min_side;
} Search;

/* ---- dark runs ------------------------------------------------------------------------------- */

static void integrate(Search *s) {
    const size_t width = (size_t)s->plane->width, stride = width + 1;
    for (size_t x = 0; x < stride; x++)
        s->sums[x] = 0.0;
    for (size_t y = 0; y < (size_t)s->plane->height; y++) {
        double row = 0.0, *out = s->sums + (y + 1) * stride;
        out[0] = 0.0;
        for (size_t x = 0; x < width; x++) {
            row += (double)s->plane->value[y * width + x];
            out[x + 1] = out[x + 1 - stride] + row;
        }
    }
}

static bool is_dark(const Search *s, int x, int y, int half) {
    const AqmGrayPlane *p = s->plane;
    const int x0 = x > half ? x - half : 0, x1 = x + half < p->width ? x + half + 1 : p->width;
    const int y0 = y > half ? y - half : 0, y1 = y + half < p->height ? y + half + 1 : p->height;
    const size_t stride = (size_t)p->width + 1;
    const double *top = s->sums + (size_t)y0 * stride, *bottom = s->sums + (size_t)y1 * stride;
    const double sum = bottom[x1] - bottom[x0] - top[x1] + top[x0];
    const double mean = sum / ((double)(x1 - x0) * (double)(y1 - y0));
    const double value = (double)p->value[(size_t)y * (size_t)p->width + (size_t)x];
    return value < mean - (double)(threshold_part * p->range);
}

static AqmStatus add_run(Search *s, Run run, AqmDiag *diag) {
    if (s->run_count == s->run_capacity) {
        const size_t capacity = s->run_capacity ? 2 * s->run_capacity : 4096;
        Run *runs = aqm_realloc(s->runs, capacity, sizeof *runs);
        if (!runs)
            return aqm_fail_memory(diag, "dark areas of an image", capacity, sizeof *runs);
        s->runs = runs;
        s->run_capacity = capacity;
    }
    run.parent = (uint32_t)s->run_count;
    s->runs[s->run_count++] = run;
    return AQM_OK;
}

static uint32_t root_of(Run *runs, uint32_t i) {
    while (runs[i].parent != i) {
        runs[i].parent = runs[runs[i].parent].parent;
        i = runs[i].parent;
    }
    return i;
}

/* The smaller number stands for both: the same areas have the same roots. */
static void unite(Run *runs, size_t a, size_t b) {
    const uint32_t ra = root_of(runs, (uint32_t)a), rb = root_of(runs, (uint32_t)b);
    if (ra < rb)
        runs[rb].parent = ra;
    else
        runs[ra].parent = rb;
}

/* Joins the runs of a row, from `first` on, with those of the row before, from `above` on. */
static void join_rows(Search *s, size_t above, size_t first) {
    size_t a = above;
    for (size_t b = first; b < s->run_count; b++) {
        while (a < first && s->runs[a].x1 < s->runs[b].x0)
            a++;
        for (size_t k = a; k < first && s->runs[k].x0 <= s->runs[b].x1; k++)
            unite(s->runs, k, b);
    }
}

static AqmStatus find_runs(Search *s, int half, AqmDiag *diag) {
    size_t above = 0;
    for (int y = 0; y < s->plane->height; y++) {
        const size_t first = s->run_count;
        for (int x = 0; x < s->plane->width; x++) {
            if (!is_dark(s, x, y, half))
                continue;
            const int x0 = x;
            while (x + 1 < s->plane->width && is_dark(s, x + 1, y, half))
                x++;
            AQM_TRY(add_run(s, (Run){y, x0, x, 0}, diag));
        }
        join_rows(s, above, first);
        above = first;
    }
    return AQM_OK;
}

/* ---- areas ----------------------------------------------------------------------------------- */

static AqmStatus sort_into_areas(Search *s, AqmDiag *diag) {
    s->areas = aqm_calloc(s->run_count, sizeof *s->areas);
    s->order = aqm_alloc(s->run_count, sizeof *s->order);
    s->points = aqm_alloc(2 * s->run_count, sizeof *s->points);
    s->hull = aqm_alloc(2 * s->run_count + 2, sizeof *s->hull);
    if (!s->areas || !s->order || !s->points || !s->hull)
        return aqm_fail_memory(diag, "dark areas of an image", s->run_count, 80);
    for (size_t i = 0; i < s->run_count; i++) {
        const Run *run = &s->runs[i];
        Area *area = &s->areas[root_of(s->runs, (uint32_t)i)];
        if (area->run_count++ == 0)
            *area = (Area){run->x0, run->x1, run->y, run->y, 1, 0};
        area->x0 = run->x0 < area->x0 ? run->x0 : area->x0;
        area->x1 = run->x1 > area->x1 ? run->x1 : area->x1;
        area->y1 = run->y;
    }
    uint32_t first = 0;
    for (size_t i = 0; i < s->run_count; i++) {
        s->areas[i].first = first;
        first += s->areas[i].run_count;
        s->areas[i].run_count = 0;
    }
    for (size_t i = 0; i < s->run_count; i++) {
        Area *area = &s->areas[root_of(s->runs, (uint32_t)i)];
        s->order[area->first + area->run_count++] = (uint32_t)i;
    }
    return AQM_OK;
}

static double turn_of(const double a[2], const double b[2], const double c[2]) {
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
}

/* Andrew's monotone chain (1979) over the ends of the runs, which are sorted by row and column.
 * Returns the number of vertices; clockwise as seen, for rows go down. */
static size_t find_hull(Search *s, const Area *area) {
    size_t points = 0, count = 0;
    for (uint32_t k = 0; k < area->run_count; k++) {
        const Run *run = &s->runs[s->order[area->first + k]];
        s->points[points][0] = run->x0, s->points[points++][1] = run->y;
        if (run->x1 > run->x0)
            s->points[points][0] = run->x1, s->points[points++][1] = run->y;
    }
    for (int side = 0; side < 2; side++) {
        const size_t least = count + 2;
        for (size_t k = 0; k < points; k++) {
            const double *p = s->points[side == 0 ? k : points - 1 - k];
            while (count >= least && turn_of(s->hull[count - 2], s->hull[count - 1], p) <= 0.0)
                count--;
            memcpy(s->hull[count++], p, sizeof *s->hull);
        }
        count--; /* the last is the first of the other side */
    }
    return count;
}

static double area_of(const double (*polygon)[2], size_t count) {
    double twice = 0.0;
    for (size_t i = 0; i < count; i++) {
        const double *a = polygon[i], *b = polygon[(i + 1) % count];
        twice += a[0] * b[1] - a[1] * b[0];
    }
    return 0.5 * twice;
}

/* Takes vertices off until four are left, always the one that adds the least area. */
static void reduce_hull(double (*hull)[2], size_t count) {
    while (count > 4) {
        size_t best = 0;
        double least = INFINITY;
        for (size_t i = 0; i < count; i++) {
            const double adds =
                fabs(turn_of(hull[(i + count - 1) % count], hull[i], hull[(i + 1) % count]));
            if (adds < least)
                least = adds, best = i;
        }
        count--;
        for (size_t i = best; i < count; i++)
            hull[i][0] = hull[i + 1][0], hull[i][1] = hull[i + 1][1];
    }
}

/* ---- edges ----------------------------------------------------------------------------------- */

/* The steepest rise from dark to light within `reach` of a point, along n; NaN where there is none.
 */
static double find_step(const AqmGrayPlane *plane, const double at[2], const double n[2],
                        double reach) {
    enum { STEPS_MAX = 24 };
    const double step = 0.5;
    const int half = (int)fmin(ceil(reach / step), STEPS_MAX);
    double rise[2 * STEPS_MAX + 1], best = 0.0;
    int top = -1;
    for (int k = -half; k <= half; k++) {
        const double s = k * step, out = s + 0.6, in = s - 0.6;
        rise[k + half] = aqm_gray_sample(plane, at[0] + out * n[0], at[1] + out * n[1]) -
                         aqm_gray_sample(plane, at[0] + in * n[0], at[1] + in * n[1]);
        if (rise[k + half] > best)
            best = rise[k + half], top = k + half;
    }
    if (top <= 0 || top >= 2 * half)
        return (double)NAN;
    const double before = rise[top - 1], after = rise[top + 1];
    const double bend = before - 2.0 * best + after;
    if (!(bend < 0.0))
        return (double)NAN;
    return (top - half + 0.5 * (before - after) / bend) * step;
}

/* A line a x + b y = c with (a, b) of unit length. */
typedef struct Line {
    double a, b, c;
} Line;

/* Through the edge between two vertices; (a, b) points outwards. */
static bool fit_edge(const AqmGrayPlane *plane, const double p[2], const double q[2], Line *line) {
    enum { SAMPLES = 12 };
    const double dx = q[0] - p[0], dy = q[1] - p[1], length = hypot(dx, dy);
    const double n[2] = {dy / length, -dx / length}; /* clockwise as seen: outside is to the left */
    const double reach = fmin(fmax(0.12 * length, 1.5), 6.0);
    double xs[SAMPLES], ys[SAMPLES], mean[2] = {0.0, 0.0}, xx = 0.0, xy = 0.0, yy = 0.0;
    int found = 0;
    for (int k = 0; k < SAMPLES; k++) {
        const double t = 0.14 + 0.72 * k / (SAMPLES - 1.0);
        const double at[2] = {p[0] + t * dx + 0.5 * n[0], p[1] + t * dy + 0.5 * n[1]};
        const double s = find_step(plane, at, n, reach);
        if (isnan(s))
            continue;
        xs[found] = at[0] + s * n[0], ys[found] = at[1] + s * n[1];
        mean[0] += xs[found], mean[1] += ys[found];
        found++;
    }
    if (found < SAMPLES / 2)
        return false;
    mean[0] /= found, mean[1] /= found;
    for (int k = 0; k < found; k++) {
        const double x = xs[k] - mean[0], y = ys[k] - mean[1];
        xx += x * x, xy += x * y, yy += y * y;
    }
    const double angle = 0.5 * atan2(2.0 * xy, xx - yy); /* of the line */
    *line = (Line){-sin(angle), cos(angle), 0.0};
    if (line->a * n[0] + line->b * n[1] < 0.0)
        line->a = -line->a, line->b = -line->b;
    line->c = line->a * mean[0] + line->b * mean[1];
    return line->a * n[0] + line->b * n[1] > 0.9;
}

static bool intersect(const Line *p, const Line *q, double at[2]) {
    const double det = p->a * q->b - p->b * q->a;
    if (!(fabs(det) > 0.15)) /* 9 degrees */
        return false;
    at[0] = (p->c * q->b - p->b * q->c) / det;
    at[1] = (p->a * q->c - p->c * q->a) / det;
    return true;
}

static bool refine_quad(const AqmGrayPlane *plane, const double (*rough)[2], AqmQuad *quad) {
    Line lines[4];
    for (int k = 0; k < 4; k++)
        if (!fit_edge(plane, rough[k], rough[(k + 1) % 4], &lines[k]))
            return false;
    for (int k = 0; k < 4; k++) {
        if (!intersect(&lines[(k + 3) % 4], &lines[k], quad->corner[k]))
            return false;
        const double dx = quad->corner[k][0] - rough[k][0], dy = quad->corner[k][1] - rough[k][1];
        const double side =
            hypot(rough[(k + 1) % 4][0] - rough[k][0], rough[(k + 1) % 4][1] - rough[k][1]);
        if (!(hypot(dx, dy) < 2.0 + 0.15 * side))
            return false;
    }
    return true;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static bool has_long_sides(const double (*rough)[2], double min_side) {
    double shortest = INFINITY, longest = 0.0;
    for (int k = 0; k < 4; k++) {
        const double *a = rough[k], *b = rough[(k + 1) % 4];
        const double side = hypot(b[0] - a[0], b[1] - a[1]);
        shortest = fmin(shortest, side), longest = fmax(longest, side);
    }
    return shortest + 1.0 >= min_side && longest < 5.0 * shortest;
}

static AqmStatus add_quad(AqmQuads *quads, const AqmQuad *quad, AqmDiag *diag) {
    if (quads->count == quads->capacity) {
        const size_t capacity = quads->capacity ? 2 * quads->capacity : 256;
        AqmQuad *grown = aqm_realloc(quads->quads, capacity, sizeof *grown);
        if (!grown)
            return aqm_fail_memory(diag, "quadrangles of an image", capacity, sizeof *grown);
        quads->quads = grown;
        quads->capacity = capacity;
    }
    quads->quads[quads->count++] = *quad;
    return AQM_OK;
}

static AqmStatus take_area(Search *s, const Area *area, AqmQuads *quads, AqmDiag *diag) {
    const int wide = area->x1 - area->x0 + 1, high = area->y1 - area->y0 + 1;
    /* what reaches the border is cut off; a square lies within its box by half at least */
    if (area->run_count == 0 || wide < s->min_side || high < s->min_side || area->x0 == 0 ||
        area->y0 == 0 || area->x1 == s->plane->width - 1 || area->y1 == s->plane->height - 1)
        return AQM_OK;
    const size_t count = find_hull(s, area);
    if (count < 4)
        return AQM_OK;
    const double hull = area_of((const double(*)[2])s->hull, count);
    reduce_hull(s->hull, count);
    const double(*rough)[2] = (const double(*)[2])s->hull;
    AqmQuad quad;
    if (area_of(rough, 4) >= least_hull_part * hull && has_long_sides(rough, s->min_side) &&
        refine_quad(s->plane, rough, &quad))
        return add_quad(quads, &quad, diag);
    return AQM_OK;
}

AqmStatus aqm_quads_find(const AqmGrayPlane *plane, int half_window, double min_side,
                         AqmQuads *quads, AqmDiag *diag) {
    const size_t cells = ((size_t)plane->width + 1) * ((size_t)plane->height + 1);
    Search s = {.plane = plane, .min_side = min_side, .sums = aqm_alloc(cells, sizeof *s.sums)};
    if (!s.sums)
        return aqm_fail_memory(diag, "the sums of an image", cells, sizeof *s.sums);
    integrate(&s);
    AqmStatus status = find_runs(&s, half_window, diag);
    if (status == AQM_OK)
        status = sort_into_areas(&s, diag);
    for (size_t i = 0; i < s.run_count && status == AQM_OK; i++)
        status = take_area(&s, &s.areas[i], quads, diag);
    aqm_free(s.sums);
    aqm_free(s.runs);
    aqm_free(s.areas);
    aqm_free(s.order);
    aqm_free(s.points);
    aqm_free(s.hull);
    return status;
}

void aqm_quads_free(AqmQuads *quads) {
    aqm_free(quads->quads);
    *quads = (AqmQuads){0};
}
