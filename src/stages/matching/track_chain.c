/* Chains of matches: a union-find forest (Tarjan 1975, path halving) over the features of all
 * views, one node each.
 *
 * A wrong match joins two points of the scene, which shows where the union would hold two features
 * of one view. Matches are taken best score first, and one whose union would do that is refused:
 * so a chain never runs into itself, what two good chains say stays apart, and the wrong match
 * costs nothing but itself. The members of a tree form a ring (next), which two exchanged links
 * join, and trees have at most a member a view; so a union costs at most the number of views.
 * Sorting the matches dominates. 12 bytes a feature and 40 a match while it runs. */
#include "stages/matching/track_chain.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/diag.h"

static const uint32_t NO_CHAIN = UINT32_MAX;

/* A match as an edge of the graph. */
typedef struct Edge {
    float score;
    uint32_t pair, match;
} Edge;

typedef struct Forest {
    const AqmMatchView *views;
    const AqmMatchPair *pairs;
    size_t view_count, pair_count, node_count, edge_count;
    size_t *first_node;      /* of each view; view_count + 1 of them */
    uint32_t *parent, *next; /* of each node */
    uint32_t *chain, *place; /* of each node: its chain, and which observation of it */
    uint32_t *mark_of_view;  /* of each view: the last union whose first tree has it */
    Edge *edges;
} Forest;

static void forest_free(Forest *forest) {
    aqm_free(forest->first_node);
    aqm_free(forest->parent);
    aqm_free(forest->next);
    aqm_free(forest->chain);
    aqm_free(forest->place);
    aqm_free(forest->mark_of_view);
    aqm_free(forest->edges);
}

/* ---- input ----------------------------------------------------------------------------------- */

static AqmStatus check_pair(const Forest *forest, size_t p, AqmDiag *diag) {
    const AqmMatchPair *pair = &forest->pairs[p];
    if (pair->first >= forest->view_count || pair->second >= forest->view_count ||
        pair->first == pair->second)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "pair %zu matches views %zu and %zu: must be two of the %zu views", p,
                        pair->first, pair->second, forest->view_count);
    const size_t first_count = forest->views[pair->first].features->count,
                 second_count = forest->views[pair->second].features->count;
    for (size_t k = 0; k < pair->matches->count; k++)
        if (pair->matches->first[k] >= first_count || pair->matches->second[k] >= second_count)
            return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                            "pair %zu, match %zu: features %u and %u of %zu and %zu", p, k,
                            (unsigned)pair->matches->first[k], (unsigned)pair->matches->second[k],
                            first_count, second_count);
    return AQM_OK;
}

static AqmStatus forest_init(Forest *forest, AqmDiag *diag) {
    for (size_t p = 0; p < forest->pair_count; p++) {
        AQM_TRY(check_pair(forest, p, diag));
        forest->edge_count += forest->pairs[p].matches->count;
    }
    forest->first_node = aqm_alloc(forest->view_count + 1, sizeof *forest->first_node);
    if (!forest->first_node)
        return aqm_fail_memory(diag, "chains of matches", forest->view_count, sizeof(size_t));
    for (size_t v = 0; v < forest->view_count; v++) {
        forest->first_node[v] = forest->node_count;
        forest->node_count += forest->views[v].features->count;
    }
    const size_t nodes = forest->first_node[forest->view_count] = forest->node_count;
    if (nodes >= NO_CHAIN || forest->pair_count >= NO_CHAIN)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "%zu features: at most %u", nodes,
                        (unsigned)NO_CHAIN);
    forest->parent = aqm_alloc(nodes, sizeof *forest->parent);
    forest->next = aqm_alloc(nodes, sizeof *forest->next);
    forest->chain = aqm_alloc(nodes, sizeof *forest->chain);
    forest->place = aqm_alloc(nodes, sizeof *forest->place);
    forest->mark_of_view = aqm_calloc(forest->view_count, sizeof *forest->mark_of_view);
    forest->edges = aqm_alloc(forest->edge_count, sizeof *forest->edges);
    if (!forest->parent || !forest->next || !forest->chain || !forest->place ||
        !forest->mark_of_view || !forest->edges)
        return aqm_fail_memory(diag, "chains of matches", nodes + forest->edge_count, sizeof(Edge));
    for (size_t k = 0; k < nodes; k++)
        forest->parent[k] = forest->next[k] = (uint32_t)k;
    return AQM_OK;
}

static uint32_t node_of(const Forest *forest, size_t view, uint32_t feature) {
    return (uint32_t)(forest->first_node[view] + feature);
}

