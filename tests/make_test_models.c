/* make_test_models: writes models whose answers are known (src/stages/learned/test_models.h), for
 * tests of the whole program. Tables are files of 32-bit floats, as they lie in memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/learned/test_models.h"

static int usage(void) {
    fputs("usage: make_test_models dense OUT.onnx WIDTH HEIGHT TABLE\n"
          "         TABLE: for each pair of images the mean R G B (0..1) of the first and of the\n"
          "         second, then for each cell, row by row, the target x y in -1..1\n"
          "       make_test_models extractor OUT.onnx CHANNELS COUNT DESCRIPTOR_SIZE TABLE\n"
          "         TABLE: for each image the mean of each of CHANNELS (0..1), then for each of\n"
          "         COUNT keypoints u v (px), score, descriptor\n"
          "       make_test_models matcher OUT.onnx DESCRIPTOR_SIZE\n"
          "         matches by the largest product of descriptors, if it is above 0.5\n"
          "The row of a table with the nearest means is the one that a model of it answers with.\n",
          stderr);
    return 2;
}

static float *read_floats(const char *path, size_t *count) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        return NULL;
    *count = (size_t)ftell(file) / sizeof(float);
    rewind(file);
    float *values = malloc(*count * sizeof *values + 1);
    const bool is_read = values && fread(values, sizeof *values, *count, file) == *count;
    fclose(file);
    return is_read ? values : NULL;
}

/* Columns from..to of rows of `stride` values, together. */
static float *columns(const float *values, size_t rows, size_t stride, size_t from, size_t to) {
    float *out = malloc(rows * (to - from) * sizeof *out + 1);
    for (size_t r = 0; out && r < rows; r++)
        memcpy(out + r * (to - from), values + r * stride + from, (to - from) * sizeof *out);
    return out;
}

static bool write_dense(char **arguments) {
    size_t count = 0;
    float *values = read_floats(arguments[3], &count);
    TestWarps table = {.width = atoi(arguments[1]), .height = atoi(arguments[2])};
    const size_t stride = 6 + 2 * (size_t)table.width * (size_t)table.height;
    if (!values || count == 0 || count % stride) {
        free(values);
        return false;
    }
    table.rows = count / stride;
    float *keys = columns(values, table.rows, stride, 0, 6);
    float *targets = columns(values, table.rows, stride, 6, stride);
    table.keys = keys;
    table.targets = targets;
    const bool is_written = keys && targets && test_write_dense_table(arguments[0], &table);
    free(values);
    free(keys);
    free(targets);
    return is_written;
}

static bool write_extractor(char **arguments) {
    size_t count = 0;
    float *values = read_floats(arguments[4], &count);
    TestKeypoints table = {.channels = atoi(arguments[1]),
                           .count = (size_t)atoi(arguments[2]),
                           .descriptor_size = atoi(arguments[3])};
    const size_t channels = (size_t)table.channels, size = 3 + (size_t)table.descriptor_size;
    const size_t stride = channels + table.count * size;
    if (!values || count == 0 || count % stride || (channels != 1 && channels != 3)) {
        free(values);
        return false;
    }
    table.rows = count / stride;
    float *features = columns(values, table.rows, stride, channels, stride);
    float *parts[4] = {columns(values, table.rows, stride, 0, channels)};
    for (size_t k = 0; features && k < 3; k++)
        parts[1 + k] =
            columns(features, table.rows * table.count, size, k ? k + 1 : 0, k == 2 ? size : k + 2);
    table.keys = parts[0];
    table.positions = parts[1];
    table.scores = parts[2];
    table.descriptors = parts[3];
    const bool is_written =
        parts[0] && parts[1] && parts[2] && parts[3] &&
        test_write_extractor(arguments[0], &table, channels == 3 ? "1 3 H W" : "1 1 H W", false,
                             true);
    free(values);
    free(features);
    for (size_t k = 0; k < 4; k++)
        free(parts[k]);
    return is_written;
}

int main(int argc, char **argv) {
    bool is_written = false;
    if (argc == 6 && strcmp(argv[1], "dense") == 0)
        is_written = write_dense(argv + 2);
    else if (argc == 7 && strcmp(argv[1], "extractor") == 0)
        is_written = write_extractor(argv + 2);
    else if (argc == 4 && strcmp(argv[1], "matcher") == 0)
        is_written = test_write_matcher(argv[2], TEST_MATCHER_PAIRS, atoi(argv[3]), false);
    else
        return usage();
    if (!is_written)
        fprintf(stderr, "make_test_models: %s: the table does not fit or cannot be written\n",
                argv[2]);
    return !is_written;
}
