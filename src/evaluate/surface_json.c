/* The terms of a surface, one by one, every number checked. */
#include "evaluate/surface_json.h"

#include <math.h>
#include <string.h>

/* A number of a term; `fallback` where the key is absent and that is allowed (not NAN). */
static AqmStatus number(const json_t *term, const char *key, double fallback, size_t index,
                        double *out, AqmDiag *diag) {
    const json_t *value = json_object_get(term, key);
    if (!value && !isnan(fallback)) {
        *out = fallback;
        return AQM_OK;
    }
    if (!json_is_number(value))
        return aqm_fail(diag, AQM_ERROR_FORMAT, "surface term %zu: \"%s\" must be a number", index,
                        key);
    *out = json_number_value(value);
    return AQM_OK;
}

static AqmStatus add_plane(AqmSurfaceModel *model, const json_t *term, size_t index,
                           AqmDiag *diag) {
    AqmSurfaceTerm plane = {.kind = AQM_TERM_PLANE};
    AQM_TRY(number(term, "z0", NAN, index, &plane.plane.z0, diag));
    AQM_TRY(number(term, "gx", 0.0, index, &plane.plane.gx, diag));
    AQM_TRY(number(term, "gy", 0.0, index, &plane.plane.gy, diag));
    return aqm_surface_model_add(model, plane, diag);
}

static AqmStatus add_sines(AqmSurfaceModel *model, const json_t *term, size_t index,
                           AqmDiag *diag) {
    static const char *const keys[4] = {"amp", "kx", "ky", "phase"};
    const json_t *lists[4];
    for (int k = 0; k < 4; k++) {
        lists[k] = json_object_get(term, keys[k]);
        if (!json_is_array(lists[k]) || json_array_size(lists[k]) != json_array_size(lists[0]))
            return aqm_fail(diag, AQM_ERROR_FORMAT,
                            "surface term %zu: amp, kx, ky and phase must be arrays of one length",
                            index);
    }
    for (size_t i = 0; i < json_array_size(lists[0]); i++) {
        double v[4];
        for (int k = 0; k < 4; k++) {
            const json_t *value = json_array_get(lists[k], i);
            if (!json_is_number(value))
                return aqm_fail(diag, AQM_ERROR_FORMAT,
                                "surface term %zu: \"%s\"[%zu] must be a number", index, keys[k],
                                i);
            v[k] = json_number_value(value);
        }
        const AqmSurfaceTerm sine = {AQM_TERM_SINE, {.sine = {v[0], v[1], v[2], v[3]}}};
        AQM_TRY(aqm_surface_model_add(model, sine, diag));
    }
    return AQM_OK;
}

static AqmStatus add_hill(AqmSurfaceModel *model, const json_t *term, size_t index, bool ring,
                          AqmDiag *diag) {
    AqmSurfaceTerm hill = {.kind = AQM_TERM_HILL};
    AQM_TRY(number(term, "a", NAN, index, &hill.hill.height, diag));
    AQM_TRY(number(term, "cx", NAN, index, &hill.hill.cx, diag));
    AQM_TRY(number(term, "cy", NAN, index, &hill.hill.cy, diag));
    AQM_TRY(number(term, "sigma", NAN, index, &hill.hill.sigma, diag));
    if (ring)
        AQM_TRY(number(term, "r0", NAN, index, &hill.hill.radius, diag));
    return aqm_surface_model_add(model, hill, diag);
}

static AqmStatus add_term(AqmSurfaceModel *model, const json_t *term, size_t index, AqmDiag *diag) {
    const char *kind = json_string_value(json_object_get(term, "kind"));
    if (kind && strcmp(kind, "plane") == 0)
        return add_plane(model, term, index, diag);
    if (kind && strcmp(kind, "sines") == 0)
        return add_sines(model, term, index, diag);
    if (kind && (strcmp(kind, "gauss") == 0 || strcmp(kind, "annulus") == 0))
        return add_hill(model, term, index, kind[0] == 'a', diag);
    return aqm_fail(diag, AQM_ERROR_FORMAT,
                    "surface term %zu: kind \"%s\" is none of plane, sines, gauss, annulus", index,
                    kind ? kind : "");
}

AqmStatus aqm_surface_from_json(const json_t *terms, AqmSurfaceModel **out, AqmDiag *diag) {
    if (!json_is_array(terms) || json_array_size(terms) == 0)
        return aqm_fail(diag, AQM_ERROR_FORMAT, "the surface must be a list of terms");
    AqmSurfaceModel *model = NULL;
    AQM_TRY(aqm_surface_model_create(&model, diag));
    for (size_t i = 0; i < json_array_size(terms); i++) {
        const AqmStatus status = add_term(model, json_array_get(terms, i), i, diag);
        if (status != AQM_OK) {
            aqm_surface_model_destroy(&model);
            return status;
        }
    }
    *out = model;
    return AQM_OK;
}
