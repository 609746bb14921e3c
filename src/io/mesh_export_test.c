/* OBJ and STL, and what all writers of meshes for other programs share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "io/io_test_util.h"
#include "io/mesh_export.h"
#include "io/test_export_mesh.h"

static const double quarter_turn[9] = {0, -1, 0, 1, 0, 0, 0, 0, 1};

typedef AqmStatus WriteMesh(const char *path, const AqmMesh *mesh, const double *rotation,
                            AqmDiag *diag);
static const struct {
    const char *name;
    WriteMesh *write;
} formats[] = {{"m.obj", aqm_obj_write_mesh},
               {"m.stl", aqm_stl_write_mesh},
               {"m.gltf", aqm_gltf_write_mesh},
               {"m.glb", aqm_glb_write_mesh}};
enum { FORMATS = sizeof formats / sizeof formats[0] };

static char *written_obj(const char *folder, const AqmMesh *mesh, const double *rotation) {
    char path[PATH_MAX];
    size_t size;
    AqmDiag diag = {0};
    if (aqm_obj_write_mesh(in_folder(path, folder, "a.obj"), mesh, rotation, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    char *text = (char *)read_bytes(path, &size);
    assert_int_equal(strlen(text), size);
    return text;
}

static void a_small_obj(void **state) {
    AqmMesh *mesh = make_two_triangles();
    setlocale(LC_ALL, "de_DE.UTF-8"); /* where it is installed: a comma for the point */
    char *text = written_obj(*state, mesh, NULL);
    setlocale(LC_ALL, "C");
    assert_int_equal(strncmp(text, "# aquamvs ", 10), 0);
    const char *body = strstr(text, "\nv ");
    assert_non_null(body);
    assert_string_equal(body, "\nv 0 0 1 1 0 0\n"
                              "v 0.1 0 1 0 1 0.502\n"
                              "v 0 0.2 1.25 0.0039 0.0392 1\n"
                              "v 0.1 0.2 1.25 1 1 1\n"
                              "vn 0 0 -1\n"
                              "vn 0 0 -1\n"
                              "vn 0 0.6 -0.8\n"
                              "vn 0 0.780869 -0.624695\n"
                              "f 1//1 3//3 2//2\n"
                              "f 2//2 3//3 4//4\n");
    free(text);
    text = written_obj(*state, mesh, quarter_turn);
    assert_non_null(strstr(text, "\nv 0 0.1 1 0 1 0.502\nv -0.2 0 1.25 "));
    assert_non_null(strstr(text, "\nvn -0.6 0 -0.8\n"));
    free(text);
    aqm_mesh_destroy(&mesh);
}

static void a_small_stl(void **state) {
    char path[PATH_MAX];
    size_t size;
    AqmMesh *mesh = make_two_triangles();
    in_folder(path, *state, "a.stl");
    assert_int_equal(aqm_stl_write_mesh(path, mesh, quarter_turn, NULL), AQM_OK);
    unsigned char *bytes = read_bytes(path, &size);
    assert_int_equal(size, 84 + 2 * 50);
    assert_true(memcmp(bytes, "solid", 5) != 0);
    uint32_t count;
    memcpy(&count, bytes + 80, 4);
    assert_int_equal(count, 2);
    /* normal, then corners 1, 3, 2 of the file's order: (x, y) turned to (-y, x) */
    float row[12];
    memcpy(row, bytes + 84, sizeof row);
    const float corners[9] = {0, 0, 1, -0.2f, 0, 1.25f, 0, 0.1f, 1};
    assert_memory_equal(row + 3, corners, sizeof corners);
    const double length = hypot(0.2, 0.25);
    assert_true(fabs((double)row[0] + 0.25 / length) < 1e-6 && row[1] == 0);
    assert_true(fabs((double)row[2] + 0.2 / length) < 1e-6);
    assert_true(bytes[84 + 48] == 0 && bytes[84 + 49] == 0);
    free(bytes);
    aqm_mesh_destroy(&mesh);
}

