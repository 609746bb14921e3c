/* aquamvs evaluate: a cloud or mesh against the truth of a synthetic scene, or two surfaces against
 * each other. */
#include <aquamvs/compare.h>
#include <aquamvs/io.h>

#include <math.h>
#include <stdio.h>

#include "cli.h"
#include "commands.h"
#include "comparison_table.h"

typedef struct EvaluateArguments {
    AqmEvaluateOptions options; /* against the truth */
    AqmCompareOptions compare;
    const char *paths[2], *truth, *json, *region, *output_dir;
    bool quiet;
} EvaluateArguments;

static void print_measures(void) {
    printf(
        "\nagainst the truth:\n"
        "  bias                        mean signed distance; positive = deeper than the truth\n"
        "  precision                   points closer to the surface than the limit\n"
        "  completeness                true surface of the region with a point closer than the "
        "limit\n"
        "  coverage                    true surface of the region with a point of an error "
        "below the limit\n"
        "                              within 2 mm on the map\n"
        "  F-score                     2 P R / (P + R) of precision and completeness\n"
        "\ntwo surfaces:\n"
        "  A, B                        output folders of runs, frame folders, PLY files or height "
        "maps (.npz)\n"
        "  evaluate RUN --frame-b M    frames 0 and M of one run\n"
        "  deposition, erosion         where the bed has risen, sunk; net = deposition - erosion\n"
        "  +-                          95 %% intervals that honour how errors correlate, measured "
        "where nothing\n"
        "                              changed: docs/compare.md\n");
}

static int parse_arguments(int argc, char **argv, EvaluateArguments *a) {
    AqmEvaluateOptions *o = &a->options;
    AqmCompareOptions *c = &a->compare;
    const CliOption options[] = {
        {0, "ground-truth", "DIR", CLI_TEXT, &a->truth, 0, 0,
         "measure A against the data set that was reconstructed (default: compare A and B)"},
        {0, "frame", "N", CLI_INT, &o->frame, 0, 999999, "frame of the series (default: 0)"},
        {0, "frame-b", "M", CLI_INT, &c->frame_b, 0, 999999,
         "frame of B; of A where there is no B (default: as --frame)"},
        {0, "align", NULL, CLI_FLAG, &c->align, 0, 0,
         "lay B on A first (default: no: frames of one rig share their frame of reference)"},
        {0, "icp-max-distance", "M", CLI_REAL, &c->icp_max_distance_m, 0, 0,
         "how far apart they may lie then, metres (default: as A's config.yaml, or 0.01)"},
        {0, "grid-step", "M", CLI_REAL, &c->grid_step_m, 0, 0,
         "spacing of the height maps, metres (default: that of the runs, or 0.002)"},
        {0, "region", "X0,Y0,X1,Y1", CLI_TEXT, &a->region, 0, 0,
         "compare within this box only, metres (default: all that both cover)"},
        {0, "output-dir", "D", CLI_TEXT, &a->output_dir, 0, 0,
         "write comparison.json and .csv, height_difference.npz, .tif and .png (default: none)"},
        {0, "min-views", "N", CLI_INT, &o->min_views, 1, 4096,
         "truth: judge the region that at least N cameras see (default: 3)"},
        {0, "region-step", "M", CLI_REAL, &o->region_step_m, 0, 0,
         "truth: spacing of the samples of the true surface, metres (default: 0.002)"},
        {0, "mesh-spacing", "M", CLI_REAL, &o->mesh_spacing_m, 0, 0,
         "truth: spacing of the samples of a mesh, metres (default: 0.0008)"},
        {0, "tolerance", "M", CLI_REAL, &o->tolerance_m, 0, 0,
         "truth: a limit of your own beside 0.5, 1, 2 and 5 mm, metres (default: 0.001)"},
        {0, "threads", "N", CLI_INT, &o->threads, 0, 4096,
         "0 = all cores; the numbers are the same for any (default: 0)"},
        {0, "json", "F", CLI_TEXT, &a->json, 0, 0, "write the numbers to F too (default: no file)"},
        {'q', "quiet", NULL, CLI_FLAG, &a->quiet, 0, 0,
         "only warnings beside the table (default: what is used, too)"},
    };
    const CliVerb verb = {
        .name = "evaluate",
        .arguments =
            "A B [OPTIONS] | RUN --frame-b M [OPTIONS] | A.ply --ground-truth DIR [OPTIONS]",
        .summary =
            "Compares two surfaces: distances, change of height, and change of volume with its "
            "95 %\nintervals. Or, with --ground-truth, measures how far a reconstruction is from "
            "the true\nsurface of a scene that `aquamvs synth` made (calibration.json and "
            "gt/scene.json in DIR);\na mesh is measured on points spread evenly over its faces.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .positionals = a->paths,
        .positional_min = 1,
        .positional_max = 2,
        .positional_name = "A",
        .epilogue = print_measures,
    };
    return cli_parse(&verb, argc, argv);
}

