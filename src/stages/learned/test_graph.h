/* For tests: writes small ONNX files, node by node.
 *
 * A graph is written as its text would be read: inputs, constants, nodes in the order in which they
 * run, outputs. Names are arbitrary words. Shapes are written like "1 3 H W": a number is that
 * length, a word is a length that each run decides, and "" is a scalar. Mistakes in a graph show
 * when ONNX Runtime loads it. Aborts where memory is out. */
#ifndef AQM_LEARNED_TEST_GRAPH_H
#define AQM_LEARNED_TEST_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Element types by ONNX's numbers. */
enum { TEST_FLOAT = 1, TEST_INT32 = 6, TEST_INT64 = 7, TEST_FLOAT16 = 10, TEST_DOUBLE = 11 };

typedef struct TestGraph TestGraph;

TestGraph *test_graph_create(void);
/* Writes the file and frees the graph; false where it cannot be written. */
bool test_graph_write(TestGraph **graph, const char *path);

void test_graph_input(TestGraph *graph, const char *name, int element, const char *shape);
void test_graph_output(TestGraph *graph, const char *name, int element, const char *shape);

/* A constant; `shape` holds numbers only. `values`: row-major, of the element type. */
void test_graph_constant(TestGraph *graph, const char *name, int element, const char *shape,
                         const void *values);
/* Short ones: a list of whole numbers or of numbers, "[2]" long for 2 values. */
void test_graph_int64s(TestGraph *graph, const char *name, size_t count, const int64_t *values);
void test_graph_floats(TestGraph *graph, const char *name, size_t count, const float *values);

/* A node: operator, inputs and outputs parted by blanks, attributes like "axis=1 axes=[2,3]" ("" =
 * none; whole numbers only). */
void test_graph_node(TestGraph *graph, const char *operation, const char *inputs,
                     const char *outputs, const char *attributes);

#endif
