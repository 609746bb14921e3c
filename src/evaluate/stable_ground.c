/* Change is what sticks together: means over windows that are larger than the noise explains, and
 * all around them that goes the same way.
 *
 * For windows of 5 x 5 and of 21 x 21 cells (less where that is a twelfth of the map): g, the mean
 * of the values that are known; s = 1.4826 times the median |g| of what counts as stable so far
 * (all, at first), which is right whatever the scale of the values and however their errors
 * correlate, as long as less than half has changed. Cells with |g| > 4 s are change, and so are
 * those with |g| > 2 s of the same sign that are connected with them (hysteresis, Canny 1986): a
 * mound's foot, which drowns in the noise, goes with its top. Repeated with the new s until no cell
 * changes. At last the change is widened by 3 and 5 cells. One window in 16000 of pure noise is
 * above 4 s: what is lost of the stable ground, and how much smaller its errors look, is below 1 %.
 *
 * A change of the same height everywhere is no change here: it cannot be told from an offset. Cost:
 * linear in cells. */
#include "evaluate/stable_ground.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "math/stats.h"

enum { ROUNDS = 10, SCALES = 2 };
static const int half_windows[SCALES] = {2, 10}, margins[SCALES] = {3, 5};
static const int narrowest = 24; /* a map's shorter side in half windows */
static const double strong = 4.0, weak = 2.0, fewest_known = 0.4;

typedef struct Ground {
    int columns, rows;
    const float *values;
    double *sum;     /* tables of sums, (columns + 1) x (rows + 1) */
    uint32_t *count; /* of what is known; later of what is marked */
    float *mean;     /* of the window about each cell; NaN = too little is known */
    double *sorted;  /* scratch for medians */
    uint8_t *marked; /* change at this scale */
    uint32_t *queue;
} Ground;

static size_t cell_count(const Ground *g) {
    return (size_t)g->columns * (size_t)g->rows;
}

static bool ground_alloc(Ground *g) {
    const size_t cells = cell_count(g);
    const size_t entries = ((size_t)g->columns + 1) * ((size_t)g->rows + 1);
    g->sum = aqm_calloc(entries, sizeof *g->sum);
    g->count = aqm_calloc(entries, sizeof *g->count);
    g->mean = aqm_alloc(cells, sizeof *g->mean);
    g->sorted = aqm_alloc(cells, sizeof *g->sorted);
    g->marked = aqm_calloc(cells, 1);
    g->queue = aqm_alloc(cells, sizeof *g->queue);
    return g->sum && g->count && g->mean && g->sorted && g->marked && g->queue;
}

static void ground_free(Ground *g) {
    aqm_free(g->sum);
    aqm_free(g->count);
    aqm_free(g->mean);
    aqm_free(g->sorted);
    aqm_free(g->marked);
    aqm_free(g->queue);
}

/* The four corners of the window of `half` about (i, j) in a table of sums. */
static void corners(const Ground *g, int i, int j, int half, size_t at[4]) {
    const size_t stride = (size_t)g->columns + 1;
    const size_t i0 = (size_t)(i > half ? i - half : 0), j0 = (size_t)(j > half ? j - half : 0);
    const size_t i1 = (size_t)(i + half < g->columns ? i + half + 1 : g->columns);
    const size_t j1 = (size_t)(j + half < g->rows ? j + half + 1 : g->rows);
    at[0] = j1 * stride + i1, at[1] = j0 * stride + i1;
    at[2] = j1 * stride + i0, at[3] = j0 * stride + i0;
}

/* The table of how often `flags` is set or, for NULL, of what is known, and its sum. */
static void fill_tables(Ground *g, const uint8_t *flags) {
    const size_t stride = (size_t)g->columns + 1;
    for (size_t j = 0; j < (size_t)g->rows; j++) {
        double sum = 0.0;
        uint32_t count = 0;
        for (size_t i = 0; i < (size_t)g->columns; i++) {
            const size_t cell = j * (size_t)g->columns + i, at = (j + 1) * stride + i + 1;
            const bool is_known = !isnan(g->values[cell]);
            count += flags ? flags[cell] : is_known;
            sum += is_known ? (double)g->values[cell] : 0.0;
            g->sum[at] = g->sum[at - stride] + sum;
            g->count[at] = g->count[at - stride] + count;
        }
    }
}

