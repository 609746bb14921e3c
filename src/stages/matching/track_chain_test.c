#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "base/alloc.h"
#include "stages/matching/track_chain.h"

enum { VIEWS = 4, FEATURES = 3 };

typedef struct Graph {
    AqmFeatures *features[VIEWS];
    AqmMatchView views[VIEWS];
    AqmMatchPair pairs[8];
    AqmMatches *matches[8];
    size_t pair_count;
} Graph;

static void graph_make(Graph *graph) {
    *graph = (Graph){0};
    for (size_t v = 0; v < VIEWS; v++) {
        assert_int_equal(aqm_features_create(&graph->features[v], FEATURES, 1, NULL), AQM_OK);
        for (size_t k = 0; k < FEATURES; k++)
            graph->features[v]->position[2 * k] = (float)(10 * v + k);
        graph->views[v].features = graph->features[v];
    }
}

/* A pair of one match. */
static void graph_add(Graph *graph, size_t a, uint32_t of_a, size_t b, uint32_t of_b, float score) {
    AqmMatches *matches = NULL;
    assert_int_equal(aqm_matches_create(&matches, 1, NULL), AQM_OK);
    matches->count = 1;
    matches->first[0] = of_a, matches->second[0] = of_b;
    matches->score[0] = score;
    matches->first_position[0] = 1.0f, matches->second_position[0] = 2.0f;
    graph->matches[graph->pair_count] = matches;
    graph->pairs[graph->pair_count++] = (AqmMatchPair){a, b, matches};
}

static AqmStatus graph_chains(const Graph *graph, AqmTrackChains **chains, AqmDiag *diag) {
    return aqm_track_chains_create(chains, graph->views, VIEWS, graph->pairs, graph->pair_count,
                                   diag);
}

static void graph_free(Graph *graph) {
    for (size_t v = 0; v < VIEWS; v++)
        aqm_features_destroy(&graph->features[v]);
    for (size_t p = 0; p < graph->pair_count; p++)
        aqm_matches_destroy(&graph->matches[p]);
}

static void matches_chain_over_views(void **state) {
    (void)state;
    Graph graph;
    graph_make(&graph);
    graph_add(&graph, 2, 1, 3, 0, 0.5f);
    graph_add(&graph, 0, 2, 2, 1, 0.6f);
    graph_add(&graph, 0, 0, 1, 0, 0.7f);
    graph_add(&graph, 0, 2, 3, 0, 0.4f); /* closes a loop */
    AqmTrackChains *chains = NULL;
    assert_int_equal(graph_chains(&graph, &chains, NULL), AQM_OK);
    assert_int_equal(chains->count, 2);
    assert_int_equal(chains->first[1], 2);
    assert_int_equal(chains->first[2], 5);
    assert_int_equal(chains->first_link[1], 1);
    assert_int_equal(chains->first_link[2], 4);
    const AqmObservation *second = chains->observation + 2;
    assert_int_equal(second[0].view, 0);
    assert_int_equal(second[0].feature, 2);
    assert_int_equal(second[1].view, 2);
    assert_int_equal(second[2].view, 3);
    assert_true(second[1].u == 21.0f);
    const AqmTrackLink *link = chains->link + 1; /* in the order of the pairs */
    assert_int_equal(link->a, 1);
    assert_int_equal(link->b, 2);
    assert_true(link->from[0] == 1.0f && link->to[0] == 2.0f);
    aqm_track_chains_destroy(&chains);
    graph_free(&graph);
}

static void a_match_that_joins_two_points_is_left_out(void **state) {
    (void)state;
    for (int last = 0; last < 2; last++) {
        Graph graph;
        graph_make(&graph);
        /* 0.0 - 1.0 - 2.0 and 0.1 - 1.1; what joins them is the least certain, first or last */
        if (!last)
            graph_add(&graph, 1, 1, 2, 0, 0.2f);
        graph_add(&graph, 0, 0, 1, 0, 0.9f);
        graph_add(&graph, 1, 0, 2, 0, 0.5f);
        graph_add(&graph, 0, 1, 1, 1, 0.8f);
        if (last)
            graph_add(&graph, 1, 1, 2, 0, 0.2f);
        AqmTrackChains *chains = NULL;
        assert_int_equal(graph_chains(&graph, &chains, NULL), AQM_OK);
        assert_int_equal(chains->count, 2);
        assert_int_equal(chains->first[1], 3);
        assert_int_equal(chains->first[2], 5);
        assert_int_equal(chains->first_link[2], 3);
        aqm_track_chains_destroy(&chains);
        graph_free(&graph);
    }
}

static void what_is_not_finite_comes_to_nothing(void **state) {
    (void)state;
    Graph graph;
    graph_make(&graph);
    graph_add(&graph, 0, 0, 1, 0, NAN);
    graph_add(&graph, 0, 1, 1, 1, 0.5f);
    graph.matches[1]->second_position[1] = INFINITY;
    AqmTrackChains *chains = NULL;
    assert_int_equal(graph_chains(&graph, &chains, NULL), AQM_OK);
    assert_int_equal(chains->count, 0);
    assert_int_equal(chains->first[0], 0);
    aqm_track_chains_destroy(&chains);
    graph_free(&graph);
}

static void matches_of_what_is_not_there_are_refused(void **state) {
    (void)state;
    const struct {
        size_t a, b;
        uint32_t of_a, of_b;
    } bad[4] = {{0, VIEWS, 0, 0}, {1, 1, 0, 0}, {0, 1, FEATURES, 0}, {0, 1, 0, FEATURES}};
    for (int k = 0; k < 4; k++) {
        Graph graph;
        graph_make(&graph);
        graph_add(&graph, bad[k].a, bad[k].of_a, bad[k].b, bad[k].of_b, 0.5f);
        AqmTrackChains *chains = NULL;
        AqmDiag diag = {0};
        assert_int_equal(graph_chains(&graph, &chains, &diag), AQM_ERROR_ARGUMENT);
        assert_null(chains);
        graph_free(&graph);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_chain_over_views),
        cmocka_unit_test(a_match_that_joins_two_points_is_left_out),
        cmocka_unit_test(what_is_not_finite_comes_to_nothing),
        cmocka_unit_test(matches_of_what_is_not_there_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
