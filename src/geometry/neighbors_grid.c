/* Mean distances to the nearest neighbours of all points of a cloud that is a surface, more or
 * less, by a grid.
 *
 * The points are sorted into square cells over the plane of the two axes along which they reach
 * farthest. By the density of the surface, a circle with the width of a cell as its radius holds
 * WANTED times the neighbours asked for. The points of a cell are compared with those of the 3 x 3
 * cells around it, which are copied side by side: where enough lie within a cell's width, the
 * nearest of them are the neighbours. Where not, 5 x 5 cells are looked through, 9 x 9, and so on;
 * the few points that have too few even so ask the tree (neighbors.c). Most points have their
 * neighbours about as far away as the point before them, and few others as near (LIKELY): a sorting
 * network then tells which they are.
 *
 * What lies outside of the grid counts to its outermost cells, so that no two points are farther
 * apart in cells than in space, and the answer is exact (REACH leaves room for rounding). A cloud
 * that fills a volume, lies in heaps, or is small is left to the tree altogether
 * (neighbors_mean.c): the answers differ by the rounding of a float.
 *
 * Cost: on a surface and for k = 20 about 0.12 us a point, and 0.03 us for sorting it. Memory: 20
 * bytes a point, and 8 a cell. */
#include <assert.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "geometry/neighbors_tree.h"
#include "kernels/nearest_kernels.h"
#include "math/stats.h"

enum {
    SAMPLES = 4096,       /* of points that tell the extent and the density */
    SAMPLES_A_CELL = 16,  /* where they lie evenly */
    TRIALS = 128,         /* points that tell how often 3 x 3 cells are not enough */
    MOST_FAILED = 32,     /* of these */
    MOST_COMPARED = 200,  /* points with each, on average */
    WIDEST = 64,          /* cells before and behind the middle */
    ROOM = 4096,          /* points near one, in a window of more than 3 x 3 cells */
    FEWEST = 2 * SAMPLES, /* points; fewer are not worth a grid */
    NO_CELL = -1
};
static const double WANTED = 1.3;
static const double SLENDER = 1e-3; /* a cloud of less than this width to its length is a line */
static const float REACH = 0.99f;   /* of a cell's width */
static const float LEFT_OVER = -1.0f;
/* Squared distance to look within, to that of the last neighbour of the point before. */
static const float LIKELY = 1.25f;
/* As neighbors.c. */
static const float FARTHEST = 1e18f;

/* Where cells lie. */
typedef struct Layout {
    int axes[2];
    float low[2], cell_m;
    int32_t columns, rows;
} Layout;

typedef struct Grid {
    Layout layout;
    size_t count, usable;
    size_t *first;      /* of the points of each cell; one more cell behind the last */
    float *coordinates; /* x of all usable points by cells and the padding, then y, then z */
    uint32_t *indices;  /* of the points by cells */
    size_t widest;      /* points in 3 x 3 cells */
} Grid;

/* What a thread works with. */
typedef struct Searcher {
    const Grid *grid;
    const AqmNearestKernels *kernels;
    size_t k;         /* neighbours counted, and the point itself */
    float *window[3]; /* the points of 3 x 3 cells */
    size_t window_count;
    float *distances2;
    float likely2; /* within which the neighbours of the next point may lie, and few others */
    AqmNearest one_by_one;
} Searcher;

static bool is_usable(const float p[3]) {
    return fabsf(p[0]) <= FARTHEST && fabsf(p[1]) <= FARTHEST && fabsf(p[2]) <= FARTHEST;
}

/* ---- the cells ------------------------------------------------------------------------------- */

static int32_t step_of(float coordinate, float low, float cell_m, int32_t steps) {
    const float at = (coordinate - low) / cell_m, last = (float)(steps - 1);
    return at > 0.0f ? at < last ? (int32_t)at : steps - 1 : 0;
}

static int32_t cell_of(const Layout *layout, const float p[3]) {
    const int32_t i = step_of(p[layout->axes[0]], layout->low[0], layout->cell_m, layout->columns);
    const int32_t j = step_of(p[layout->axes[1]], layout->low[1], layout->cell_m, layout->rows);
    return j * layout->columns + i;
}

typedef struct Samples {
    size_t count;
    float of[3][SAMPLES];
} Samples;

/* Evenly spaced in the order of the points. */
static void choose_samples(const float *points, size_t count, Samples *samples) {
    samples->count = 0;
    for (size_t k = 0; k < SAMPLES; k++) {
        const float *p = points + 3 * ((2 * k + 1) * count / (2 * (size_t)SAMPLES));
        if (!is_usable(p))
            continue;
        for (int a = 0; a < 3; a++)
            samples->of[a][samples->count] = p[a];
        samples->count++;
    }
}

