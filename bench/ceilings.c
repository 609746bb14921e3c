/* What a core can do at best, measured: the ceilings that kernels are held against. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "base/cpu.h"
#include "bench.h"

enum { ROUNDS = 256, CHAINS = 12, ROOT_CHAINS = 8, STREAM = 4096 };

/* Two loops over registers alone, enough of them that no result is waited for: x m + c, a product
 * and a sum, and c / sqrt(x); and one through the first-level cache, two rows read and one written.
 * `target`: the instruction set; `bytes`: of its vectors. */
#define CEILING_LOOPS(isa, target, bytes, Register, root, quotient)                                \
    typedef float Vector_##isa __attribute__((vector_size(bytes)));                                \
    target static void multiply_add_##isa(void *user) {                                            \
        Vector_##isa x[CHAINS], m, c;                                                              \
        memcpy(&m, user, sizeof m);                                                                \
        memcpy(&c, (char *)user + sizeof m, sizeof c);                                             \
        for (int k = 0; k < CHAINS; k++)                                                           \
            x[k] = m;                                                                              \
        for (int r = 0; r < ROUNDS; r++)                                                           \
            for (int k = 0; k < CHAINS; k++)                                                       \
                x[k] = x[k] * m + c;                                                               \
        for (int k = 0; k < CHAINS; k++)                                                           \
            memcpy((char *)user + 256 + (size_t)k * sizeof m, &x[k], sizeof m);                    \
    }                                                                                              \
    target static void root_##isa(void *user) {                                                    \
        Vector_##isa x[ROOT_CHAINS], c;                                                            \
        memcpy(&c, user, sizeof c);                                                                \
        for (int k = 0; k < ROOT_CHAINS; k++)                                                      \
            x[k] = c;                                                                              \
        for (int r = 0; r < ROUNDS; r++)                                                           \
            for (int k = 0; k < ROOT_CHAINS; k++)                                                  \
                x[k] = (Vector_##isa)quotient((Register)c, root((Register)x[k]));                  \
        for (int k = 0; k < ROOT_CHAINS; k++)                                                      \
            memcpy((char *)user + 256 + (size_t)k * sizeof c, &x[k], sizeof c);                    \
    }                                                                                              \
    target static void stream_##isa(void *user) {                                                  \
        Vector_##isa *out = user;                                                                  \
        const size_t count = STREAM / sizeof *out;                                                 \
        const Vector_##isa *a = out + count, *b = a + count;                                       \
        for (size_t k = 0; k < count; k++)                                                         \
            out[k] = a[k] + b[k];                                                                  \
    }

#if defined(__x86_64__)
CEILING_LOOPS(reference, , 16, __m128, _mm_sqrt_ps, _mm_div_ps)
CEILING_LOOPS(avx2, __attribute__((target("avx2,fma"))), 32, __m256, _mm256_sqrt_ps, _mm256_div_ps)
CEILING_LOOPS(avx512, __attribute__((target("avx512f"))), 64, __m512, _mm512_sqrt_ps, _mm512_div_ps)
#elif defined(__aarch64__)
CEILING_LOOPS(neon, , 16, float32x4_t, vsqrtq_f32, vdivq_f32)
#endif

typedef struct Isa {
    const char *name;
    void (*multiply_add)(void *user), (*root)(void *user), (*stream)(void *user);
    int lanes;
} Isa;

static const Isa isas[] = {
#if defined(__x86_64__)
    {"reference", multiply_add_reference, root_reference, stream_reference, 4},
    {"avx2", multiply_add_avx2, root_avx2, stream_avx2, 8},
    {"avx512", multiply_add_avx512, root_avx512, stream_avx512, 16},
#elif defined(__aarch64__)
    {"reference", multiply_add_neon, root_neon, stream_neon, 4},
    {"neon", multiply_add_neon, root_neon, stream_neon, 4},
#else
    {"", NULL, NULL, NULL, 0},
#endif
};

enum { ISAS = sizeof isas / sizeof isas[0] };
static BenchCeilings measured[ISAS];

/* ---- loads ----------------------------------------------------------------------------------- */

enum { POSITIONS = 208, ROW = 656, ROWS = 16 };

typedef struct Loads {
    uint32_t at[POSITIONS], image[ROWS * ROW];
    uint64_t sum;
} Loads;

