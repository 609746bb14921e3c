/* From events to entries: those with the same name at the same place are one. */
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "pipeline/profile_parts.h"

enum { DEEPEST = 32 }; /* what is nested deeper counts for what is around it alone */

/* Entries as they turn up, before they are put into order. */
typedef struct Tree {
    AqmProfileEntry *entries;
    double *start_s; /* of each entry's first event */
    size_t count, room;
    const AqmRecording *recording;
} Tree;

static double end_of(const AqmScopeEvent *event) {
    return event->start_s + event->span.wall_s;
}

static AqmStatus make_room(Tree *tree, AqmDiag *diag) {
    if (tree->count < tree->room)
        return AQM_OK;
    const size_t room = 2 * tree->room + 16;
    AqmProfileEntry *entries = aqm_realloc(tree->entries, room, sizeof *entries);
    if (entries)
        tree->entries = entries;
    double *start_s = aqm_realloc(tree->start_s, room, sizeof *start_s);
    if (start_s)
        tree->start_s = start_s;
    if (!entries || !start_s)
        return aqm_fail_memory(diag, "a profile", room, sizeof *entries);
    tree->room = room;
    return AQM_OK;
}

/* The entry of that name at that place, made if there is none yet. */
static AqmStatus find_entry(Tree *tree, const AqmScopeEvent *event, size_t parent, size_t *entry,
                            AqmDiag *diag) {
    const bool is_task = event->kind == AQM_SCOPE_TASK;
    for (size_t k = 0; k < tree->count; k++)
        if (tree->entries[k].parent == parent && tree->entries[k].is_task == is_task &&
            strcmp(tree->entries[k].name, event->name) == 0) {
            *entry = k;
            return AQM_OK;
        }
    AQM_TRY(make_room(tree, diag));
    *entry = tree->count++;
    tree->entries[*entry] = (AqmProfileEntry){
        .name = event->name,
        .parent = parent,
        .level = parent == AQM_PROFILE_FRAME ? 0 : tree->entries[parent].level + 1,
        .is_task = is_task,
    };
    tree->start_s[*entry] = event->start_s;
    return AQM_OK;
}

/* What is not known of one event is not known of the sum. */
static void add_known(int64_t *sum, int64_t value) {
    *sum = *sum >= 0 && value >= 0 ? *sum + value : -1;
}

static void add_figures(AqmProfileFigures *sum, const AqmScopeEvent *event, size_t own_bytes) {
    const size_t peak = event->span.peak_bytes > own_bytes ? event->span.peak_bytes - own_bytes : 0;
    sum->wall_s += event->span.wall_s;
    sum->cpu_s += event->span.cpu_s;
    sum->wait_s += event->wait_s; /* NaN stays NaN */
    sum->allocations += event->span.allocations;
    sum->allocated_bytes += event->span.allocated_bytes;
    sum->peak_bytes = peak > sum->peak_bytes ? peak : sum->peak_bytes;
    add_known(&sum->read_bytes, event->io.read_bytes);
    add_known(&sum->written_bytes, event->io.written_bytes);
    add_known(&sum->instructions, event->counts[AQM_PERF_INSTRUCTIONS]);
    add_known(&sum->cycles, event->counts[AQM_PERF_CYCLES]);
    add_known(&sum->cache_misses, event->counts[AQM_PERF_CACHE_MISSES]);
}

/* The stage that holds all of a task; stages are the entries made first, one event each. */
static size_t stage_around(const Tree *tree, const AqmScopeEvent *task) {
    const AqmRecordedThread *first = &tree->recording->threads[0];
    for (size_t k = 1; k < first->count; k++) {
        const AqmScopeEvent *stage = &first->events[k];
        if (stage->kind != AQM_SCOPE_STAGE || stage->depth != 1 || stage->start_s > task->start_s ||
            end_of(stage) < end_of(task))
            continue;
        for (size_t e = 0; e < tree->count; e++)
            if (tree->entries[e].level == 0 && strcmp(tree->entries[e].name, stage->name) == 0)
                return e;
    }
    return AQM_PROFILE_FRAME;
}

