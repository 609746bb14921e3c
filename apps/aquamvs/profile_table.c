#include "profile_table.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { NAME_WIDTH = 28 };

static double share_of(const AqmProfile *profile, double wall_s) {
    return profile->total.wall_s > 0.0 ? 100.0 * wall_s / profile->total.wall_s : 0.0;
}

/* A number, or "-" where it is not known. */
static void print_known(bool is_known, int width, int digits, double value) {
    if (is_known)
        printf(" %*.*f", width, digits, value);
    else
        printf(" %*s", width, "-");
}

static void print_counts(const AqmProfileFigures *f) {
    const bool has_cycles = f->cycles > 0 && f->instructions > 0;
    print_known(f->instructions >= 0, 9, 3, 1e-9 * (double)f->instructions);
    print_known(has_cycles, 6, 2, (double)f->instructions / (double)f->cycles);
    print_known(has_cycles, 6, 2, 1000.0 * (double)f->cache_misses / (double)f->instructions);
}

static void print_row(const AqmProfile *profile, const char *name, size_t calls, bool is_task,
                      const AqmProfileFigures *f) {
    printf("%-*s %5zu %9.4f %6.1f %9.4f", NAME_WIDTH, name, calls, f->wall_s,
           share_of(profile, f->wall_s), f->cpu_s);
    print_known(!isnan(f->wait_s), 7, 2, f->wait_s);
    print_known(f->wall_s > 0.0, 7, 2, f->cpu_s / f->wall_s);
    print_known(!is_task, 8, 0, (double)f->allocations);
    print_known(!is_task, 9, 1, 1e-6 * (double)f->allocated_bytes);
    print_known(!is_task, 8, 1, 1e-6 * (double)f->peak_bytes);
    print_known(f->read_bytes >= 0, 8, 2, 1e-6 * (double)f->read_bytes);
    print_known(f->written_bytes >= 0, 8, 2, 1e-6 * (double)f->written_bytes);
    if (!profile->no_counts[0])
        print_counts(f);
    printf("\n");
}

static void print_header(const AqmProfile *profile) {
    printf("%-*s %5s %9s %6s %9s %7s %7s %8s %9s %8s %8s %8s", NAME_WIDTH, "", "calls", "wall s",
           "%", "CPU s", "wait s", "threads", "allocs", "alloc MB", "peak MB", "read MB",
           "write MB");
    if (!profile->no_counts[0])
        printf(" %9s %6s %6s", "10^9 ins", "ins/cy", "miss/k");
    printf("\n");
}

static void print_entries(const AqmProfile *profile) {
    bool has_tasks = false;
    print_header(profile);
    for (size_t k = 0; k < profile->count; k++) {
        const AqmProfileEntry *entry = &profile->entries[k];
        char name[96];
        snprintf(name, sizeof name, "%*s%s%s", 2 * entry->level, "", entry->name,
                 entry->is_task ? " *" : "");
        print_row(profile, name, entry->calls, entry->is_task, &entry->figures);
        has_tasks |= entry->is_task;
    }
    print_row(profile, "the frame", 1, false, &profile->total);
    if (has_tasks)
        printf("* done by single threads, beside others: sums over these threads\n");
}

/* "stereo, view, search" */
static void print_place(const AqmProfile *profile, size_t entry) {
    size_t places[16], depth = 0;
    for (; entry != AQM_PROFILE_FRAME && depth < 16; entry = profile->entries[entry].parent)
        places[depth++] = entry;
    while (depth-- > 0)
        printf("%s%s", profile->entries[places[depth]].name, depth > 0 ? ", " : "");
}

static void print_findings(const AqmProfile *profile) {
    printf("\nwhere the time goes:\n");
    for (size_t k = 0; k < profile->finding_count; k++) {
        const AqmProfileFinding *finding = &profile->findings[k];
        const AqmProfileEntry *entry = &profile->entries[finding->entry];
        printf("%zu. ", k + 1);
        print_place(profile, finding->entry);
        printf(": %.4f s, %.1f %% of the frame, in %zu call%s\n   %s\n", entry->figures.wall_s,
               100.0 * finding->share, entry->calls, entry->calls == 1 ? "" : "s", finding->text);
    }
}

void profile_table_print(const AqmProfile *profile) {
    printf("frame %d: %.4f s on %d thread%s; opening the input took %.4f s before\n\n",
           profile->frame, profile->total.wall_s, profile->threads,
           profile->threads == 1 ? "" : "s", profile->prepare_s);
    print_entries(profile);
    printf("\nsum of the stages: %.4f s, %.2f %% of the frame; in none of them: %.4f s, %.2f %%\n",
           profile->stages_s, share_of(profile, profile->stages_s), profile->rest_s,
           share_of(profile, profile->rest_s));
    print_findings(profile);
    if (profile->total.wait_s > 0.01 * profile->total.wall_s)
        printf("\nthreads were ready and had no core for %.2f s: other programs are running, and "
               "wall times are longer than alone\n",
               profile->total.wait_s);
    if (profile->dropped > 0)
        printf("\n%zu scopes found no room and are missing\n", profile->dropped);
    if (profile->no_counts[0])
        printf("\n%s\n", profile->no_counts);
}
