/* The closed polygons in which a surface crosses one cell, and their triangles. */
#ifndef AQM_STAGES_SURFACE_POISSON_POLYGON_H
#define AQM_STAGES_SURFACE_POISSON_POLYGON_H

#include <stddef.h>
#include <stdint.h>

enum { AQM_POLYGON_MOST = 36 }; /* vertices: on 12 edges, and 4 within each of the 6 faces */

/* The crossings of one cell: vertex i is followed by vertex next[i]. */
typedef struct AqmCrossings {
    int count;
    uint32_t vertex[AQM_POLYGON_MOST]; /* of the surface */
    uint8_t faces[AQM_POLYGON_MOST];   /* a bit for each of the cell's faces it lies on */
    int8_t next[AQM_POLYGON_MOST];
} AqmCrossings;

/* Adds a segment on a face, from one vertex of the surface to another. */
void aqm_crossings_add(AqmCrossings *crossings, uint32_t from, uint32_t to, int face);

/* Where triangles go: those of one brick. With NULL they are only counted. */
typedef struct AqmTriangleSink {
    float *position;     /* of all vertices of the surface */
    uint32_t *triangles; /* the next one's place, or NULL */
    size_t count;        /* triangles so far */
    uint32_t new_vertex; /* the next vertex that a polygon may need */
    size_t new_count;    /* such vertices so far */
} AqmTriangleSink;

/* Cuts all polygons of the cell into triangles. */
void aqm_crossings_triangulate(const AqmCrossings *crossings, AqmTriangleSink *sink);

#endif
