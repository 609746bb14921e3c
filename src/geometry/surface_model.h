/* The surface of a scene whose truth is known: Z = f(X, Y), a sum of simple terms with exact
 * derivatives. The renderer intersects it with rays, the evaluation measures distances to it. */
#ifndef AQM_GEOMETRY_SURFACE_MODEL_H
#define AQM_GEOMETRY_SURFACE_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "aquamvs/geometry.h"
#include "base/diag.h"

typedef enum AqmTermKind {
    AQM_TERM_PLANE, /* z0 + gx X + gy Y */
    AQM_TERM_SINE,  /* amplitude sin(kx X + ky Y + phase) */
    AQM_TERM_HILL   /* height exp(-(r - radius)^2 / (2 sigma^2)), r from (cx, cy); radius 0: a Gauss
                     */
} AqmTermKind;

/* Metres, radians, radians per metre. */
typedef struct AqmSurfaceTerm {
    AqmTermKind kind;
    union {
        struct {
            double z0, gx, gy;
        } plane;
        struct {
            double amplitude, kx, ky, phase;
        } sine;
        struct {
            double height, cx, cy, radius, sigma;
        } hill;
    };
} AqmSurfaceTerm;

/* Owns its terms. */
typedef struct AqmSurfaceModel {
    size_t count, capacity;
    AqmSurfaceTerm *terms;
} AqmSurfaceModel;

/* What keeps a ray's root bracketed: the sum of the planes, the range of all else, and a bound of
 * the slope |grad f|. */
typedef struct AqmSurfaceBounds {
    double z0, gx, gy, low, high, slope;
} AqmSurfaceBounds;

AQM_NODISCARD AqmStatus aqm_surface_model_create(AqmSurfaceModel **out, AqmDiag *diag);
void aqm_surface_model_destroy(AqmSurfaceModel **model);
/* ARGUMENT for a term with a number that is not finite or a sigma that is not positive. */
AQM_NODISCARD AqmStatus aqm_surface_model_add(AqmSurfaceModel *model, AqmSurfaceTerm term,
                                              AqmDiag *diag);

double aqm_surface_height(const AqmSurfaceModel *model, double x, double y);
/* The height, and its derivatives along X and Y. */
double aqm_surface_gradient(const AqmSurfaceModel *model, double x, double y, double gradient[2]);

/* Bounds over |X|, |Y| <= extent_m. low and high are strict; the slope of a sum of many terms is
 * measured on a dense sample and widened by a fifth. */
AqmSurfaceBounds aqm_surface_bounds(const AqmSurfaceModel *model, double extent_m);

/* Ray depth of the first crossing of the surface from above; `guess_m` is where to start (NAN =
 * not known). false (output untouched) where the ray begins below the surface or never meets it. */
bool aqm_surface_intersect(const AqmSurfaceModel *model, const AqmSurfaceBounds *bounds,
                           const AqmRay *ray, double guess_m, double *depth_m);
/* The same, and the gradient of the surface there. */
bool aqm_surface_intersect_gradient(const AqmSurfaceModel *model, const AqmSurfaceBounds *bounds,
                                    const AqmRay *ray, double guess_m, double *depth_m,
                                    double gradient[2]);

/* Distance of a point to the surface, metres; positive where the point lies deeper (larger Z). */
double aqm_surface_distance(const AqmSurfaceModel *model, const double point[3]);

#endif
