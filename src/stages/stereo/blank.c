/* A window without texture says nothing about depth, and least squares makes of its noise a surface
 * that is several times as rough as elsewhere: the black squares of a board, a bare wall. But such
 * a patch ends somewhere, and its edge is measured. Where nearly all of the edge lies in one plane
 *
 *     d = a x + b y + c        (straight in disparity: flat in space, but for refraction)
 *
 * the patch most likely does too, and takes it. Where the edge lies in several planes some of it
 * belongs to something nearer, and which of them the patch goes on from is not known: it stays as
 * it is. So does a patch that is open to the border of the image or to missing pixels, as the
 * background of a board is: every edge it has may be the board's.
 *
 * Blank is a window whose variance is below `blank_ratio` times that of the image's noise
 * (worth.c). Patches are connected blank pixels, found as runs along the rows that touch. The plane
 * is a weighted least squares fit, repeated with Cauchy weights. A pixel of the edge weighs its
 * confidence over its variance: edges along the rays' images say little of depth and are off alike.
 * Cost: a sliding variance over the image; patches cost what their edges have of pixels.
 */
#include "stages/stereo/blank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "stages/stereo/worth.h"

enum { STRIP = 64, RIM = 4, SMALLEST = 25, LEAST_RIM = 12, FITS = 8 };
static const float blank_ratio = 4.0f;      /* three times the noise of contrast */
static const float least_confidence = 0.1f; /* hardly better than chance */
static const double tolerance_px = 0.75;    /* off by more: not of the plane */
static const double least_agreement = 0.9;  /* of the weight of the edge */
static const double most_leverage = 8.0;    /* the centre of the edge has 1, its corners about 4 */
static const float confidence_share = 0.5f; /* of the edge's: it is a guess */
static const double floor_px = 0.033;       /* as of a measurement (refine.c) */

typedef struct Run {
    int y, from, to; /* inclusive */
    size_t parent;   /* index of a run of the same patch, its own at the root */
} Run;

typedef struct Runs {
    Run *at;
    size_t count;
} Runs;

/* ---- blank pixels ---------------------------------------------------------------------------- */

/* Sums over the rows of a window, a column each. */
typedef struct Columns {
    int32_t *count, *sum, *squares;
} Columns;

/* Takes row `in` in and row `out` out; NULL where there is none. */
static void slide(const int16_t *restrict in, const int16_t *restrict out, int width,
                  const Columns *columns) {
    int32_t *restrict count = columns->count, *restrict sum = columns->sum;
    int32_t *restrict squares = columns->squares;
    for (int x = 0; in && x < width; x++) {
        const int32_t is_there = in[x] != AQM_GRAY_MISSING, value = is_there ? in[x] : 0;
        count[x] += is_there;
        sum[x] += value;
        squares[x] += value * value;
    }
    for (int x = 0; out && x < width; x++) {
        const int32_t is_there = out[x] != AQM_GRAY_MISSING, value = is_there ? out[x] : 0;
        count[x] -= is_there;
        sum[x] -= value;
        squares[x] -= value * value;
    }
}

static const int16_t *row_or_null(const AqmStereoImage *image, int y) {
    return y >= 0 && y < image->height ? image->gray + y * image->stride : NULL;
}

/* Marks the blank pixels of a row: variance below `limit`, half of the window present. */
static void mark_row(const AqmStereoImage *image, int y, const Columns *columns, int radius,
                     float limit, uint8_t *marks) {
    const int16_t *row = image->gray + y * image->stride;
    const int width = image->width, side = 2 * radius + 1;
    int32_t count = 0, sum = 0, squares = 0; /* 31 x 31 times 1024^2 fit */
    for (int x = -radius; x < width; x++) {
        if (x + radius < width) {
            count += columns->count[x + radius];
            sum += columns->sum[x + radius];
            squares += columns->squares[x + radius];
        }
        if (x < 0)
            continue;
        /* count^2 times the variance */
        const float spread = (float)((int64_t)count * squares - (int64_t)sum * sum);
        marks[x] = (2 * count > side * side) & (row[x] != AQM_GRAY_MISSING) &
                   (spread < limit * (float)count * (float)count);
        if (x >= radius) {
            count -= columns->count[x - radius];
            sum -= columns->sum[x - radius];
            squares -= columns->squares[x - radius];
        }
    }
}

