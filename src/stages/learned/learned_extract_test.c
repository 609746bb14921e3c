#include "base/alloc.h"
#include "stages/learned/test_learned.h"

enum { COUNT = 12, SIZE = 16 };

/* Two images' keypoints, all of them at least a pixel inside of width x height; descriptor d of
 * keypoint i of row r is 1 at d = i, and its last value is r. */
typedef struct Table {
    float keys[2][3], positions[2][COUNT][2], descriptors[2][COUNT][SIZE], scores[2][COUNT];
    TestKeypoints table;
} Table;

static void fill(Table *t, const AqmImage *const images[2], int channels, int width, int height) {
    *t = (Table){0};
    for (int r = 0; r < 2; r++) {
        const AqmImageView view = aqm_image_view(images[r]);
        test_image_key(&view, channels, &t->keys[0][r * channels]);
        for (int i = 0; i < COUNT; i++) {
            t->positions[r][i][0] = 1.0f + (float)((i * 37 + r * 11) % (width - 2));
            t->positions[r][i][1] = 1.0f + (float)((i * 23 + r * 7) % (height - 2));
            t->descriptors[r][i][i] = 1.0f;
            t->descriptors[r][i][SIZE - 1] = (float)r;
            t->scores[r][i] = 0.05f + 0.07f * (float)((i * 5) % COUNT);
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

static AqmFeatures *extract(AqmModel *model, const AqmImage *image, const AqmImage *mask,
                            int max_keypoints, double min_score) {
    AqmFeatures *features = NULL;
    AqmDiag diag = {0};
    const AqmImageView view = aqm_image_view(image);
    const AqmImageView hidden = mask ? aqm_image_view(mask) : view;
    if (aqm_learned_extract(&features, model, &view, mask ? &hidden : NULL, max_keypoints,
                            min_score, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    return features;
}

/* Which keypoint of the table feature i is. */
static int table_index(const AqmFeatures *f, size_t i) {
    const float *d = f->descriptor + i * SIZE;
    for (int k = 0; k < COUNT; k++)
        if (d[k] == 1.0f)
            return k;
    fail_msg("a descriptor of no keypoint");
    return -1;
}

/* The score that the graph gives: the pixel there, its channels weighted. */
static double score_at(const AqmImage *image, int channels, const float xy[2]) {
    static const double weights[3] = {1.0 / 6, 2.0 / 6, 3.0 / 6}, gray[3] = {0.299, 0.587, 0.114};
    const uint8_t *p = (const uint8_t *)image->data + (size_t)xy[1] * image->stride +
                       (size_t)xy[0] * (size_t)image->channels;
    double sum = 0.0;
    for (int c = 0; c < 3; c++)
        sum += (channels == 3 ? weights[c] : gray[c]) * p[image->channels == 3 ? c : 0] / 255.0;
    return sum;
}

static void check(const Table *t, AqmModel *model, const AqmImage *image, int row, int channels) {
    AqmFeatures *f = extract(model, image, NULL, 100, 0.0);
    assert_int_equal(f->count, COUNT);
    assert_int_equal(f->descriptor_size, SIZE);
    for (size_t i = 0; i < f->count; i++) {
        const int k = table_index(f, i);
        assert_true(f->descriptor[i * SIZE + SIZE - 1] == (float)row);
        for (int axis = 0; axis < 2; axis++)
            assert_true(fabs((double)(f->position[2 * i + (size_t)axis] -
                                      t->positions[row][k][axis])) < 1e-3);
        assert_true(fabs((double)f->score[i] - score_at(image, channels, t->positions[row][k])) <
                    1e-5);
        assert_true(i == 0 || f->score[i] <= f->score[i - 1]);
        assert_true(isnan(f->scale[i]) && isnan(f->orientation[i]));
    }
    aqm_features_destroy(&f);
}

/* Every layout of the outputs, channels of the model and of the image, sides that are no multiples
 * of anything. */
static void pixels_arrive_and_keypoints_come_back(void **state) {
    TestLearned *t = test_learned(state);
    static const char *const shapes[] = {"1 1 H W", "1 3 H W", "B C H W"};
    Table table;
    for (int variant = 0; variant < 12; variant++) {
        const int width = variant % 2 ? 101 : 160, height = variant % 2 ? 67 : 112;
        const int channels = variant % 3 == 0 ? 1 : 3, image_channels = variant % 4 < 2 ? 3 : 1;
        AqmImage *images[2] = {test_image(width, height, image_channels, 1),
                               test_image(width, height, image_channels, 2)};
        fill(&table, (const AqmImage *const *)images, channels, width, height);
        if (width % 16) /* padding moves the mean: the key is of what the model is given */
            table.table.rows = 1;
        AqmModel *model =
            test_open_model(t,
                            test_write_extractor(t->path, &table.table, shapes[variant % 3],
                                                 variant % 5 < 2, variant % 7 < 3),
                            AQM_MODEL_EXTRACTOR);
        for (int r = 0; r < (int)table.table.rows; r++)
            check(&table, model, images[r], r, channels);
        for (int r = 0; r < 2; r++)
            aqm_image_destroy(&images[r]);
        aqm_model_close(&model);
    }
}

static void a_fixed_size_maps_back_by_cell_centres(void **state) {
    TestLearned *t = test_learned(state);
    Table table;
    AqmImage *images[2] = {test_image(150, 100, 3, 3), test_image(150, 100, 3, 4)};
    fill(&table, (const AqmImage *const *)images, 3, 64, 48);
    for (int i = 0; i < COUNT; i++)
        table.positions[1][i][0] += 0.25f;
    table.table.scores = table.scores[0];
    AqmModel *model =
        test_open_model(t, test_write_extractor(t->path, &table.table, "1 3 48 64", false, true),
                        AQM_MODEL_EXTRACTOR);
    for (int r = 0; r < 2; r++) {
        AqmFeatures *f = extract(model, images[r], NULL, 100, 0.0);
        assert_int_equal(f->count, COUNT);
        for (size_t i = 0; i < f->count; i++) {
            const float *xy = table.positions[r][table_index(f, i)];
            const double u = ((double)xy[0] + 0.5) * 150.0 / 64.0 - 0.5;
            const double v = ((double)xy[1] + 0.5) * 100.0 / 48.0 - 0.5;
            assert_true(f->descriptor[i * SIZE + SIZE - 1] == (float)r);
            assert_true(fabs((double)f->position[2 * i] - u) < 1e-4);
            assert_true(fabs((double)f->position[2 * i + 1] - v) < 1e-4);
        }
        aqm_features_destroy(&f);
        aqm_image_destroy(&images[r]);
    }
    aqm_model_close(&model);
}

static void the_best_that_may_stay_stay(void **state) {
    TestLearned *t = test_learned(state);
    Table table;
    AqmImage *images[2] = {test_image(160, 112, 3, 5), test_image(160, 112, 3, 6)}, *mask = NULL;
    fill(&table, (const AqmImage *const *)images, 3, 160, 112);
    table.table.scores = table.scores[0];
    AqmModel *model =
        test_open_model(t, test_write_extractor(t->path, &table.table, "1 3 H W", false, true),
                        AQM_MODEL_EXTRACTOR);
    assert_int_equal(aqm_image_create(&mask, 160, 112, 1, AQM_U8, NULL), AQM_OK);
    memset(mask->data, 1, mask->stride * 112);
    /* the three best of those from 0.4 up, the very best hidden */
    int best[COUNT], count = 0;
    for (int score = COUNT - 1; score >= 0; score--)
        for (int i = 0; i < COUNT; i++)
            if ((i * 5) % COUNT == score)
                best[count++] = i;
    const float *hidden = table.positions[0][best[0]];
    ((uint8_t *)mask->data)[(size_t)hidden[1] * mask->stride + (size_t)hidden[0]] = 0;
    AqmFeatures *f = extract(model, images[0], mask, 3, 0.4);
    assert_int_equal(f->count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(table_index(f, i), best[i + 1]);
    aqm_features_destroy(&f);
    f = extract(model, images[0], mask, 100, (double)table.scores[0][best[2]]);
    assert_int_equal(f->count, 2); /* a score at the limit stays */
    aqm_features_destroy(&f);
    memset(mask->data, 0, mask->stride * 112);
    f = extract(model, images[0], mask, 100, 0.0);
    assert_int_equal(f->count, 0);
    aqm_features_destroy(&f);
    aqm_image_destroy(&mask);
    for (int r = 0; r < 2; r++)
        aqm_image_destroy(&images[r]);
    aqm_model_close(&model);
}

/* 101 x 67 becomes 128 x 96; positions are in shares of that. */
static void the_extractor_of_colmap_sees_a_padded_image(void **state) {
    TestLearned *t = test_learned(state);
    Table table;
    AqmImage *images[2] = {test_image(101, 67, 3, 7), test_image(101, 67, 3, 8)}, *mask = NULL;
    fill(&table, (const AqmImage *const *)images, 3, 101, 67);
    table.table.scores = table.scores[0];
    table.table.rows = 1;
    table.positions[0][3][0] = 120.0f; /* in the padding: dropped */
    AqmModel *model = test_open_model(t, test_write_colmap_extractor(t->path, &table.table),
                                      AQM_MODEL_COLMAP_EXTRACTOR);
    AqmFeatures *f = extract(model, images[0], NULL, 9, 0.25);
    assert_int_equal(f->count, 8); /* the first 9 of the table, less number 3 */
    for (size_t i = 0; i < f->count; i++) {
        const int k = table_index(f, i);
        assert_true(k < 9 && k != 3);
        for (int axis = 0; axis < 2; axis++)
            assert_true(fabs((double)(f->position[2 * i + (size_t)axis] -
                                      table.positions[0][k][axis])) < 1e-3);
        assert_true(fabsf(f->score[i] - 0.25f - table.scores[0][k]) < 1e-6f);
    }
    aqm_features_destroy(&f);
    /* three quarters hidden: four times as many are asked for */
    assert_int_equal(aqm_image_create(&mask, 101, 67, 1, AQM_U8, NULL), AQM_OK);
    for (size_t i = 0; i < 67; i += 4)
        memset((uint8_t *)mask->data + i * mask->stride, 1, 101);
    table.positions[0][10][1] = 8.0f;
    table.scores[0][10] = 0.99f;
    aqm_model_close(&model);
    model = test_open_model(t, test_write_colmap_extractor(t->path, &table.table),
                            AQM_MODEL_COLMAP_EXTRACTOR);
    f = extract(model, images[0], mask, 3, 0.0);
    bool has_tenth = false;
    for (size_t i = 0; i < f->count; i++) {
        assert_int_equal(lrintf(f->position[2 * i + 1]) % 4, 0);
        has_tenth |= table_index(f, i) == 10;
    }
    assert_true(has_tenth && f->count <= 3);
    aqm_features_destroy(&f);
    aqm_image_destroy(&mask);
    for (int r = 0; r < 2; r++)
        aqm_image_destroy(&images[r]);
    aqm_model_close(&model);
}

static const TestPort IMAGE_INPUT = {"image", TEST_FLOAT, "1 3 H W", NULL, NULL};

/* What a model that always says the same makes of an image of 64 x 48. */
static AqmStatus extract_constant(TestLearned *t, const TestPort outputs[3], AqmFeatures **f,
                                  AqmDiag *diag) {
    AqmModel *model = test_open_model(t, test_write_constant(t->path, &IMAGE_INPUT, 1, outputs, 3),
                                      AQM_MODEL_EXTRACTOR);
    AqmImage *image = test_image(64, 48, 3, 9);
    const AqmImageView view = aqm_image_view(image);
    *diag = (AqmDiag){0};
    const AqmStatus status = aqm_learned_extract(f, model, &view, NULL, 100, 0.0, diag);
    aqm_image_destroy(&image);
    aqm_model_close(&model);
    return status;
}

static void no_keypoints_are_no_error(void **state) {
    TestLearned *t = test_learned(state);
    const TestPort outputs[3] = {{"keypoints", TEST_INT64, "1 N 2", "1 0 2", NULL},
                                 {"scores", TEST_FLOAT, "1 N", "1 0", NULL},
                                 {"descriptors", TEST_FLOAT, "1 N 8", "1 0 8", NULL}};
    AqmFeatures *f = NULL;
    AqmDiag diag;
    test_expect(extract_constant(t, outputs, &f, &diag), AQM_OK, &diag, NULL);
    assert_int_equal(f->count, 0);
    assert_int_equal(f->descriptor_size, 8);
    aqm_features_destroy(&f);
}

static void answers_that_cannot_be_are_refused(void **state) {
    TestLearned *t = test_learned(state);
    enum { N = 3 };
    float xy[2 * N] = {1, 1, 2, 2, 3, 3}, scores[N] = {1, 1, 1}, descriptors[N * 4] = {0};
    float *const values[] = {xy, scores, descriptors};
    const struct {
        int which, index;
        float value;
        const char *shapes[3], *words;
    } faults[] = {
        {0, 2, NAN, {"1 3 2", "1 3", "1 3 4"}, "keypoint 1 has the column nan"},
        {0, 3, -INFINITY, {"1 3 2", "1 3", "1 3 4"}, "keypoint 1 has the row -inf"},
        {0, 4, 65.0f, {"1 3 2", "1 3", "1 3 4"}, "keypoint 2 has the column 65"},
        {0, 5, -1.6f, {"1 3 2", "1 3", "1 3 4"}, "more than a pixel out of the image of 64 x 48"},
        {1, 0, NAN, {"1 3 2", "1 3", "1 3 4"}, "scores holds nan (value 0 of 3)"},
        {2, 7, INFINITY, {"1 3 2", "1 3", "1 3 4"}, "descriptors holds inf"},
        {0, 0, 1.0f, {"1 3 2", "1 2", "1 3 4"}, "scores is float [1 2]; expected is float [1 3]"},
        {0, 0, 1.0f, {"1 3 2", "1 3", "1 2 4"}, "descriptors is float [1 2 4]"},
        {0, 0, 1.0f, {"1 2 3", "1 3", "1 3 4"}, "keypoints is float [1 2 3]; expected is float or"},
        {0, 0, 1.0f, {"3 1 2", "1 3", "1 3 4"}, "keypoints is float [3 1 2]"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        const float kept = values[faults[i].which][faults[i].index];
        values[faults[i].which][faults[i].index] = faults[i].value;
        const TestPort outputs[3] = {
            {"keypoints", TEST_FLOAT, "A B C", faults[i].shapes[0], xy},
            {"scores", TEST_FLOAT, "1 N", faults[i].shapes[1], scores},
            {"descriptors", TEST_FLOAT, "1 N D", faults[i].shapes[2], descriptors}};
        AqmFeatures *f = NULL;
        AqmDiag diag;
        test_expect(extract_constant(t, outputs, &f, &diag), AQM_ERROR_FORMAT, &diag,
                    faults[i].words);
        assert_null(f);
        values[faults[i].which][faults[i].index] = kept;
    }
}

/* A pixel or less outside is dropped. */
static void a_keypoint_just_outside_is_dropped(void **state) {
    TestLearned *t = test_learned(state);
    const float xy[6] = {-1.2f, 5.0f, 63.4f, 47.4f, 64.2f, 3.0f}, scores[3] = {1, 1, 1};
    const float descriptors[3] = {1, 2, 3};
    const TestPort outputs[3] = {{"keypoints", TEST_FLOAT, "1 N 2", "1 3 2", xy},
                                 {"scores", TEST_FLOAT, "1 N", "1 3", scores},
                                 {"descriptors", TEST_FLOAT, "1 N 1", "1 3 1", descriptors}};
    AqmFeatures *f = NULL;
    AqmDiag diag;
    test_expect(extract_constant(t, outputs, &f, &diag), AQM_OK, &diag, NULL);
    assert_int_equal(f->count, 1);
    assert_true(f->descriptor[0] == 2.0f);
    aqm_features_destroy(&f);
}

static void a_failure_inside_the_model_is_a_sentence(void **state) {
    TestLearned *t = test_learned(state);
    TestGraph *g = test_graph_create();
    test_graph_input(g, "image", TEST_FLOAT, "1 3 H W");
    test_graph_int64s(g, "seven", 3, (const int64_t[]){1, 7, 2});
    test_graph_int64s(g, "flat", 2, (const int64_t[]){1, -1});
    test_graph_node(g, "Reshape", "image seven", "keypoints", "");
    test_graph_node(g, "Reshape", "image flat", "scores", "");
    test_graph_node(g, "Identity", "keypoints", "descriptors", "");
    test_graph_output(g, "keypoints", TEST_FLOAT, "1 N 2");
    test_graph_output(g, "scores", TEST_FLOAT, "1 N");
    test_graph_output(g, "descriptors", TEST_FLOAT, "1 N D");
    AqmModel *model = test_open_model(t, test_graph_write(&g, t->path), AQM_MODEL_EXTRACTOR);
    AqmImage *image = test_image(64, 48, 3, 9), *deep = NULL;
    const AqmImageView view = aqm_image_view(image);
    AqmFeatures *f = NULL;
    AqmDiag diag = {0};
    test_expect(aqm_learned_extract(&f, model, &view, NULL, 100, 0.0, &diag), AQM_ERROR_FORMAT,
                &diag, "Reshape");
    assert_non_null(strstr(diag.message, t->path));
    assert_null(strchr(diag.message, '\n'));
    assert_null(f);
    diag = (AqmDiag){0};
    assert_int_equal(aqm_image_create(&deep, 64, 48, 3, AQM_U16, NULL), AQM_OK);
    const AqmImageView deep_view = aqm_image_view(deep);
    test_expect(aqm_learned_extract(&f, model, &deep_view, NULL, 100, 0.0, &diag),
                AQM_ERROR_ARGUMENT, &diag, "16 bits");
    aqm_image_destroy(&deep);
    aqm_image_destroy(&image);
    aqm_model_close(&model);
}

static void memory_that_is_out_is_an_error(void **state) {
    TestLearned *t = test_learned(state);
    Table table;
    AqmImage *images[2] = {test_image(48, 48, 3, 5), test_image(48, 48, 3, 6)};
    fill(&table, (const AqmImage *const *)images, 3, 48, 48);
    AqmModel *model =
        test_open_model(t, test_write_extractor(t->path, &table.table, "1 3 H W", false, true),
                        AQM_MODEL_EXTRACTOR);
    const AqmImageView view = aqm_image_view(images[0]);
    AqmStatus status = AQM_ERROR_MEMORY;
    AqmFeatures *f = NULL;
    for (size_t n = 1; status == AQM_ERROR_MEMORY; n++) {
        aqm_alloc_fail_from(n);
        status = aqm_learned_extract(&f, model, &view, NULL, 100, 0.0, NULL);
        aqm_alloc_fail_from(0);
        assert_true((status == AQM_OK) == (f != NULL));
    }
    assert_int_equal(status, AQM_OK);
    aqm_features_destroy(&f);
    for (int r = 0; r < 2; r++)
        aqm_image_destroy(&images[r]);
    aqm_model_close(&model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_arrive_and_keypoints_come_back),
        cmocka_unit_test(a_fixed_size_maps_back_by_cell_centres),
        cmocka_unit_test(the_best_that_may_stay_stay),
        cmocka_unit_test(the_extractor_of_colmap_sees_a_padded_image),
        cmocka_unit_test(no_keypoints_are_no_error),
        cmocka_unit_test(answers_that_cannot_be_are_refused),
        cmocka_unit_test(a_keypoint_just_outside_is_dropped),
        cmocka_unit_test(a_failure_inside_the_model_is_a_sentence),
        cmocka_unit_test(memory_that_is_out_is_an_error),
    };
    return TEST_LEARNED_RUN(tests);
}
