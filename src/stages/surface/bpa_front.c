/* Edges in lists by vertex, as the few that a vertex has are found faster so than by any table. */
#include "stages/surface/bpa_front.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "stages/surface/bpa_grid.h"

AqmStatus aqm_bpa_front_create(AqmBpaFront *front, size_t vertex_count, AqmDiag *diag) {
    *front = (AqmBpaFront){.vertex_count = vertex_count, .first_free = AQM_BPA_NONE};
    front->first_edge = aqm_alloc(vertex_count, sizeof *front->first_edge);
    front->open = aqm_alloc(vertex_count, sizeof *front->open);
    if (!front->first_edge || !front->open) {
        aqm_bpa_front_free(front);
        return aqm_fail_memory(diag, "ball pivoting: the front", vertex_count, 8);
    }
    memset(front->first_edge, 0xff, vertex_count * sizeof *front->first_edge);
    memset(front->open, 0xff, vertex_count * sizeof *front->open);
    return AQM_OK;
}

void aqm_bpa_front_free(AqmBpaFront *front) {
    aqm_free(front->first_edge);
    aqm_free(front->open);
    aqm_free(front->edges);
    aqm_free(front->queue);
    aqm_free(front->triangles);
    *front = (AqmBpaFront){0};
}

/* ---- room ------------------------------------------------------------------------------------ */

static AqmStatus reserve_edges(AqmBpaFront *front, AqmDiag *diag) {
    if (front->edge_count + 3 <= front->edge_capacity)
        return AQM_OK;
    const size_t capacity = front->edge_capacity ? 2 * front->edge_capacity : 1024;
    AqmBpaEdge *edges = NULL;
    if (capacity < AQM_BPA_NONE)
        edges = aqm_realloc(front->edges, capacity, sizeof *edges);
    if (!edges)
        return aqm_fail_memory(diag, "ball pivoting: the front", capacity, sizeof *edges);
    front->edges = edges;
    front->edge_capacity = capacity;
    return AQM_OK;
}

static AqmStatus reserve_queue(AqmBpaFront *front, size_t more, AqmDiag *diag) {
    if (front->queue_count + more <= front->queue_capacity)
        return AQM_OK;
    const size_t capacity = front->queue_capacity ? 2 * front->queue_capacity : 1024;
    uint32_t *queue = aqm_alloc(capacity, sizeof *queue);
    if (!queue)
        return aqm_fail_memory(diag, "ball pivoting: the front", capacity, sizeof *queue);
    for (size_t i = 0; i < front->queue_count; i++)
        queue[i] = front->queue[(front->queue_first + i) & (front->queue_capacity - 1)];
    aqm_free(front->queue);
    front->queue = queue;
    front->queue_first = 0;
    front->queue_capacity = capacity;
    return AQM_OK;
}

static AqmStatus reserve_triangle(AqmBpaFront *front, AqmDiag *diag) {
    if (front->triangle_count < front->triangle_capacity)
        return AQM_OK;
    /* a surface has about two triangles a vertex: one step, and small ones where it has more */
    const size_t capacity = front->triangle_capacity
                                ? front->triangle_capacity + front->triangle_capacity / 4 + 1024
                                : 2 * front->vertex_count + 16;
    uint32_t *triangles = aqm_realloc(front->triangles, capacity, 3 * sizeof *triangles);
    if (!triangles)
        return aqm_fail_memory(diag, "ball pivoting: triangles", capacity, 3 * sizeof *triangles);
    front->triangles = triangles;
    front->triangle_capacity = capacity;
    return AQM_OK;
}

/* ---- edges ----------------------------------------------------------------------------------- */

static uint32_t find_edge(const AqmBpaFront *front, uint32_t a, uint32_t b) {
    uint32_t i = front->first_edge[a];
    while (i != AQM_BPA_NONE) {
        const AqmBpaEdge *edge = &front->edges[i];
        const int side = edge->vertex[1] == a;
        if (edge->vertex[1 - side] == b)
            break;
        i = edge->next[side];
    }
    return i;
}

static void push(AqmBpaFront *front, uint32_t edge) {
    front->queue[(front->queue_first + front->queue_count++) & (front->queue_capacity - 1)] = edge;
    front->edges[edge].state = AQM_BPA_WAITING;
}