/* More than one chunk of every writer. */
static void a_large_mesh_is_whole(void **state) {
    char path[PATH_MAX];
    size_t size;
    AqmMesh *mesh = make_sheet(90, 70);
    in_folder(path, *state, "l.stl");
    assert_int_equal(aqm_stl_write_mesh(path, mesh, NULL, NULL), AQM_OK);
    unsigned char *bytes = read_bytes(path, &size);
    assert_int_equal(size, 84 + 50 * mesh->triangle_count);
    for (size_t t = 0; t < mesh->triangle_count; t++)
        for (size_t k = 0; k < 3; k++)
            assert_memory_equal(bytes + 84 + 50 * t + 12 + 12 * k,
                                mesh->position + 3 * (size_t)mesh->triangles[3 * t + k], 12);
    free(bytes);
    char *text = written_obj(*state, mesh, NULL), *at = strstr(text, "\nv ");
    for (size_t i = 0; i < 3 * mesh->vertex_count; i++) {
        at += i % 3 == 0 ? strlen("\nv") : 0;
        assert_true(strtof(at, &at) == mesh->position[i]);
        if (i % 3 == 2)
            for (size_t k = 0; k < 3; k++)
                assert_int_equal(lround(strtod(at, &at) * 255), mesh->color[i - 2 + k]);
    }
    assert_int_equal(strncmp(at, "\nvn ", 4), 0);
    at = strstr(at, "\nf ");
    for (size_t i = 0; i < 3 * mesh->triangle_count; i++) {
        at += i % 3 == 0 ? strlen("\nf") : 0;
        const unsigned long position = strtoul(at, &at, 10), normal = strtoul(at + 2, &at, 10);
        assert_true(position == mesh->triangles[i] + 1ul && normal == position);
    }
    assert_string_equal(at, "\n");
    free(text);
    aqm_mesh_destroy(&mesh);
}

static void normals_are_of_length_one(void **state) {
    (void)state;
    AqmMesh *mesh = make_two_triangles();
    float *normals = NULL;
    const float own[12] = {0, 0, -3, 0, 0, 0, NAN, 0, -1, 1e-20f, 0, 0};
    memcpy(mesh->normal, own, sizeof own);
    mesh->triangles[3] = mesh->triangles[4] = mesh->triangles[5]; /* vertex 3 in no true triangle */
    assert_int_equal(aqm_export_normals("x", mesh, NULL, &normals, NULL), AQM_OK);
    const float expected[12] = {0, 0,           -1,           0, 0.78086880f, -0.62469505f,
                                0, 0.78086880f, -0.62469505f, 0, 0,           -1};
    for (int i = 0; i < 12; i++)
        assert_true(fabsf(normals[i] - expected[i]) < 1e-6f);
    aqm_free(normals);
    /* each from its own or from the triangles, then turned */
    assert_int_equal(aqm_export_normals("x", mesh, quarter_turn, &normals, NULL), AQM_OK);
    assert_true(fabsf(normals[3] + 0.78086880f) < 1e-6f && normals[4] == 0);
    aqm_free(normals);
    aqm_mesh_destroy(&mesh);
}

static void what_cannot_be_written_is_refused(void **state) {
    char path[PATH_MAX];
    AqmMesh *empty = NULL, *mesh = make_two_triangles();
    assert_int_equal(aqm_mesh_create(&empty, 0, 0, NULL), AQM_OK);
    for (int f = 0; f < FORMATS; f++) {
        AqmDiag diag = {0};
        in_folder(path, *state, formats[f].name);
        assert_int_equal(formats[f].write(path, empty, NULL, &diag), AQM_ERROR_NO_DATA);
        assert_non_null(strstr(diag.message, "no triangles"));
        assert_non_null(strstr(diag.message, formats[f].name));
        for (int k = 0; k < 2; k++) {
            mesh->position[7] = k == 0 ? NAN : INFINITY;
            diag = (AqmDiag){0};
            assert_int_equal(formats[f].write(path, mesh, NULL, &diag), AQM_ERROR_ARGUMENT);
            assert_non_null(strstr(diag.message, "vertex 2 lies at"));
        }
        mesh->position[7] = 0.2f;
        diag = (AqmDiag){0};
        char missing[PATH_MAX];
        in_folder(missing, *state, "missing/m");
        assert_int_equal(formats[f].write(missing, mesh, NULL, &diag), AQM_ERROR_IO);
        assert_non_null(strstr(diag.message, "missing/m"));
    }
    assert_int_equal(count_files(*state), 0);
    aqm_mesh_destroy(&empty);
    aqm_mesh_destroy(&mesh);
}

