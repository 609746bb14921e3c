/* Triangles of a cell's polygons.
 *
 * A polygon's sides lie on the cell's faces, and each is shared with one polygon of the cell behind
 * that face. No diagonal may lie on a face: the neighbour could choose the same one, and four
 * triangles would meet there. So ears are cut off (the one with the shortest diagonal first) only
 * where its ends have no face in common; where no such ear is left the rest becomes a fan around a
 * new vertex, which lies in the cell's inside. */
#include "stages/surface/poisson_polygon.h"

#include <math.h>
#include <string.h>

static int find_or_add(AqmCrossings *crossings, uint32_t vertex) {
    for (int i = 0; i < crossings->count; i++)
        if (crossings->vertex[i] == vertex)
            return i;
    const int i = crossings->count++;
    crossings->vertex[i] = vertex;
    crossings->faces[i] = 0;
    crossings->next[i] = -1;
    return i;
}

void aqm_crossings_add(AqmCrossings *crossings, uint32_t from, uint32_t to, int face) {
    const int a = find_or_add(crossings, from), b = find_or_add(crossings, to);
    crossings->next[a] = (int8_t)b;
    crossings->faces[a] |= (uint8_t)(1 << face);
    crossings->faces[b] |= (uint8_t)(1 << face);
}

static void emit(AqmTriangleSink *sink, uint32_t a, uint32_t b, uint32_t c) {
    if (sink->triangles) {
        uint32_t *to = sink->triangles + 3 * sink->count;
        to[0] = a, to[1] = b, to[2] = c;
    }
    sink->count++;
}

static float distance2(const AqmTriangleSink *sink, uint32_t a, uint32_t b) {
    float sum = 0.0f;
    for (size_t k = 0; k < 3; k++) {
        const float d = sink->position[3 * (size_t)a + k] - sink->position[3 * (size_t)b + k];
        sum += d * d;
    }
    return sum;
}

/* The corner of the polygon whose ear has the shortest diagonal, or -1. */
static int find_ear(const AqmCrossings *crossings, const AqmTriangleSink *sink, const int *polygon,
                    int n) {
    int best = -1;
    float least = INFINITY;
    for (int i = 0; i < n; i++) {
        const int a = polygon[(i + n - 1) % n], b = polygon[(i + 1) % n];
        if (crossings->faces[a] & crossings->faces[b])
            continue;
        const float length2 = distance2(sink, crossings->vertex[a], crossings->vertex[b]);
        if (length2 < least)
            least = length2, best = i;
    }
    return best;
}

static void emit_fan(const AqmCrossings *crossings, AqmTriangleSink *sink, const int *polygon,
                     int n) {
    const uint32_t center = sink->new_vertex++;
    sink->new_count++;
    if (sink->triangles)
        for (size_t k = 0; k < 3; k++) {
            float sum = 0.0f;
            for (int i = 0; i < n; i++)
                sum += sink->position[3 * (size_t)crossings->vertex[polygon[i]] + k];
            sink->position[3 * (size_t)center + k] = sum / (float)n;
        }
    for (int i = 0; i < n; i++)
        emit(sink, crossings->vertex[polygon[i]], crossings->vertex[polygon[(i + 1) % n]], center);
}

static void triangulate(const AqmCrossings *crossings, AqmTriangleSink *sink, int *polygon, int n) {
    while (n > 3) {
        const int ear = find_ear(crossings, sink, polygon, n);
        if (ear < 0) {
            emit_fan(crossings, sink, polygon, n);
            return;
        }
        emit(sink, crossings->vertex[polygon[(ear + n - 1) % n]], crossings->vertex[polygon[ear]],
             crossings->vertex[polygon[(ear + 1) % n]]);
        n--;
        memmove(polygon + ear, polygon + ear + 1, (size_t)(n - ear) * sizeof *polygon);
    }
    if (n == 3)
        emit(sink, crossings->vertex[polygon[0]], crossings->vertex[polygon[1]],
             crossings->vertex[polygon[2]]);
}

void aqm_crossings_triangulate(const AqmCrossings *crossings, AqmTriangleSink *sink) {
    uint64_t done = 0;
    for (int start = 0; start < crossings->count; start++) {
        int polygon[AQM_POLYGON_MOST], n = 0;
        for (int i = start; i >= 0 && !(done >> i & 1); i = crossings->next[i]) {
            done |= (uint64_t)1 << i;
            polygon[n++] = i;
        }
        triangulate(crossings, sink, polygon, n);
    }
}