static void add_edge(AqmBpaFront *front, uint32_t a, uint32_t b, uint32_t opposite,
                     const double center[3]) {
    uint32_t i = front->first_free;
    if (i != AQM_BPA_NONE)
        front->first_free = front->edges[i].next[0];
    else
        i = (uint32_t)front->edge_count++;
    front->edges[i] = (AqmBpaEdge){.center = {center[0], center[1], center[2]},
                                   .vertex = {a, b},
                                   .opposite = opposite,
                                   .next = {front->first_edge[a], front->first_edge[b]}};
    front->first_edge[a] = front->first_edge[b] = i;
    front->open[a]++;
    front->open[b]++;
    push(front, i);
}

static void unlink_edge(AqmBpaFront *front, uint32_t edge, uint32_t vertex) {
    uint32_t *link = &front->first_edge[vertex];
    while (*link != edge)
        link = &front->edges[*link].next[front->edges[*link].vertex[1] == vertex];
    *link = front->edges[edge].next[front->edges[edge].vertex[1] == vertex];
}

/* Forgets the edges of a vertex that takes no more triangles; all of them are inner. */
static void release(AqmBpaFront *front, uint32_t vertex) {
    for (uint32_t i = front->first_edge[vertex], next; i != AQM_BPA_NONE; i = next) {
        AqmBpaEdge *edge = &front->edges[i];
        const int side = edge->vertex[1] == vertex;
        next = edge->next[side];
        unlink_edge(front, i, edge->vertex[1 - side]);
        edge->state = AQM_BPA_FREE;
        edge->next[0] = front->first_free;
        front->first_free = i;
    }
    front->first_edge[vertex] = AQM_BPA_NONE;
}

/* ---- triangles ------------------------------------------------------------------------------- */

bool aqm_bpa_front_fits(const AqmBpaFront *front, const uint32_t triangle[3]) {
    for (int k = 0; k < 3; k++) {
        if (front->open[triangle[k]] == 0)
            return false;
        const uint32_t i = find_edge(front, triangle[k], triangle[(k + 1) % 3]);
        if (i != AQM_BPA_NONE &&
            (front->edges[i].state == AQM_BPA_INNER || front->edges[i].vertex[0] == triangle[k]))
            return false;
    }
    return true;
}

AqmStatus aqm_bpa_front_add(AqmBpaFront *front, const uint32_t triangle[3], const double center[3],
                            AqmDiag *diag) {
    AQM_TRY(reserve_edges(front, diag));
    AQM_TRY(reserve_queue(front, 3, diag));
    AQM_TRY(reserve_triangle(front, diag));
    memcpy(front->triangles + 3 * front->triangle_count++, triangle, 3 * sizeof *triangle);
    for (int k = 0; k < 3; k++)
        if (!aqm_bpa_is_used(front, triangle[k]))
            front->open[triangle[k]] = 0;
    for (int k = 0; k < 3; k++) {
        const uint32_t a = triangle[k], b = triangle[(k + 1) % 3];
        const uint32_t i = find_edge(front, a, b);
        if (i == AQM_BPA_NONE) {
            add_edge(front, a, b, triangle[(k + 2) % 3], center);
            continue;
        }
        front->edges[i].state = AQM_BPA_INNER;
        front->open[a]--;
        front->open[b]--;
    }
    for (int k = 0; k < 3; k++)
        if (front->open[triangle[k]] == 0)
            release(front, triangle[k]);
    return AQM_OK;
}

AqmBpaEdge *aqm_bpa_front_take(AqmBpaFront *front) {
    while (front->queue_count > 0) {
        AqmBpaEdge *edge = &front->edges[front->queue[front->queue_first]];
        front->queue_first = (front->queue_first + 1) & (front->queue_capacity - 1);
        front->queue_count--;
        if (edge->state == AQM_BPA_WAITING) /* else glued meanwhile */
            return edge;
    }
    return NULL;
}

AqmStatus aqm_bpa_front_wait(AqmBpaFront *front, uint32_t edge, AqmDiag *diag) {
    assert(front->edges[edge].state == AQM_BPA_BORDER);
    AQM_TRY(reserve_queue(front, 1, diag));
    push(front, edge);
    return AQM_OK;
}
