/* Protocol buffers by hand. A message is a row of fields, each a key (number * 8 + kind) and a
 * value: kind 0 is an integer, seven bits a byte, lowest first, the top bit set on all bytes but
 * the last; kind 2 is a length and so many bytes, which is also how messages stand in messages. The
 * numbers of the fields below are those of ONNX. */
#include "stages/learned/test_graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IR_VERSION = 8, OPSET = 17 };

enum { MODEL_IR_VERSION = 1, MODEL_GRAPH = 7, MODEL_OPSET = 8, OPSET_VERSION = 2 };
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_CONSTANT = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_OPERATION = 4, NODE_ATTRIBUTE = 5 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_INT = 3, ATTRIBUTE_INTS = 8, ATTRIBUTE_TYPE = 20 };
enum { ATTRIBUTE_TYPE_INT = 2, ATTRIBUTE_TYPE_INTS = 7 };
enum { TENSOR_DIMS = 1, TENSOR_ELEMENT = 2, TENSOR_NAME = 8, TENSOR_RAW = 9 };
enum { VALUE_NAME = 1, VALUE_TYPE = 2, TYPE_TENSOR = 1, TENSOR_TYPE_ELEMENT = 1 };
enum { TENSOR_TYPE_SHAPE = 2, SHAPE_DIMENSION = 1, DIMENSION_VALUE = 1, DIMENSION_NAME = 2 };

typedef struct Bytes {
    uint8_t *data;
    size_t length, capacity;
} Bytes;

struct TestGraph {
    Bytes body;
};

static void put(Bytes *bytes, const void *data, size_t length) {
    if (bytes->length + length > bytes->capacity) {
        bytes->capacity = 2 * (bytes->length + length);
        bytes->data = realloc(bytes->data, bytes->capacity);
        if (!bytes->data)
            abort();
    }
    if (length)
        memcpy(bytes->data + bytes->length, data, length);
    bytes->length += length;
}

static void put_varint(Bytes *bytes, uint64_t value) {
    uint8_t byte;
    do {
        byte = (uint8_t)((value & 127u) | (value > 127u ? 128u : 0u));
        put(bytes, &byte, 1);
        value >>= 7;
    } while (value);
}

static void put_int(Bytes *bytes, int field, int64_t value) {
    put_varint(bytes, (uint64_t)field * 8);
    put_varint(bytes, (uint64_t)value);
}

static void put_block(Bytes *bytes, int field, const void *data, size_t length) {
    put_varint(bytes, (uint64_t)field * 8 + 2);
    put_varint(bytes, length);
    put(bytes, data, length);
}

static void put_text(Bytes *bytes, int field, const char *text) {
    put_block(bytes, field, text, strlen(text));
}

/* Appends a finished message and frees it. */
static void put_message(Bytes *bytes, int field, Bytes *message) {
    put_block(bytes, field, message->data, message->length);
    free(message->data);
    *message = (Bytes){0};
}

/* The next word of a text of words; false at its end. */
static bool next_word(const char **at, char word[128]) {
    const size_t skipped = strspn(*at, " "), length = strcspn(*at + skipped, " ");
    snprintf(word, 128, "%.*s", (int)length, *at + skipped);
    *at += skipped + length;
    return length > 0;
}

TestGraph *test_graph_create(void) {
    TestGraph *graph = calloc(1, sizeof *graph);
    if (!graph)
        abort();
    put_text(&graph->body, GRAPH_NAME, "test");
    return graph;
}

bool test_graph_write(TestGraph **graph, const char *path) {
    Bytes opset = {0}, model = {0};
    put_int(&opset, OPSET_VERSION, OPSET);
    put_int(&model, MODEL_IR_VERSION, IR_VERSION);
    put_message(&model, MODEL_OPSET, &opset);
    put_message(&model, MODEL_GRAPH, &(*graph)->body);
    FILE *file = fopen(path, "wb");
    bool is_written = file && fwrite(model.data, 1, model.length, file) == model.length;
    is_written = file && fclose(file) == 0 && is_written;
    free(model.data);
    free(*graph);
    *graph = NULL;
    return is_written;
}