/* Eight bytes at each of the positions of a row that crosses the image at a slant. */
static void load_all(void *user) {
    Loads *loads = user;
    uint64_t sum = 0;
    for (int k = 0; k < POSITIONS; k++) {
        uint64_t texel;
        memcpy(&texel, loads->image + loads->at[k], sizeof texel);
        sum += texel;
    }
    loads->sum = sum;
}

typedef struct Copy {
    char *to;
    const char *from;
    size_t size;
} Copy;

static void copy(void *user) {
    const Copy *c = user;
    memcpy(c->to, c->from, c->size);
}

/* ns per byte copied. */
static double time_copy(char *block, size_t size, int repeats) {
    Copy job = {block, block + size, size};
    return 1e9 * bench_median_s(copy, &job, repeats) / (double)size;
}

static double time_loads(int repeats) {
    Loads *loads = calloc(1, sizeof *loads);
    if (!loads)
        return 0.0;
    for (int k = 0; k < POSITIONS; k++)
        loads->at[k] = (uint32_t)(k * 4 / 100 * ROW + 20 + k * 97 / 100);
    const double ns = 1e9 * bench_median_s(load_all, loads, repeats) / POSITIONS;
    free(loads);
    return ns;
}

/* ---- the table ------------------------------------------------------------------------------- */

/* ns of one, the same for every table, or of a table's own instructions. */
static void measure_isa(const Isa *isa, double texel_ns, char *block, int repeats,
                        BenchCeilings *out) {
    float *registers = (float *)(void *)block;
    for (int f = 0; f < 1024; f++)
        registers[f] = 0.75f;
    const double all = (double)ROUNDS * isa->lanes;
    out->texel_ns = texel_ns;
    out->multiply_add_ns = 1e9 * bench_median_s(isa->multiply_add, block, repeats) / (all * CHAINS);
    out->root_ns = 1e9 * bench_median_s(isa->root, block, repeats) / (all * ROOT_CHAINS);
    out->byte_ns = 1e9 * bench_median_s(isa->stream, block, repeats) / (3 * STREAM);
}

static void print_isa(const char *name, const BenchCeilings *own, const BenchCeilings *reference) {
    bench_print("stream_4KiB", name, own->byte_ns, own->byte_ns / reference->byte_ns, NULL);
    bench_print("multiply_add", name, own->multiply_add_ns,
                own->multiply_add_ns / reference->multiply_add_ns, NULL);
    bench_print("root", name, own->root_ns, own->root_ns / reference->root_ns, NULL);
}

bool bench_measure_ceilings(int repeats) {
    const AqmKernels *tables[AQM_KERNEL_TABLES];
    const int count = aqm_kernel_tables(aqm_cpu_features(), tables);
    const size_t large = 64u << 20;
    char *block = aligned_alloc(64, 2 * large);
    if (!block)
        return false;
    memset(block, 1, 2 * large);
    bench_print("copy_64MiB", "byte", time_copy(block, large, repeats), 1.0, NULL);
    const double texel_ns = time_loads(repeats);
    bench_print("load_8B", "texel", texel_ns, 1.0, NULL);
    for (int k = 0; k < count; k++)
        for (int i = 0; i < ISAS; i++)
            if (strcmp(isas[i].name, tables[k]->name) == 0) {
                measure_isa(&isas[i], texel_ns, block, repeats, &measured[i]);
                print_isa(isas[i].name, &measured[i], &measured[0]);
            }
    free(block);
    return true;
}

BenchCeiling bench_ceiling(const char *variant, BenchDemand demand) {
    BenchCeiling ceiling = {0.0, ""};
    for (int i = 0; i < ISAS; i++) {
        if (strcmp(isas[i].name, variant) != 0)
            continue;
        const BenchCeilings *m = &measured[i];
        const struct {
            double ns;
            const char *bound;
        } costs[] = {{demand.bytes * m->byte_ns, "bytes"},
                     {demand.texels * m->texel_ns, "texels"},
                     {demand.multiply_adds * m->multiply_add_ns, "multiply_adds"},
                     {demand.roots * m->root_ns, "roots"}};
        for (int k = 0; k < 4; k++)
            if (costs[k].ns > ceiling.ns)
                ceiling = (BenchCeiling){costs[k].ns, costs[k].bound};
    }
    return ceiling;
}