static void ends_of(const Forest *forest, const Edge *edge, uint32_t *a, uint32_t *b) {
    const AqmMatchPair *pair = &forest->pairs[edge->pair];
    *a = node_of(forest, pair->first, pair->matches->first[edge->match]);
    *b = node_of(forest, pair->second, pair->matches->second[edge->match]);
}

/* ---- unions ---------------------------------------------------------------------------------- */

static int by_score(const void *left, const void *right) {
    const Edge *a = left, *b = right;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    if (a->pair != b->pair)
        return a->pair < b->pair ? -1 : 1;
    return a->match < b->match ? -1 : a->match > b->match;
}

/* All matches, best first; a match whose score or positions are not known comes to nothing. */
static void sort_edges(Forest *forest) {
    size_t count = 0;
    for (size_t p = 0; p < forest->pair_count; p++) {
        const AqmMatches *matches = forest->pairs[p].matches;
        for (size_t k = 0; k < matches->count; k++) {
            const float *a = matches->first_position + 2 * k, *b = matches->second_position + 2 * k;
            if (isfinite(a[0]) && isfinite(a[1]) && isfinite(b[0]) && isfinite(b[1]) &&
                isfinite(matches->score[k]))
                forest->edges[count++] = (Edge){matches->score[k], (uint32_t)p, (uint32_t)k};
        }
    }
    forest->edge_count = count;
    qsort(forest->edges, count, sizeof *forest->edges, by_score);
}

static uint32_t root_of(uint32_t *parent, uint32_t node) {
    while (parent[node] != node)
        node = parent[node] = parent[parent[node]];
    return node;
}

