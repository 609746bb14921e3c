/* A greedy choice: pairs from the best score down, each feature once. */
#include "stages/learned/match_pairs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"

static int by_index(const void *a, const void *b) {
    const AqmPair *p = a, *q = b;
    if (p->first != q->first)
        return p->first < q->first ? -1 : 1;
    return p->second < q->second ? -1 : p->second > q->second;
}

static int by_score(const void *a, const void *b) {
    const AqmPair *p = a, *q = b;
    if (p->score != q->score)
        return p->score > q->score ? -1 : 1;
    return by_index(a, b);
}

/* Moves the pairs that stay to the front; returns how many. */
static size_t keep_best(AqmPair *pairs, size_t count, bool *used_first, bool *used_second) {
    size_t kept = 0;
    qsort(pairs, count, sizeof *pairs, by_score);
    for (size_t i = 0; i < count; i++) {
        const AqmPair pair = pairs[i];
        if (used_first[pair.first] || used_second[pair.second])
            continue;
        used_first[pair.first] = used_second[pair.second] = true;
        pairs[kept++] = pair;
    }
    qsort(pairs, kept, sizeof *pairs, by_index);
    return kept;
}

AqmStatus aqm_matches_from_pairs(AqmMatches **out, AqmPair *pairs, size_t count,
                                 const AqmFeatures *first, const AqmFeatures *second,
                                 AqmDiag *diag) {
    bool *used = aqm_calloc(first->count + second->count, sizeof *used);
    if (!used)
        return aqm_fail_memory(diag, "matches", first->count + second->count, sizeof *used);
    const size_t kept = keep_best(pairs, count, used, used + first->count);
    aqm_free(used);
    AqmMatches *matches = NULL;
    AQM_TRY(aqm_matches_create(&matches, kept, diag));
    matches->count = kept;
    for (size_t i = 0; i < kept; i++) {
        const AqmPair *pair = &pairs[i];
        matches->first[i] = pair->first;
        matches->second[i] = pair->second;
        matches->score[i] = fminf(fmaxf(pair->score, 0.0f), 1.0f);
        memcpy(matches->first_position + 2 * i, first->position + 2 * (size_t)pair->first,
               2 * sizeof(float));
        memcpy(matches->second_position + 2 * i, second->position + 2 * (size_t)pair->second,
               2 * sizeof(float));
    }
    *out = matches;
    return AQM_OK;
}
