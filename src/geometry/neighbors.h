/* Nearest points of a cloud: k nearest, all within a radius, distance to the nearest.
 *
 * Queries may run from any number of threads at once. Distances are Euclidean, in the unit of the
 * points; for clouds in a plane pass z = 0 everywhere. Every answer depends on the points and their
 * order alone, not on threads; of points at equal distance, where not all fit, any may be chosen.
 */
#ifndef AQM_GEOMETRY_NEIGHBORS_H
#define AQM_GEOMETRY_NEIGHBORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aquamvs/status.h"

typedef struct AqmNeighbors AqmNeighbors;

/* Indexes `count` points (x y z each; copied). Points with a coordinate that is not finite or
 * beyond 1e18 are never found. count
 * == 0 is fine. 20 bytes a point are kept, 16 more needed while building. ARGUMENT for 2^32 points
 * or more; MEMORY. */
AQM_NODISCARD AqmStatus aqm_neighbors_create(AqmNeighbors **out, const float *points, size_t count,
                                             int threads, AqmDiag *diag);
void aqm_neighbors_destroy(AqmNeighbors **neighbors); /* NULL and *neighbors == NULL are fine */

/* The k >= 1 nearest points to `query` (a point of the cloud finds itself), nearest first and
 * by index where equally near: `found` = k (fewer where there are fewer) indices and squared
 * distances; either array may be NULL. MEMORY only for k > 64. */
AQM_NODISCARD AqmStatus aqm_neighbors_nearest(const AqmNeighbors *neighbors, const float query[3],
                                              int k, uint32_t *indices, float *distances2,
                                              int *found, AqmDiag *diag);

/* The distance to the nearest point, if that is at most max_distance (INFINITY is fine); else false
 * and `distance` untouched. index (may be NULL): which point. */
bool aqm_neighbors_distance(const AqmNeighbors *neighbors, const float query[3], float max_distance,
                            float *distance, uint32_t *index);

/* How many points lie within `radius` (inclusive) of `query`; the first `capacity` of them go to
 * `indices` (NULL with capacity 0), in an order that depends on the points alone. */
size_t aqm_neighbors_within(const AqmNeighbors *neighbors, const float query[3], float radius,
                            uint32_t *indices, size_t capacity);

/* For every point the mean distance to its k >= 1 nearest others (all others where there are
 * fewer), into mean_distance[count]: 0 where there is no other, NaN for points that are never
 * found. MEMORY. */
AQM_NODISCARD AqmStatus aqm_neighbors_mean_knn_distance(const AqmNeighbors *neighbors, int k,
                                                        int threads, float *mean_distance,
                                                        AqmDiag *diag);

/* The same for a cloud that is not searched otherwise, as above but for the last digits: faster
 * where the points lie on a surface (neighbors_grid.c). ARGUMENT for 2^32 points or more; MEMORY;
 * mean_distance may be written to even so. */
AQM_NODISCARD AqmStatus aqm_mean_knn_distance(const float *points, size_t count, int k, int threads,
                                              float *mean_distance, AqmDiag *diag);

#endif