static void print_stats(const char *name, const AqmErrorStats *s) {
    if (s->count == 0)
        printf("%-12s %9d   no points\n", name, 0);
    else
        printf("%-12s %9zu %+8.3f %8.3f %8.3f %8.3f %8.3f %8.3f %8.3f %8.3f %9.3f\n", name,
               s->count, s->bias_mm, s->std_mm, s->mean_mm, s->median_mm, s->rms_mm, s->p90_mm,
               s->p95_mm, s->p99_mm, s->max_mm);
}

static void print_shares(const char *name, const double percent[AQM_EVAL_LIMITS]) {
    printf("%-12s", name);
    for (int k = 0; k < AQM_EVAL_LIMITS; k++)
        printf(" %8.2f", percent[k]);
    printf("\n");
}

static void print_table(const char *ply, int min_views, const AqmEvaluation *e) {
    printf("%s: %s, %zu %s", ply, e->is_mesh ? "mesh" : "cloud", e->points,
           e->is_mesh ? "samples" : "points");
    if (e->non_finite)
        printf(", %zu of them not finite", e->non_finite);
    printf("\n\n%-12s %9s %8s %8s %8s %8s %8s %8s %8s %8s %9s\n", "distance, mm", "points", "bias",
           "std", "mean", "median", "RMS", "p90", "p95", "p99", "max");
    print_stats("in region", &e->in_region);
    if (e->in_region.count == 0)
        printf("  (no point lies where at least %d cameras see the surface; see --min-views)\n",
               min_views);
    print_stats("all", &e->all);
    printf("\n%-12s", "percent");
    for (int k = 0; k < AQM_EVAL_LIMITS; k++)
        printf(" %5g mm", e->limit_mm[k]);
    printf("\n");
    print_shares("precision", e->precision_pct);
    print_shares("completeness", e->completeness_pct);
    print_shares("coverage", e->coverage_pct);
    print_shares("F-score", e->fscore_pct);
    printf("\noff by more than 5 mm: %.4f %% of the points\n", e->off_by_5mm_pct);
    printf("any point within 2 mm on the map: %.2f %% of the surface\n", e->raw_completeness_pct);
    printf("within %g mm: precision %.2f %%, completeness %.2f %%, coverage %.2f %%\n",
           e->tolerance_mm, e->tolerance_precision_pct, e->tolerance_completeness_pct,
           e->tolerance_coverage_pct);
    if (!isnan(e->plane_fit_rmse_mm))
        printf("RMS distance to the plane that fits best: %.3f mm\n", e->plane_fit_rmse_mm);
}

static int measure_against_truth(const EvaluateArguments *a) {
    AqmDiag diag = {0};
    AqmEvaluation evaluation;
    if (aqm_evaluate_ply(a->paths[0], a->truth, &a->options, &evaluation, &diag) != AQM_OK)
        return cli_fail_diag("evaluate", &diag);
    print_table(a->paths[0], a->options.min_views, &evaluation);
    char *text = NULL;
    AqmStatus status = AQM_OK;
    if (a->json)
        status = aqm_evaluation_to_json(&evaluation, &text, &diag);
    if (a->json && status == AQM_OK)
        status = aqm_text_write(a->json, text, &diag);
    aqm_free_buffer(text);
    return status == AQM_OK ? CLI_DONE : cli_fail_diag("evaluate", &diag);
}

