/* A mesh seen from above, triangle by triangle, with 2 x 2 samples a pixel. */
#ifndef AQM_STAGES_PICTURE_RELIEF_H
#define AQM_STAGES_PICTURE_RELIEF_H

#include "stages/picture/canvas.h"
#include "stages/picture/color_map.h"

enum { AQM_RELIEF_SAMPLES = 2, AQM_RELIEF_NONE = -1 }; /* a pixel's width; no triangle here */

typedef struct AqmRelief {
    const AqmMesh *mesh; /* borrowed */
    AqmPanel panel;
    int32_t *triangle; /* the one nearest to the water, per sample */
    float *z;          /* of it, metres */
} AqmRelief;

/* What a mesh covers; false where it has no triangle with an area seen from above. */
typedef struct AqmExtent {
    double min[3], max[3];
} AqmExtent;
bool aqm_mesh_extent(const AqmMesh *mesh, AqmExtent *extent);

/* MEMORY; the relief is empty then. */
AQM_NODISCARD AqmStatus aqm_relief_create(AqmRelief *relief, const AqmMesh *mesh,
                                          const AqmPanel *panel, AqmDiag *diag);
void aqm_relief_destroy(AqmRelief *relief);

/* Depth in metres below `water_z` at percent 0.5, 50 and 99.5 of the samples; NaN where there is no
 * sample (only slivers between them). MEMORY. */
AQM_NODISCARD AqmStatus aqm_relief_quantiles(const AqmRelief *relief, double water_z,
                                             double quantile_m[3], AqmDiag *diag);

/* How the panel is painted. */
typedef struct AqmReliefPaint {
    const AqmColorMap *colors; /* NULL: the mesh's own colours, not shaded */
    double near_z, deep_z;     /* of the light and the dark end of the colours */
    double exaggeration;       /* of slopes, for the shading */
    double fade;               /* 0..1: how far everything is mixed with white */
    uint8_t background[3];
} AqmReliefPaint;
void aqm_relief_paint(const AqmRelief *relief, const AqmReliefPaint *paint, AqmCanvas *canvas);

/* A whole number, by which slopes are to be multiplied so that the relief reads well. */
double aqm_relief_exaggeration(const AqmMesh *mesh);

#endif