static int half_window(const Ground *g, int scale) {
    const int most = (g->columns < g->rows ? g->columns : g->rows) / narrowest;
    const int half = half_windows[scale] < most ? half_windows[scale] : most;
    return half < half_windows[0] ? half_windows[0] : half;
}

static void window_means(Ground *g, int half) {
    const double fewest = fewest_known * (2 * half + 1) * (2 * half + 1);
    for (int j = 0; j < g->rows; j++)
        for (int i = 0; i < g->columns; i++) {
            const size_t cell = (size_t)j * (size_t)g->columns + (size_t)i;
            size_t at[4];
            corners(g, i, j, half, at);
            const uint32_t n =
                g->count[at[0]] - g->count[at[1]] - g->count[at[2]] + g->count[at[3]];
            const double sum = g->sum[at[0]] - g->sum[at[1]] - g->sum[at[2]] + g->sum[at[3]];
            g->mean[cell] = isnan(g->values[cell]) || n < fewest ? NAN : (float)(sum / n);
        }
}

/* s of what is not marked; 0 where nothing is left. */
static double scale_of_rest(Ground *g) {
    size_t count = 0;
    for (size_t c = 0; c < cell_count(g); c++)
        if (!g->marked[c] && !isnan(g->mean[c]))
            g->sorted[count++] = fabs((double)g->mean[c]);
    return count > 0 ? 1.4826 * aqm_percentile_f64(g->sorted, count, 50.0) : 0.0;
}

static void mark(Ground *g, uint32_t cell, size_t *queued) {
    g->marked[cell] = 1;
    g->queue[(*queued)++] = cell;
}

/* Marks what is connected, by sides, with the first `queued` cells of the queue. */
static void spread(Ground *g, double least, size_t queued) {
    for (size_t k = 0; k < queued; k++) {
        const uint32_t cell = g->queue[k], width = (uint32_t)g->columns;
        const uint32_t i = cell % width, j = cell / width;
        const bool is_inside[4] = {i > 0, i + 1 < width, j > 0, j + 1 < (uint32_t)g->rows};
        const uint32_t next[4] = {cell - 1, cell + 1, cell - width, cell + width};
        for (int n = 0; n < 4; n++) {
            if (!is_inside[n] || g->marked[next[n]])
                continue;
            const double mean = (double)g->mean[next[n]];
            if (fabs(mean) > least && mean * (double)g->mean[cell] > 0.0) /* false for NaN */
                mark(g, next[n], &queued);
        }
    }
}

static void mark_change(Ground *g) {
    for (int round = 0; round < ROUNDS; round++) {
        const double s = scale_of_rest(g);
        size_t queued = 0, before = 0, after = 0;
        for (size_t c = 0; c < cell_count(g); c++) {
            before += g->marked[c];
            g->marked[c] = 0;
        }
        for (size_t c = 0; c < cell_count(g); c++)
            if (fabs((double)g->mean[c]) > strong * s)
                mark(g, (uint32_t)c, &queued);
        spread(g, weak * s, queued);
        for (size_t c = 0; c < cell_count(g); c++)
            after += g->marked[c];
        if (after == before && round > 0)
            break;
    }
}

static void take_away(Ground *g, int margin, uint8_t *stable) {
    fill_tables(g, g->marked);
    for (int j = 0; j < g->rows; j++)
        for (int i = 0; i < g->columns; i++) {
            size_t at[4];
            corners(g, i, j, margin, at);
            if (g->count[at[0]] - g->count[at[1]] - g->count[at[2]] + g->count[at[3]] > 0)
                stable[(size_t)j * (size_t)g->columns + (size_t)i] = 0;
        }
}

AqmStatus aqm_stable_ground(const float *values, int columns, int rows, uint8_t *stable,
                            AqmDiag *diag) {
    Ground g = {.columns = columns, .rows = rows, .values = values};
    if (!ground_alloc(&g)) {
        ground_free(&g);
        return aqm_fail_memory(diag, "where a map changed", cell_count(&g), 33);
    }
    for (size_t c = 0; c < cell_count(&g); c++)
        stable[c] = (uint8_t)!isnan(values[c]);
    for (int k = 0; k < SCALES; k++) {
        memset(g.marked, 0, cell_count(&g));
        fill_tables(&g, NULL);
        window_means(&g, half_window(&g, k));
        mark_change(&g);
        take_away(&g, margins[k], stable);
    }
    ground_free(&g);
    return AQM_OK;
}
