/* Only the largest distance is asked for: a point is done with as soon as anything is found nearer
 * than the largest so far (Taha and Hanbury 2015, "An Efficient Algorithm for Calculating the Exact
 * Hausdorff Distance"), which for nearly all of them is the first leaf looked at. Which points
 * those are depends on the order, the result does not. */
#include "stages/surface/mesh_gap.h"

#include "base/cpu.h"
#include "base/diag.h"
#include "stages/surface/mesh_tree.h"

/* ---- the gap --------------------------------------------------------------------------------- */

/* Corner k of a triangle (0..2), the middle of side k - 3 (3..5), the centroid (6). */
static void probe(const AqmMeshShell *shell, uint32_t triangle, int k, double out[3]) {
    double p[3][3];
    for (int i = 0; i < 9; i++)
        p[i / 3][i % 3] =
            (double)
                shell->position[3 * (size_t)shell->triangles[3 * (size_t)triangle + i / 3] + i % 3];
    for (int a = 0; a < 3; a++)
        out[a] = k < 3   ? p[k][a]
                 : k < 6 ? 0.5 * (p[k - 3][a] + p[(k - 2) % 3][a])
                         : (p[0][a] + p[1][a] + p[2][a]) / 3.0;
}

/* Corners and sides belong to the first triangle that has them: each is looked at once. */
static bool is_first(const AqmMeshShell *shell, uint32_t triangle, int k) {
    const uint32_t *t = shell->triangles + 3 * (size_t)triangle;
    if (k == 6)
        return true;
    const uint32_t a = t[k % 3], b = t[(k + 1) % 3];
    for (size_t i = shell->fans->first[a]; shell->fans->triangles[i] < triangle; i++) {
        const uint32_t *other = shell->triangles + 3 * (size_t)shell->fans->triangles[i];
        if (k < 3 || other[0] == b || other[1] == b || other[2] == b)
            return false;
    }
    return true;
}

/* The largest distance at this triangle, or `gap` if that is larger. */
static double gap_at(const AqmMeshShell *from, const AqmMeshTree *to, uint32_t triangle,
                     bool corners_only, double gap) {
    for (int k = 0; k < (corners_only ? 3 : 7); k++) {
        double x[3];
        if (!is_first(from, triangle, k))
            continue;
        probe(from, triangle, k, x);
        const double distance = aqm_mesh_tree_nearest(to, x, gap, NULL);
        gap = distance > gap ? distance : gap;
    }
    return gap;
}

AqmStatus aqm_mesh_gap(const AqmMeshShell *from, const AqmMeshShell *to, bool corners_only,
                       double *gap_m, AqmDiag *diag) {
    AqmMeshTree tree;
    AQM_TRY(aqm_mesh_tree_create(&tree, to->position, to->triangles, to->triangle_count, diag));
    double gap = 0.0;
    const int threads = aqm_thread_count(0);
#pragma omp parallel for schedule(dynamic, 256) reduction(max : gap) num_threads(threads)
    for (size_t i = 0; i < from->triangle_count; i++)
        gap = gap_at(from, &tree, (uint32_t)i, corners_only, gap > 0.0 ? gap : 0.0);
    aqm_mesh_tree_free(&tree);
    *gap_m = gap;
    return AQM_OK;
}