static void mark_strip(const AqmStereoImage *image, int y0, int radius, float limit, int32_t *sums,
                       uint8_t *marks) {
    const size_t width = (size_t)image->width;
    const int y1 = y0 + STRIP < image->height ? y0 + STRIP : image->height;
    const Columns columns = {sums, sums + width, sums + 2 * width};
    memset(sums, 0, 3 * width * sizeof *sums);
    for (int y = y0 - radius; y < y0 + radius; y++)
        slide(row_or_null(image, y), NULL, image->width, &columns);
    for (int y = y0; y < y1; y++) {
        const int16_t *out = y > y0 ? row_or_null(image, y - radius - 1) : NULL;
        slide(row_or_null(image, y + radius), out, image->width, &columns);
        mark_row(image, y, &columns, radius, limit, marks + (size_t)y * width);
    }
}

/* `sums`: three rows for each strip. */
static void mark_blank(const AqmStereoImage *image, int radius, float noise, int threads,
                       int32_t *sums, uint8_t *marks) {
    const int strips = (image->height + STRIP - 1) / STRIP;
    const float limit = blank_ratio * noise * noise;
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
    for (int k = 0; k < strips; k++)
        mark_strip(image, k * STRIP, radius, limit, sums + 3 * (size_t)k * (size_t)image->width,
                   marks);
}

/* ---- patches --------------------------------------------------------------------------------- */

/* Goes through the runs of marks in a row; adds them if there is room. Returns their number. */
static size_t runs_of_row(const uint8_t *marks, int width, int y, Run *runs, size_t first) {
    size_t count = 0;
    const uint8_t *at = marks, *end = marks + width;
    while (at < end && (at = memchr(at, 1, (size_t)(end - at)))) {
        const uint8_t *stop = memchr(at, 0, (size_t)(end - at));
        stop = stop ? stop : end;
        if (runs)
            runs[count] = (Run){y, (int)(at - marks), (int)(stop - marks) - 1, first + count};
        count++;
        at = stop;
    }
    return count;
}

static size_t root_of(Run *runs, size_t at) {
    while (runs[at].parent != at) {
        runs[at].parent = runs[runs[at].parent].parent;
        at = runs[at].parent;
    }
    return at;
}

/* Joins the runs of a row, first .. end - 1, with those above that they touch. */
static void join_rows(Run *runs, size_t above, size_t first, size_t end) {
    for (size_t k = first; k < end; k++) {
        while (above < first && runs[above].to < runs[k].from)
            above++;
        for (size_t j = above; j < first && runs[j].from <= runs[k].to; j++) {
            const size_t a = root_of(runs, j), b = root_of(runs, k);
            runs[a < b ? b : a].parent = a < b ? a : b; /* the first run is the root */
        }
    }
}

static int by_patch(const void *left, const void *right) {
    const Run *a = left, *b = right;
    if (a->parent != b->parent)
        return a->parent < b->parent ? -1 : 1;
    if (a->y != b->y)
        return a->y < b->y ? -1 : 1;
    return a->from < b->from ? -1 : a->from > b->from;
}

