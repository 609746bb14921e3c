#include "base/alloc.h"
#include "stages/learned/test_learned.h"

enum { COUNT = 6, SIZE = 8 };

/* Keypoint i of the first image is keypoint (i + 2) % COUNT of the second, less the last one, which
 * is like none. */
typedef struct Table {
    float keys[2][3], positions[2][COUNT][2], descriptors[2][COUNT][SIZE];
    TestKeypoints table;
} Table;

static void fill(Table *t, const AqmImage *const images[2], int channels, int width, int height) {
    *t = (Table){0};
    for (int r = 0; r < 2; r++) {
        const AqmImageView view = aqm_image_view(images[r]);
        test_image_key(&view, channels, &t->keys[0][r * channels]);
        for (int i = 0; i < COUNT; i++) {
            t->positions[r][i][0] = 0.5f + (float)((i * 37 + r * 11) % (width - 1));
            t->positions[r][i][1] = (float)((i * 23 + r * 7) % (height - 1));
            const int word = r == 0 ? i : (i + COUNT - 2) % COUNT;
            t->descriptors[r][i][word] = word == COUNT - 1 ? 0.1f : 0.9f;
        }
    }
    t->table = (TestKeypoints){.rows = 2,
                               .count = COUNT,
                               .channels = channels,
                               .descriptor_size = SIZE,
                               .keys = t->keys[0],
                               .positions = t->positions[0][0],
                               .descriptors = t->descriptors[0][0]};
}

typedef struct Result {
    AqmFeatures *first, *second;
    AqmMatches *matches;
} Result;

static AqmStatus run(AqmModel *model, AqmImage *const images[2], double threshold, Result *out,
                     AqmDiag *diag) {
    const AqmImageView a = aqm_image_view(images[0]), b = aqm_image_view(images[1]);
    *out = (Result){0};
    return aqm_learned_match_images(&out->first, &out->second, &out->matches, model, &a, &b,
                                    threshold, diag);
}

static void destroy(Result *result) {
    aqm_features_destroy(&result->first);
    aqm_features_destroy(&result->second);
    aqm_matches_destroy(&result->matches);
}

static void both_images_arrive_and_their_matches_come_back(void **state) {
    TestLearned *t = test_learned(state);
    static const char *const shapes[] = {"2 3 H W", "B 1 H W", "2 3 48 64"};
    for (int variant = 0; variant < 3; variant++) {
        const int width = variant == 2 ? 150 : 160, height = variant == 2 ? 100 : 112;
        const int channels = variant == 1 ? 1 : 3, own[2] = {64, 48};
        AqmImage *images[2] = {test_image(width, height, 3, 1), test_image(width, height, 3, 2)};
        Table table;
        fill(&table, (const AqmImage *const *)images, channels, variant == 2 ? 64 : width,
             variant == 2 ? 48 : height);
        AqmModel *model = test_open_model(
            t, test_write_pipeline(t->path, &table.table, shapes[variant]), AQM_MODEL_PIPELINE);
        Result r;
        AqmDiag diag = {0};
        test_expect(run(model, images, 0.5, &r, &diag), AQM_OK, &diag, NULL);
        assert_int_equal(r.matches->count, COUNT - 1);
        assert_true(r.first->count == COUNT && r.second->count == COUNT);
        assert_true(r.first->descriptor_size == 1 && isnan(r.first->scale[0]));
        const AqmFeatures *const sides[2] = {r.first, r.second};
        for (int side = 0; side < 2; side++)
            for (int k = 0; k < 2 * COUNT; k++) {
                const double size = k % 2 ? height : width;
                const double scale = variant == 2 ? size / own[k % 2] : 1.0;
                const double expected =
                    ((double)table.positions[side][k / 2][k % 2] + 0.5) * scale - 0.5;
                assert_true(fabs((double)sides[side]->position[k] - expected) < 1e-4);
            }
        for (uint32_t i = 0; i < COUNT - 1; i++) {
            assert_true(r.matches->first[i] == i && r.matches->second[i] == (i + 2) % COUNT);
            assert_true(fabsf(r.matches->score[i] - 0.81f) < 1e-6f);
            assert_memory_equal(r.matches->second_position + 2 * i,
                                r.second->position + 2 * ((i + 2) % COUNT), 8);
        }
        destroy(&r);
        for (int i = 0; i < 2; i++)
            aqm_image_destroy(&images[i]);
        aqm_model_close(&model);
    }
}

static const TestPort INPUT = {"images", TEST_FLOAT, "2 3 H W", NULL, NULL};

/* A keypoint in the padding is no feature, and a match with it none; the others are counted anew.
 */
