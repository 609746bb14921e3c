/* The colours of a mesh from the images. What of the mesh each view has before it is drawn first
 * (mesh_sight.c), a view a thread; then every vertex looks at all views, a block of vertices at a
 * time (kernels/paint_kernels.h).
 *
 * A view's weight at a vertex is w = c^p q^2 b: c the cosine between its refracted ray and the
 * normal, p the sharpness, q the length in the image of a metre there, and b, which falls to 0 over
 * the outermost BORDER of the image (smoothstep). The images of calibrated cameras agree to a tenth
 * of a pixel, so that a mean of several is hardly less sharp than one, and less noisy; seams of
 * exposure vanish because all three factors are smooth (Baumberg 2002, "Blending images for
 * texturing 3D models", with the true angle under water).
 *
 * Cost: 55 ns a vertex and view. Memory: 12 bytes a vertex and thread, and a byte a pixel. */
#include <math.h>
#include <omp.h>

#include "aquamvs/color.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "geometry/refraction.h"
#include "stages/color/mesh_sight.h"

enum { MOST_VIEWS = 255 };
static const float BORDER = 0.06f;        /* of the shorter side */
static const float LEAST_FACING = 0.174f; /* 80 degrees */
static const float LEAST_WEIGHT = 1e-6f;  /* a view at its very border still counts, if alone */

/* A view as the kernels take it. */
typedef struct Look {
    AqmSightCamera camera;
    AqmPaintView view;
} Look;

/* What all vertices look at. */
typedef struct Painting {
    const AqmColorView *views;
    AqmSightBuffer *buffers; /* of each view */
    Look *looks;             /* of each view */
    size_t view_count;
    AqmPaintRules rules;
    const AqmPaintKernels *kernels;
    int threads;
} Painting;

AqmMeshColorOptions aqm_mesh_color_options_default(void) {
    return (AqmMeshColorOptions){.sharpness = 8.0, .threads = 0};
}

AqmStatus aqm_mesh_color_options_validate(const AqmMeshColorOptions *options, AqmDiag *diag) {
    if (!(options->sharpness >= 0.0 && options->sharpness <= 100.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "sharpness is %g: must be in 0..100",
                        options->sharpness);
    if (options->threads < 0)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "threads is %d: must be 0 (all cores) or more",
                        options->threads);
    return AQM_OK;
}

static AqmStatus check_views(const AqmColorView *views, size_t view_count, AqmDiag *diag) {
    if (view_count > MOST_VIEWS)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "colours from %zu views: at most %d", view_count,
                        (int)MOST_VIEWS);
    for (size_t i = 0; i < view_count; i++) {
        const AqmView *view = views[i].view;
        const AqmImageView *image = views[i].image, *mask = views[i].mask;
        if (image->width != view->width || image->height != view->height ||
            (mask && (mask->width != view->width || mask->height != view->height ||
                      mask->channels != 1 || mask->type != AQM_U8)))
            return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                            "view %zu: its image (%d x %d px) or mask does not fit its camera (%d "
                            "x %d px)",
                            i, image->width, image->height, view->width, view->height);
        if (!(views[i].full_scale > 0.0))
            return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                            "view %zu: full_scale is %g: must be positive", i, views[i].full_scale);
    }
    return AQM_OK;
}

/* ---- one view -------------------------------------------------------------------------------- */

static AqmPaintRules make_rules(double sharpness) {
    AqmPaintRules rules = {.least_facing = LEAST_FACING,
                           .least_weight = LEAST_WEIGHT,
                           .tolerance_m = aqm_sight_tolerance_m,
                           .tolerance_px = aqm_sight_tolerance_px};
    for (int i = 0; i <= AQM_PAINT_POWERS; i++)
        rules.powers[i] = (float)pow((double)i / AQM_PAINT_POWERS, sharpness);
    return rules;
}

