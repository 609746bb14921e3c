/* The graphs of the models of tests. Each opens with the names that its nodes leave behind. */
#include "stages/learned/test_models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void test_image_key(const AqmImageView *image, int channels, float *key) {
    static const double gray[3] = {0.299, 0.587, 0.114};
    double sums[3] = {0}, mixed = 0.0;
    for (int y = 0; y < image->height; y++) {
        const uint8_t *row = (const uint8_t *)image->data + (size_t)y * image->stride;
        for (int x = 0; x < image->width; x++)
            for (int c = 0; c < 3; c++)
                sums[c] += row[image->channels == 3 ? 3 * x + c : x];
    }
    for (int c = 0; c < 3; c++) {
        sums[c] /= 255.0 * image->width * image->height;
        mixed += gray[c] * sums[c];
    }
    for (int c = 0; c < channels; c++)
        key[c] = (float)(channels == 3 ? sums[c] : mixed);
}

/* ---- parts ----------------------------------------------------------------------------------- */

/* A constant of up to four lengths, those of 0 left out. */
static void add_table(TestGraph *g, const char *name, size_t a, size_t b, size_t c, size_t d,
                      const float *values) {
    char shape[96];
    int length = snprintf(shape, sizeof shape, "%zu %zu", a, b);
    if (c)
        length += snprintf(shape + length, sizeof shape - (size_t)length, " %zu", c);
    if (d)
        snprintf(shape + length, sizeof shape - (size_t)length, " %zu", d);
    test_graph_constant(g, name, TEST_FLOAT, shape, values);
}

/* `key` [B K] -> `row` [B]: which of the keys is nearest. */
static void add_choice(TestGraph *g, size_t rows, size_t key_size, const float *keys) {
    add_table(g, "keys", 1, rows, key_size, 0, keys);
    test_graph_int64s(g, "one", 1, (const int64_t[]){1});
    test_graph_node(g, "Unsqueeze", "key one", "key_apart", "");
    test_graph_node(g, "Sub", "key_apart keys", "key_off", "");
    test_graph_node(g, "ReduceSumSquare", "key_off", "key_distance", "axes=[2] keepdims=0");
    test_graph_node(g, "ArgMin", "key_distance", "row", "axis=1 keepdims=0");
}

/* `image` -> `key` -> `row`; `row` -> `xy` [B N 2], `descriptors` [B N D]. */
static void add_keypoints(TestGraph *g, const TestKeypoints *table, const char *image) {
    test_graph_node(g, "ReduceMean", image, "key", "axes=[2,3] keepdims=0");
    add_choice(g, table->rows, (size_t)table->channels, table->keys);
    add_table(g, "all_xy", table->rows, table->count, 2, 0, table->positions);
    add_table(g, "all_descriptors", table->rows, table->count, (size_t)table->descriptor_size, 0,
              table->descriptors);
    test_graph_node(g, "Gather", "all_xy row", "xy", "axis=0");
    test_graph_node(g, "Gather", "all_descriptors row", "descriptors_b", "axis=0");
}

/* `image` [1 C H W], `xy` [1 N 2] -> `scores_b` [1 N]: the pixels there, their channels weighted.
 */
static void add_scores_of_pixels(TestGraph *g, int channels) {
    static const float weights[2][3] = {{1.0f}, {1.0f / 6, 2.0f / 6, 3.0f / 6}};
    add_table(g, "channel_weights", (size_t)channels, 1, 0, 0, weights[channels == 3]);
    test_graph_int64s(g, "zero", 1, (const int64_t[]){0});
    test_graph_int64s(g, "turned", 2, (const int64_t[]){1, 0});
    test_graph_int64s(g, "flat", 2, (const int64_t[]){1, -1});
    test_graph_node(g, "Round", "xy", "xy_round", "");
    test_graph_node(g, "Cast", "xy_round", "xy_whole", "to=7");
    test_graph_node(g, "Gather", "xy_whole turned", "yx", "axis=2");
    test_graph_node(g, "Squeeze", "yx zero", "yx_list", "");
    test_graph_node(g, "Transpose", "image", "pixels_b", "perm=[0,2,3,1]");
    test_graph_node(g, "Squeeze", "pixels_b zero", "pixels", "");
    test_graph_node(g, "GatherND", "pixels yx_list", "pixels_there", "");
    test_graph_node(g, "MatMul", "pixels_there channel_weights", "weighted", "");
    test_graph_node(g, "Reshape", "weighted flat", "scores_b", "");
}