/* All runs, those of a patch side by side. */
static AqmStatus find_runs(const AqmStereoImage *image, const uint8_t *marks, Runs *runs,
                           AqmDiag *diag) {
    const size_t width = (size_t)image->width;
    *runs = (Runs){0};
    for (int y = 0; y < image->height; y++)
        runs->count += runs_of_row(marks + (size_t)y * width, image->width, y, NULL, 0);
    if (runs->count == 0)
        return AQM_OK;
    runs->at = aqm_alloc(runs->count, sizeof *runs->at);
    if (!runs->at)
        return aqm_fail_memory(diag, "the blank patches of an image", runs->count, sizeof(Run));
    size_t above = 0, first = 0;
    for (int y = 0; y < image->height; y++) {
        const size_t end = first + runs_of_row(marks + (size_t)y * width, image->width, y,
                                               runs->at + first, first);
        join_rows(runs->at, above, first, end);
        above = first;
        first = end;
    }
    for (size_t k = 0; k < runs->count; k++)
        runs->at[k].parent = root_of(runs->at, k);
    qsort(runs->at, runs->count, sizeof *runs->at, by_patch);
    return AQM_OK;
}

/* ---- edges and planes ------------------------------------------------------------------------ */

typedef struct Point {
    float x, y, disparity;
    float weight, information; /* its confidence; 1 / sigma^2 */
} Point;

/* The surroundings of a patch, and what it is seen with. */
typedef struct Edge {
    const AqmStereoImage *image;
    const uint8_t *marks;
    const float *disparity, *sigma_px, *confidence;
    uint32_t *seen; /* of each pixel, the last patch that took it */
    Point *points;  /* room for all around the largest patch */
    size_t count;
    double blind; /* weight of what is not there */
} Edge;

static void add_point(Edge *edge, int x, int y, uint32_t patch) {
    const int width = edge->image->width;
    if (x < 0 || x >= width || y < 0 || y >= edge->image->height ||
        edge->image->gray[y * edge->image->stride + x] == AQM_GRAY_MISSING) {
        edge->blind += 1.0;
        return;
    }
    const size_t at = (size_t)y * (size_t)width + (size_t)x;
    if (edge->marks[at] || edge->seen[at] == patch)
        return;
    edge->seen[at] = patch;
    const float sigma = edge->sigma_px[at];
    if (!isnan(edge->disparity[at]) && edge->confidence[at] > least_confidence && sigma > 0.0f)
        edge->points[edge->count++] = (Point){(float)x, (float)y, edge->disparity[at],
                                              edge->confidence[at], 1.0f / (sigma * sigma)};
}

/* What lies within RIM pixels of a patch along rows and columns. */
static void gather_edge(Edge *edge, const Run *runs, size_t count, uint32_t patch) {
    edge->count = 0;
    edge->blind = 0.0;
    for (size_t k = 0; k < count; k++) {
        const Run *run = &runs[k];
        for (int d = 1; d <= RIM; d++) {
            add_point(edge, run->from - d, run->y, patch);
            add_point(edge, run->to + d, run->y, patch);
        }
        for (int x = run->from; x <= run->to; x++)
            for (int d = 1; d <= RIM; d++) {
                add_point(edge, x, run->y - d, patch);
                add_point(edge, x, run->y + d, patch);
            }
    }
}

/* d = p[0] (x - x0) + p[1] (y - y0) + p[2], and the inverse of the normal matrix. */
typedef struct Plane {
    double x0, y0, p[3], inverse[3][3];
    double weight, agreement, rms;
} Plane;

static double plane_at(const Plane *plane, double x, double y) {
    return plane->p[0] * (x - plane->x0) + plane->p[1] * (y - plane->y0) + plane->p[2];
}

/* Inverse of a symmetric matrix; false if it has (nearly) none. */
static bool invert(double a[3][3], double out[3][3]) {
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            const int r = (j + 1) % 3, s = (j + 2) % 3, c = (i + 1) % 3, e = (i + 2) % 3;
            out[i][j] = a[r][c] * a[s][e] - a[r][e] * a[s][c];
        }
    const double det = a[0][0] * out[0][0] + a[0][1] * out[1][0] + a[0][2] * out[2][0];
    if (!(det > 1e-9 * a[0][0] * a[1][1] * a[2][2]))
        return false;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            out[i][j] /= det;
    return true;
}

