/* What is used of ONNX Runtime's C API, declared here because the library is loaded when it is
 * needed and its header is not required to build.
 *
 * OrtGetApiBase() leads to a table of functions. Version 1 of the table has 102 slots whose order
 * never changes, so a name is a number: the slots that are not used are gaps, and each slot that is
 * used is held to its number by an assertion. A function that can fail returns NULL or a status to
 * be released; sizes are size_t, shapes int64_t with -1 for what is not fixed. */
#ifndef AQM_LEARNED_ONNX_API_H
#define AQM_LEARNED_ONNX_API_H

#include <stddef.h>
#include <stdint.h>

enum { AQM_ORT_API_VERSION = 1, AQM_ORT_API_SLOTS = 102 };

/* Opaque to us. */
typedef struct OrtEnv OrtEnv;
typedef struct OrtStatus OrtStatus;
typedef struct OrtSession OrtSession;
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtRunOptions OrtRunOptions;
typedef struct OrtValue OrtValue;
typedef struct OrtTypeInfo OrtTypeInfo;
typedef struct OrtTensorInfo OrtTensorInfo;
typedef struct OrtMemoryInfo OrtMemoryInfo;
typedef struct OrtAllocator OrtAllocator;

enum {
    AQM_ORT_LOG_FATAL = 4,     /* the least that can be asked for: errors come back as statuses */
    AQM_ORT_OPTIMIZE_ALL = 99, /* of a graph, before it is run */
    AQM_ORT_DEVICE_ALLOCATOR = 0, /* which allocator ... */
    AQM_ORT_MEMORY_DEFAULT = 0,   /* ... and which memory the tensors that we give live in */
};

#define AQM_ORT_GAP(first, last) void *gap_##first[(last) - (first) + 1]

typedef struct OrtApi {
    AQM_ORT_GAP(0, 1);
    const char *(*get_error_message)(const OrtStatus *status);
    OrtStatus *(*create_env)(int log_level, const char *log_id, OrtEnv **out);
    AQM_ORT_GAP(4, 6);
    OrtStatus *(*create_session)(const OrtEnv *env, const char *path,
                                 const OrtSessionOptions *options, OrtSession **out);
    AQM_ORT_GAP(8, 8);
    OrtStatus *(*run)(OrtSession *session, const OrtRunOptions *options,
                      const char *const *input_names, const OrtValue *const *inputs,
                      size_t input_count, const char *const *output_names, size_t output_count,
                      OrtValue **outputs);
    OrtStatus *(*create_session_options)(OrtSessionOptions **out);
    AQM_ORT_GAP(11, 16);
    OrtStatus *(*disable_mem_pattern)(OrtSessionOptions *options);
    AQM_ORT_GAP(18, 22);
    OrtStatus *(*set_graph_optimization_level)(OrtSessionOptions *options, int level);
    OrtStatus *(*set_intra_op_threads)(OrtSessionOptions *options, int threads);
    AQM_ORT_GAP(25, 29);
    OrtStatus *(*input_count)(const OrtSession *session, size_t *out);
    OrtStatus *(*output_count)(const OrtSession *session, size_t *out);
    AQM_ORT_GAP(32, 32);
    OrtStatus *(*input_type)(const OrtSession *session, size_t index, OrtTypeInfo **out);
    OrtStatus *(*output_type)(const OrtSession *session, size_t index, OrtTypeInfo **out);
    AQM_ORT_GAP(35, 35);
    OrtStatus *(*input_name)(const OrtSession *session, size_t index, OrtAllocator *allocator,
                             char **out);
    OrtStatus *(*output_name)(const OrtSession *session, size_t index, OrtAllocator *allocator,
                              char **out);
    AQM_ORT_GAP(38, 48);
    OrtStatus *(*create_tensor_with_data)(const OrtMemoryInfo *memory, void *data, size_t bytes,
                                          const int64_t *shape, size_t rank, int type,
                                          OrtValue **out);
    OrtStatus *(*is_tensor)(const OrtValue *value, int *out);
    OrtStatus *(*tensor_data)(OrtValue *value, void **out);
    AQM_ORT_GAP(52, 54);
    OrtStatus *(*cast_to_tensor_info)(const OrtTypeInfo *type, const OrtTensorInfo **out);
    AQM_ORT_GAP(56, 59);
    OrtStatus *(*element_type)(const OrtTensorInfo *info, int *out);
    OrtStatus *(*rank)(const OrtTensorInfo *info, size_t *out);
    OrtStatus *(*shape)(const OrtTensorInfo *info, int64_t *out, size_t rank);
    AQM_ORT_GAP(63, 64);
    OrtStatus *(*tensor_info)(const OrtValue *value, OrtTensorInfo **out);
    AQM_ORT_GAP(66, 68);
    OrtStatus *(*create_cpu_memory_info)(int allocator, int memory, OrtMemoryInfo **out);
    AQM_ORT_GAP(70, 75);
    OrtStatus *(*allocator_free)(OrtAllocator *allocator, void *block);
    AQM_ORT_GAP(77, 77);
    OrtStatus *(*default_allocator)(OrtAllocator **out);
    AQM_ORT_GAP(79, 91);
    void (*release_env)(OrtEnv *env);
    void (*release_status)(OrtStatus *status);
    void (*release_memory_info)(OrtMemoryInfo *memory);
    void (*release_session)(OrtSession *session);
    void (*release_value)(OrtValue *value);
    AQM_ORT_GAP(97, 97);
    void (*release_type_info)(OrtTypeInfo *type);
    void (*release_tensor_info)(OrtTensorInfo *info);
    void (*release_session_options)(OrtSessionOptions *options);
    AQM_ORT_GAP(101, 101);
} OrtApi;