static void add_scores_of_table(TestGraph *g, const TestKeypoints *table) {
    add_table(g, "all_scores", table->rows, table->count, 0, 0, table->scores);
    test_graph_node(g, "Gather", "all_scores row", "scores_b", "axis=0");
}

/* desc0 [1 M D], desc1 [1 N D] -> `best` [1 M], `product` [1 M], `partner` [1 M] with -1. */
static void add_products(TestGraph *g) {
    test_graph_floats(g, "half", 1, (const float[]){0.5f});
    test_graph_int64s(g, "none", 1, (const int64_t[]){-1});
    test_graph_node(g, "Transpose", "desc1", "desc1_turned", "perm=[0,2,1]");
    test_graph_node(g, "MatMul", "desc0 desc1_turned", "products", "");
    test_graph_node(g, "ArgMax", "products", "best", "axis=2 keepdims=0");
    test_graph_node(g, "ReduceMax", "products", "product", "axes=[2] keepdims=0");
    test_graph_node(g, "Greater", "product half", "is_match", "");
    test_graph_node(g, "Where", "is_match best none", "partner", "");
}

/* ---- extractors ------------------------------------------------------------------------------ */

bool test_write_extractor(const char *path, const TestKeypoints *table, const char *image_shape,
                          bool as_int64, bool is_batch) {
    TestGraph *g = test_graph_create();
    test_graph_input(g, "image", TEST_FLOAT, image_shape);
    add_keypoints(g, table, "image");
    if (table->scores)
        add_scores_of_table(g, table);
    else
        add_scores_of_pixels(g, table->channels);
    test_graph_node(g, "Cast", "xy", "keypoints_b", as_int64 ? "to=7" : "to=1");
    test_graph_int64s(g, "batch", 1, (const int64_t[]){0});
    static const char *const names[] = {"keypoints", "scores", "descriptors"};
    static const char *const batch_names[] = {"keypoints_b batch", "scores_b batch",
                                              "descriptors_b batch"};
    static const char *const shapes[2][3] = {{"N 2", "N", "N D"}, {"1 N 2", "1 N", "1 N D"}};
    for (int i = 0; i < 3; i++) {
        char alone[64];
        snprintf(alone, sizeof alone, "%s_b", names[i]);
        if (is_batch)
            test_graph_node(g, "Identity", alone, names[i], "");
        else
            test_graph_node(g, "Squeeze", batch_names[i], names[i], "");
        test_graph_output(g, names[i], i == 0 && as_int64 ? TEST_INT64 : TEST_FLOAT,
                          shapes[is_batch][i]);
    }
    return test_graph_write(&g, path);
}

/* `xy` [1 N 2] in px -> `normalized`, in -1..1 from the first centre to the last, off by the
 * remainder of the sides by 32. */
static void add_normalized(TestGraph *g) {
    test_graph_int64s(g, "sides", 2, (const int64_t[]){3, 2});
    test_graph_int64s(g, "block", 1, (const int64_t[]){32});
    test_graph_floats(g, "unit", 1, (const float[]){1.0f});
    test_graph_floats(g, "two", 1, (const float[]){2.0f});
    test_graph_node(g, "Shape", "image", "image_shape", "");
    test_graph_node(g, "Gather", "image_shape sides", "size_whole", "axis=0");
    test_graph_node(g, "Mod", "size_whole block", "rest_whole", "");
    test_graph_node(g, "Cast", "size_whole", "size", "to=1");
    test_graph_node(g, "Cast", "rest_whole", "rest", "to=1");
    test_graph_node(g, "Add", "xy rest", "xy_off", "");
    test_graph_node(g, "Sub", "size unit", "span", "");
    test_graph_node(g, "Mul", "xy_off two", "xy_double", "");
    test_graph_node(g, "Div", "xy_double span", "xy_span", "");
    test_graph_node(g, "Sub", "xy_span unit", "normalized", "");
}

