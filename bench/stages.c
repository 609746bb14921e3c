/* stages: the depth stage and the whole frame on scenes whose truth is known, timed and judged.
 *
 *     stages [--quick] [--repeats N] [--scenes DIR] > table.csv
 *     stages --rig ring12 --size 1600x1200 --preset fast,balanced --threads 1,2 > table.csv
 *     stages --compare before.csv after.csv
 *
 * Naming any of the columns of a case runs all combinations of what is named, instead of the
 * standard cases; README.md has the columns. */
#include <ftw.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/info.h"
#include "bench.h"
#include "stages.h"

/* ---- cases ----------------------------------------------------------------------------------- */

enum { AXIS_SCENE, AXIS_RIG, AXIS_SIZE, AXIS_PRESET, AXIS_SEARCH, AXIS_DEPTHS, AXIS_SOURCES, AXES };
static const char *const axis_names[AXES] = {"--scene",  "--rig",    "--size",   "--preset",
                                             "--search", "--depths", "--sources"};

/* Every combination of what the comma-separated lists hold is a case. */
typedef struct Block {
    const char *lists[AXES];
} Block;

static const Block chosen_default = {
    {"sandbed", "ring5", "640x480", "balanced", "cascade", "preset", "4"}};
static const Block standard_blocks[] = {
    {{"sandbed", "ring12", "1600x1200", "fast,balanced,quality", "cascade", "preset", "4"}},
    {{"sandbed", "ring12", "800x600", "balanced", "cascade", "preset", "4"}},
    {{"sandbed", "ring5", "320x240,640x480,1280x960", "balanced", "cascade", "preset", "4"}},
    {{"sandbed", "ring5", "640x480", "fast,quality", "cascade", "preset", "4"}},
    {{"sandbed", "ring5", "640x480", "fast,balanced,quality", "exhaustive", "preset", "4"}},
    {{"undulating", "ring5", "640x480", "fast,balanced,quality", "cascade", "preset", "4"}},
    {{"sandbed", "ring5", "640x480", "balanced", "cascade", "32,96,192", "4"}},
    {{"sandbed", "ring5", "640x480", "balanced", "cascade", "preset", "1,2,3"}},
};
static const Block quick_blocks[] = {
    {{"sandbed", "ring5", "320x240", "fast,balanced,quality", "cascade", "preset", "4"}},
    {{"sandbed", "ring5", "320x240", "balanced", "exhaustive", "preset", "4"}},
    {{"sandbed", "ring5", "640x480", "balanced", "cascade", "preset", "4"}},
};

static int items_of(const char *list) {
    int count = 1;
    for (; *list; list++)
        count += *list == ',';
    return count;
}

/* The item of that number. */
static void pick(const char *list, int number, char item[32]) {
    while (number-- > 0)
        list = strchr(list, ',') + 1;
    (void)snprintf(item, 32, "%.*s", (int)strcspn(list, ","), list);
}

static int word_of(const char *item, const char *const *words, int count) {
    for (int k = 0; k < count; k++)
        if (strcmp(item, words[k]) == 0)
            return k;
    return -1;
}

static const char *const scenes[] = {"plane", "undulating", "sandbed", "board"};
static const char *const rigs[] = {"ring12", "ring5", "pair"};
static const char *const searches[] = {"cascade", "exhaustive"};
static const char *const presets[] = {"", "fast", "balanced", "quality"};

/* A whole number of at least 1; 0 otherwise. */
static int number_of(const char *item) {
    char *end;
    const long value = strtol(item, &end, 10);
    return end != item && *end == '\0' && value >= 1 && value <= 65535 ? (int)value : 0;
}

/* Takes one item in; false where it cannot be. */
static bool set_axis(StagesCase *what, int axis, const char *item) {
    int k = 0;
    switch (axis) {
    case AXIS_SCENE:
        k = word_of(item, scenes, 4);
        what->scene = (AqmScene)k;
        return k >= 0;
    case AXIS_RIG:
        k = word_of(item, rigs, 3);
        what->rig = (AqmRigKind)k;
        return k >= 0;
    case AXIS_SIZE:
        return sscanf(item, "%dx%d%n", &what->width, &what->height, &k) == 2 && item[k] == '\0';
    case AXIS_PRESET:
        k = word_of(item, presets, 4);
        what->preset = (AqmPreset)k;
        return k > 0;
    case AXIS_SEARCH:
        k = word_of(item, searches, 2);
        what->search = (AqmSearch)k;
        return k >= 0;
    case AXIS_DEPTHS:
        what->depths = number_of(item);
        return what->depths > 0 || strcmp(item, "preset") == 0;
    default:
        what->sources = number_of(item);
        return what->sources > 0;
    }
}