static void what_a_format_cannot_hold_is_refused(void **state) {
    char path[PATH_MAX];
    const AqmMesh wide = {.vertex_count = UINT32_MAX, .triangle_count = 1};
    const AqmMesh many = {.vertex_count = 3, .triangle_count = (size_t)UINT32_MAX + 1};
    /* 32 bytes a vertex and 12 a triangle: just over 2^32 - 1 together */
    const AqmMesh large = {.vertex_count = 97612893, .triangle_count = 97612893};
    AqmDiag diag = {0};
    in_folder(path, *state, "x");
    assert_int_equal(aqm_stl_write_mesh(path, &many, NULL, &diag), AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "4294967296 triangles"));
    for (int f = 2; f < FORMATS; f++) {
        assert_int_equal(formats[f].write(path, &wide, NULL, NULL), AQM_ERROR_ARGUMENT);
        assert_int_equal(formats[f].write(path, &many, NULL, NULL), AQM_ERROR_ARGUMENT);
        diag = (AqmDiag){0};
        assert_int_equal(formats[f].write(path, &large, NULL, &diag), AQM_ERROR_ARGUMENT);
        assert_non_null(strstr(diag.message, "4 GiB"));
    }
    assert_int_equal(count_files(*state), 0);
}

static void every_failed_allocation_is_survived(void **state) {
    char path[PATH_MAX];
    AqmMesh *mesh = make_sheet(12, 12);
    mesh->normal[5] = mesh->normal[4] = mesh->normal[3] = 0;
    const size_t before = aqm_alloc_count().live_bytes;
    for (int f = 0; f < FORMATS; f++) {
        AqmStatus status = AQM_ERROR_MEMORY;
        size_t n = 1;
        in_folder(path, *state, formats[f].name);
        for (; status != AQM_OK; n++) {
            assert_int_equal(count_files(*state), f);
            aqm_alloc_fail_from(n);
            status = formats[f].write(path, mesh, NULL, NULL);
            aqm_alloc_fail_from(0);
            assert_true(status == AQM_OK || status == AQM_ERROR_MEMORY);
            assert_int_equal(aqm_alloc_count().live_bytes, before);
        }
        assert_true(n > 3);
    }
    aqm_mesh_destroy(&mesh);
}

/* No file may grow beyond 20 kB: what was there stays, and nothing is left over. */
static void a_full_disk_is_told(void **state) {
    char path[PATH_MAX];
    AqmMesh *mesh = make_sheet(40, 40);
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 20000;
    signal(SIGXFSZ, SIG_IGN);
    for (int f = 0; f < FORMATS; f++) {
        AqmDiag diag = {0};
        size_t size;
        write_bytes(in_folder(path, *state, formats[f].name), "old", 3);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        const AqmStatus status = formats[f].write(path, mesh, NULL, &diag);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(status, AQM_ERROR_IO);
        assert_non_null(strstr(diag.message, formats[f].name));
        unsigned char *bytes = read_bytes(path, &size);
        assert_true(size == 3 && memcmp(bytes, "old", 3) == 0);
        free(bytes);
    }
    assert_int_equal(count_files(*state), FORMATS);
    aqm_mesh_destroy(&mesh);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_small_obj),
        IN_FOLDER(a_small_stl),
        IN_FOLDER(a_large_mesh_is_whole),
        cmocka_unit_test(normals_are_of_length_one),
        IN_FOLDER(what_cannot_be_written_is_refused),
        IN_FOLDER(what_a_format_cannot_hold_is_refused),
        IN_FOLDER(every_failed_allocation_is_survived),
        IN_FOLDER(a_full_disk_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