bool test_write_colmap_extractor(const char *path, const TestKeypoints *table) {
    TestGraph *g = test_graph_create();
    test_graph_input(g, "image", TEST_FLOAT, "1 3 H W");
    test_graph_input(g, "max_keypoints", TEST_INT64, "");
    test_graph_input(g, "min_score", TEST_FLOAT, "");
    add_keypoints(g, table, "image");
    add_scores_of_table(g, table);
    add_normalized(g);
    test_graph_int64s(g, "from", 1, (const int64_t[]){0});
    test_graph_int64s(g, "ones", 1, (const int64_t[]){1});
    test_graph_node(g, "Reshape", "max_keypoints ones", "to", "");
    test_graph_node(g, "Slice", "normalized from to ones", "keypoints", "");
    test_graph_node(g, "Slice", "descriptors_b from to ones", "descriptors", "");
    test_graph_node(g, "Slice", "scores_b from to ones", "scores_first", "");
    test_graph_node(g, "Add", "scores_first min_score", "scores", "");
    test_graph_output(g, "keypoints", TEST_FLOAT, "1 N 2");
    test_graph_output(g, "descriptors", TEST_FLOAT, "1 N D");
    test_graph_output(g, "scores", TEST_FLOAT, "1 N");
    return test_graph_write(&g, path);
}

/* ---- matchers -------------------------------------------------------------------------------- */

/* `position0`, `position1` [1 M|N 2], `best` -> `score` [1 M], by the formula of the header. */
static void add_scores_of_positions(TestGraph *g) {
    add_table(g, "weights0", 2, 1, 0, 0, (const float[]){1.0f / 40, 2.0f / 40});
    add_table(g, "weights1", 2, 1, 0, 0, (const float[]){3.0f / 40, 4.0f / 40});
    test_graph_int64s(g, "last", 1, (const int64_t[]){2});
    test_graph_int64s(g, "first", 1, (const int64_t[]){0});
    test_graph_node(g, "MatMul", "position0 weights0", "part0_column", "");
    test_graph_node(g, "MatMul", "position1 weights1", "part1_column", "");
    test_graph_node(g, "Squeeze", "part0_column last", "part0", "");
    test_graph_node(g, "Squeeze", "part1_column last", "part1", "");
    test_graph_node(g, "GatherElements", "part1 best", "part1_best", "axis=1");
    test_graph_node(g, "Add", "part0 part1_best", "parts", "");
    test_graph_node(g, "Add", "parts half", "score", "");
}

/* `partner`, `score` [1 M] -> pairs [K 2] and their scores. */
static void add_pairs(TestGraph *g) {
    test_graph_int64s(g, "long", 1, (const int64_t[]){-1});
    test_graph_int64s(g, "upright", 2, (const int64_t[]){-1, 1});
    test_graph_node(g, "Reshape", "partner long", "partner_list", "");
    test_graph_node(g, "Reshape", "score long", "score_list", "");
    test_graph_node(g, "Reshape", "is_match long", "is_match_list", "");
    test_graph_node(g, "NonZero", "is_match_list", "matched_row", "");
    test_graph_node(g, "Reshape", "matched_row long", "matched", "");
    test_graph_node(g, "Gather", "partner_list matched", "matched_partner", "axis=0");
    test_graph_node(g, "Gather", "score_list matched", "mscores0", "axis=0");
    test_graph_node(g, "Reshape", "matched upright", "left", "");
    test_graph_node(g, "Reshape", "matched_partner upright", "right", "");
    test_graph_node(g, "Concat", "left right", "matches0", "axis=1");
}

static void add_matcher_inputs(TestGraph *g, TestMatcher kind, int descriptor_size) {
    char shape[64];
    test_graph_input(g, "kpts0", TEST_FLOAT, "1 M 2");
    test_graph_input(g, "kpts1", TEST_FLOAT, "1 N 2");
    snprintf(shape, sizeof shape, "1 M %d", descriptor_size);
    test_graph_input(g, "desc0", TEST_FLOAT, shape);
    snprintf(shape, sizeof shape, "1 N %d", descriptor_size);
    test_graph_input(g, "desc1", TEST_FLOAT, shape);
    if (kind != TEST_MATCHER_COLMAP)
        return;
    test_graph_input(g, "image_size0", TEST_FLOAT, "1 2");
    test_graph_input(g, "image_size1", TEST_FLOAT, "1 2");
}

