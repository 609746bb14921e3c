#include "base/alloc.h"
#include "stages/learned/match_pairs.h"
#include "stages/learned/test_learned.h"

enum { M = 7, N = 9, SIZE = 12 };
static const int FIRST_SIZE[2] = {160, 120}, SECOND_SIZE[2] = {120, 200};

/* Feature i of the second image has descriptor 1 at i; first feature i is like PARTNER[i], -1: like
 * none. LIKENESS is their product. */
static const int PARTNER[M] = {4, 0, -1, 8, 2, -1, 5};
static const float LIKENESS[M] = {0.9f, 0.75f, 0.0f, 0.6f, 0.95f, 0.4f, 0.55f};

static AqmFeatures *features(bool is_second) {
    AqmFeatures *f = NULL;
    const int *size = is_second ? SECOND_SIZE : FIRST_SIZE;
    const size_t count = is_second ? N : M;
    assert_int_equal(aqm_features_create(&f, count, SIZE, NULL), AQM_OK);
    for (size_t i = 0; i < count; i++) {
        f->position[2 * i] = (float)((i * 31 + 13) % (size_t)size[0]) + 0.25f;
        f->position[2 * i + 1] = (float)((i * 17 + 5) % (size_t)size[1]) + 0.5f;
        if (is_second)
            f->descriptor[i * SIZE + i] = 1.0f;
        else if (PARTNER[i] >= 0)
            f->descriptor[i * SIZE + (size_t)PARTNER[i]] = LIKENESS[i];
    }
    return f;
}

/* The score of the formula in test_models.h. */
static double score_of(TestMatcher kind, const float *first, const float *second) {
    double sum = 0.0;
    for (int k = 0; k < 4; k++) {
        const float *at = k < 2 ? first : second;
        const int *size = k < 2 ? FIRST_SIZE : SECOND_SIZE, axis = k % 2;
        const double half = 0.5 * (size[0] > size[1] ? size[0] : size[1]);
        sum +=
            (k + 1) * (kind == TEST_MATCHER_COLMAP ? (double)at[axis] / size[axis]
                                                   : ((double)at[axis] - 0.5 * size[axis]) / half);
    }
    return 0.5 + sum / 40.0;
}

static AqmMatches *match(AqmModel *model, const AqmFeatures *a, const AqmFeatures *b,
                         double threshold) {
    AqmMatches *matches = NULL;
    AqmDiag diag = {0};
    if (aqm_learned_match(&matches, model, a, FIRST_SIZE, b, SECOND_SIZE, threshold, &diag) !=
        AQM_OK)
        fail_msg("%s", diag.message);
    return matches;
}

/* Which features go together, what was given as positions, and all forms of the answer. */
static void features_go_in_and_matches_come_out(void **state) {
    TestLearned *t = test_learned(state);
    AqmFeatures *a = features(false), *b = features(true);
    for (int kind = TEST_MATCHER_PADDED; kind <= TEST_MATCHER_COLMAP; kind++) {
        AqmModel *model = test_open_model(
            t, test_write_matcher(t->path, (TestMatcher)kind, SIZE, true),
            kind == TEST_MATCHER_COLMAP ? AQM_MODEL_COLMAP_MATCHER : AQM_MODEL_MATCHER);
        AqmMatches *matches = match(model, a, b, 0.0);
        assert_int_equal(matches->count, 5);
        size_t k = 0;
        for (uint32_t i = 0; i < M; i++) {
            if (PARTNER[i] < 0)
                continue;
            const size_t j = (size_t)PARTNER[i];
            assert_int_equal(matches->first[k], i);
            assert_int_equal(matches->second[k], j);
            assert_memory_equal(matches->first_position + 2 * k, a->position + 2 * (size_t)i, 8);
            assert_memory_equal(matches->second_position + 2 * k, b->position + 2 * j, 8);
            const double score =
                score_of((TestMatcher)kind, a->position + 2 * (size_t)i, b->position + 2 * j);
            assert_true(fabs((double)matches->score[k] - score) < 1e-6);
            k++;
        }
        aqm_matches_destroy(&matches);
        aqm_model_close(&model);
    }
    aqm_features_destroy(&a);
    aqm_features_destroy(&b);
}

static void weak_matches_are_dropped(void **state) {
    TestLearned *t = test_learned(state);
    AqmFeatures *a = features(false), *b = features(true);
    for (int kind = TEST_MATCHER_PADDED; kind <= TEST_MATCHER_COLMAP; kind++) {
        AqmModel *model = test_open_model(
            t, test_write_matcher(t->path, (TestMatcher)kind, SIZE, false),
            kind == TEST_MATCHER_COLMAP ? AQM_MODEL_COLMAP_MATCHER : AQM_MODEL_MATCHER);
        AqmMatches *matches = match(model, a, b, 0.75);
        assert_int_equal(matches->count, 3);
        assert_true(matches->first[1] == 1 && matches->score[1] == 0.75f); /* at the limit */
        aqm_matches_destroy(&matches);
        memset(a->descriptor, 0, M * SIZE * sizeof *a->descriptor);
        matches = match(model, a, b, 0.0); /* none */
        assert_int_equal(matches->count, 0);
        aqm_matches_destroy(&matches);
        aqm_features_destroy(&a);
        a = features(false);
        aqm_model_close(&model);
    }
    aqm_features_destroy(&a);
    aqm_features_destroy(&b);
}

