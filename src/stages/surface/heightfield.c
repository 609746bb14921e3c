/* The heightfield surface: points into blocks (height_blocks.c), a robust local fit at every node
 * of a fixed grid (height_nodes.c, height_fit.c), small holes filled
 * (height_fill.c), triangles (height_mesh.c) or a map (height_map.c).
 *
 * Cost: each point takes part in about 20 fits of 15 ns; memory besides the results: 8 bytes a
 * point, 26 a node. */
#include "aquamvs/surface.h"

#include <math.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "stages/surface/height_grid.h"

AqmHeightfieldOptions aqm_heightfield_options_default(void) {
    return (AqmHeightfieldOptions){.grid_resolution_m = 0.002, .threads = 0};
}

AqmStatus aqm_heightfield_options_validate(const AqmHeightfieldOptions *options, AqmDiag *diag) {
    if (!(options->grid_resolution_m >= 1e-6 && options->grid_resolution_m <= 1e3))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "grid_resolution is %g m: must be in 1e-6..1000",
                        options->grid_resolution_m);
    if (options->threads < 0)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "threads is %d: must be 0 (all cores) or more",
                        options->threads);
    return AQM_OK;
}

AqmStatus aqm_height_grid_no_surface(const AqmHeightGrid *grid, AqmDiag *diag) {
    return aqm_fail(diag, AQM_ERROR_NO_DATA,
                    "the cloud supports no surface on a grid of %g m: too few points, or too far "
                    "apart (grid_resolution)",
                    grid->blocks->resolution_m);
}

/* Fits all nodes, and fills what is to be filled. */
static AqmStatus find_heights(AqmHeightGrid *grid, const AqmCloud *cloud, AqmDiag *diag) {
    const size_t nodes = grid->blocks->supported * AQM_BLOCK_NODES;
    if (nodes >= UINT32_MAX)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "a heightfield of %zu nodes (grid_resolution %g m): at most %u", nodes,
                        grid->blocks->resolution_m, UINT32_MAX - 1u);
    grid->nodes = aqm_alloc(nodes, sizeof *grid->nodes);
    grid->fitted = aqm_alloc(nodes, 1);
    grid->present = aqm_alloc(nodes, 1);
    if (!grid->nodes || !grid->fitted || !grid->present)
        return aqm_fail_memory(diag, "heightfield nodes", nodes, sizeof *grid->nodes + 2);
    AQM_TRY(aqm_height_grid_fit(grid, cloud, diag));
    aqm_height_grid_fill(grid);
    return AQM_OK;
}

/* Those of the two that are wanted; neither on failure. */
static AqmStatus make_results(const AqmHeightGrid *grid, AqmMesh **mesh, AqmHeightMap **map,
                              AqmDiag *diag) {
    AqmMesh *new_mesh = NULL;
    if (mesh)
        AQM_TRY(aqm_height_grid_mesh(grid, &new_mesh, diag));
    const AqmStatus status = map ? aqm_height_grid_map(grid, map, diag) : AQM_OK;
    if (status != AQM_OK)
        aqm_mesh_destroy(&new_mesh);
    else if (mesh)
        *mesh = new_mesh;
    return status;
}

AqmStatus aqm_surface_heightfield_with_map(const AqmCloud *cloud,
                                           const AqmHeightfieldOptions *options, AqmMesh **mesh,
                                           AqmHeightMap **map, AqmDiag *diag) {
    AQM_TRY(aqm_heightfield_options_validate(options, diag));
    AqmHeightBlocks *blocks = NULL;
    AQM_TRY(aqm_height_blocks_create(&blocks, cloud, options->grid_resolution_m, diag));
    AqmHeightGrid grid = {.blocks = blocks, .threads = aqm_thread_count(options->threads)};
    AqmStatus status = find_heights(&grid, cloud, diag);
    if (status == AQM_OK)
        status = make_results(&grid, mesh, map, diag);
    aqm_free(grid.nodes);
    aqm_free(grid.fitted);
    aqm_free(grid.present);
    aqm_height_blocks_destroy(&blocks);
    return status;
}

AqmStatus aqm_surface_heightfield(const AqmCloud *cloud, const AqmHeightfieldOptions *options,
                                  AqmMesh **out, AqmDiag *diag) {
    return aqm_surface_heightfield_with_map(cloud, options, out, NULL, diag);
}

AqmStatus aqm_surface_height_map(const AqmCloud *cloud, const AqmHeightfieldOptions *options,
                                 AqmHeightMap **out, AqmDiag *diag) {
    return aqm_surface_heightfield_with_map(cloud, options, NULL, out, diag);
}
