/* Standard deviations in a byte: 5 bits of exponent from 2^-20 on and 3 of mantissa, rounded by at
 * most 1/16 of themselves; 2^-20 .. 3840. In metres: a micrometre to kilometres. */
#ifndef AQM_KERNELS_DEVIATION_CODE_H
#define AQM_KERNELS_DEVIATION_CODE_H

#include <stdint.h>
#include <string.h>

/* A code becomes the bits of a float by a shift and an addition. */
enum { AQM_DEVIATION_SHIFT = 20, AQM_DEVIATION_BIAS = (127 - 20) << 23 };

static inline float aqm_deviation_of(uint32_t code) {
    const uint32_t bits = ((code & 255) << AQM_DEVIATION_SHIFT) + AQM_DEVIATION_BIAS;
    float deviation;
    memcpy(&deviation, &bits, sizeof deviation);
    return deviation;
}

/* The nearest code, at least 1, of a positive deviation; 255 for those beyond and for NaN. */
static inline uint32_t aqm_deviation_code(float deviation) {
    static const uint32_t half = 1u << (AQM_DEVIATION_SHIFT - 1);
    const float above = deviation > 0x1.2p-20f ? deviation : 0x1.2p-20f;
    const float held = deviation < 0x1.ep11f ? above : 0x1.ep11f;
    uint32_t bits;
    memcpy(&bits, &held, sizeof bits);
    return (bits + half - AQM_DEVIATION_BIAS) >> AQM_DEVIATION_SHIFT;
}

#endif