/* One weighted fit; what lies `scale_px` off the plane so far counts half (all alike if 0). */
static bool fit_once(const Edge *edge, double scale_px, Plane *plane) {
    double a[3][3] = {{0}}, b[3] = {0};
    for (size_t k = 0; k < edge->count; k++) {
        const Point *q = &edge->points[k];
        const double off =
            scale_px > 0.0 ? ((double)q->disparity - plane_at(plane, q->x, q->y)) / scale_px : 0.0;
        const double w = (double)(q->weight * q->information) / (1.0 + off * off);
        const double v[3] = {q->x - plane->x0, q->y - plane->y0, 1.0};
        for (int i = 0; i < 3; i++) {
            for (int j = 0; j < 3; j++)
                a[i][j] += w * v[i] * v[j];
            b[i] += w * v[i] * (double)q->disparity;
        }
    }
    if (!invert(a, plane->inverse))
        return false;
    plane->weight = a[2][2];
    for (int i = 0; i < 3; i++)
        plane->p[i] =
            plane->inverse[i][0] * b[0] + plane->inverse[i][1] * b[1] + plane->inverse[i][2] * b[2];
    return true;
}

/* Does the edge lie in a plane? */
static bool fit_plane(const Edge *edge, double tolerance, Plane *plane) {
    if (edge->count < LEAST_RIM)
        return false;
    double x = 0.0, y = 0.0;
    for (size_t k = 0; k < edge->count; k++) {
        x += (double)edge->points[k].x;
        y += (double)edge->points[k].y;
    }
    *plane = (Plane){.x0 = x / (double)edge->count, .y0 = y / (double)edge->count};
    for (int k = 0; k < FITS; k++)
        if (!fit_once(edge, k == 0 ? 0.0 : 0.5 * tolerance, plane))
            return false;
    double total = 0.0, agree = 0.0, squares = 0.0, confidence = 0.0;
    for (size_t k = 0; k < edge->count; k++) {
        const Point *q = &edge->points[k];
        const double off = (double)q->disparity - plane_at(plane, q->x, q->y);
        const double w = (double)(q->weight * q->information);
        confidence += (double)q->weight;
        total += w;
        agree += fabs(off) < tolerance ? w : 0.0;
        squares += fabs(off) < tolerance ? w * off * off : 0.0;
    }
    total += edge->blind * total / confidence;
    plane->agreement = agree / total;
    plane->rms = agree > 0.0 ? sqrt(squares / agree) : 0.0;
    return plane->agreement >= least_agreement;
}

/* Variance of the plane's value in units of that of its mean: grows with the distance from the
 * edge's centre. */
static double leverage(const Plane *plane, double x, double y) {
    const double v[3] = {x - plane->x0, y - plane->y0, 1.0};
    double sum = 0.0;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            sum += v[i] * plane->inverse[i][j] * v[j];
    return sum * plane->weight;
}

/* ---- filling --------------------------------------------------------------------------------- */

static float mean_confidence(const Edge *edge) {
    double sum = 0.0;
    for (size_t k = 0; k < edge->count; k++)
        sum += (double)edge->points[k].weight;
    return (float)(sum / (double)edge->count);
}

/* A patch lies off its plane by about as much as its edge does. */
static void fill_patch(const Edge *edge, const Plane *plane, const Run *runs, size_t count,
                       const AqmRefined *refined, float *confidence) {
    const float sigma = (float)sqrt(floor_px * floor_px + plane->rms * plane->rms);
    const float share = confidence_share * mean_confidence(edge);
    for (size_t k = 0; k < count; k++)
        for (int x = runs[k].from; x <= runs[k].to; x++) {
            const size_t at = (size_t)runs[k].y * (size_t)edge->image->width + (size_t)x;
            refined->disparity[at] = (float)plane_at(plane, x, runs[k].y);
            refined->sigma_px[at] = sigma;
            confidence[at] = share;
        }
}