static Look make_look(const AqmColorView *from, const AqmSightBuffer *buffer) {
    const AqmImageView *image = from->image, *mask = from->mask;
    const int shorter = (image->width < image->height ? image->width : image->height) - 1;
    return (Look){aqm_sight_camera(from->view),
                  {.width = image->width,
                   .height = image->height,
                   .pixels = image->data,
                   .stride = image->stride,
                   .channels = image->channels,
                   .is_16_bit = image->type == AQM_U16,
                   .scale = (float)(255.0 / from->full_scale),
                   .mask = mask ? mask->data : NULL,
                   .mask_stride = mask ? mask->stride : 0,
                   .inverse_border = 1.0f / (BORDER * (float)shorter + 1.0f),
                   .nearest = buffer->depth_m,
                   .columns = buffer->columns}};
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* The vertices of a block, what the view at hand makes of them, and the sums over all views. */
typedef struct Block {
    AqmVertexBlock position, normal;
    float u[AQM_PAINT_BLOCK], v[AQM_PAINT_BLOCK], depth[AQM_PAINT_BLOCK], facing[AQM_PAINT_BLOCK],
        density[AQM_PAINT_BLOCK], weight[AQM_PAINT_BLOCK];
    float sum[AQM_PAINT_BLOCK], color[3][AQM_PAINT_BLOCK];
    int32_t views[AQM_PAINT_BLOCK];
} Block;

static void take_color(const Block *block, size_t i, uint8_t color[3]) {
    static const uint8_t unseen[3] = {AQM_UNSEEN_RED, AQM_UNSEEN_GREEN, AQM_UNSEEN_BLUE};
    for (int k = 0; k < 3; k++) {
        const float mean = block->color[k][i] / block->sum[i] + 0.5f;
        color[k] = block->views[i] == 0 ? unseen[k] : mean < 255.0f ? (uint8_t)mean : 255;
    }
}

/* Adds up what all views show of the first n vertices of the block. */
static void look_at(const Painting *painting, size_t n, Block *block) {
    const AqmPaintKernels *kernels = painting->kernels;
    const AqmVertexBlock *p = &block->position, *q = &block->normal;
    const AqmPaintPoints points = {{p->axis[0], p->axis[1], p->axis[2]},
                                   {q->axis[0], q->axis[1], q->axis[2]}};
    const AqmPaintSights sights = {block->u, block->v, block->depth, block->facing, block->density};
    const AqmPaintSums sums = {
        block->sum, {block->color[0], block->color[1], block->color[2]}, block->views};
    for (size_t i = 0; i < n; i++) {
        block->sum[i] = block->color[0][i] = block->color[1][i] = block->color[2][i] = 0.0f;
        block->views[i] = 0;
    }
    for (size_t i = 0; i < painting->view_count; i++) {
        const Look *look = &painting->looks[i];
        kernels->sights(&look->camera, &points, n, &sights);
        if (kernels->weigh(&look->view, &painting->rules, &sights, n, block->weight) > 0)
            kernels->blend(&look->view, block->u, block->v, block->weight, n, &sums);
    }
}

/* Returns how many of the block's vertices no view sees. */
static size_t paint_block(const Painting *painting, size_t first, AqmMesh *mesh) {
    const size_t left = mesh->vertex_count - first;
    const size_t count = left < AQM_PAINT_BLOCK ? left : AQM_PAINT_BLOCK;
    size_t unseen = 0;
    Block block;
    const size_t n = aqm_vertex_block_load(&block.position, mesh->position + 3 * first, count);
    (void)aqm_vertex_block_load(&block.normal, mesh->normal + 3 * first, count);
    look_at(painting, n, &block);
    for (size_t i = 0; i < count; i++) {
        take_color(&block, i, mesh->color + 3 * (first + i));
        mesh->views[first + i] = (uint8_t)block.views[i];
        unseen += block.views[i] == 0;
    }
    return unseen;
}

/* Returns how many vertices no view sees. */
static size_t paint(const Painting *painting, AqmMesh *mesh) {
    size_t unseen = 0;
#pragma omp parallel for schedule(static) num_threads(painting->threads) reduction(+ : unseen)
    for (size_t first = 0; first < mesh->vertex_count; first += AQM_PAINT_BLOCK)
        unseen += paint_block(painting, first, mesh);
    return unseen;
}

/* scratch: aqm_sight_scratch floats for each thread. */
static void draw_buffers(const Painting *painting, const AqmMesh *mesh, float *scratch) {
    const size_t size = aqm_sight_scratch(mesh->vertex_count);
#pragma omp parallel for schedule(dynamic, 1) num_threads(painting->threads)
    for (size_t i = 0; i < painting->view_count; i++)
        aqm_sight_buffer_draw(&painting->buffers[i], mesh, painting->views[i].view,
                              scratch + (size_t)omp_get_thread_num() * size);
}

static AqmStatus create_buffers(const Painting *painting, AqmDiag *diag) {
    for (size_t i = 0; i < painting->view_count; i++) {
        AQM_TRY(aqm_sight_buffer_create(&painting->buffers[i], painting->views[i].view, diag));
        painting->looks[i] = make_look(&painting->views[i], &painting->buffers[i]);
    }
    return AQM_OK;
}

AqmStatus aqm_mesh_color(AqmMesh *mesh, const AqmColorView *views, size_t view_count,
                         const AqmMeshColorOptions *options, size_t *unseen, AqmDiag *diag) {
    AQM_TRY(aqm_mesh_color_options_validate(options, diag));
    AQM_TRY(check_views(views, view_count, diag));
    const int threads = aqm_thread_count(options->threads);
    const Painting painting = {.views = views,
                               .buffers = aqm_calloc(view_count, sizeof *painting.buffers),
                               .looks = aqm_alloc(view_count, sizeof *painting.looks),
                               .view_count = view_count,
                               .rules = make_rules(options->sharpness),
                               .kernels = aqm_paint_kernels(aqm_cpu_features()),
                               .threads = threads};
    const size_t room = (size_t)threads * sizeof(float);
    float *scratch = aqm_alloc(aqm_sight_scratch(mesh->vertex_count), room);
    AqmStatus status = AQM_OK;
    if (!painting.buffers || !painting.looks || !scratch)
        status = aqm_fail_memory(diag, "the colours of a mesh", mesh->vertex_count, 3 * room);
    else
        status = create_buffers(&painting, diag);
    if (status == AQM_OK) {
        draw_buffers(&painting, mesh, scratch);
        const size_t count = paint(&painting, mesh);
        if (unseen)
            *unseen = count;
    }
    for (size_t i = 0; painting.buffers && i < view_count; i++)
        aqm_free(painting.buffers[i].depth_m);
    aqm_free(painting.buffers);
    aqm_free(painting.looks);
    aqm_free(scratch);
    return status;
}
