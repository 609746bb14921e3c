/* gt/scene.json and the surface meshes. The footprint is the box, on the map, of all that the ring
 * cameras see; the mesh covers it on a 2 mm grid, and so a plate that hangs over it. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "aquamvs/io.h"
#include "base/diag.h"
#include "synth/synth_dataset.h"

static const double mesh_step_m = 0.002;

static const char surface_help[] =
    "z is the sum of the terms: plane z0 + gx x + gy y; sines: sum of amp sin(kx x + ky y + phase);"
    " gauss a exp(-r^2 / (2 sigma^2)); annulus a exp(-(r - r0)^2 / (2 sigma^2))";

/* false where no ring camera sees the surface. */
static bool footprint_of(const AqmSynthDataset *dataset, int frame, double box[4]) {
    const size_t cameras = dataset->rig->camera_count;
    box[0] = box[2] = INFINITY, box[1] = box[3] = -INFINITY;
    for (size_t i = 0; i < cameras; i++) {
        const AqmSynthSight *sight = &dataset->sights[(size_t)frame * cameras + i];
        if (dataset->rig->cameras[i].is_auxiliary)
            continue;
        for (int k = 0; k < 4; k += 2) {
            box[k] = fmin(box[k], sight->box[k]);
            box[k + 1] = fmax(box[k + 1], sight->box[k + 1]);
        }
    }
    return box[0] <= box[1];
}

static const double du[2] = {mesh_step_m, 0.0}, dv[2] = {0.0, mesh_step_m};

static void color_vertex(AqmMesh *mesh, size_t at, const float rgb[3]) {
    for (int c = 0; c < 3; c++)
        mesh->color[3 * at + (size_t)c] = (uint8_t)(255.0f * fminf(rgb[c], 1.0f));
}

static void fill_vertex(const AqmSynthFrame *frame, AqmMesh *mesh, size_t at, double x, double y) {
    double g[2];
    const double z = aqm_surface_gradient(frame->surface, x, y, g);
    const double norm = sqrt(1.0 + g[0] * g[0] + g[1] * g[1]);
    float rgb[3], *p = mesh->position + 3 * at, *n = mesh->normal + 3 * at;
    p[0] = (float)x, p[1] = (float)y, p[2] = (float)z;
    n[0] = (float)(g[0] / norm), n[1] = (float)(g[1] / norm), n[2] = (float)(-1.0 / norm);
    aqm_texture_albedo(&frame->texture, x, y, du, dv, rgb);
    color_vertex(mesh, at, rgb);
}

/* The vertex at (a, b) of the plate. */
static void fill_plate_vertex(const AqmSynthFrame *frame, const AqmBoard *board, AqmMesh *mesh,
                              size_t at, double a, double b) {
    const AqmPlate *plate = &frame->pose.plate;
    const double margin = board->square_m;
    double normal[3];
    float rgb[3] = {0.0f, 0.0f, 0.0f};
    aqm_plate_normal(plate, normal);
    for (size_t k = 0; k < 3; k++) {
        const double place = plate->corner[k] + a * plate->side[0][k] + b * plate->side[1][k];
        mesh->position[3 * at + k] = (float)place;
        mesh->normal[3 * at + k] = (float)-normal[k];
    }
    (void)aqm_texture_print(&frame->texture, board, margin, a - margin, b - margin, du, dv, rgb);
    color_vertex(mesh, at, rgb);
}

/* The triangles of a grid of vertices from `first` on, wound so that the normals point up, to
 * smaller Z; returns where the next ones go. */
static uint32_t *fill_triangles(uint32_t *t, size_t first, size_t nx, size_t ny) {
    for (size_t j = 0; j + 1 < ny; j++)
        for (size_t i = 0; i + 1 < nx; i++) {
            const uint32_t a = (uint32_t)(first + j * nx + i), b = a + 1;
            const uint32_t c = a + (uint32_t)nx, d = c + 1;
            *t++ = a, *t++ = c, *t++ = b;
            *t++ = b, *t++ = c, *t++ = d;
        }
    return t;
}