bool test_write_matcher(const char *path, TestMatcher kind, int descriptor_size,
                        bool from_positions) {
    static const char *const shapes[][2] = {
        {"1 M", "1 M"}, {"1 M", "1 M"}, {"K 2", "K"}, {"M", "M"}};
    TestGraph *g = test_graph_create();
    add_matcher_inputs(g, kind, descriptor_size);
    add_products(g);
    const bool is_colmap = kind == TEST_MATCHER_COLMAP;
    test_graph_node(g, is_colmap ? "Div" : "Identity", is_colmap ? "kpts0 image_size0" : "kpts0",
                    "position0", "");
    test_graph_node(g, is_colmap ? "Div" : "Identity", is_colmap ? "kpts1 image_size1" : "kpts1",
                    "position1", "");
    if (from_positions)
        add_scores_of_positions(g);
    else
        test_graph_node(g, "Identity", "product", "score", "");
    if (kind == TEST_MATCHER_PAIRS) {
        add_pairs(g);
    } else if (is_colmap) {
        test_graph_int64s(g, "long", 1, (const int64_t[]){-1});
        test_graph_node(g, "Reshape", "partner long", "matches0", "");
        test_graph_node(g, "Reshape", "score long", "mscores0", "");
    } else {
        test_graph_node(g, "Cast", "partner", "matches0",
                        kind == TEST_MATCHER_INT32 ? "to=6" : "to=7");
        test_graph_node(g, "Identity", "score", "mscores0", "");
    }
    test_graph_output(g, "matches0", kind == TEST_MATCHER_INT32 ? TEST_INT32 : TEST_INT64,
                      shapes[kind][0]);
    test_graph_output(g, "mscores0", TEST_FLOAT, shapes[kind][1]);
    return test_graph_write(&g, path);
}

bool test_write_pipeline(const char *path, const TestKeypoints *table, const char *image_shape) {
    TestGraph *g = test_graph_create();
    test_graph_input(g, "images", TEST_FLOAT, image_shape);
    add_keypoints(g, table, "images");
    test_graph_int64s(g, "image0", 1, (const int64_t[]){0});
    test_graph_int64s(g, "image1", 1, (const int64_t[]){1});
    test_graph_node(g, "Gather", "descriptors_b image0", "desc0", "axis=0");
    test_graph_node(g, "Gather", "descriptors_b image1", "desc1", "axis=0");
    add_products(g);
    test_graph_node(g, "Identity", "product", "score", "");
    add_pairs(g); /* matches0 [K 2] */
    test_graph_int64s(g, "no_pair", 1, (const int64_t[]){0});
    test_graph_node(g, "Mul", "left no_pair", "pair", "");
    test_graph_node(g, "Concat", "pair matches0", "matches", "axis=1");
    test_graph_node(g, "Identity", "mscores0", "mscores", "");
    test_graph_node(g, "Identity", "xy", "keypoints", "");
    test_graph_output(g, "keypoints", TEST_FLOAT, "2 N 2");
    test_graph_output(g, "matches", TEST_INT64, "K 3");
    test_graph_output(g, "mscores", TEST_FLOAT, "K");
    return test_graph_write(&g, path);
}

/* ---- dense ----------------------------------------------------------------------------------- */

static void add_pair_inputs(TestGraph *g, const char *height, const char *width) {
    char shape[64];
    snprintf(shape, sizeof shape, "batch 3 %s %s", height, width);
    test_graph_input(g, "img_A", TEST_FLOAT, shape);
    test_graph_input(g, "img_B", TEST_FLOAT, shape);
    test_graph_node(g, "Concat", "img_A img_B", "both", "axis=1");
}

