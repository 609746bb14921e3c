#include "base/alloc.h"
#include "stages/learned/test_learned.h"

static AqmStatus open_model(const TestLearned *t, const char *path, AqmDiag *diag) {
    AqmModel *model = NULL;
    *diag = (AqmDiag){0};
    const AqmStatus status = aqm_model_open(&model, t->onnx, path, 0, diag);
    assert_true((status == AQM_OK) == (model != NULL));
    aqm_model_close(&model);
    return status;
}

static void write_bytes(const TestLearned *t, const void *bytes, size_t count) {
    FILE *file = fopen(t->path, "wb");
    assert_true(file && fwrite(bytes, 1, count, file) == count && fclose(file) == 0);
}

static void files_that_are_no_models_are_sentences(void **state) {
    TestLearned *t = test_learned(state);
    AqmDiag diag;
    uint8_t noise[5000];
    AqmRng rng = aqm_rng(1, 1);
    test_expect(open_model(t, "/nonexistent/roma.onnx", &diag), AQM_ERROR_IO, &diag,
                "/nonexistent/roma.onnx: No such file");
    test_expect(open_model(t, t->folder, &diag), AQM_ERROR_IO, &diag, "not a regular file");
    write_bytes(t, "", 0);
    test_expect(open_model(t, t->path, &diag), AQM_ERROR_FORMAT, &diag, "the file is empty");
    write_bytes(t, "<html>404</html>", 16);
    test_expect(open_model(t, t->path, &diag), AQM_ERROR_FORMAT, &diag, t->path);
    assert_null(strchr(diag.message, '\n'));
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)aqm_rng_u32(&rng);
    write_bytes(t, noise, sizeof noise);
    test_expect(open_model(t, t->path, &diag), AQM_ERROR_FORMAT, &diag, t->path);
}

/* A download that broke off anywhere. */
static void cut_files_are_sentences(void **state) {
    TestLearned *t = test_learned(state);
    AqmDiag diag;
    static uint8_t bytes[100000];
    assert_true(test_write_matcher(t->path, TEST_MATCHER_PAIRS, 64, true));
    FILE *file = fopen(t->path, "rb");
    const size_t length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_true(length > 1000 && length < sizeof bytes);
    for (size_t cut = 1; cut < length; cut += length / 40) {
        write_bytes(t, bytes, cut);
        test_expect(open_model(t, t->path, &diag), AQM_ERROR_FORMAT, &diag, t->path);
    }
}

/* Lets a model have exactly these ports. */
static AqmStatus open_ports(const TestLearned *t, const TestPort *inputs, size_t input_count,
                            const TestPort *outputs, size_t output_count, AqmDiag *diag) {
    assert_true(test_write_constant(t->path, inputs, input_count, outputs, output_count));
    return open_model(t, t->path, diag);
}

static const float ZERO[16] = {0};

