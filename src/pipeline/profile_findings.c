/* What takes longest, and why it is not faster. The rules, of what was measured alone:
 *
 * - What is looked at: the stages; instead of one whose parts make up COVERED of it, the parts, and
 *   so on. The longest three by the clock are told.
 * - busy = CPU time / wall time: how many threads computed, in the mean. ready = (CPU time + time
 *   threads had no core) / wall time: how many would have, on a machine without other programs; the
 *   rules go by it. Where the system does not tell of cores, ready is busy.
 * - ready below IDLE: hardly a thread had anything to compute, so it waits; for files if at least
 *   FLOW bytes a second went through them.
 * - ready / threads from FULL on: bound by computing.
 * - Between them, ready up to ALONE is one thread at work and the others idle: a serial part; more
 * is partly parallel. With that many threads and a core each it would take CPU time / ready, spread
 *   evenly over all threads CPU time / threads: the difference is what there is to gain.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/profile_parts.h"

static const double COVERED = 0.9, IDLE = 0.5, FULL = 0.8, ALONE = 1.2, FLOW = 1e6;

const char *aqm_profile_limit_name(AqmProfileLimit limit) {
    static const char *const names[] = {"compute", "partly", "serial", "files", "waiting"};
    return names[limit];
}

/* Is the entry to be told of by its parts instead? */
static bool is_covered(const AqmProfile *profile, size_t entry) {
    double parts_s = 0.0;
    for (size_t k = entry + 1; k < profile->count; k++)
        if (profile->entries[k].parent == entry && !profile->entries[k].is_task)
            parts_s += profile->entries[k].figures.wall_s;
    return parts_s > 0.0 && parts_s >= COVERED * profile->entries[entry].figures.wall_s;
}

static bool is_looked_at(const AqmProfile *profile, size_t entry) {
    if (profile->entries[entry].is_task || is_covered(profile, entry))
        return false;
    size_t around = profile->entries[entry].parent;
    for (; around != AQM_PROFILE_FRAME; around = profile->entries[around].parent)
        if (!is_covered(profile, around))
            return false;
    return true;
}

static double bytes_moved(const AqmProfileFigures *f) {
    return (f->read_bytes > 0 ? (double)f->read_bytes : 0.0) +
           (f->written_bytes > 0 ? (double)f->written_bytes : 0.0);
}

static AqmProfileLimit limit_of(const AqmProfileFigures *f, const AqmProfileFinding *finding,
                                int threads) {
    if (finding->threads_ready < IDLE)
        return bytes_moved(f) >= FLOW * f->wall_s ? AQM_LIMIT_FILES : AQM_LIMIT_WAITING;
    if (finding->threads_ready >= FULL * threads)
        return AQM_LIMIT_COMPUTE;
    return threads > 1 && finding->threads_ready <= ALONE ? AQM_LIMIT_SERIAL : AQM_LIMIT_PARTLY;
}

__attribute__((format(printf, 2, 3))) static void add_words(AqmProfileFinding *finding,
                                                            const char *format, ...) {
    const size_t used = strlen(finding->text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(finding->text + used, sizeof finding->text - used, format, arguments);
    va_end(arguments);
}

/* Bytes, and counts where they are known. */
static void add_numbers(AqmProfileFinding *finding, const AqmProfileFigures *f) {
    if (f->read_bytes >= 0)
        add_words(finding, "; %.1f MB read, %.1f MB written", 1e-6 * (double)f->read_bytes,
                  1e-6 * (double)f->written_bytes);
    if (f->cycles > 0 && f->instructions > 0)
        add_words(finding, "; %.2f instructions a cycle, %.2f cache misses in 1000",
                  (double)f->instructions / (double)f->cycles,
                  1000.0 * (double)f->cache_misses / (double)f->instructions);
}

static void put_in_words(const AqmProfileFigures *f, int threads, AqmProfileFinding *finding) {
    char words[300];
    const double saved_s = f->cpu_s / fmax(finding->threads_ready, 1e-9) - f->cpu_s / threads;
    const double rate = f->wall_s > 0.0 ? 1e-6 * bytes_moved(f) / f->wall_s : 0.0;
    switch (finding->limit) {
    case AQM_LIMIT_COMPUTE:
        snprintf(words, sizeof words, "bound by computing: less work or more cores would help");
        break;
    case AQM_LIMIT_SERIAL:
        snprintf(words, sizeof words,
                 "a serial part: spread over all threads it would take %.3f s less", saved_s);
        break;
    case AQM_LIMIT_PARTLY:
        snprintf(words, sizeof words,
                 "partly parallel: spread evenly over all threads it would take %.3f s less",
                 saved_s);
        break;
    case AQM_LIMIT_FILES:
        snprintf(words, sizeof words, "waits for files: %.1f MB/s go through it", rate);
        break;
    case AQM_LIMIT_WAITING:
        snprintf(words, sizeof words,
                 "waits, and not for bytes: for another thread, a flush to the disk, or a core");
        break;
    }
    snprintf(finding->text, sizeof finding->text, "%.2f of %d thread%s busy (%.0f %%)",
             finding->threads_busy, threads, threads == 1 ? "" : "s", 100.0 * finding->efficiency);
    if (finding->threads_ready - finding->threads_busy >= 0.05)
        add_words(finding, ", %.2f more ready without a core",
                  finding->threads_ready - finding->threads_busy);
    add_words(finding, ": %s", words);
    add_numbers(finding, f);
}

static AqmProfileFinding judge(const AqmProfile *profile, size_t entry) {
    const AqmProfileFigures *f = &profile->entries[entry].figures;
    AqmProfileFinding finding = {.entry = entry};
    if (profile->total.wall_s > 0.0)
        finding.share = f->wall_s / profile->total.wall_s;
    if (f->wall_s > 0.0)
        finding.threads_busy = f->cpu_s / f->wall_s;
    finding.threads_ready = finding.threads_busy;
    if (f->wall_s > 0.0 && f->wait_s > 0.0)
        finding.threads_ready += f->wait_s / f->wall_s;
    finding.efficiency = finding.threads_busy / profile->threads;
    finding.limit = limit_of(f, &finding, profile->threads);
    put_in_words(f, profile->threads, &finding);
    return finding;
}

void aqm_profile_find(AqmProfile *profile) {
    profile->finding_count = 0;
    for (size_t k = 0; k < profile->count; k++) {
        if (!is_looked_at(profile, k))
            continue;
        const double wall_s = profile->entries[k].figures.wall_s;
        size_t place = profile->finding_count;
        while (place > 0 &&
               profile->entries[profile->findings[place - 1].entry].figures.wall_s < wall_s)
            place--;
        if (place == AQM_PROFILE_FINDINGS_MAX)
            continue;
        profile->finding_count += profile->finding_count < AQM_PROFILE_FINDINGS_MAX;
        for (size_t m = profile->finding_count - 1; m > place; m--)
            profile->findings[m] = profile->findings[m - 1];
        profile->findings[place] = judge(profile, k);
    }
}
