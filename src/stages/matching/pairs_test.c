#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "aquamvs/matching.h"

enum { MOST = 13 };

/* `ring` cameras on a circle, and one above its middle last. */
typedef struct Rig {
    AqmView view[MOST];
    const AqmView *views[MOST];
    bool is_auxiliary[MOST];
    size_t pairs[MOST * MOST][2];
} Rig;

static void build(Rig *rig, size_t ring) {
    *rig = (Rig){.is_auxiliary = {false}};
    for (size_t k = 0; k <= ring; k++) {
        rig->views[k] = &rig->view[k];
        rig->view[k].C[0] = k < ring ? cos(6.283185307179586 * (double)k / (double)ring) : 0.0;
        rig->view[k].C[1] = k < ring ? sin(6.283185307179586 * (double)k / (double)ring) : 0.0;
    }
    rig->is_auxiliary[ring] = true;
}

static size_t find(Rig *rig, size_t count, int neighbors, bool center) {
    return aqm_pairs_by_distance(rig->views, rig->is_auxiliary, count, neighbors, center,
                                 rig->pairs);
}

static void a_ring_pairs_with_its_neighbours_and_the_centre(void **state) {
    (void)state;
    Rig rig;
    build(&rig, 12);
    const size_t count = find(&rig, 13, 4, true);
    assert_int_equal(count, 12 * 4 / 2 + 12);
    for (size_t k = 0; k < count; k++) {
        const size_t a = rig.pairs[k][0], b = rig.pairs[k][1], apart = (b - a) % 12;
        assert_true(a < b);
        assert_true(b == 12 || apart <= 2 || apart >= 10);
        assert_true(k == 0 || rig.pairs[k - 1][0] < a ||
                    (rig.pairs[k - 1][0] == a && rig.pairs[k - 1][1] < b));
    }
    assert_int_equal(find(&rig, 13, 4, false), 24);
    assert_int_equal(find(&rig, 13, 0, true), 12);
}

static void sources_come_nearest_first_and_the_centre_last(void **state) {
    (void)state;
    Rig rig;
    size_t sources[MOST];
    build(&rig, 12);
    for (size_t view = 0; view < 12; view++) {
        assert_int_equal(
            aqm_sources_by_distance(rig.views, rig.is_auxiliary, 13, view, 4, true, sources), 5);
        for (size_t k = 0; k < 4; k++) {
            const size_t apart = (sources[k] + 12 - view) % 12, steps = k < 2 ? 1 : 2;
            assert_true(apart == steps || apart == 12 - steps);
        }
        assert_int_equal(sources[4], 12);
    }
    assert_int_equal(aqm_sources_by_distance(rig.views, rig.is_auxiliary, 13, 3, 2, false, sources),
                     2);
    assert_int_equal(
        aqm_sources_by_distance(rig.views, rig.is_auxiliary, 13, 3, 100, true, sources), 12);
}

static void more_neighbours_than_there_are_give_all_pairs(void **state) {
    (void)state;
    Rig rig;
    build(&rig, 5);
    assert_int_equal(find(&rig, 5, 100, true), 10);
    assert_int_equal(find(&rig, 6, 100, true), 15);
}

/* Of three in a row the far ones both choose the middle, and it chooses the first. */
static void one_side_is_enough_and_ties_go_to_the_first(void **state) {
    (void)state;
    Rig rig;
    build(&rig, 3);
    for (size_t k = 0; k < 3; k++)
        rig.view[k].C[0] = (double)k, rig.view[k].C[1] = 0.0;
    assert_int_equal(find(&rig, 3, 1, true), 2);
    assert_true(rig.pairs[0][0] == 0 && rig.pairs[0][1] == 1);
    assert_true(rig.pairs[1][0] == 1 && rig.pairs[1][1] == 2);
    rig.view[2].C[0] = 1.0; /* three in two places */
    assert_int_equal(find(&rig, 3, 1, true), 2);
    assert_true(rig.pairs[1][0] == 1 && rig.pairs[1][1] == 2);
}

static void auxiliary_views_are_not_matched_with_each_other(void **state) {
    (void)state;
    Rig rig;
    build(&rig, 4);
    rig.is_auxiliary[0] = true;
    assert_int_equal(find(&rig, 5, 1, true), 6 + 2);
    for (size_t k = 0; k < 8; k++)
        assert_false(rig.pairs[k][0] == 0 && rig.pairs[k][1] == 4);
}

static void fewer_than_two_views_have_no_pair(void **state) {
    (void)state;
    Rig rig;
    build(&rig, 3);
    assert_int_equal(find(&rig, 0, 4, true), 0);
    assert_int_equal(find(&rig, 1, 4, true), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ring_pairs_with_its_neighbours_and_the_centre),
        cmocka_unit_test(sources_come_nearest_first_and_the_centre_last),
        cmocka_unit_test(more_neighbours_than_there_are_give_all_pairs),
        cmocka_unit_test(one_side_is_enough_and_ties_go_to_the_first),
        cmocka_unit_test(auxiliary_views_are_not_matched_with_each_other),
        cmocka_unit_test(fewer_than_two_views_have_no_pair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
