/* The heightfield surface: points into blocks (height_blocks.c), a robust local fit at every node
 * of a fixed grid (height_nodes.c, height_fit.c), small holes filled, triangles (height_mesh.c).
 *
 * Cost: each point takes part in about 20 fits of 40 ns; memory besides the mesh: 8 bytes a point,
 * 26 a node. */
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

static AqmStatus make_mesh(AqmHeightGrid *grid, const AqmCloud *cloud, AqmMesh **out,
                           AqmDiag *diag) {
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
    return aqm_height_grid_mesh(grid, out, diag);
}

AqmStatus aqm_surface_heightfield(const AqmCloud *cloud, const AqmHeightfieldOptions *options,
                                  AqmMesh **out, AqmDiag *diag) {
    AQM_TRY(aqm_heightfield_options_validate(options, diag));
    AqmHeightBlocks *blocks = NULL;
    AQM_TRY(aqm_height_blocks_create(&blocks, cloud, options->grid_resolution_m, diag));
    AqmHeightGrid grid = {.blocks = blocks, .threads = aqm_thread_count(options->threads)};
    const AqmStatus status = make_mesh(&grid, cloud, out, diag);
    aqm_free(grid.nodes);
    aqm_free(grid.fitted);
    aqm_free(grid.present);
    aqm_height_blocks_destroy(&blocks);
    return status;
}