/* The extent along an axis of all but a few strays. */
static void find_extent(const Samples *samples, int axis, float *low, float *high) {
    float values[SAMPLES];
    const size_t cut = samples->count / 100;
    memcpy(values, samples->of[axis], samples->count * sizeof *values);
    *low = aqm_select_f32(values, samples->count, cut);
    *high = aqm_select_f32(values, samples->count, samples->count - 1 - cut);
    const float margin = 0.05f * (*high - *low);
    *low -= margin;
    *high += margin;
}

static bool set_cells(Layout *layout, const float extent_m[2], double cell_m, double most_cells) {
    const double columns = floor((double)extent_m[0] / cell_m) + 1.0;
    const double rows = floor((double)extent_m[1] / cell_m) + 1.0;
    if (!(columns * rows <= most_cells))
        return false;
    layout->cell_m = (float)cell_m;
    layout->columns = (int32_t)columns;
    layout->rows = (int32_t)rows;
    return true;
}

/* How many samples share a cell with one: the median over the samples. */
static double median_share(const Layout *layout, const Samples *samples, float *shares) {
    float counts[SAMPLES] = {0};
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < samples->count; i++) {
            const float p[3] = {samples->of[0][i], samples->of[1][i], samples->of[2][i]};
            const int32_t cell = cell_of(layout, p);
            if (pass == 0)
                counts[cell] += 1.0f;
            else
                shares[i] = counts[cell];
        }
    return (double)aqm_select_f32(shares, samples->count, samples->count / 2);
}

/* false where a grid would not do. */
static bool choose_layout(const float *points, size_t count, size_t neighbors, Layout *layout) {
    Samples samples;
    float low[3], extent_m[3], shares[SAMPLES];
    int thin = 2;
    if (count < FEWEST)
        return false;
    choose_samples(points, count, &samples);
    if (samples.count < SAMPLES / 2)
        return false;
    for (int a = 2; a >= 0; a--) {
        float high;
        find_extent(&samples, a, &low[a], &high);
        extent_m[a] = high - low[a];
        thin = extent_m[a] < extent_m[thin] ? a : thin;
    }
    *layout = (Layout){.axes = {thin == 0 ? 1 : 0, thin == 2 ? 1 : 2}};
    const float wide[2] = {extent_m[layout->axes[0]], extent_m[layout->axes[1]]};
    const double area = (double)wide[0] * (double)wide[1];
    for (int i = 0; i < 2; i++) {
        layout->low[i] = low[layout->axes[i]];
        if (!((double)wide[i] > SLENDER * (double)wide[1 - i]))
            return false;
    }
    const double coarse_m = sqrt(area * SAMPLES_A_CELL / (double)SAMPLES);
    if (!set_cells(layout, wide, coarse_m, SAMPLES))
        return false;
    const double density = median_share(layout, &samples, shares) * (double)count /
                           ((double)SAMPLES * coarse_m * coarse_m);
    const double cell_m = sqrt(WANTED * (double)neighbors / (acos(-1.0) * density));
    return set_cells(layout, wide, cell_m, fmin((double)count, INT32_MAX));
}

/* ---- sorting --------------------------------------------------------------------------------- */

static void grid_free(Grid *grid) {
    aqm_free(grid->first);
    aqm_free(grid->coordinates);
    aqm_free(grid->indices);
}

static float *axis_of(const Grid *grid, int axis) {
    return grid->coordinates + (size_t)axis * (grid->count + AQM_NEAREST_LANES);
}

/* Each thread counts, and later places, the points of a band of cells, in their order. */
static void sort_points(Grid *grid, const float *points, const int32_t *cells, int threads) {
    const size_t cell_count = (size_t)grid->layout.columns * (size_t)grid->layout.rows;
    size_t *first = grid->first;
    memset(first, 0, (cell_count + 2) * sizeof *first);
#pragma omp parallel num_threads(threads)
    {
        const size_t band = (size_t)omp_get_thread_num(), bands = (size_t)omp_get_num_threads();
        const int32_t begin = (int32_t)(cell_count * band / bands);
        const int32_t end = (int32_t)(cell_count * (band + 1) / bands);
        for (size_t i = 0; i < grid->count; i++)
            if (cells[i] >= begin && cells[i] < end)
                first[cells[i] + 2]++;
#pragma omp barrier
#pragma omp single
        for (size_t c = 2; c < cell_count + 2; c++)
            first[c] += first[c - 1];
        /* first[c + 1] is where the next point of cell c goes, in the end where those of c + 1
         * begin */
        for (size_t i = 0; i < grid->count; i++)
            if (cells[i] >= begin && cells[i] < end) {
                const size_t at = first[cells[i] + 1]++;
                for (int a = 0; a < 3; a++)
                    axis_of(grid, a)[at] = points[3 * i + (size_t)a];
                grid->indices[at] = (uint32_t)i;
            }
    }
    grid->usable = first[cell_count];
    for (int a = 0; a < 3; a++)
        memset(axis_of(grid, a) + grid->usable, 0, AQM_NEAREST_LANES * sizeof(float));
}

