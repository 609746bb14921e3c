/* From radiance to the numbers that a camera delivers. */
#ifndef AQM_SYNTH_SENSOR_H
#define AQM_SYNTH_SENSOR_H

#include "aquamvs/synth.h"

/* Vignetting, exposure, lens blur (in place), sensor noise, rounding. `radiance`: R G B
 * interleaved, the camera's size, overwritten. */
AQM_NODISCARD AqmStatus aqm_sensor_expose(const AqmSynthOptions *options, const AqmCamera *camera,
                                          size_t camera_index, int frame, float *radiance,
                                          AqmImage **out, AqmDiag *diag);

#endif