typedef struct OrtApiBase {
    const OrtApi *(*get_api)(uint32_t version); /* NULL for a version it does not have */
    const char *(*get_version)(void);
} OrtApiBase;

#define AQM_ORT_SLOT(name, number)                                                                 \
    _Static_assert(offsetof(OrtApi, name) == (number) * sizeof(void (*)(void)), #name)
AQM_ORT_SLOT(get_error_message, 2);
AQM_ORT_SLOT(create_env, 3);
AQM_ORT_SLOT(create_session, 7);
AQM_ORT_SLOT(run, 9);
AQM_ORT_SLOT(create_session_options, 10);
AQM_ORT_SLOT(disable_mem_pattern, 17);
AQM_ORT_SLOT(set_graph_optimization_level, 23);
AQM_ORT_SLOT(set_intra_op_threads, 24);
AQM_ORT_SLOT(input_count, 30);
AQM_ORT_SLOT(output_count, 31);
AQM_ORT_SLOT(input_type, 33);
AQM_ORT_SLOT(output_type, 34);
AQM_ORT_SLOT(input_name, 36);
AQM_ORT_SLOT(output_name, 37);
AQM_ORT_SLOT(create_tensor_with_data, 49);
AQM_ORT_SLOT(is_tensor, 50);
AQM_ORT_SLOT(tensor_data, 51);
AQM_ORT_SLOT(cast_to_tensor_info, 55);
AQM_ORT_SLOT(element_type, 60);
AQM_ORT_SLOT(rank, 61);
AQM_ORT_SLOT(shape, 62);
AQM_ORT_SLOT(tensor_info, 65);
AQM_ORT_SLOT(create_cpu_memory_info, 69);
AQM_ORT_SLOT(allocator_free, 76);
AQM_ORT_SLOT(default_allocator, 78);
AQM_ORT_SLOT(release_env, 92);
AQM_ORT_SLOT(release_status, 93);
AQM_ORT_SLOT(release_memory_info, 94);
AQM_ORT_SLOT(release_session, 95);
AQM_ORT_SLOT(release_value, 96);
AQM_ORT_SLOT(release_type_info, 98);
AQM_ORT_SLOT(release_tensor_info, 99);
AQM_ORT_SLOT(release_session_options, 100);
_Static_assert(sizeof(OrtApi) == AQM_ORT_API_SLOTS * sizeof(void (*)(void)), "the table's size");
#undef AQM_ORT_SLOT
#undef AQM_ORT_GAP

#endif