/* The points of cells column_0 .. column_1 of a row, both included; what is outside of the grid
 * does not count. */
static void run_of(const Grid *grid, int32_t row, int32_t column_0, int32_t column_1, size_t *begin,
                   size_t *end) {
    const int32_t columns = grid->layout.columns;
    const int32_t left = column_0 > 0 ? column_0 : 0;
    const int32_t right = column_1 < columns ? column_1 : columns - 1;
    const size_t *first = grid->first + (size_t)row * (size_t)columns;
    const bool is_row = row >= 0 && row < grid->layout.rows;
    *begin = is_row ? first[left] : 0;
    *end = is_row ? first[right + 1] : 0;
}

/* Finds the fullest window; false where all points together are compared with too many. */
static bool is_even(Grid *grid) {
    double compared = 0.0;
    grid->widest = 0;
    for (int32_t j = 0; j < grid->layout.rows; j++)
        for (int32_t i = 0; i < grid->layout.columns; i++) {
            size_t begin, end, around = 0;
            for (int32_t row = j - 1; row <= j + 1; row++) {
                run_of(grid, row, i - 1, i + 1, &begin, &end);
                around += end - begin;
            }
            run_of(grid, j, i, i, &begin, &end);
            compared += (double)(end - begin) * (double)around;
            grid->widest = around > grid->widest ? around : grid->widest;
        }
    return compared <= (double)MOST_COMPARED * (double)grid->usable;
}

static AqmStatus grid_init(Grid *grid, const Layout *layout, const float *points, size_t count,
                           int threads, AqmDiag *diag) {
    const size_t cell_count = (size_t)layout->columns * (size_t)layout->rows;
    int32_t *cells = aqm_alloc(count, sizeof *cells);
    *grid = (Grid){.layout = *layout,
                   .count = count,
                   .first = aqm_alloc(cell_count + 2, sizeof *grid->first),
                   .coordinates = aqm_alloc(count + AQM_NEAREST_LANES, 3 * sizeof(float)),
                   .indices = aqm_alloc(count, sizeof *grid->indices)};
    if (!cells || !grid->first || !grid->coordinates || !grid->indices) {
        aqm_free(cells);
        grid_free(grid);
        return aqm_fail_memory(diag, "nearest points", count, 20);
    }
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t i = 0; i < count; i++)
        cells[i] = is_usable(points + 3 * i) ? cell_of(layout, points + 3 * i) : NO_CELL;
    sort_points(grid, points, cells, threads);
    aqm_free(cells);
    return AQM_OK;
}

/* ---- searching ------------------------------------------------------------------------------- */

static void query_at(const Grid *grid, size_t i, float query[3]) {
    for (int a = 0; a < 3; a++)
        query[a] = axis_of(grid, a)[i];
}

static void load_window(Searcher *s, int32_t column, int32_t row) {
    s->window_count = 0;
    for (int32_t j = row - 1; j <= row + 1; j++) {
        size_t begin, end;
        run_of(s->grid, j, column - 1, column + 1, &begin, &end);
        for (int a = 0; a < 3; a++)
            memcpy(s->window[a] + s->window_count, axis_of(s->grid, a) + begin,
                   (end - begin) * sizeof(float));
        s->window_count += end - begin;
    }
}

/* From `count` squared distances, at least k, all up to limit2. */
static float mean_of(Searcher *s, size_t count, float limit2) {
    /* on a surface their number grows with the square of the distance */
    const float guess = limit2 * ((float)s->k - 0.5f) / (float)count;
    for (; count % AQM_NEAREST_LANES != 0; count++)
        s->distances2[count] = INFINITY;
    const float bound = s->kernels->bound(s->distances2, count, s->k, 0, guess);
    const double sum = s->kernels->sum_of_roots(s->distances2, count, s->k, bound);
    s->likely2 = LIKELY * bound;
    return (float)(sum / (double)(s->k - 1)); /* the point itself is among the k */
}

