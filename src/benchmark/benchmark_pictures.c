/* Data for the pictures: errors of a cloud on a grid, a depth map's truth, bars of the results. */
#include "benchmark/benchmark_pictures.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "aquamvs/geometry.h"
#include "aquamvs/io.h"
#include "aquamvs/picture.h"
#include "base/alloc.h"
#include "evaluate/truth.h"

static AqmStatus write_picture(AqmImage *image, const char *folder, const char *name,
                               AqmDiag *diag) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= PATH_MAX) {
        aqm_image_destroy(&image);
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "%s: the name is too long", folder);
    }
    const AqmImageView view = aqm_image_view(image);
    const AqmStatus status = aqm_png_write(path, &view, diag);
    aqm_image_destroy(&image);
    return status;
}

/* ---- the error map --------------------------------------------------------------------------- */

/* Signed errors of the points, their means in squares of 2 mm over the box that cameras see. */
static AqmStatus error_grid(const AqmTruth *truth, const AqmCloud *cloud, AqmHeightMap **out,
                            AqmDiag *diag) {
    const double step = 0.002, *box = truth->footprint;
    const int column = (int)floor(box[0] / step), row = (int)floor(box[2] / step);
    const int columns = (int)ceil(box[1] / step) - column + 1;
    const int rows = (int)ceil(box[3] / step) - row + 1;
    AQM_TRY(aqm_height_map_create(out, columns, rows, diag));
    AqmHeightMap *map = *out;
    map->first_column = column, map->first_row = row, map->step_m = step;
    const size_t cells = (size_t)columns * (size_t)rows;
    double *sum = aqm_calloc(cells, sizeof *sum);
    uint32_t *count = aqm_calloc(cells, sizeof *count);
    for (size_t i = 0; sum && count && i < cloud->count; i++) {
        const float *at = cloud->position + 3 * i;
        const double p[3] = {(double)at[0], (double)at[1], (double)at[2]};
        const double c = floor(p[0] / step + 0.5) - column, r = floor(p[1] / step + 0.5) - row;
        if (!isfinite(p[2]) || !(c >= 0.0 && r >= 0.0 && c < columns && r < rows))
            continue;
        const size_t cell = (size_t)r * (size_t)columns + (size_t)c;
        sum[cell] += aqm_surface_distance(truth->surface, p);
        count[cell]++;
    }
    for (size_t k = 0; sum && count && k < cells; k++)
        if (count[k] > 0)
            map->z_m[k] = (float)(sum[k] / count[k]);
    const bool is_made = sum && count;
    aqm_free(sum);
    aqm_free(count);
    return is_made ? AQM_OK : aqm_fail_memory(diag, "an error map", cells, sizeof *sum + 4);
}

static AqmStatus draw_errors(const AqmCell *cell, const AqmTruth *truth, const AqmConfig *config,
                             const char *folder, AqmDiag *diag) {
    char path[PATH_MAX], title[256], numbers[256], name[2 * AQM_SUITE_NAME_MAX + 32];
    AqmCloud *cloud = NULL;
    AqmMesh *mesh = NULL;
    AqmHeightMap *map = NULL;
    AqmImage *image = NULL;
    const AqmErrorStats *s = &cell->cloud.in_region;
    snprintf(title, sizeof title, "%s, %s: errors of the cloud, from above", cell->dataset->name,
             cell->configuration->name);
    snprintf(numbers, sizeof numbers,
             "median %.3f, RMS %.3f, p95 %.3f mm; completeness %.1f %% within %g mm", s->median_mm,
             s->rms_mm, s->p95_mm, cell->cloud.tolerance_completeness_pct,
             cell->cloud.tolerance_mm);
    const char *const captions[] = {title, numbers};
    aqm_cell_cloud_path(config, cell->dataset->frame, path);
    AqmStatus status = aqm_ply_read(path, &cloud, &mesh, diag);
    if (status == AQM_OK && cloud)
        status = error_grid(truth, cloud, &map, diag);
    if (status == AQM_OK && map)
        status =
            aqm_picture_errors(map, 1e-3 * cell->cloud.tolerance_mm, captions, 2, &image, diag);
    if (status == AQM_OK && image) {
        aqm_error_map_name(cell, name);
        status = write_picture(image, folder, name, diag);
    }
    aqm_height_map_destroy(&map);
    aqm_cloud_destroy(&cloud);
    aqm_mesh_destroy(&mesh);
    return status;
}

/* ---- a depth map beside the truth ------------------------------------------------------------ */