static void add_dense_outputs(TestGraph *g, const char *height, const char *width,
                              bool has_precision) {
    static const char *const names[] = {"warp_AB", "overlap_AB", "precision_AB"};
    static const char *const last[] = {"2", "1", "2 2"};
    for (int i = 0; i < (has_precision ? 3 : 2); i++) {
        char shape[64];
        snprintf(shape, sizeof shape, "batch %s %s %s", height, width, last[i]);
        test_graph_output(g, names[i], TEST_FLOAT, shape);
    }
}

bool test_write_dense_table(const char *path, const TestWarps *table) {
    char width[16], height[16];
    const size_t w = (size_t)table->width, h = (size_t)table->height, cells = w * h;
    TestGraph *g = test_graph_create();
    snprintf(width, sizeof width, "%d", table->width);
    snprintf(height, sizeof height, "%d", table->height);
    add_pair_inputs(g, height, width);
    test_graph_node(g, "ReduceMean", "both", "key", "axes=[2,3] keepdims=0");
    add_choice(g, table->rows, 6, table->keys);
    const size_t answers = table->rows - table->lacks;
    add_table(g, "all_targets", answers, h, w, 2, table->targets);
    test_graph_node(g, "Gather", "all_targets row", "warp_AB", "axis=0");
    float *full = NULL;
    if (!table->overlap) {
        full = malloc(table->rows * cells * sizeof *full);
        for (size_t i = 0; full && i < table->rows * cells; i++)
            full[i] = 1.0f;
    }
    add_table(g, "all_overlap", answers, h, w, 1, table->overlap ? table->overlap : full);
    free(full);
    test_graph_node(g, "Gather", "all_overlap row", "overlap_AB", "axis=0");
    if (table->precision) {
        add_table(g, "all_precision", answers, h, w, 4, table->precision);
        test_graph_int64s(g, "square", 5, (const int64_t[]){1, table->height, table->width, 2, 2});
        test_graph_node(g, "Gather", "all_precision row", "precision_flat", "axis=0");
        test_graph_node(g, "Reshape", "precision_flat square", "precision_AB", "");
    }
    add_dense_outputs(g, height, width, table->precision);
    return test_graph_write(&g, path);
}

/* A node whose names hold `name` where "@" stands. */
static void add_named(TestGraph *g, const char *name, const char *operation, const char *inputs,
                      const char *outputs, const char *attributes) {
    char texts[2][128];
    for (int i = 0; i < 2; i++) {
        size_t length = 0;
        for (const char *at = i ? outputs : inputs; *at && length < 100; at++)
            length += (size_t)snprintf(texts[i] + length, 128 - length, "%.*s", *at == '@' ? 16 : 1,
                                       *at == '@' ? name : at);
    }
    test_graph_node(g, operation, texts[0], texts[1], attributes);
}

/* The shape of img_A -> the centres of a line of cells in -1..1: `x` for axis 3, `y` for axis 2. */
static void add_centres(TestGraph *g, const char *name, int64_t axis) {
    char axis_name[32];
    snprintf(axis_name, sizeof axis_name, "%s_axis", name);
    test_graph_constant(g, axis_name, TEST_INT64, "", &axis);
    add_named(g, name, "Gather", "shape_A @_axis", "@_length", "axis=0");
    add_named(g, name, "Range", "start @_length step", "@_whole", "");
    add_named(g, name, "Cast", "@_whole", "@_index", "to=1");
    add_named(g, name, "Cast", "@_length", "@_cells", "to=1");
    add_named(g, name, "Add", "@_index half", "@_middle", "");
    add_named(g, name, "Div", "@_middle @_cells", "@_share", "");
    add_named(g, name, "Mul", "@_share two", "@_double", "");
    add_named(g, name, "Sub", "@_double unit", "@", "");
}