static float limit2_of(const Grid *grid, int32_t cells) {
    const float limit = REACH * (float)cells * grid->layout.cell_m;
    return limit * limit;
}

static size_t count_near(const Searcher *s, const float query[3], float limit2) {
    return s->kernels->near_distances2(s->window[0], s->window[1], s->window[2], s->window_count,
                                       query, limit2, s->distances2);
}

/* From 3 x 3 cells; LEFT_OVER where they are not enough. */
static float mean_near(Searcher *s, const float query[3]) {
    const float most2 = limit2_of(s->grid, 1);
    float limit2 = s->likely2 < most2 ? s->likely2 : most2, last2;
    size_t count = count_near(s, query, limit2);
    if (count < s->k && limit2 < most2) {
        limit2 = most2;
        count = count_near(s, query, limit2);
    }
    if (count < s->k)
        return LEFT_OVER;
    if (count > AQM_NEAREST_FEW)
        return mean_of(s, count, limit2);
    const float sum = s->kernels->roots_of_few(s->distances2, count, s->k, &last2);
    s->likely2 = LIKELY * last2;
    return sum / (float)(s->k - 1);
}

/* How many points lie within limit2, to s->distances2; SIZE_MAX if there may be too many. */
static size_t look_around(Searcher *s, int32_t column, int32_t row, int32_t cells,
                          const float query[3], float limit2) {
    const Grid *grid = s->grid;
    size_t count = 0;
    for (int32_t j = row - cells; j <= row + cells; j++) {
        size_t begin, end;
        run_of(grid, j, column - cells, column + cells, &begin, &end);
        if (count + (end - begin) > ROOM)
            return SIZE_MAX;
        if (end > begin)
            count += s->kernels->near_distances2(axis_of(grid, 0) + begin, axis_of(grid, 1) + begin,
                                                 axis_of(grid, 2) + begin, end - begin, query,
                                                 limit2, s->distances2 + count);
    }
    return count;
}

/* From more and more cells; LEFT_OVER where even WIDEST are not enough. */
static float mean_far(Searcher *s, int32_t column, int32_t row, const float query[3]) {
    for (int32_t cells = 2; cells <= WIDEST; cells *= 2) {
        const float limit2 = limit2_of(s->grid, cells);
        const size_t count = look_around(s, column, row, cells, query, limit2);
        if (count == SIZE_MAX)
            break;
        if (count >= s->k)
            return mean_of(s, count, limit2);
    }
    return LEFT_OVER;
}

static void do_cell(Searcher *s, int32_t column, int32_t row, float *mean_distance) {
    size_t begin, end;
    run_of(s->grid, row, column, column, &begin, &end);
    if (begin == end)
        return;
    load_window(s, column, row);
    for (size_t i = begin; i < end; i++) {
        float query[3];
        query_at(s->grid, i, query);
        float mean = mean_near(s, query);
        if (mean == LEFT_OVER)
            mean = mean_far(s, column, row, query);
        mean_distance[s->grid->indices[i]] = mean;
    }
}

/* Whether 3 x 3 cells are enough for most of some points. */
static bool is_surface(Searcher *s) {
    const Grid *grid = s->grid;
    int failed = 0;
    s->likely2 = INFINITY;
    for (size_t trial = 0; trial < TRIALS; trial++) {
        float query[3];
        query_at(grid, (2 * trial + 1) * grid->usable / (2 * (size_t)TRIALS), query);
        const int32_t cell = cell_of(&grid->layout, query);
        load_window(s, cell % grid->layout.columns, cell / grid->layout.columns);
        failed += mean_near(s, query) == LEFT_OVER;
    }
    return failed <= MOST_FAILED;
}

static bool searcher_init(Searcher *s, const Grid *grid, size_t k) {
    const size_t room = grid->widest + 2 * AQM_NEAREST_LANES;
    *s = (Searcher){
        .grid = grid,
        .kernels = aqm_nearest_kernels(aqm_cpu_features()),
        .k = k,
        .distances2 = aqm_alloc((room > ROOM ? room : ROOM) + 2 * AQM_NEAREST_LANES, sizeof(float)),
        .one_by_one = {.k = (int)k - 1,
                       .distances2 = aqm_alloc(k, sizeof(float)),
                       .indices = aqm_alloc(k, sizeof(uint32_t))}};
    bool ready = s->distances2 && s->one_by_one.distances2 && s->one_by_one.indices;
    for (int a = 0; a < 3; a++) {
        s->window[a] = aqm_calloc(room, sizeof(float));
        ready = ready && s->window[a];
    }
    return ready;
}