/* The bed, and the plate over it, whose last row and column lie on its rim. */
static AqmStatus surface_mesh(const AqmSynthFrame *frame, const AqmBoard *board,
                              const double box[4], AqmMesh **out, AqmDiag *diag) {
    const size_t nx = (size_t)ceil((box[1] - box[0]) / mesh_step_m) + 1;
    const size_t ny = (size_t)ceil((box[3] - box[2]) / mesh_step_m) + 1;
    const double *size = frame->pose.plate.size_m;
    const size_t na = frame->has_plate ? (size_t)ceil(size[0] / mesh_step_m) + 1 : 0;
    const size_t nb = frame->has_plate ? (size_t)ceil(size[1] / mesh_step_m) + 1 : 0;
    const size_t on_plate = frame->has_plate ? 2 * (na - 1) * (nb - 1) : 0;
    AqmMesh *mesh = NULL;
    AQM_TRY(aqm_mesh_create(&mesh, nx * ny + na * nb, 2 * (nx - 1) * (ny - 1) + on_plate, diag));
    for (size_t k = 0; k < nx * ny; k++)
        fill_vertex(frame, mesh, k, box[0] + (double)(k % nx) * mesh_step_m,
                    box[2] + (double)(k / nx) * mesh_step_m);
    uint32_t *t = fill_triangles(mesh->triangles, 0, nx, ny);
    for (size_t k = 0; k < na * nb; k++)
        fill_plate_vertex(frame, board, mesh, nx * ny + k,
                          fmin((double)(k % na) * mesh_step_m, size[0]),
                          fmin((double)(k / na) * mesh_step_m, size[1]));
    (void)fill_triangles(t, nx * ny, na, nb);
    *out = mesh;
    return AQM_OK;
}

static AqmStatus write_mesh(const AqmSynthDataset *dataset, int frame, const double box[4],
                            AqmDiag *diag) {
    char path[AQM_SYNTH_PATH_MAX];
    AqmMesh *mesh = NULL;
    AQM_TRY(aqm_synth_path(path, diag, dataset, "gt/frame_%06d/surface.ply", frame));
    AQM_TRY(surface_mesh(&dataset->frames[frame], &dataset->options->board, box, &mesh, diag));
    const AqmStatus status = aqm_ply_write_mesh(path, mesh, NULL, diag);
    aqm_mesh_destroy(&mesh);
    return status;
}

static json_t *hill_to_json(const AqmSurfaceTerm *t) {
    if (t->hill.radius > 0.0)
        return json_pack("{s:s, s:f, s:f, s:f, s:f, s:f}", "kind", "annulus", "a", t->hill.height,
                         "cx", t->hill.cx, "cy", t->hill.cy, "r0", t->hill.radius, "sigma",
                         t->hill.sigma);
    return json_pack("{s:s, s:f, s:f, s:f, s:f}", "kind", "gauss", "a", t->hill.height, "cx",
                     t->hill.cx, "cy", t->hill.cy, "sigma", t->hill.sigma);
}

/* The sines from `first` on as one term; *next is the first term that is not one of them. */
static json_t *sines_to_json(const AqmSurfaceModel *model, size_t first, size_t *next) {
    json_t *amp = json_array(), *kx = json_array(), *ky = json_array(), *phase = json_array();
    int failed = 0;
    size_t i = first;
    for (; i < model->count && model->terms[i].kind == AQM_TERM_SINE; i++) {
        const AqmSurfaceTerm *t = &model->terms[i];
        failed |= json_array_append_new(amp, json_real(t->sine.amplitude));
        failed |= json_array_append_new(kx, json_real(t->sine.kx));
        failed |= json_array_append_new(ky, json_real(t->sine.ky));
        failed |= json_array_append_new(phase, json_real(t->sine.phase));
    }
    *next = i;
    json_t *term = json_pack("{s:s, s:o, s:o, s:o, s:o}", "kind", "sines", "amp", amp, "kx", kx,
                             "ky", ky, "phase", phase);
    if (term && failed) {
        json_decref(term);
        term = NULL;
    }
    return term;
}