static void a_model_of_something_else_lists_what_is_known(void **state) {
    TestLearned *t = test_learned(state);
    AqmDiag diag;
    const TestPort input = {"input.1", TEST_FLOAT, "N 3 224 224", NULL, NULL};
    const TestPort output = {"logits", TEST_FLOAT, "N 16", "1 16", ZERO};
    test_expect(open_ports(t, &input, 1, &output, 1, &diag), AQM_ERROR_FORMAT, &diag,
                "takes input.1 float [? 3 224 224] and gives logits float [? 16]");
    static const char *const known[] = {
        "an extractor (image -> keypoints, scores, descriptors)",
        "(kpts0, kpts1, desc0, desc1 -> matches0, mscores0)",
        "(images -> keypoints, matches, mscores)",
        "(image, max_keypoints, min_score -> keypoints, scores, descriptors)",
        "desc1, image_size0, image_size1 -> ",
        "(img_A, img_B -> warp_AB, overlap_AB, precision_AB or without)"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (!strstr(diag.message, known[i]))
            fail_msg("%s is not in: %s", known[i], diag.message);
}

/* The inputs are those of a known kind, the rest is not. */
static void nearly_known_models_say_what_is_wrong(void **state) {
    TestLearned *t = test_learned(state);
    AqmDiag diag;
    TestPort image = {"image", TEST_FLOAT, "1 3 H W", NULL, NULL};
    TestPort outputs[] = {{"keypoints", TEST_FLOAT, "1 N 2", "1 4 2", ZERO},
                          {"scores", TEST_FLOAT, "1 N", "1 4", ZERO},
                          {"descriptors", TEST_FLOAT, "1 N 4", "1 4 4", ZERO}};
    test_expect(open_ports(t, &image, 1, outputs, 3, &diag), AQM_OK, &diag, NULL);
    test_expect(open_ports(t, &image, 1, outputs, 2, &diag), AQM_ERROR_FORMAT, &diag,
                "an extractor by its inputs, but descriptors is missing");
    assert_non_null(strstr(diag.message, "descriptors float [1 N D / N D]"));
    outputs[1].element = TEST_DOUBLE;
    test_expect(open_ports(t, &image, 1, outputs, 3, &diag), AQM_ERROR_FORMAT, &diag,
                "scores double [1 ?]");
    outputs[1].element = TEST_FLOAT;
    image.element = TEST_FLOAT16;
    test_expect(open_ports(t, &image, 1, outputs, 3, &diag), AQM_ERROR_FORMAT, &diag,
                "but image has another type or shape. It takes image float16 [1 3 ? ?]");
    image.element = TEST_FLOAT;
    static const char *const wrong[] = {"3 H W", "2 3 H W", "1 4 H W", "1 3 H W 1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        image.declared = wrong[i];
        test_expect(open_ports(t, &image, 1, outputs, 3, &diag), AQM_ERROR_FORMAT, &diag,
                    "but image has another type or shape");
    }
    image.declared = "1 3 0 64";
    test_expect(open_ports(t, &image, 1, outputs, 3, &diag), AQM_ERROR_FORMAT, &diag,
                "a side of 0");
    const TestPort pair[] = {{"img_A", TEST_FLOAT, "1 3 64 64", NULL, NULL},
                             {"img_B", TEST_FLOAT, "1 3 64 32", NULL, NULL}};
    const TestPort warp[] = {{"warp_AB", TEST_FLOAT, "1 H W 2", "1 2 2 2", ZERO},
                             {"overlap_AB", TEST_FLOAT, "1 H W 1", "1 2 2 1", ZERO}};
    test_expect(open_ports(t, pair, 2, warp, 2, &diag), AQM_ERROR_FORMAT, &diag,
                "both images alike");
}

/* A model with a hundred inputs: the sentence stays one. */
static void a_long_list_is_cut(void **state) {
    TestLearned *t = test_learned(state);
    enum { PORTS = 100 };
    static char names[PORTS][64];
    TestPort inputs[PORTS];
    for (int i = 0; i < PORTS; i++) {
        snprintf(names[i], sizeof names[i], "an_input_with_a_name_that_is_long_number_%d", i);
        inputs[i] = (TestPort){names[i], TEST_FLOAT, "A B C D E F G H I J K", NULL, NULL};
    }
    const TestPort output = {"y", TEST_FLOAT, "N", "16", ZERO};
    AqmDiag diag;
    test_expect(open_ports(t, inputs, PORTS, &output, 1, &diag), AQM_ERROR_FORMAT, &diag,
                "[? ? ? ? ? ? ? ? ...]");
    assert_non_null(strstr(diag.message, "Accepted: "));
    assert_true(strlen(diag.message) < AQM_DIAG_MAX);
}

static void memory_that_is_out_is_an_error(void **state) {
    TestLearned *t = test_learned(state);
    AqmStatus status = AQM_ERROR_MEMORY;
    assert_true(test_write_matcher(t->path, TEST_MATCHER_COLMAP, 64, false));
    for (size_t n = 1; status == AQM_ERROR_MEMORY; n++) {
        AqmModel *model = NULL;
        aqm_alloc_fail_from(n);
        status = aqm_model_open(&model, t->onnx, t->path, 1, NULL);
        aqm_alloc_fail_from(0);
        assert_true((status == AQM_OK) == (model != NULL));
        aqm_model_close(&model);
    }
    assert_int_equal(status, AQM_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_that_are_no_models_are_sentences),
        cmocka_unit_test(cut_files_are_sentences),
        cmocka_unit_test(a_model_of_something_else_lists_what_is_known),
        cmocka_unit_test(nearly_known_models_say_what_is_wrong),
        cmocka_unit_test(a_long_list_is_cut),
        cmocka_unit_test(memory_that_is_out_is_an_error),
    };
    return TEST_LEARNED_RUN(tests);
}