/* The matrix of a camera's undistorted image, as the run wrote it. */
static bool find_matrix(const char *output, const char *camera, double K[9]) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/undistorted_K.json", output) >= PATH_MAX)
        return false;
    json_t *root = json_load_file(path, 0, NULL);
    const json_t *matrix = root ? json_object_get(root, camera) : NULL;
    for (size_t i = 0; i < 9; i++)
        K[i] = json_number_value(json_array_get(json_array_get(matrix, i / 3), i % 3));
    const bool is_found = json_array_size(matrix) == 3;
    json_decref(root);
    return is_found;
}

static AqmStatus true_depths(const AqmTruth *truth, size_t camera, const double K[9],
                             AqmDepthMap *map, AqmDiag *diag) {
    AqmView view;
    const AqmSurfaceBounds bounds =
        aqm_surface_bounds(truth->surface, 5.0 * truth->rig->water_z); /* as far as lenses see */
    AQM_TRY(aqm_view_create(&view, truth->rig, camera, K, diag));
#pragma omp parallel for schedule(dynamic, 8)
    for (int y = 0; y < map->height; y++)
        for (int x = 0; x < map->width; x++) {
            AqmRay ray;
            double depth_m;
            if (aqm_view_cast(&view, x, y, &ray) &&
                aqm_surface_intersect(truth->surface, &bounds, &ray, (double)NAN, &depth_m))
                map->depth_m[(size_t)y * (size_t)map->width + (size_t)x] = (float)depth_m;
        }
    return AQM_OK;
}

static AqmStatus draw_depth_map(const AqmCell *cell, const AqmTruth *truth, size_t camera,
                                const char *output, const char *path, const char *folder,
                                AqmDiag *diag) {
    const char *camera_name = truth->rig->cameras[camera].name;
    AqmDepthMap *map = NULL, *exact = NULL;
    AqmImage *image = NULL;
    double K[9];
    char title[256], name[2 * AQM_SUITE_NAME_MAX + 32];
    if (!find_matrix(output, camera_name, K))
        return aqm_fail(diag, AQM_ERROR_FORMAT, "%s: undistorted_K.json has no %s", output,
                        camera_name);
    AqmStatus status = aqm_depth_map_read(path, &map, diag);
    if (status == AQM_OK)
        status = aqm_depth_map_create(&exact, map->width, map->height, diag);
    if (status == AQM_OK)
        status = true_depths(truth, camera, K, exact, diag);
    snprintf(title, sizeof title, "%s, %s, %s", cell->dataset->name, cell->configuration->name,
             camera_name);
    if (status == AQM_OK)
        status = aqm_picture_depth_error(map, exact, 1e-3 * cell->cloud.tolerance_mm, title, &image,
                                         diag);
    aqm_depth_picture_name(cell, name);
    if (status == AQM_OK)
        status = write_picture(image, folder, name, diag);
    aqm_depth_map_destroy(&map);
    aqm_depth_map_destroy(&exact);
    return status;
}

/* The first camera that has a depth map. */
static AqmStatus draw_depths(const AqmCell *cell, const AqmTruth *truth, const char *output,
                             const char *folder, AqmDiag *diag) {
    for (size_t c = 0; c < truth->rig->camera_count; c++) {
        char path[PATH_MAX];
        if (snprintf(path, sizeof path, "%s/frame_%06d/depth_maps/%s.npz", output,
                     cell->dataset->frame, truth->rig->cameras[c].name) < PATH_MAX &&
            access(path, F_OK) == 0)
            return draw_depth_map(cell, truth, c, output, path, folder, diag);
    }
    return AQM_OK;
}

AqmStatus aqm_cell_draw(const AqmCell *cell, const AqmCellPlace *place, const AqmConfig *config,
                        const char *folder, AqmDiag *diag) {
    AqmTruth *truth = NULL;
    AQM_TRY(aqm_truth_read(&truth, place->truth, cell->dataset->frame, diag));
    AqmStatus status = draw_errors(cell, truth, config, folder, diag);
    if (status == AQM_OK && aqm_cell_has_depth_maps(cell))
        status = draw_depths(cell, truth, place->output, folder, diag);
    aqm_truth_destroy(&truth);
    return status;
}

/* ---- bars ------------------------------------------------------------------------------------ */

enum { SERIES_MAX = AQM_STAGE_COUNT };

/* What is drawn: a row for each cell, a value for each series; owns. */
typedef struct Bars {
    AqmPictureBars chart;
    char (*labels)[3 * AQM_SUITE_NAME_MAX];
    const char **rows;
    double *values;
    const char *series[SERIES_MAX];
} Bars;