static AqmStatus write_comparison(const EvaluateArguments *a, const AqmComparison *comparison,
                                  AqmDiag *diag) {
    char *text = NULL;
    AqmStatus status = AQM_OK;
    if (a->output_dir)
        status = aqm_comparison_write(comparison, a->output_dir, diag);
    if (a->json && status == AQM_OK)
        status = aqm_comparison_to_json(comparison, &text, diag);
    if (a->json && status == AQM_OK)
        status = aqm_text_write(a->json, text, diag);
    aqm_free_buffer(text);
    return status;
}

static int compare(EvaluateArguments *a) {
    AqmCompareOptions *o = &a->compare;
    AqmComparison *comparison = NULL;
    AqmDiag diag = {0};
    CliLog messages = {.verbosity = a->quiet ? 0 : 1};
    o->frame_a = a->options.frame;
    o->threads = a->options.threads;
    o->log = cli_log(&messages);
    if (aqm_compare(a->paths[0], a->paths[1] ? a->paths[1] : a->paths[0], o, &comparison, &diag) !=
        AQM_OK)
        return cli_fail_diag("evaluate", &diag);
    const AqmStatus status = write_comparison(a, comparison, &diag);
    if (status == AQM_OK)
        print_comparison(comparison);
    aqm_comparison_destroy(&comparison);
    return status == AQM_OK ? CLI_DONE : cli_fail_diag("evaluate", &diag);
}

/* An option of the other way to use the verb; NULL where there is none. */
static const char *misplaced_option(const EvaluateArguments *a) {
    const AqmEvaluateOptions usual = aqm_evaluate_options_default();
    const AqmCompareOptions *c = &a->compare;
    if (a->truth)
        return c->frame_b >= 0                ? "frame-b"
               : c->align                     ? "align"
               : c->icp_max_distance_m != 0.0 ? "icp-max-distance"
               : c->grid_step_m != 0.0        ? "grid-step"
               : a->region                    ? "region"
               : a->output_dir                ? "output-dir"
                                              : NULL;
    return a->options.min_views != usual.min_views             ? "min-views"
           : a->options.region_step_m != usual.region_step_m   ? "region-step"
           : a->options.mesh_spacing_m != usual.mesh_spacing_m ? "mesh-spacing"
           : a->options.tolerance_m != usual.tolerance_m       ? "tolerance"
                                                               : NULL;
}

/* CLI_NEXT, or the exit status. */
static int check_arguments(EvaluateArguments *a) {
    double *r = a->compare.region;
    char rest;
    const char *misplaced = misplaced_option(a);
    if (a->truth && a->paths[1])
        return cli_fail("evaluate", "'%s': with --ground-truth there is one file to measure",
                        a->paths[1]);
    if (!a->truth && !a->paths[1] && a->compare.frame_b < 0)
        return cli_fail("evaluate",
                        "with what is %s to be compared? Name a second run, frame or "
                        "PLY file, another frame of it (--frame-b), or the truth "
                        "(--ground-truth); see aquamvs evaluate --help",
                        a->paths[0]);
    if (misplaced)
        return cli_fail("evaluate", "--%s has no meaning %s --ground-truth", misplaced,
                        a->truth ? "with" : "without");
    if (a->compare.icp_max_distance_m != 0.0 && !a->compare.align)
        return cli_fail("evaluate", "--icp-max-distance has no meaning without --align");
    if (a->region && sscanf(a->region, "%lf,%lf,%lf,%lf%c", &r[0], &r[1], &r[2], &r[3], &rest) != 4)
        return cli_fail("evaluate", "--region: '%s' is not like -0.1,-0.1,0.2,0.3", a->region);
    a->compare.has_region = a->region != NULL;
    return CLI_NEXT;
}

int aqm_cmd_evaluate(int argc, char **argv) {
    EvaluateArguments arguments = {.options = aqm_evaluate_options_default(),
                                   .compare = aqm_compare_options_default()};
    int status = parse_arguments(argc, argv, &arguments);
    if (status == CLI_NEXT)
        status = check_arguments(&arguments);
    if (status != CLI_NEXT)
        return status;
    return arguments.truth ? measure_against_truth(&arguments) : compare(&arguments);
}
