/* Random numbers with a stated generator, so that seeds mean the same on every machine:
 * PCG32 (O'Neill 2014, "PCG: A Family of Simple Fast Space-Efficient Statistically Good
 * Algorithms for Random Number Generation"), XSH-RR output. */
#ifndef AQM_MATH_RNG_H
#define AQM_MATH_RNG_H

#include <math.h>
#include <stdint.h>

typedef struct AqmRng {
    uint64_t state, increment;
} AqmRng;

static inline uint32_t aqm_rng_u32(AqmRng *rng) {
    const uint64_t old = rng->state;
    rng->state = old * 6364136223846793005u + rng->increment;
    const uint32_t shifted = (uint32_t)(((old >> 18) ^ old) >> 27), turn = (uint32_t)(old >> 59);
    return (shifted >> turn) | (shifted << ((32u - turn) & 31u));
}

/* Different streams of one seed are independent. */
static inline AqmRng aqm_rng(uint64_t seed, uint64_t stream) {
    AqmRng rng = {0, (stream << 1) | 1u};
    (void)aqm_rng_u32(&rng);
    rng.state += seed;
    (void)aqm_rng_u32(&rng);
    return rng;
}

/* Uniform in [0, 1). */
static inline double aqm_rng_uniform(AqmRng *rng) {
    return (double)aqm_rng_u32(rng) * 0x1p-32;
}

/* Standard normal (Box & Muller 1958). */
static inline double aqm_rng_normal(AqmRng *rng) {
    const double u = 1.0 - aqm_rng_uniform(rng), v = aqm_rng_uniform(rng);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

#endif