static AqmStatus create_bars(Bars *bars, size_t rows, size_t series, AqmDiag *diag) {
    bars->labels = aqm_calloc(rows, sizeof *bars->labels);
    bars->rows = aqm_calloc(rows, sizeof *bars->rows);
    bars->values = aqm_calloc(rows * series, sizeof *bars->values);
    if (!bars->labels || !bars->rows || !bars->values)
        return aqm_fail_memory(diag, "bars", rows, series * sizeof(double) + 256);
    for (size_t r = 0; r < rows; r++)
        bars->rows[r] = bars->labels[r];
    bars->chart.rows = bars->rows;
    bars->chart.row_count = rows;
    bars->chart.series = bars->series;
    bars->chart.series_count = series;
    bars->chart.values = bars->values;
    return AQM_OK;
}

static void destroy_bars(Bars *bars) {
    aqm_free(bars->labels);
    aqm_free(bars->rows);
    aqm_free(bars->values);
}

static void label_row(Bars *bars, size_t row, const AqmCell *cell) {
    const bool is_done = cell->status == AQM_CELL_DONE;
    snprintf(bars->labels[row], sizeof bars->labels[row], "%s, %s%s%s%s", cell->dataset->name,
             cell->configuration->name, is_done ? "" : " (",
             is_done ? "" : aqm_cell_status_name(cell->status), is_done ? "" : ")");
}

static AqmStatus draw_bars(Bars *bars, const char *folder, const char *name, AqmDiag *diag) {
    AqmImage *image = NULL;
    AQM_TRY(aqm_picture_bars(&bars->chart, &image, diag));
    return write_picture(image, folder, name, diag);
}

static AqmStatus draw_accuracy(const AqmResults *results, const char *folder, AqmDiag *diag) {
    Bars bars = {.chart = {.title = "Errors of the cloud", .unit = "mm"},
                 .series = {"median", "RMS", "95th percentile"}};
    AqmStatus status = create_bars(&bars, results->cell_count, 3, diag);
    for (size_t r = 0; status == AQM_OK && r < results->cell_count; r++) {
        const AqmCell *cell = &results->cells[r];
        const AqmErrorStats *s = &cell->cloud.in_region;
        const bool is_known = cell->status == AQM_CELL_DONE && s->count > 0;
        const double values[3] = {s->median_mm, s->rms_mm, s->p95_mm};
        label_row(&bars, r, cell);
        for (size_t k = 0; k < 3; k++)
            bars.values[3 * r + k] = is_known ? values[k] : (double)NAN;
    }
    if (status == AQM_OK)
        status = draw_bars(&bars, folder, "accuracy.png", diag);
    destroy_bars(&bars);
    return status;
}

/* The stages that any cell spent time in. */
static size_t find_stages(const AqmResults *results, AqmStage stages[SERIES_MAX]) {
    size_t count = 0;
    for (int s = 0; s < AQM_STAGE_COUNT; s++) {
        double most = 0.0;
        for (size_t r = 0; r < results->cell_count; r++) {
            const AqmCellRuns *runs = &results->cells[r].runs;
            most = fmax(most, aqm_spread_of(runs->stage_wall_s[s], runs->count).median);
        }
        if (most > 0.0)
            stages[count++] = (AqmStage)s;
    }
    return count;
}

static AqmStatus draw_times(const AqmResults *results, const char *folder, AqmDiag *diag) {
    AqmStage stages[SERIES_MAX];
    const size_t count = find_stages(results, stages);
    Bars bars = {.chart = {.title = "Time of a frame, stage by stage (median of the runs)",
                           .unit = "s",
                           .is_stacked = true}};
    if (count == 0)
        return AQM_OK; /* nothing ran */
    for (size_t k = 0; k < count; k++)
        bars.series[k] = aqm_stage_name(stages[k]);
    AqmStatus status = create_bars(&bars, results->cell_count, count, diag);
    for (size_t r = 0; status == AQM_OK && r < results->cell_count; r++) {
        const AqmCell *cell = &results->cells[r];
        label_row(&bars, r, cell);
        for (size_t k = 0; k < count; k++)
            bars.values[count * r + k] =
                aqm_spread_of(cell->runs.stage_wall_s[stages[k]], cell->runs.count).median;
    }
    if (status == AQM_OK)
        status = draw_bars(&bars, folder, "times.png", diag);
    destroy_bars(&bars);
    return status;
}

AqmStatus aqm_results_draw(const AqmResults *results, const char *folder, AqmDiag *diag) {
    AQM_TRY(draw_accuracy(results, folder, diag));
    return draw_times(results, folder, diag);
}
