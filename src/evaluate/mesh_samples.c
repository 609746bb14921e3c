/* Independent uniform samples of the surface, in the order of the triangles. The places of n
 * uniform samples on the area summed triangle by triangle, sorted, are the partial sums of n + 1
 * exponential numbers over the whole sum (Devroye 1986, chapter V.3), so neither sorting nor
 * searching is needed; two more numbers give the place within a triangle by the square-root map.
 * The generator has a fixed seed: the same mesh always gives the same points. Linear in triangles
 * plus samples. */
#include "evaluate/mesh_samples.h"

#include <math.h>

#include "base/alloc.h"
#include "math/rng.h"
#include "math/vec.h"

static const double fewest = 1000.0, most = 6e6;

static void corner(const AqmMesh *mesh, size_t triangle, int k, double out[3]) {
    const float *p = mesh->position + 3 * (size_t)mesh->triangles[3 * triangle + (size_t)k];
    out[0] = p[0], out[1] = p[1], out[2] = p[2];
}

/* 0 for triangles with a corner that is not finite. */
static double triangle_area(const AqmMesh *mesh, size_t triangle) {
    double a[3], b[3], c[3], normal[3];
    corner(mesh, triangle, 0, a);
    corner(mesh, triangle, 1, b);
    corner(mesh, triangle, 2, c);
    for (int i = 0; i < 3; i++)
        b[i] -= a[i], c[i] -= a[i];
    aqm_cross3(b, c, normal);
    const double area = 0.5 * aqm_norm3(normal);
    return isfinite(area) ? area : 0.0;
}

static void place(const AqmMesh *mesh, size_t triangle, double u, double v, float out[3]) {
    double a[3], b[3], c[3];
    corner(mesh, triangle, 0, a);
    corner(mesh, triangle, 1, b);
    corner(mesh, triangle, 2, c);
    const double s = sqrt(u);
    for (int i = 0; i < 3; i++)
        out[i] = (float)((1.0 - s) * a[i] + s * (1.0 - v) * b[i] + s * v * c[i]);
}

static double exponential(AqmRng *rng) {
    return -log(1.0 - aqm_rng_uniform(rng));
}

static void spread(const AqmMesh *mesh, double total, size_t count, float *points) {
    AqmRng steps = aqm_rng(1, 1), places = aqm_rng(1, 2);
    double sum = 0.0;
    for (size_t i = 0; i <= count; i++)
        sum += exponential(&steps);
    steps = aqm_rng(1, 1); /* once more, now that the sum is known */
    const double scale = total / sum;
    double reached = triangle_area(mesh, 0), at = 0.0;
    size_t t = 0;
    for (size_t i = 0; i < count; i++) {
        at += scale * exponential(&steps);
        while (at > reached && t + 1 < mesh->triangle_count)
            reached += triangle_area(mesh, ++t);
        const double u = aqm_rng_uniform(&places), v = aqm_rng_uniform(&places);
        place(mesh, t, u, v, points + 3 * i);
    }
}

AqmStatus aqm_mesh_samples(const AqmMesh *mesh, double spacing_m, float **points, size_t *count,
                           AqmDiag *diag) {
    double total = 0.0;
    for (size_t i = 0; i < 3 * mesh->triangle_count; i++)
        if (mesh->triangles[i] >= mesh->vertex_count)
            return aqm_fail(diag, AQM_ERROR_FORMAT, "triangle %zu: vertex %u of %zu", i / 3,
                            mesh->triangles[i], mesh->vertex_count);
    for (size_t t = 0; t < mesh->triangle_count; t++)
        total += triangle_area(mesh, t);
    if (!(total > 0.0) || !isfinite(total))
        return aqm_fail(diag, AQM_ERROR_NO_DATA, "the mesh has no area");
    const size_t n = (size_t)fmin(fmax(total / (spacing_m * spacing_m), fewest), most);
    float *out = aqm_alloc(n, 3 * sizeof *out);
    if (!out)
        return aqm_fail_memory(diag, "samples of a mesh", n, 3 * sizeof *out);
    spread(mesh, total, n, out);
    *points = out;
    *count = n;
    return AQM_OK;
}