/* A new array (consecutive sines share one term), or NULL where memory is out. */
static json_t *surface_to_json(const AqmSurfaceModel *model) {
    json_t *terms = json_array();
    for (size_t i = 0; i < model->count && terms;) {
        const AqmSurfaceTerm *t = &model->terms[i];
        json_t *term = NULL;
        size_t next = i + 1;
        if (t->kind == AQM_TERM_PLANE)
            term = json_pack("{s:s, s:f, s:f, s:f}", "kind", "plane", "z0", t->plane.z0, "gx",
                             t->plane.gx, "gy", t->plane.gy);
        else if (t->kind == AQM_TERM_SINE)
            term = sines_to_json(model, i, &next);
        else
            term = hill_to_json(t);
        if (json_array_append_new(terms, term) != 0) { /* fails for NULL too */
            json_decref(terms);
            terms = NULL;
        }
        i = next;
    }
    return terms;
}

static json_t *depth_ranges(const AqmSynthDataset *dataset, int frame) {
    const size_t cameras = dataset->rig->camera_count;
    json_t *ranges = json_object();
    for (size_t i = 0; i < cameras; i++) {
        const double *range = dataset->sights[(size_t)frame * cameras + i].depth_range;
        if (range[0] <= range[1])
            (void)json_object_set_new(ranges, dataset->rig->cameras[i].name,
                                      json_pack("[f, f]", range[0], range[1]));
    }
    return ranges;
}

static json_t *vector_to_json(double x, double y, double z) {
    return json_pack("[f, f, f]", x, y, z);
}

/* The board of the scene `charuco`: pose, and corners in the order of board.h. */
static json_t *board_to_json(const AqmSynthDataset *dataset, int frame) {
    const AqmBoard *board = &dataset->options->board;
    const AqmSynthPose *pose = &dataset->frames[frame].pose;
    const double *R = pose->R, *o = pose->origin;
    json_t *corners = json_array();
    for (size_t i = 0; i < aqm_board_corner_count(board); i++) {
        double q[2], p[3];
        aqm_board_corner(board, i, q);
        for (int k = 0; k < 3; k++)
            p[k] = R[3 * k] * q[0] + R[3 * k + 1] * q[1] + o[k];
        (void)json_array_append_new(corners, vector_to_json(p[0], p[1], p[2]));
    }
    return json_pack("{s:[i, i], s:f, s:f, s:s, s:f, s:o, s:o, s:o, s:o}", "squares",
                     board->squares_x, board->squares_y, "square_m", board->square_m, "marker_m",
                     board->marker_m, "dictionary", aqm_dictionary_name(board->dictionary),
                     "tilt_deg", pose->tilt_deg, "origin", vector_to_json(o[0], o[1], o[2]),
                     "x_axis", vector_to_json(R[0], R[3], R[6]), "y_axis",
                     vector_to_json(R[1], R[4], R[7]), "corners", corners);
}

static json_t *plate_to_json(const AqmPlate *plate) {
    const double *x = plate->side[0], *y = plate->side[1], *o = plate->corner;
    return json_pack("{s:o, s:o, s:o, s:[f, f]}", "corner", vector_to_json(o[0], o[1], o[2]),
                     "x_axis", vector_to_json(x[0], x[1], x[2]), "y_axis",
                     vector_to_json(y[0], y[1], y[2]), "size_m", plate->size_m[0],
                     plate->size_m[1]);
}

