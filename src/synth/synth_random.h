/* Random streams of the renderer: one for each use, camera, frame and row, so that what a pixel
 * gets depends on nothing but where it is. */
#ifndef AQM_SYNTH_RANDOM_H
#define AQM_SYNTH_RANDOM_H

#include <stddef.h>

#include "math/rng.h"

typedef enum AqmSynthUse {
    AQM_USE_POSE = 1,
    AQM_USE_GAIN,
    AQM_USE_NOISE,
    AQM_USE_RELIEF,
    AQM_USE_TEXTURE
} AqmSynthUse;

/* Finaliser of SplitMix64 (Steele, Lea & Flood 2014): a bijection that mixes all bits. */
static inline uint64_t aqm_mix64(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* PCG streams that differ in the increment alone resemble each other, so seed and place are mixed
 * into both. */
static inline AqmRng aqm_synth_rng(uint64_t seed, AqmSynthUse use, size_t camera, int frame,
                                   int row) {
    const uint64_t place = ((uint64_t)use << 56) ^ ((uint64_t)camera << 48) ^
                           ((uint64_t)(uint32_t)frame << 16) ^ (uint64_t)(uint32_t)row;
    const uint64_t key = aqm_mix64(seed + 0x9e3779b97f4a7c15u) + place;
    return aqm_rng(aqm_mix64(key), aqm_mix64(key + 0x9e3779b97f4a7c15u));
}

/* Uniform in [-half_width, half_width). */
static inline double aqm_rng_spread(AqmRng *rng, double half_width) {
    return half_width * (2.0 * aqm_rng_uniform(rng) - 1.0);
}

#endif