static void what_lies_in_the_padding_is_dropped(void **state) {
    TestLearned *t = test_learned(state);
    const int64_t xy[2][3][2] = {{{70, 3}, {5, 5}, {6, 6}}, {{1, 1}, {2, 2}, {3, 75}}};
    const int32_t matches[3][3] = {{0, 0, 0}, {0, 1, 1}, {0, 2, 2}};
    const float scores[3] = {0.9f, 0.8f, 0.7f};
    const TestPort outputs[] = {{"keypoints", TEST_INT64, "2 N 2", "2 3 2", xy},
                                {"matches", TEST_INT32, "K 3", "3 3", matches},
                                {"mscores", TEST_FLOAT, "K", "3", scores}};
    AqmImage *images[2] = {test_image(65, 65, 3, 1), test_image(65, 65, 3, 2)}; /* 80 x 80 */
    AqmModel *model =
        test_open_model(t, test_write_constant(t->path, &INPUT, 1, outputs, 3), AQM_MODEL_PIPELINE);
    Result r;
    AqmDiag diag = {0};
    test_expect(run(model, images, 0.0, &r, &diag), AQM_OK, &diag, NULL);
    assert_true(r.first->count == 2 && r.second->count == 2 && r.matches->count == 1);
    assert_true(r.matches->first[0] == 0 && r.matches->second[0] == 1);
    assert_true(r.matches->first_position[0] == 5.0f && r.matches->second_position[0] == 2.0f);
    destroy(&r);
    for (int i = 0; i < 2; i++)
        aqm_image_destroy(&images[i]);
    aqm_model_close(&model);
}

static void answers_that_cannot_be_are_refused(void **state) {
    TestLearned *t = test_learned(state);
    const float xy[2][3][2] = {{{1, 1}, {2, 2}, {3, 3}}, {{1, 1}, {2, 2}, {3, 3}}};
    const struct {
        int64_t row[3];
        float score;
        const char *shapes[3], *words;
    } faults[] = {
        {{1, 0, 0}, 0.5f, {"2 3 2", "1 3", "1"}, "has 1 as the pair of images of match 0; 0 to 0"},
        {{0, 3, 0}, 0.5f, {"2 3 2", "1 3", "1"}, "has 3 as the keypoint of match 0; 0 to 2"},
        {{0, INT64_MAX, 0}, 0.5f, {"2 3 2", "1 3", "1"}, "has 9.22337203685478e+18 as the"},
        {{0, 0, -1}, 0.5f, {"2 3 2", "1 3", "1"}, "has -1 as the keypoint"},
        {{0, 0, 0}, NAN, {"2 3 2", "1 3", "1"}, "mscores holds nan"},
        {{0, 0, 0}, 0.5f, {"2 2 3", "1 3", "1"}, "keypoints is float [2 2 3]"},
        {{0, 0, 0}, 0.5f, {"2 3 2", "3 1", "1"}, "matches is int64 [3 1]; expected is int64 [K 3]"},
        {{0, 0, 0}, 0.5f, {"2 3 2", "1 3", "0"}, "mscores is float [0]; expected is float [1]"},
    };
    AqmImage *images[2] = {test_image(64, 64, 3, 1), test_image(64, 64, 3, 2)};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        const TestPort outputs[] = {
            {"keypoints", TEST_FLOAT, "2 A B", faults[i].shapes[0], xy},
            {"matches", TEST_INT64, "A B", faults[i].shapes[1], faults[i].row},
            {"mscores", TEST_FLOAT, "K", faults[i].shapes[2], &faults[i].score}};
        AqmModel *model = test_open_model(t, test_write_constant(t->path, &INPUT, 1, outputs, 3),
                                          AQM_MODEL_PIPELINE);
        Result r;
        AqmDiag diag = {0};
        test_expect(run(model, images, 0.0, &r, &diag), AQM_ERROR_FORMAT, &diag, faults[i].words);
        assert_true(!r.first && !r.second && !r.matches);
        aqm_model_close(&model);
    }
    for (int i = 0; i < 2; i++)
        aqm_image_destroy(&images[i]);
}

static void sizes_and_memory_are_errors(void **state) {
    TestLearned *t = test_learned(state);
    AqmImage *images[3] = {test_image(64, 48, 3, 1), test_image(64, 48, 3, 2),
                           test_image(48, 48, 3, 2)};
    Table table;
    fill(&table, (const AqmImage *const *)images, 3, 64, 48);
    AqmModel *model = test_open_model(t, test_write_pipeline(t->path, &table.table, "2 3 H W"),
                                      AQM_MODEL_PIPELINE);
    Result r;
    AqmDiag diag = {0};
    test_expect(run(model, images + 1, 0.0, &r, &diag), AQM_ERROR_ARGUMENT, &diag,
                "takes two of one size");
    AqmStatus status = AQM_ERROR_MEMORY;
    for (size_t n = 1; status == AQM_ERROR_MEMORY; n++) {
        aqm_alloc_fail_from(n);
        status = run(model, images, 0.0, &r, NULL);
        aqm_alloc_fail_from(0);
        assert_true((status == AQM_OK) == (r.first && r.second && r.matches));
    }
    assert_int_equal(status, AQM_OK);
    destroy(&r);
    for (int i = 0; i < 3; i++)
        aqm_image_destroy(&images[i]);
    aqm_model_close(&model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_images_arrive_and_their_matches_come_back),
        cmocka_unit_test(what_lies_in_the_padding_is_dropped),
        cmocka_unit_test(answers_that_cannot_be_are_refused),
        cmocka_unit_test(sizes_and_memory_are_errors),
    };
    return TEST_LEARNED_RUN(tests);
}
