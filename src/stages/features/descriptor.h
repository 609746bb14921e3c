/* Orientation and descriptor of an extremum. */
#ifndef AQM_FEATURES_DESCRIPTOR_H
#define AQM_FEATURES_DESCRIPTOR_H

#include "stages/features/extrema.h"

enum { AQM_DESCRIPTOR_SIZE = 128 };

/* How far from its point a descriptor sees, in standard deviations of the octave's blur there: the
 * corner of the 5 x 5 bins of 3 that it is spread over, and the gradient's own step. */
#define AQM_DESCRIPTOR_REACH 11.7f

/* The weights of a patch's samples, the same for all features. */
typedef struct AqmDescriptorTables AqmDescriptorTables;

AQM_NODISCARD AqmStatus aqm_descriptor_tables_create(AqmDescriptorTables **out, AqmDiag *diag);
void aqm_descriptor_tables_destroy(AqmDescriptorTables **tables);

/* The direction (rad, from +u towards +v, in -pi..pi) that gradients around the point have most. */
float aqm_orientation(const AqmDescriptorTables *tables, const AqmScaleSpace *space,
                      const AqmExtremum *extremum);

/* Of unit length, or all 0 where nothing varies. */
void aqm_descriptor(const AqmDescriptorTables *tables, const AqmScaleSpace *space,
                    const AqmExtremum *extremum, float angle,
                    float descriptor[AQM_DESCRIPTOR_SIZE]);

#endif