/* A patch: runs that lie side by side, and how many pixels are at most around it. */
typedef struct Patch {
    const Run *runs;
    size_t count, area, most_around;
} Patch;

static Patch patch_at(const Runs *runs, size_t first) {
    Patch patch = {.runs = runs->at + first};
    for (size_t k = first; k < runs->count && runs->at[k].parent == runs->at[first].parent; k++) {
        const size_t length = (size_t)(runs->at[k].to - runs->at[k].from + 1);
        patch.count++;
        patch.area += length;
        patch.most_around += 2 * RIM * (length + 1);
    }
    return patch;
}

static void try_patch(Edge *edge, const Patch *patch, uint32_t number, double unit_px,
                      const AqmRefined *refined, float *confidence) {
    const Run *runs = patch->runs;
    gather_edge(edge, runs, patch->count, number);
    Plane plane;
    if (!fit_plane(edge, tolerance_px * unit_px, &plane))
        return;
    for (size_t k = 0; k < patch->count; k++) /* convex: largest at an end of a run */
        if (leverage(&plane, runs[k].from, runs[k].y) > most_leverage ||
            leverage(&plane, runs[k].to, runs[k].y) > most_leverage)
            return;
    fill_patch(edge, &plane, runs, patch->count, refined, confidence);
}

/* Edges are never blank, so no patch sees what another one was filled with. */
static AqmStatus fill_runs(const AqmStereoImage *image, const uint8_t *marks, const Runs *runs,
                           double unit_px, const AqmRefined *refined, float *confidence,
                           AqmDiag *diag) {
    const size_t pixels = (size_t)image->width * (size_t)image->height;
    size_t room = 0;
    for (size_t first = 0; first < runs->count;) {
        const Patch patch = patch_at(runs, first);
        if (patch.area >= SMALLEST && patch.most_around > room)
            room = patch.most_around;
        first += patch.count;
    }
    if (room == 0)
        return AQM_OK;
    Edge edge = {.image = image,
                 .marks = marks,
                 .disparity = refined->disparity,
                 .sigma_px = refined->sigma_px,
                 .confidence = confidence,
                 .seen = aqm_calloc(pixels, sizeof *edge.seen),
                 .points = aqm_alloc(room < pixels ? room : pixels, sizeof *edge.points)};
    AqmStatus status = AQM_OK;
    if (!edge.seen || !edge.points)
        status = aqm_fail_memory(diag, "the edges of blank patches", pixels, sizeof(Point));
    uint32_t number = 0;
    for (size_t first = 0; status == AQM_OK && first < runs->count;) {
        const Patch patch = patch_at(runs, first);
        if (patch.area >= SMALLEST)
            try_patch(&edge, &patch, ++number, unit_px, refined, confidence);
        first += patch.count;
    }
    aqm_free(edge.seen);
    aqm_free(edge.points);
    return status;
}

AqmStatus aqm_fill_blanks(const AqmStereoImage *image, int window, float unit_px,
                          const AqmRefined *refined, float *confidence, int threads,
                          AqmDiag *diag) {
    const size_t width = (size_t)image->width, height = (size_t)image->height;
    float noise;
    AQM_TRY(aqm_image_noise(image, &noise, diag));
    uint8_t *marks = aqm_alloc(width * height, 1);
    int32_t *sums = aqm_alloc(3 * ((height + STRIP - 1) / STRIP) * width, sizeof *sums);
    Runs runs = {0};
    AqmStatus status = AQM_OK;
    if (!marks || !sums)
        status = aqm_fail_memory(diag, "the blank pixels of an image", width * height, 1);
    if (status == AQM_OK) {
        mark_blank(image, window / 2, noise, threads, sums, marks);
        status = find_runs(image, marks, &runs, diag);
    }
    if (status == AQM_OK && runs.count > 0)
        status = fill_runs(image, marks, &runs, (double)unit_px, refined, confidence, diag);
    aqm_free(marks);
    aqm_free(sums);
    aqm_free(runs.at);
    return status;
}