static void searcher_free(Searcher *s) {
    for (int a = 0; a < 3; a++)
        aqm_free(s->window[a]);
    aqm_free(s->distances2);
    aqm_free(s->one_by_one.distances2);
    aqm_free(s->one_by_one.indices);
}

static float mean_in_tree(const AqmNeighbors *tree, const float query[3], uint32_t index,
                          AqmNearest *best) {
    double sum = 0.0;
    aqm_tree_nearest(tree, query, index, best);
    for (int j = 0; j < best->found; j++)
        sum += sqrt((double)best->distances2[j]);
    return (float)(sum / best->k);
}

/* The points that found too few neighbours in the cells. */
static AqmStatus do_left_over(Searcher *searchers, int threads, const float *points,
                              float *mean_distance, AqmDiag *diag) {
    const size_t count = searchers->grid->count;
    AqmNeighbors *tree = NULL;
    bool any = false;
    for (size_t i = 0; i < count && !any; i++)
        any = mean_distance[i] == LEFT_OVER;
    if (!any)
        return AQM_OK;
    AQM_TRY(aqm_neighbors_create(&tree, points, count, threads, diag));
#pragma omp parallel for schedule(dynamic, 4096) num_threads(threads)
    for (size_t i = 0; i < count; i++)
        if (mean_distance[i] == LEFT_OVER)
            mean_distance[i] = mean_in_tree(tree, points + 3 * i, (uint32_t)i,
                                            &searchers[omp_get_thread_num()].one_by_one);
    aqm_neighbors_destroy(&tree);
    return AQM_OK;
}

static void do_cells(Searcher *searchers, int threads, float *mean_distance) {
    const Grid *grid = searchers->grid;
    for (size_t i = 0; i < grid->count; i++)
        mean_distance[i] = NAN;
#pragma omp parallel for schedule(dynamic, 4) num_threads(threads)
    for (int32_t row = 0; row < grid->layout.rows; row++) {
        Searcher *s = &searchers[omp_get_thread_num()];
        s->likely2 = INFINITY; /* what is likely must not depend on which rows a thread did */
        for (int32_t column = 0; column < grid->layout.columns; column++)
            do_cell(s, column, row, mean_distance);
    }
}

/* *done: false where the tree would do better, and nothing is done. */
static AqmStatus search(const Grid *grid, const float *points, size_t k, int threads,
                        float *mean_distance, bool *done, AqmDiag *diag) {
    Searcher *searchers = aqm_calloc((size_t)threads, sizeof *searchers);
    AqmStatus status = AQM_OK;
    bool ready = searchers != NULL;
    for (int i = 0; ready && i < threads; i++)
        ready = searcher_init(&searchers[i], grid, k);
    *done = ready && is_surface(searchers);
    if (!ready)
        status = aqm_fail_memory(diag, "nearest points", (size_t)threads, sizeof *searchers);
    else if (*done) {
        do_cells(searchers, threads, mean_distance);
        status = do_left_over(searchers, threads, points, mean_distance, diag);
    }
    for (int i = 0; searchers && i < threads; i++)
        searcher_free(&searchers[i]);
    aqm_free(searchers);
    return status;
}

static AqmStatus mean_by_tree(const float *points, size_t count, int k, int threads,
                              float *mean_distance, AqmDiag *diag) {
    AqmNeighbors *tree = NULL;
    AQM_TRY(aqm_neighbors_create(&tree, points, count, threads, diag));
    const AqmStatus status = aqm_neighbors_mean_knn_distance(tree, k, threads, mean_distance, diag);
    aqm_neighbors_destroy(&tree);
    return status;
}

AqmStatus aqm_mean_knn_distance(const float *points, size_t count, int k, int threads,
                                float *mean_distance, AqmDiag *diag) {
    assert(k >= 1);
    const size_t wanted = (size_t)k + 1; /* the point itself, too */
    const int workers = aqm_thread_count(threads);
    bool done = false;
    Layout layout;
    if (count < INT32_MAX && choose_layout(points, count, wanted, &layout)) {
        Grid grid;
        AQM_TRY(grid_init(&grid, &layout, points, count, workers, diag));
        AqmStatus status = AQM_OK;
        if (grid.usable > wanted && is_even(&grid))
            status = search(&grid, points, wanted, workers, mean_distance, &done, diag);
        grid_free(&grid);
        AQM_TRY(status);
    }
    return done ? AQM_OK : mean_by_tree(points, count, k, threads, mean_distance, diag);
}
