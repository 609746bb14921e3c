/* aquamvs evaluate: a cloud or mesh against the truth of a synthetic scene. */
#include <aquamvs/evaluate.h>
#include <aquamvs/io.h>

#include <stdio.h>

#include "cli.h"
#include "commands.h"

typedef struct EvaluateArguments {
    AqmEvaluateOptions options;
    const char *ply, *truth, *json;
} EvaluateArguments;

static void print_measures(void) {
    printf("\nmeasures:\n"
           "  bias                        mean signed distance; positive = deeper than the truth\n"
           "  precision                   points closer to the surface than the limit\n"
           "  completeness                true surface of the region with a point closer than the "
           "limit\n"
           "  coverage                    true surface of the region with a point of an error "
           "below the limit\n"
           "                              within 2 mm on the map\n"
           "  F-score                     2 P R / (P + R) of precision and completeness\n");
}

static int parse_arguments(int argc, char **argv, EvaluateArguments *a) {
    AqmEvaluateOptions *o = &a->options;
    const CliOption options[] = {
        {0, "ground-truth", "DIR", CLI_TEXT, &a->truth, 0, 0,
         "the data set that was reconstructed (must be given)"},
        {0, "frame", "N", CLI_INT, &o->frame, 0, 999999, "frame of the series (default: 0)"},
        {0, "min-views", "N", CLI_INT, &o->min_views, 1, 4096,
         "judge the region that at least N cameras see (default: 3)"},
        {0, "region-step", "M", CLI_REAL, &o->region_step_m, 0, 0,
         "spacing of the samples of the true surface, metres (default: 0.002)"},
        {0, "mesh-spacing", "M", CLI_REAL, &o->mesh_spacing_m, 0, 0,
         "spacing of the samples of a mesh, metres (default: 0.0008)"},
        {0, "threads", "N", CLI_INT, &o->threads, 0, 4096,
         "0 = all cores; the numbers are the same for any (default: 0)"},
        {0, "json", "F", CLI_TEXT, &a->json, 0, 0, "write the numbers to F too (default: no file)"},
    };
    const CliVerb verb = {
        .name = "evaluate",
        .arguments = "CLOUD_OR_MESH.ply --ground-truth DIR [OPTIONS]",
        .summary =
            "Measures how far a reconstruction is from the true surface of a scene that `aquamvs "
            "synth`\nmade (calibration.json and gt/scene.json in DIR). A mesh is measured on "
            "points "
            "spread evenly\nover its faces.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .positionals = &a->ply,
        .positional_min = 1,
        .positional_max = 1,
        .positional_name = "CLOUD_OR_MESH.ply",
        .epilogue = print_measures,
    };
    return cli_parse(&verb, argc, argv);
}

static void print_stats(const char *name, const AqmErrorStats *s) {
    if (s->count == 0)
        printf("%-12s %9d   no points\n", name, 0);
    else
        printf("%-12s %9zu %+8.3f %8.3f %8.3f %8.3f %8.3f %8.3f %8.3f %9.3f\n", name, s->count,
               s->bias_mm, s->mean_mm, s->median_mm, s->rms_mm, s->p90_mm, s->p95_mm, s->p99_mm,
               s->max_mm);
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
    printf("\n\n%-12s %9s %8s %8s %8s %8s %8s %8s %8s %9s\n", "distance, mm", "points", "bias",
           "mean", "median", "RMS", "p90", "p95", "p99", "max");
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
}

static AqmStatus write_json(const char *path, const AqmEvaluation *evaluation, AqmDiag *diag) {
    char *text = NULL;
    AqmStatus status = aqm_evaluation_to_json(evaluation, &text, diag);
    if (status == AQM_OK)
        status = aqm_text_write(path, text, diag);
    aqm_free_buffer(text);
    return status;
}

int aqm_cmd_evaluate(int argc, char **argv) {
    EvaluateArguments arguments = {.options = aqm_evaluate_options_default()};
    const int status = parse_arguments(argc, argv, &arguments);
    if (status != CLI_NEXT)
        return status;
    if (!arguments.truth)
        return cli_fail("evaluate", "--ground-truth is missing; see aquamvs evaluate --help");
    AqmDiag diag = {0};
    AqmEvaluation evaluation;
    if (aqm_evaluate_ply(arguments.ply, arguments.truth, &arguments.options, &evaluation, &diag) !=
        AQM_OK)
        return cli_fail_diag("evaluate", &diag);
    print_table(arguments.ply, arguments.options.min_views, &evaluation);
    if (arguments.json && write_json(arguments.json, &evaluation, &diag) != AQM_OK)
        return cli_fail_diag("evaluate", &diag);
    return CLI_DONE;
}