/* -> `warp_AB`: the terms side by side, times the coefficients. */
static void add_formula(TestGraph *g, const float coefficients[2][6]) {
    float turned[12];
    for (size_t i = 0; i < 12; i++)
        turned[i] = coefficients[i % 2][i / 2];
    const int64_t zero = 0, one = 1;
    test_graph_constant(g, "start", TEST_INT64, "", &zero);
    test_graph_constant(g, "step", TEST_INT64, "", &one);
    test_graph_floats(g, "half", 1, (const float[]){0.5f});
    test_graph_floats(g, "unit", 1, (const float[]){1.0f});
    test_graph_floats(g, "two", 1, (const float[]){2.0f});
    test_graph_int64s(g, "as_row", 4, (const int64_t[]){1, 1, -1, 1});
    test_graph_int64s(g, "as_column", 4, (const int64_t[]){1, -1, 1, 1});
    add_table(g, "coefficients", 6, 2, 0, 0, turned);
    test_graph_node(g, "Shape", "img_A", "shape_A", "");
    add_centres(g, "x_line", 3);
    add_centres(g, "y_line", 2);
    test_graph_node(g, "Reshape", "x_line as_row", "x_row", "");
    test_graph_node(g, "Reshape", "y_line as_column", "y_column", "");
    test_graph_node(g, "Mul", "x_row y_column", "xy", "");
    test_graph_node(g, "Sub", "xy xy", "nil", "");
    test_graph_node(g, "Add", "nil x_row", "x", "");
    test_graph_node(g, "Add", "nil y_column", "y", "");
    test_graph_node(g, "Add", "nil unit", "i", "");
    test_graph_node(g, "Mul", "x x", "xx", "");
    test_graph_node(g, "Mul", "y y", "yy", "");
    test_graph_node(g, "Concat", "i x y xx xy yy", "terms", "axis=3");
    test_graph_node(g, "MatMul", "terms coefficients", "warp_AB", "");
}

bool test_write_dense_formula(const char *path, const char *height, const char *width,
                              const float coefficients[2][6], const float weights[6],
                              const float *precision) {
    TestGraph *g = test_graph_create();
    add_pair_inputs(g, height, width);
    add_formula(g, coefficients);
    add_table(g, "overlap_weights", 6, 1, 0, 0, weights);
    test_graph_node(g, "Transpose", "both", "both_last", "perm=[0,2,3,1]");
    test_graph_node(g, "MatMul", "both_last overlap_weights", "overlap_AB", "");
    if (precision) {
        test_graph_constant(g, "precision", TEST_FLOAT, "1 1 1 2 2", precision);
        test_graph_int64s(g, "as_cells", 1, (const int64_t[]){4});
        test_graph_node(g, "Unsqueeze", "nil as_cells", "nil_cells", "");
        test_graph_node(g, "Add", "nil_cells precision", "precision_AB", "");
    }
    add_dense_outputs(g, height, width, precision);
    return test_graph_write(&g, path);
}

/* ---- what must not be believed --------------------------------------------------------------- */

/* By way of a shape that hangs on the input, or else what is wrong with it would be found when the
 * file is loaded. */
static void add_constant_output(TestGraph *g, const TestPort *output) {
    int64_t shape[8] = {0};
    size_t rank = 0;
    for (const char *at = output->shape; *at; rank++) {
        char *end;
        shape[rank] = strtoll(at, &end, 10);
        at = end;
    }
    char name[32];
    snprintf(name, sizeof name, "%.16s_shape", output->name);
    test_graph_int64s(g, name, rank, shape);
    snprintf(name, sizeof name, "%.16s_values", output->name);
    test_graph_constant(g, name, output->element, output->shape, output->values);
    add_named(g, output->name, "Add", "@_shape nil", "@_shape_seen", "");
    add_named(g, output->name, "Reshape", "@_values @_shape_seen", "@", "");
    test_graph_output(g, output->name, output->element, output->declared);
}

bool test_write_constant(const char *path, const TestPort *inputs, size_t input_count,
                         const TestPort *outputs, size_t output_count) {
    TestGraph *g = test_graph_create();
    for (size_t i = 0; i < input_count; i++)
        test_graph_input(g, inputs[i].name, inputs[i].element, inputs[i].declared);
    test_graph_int64s(g, "zero", 1, (const int64_t[]){0});
    test_graph_node(g, "Shape", inputs[0].name, "seen", "");
    test_graph_node(g, "ReduceMin", "seen", "least", "axes=[0] keepdims=1");
    test_graph_node(g, "Mul", "least zero", "nil", "");
    for (size_t i = 0; i < output_count; i++)
        add_constant_output(g, &outputs[i]);
    return test_graph_write(&g, path);
}