static json_t *frame_to_json(const AqmSynthDataset *dataset, int frame, const double box[4]) {
    json_t *json = json_pack(
        "{s:i, s:f, s:o, s:[f, f, f, f], s:o}", "index", frame, "water_z", dataset->rig->water_z,
        "surface", surface_to_json(dataset->frames[frame].surface), "footprint", box[0], box[1],
        box[2], box[3], "ray_depth_range", depth_ranges(dataset, frame));
    if (json && dataset->options->scene == AQM_SCENE_MOUND)
        (void)json_object_set_new(json, "mound_volume_m3",
                                  json_real(aqm_synth_mound_volume(frame)));
    if (json && dataset->frames[frame].has_plate) {
        (void)json_object_set_new(json, "plate", plate_to_json(&dataset->frames[frame].pose.plate));
        (void)json_object_set_new(json, "board", board_to_json(dataset, frame));
    }
    return json;
}

static json_t *options_to_json(const AqmSynthOptions *o) {
    return json_pack("{s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:b}", "frames", o->frames,
                     "noise", o->noise, "blur_px", o->blur_px, "gain_spread", o->gain_spread,
                     "contrast", o->contrast, "distortion", o->distortion, "amplitude_m",
                     o->amplitude_m, "wavelength_m", o->wavelength_m, "tilt_deg", o->tilt_deg,
                     "color", o->color ? 1 : 0);
}

static json_t *ring_cameras(const AqmRig *rig) {
    json_t *names = json_array();
    for (size_t i = 0; i < rig->camera_count; i++)
        if (!rig->cameras[i].is_auxiliary)
            (void)json_array_append_new(names, json_string(rig->cameras[i].name));
    return names;
}

static json_t *scene_to_json(const AqmSynthDataset *dataset, json_t *frames) {
    static const char *const scenes[] = {"plane", "undulating", "sandbed",
                                         "board", "mound",      "charuco"};
    static const char *const rigs[] = {"ring12", "ring5", "pair"};
    const AqmSynthOptions *o = dataset->options;
    const AqmRig *rig = dataset->rig;
    return json_pack("{s:s, s:s, s:I, s:f, s:f, s:f, s:o, s:s, s:o, s:o}", "scene",
                     scenes[o->scene], "rig", rigs[o->rig], "seed", (json_int_t)o->seed, "water_z",
                     rig->water_z, "n_air", rig->n_air, "n_water", rig->n_water, "ring_cameras",
                     ring_cameras(rig), "surface_terms", surface_help, "options",
                     options_to_json(o), "frames", frames);
}

static AqmStatus write_scene(const AqmSynthDataset *dataset, json_t *scene, AqmDiag *diag) {
    char path[AQM_SYNTH_PATH_MAX];
    AQM_TRY(aqm_synth_path(path, diag, dataset, "gt/scene.json"));
    char *text = scene ? json_dumps(scene, JSON_INDENT(1)) : NULL;
    if (!text)
        return aqm_fail(diag, AQM_ERROR_MEMORY, "%s: out of memory", path);
    const AqmStatus status = aqm_text_write(path, text, diag);
    free(text);
    return status;
}

AqmStatus aqm_synth_write_truth(const AqmSynthDataset *dataset, AqmDiag *diag) {
    json_t *frames = json_array();
    for (int frame = 0; frame < dataset->options->frames; frame++) {
        double box[4];
        AqmStatus status = AQM_OK;
        if (!footprint_of(dataset, frame, box))
            status = aqm_fail(diag, AQM_ERROR_NO_DATA,
                              "frame %d: no camera sees the surface under water", frame);
        if (status == AQM_OK)
            status = write_mesh(dataset, frame, box, diag);
        if (status == AQM_OK &&
            json_array_append_new(frames, frame_to_json(dataset, frame, box)) != 0)
            status = aqm_fail(diag, AQM_ERROR_MEMORY, "gt/scene.json: out of memory");
        if (status != AQM_OK) {
            json_decref(frames);
            return status;
        }
    }
    json_t *scene = scene_to_json(dataset, frames); /* takes `frames` */
    const AqmStatus status = write_scene(dataset, scene, diag);
    json_decref(scene);
    return status;
}