/* around[d]: the entry of the event that is open at depth d. */
static AqmStatus add_thread(Tree *tree, size_t number, AqmDiag *diag) {
    const AqmRecordedThread *thread = &tree->recording->threads[number];
    size_t around[DEEPEST];
    bool is_task[DEEPEST] = {false};
    around[0] = AQM_PROFILE_FRAME;
    for (size_t k = number == 0 ? 1 : 0; k < thread->count; k++) {
        const AqmScopeEvent *event = &thread->events[k];
        if (event->depth >= DEEPEST)
            continue;
        const bool begins_task =
            event->kind == AQM_SCOPE_TASK && (event->depth == 0 || !is_task[event->depth - 1]);
        const size_t parent =
            begins_task ? stage_around(tree, event)
                        : (event->depth > 0 ? around[event->depth - 1] : AQM_PROFILE_FRAME);
        size_t entry;
        AQM_TRY(find_entry(tree, event, parent, &entry, diag));
        around[event->depth] = entry;
        is_task[event->depth] = event->kind == AQM_SCOPE_TASK;
        tree->entries[entry].calls++;
        add_figures(&tree->entries[entry].figures, event, tree->recording->own_bytes);
    }
    return AQM_OK;
}

/* The child of `parent` that began first of those after (start_s, entry); count if there is none.
 */
static size_t next_child(const Tree *tree, size_t parent, double start_s, size_t after) {
    size_t best = tree->count;
    for (size_t k = 0; k < tree->count; k++) {
        const bool is_later = tree->start_s[k] > start_s ||
                              (tree->start_s[k] == start_s && (after == tree->count || k > after));
        if (tree->entries[k].parent == parent && is_later &&
            (best == tree->count || tree->start_s[k] < tree->start_s[best]))
            best = k;
    }
    return best;
}

/* Entries in order, each before its parts; a depth-first walk. Levels are fewer than DEEPEST. */
static void put_in_order(const Tree *tree, AqmProfile *profile) {
    struct {
        size_t old_parent, new_parent, last;
        double start_s;
    } path[DEEPEST + 1];
    size_t depth = 0;
    path[0].old_parent = path[0].new_parent = AQM_PROFILE_FRAME;
    path[0].last = tree->count;
    path[0].start_s = -1.0;
    for (;;) {
        const size_t child =
            next_child(tree, path[depth].old_parent, path[depth].start_s, path[depth].last);
        if (child == tree->count) {
            if (depth-- == 0)
                return;
            continue;
        }
        path[depth].last = child;
        path[depth].start_s = tree->start_s[child];
        const size_t place = profile->count++;
        profile->entries[place] = tree->entries[child];
        profile->entries[place].parent = path[depth].new_parent;
        depth++;
        path[depth].old_parent = child;
        path[depth].new_parent = place;
        path[depth].last = tree->count;
        path[depth].start_s = -1.0;
    }
}

AqmStatus aqm_profile_collect(const AqmRecording *recording, AqmProfile *profile, AqmDiag *diag) {
    Tree tree = {.recording = recording};
    AqmStatus status = AQM_OK;
    for (size_t t = 0; t < recording->thread_count && status == AQM_OK; t++)
        status = add_thread(&tree, t, diag);
    profile->entries = NULL;
    profile->count = profile->scopes = 0;
    if (status == AQM_OK) {
        profile->entries = aqm_alloc(tree.count, sizeof *profile->entries);
        if (!profile->entries)
            status = aqm_fail_memory(diag, "a profile", tree.count, sizeof *profile->entries);
    }
    if (status == AQM_OK) {
        put_in_order(&tree, profile);
        profile->total = (AqmProfileFigures){0};
        add_figures(&profile->total, &recording->threads[0].events[0], recording->own_bytes);
        profile->stages_s = 0.0;
        for (size_t k = 0; k < profile->count; k++)
            if (profile->entries[k].level == 0 && !profile->entries[k].is_task)
                profile->stages_s += profile->entries[k].figures.wall_s;
        profile->rest_s = profile->total.wall_s - profile->stages_s;
        for (size_t t = 0; t < recording->thread_count; t++)
            profile->scopes += recording->threads[t].count;
    }
    aqm_free(tree.entries);
    aqm_free(tree.start_s);
    return status;
}