static void put_value(Bytes *graph, int field, const char *name, int element, const char *shape) {
    Bytes value = {0}, type = {0}, tensor = {0}, dimensions = {0};
    char word[128];
    put_int(&tensor, TENSOR_TYPE_ELEMENT, element);
    while (next_word(&shape, word)) {
        Bytes dimension = {0};
        if (*word >= '0' && *word <= '9')
            put_int(&dimension, DIMENSION_VALUE, strtoll(word, NULL, 10));
        else
            put_text(&dimension, DIMENSION_NAME, word);
        put_message(&dimensions, SHAPE_DIMENSION, &dimension);
    }
    put_message(&tensor, TENSOR_TYPE_SHAPE, &dimensions);
    put_message(&type, TYPE_TENSOR, &tensor);
    put_text(&value, VALUE_NAME, name);
    put_message(&value, VALUE_TYPE, &type);
    put_message(graph, field, &value);
}

void test_graph_input(TestGraph *graph, const char *name, int element, const char *shape) {
    put_value(&graph->body, GRAPH_INPUT, name, element, shape);
}

void test_graph_output(TestGraph *graph, const char *name, int element, const char *shape) {
    put_value(&graph->body, GRAPH_OUTPUT, name, element, shape);
}

void test_graph_constant(TestGraph *graph, const char *name, int element, const char *shape,
                         const void *values) {
    Bytes tensor = {0};
    char word[128];
    size_t size = element == TEST_FLOAT16                           ? 2
                  : element == TEST_INT64 || element == TEST_DOUBLE ? 8
                                                                    : 4;
    while (next_word(&shape, word)) {
        put_int(&tensor, TENSOR_DIMS, strtoll(word, NULL, 10));
        size *= (size_t)strtoll(word, NULL, 10);
    }
    put_int(&tensor, TENSOR_ELEMENT, element);
    put_text(&tensor, TENSOR_NAME, name);
    put_block(&tensor, TENSOR_RAW, values, size);
    put_message(&graph->body, GRAPH_CONSTANT, &tensor);
}

void test_graph_int64s(TestGraph *graph, const char *name, size_t count, const int64_t *values) {
    char shape[32];
    snprintf(shape, sizeof shape, "%zu", count);
    test_graph_constant(graph, name, TEST_INT64, shape, values);
}

void test_graph_floats(TestGraph *graph, const char *name, size_t count, const float *values) {
    char shape[32];
    snprintf(shape, sizeof shape, "%zu", count);
    test_graph_constant(graph, name, TEST_FLOAT, shape, values);
}

/* "axis=1" or "axes=[2,3]" */
static void put_attribute(Bytes *node, const char *text) {
    Bytes attribute = {0};
    char name[64];
    const char *value = strchr(text, '=') + 1;
    snprintf(name, sizeof name, "%.*s", (int)(value - 1 - text), text);
    put_text(&attribute, ATTRIBUTE_NAME, name);
    if (*value != '[') {
        put_int(&attribute, ATTRIBUTE_INT, strtoll(value, NULL, 10));
        put_int(&attribute, ATTRIBUTE_TYPE, ATTRIBUTE_TYPE_INT);
    } else {
        for (char *end; *value != ']' && *value; value = end)
            put_int(&attribute, ATTRIBUTE_INTS, strtoll(value + 1, &end, 10));
        put_int(&attribute, ATTRIBUTE_TYPE, ATTRIBUTE_TYPE_INTS);
    }
    put_message(node, NODE_ATTRIBUTE, &attribute);
}

void test_graph_node(TestGraph *graph, const char *operation, const char *inputs,
                     const char *outputs, const char *attributes) {
    Bytes node = {0};
    char word[128];
    while (next_word(&inputs, word))
        put_text(&node, NODE_INPUT, word);
    while (next_word(&outputs, word))
        put_text(&node, NODE_OUTPUT, word);
    put_text(&node, NODE_OPERATION, operation);
    while (next_word(&attributes, word))
        put_attribute(&node, word);
    put_message(&graph->body, GRAPH_NODE, &node);
}