static void an_image_without_features_has_no_matches(void **state) {
    TestLearned *t = test_learned(state);
    AqmFeatures *a = features(false), *none = NULL;
    assert_int_equal(aqm_features_create(&none, 0, SIZE, NULL), AQM_OK);
    AqmModel *model = test_open_model(
        t, test_write_matcher(t->path, TEST_MATCHER_PAIRS, SIZE, false), AQM_MODEL_MATCHER);
    for (int side = 0; side < 2; side++) {
        AqmMatches *matches = match(model, side ? a : none, side ? none : a, 0.0);
        assert_int_equal(matches->count, 0);
        aqm_matches_destroy(&matches);
    }
    aqm_model_close(&model);
    aqm_features_destroy(&a);
    aqm_features_destroy(&none);
}

static void features_of_another_extractor_are_refused(void **state) {
    TestLearned *t = test_learned(state);
    AqmFeatures *a = features(false), *b = features(true);
    AqmModel *model = test_open_model(
        t, test_write_matcher(t->path, TEST_MATCHER_PAIRS, 256, false), AQM_MODEL_MATCHER);
    AqmMatches *matches = NULL;
    AqmDiag diag = {0};
    test_expect(aqm_learned_match(&matches, model, a, FIRST_SIZE, b, SECOND_SIZE, 0.0, &diag),
                AQM_ERROR_FORMAT, &diag, "matches descriptors of 256 values, these have 12");
    assert_null(matches);
    diag = (AqmDiag){0};
    AqmWarp *warp = NULL;
    AqmImage *image = test_image(32, 32, 3, 1);
    const AqmImageView view = aqm_image_view(image);
    test_expect(aqm_learned_warp(&warp, model, &view, &view, 32, 32, &diag), AQM_ERROR_ARGUMENT,
                &diag, "is a matcher; a dense matcher is wanted");
    aqm_image_destroy(&image);
    aqm_model_close(&model);
    aqm_features_destroy(&a);
    aqm_features_destroy(&b);
}

/* ---- answers from a file --------------------------------------------------------------------- */

static const TestPort INPUTS[] = {{"kpts0", TEST_FLOAT, "1 M 2", NULL, NULL},
                                  {"kpts1", TEST_FLOAT, "1 N 2", NULL, NULL},
                                  {"desc0", TEST_FLOAT, "1 M D", NULL, NULL},
                                  {"desc1", TEST_FLOAT, "1 N D", NULL, NULL}};

static AqmStatus match_constant(TestLearned *t, const TestPort outputs[2], AqmMatches **matches,
                                AqmDiag *diag) {
    AqmFeatures *a = features(false), *b = features(true);
    AqmModel *model =
        test_open_model(t, test_write_constant(t->path, INPUTS, 4, outputs, 2), AQM_MODEL_MATCHER);
    *diag = (AqmDiag){0};
    const AqmStatus status =
        aqm_learned_match(matches, model, a, FIRST_SIZE, b, SECOND_SIZE, 0.0, diag);
    aqm_model_close(&model);
    aqm_features_destroy(&a);
    aqm_features_destroy(&b);
    return status;
}

static void of_two_that_share_a_feature_the_better_stays(void **state) {
    TestLearned *t = test_learned(state);
    /* 0-3 beats 0-5 and 1-3; then 1-5 is free; 2-6 stands twice; 4-7 and 4-8 are equals */
    const int64_t pairs[] = {0, 5, 1, 3, 0, 3, 1, 5, 2, 6, 2, 6, 4, 8, 4, 7};
    const float scores[] = {0.8f, 0.85f, 0.9f, 0.1f, 0.5f, 0.6f, 0.7f, 0.7f};
    const TestPort outputs[] = {{"matches0", TEST_INT64, "K 2", "8 2", pairs},
                                {"mscores0", TEST_FLOAT, "K", "8", scores}};
    AqmMatches *m = NULL;
    AqmDiag diag;
    test_expect(match_constant(t, outputs, &m, &diag), AQM_OK, &diag, NULL);
    assert_int_equal(m->count, 4);
    static const uint32_t expected[4][2] = {{0, 3}, {1, 5}, {2, 6}, {4, 7}};
    static const float expected_scores[4] = {0.9f, 0.1f, 0.6f, 0.7f};
    for (size_t i = 0; i < 4; i++)
        assert_true(m->first[i] == expected[i][0] && m->second[i] == expected[i][1] &&
                    m->score[i] == expected_scores[i]);
    aqm_matches_destroy(&m);
}