static int cases_of(const Block *block) {
    int count = 1;
    for (int axis = 0; axis < AXES; axis++)
        count *= items_of(block->lists[axis]);
    return count;
}

/* The case of that number; the last axis runs fastest. */
static bool case_of(const Block *block, int number, StagesCase *what) {
    for (int axis = AXES - 1; axis >= 0; axis--) {
        const int count = items_of(block->lists[axis]);
        char item[32];
        pick(block->lists[axis], number % count, item);
        number /= count;
        if (!set_axis(what, axis, item)) {
            fprintf(stderr, "%s of %s cannot be\n", axis_names[axis], item);
            return false;
        }
    }
    return true;
}

/* ---- the table ------------------------------------------------------------------------------- */

static void print_head(void) {
    AqmInfo info;
    aqm_info(&info);
    printf("# machine: %s; %d cores; %s; %s; %s kernels; commit %s\n", info.cpu, info.cores,
           info.cpu_features, info.compiler, info.kernels, info.commit);
    printf("scene,rig,size,preset,search,num_depths,sources,threads,"
           "depth_wall_s,depth_cpu_s,depth_speedup,depth_ns_per_pixel,depth_ns_per_sample,"
           "depth_peak_mb,depth_median_mm,depth_within_pct,depth_sigma1_pct,depth_sigma2_pct,"
           "frame_wall_s,frame_cpu_s,frame_speedup,frame_ns_per_pixel,frame_peak_mb,"
           "cloud_rms_mm,coverage_pct,others_pct,runs\n");
}

/* A field; empty where nothing is known. */
static void print_field(const char *format, double value) {
    printf(",");
    if (!isnan(value))
        printf(format, value);
}

static void print_row(const StagesCase *what, int threads, const StagesResult *result, int t) {
    const StagesCost *depth = &result->depth[t], *frame = &result->frame[t];
    printf("%s,%s,%dx%d,%s,%s,%d,%d,%d", scenes[what->scene], rigs[what->rig], what->width,
           what->height, presets[what->preset], searches[what->search], result->depths,
           what->sources, threads);
    print_field("%.3f", depth->wall_s);
    print_field("%.3f", depth->cpu_s);
    print_field("%.3f", depth->speedup);
    print_field("%.1f", 1e9 * depth->cpu_s / result->pixels);
    print_field("%.4f", 1e9 * depth->cpu_s / result->samples);
    print_field("%.1f", depth->peak_mb);
    print_field("%.4f", result->score.median_mm);
    print_field("%.2f", result->score.within_pct);
    print_field("%.2f", result->score.sigma_pct[0]);
    print_field("%.2f", result->score.sigma_pct[1]);
    print_field("%.3f", frame->wall_s);
    print_field("%.3f", frame->cpu_s);
    print_field("%.3f", frame->speedup);
    print_field("%.1f", 1e9 * frame->cpu_s / result->pixels);
    print_field("%.1f", frame->peak_mb);
    print_field("%.4f", result->cloud_rms_mm);
    print_field("%.2f", result->coverage_pct);
    print_field("%.1f", result->others_pct);
    printf(",%d\n", result->runs);
    fflush(stdout);
}

static bool run_case(const StagesCase *what, const StagesPlan *plan) {
    char folder[STAGES_PATH_MAX];
    StagesResult result;
    AqmDiag diag = {0};
    if (stages_render(what, plan, folder, &diag) != AQM_OK ||
        stages_measure(what, plan, folder, &result, &diag) != AQM_OK) {
        fprintf(stderr, "stages: %s\n", diag.message);
        return false;
    }
    for (int t = 0; t < plan->thread_count; t++)
        print_row(what, plan->threads[t], &result, t);
    return true;
}