static size_t view_of(const Forest *forest, uint32_t node) {
    size_t low = 0, high = forest->view_count;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (forest->first_node[middle] <= node)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Do the two trees have features of one view? `mark` is new with every call. */
static bool share_a_view(Forest *forest, uint32_t a, uint32_t b, uint32_t mark) {
    uint32_t node = a;
    do {
        forest->mark_of_view[view_of(forest, node)] = mark;
        node = forest->next[node];
    } while (node != a);
    node = b;
    do {
        if (forest->mark_of_view[view_of(forest, node)] == mark)
            return true;
        node = forest->next[node];
    } while (node != b);
    return false;
}

static void join(Forest *forest) {
    for (size_t e = 0; e < forest->edge_count; e++) {
        uint32_t a, b;
        ends_of(forest, &forest->edges[e], &a, &b);
        const uint32_t root_a = root_of(forest->parent, a), root_b = root_of(forest->parent, b);
        if (root_a == root_b || share_a_view(forest, a, b, (uint32_t)e + 1))
            continue;
        forest->parent[root_b] = root_a;
        const uint32_t after = forest->next[a];
        forest->next[a] = forest->next[b];
        forest->next[b] = after;
    }
}

/* ---- output ---------------------------------------------------------------------------------- */

/* Numbers the trees of two or more members in the order of their first members, and the members of
 * each; returns how many observations they have. */
static size_t number_chains(Forest *forest, size_t *chain_count) {
    size_t chains = 0, observations = 0;
    for (size_t k = 0; k < forest->node_count; k++)
        forest->chain[k] = NO_CHAIN;
    for (size_t k = 0; k < forest->node_count; k++) {
        if (forest->next[k] == k || forest->chain[k] != NO_CHAIN)
            continue;
        uint32_t node = (uint32_t)k;
        do {
            forest->chain[node] = (uint32_t)chains;
            observations++;
            node = forest->next[node];
        } while (node != k);
        chains++;
    }
    *chain_count = chains;
    return observations;
}

static size_t count_links(const Forest *forest) {
    size_t links = 0;
    for (size_t e = 0; e < forest->edge_count; e++) {
        uint32_t a, b;
        ends_of(forest, &forest->edges[e], &a, &b);
        links += forest->chain[a] == forest->chain[b] && forest->chain[a] != NO_CHAIN;
    }
    return links;
}

static AqmStatus chains_alloc(AqmTrackChains **out, size_t chains, size_t observations,
                              size_t links, AqmDiag *diag) {
    AqmTrackChains *made = aqm_calloc(1, sizeof *made);
    if (!made)
        return aqm_fail_memory(diag, "chains of matches", 1, sizeof *made);
    *made = (AqmTrackChains){.count = chains,
                             .first = aqm_calloc(chains + 1, sizeof *made->first),
                             .first_link = aqm_calloc(chains + 1, sizeof *made->first_link),
                             .observation = aqm_alloc(observations, sizeof *made->observation),
                             .link = aqm_alloc(links, sizeof *made->link)};
    if (!made->first || !made->first_link || !made->observation || !made->link) {
        aqm_track_chains_destroy(&made);
        return aqm_fail_memory(diag, "chains of matches", observations + links,
                               sizeof(AqmTrackLink));
    }
    *out = made;
    return AQM_OK;
}

/* counts[i + 1] entries of i become where those of i begin. */
static void sum_counts(size_t *counts, size_t n) {
    for (size_t i = 0; i < n; i++)
        counts[i + 1] += counts[i];
}

/* After filling, entry i holds where i + 1 begins: back by one. */
static void shift_back(size_t *starts, size_t n) {
    for (size_t i = n; i > 0; i--)
        starts[i] = starts[i - 1];
    starts[0] = 0;
}

static void fill_observations(Forest *forest, AqmTrackChains *chains) {
    for (size_t k = 0; k < forest->node_count; k++)
        if (forest->chain[k] != NO_CHAIN)
            chains->first[forest->chain[k] + 1]++;
    sum_counts(chains->first, chains->count);
    for (size_t v = 0; v < forest->view_count; v++)
        for (size_t k = forest->first_node[v]; k < forest->first_node[v + 1]; k++) {
            const uint32_t chain = forest->chain[k];
            if (chain == NO_CHAIN)
                continue;
            const size_t feature = k - forest->first_node[v];
            const float *position = forest->views[v].features->position + 2 * feature;
            chains->observation[chains->first[chain]++] =
                (AqmObservation){(uint32_t)v, (uint32_t)feature, position[0], position[1]};
        }
    shift_back(chains->first, chains->count);
    for (size_t c = 0; c < chains->count; c++)
        for (size_t k = chains->first[c]; k < chains->first[c + 1]; k++) {
            const AqmObservation *o = &chains->observation[k];
            forest->place[node_of(forest, o->view, o->feature)] = (uint32_t)(k - chains->first[c]);
        }
}

static int by_place(const void *left, const void *right) {
    const Edge *a = left, *b = right;
    if (a->pair != b->pair)
        return a->pair < b->pair ? -1 : 1;
    return a->match < b->match ? -1 : a->match > b->match;
}

static void fill_links(Forest *forest, AqmTrackChains *chains) {
    qsort(forest->edges, forest->edge_count, sizeof *forest->edges, by_place);
    for (int fill = 0; fill < 2; fill++) {
        for (size_t e = 0; e < forest->edge_count; e++) {
            uint32_t a, b;
            ends_of(forest, &forest->edges[e], &a, &b);
            const uint32_t chain = forest->chain[a];
            if (chain == NO_CHAIN || chain != forest->chain[b])
                continue;
            if (!fill) {
                chains->first_link[chain + 1]++;
                continue;
            }
            const AqmMatches *matches = forest->pairs[forest->edges[e].pair].matches;
            const float *from = matches->first_position + 2 * (size_t)forest->edges[e].match,
                        *to = matches->second_position + 2 * (size_t)forest->edges[e].match;
            chains->link[chains->first_link[chain]++] = (AqmTrackLink){
                forest->place[a], forest->place[b], {from[0], from[1]}, {to[0], to[1]}};
        }
        if (!fill)
            sum_counts(chains->first_link, chains->count);
    }
    shift_back(chains->first_link, chains->count);
}

AqmStatus aqm_track_chains_create(AqmTrackChains **out, const AqmMatchView *views,
                                  size_t view_count, const AqmMatchPair *pairs, size_t pair_count,
                                  AqmDiag *diag) {
    Forest forest = {
        .views = views, .pairs = pairs, .view_count = view_count, .pair_count = pair_count};
    AqmStatus status = forest_init(&forest, diag);
    if (status == AQM_OK) {
        size_t chain_count = 0;
        AqmTrackChains *chains = NULL;
        sort_edges(&forest);
        join(&forest);
        const size_t observations = number_chains(&forest, &chain_count);
        status = chains_alloc(&chains, chain_count, observations, count_links(&forest), diag);
        if (status == AQM_OK) {
            fill_observations(&forest, chains);
            fill_links(&forest, chains);
            *out = chains;
        }
    }
    forest_free(&forest);
    return status;
}

void aqm_track_chains_destroy(AqmTrackChains **chains) {
    if (!chains || !*chains)
        return;
    aqm_free((*chains)->first);
    aqm_free((*chains)->first_link);
    aqm_free((*chains)->observation);
    aqm_free((*chains)->link);
    aqm_free(*chains);
    *chains = NULL;
}
