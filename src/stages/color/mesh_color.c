/* The colours of a mesh from the images. What of the mesh each view has before it is drawn first
 * (mesh_sight.c), a view a thread; then every vertex looks at all views.
 *
 * A view's weight at a vertex is w = c^p q^2 b: c the cosine between its refracted ray and the
 * normal, p the sharpness, q the length in the image of a metre there, and b, which falls to 0 over
 * the outermost BORDER of the image (smoothstep). The images of calibrated cameras agree to a tenth
 * of a pixel, so that a mean of several is hardly less sharp than one, and less noisy; seams of
 * exposure vanish because all three factors are smooth (Baumberg 2002, "Blending images for
 * texturing 3D models", with the true angle under water).
 *
 * Cost: 100 ns a vertex and view. Memory: 20 bytes a vertex and thread, and a byte a pixel. */
#include <math.h>
#include <omp.h>

#include "aquamvs/color.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "stages/color/mesh_sight.h"

enum { MOST_VIEWS = 255 };
static const float BORDER = 0.06f;        /* of the shorter side */
static const float LEAST_FACING = 0.174f; /* 80 degrees */
static const float LEAST_WEIGHT = 1e-6f;  /* a view at its very border still counts, if alone */

typedef struct ColorSum {
    float weight, color[3];
    uint32_t views;
} ColorSum;

/* What all vertices look at. */
typedef struct Painting {
    const AqmColorView *views;
    AqmSightBuffer *buffers; /* of each view */
    size_t view_count;
    float sharpness;
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

static bool is_in_image(const AqmColorView *from, const AqmVertexSight *sight) {
    if (!(sight->u >= 0.0f && sight->v >= 0.0f && sight->u <= (float)(from->view->width - 1) &&
          sight->v <= (float)(from->view->height - 1)))
        return false;
    const int x = (int)(sight->u + 0.5f), y = (int)(sight->v + 0.5f);
    return !from->mask ||
           ((const uint8_t *)from->mask->data)[(size_t)y * from->mask->stride + (size_t)x] != 0;
}

/* From 0 at the border of the image to 1 inside. */
static float border_weight(const AqmView *view, const AqmVertexSight *sight) {
    const float right = (float)(view->width - 1), bottom = (float)(view->height - 1);
    const float inside =
        fminf(fminf(sight->u, right - sight->u), fminf(sight->v, bottom - sight->v));
    const float t = fminf(inside / (BORDER * fminf(right, bottom) + 1.0f), 1.0f);
    return t * t * (3.0f - 2.0f * t);
}

static float sample_at(const AqmImageView *image, int x, int y, int channel) {
    const char *row = (const char *)image->data + (size_t)y * image->stride;
    const size_t at = (size_t)x * (size_t)image->channels + (size_t)channel;
    return image->type == AQM_U16 ? (float)((const uint16_t *)(const void *)row)[at]
                                  : (float)((const uint8_t *)row)[at];
}

/* Bilinear, 0..255. Gray gives r = g = b. */
static void sample_color(const AqmColorView *from, float u, float v, float color[3]) {
    const AqmImageView *image = from->image;
    const float scale = (float)(255.0 / from->full_scale);
    const int x = (int)u, y = (int)v;
    const int x1 = x + 1 < image->width ? x + 1 : x, y1 = y + 1 < image->height ? y + 1 : y;
    const float p = u - (float)x, q = v - (float)y;
    for (int k = 0; k < 3; k++) {
        const int channel = image->channels == 3 ? k : 0;
        const float a = sample_at(image, x, y, channel), b = sample_at(image, x1, y, channel);
        const float c = sample_at(image, x, y1, channel), d = sample_at(image, x1, y1, channel);
        const float above = a + p * (b - a), below = c + p * (d - c);
        color[k] = scale * (above + q * (below - above));
    }
}

static void add_view(const AqmColorView *from, const AqmVertexSight *sight, float sharpness,
                     ColorSum *sum) {
    float color[3];
    const float weight = powf(sight->facing, sharpness) * sight->size_px * sight->size_px *
                             border_weight(from->view, sight) +
                         LEAST_WEIGHT;
    sample_color(from, sight->u, sight->v, color);
    sum->weight += weight;
    for (int k = 0; k < 3; k++)
        sum->color[k] += weight * color[k];
    sum->views++;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static ColorSum look_at(const Painting *painting, const float position[3], const float normal[3]) {
    ColorSum sum = {0};
    for (size_t i = 0; i < painting->view_count; i++) {
        const AqmColorView *from = &painting->views[i];
        const AqmVertexSight sight = aqm_vertex_sight(from->view, position, normal);
        if (sight.facing >= LEAST_FACING && is_in_image(from, &sight) &&
            !aqm_sight_is_hidden(&painting->buffers[i], &sight))
            add_view(from, &sight, painting->sharpness, &sum);
    }
    return sum;
}

static void take_color(const ColorSum *sum, uint8_t color[3]) {
    static const uint8_t unseen[3] = {AQM_UNSEEN_RED, AQM_UNSEEN_GREEN, AQM_UNSEEN_BLUE};
    for (int k = 0; k < 3; k++) {
        const float mean = sum->color[k] / sum->weight + 0.5f;
        color[k] = sum->views == 0 ? unseen[k] : mean < 255.0f ? (uint8_t)mean : 255;
    }
}

/* Returns how many vertices no view sees. */
static size_t paint(const Painting *painting, AqmMesh *mesh) {
    size_t unseen = 0;
#pragma omp parallel for schedule(static) num_threads(painting->threads) reduction(+ : unseen)
    for (size_t i = 0; i < mesh->vertex_count; i++) {
        const ColorSum sum = look_at(painting, mesh->position + 3 * i, mesh->normal + 3 * i);
        take_color(&sum, mesh->color + 3 * i);
        mesh->views[i] = (uint8_t)sum.views;
        unseen += sum.views == 0;
    }
    return unseen;
}

/* scratch: a sight for each vertex and thread. */
static void draw_buffers(const Painting *painting, const AqmMesh *mesh, AqmVertexSight *scratch) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(painting->threads)
    for (size_t i = 0; i < painting->view_count; i++)
        aqm_sight_buffer_draw(&painting->buffers[i], mesh, painting->views[i].view,
                              scratch + (size_t)omp_get_thread_num() * mesh->vertex_count);
}

static AqmStatus create_buffers(const Painting *painting, AqmDiag *diag) {
    for (size_t i = 0; i < painting->view_count; i++)
        AQM_TRY(aqm_sight_buffer_create(&painting->buffers[i], painting->views[i].view, diag));
    return AQM_OK;
}

AqmStatus aqm_mesh_color(AqmMesh *mesh, const AqmColorView *views, size_t view_count,
                         const AqmMeshColorOptions *options, size_t *unseen, AqmDiag *diag) {
    AQM_TRY(aqm_mesh_color_options_validate(options, diag));
    AQM_TRY(check_views(views, view_count, diag));
    const int threads = aqm_thread_count(options->threads);
    const Painting painting = {views, aqm_calloc(view_count, sizeof *painting.buffers), view_count,
                               (float)options->sharpness, threads};
    AqmVertexSight *scratch = aqm_alloc(mesh->vertex_count, (size_t)threads * sizeof *scratch);
    AqmStatus status = AQM_OK;
    if (!painting.buffers || !scratch)
        status = aqm_fail_memory(diag, "the colours of a mesh", mesh->vertex_count,
                                 (size_t)threads * sizeof *scratch);
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
    aqm_free(scratch);
    return status;
}