static bool run_blocks(const Block *blocks, size_t count, const StagesPlan *plan) {
    StagesCase what = {.depths = 0};
    print_head();
    for (size_t b = 0; b < count; b++)
        for (int k = 0; k < cases_of(&blocks[b]); k++)
            if (!case_of(&blocks[b], k, &what) || !run_case(&what, plan))
                return false;
    return true;
}

/* ---- the program ----------------------------------------------------------------------------- */

typedef struct Arguments {
    StagesPlan plan;
    bool is_quick, has_choice;
    Block choice;
} Arguments;

static int usage(void) {
    fprintf(stderr,
            "usage: stages [--quick] [--repeats N] [--retries N] [--threads N,...] [--scenes DIR]\n"
            "              [--scene plane|undulating|sandbed|board,...] [--rig "
            "ring12|ring5|pair,...]\n"
            "              [--size WxH,...] [--preset fast|balanced|quality,...] "
            "[--depths preset|N,...]\n"
            "              [--sources N,...]\n"
            "       stages --compare BEFORE.csv AFTER.csv\n");
    return 2;
}

static bool set_threads(StagesPlan *plan, const char *list) {
    plan->thread_count = items_of(list);
    if (plan->thread_count > STAGES_MAX_THREADS)
        return false;
    for (int t = 0; t < plan->thread_count; t++) {
        char item[32];
        pick(list, t, item);
        plan->threads[t] = number_of(item);
        if (plan->threads[t] == 0)
            return false;
    }
    return true;
}

static bool set_option(Arguments *given, const char *name, const char *value) {
    StagesPlan *plan = &given->plan;
    if (strcmp(name, "--threads") == 0)
        return set_threads(plan, value);
    if (strcmp(name, "--repeats") == 0) {
        plan->repeats = number_of(value);
        return plan->repeats >= 1 && plan->repeats <= STAGES_MAX_REPEATS;
    }
    if (strcmp(name, "--retries") == 0) {
        plan->retries = number_of(value);
        return plan->retries >= 1;
    }
    if (strcmp(name, "--scenes") == 0) {
        plan->folder = value;
        return true;
    }
    const int axis = word_of(name, axis_names, AXES);
    if (axis < 0)
        return false;
    given->choice.lists[axis] = value;
    given->has_choice = true;
    return true;
}

static bool parse(int count, char **arguments, Arguments *given) {
    for (int k = 1; k < count; k++) {
        if (strcmp(arguments[k], "--quick") == 0) {
            given->is_quick = true;
        } else if (k + 1 < count && set_option(given, arguments[k], arguments[k + 1])) {
            k++;
        } else {
            fprintf(stderr, "stages: %s: no such option, or not with that value\n", arguments[k]);
            return false;
        }
    }
    StagesCase what;
    for (int k = 0; k < cases_of(&given->choice); k++)
        if (!case_of(&given->choice, k, &what))
            return false;
    return !(given->is_quick && given->has_choice);
}

static bool run(const Arguments *given) {
    if (given->has_choice)
        return run_blocks(&given->choice, 1, &given->plan);
    if (given->is_quick)
        return run_blocks(quick_blocks, sizeof quick_blocks / sizeof quick_blocks[0], &given->plan);
    return run_blocks(standard_blocks, sizeof standard_blocks / sizeof standard_blocks[0],
                      &given->plan);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where) {
    (void)status, (void)type, (void)where;
    return remove(path);
}

int main(int count, char **arguments) {
    if (count == 4 && strcmp(arguments[1], "--compare") == 0)
        return bench_compare(arguments[2], arguments[3]) ? 0 : 1;
    Arguments given = {{.repeats = 3, .patience_s = 10.0, .threads = {1, 2}, .thread_count = 2},
                       false,
                       false,
                       chosen_default};
    if (!parse(count, arguments, &given))
        return usage();
    if (given.plan.folder)
        return run(&given) ? 0 : 1;
    char folder[STAGES_PATH_MAX / 2];
    const char *parent = getenv("TMPDIR");
    (void)snprintf(folder, sizeof folder, "%s/aquamvs-stages-XXXXXX", parent ? parent : "/tmp");
    if (!mkdtemp(folder)) {
        perror(folder);
        return 1;
    }
    given.plan.folder = folder;
    const bool is_good = run(&given);
    (void)nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return is_good ? 0 : 1;
}
