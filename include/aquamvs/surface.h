/* Stage: from a cloud to a surface mesh, and what is done to meshes afterwards. All functions give
 * the same bytes for any number of threads, leave *out untouched on failure, and pass over points
 * that are not finite. Statuses: ARGUMENT for a bad option, which the message names; NO_DATA where
 * the cloud supports no triangle at all, and why; MEMORY. */
#ifndef AQUAMVS_SURFACE_H
#define AQUAMVS_SURFACE_H

#include "aquamvs/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- a height over the horizontal plane ------------------------------------------------------ */

typedef struct AqmHeightfieldOptions {
    double grid_resolution_m; /* spacing of the vertices in X and Y; default 0.002 */
    int threads;              /* 0 = all cores */
} AqmHeightfieldOptions;

AQM_API AqmHeightfieldOptions aqm_heightfield_options_default(void);
/* ARGUMENT for a value out of its range, which the message names. */
AQM_API AQM_NODISCARD AqmStatus
aqm_heightfield_options_validate(const AqmHeightfieldOptions *options, AqmDiag *diag);

/* A height over the horizontal plane of the rig frame: a robust local fit at every grid node with
 * enough points around it (within 2.5 cells, more only where the whole cloud is sparser than that);
 * holes of up to four cells filled where neighbours support them, others left open; nothing more
 * than half a cell outside the points. Nodes lie at multiples of grid_resolution_m. Where surfaces
 * hang over each other, the one with more points near the node is taken. Colours and normals (to
 * the cameras) are those of the fit. sigma_m comes from the points' own and their scatter: NaN
 * where most of the points have none, and larger in filled holes. */
AQM_API AQM_NODISCARD AqmStatus aqm_surface_heightfield(const AqmCloud *cloud,
                                                        const AqmHeightfieldOptions *options,
                                                        AqmMesh **out, AqmDiag *diag);

/* The same heights as a map: the smallest one that holds all nodes with a fit. Nodes that the mesh
 * fills from their neighbours are filled here too. Where that would hold more than 64 times as many
 * nodes as there are, because of points far away, it is the smallest one of the largest part that
 * hangs together (blocks of 32 x 32 nodes that touch). ARGUMENT for more than 2^30 nodes even so.
 */
AQM_API AQM_NODISCARD AqmStatus aqm_surface_height_map(const AqmCloud *cloud,
                                                       const AqmHeightfieldOptions *options,
                                                       AqmHeightMap **out, AqmDiag *diag);

/* Both at the cost of one fit; mesh or map may be NULL. Neither is touched on failure. */
AQM_API AQM_NODISCARD AqmStatus
aqm_surface_heightfield_with_map(const AqmCloud *cloud, const AqmHeightfieldOptions *options,
                                 AqmMesh **mesh, AqmHeightMap **map, AqmDiag *diag);

/* ---- a closed surface, cut where there is no data -------------------------------------------- */

typedef struct AqmPoissonOptions {
    int depth;               /* levels of the octree; 1..16; default 9 */
    double point_weight;     /* how closely points are met (screening); 0..1000; default 4 */
    double samples_per_node; /* points that a finest cell should hold; 1..100; default 1.5 */
    double trim_m; /* what is farther than this from every point is cut away; INFINITY = nothing; 0
                      = 1.8 times the median spacing of the points; default 0 */
    int threads;   /* 0 = all cores */
} AqmPoissonOptions;

AQM_API AqmPoissonOptions aqm_poisson_options_default(void);
AQM_API AQM_NODISCARD AqmStatus aqm_poisson_options_validate(const AqmPoissonOptions *options,
                                                             AqmDiag *diag);

/* Screened Poisson reconstruction (Kazhdan and Hoppe 2013) of the points with a normal; those
 * without one make no surface, but keep what lies close to them from being cut away, and colour it.
 * Points far outside (beyond the box of the 1st to 99th percentiles widened on every side by half
 * of its longest side) are left out: the octree is laid around the others, 1.1 times as long as
 * their longest side. Where points are too sparse for cells of the full depth these are larger; so
 * they are where points scattered through space would need more than about 0.5 GB.
 *
 * No edge is in more than two triangles; with a trim_m of INFINITY the surface of a closed cloud is
 * closed, and an open one ends at the octree's faces. Pieces below a hundredth of the largest and
 * below (6 spacings)^2, the spacing of the points or of the finest cells, are dropped. Normals are
 * those of the triangles; colour and sigma those of the eight points nearest to a vertex; views
 * stays 0. NO_DATA also for fewer than three points with a normal. */
AQM_API AQM_NODISCARD AqmStatus aqm_surface_poisson(const AqmCloud *cloud,
                                                    const AqmPoissonOptions *options, AqmMesh **out,
                                                    AqmDiag *diag);

/* ---- triangles between the points themselves ------------------------------------------------- */

typedef struct AqmBpaOptions {
    const double *radii_m; /* of the balls, each > 0; borrowed; NULL = chosen from the spacing of
                              the points */
    size_t radius_count;   /* 0 with NULL */
    int threads;           /* 0 = all cores */
} AqmBpaOptions;

AQM_API AqmBpaOptions aqm_bpa_options_default(void);
AQM_API AQM_NODISCARD AqmStatus aqm_bpa_options_validate(const AqmBpaOptions *options,
                                                         AqmDiag *diag);

/* Ball pivoting (Bernardini et al. 1999): vertices are points of the cloud, with all that is known
 * of them. */
AQM_API AQM_NODISCARD AqmStatus aqm_surface_bpa(const AqmCloud *cloud, const AqmBpaOptions *options,
                                                AqmMesh **out, AqmDiag *diag);

/* ---- fewer triangles ------------------------------------------------------------------------- */

/* A mesh of about `target_triangles` (>= 1; more where the shape does not allow so few, none lost
 * where there are no more already), its vertices a subset of those of `mesh` with all that is known
 * of them, moved along their normals to where the triangles fit `mesh` best in the mean square;
 * borders keep their place. error_m (may be NULL): the largest distance between the two, metres.
 * The same bytes for any number of threads. */
AQM_API AQM_NODISCARD AqmStatus aqm_mesh_simplify(const AqmMesh *mesh, size_t target_triangles,
                                                  AqmMesh **out, double *error_m, AqmDiag *diag);

#ifdef __cplusplus
}
#endif
#endif