static void a_flood_of_matches_is_borne(void **state) {
    TestLearned *t = test_learned(state);
    enum { FLOOD = 100000 };
    int64_t *pairs = malloc(2 * FLOOD * sizeof *pairs);
    float *scores = malloc(FLOOD * sizeof *scores);
    for (int i = 0; i < FLOOD; i++) {
        pairs[2 * i] = i % M;
        pairs[2 * i + 1] = (i / M) % N;
        scores[i] = (float)(i % 997) / 997.0f;
    }
    const TestPort outputs[] = {{"matches0", TEST_INT64, "K 2", "100000 2", pairs},
                                {"mscores0", TEST_FLOAT, "K", "100000", scores}};
    AqmMatches *m = NULL;
    AqmDiag diag;
    test_expect(match_constant(t, outputs, &m, &diag), AQM_OK, &diag, NULL);
    assert_int_equal(m->count, M); /* each first feature once */
    aqm_matches_destroy(&m);
    free(pairs);
    free(scores);
}

/* One pair: [1 2], which could as well be the partners of two features. The scores tell. */
static void one_pair_is_no_row_of_partners(void **state) {
    TestLearned *t = test_learned(state);
    const int64_t pair[2] = {6, 8};
    const float score = 0.5f;
    const TestPort outputs[] = {{"matches0", TEST_INT64, "K 2", "1 2", pair},
                                {"mscores0", TEST_FLOAT, "K", "1", &score}};
    AqmMatches *m = NULL;
    AqmDiag diag;
    test_expect(match_constant(t, outputs, &m, &diag), AQM_OK, &diag, NULL);
    assert_true(m->count == 1 && m->first[0] == 6 && m->second[0] == 8);
    aqm_matches_destroy(&m);
}

static void answers_that_cannot_be_are_refused(void **state) {
    TestLearned *t = test_learned(state);
    int64_t partners[M] = {-1, -1, -1, -1, -1, -1, 0};
    float scores[M] = {0};
    const struct {
        int64_t partner;
        float score;
        const char *shape, *score_shape, *words;
    } faults[] = {
        {N, 0.5f, "1 7", "1 7", "names feature 9; there are 9 (0 to 8)"},
        {-2, 0.5f, "1 7", "1 7", "names feature -2"},
        {INT64_MAX, 0.5f, "1 7", "1 7", "names feature 9.22337203685478e+18"},
        {0, NAN, "1 7", "1 7", "mscores0 holds nan"},
        {0, 1.2f, "1 7", "1 7", "0 to 1 is expected"},
        {0, 0.5f, "1 6", "1 6", "matches0 is int64 [1 6]; expected is int64 [K 2] with mscores0"},
        {0, 0.5f, "1 7", "1 6", "or [1 7] or [7] with mscores0 of the same shape (6 values came)"},
        {-1, 0.5f, "3 2", "3", "names feature -1"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        partners[2] = faults[i].partner;
        scores[2] = faults[i].score;
        const TestPort outputs[] = {{"matches0", TEST_INT64, "A B", faults[i].shape, partners},
                                    {"mscores0", TEST_FLOAT,
                                     strlen(faults[i].score_shape) > 1 ? "1 M" : "M",
                                     faults[i].score_shape, scores}};
        AqmMatches *m = NULL;
        AqmDiag diag;
        test_expect(match_constant(t, outputs, &m, &diag), AQM_ERROR_FORMAT, &diag,
                    faults[i].words);
        assert_null(m);
    }
}

static void memory_that_is_out_is_an_error(void **state) {
    TestLearned *t = test_learned(state);
    AqmFeatures *a = features(false), *b = features(true);
    AqmModel *model = test_open_model(
        t, test_write_matcher(t->path, TEST_MATCHER_PAIRS, SIZE, false), AQM_MODEL_MATCHER);
    AqmStatus status = AQM_ERROR_MEMORY;
    AqmMatches *m = NULL;
    for (size_t n = 1; status == AQM_ERROR_MEMORY; n++) {
        aqm_alloc_fail_from(n);
        status = aqm_learned_match(&m, model, a, FIRST_SIZE, b, SECOND_SIZE, 0.0, NULL);
        aqm_alloc_fail_from(0);
        assert_true((status == AQM_OK) == (m != NULL));
    }
    assert_int_equal(status, AQM_OK);
    aqm_matches_destroy(&m);
    aqm_model_close(&model);
    aqm_features_destroy(&a);
    aqm_features_destroy(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(features_go_in_and_matches_come_out),
        cmocka_unit_test(weak_matches_are_dropped),
        cmocka_unit_test(an_image_without_features_has_no_matches),
        cmocka_unit_test(features_of_another_extractor_are_refused),
        cmocka_unit_test(of_two_that_share_a_feature_the_better_stays),
        cmocka_unit_test(a_flood_of_matches_is_borne),
        cmocka_unit_test(one_pair_is_no_row_of_partners),
        cmocka_unit_test(answers_that_cannot_be_are_refused),
        cmocka_unit_test(memory_that_is_out_is_an_error),
    };
    return TEST_LEARNED_RUN(tests);
}
