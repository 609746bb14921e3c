#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <math.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "io/io_test_util.h"

static AqmCloud *make_cloud(size_t count) {
    AqmCloud *cloud = NULL;
    assert_int_equal(aqm_cloud_create(&cloud, count, NULL), AQM_OK);
    cloud->count = count;
    AqmRng rng = aqm_rng(5, 5);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 3 * i; j < 3 * i + 3; j++) {
            cloud->position[j] = (float)aqm_rng_normal(&rng);
            cloud->normal[j] = (float)aqm_rng_normal(&rng);
            cloud->color[j] = (uint8_t)aqm_rng_u32(&rng);
        }
        cloud->confidence[i] = (float)aqm_rng_uniform(&rng);
        cloud->sigma_m[i] = (float)aqm_rng_uniform(&rng);
        cloud->views[i] = (uint8_t)(aqm_rng_u32(&rng) % 14);
    }
    return cloud;
}

static AqmStatus read_text(const char *folder, const char *text, AqmCloud **cloud, AqmMesh **mesh,
                           AqmDiag *diag) {
    char path[PATH_MAX];
    write_bytes(in_folder(path, folder, "text.ply"), text, strlen(text));
    return aqm_ply_read(path, cloud, mesh, diag);
}

static void clouds_come_back(void **state) {
    char path[PATH_MAX];
    in_folder(path, *state, "a.ply");
    const size_t counts[] = {0, 1, 10000};
    for (int c = 0; c < 3; c++) {
        AqmCloud *cloud = make_cloud(counts[c]), *again = NULL;
        AqmMesh *mesh = NULL;
        AqmDiag diag = {0};
        assert_int_equal(aqm_ply_write_cloud(path, cloud, NULL, &diag), AQM_OK);
        if (aqm_ply_read(path, &again, &mesh, &diag) != AQM_OK)
            fail_msg("%s", diag.message);
        assert_null(mesh);
        assert_int_equal(again->count, counts[c]);
        assert_memory_equal(cloud->position, again->position, counts[c] * 12);
        assert_memory_equal(cloud->normal, again->normal, counts[c] * 12);
        assert_memory_equal(cloud->color, again->color, counts[c] * 3);
        assert_memory_equal(cloud->confidence, again->confidence, counts[c] * 4);
        assert_memory_equal(cloud->sigma_m, again->sigma_m, counts[c] * sizeof(float));
        assert_memory_equal(cloud->views, again->views, counts[c]);
        aqm_cloud_destroy(&cloud);
        aqm_cloud_destroy(&again);
    }
}

static AqmMesh *make_mesh(void) {
    AqmMesh *mesh = NULL;
    assert_int_equal(aqm_mesh_create(&mesh, 5000, 9000, NULL), AQM_OK);
    AqmRng rng = aqm_rng(6, 6);
    for (size_t i = 0; i < 15000; i++) {
        mesh->position[i] = (float)aqm_rng_normal(&rng);
        mesh->normal[i] = (float)aqm_rng_normal(&rng);
        mesh->color[i] = (uint8_t)aqm_rng_u32(&rng);
    }
    for (size_t i = 0; i < 5000; i++) {
        mesh->sigma_m[i] = (float)aqm_rng_uniform(&rng);
        mesh->views[i] = (uint8_t)aqm_rng_u32(&rng);
    }
    for (size_t i = 0; i < 27000; i++)
        mesh->triangles[i] = aqm_rng_u32(&rng) % 5000;
    return mesh;
}

static void meshes_come_back(void **state) {
    char path[PATH_MAX];
    AqmMesh *mesh = make_mesh(), *again = NULL;
    AqmCloud *cloud = NULL;
    AqmDiag diag = {0};
    in_folder(path, *state, "m.ply");
    assert_int_equal(aqm_ply_write_mesh(path, mesh, NULL, &diag), AQM_OK);
    if (aqm_ply_read(path, &cloud, &again, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    assert_null(cloud);
    assert_true(again->vertex_count == 5000 && again->triangle_count == 9000);
    assert_memory_equal(mesh->position, again->position, 60000);
    assert_memory_equal(mesh->normal, again->normal, 60000);
    assert_memory_equal(mesh->color, again->color, 15000);
    assert_memory_equal(mesh->sigma_m, again->sigma_m, 20000);
    assert_memory_equal(mesh->views, again->views, 5000);
    assert_memory_equal(mesh->triangles, again->triangles, 27000 * 4);
    aqm_mesh_destroy(&mesh);
    aqm_mesh_destroy(&again);
}

static void positions_and_normals_are_rotated_on_the_way(void **state) {
    static const double quarter_turn[9] = {0, -1, 0, 1, 0, 0, 0, 0, 1};
    char path[PATH_MAX];
    AqmCloud *cloud = make_cloud(3), *again = NULL;
    AqmMesh *mesh = NULL;
    in_folder(path, *state, "r.ply");
    assert_int_equal(aqm_ply_write_cloud(path, cloud, quarter_turn, NULL), AQM_OK);
    assert_int_equal(aqm_ply_read(path, &again, &mesh, NULL), AQM_OK);
    for (size_t i = 0; i < 9; i += 3) {
        assert_true(again->position[i] == -cloud->position[i + 1]);
        assert_true(again->position[i + 1] == cloud->position[i]);
        assert_true(again->normal[i] == -cloud->normal[i + 1]);
        assert_true(again->normal[i + 2] == cloud->normal[i + 2]);
    }
    aqm_cloud_destroy(&cloud);
    aqm_cloud_destroy(&again);
}

static void text_with_polygons_and_foreign_things_is_read(void **state) {
    static const char text[] =
        "ply\r\nformat ascii 1.0\r\ncomment by hand\r\nobj_info x\r\n"
        "element camera 1\nproperty float view\nproperty list uchar float extra\n"
        "element vertex 5\nproperty double x\nproperty float y\nproperty float z\n"
        "property float red\nproperty ushort green\nproperty uchar blue\nproperty int label\n"
        "element face 3\nproperty uchar flags\nproperty list uchar int vertex_index\n"
        "end_header\n"
        "7.5 2 1 2\n"
        "0 0 0 0.5 65535 3 9\n1 0 0 2 257 3 9\n1 1 0 -1 0 3 9\n0 1 0 0 0 3 9\n0 2 1e-3 0 0 300 9\n"
        "1 4 0 1 2 3\n"
        "1 2 0 1\n"
        "1 3 2 3 4";
    setlocale(LC_ALL, "de_DE.UTF-8"); /* where it is installed: a comma for the point */
    AqmCloud *cloud = NULL;
    AqmMesh *mesh = NULL;
    AqmDiag diag = {0};
    const AqmStatus status = read_text(*state, text, &cloud, &mesh, &diag);
    setlocale(LC_ALL, "C");
    if (status != AQM_OK)
        fail_msg("%s", diag.message);
    assert_true(mesh->vertex_count == 5 && mesh->triangle_count == 3);
    const uint32_t triangles[9] = {0, 1, 2, 0, 2, 3, 2, 3, 4};
    assert_memory_equal(mesh->triangles, triangles, sizeof triangles);
    const uint8_t colors[15] = {128, 255, 3, 255, 1, 3, 0, 0, 3, 0, 0, 3, 0, 0, 255};
    assert_memory_equal(mesh->color, colors, sizeof colors);
    assert_true(mesh->position[14] == 1e-3f && mesh->normal[0] == 0);
    aqm_mesh_destroy(&mesh);
}

static void big_endian_is_read(void **state) {
    static const char text[] = "ply\nformat binary_big_endian 1.0\nelement vertex 1\n"
                               "property float x\nproperty short y\nproperty double z\nend_header\n"
                               "\x3f\xc0\0\0\xff\xfe\xbf\xe0\0\0\0\0\0\0";
    char path[PATH_MAX];
    AqmCloud *cloud = NULL;
    AqmMesh *mesh = NULL;
    AqmDiag diag = {0};
    write_bytes(in_folder(path, *state, "b.ply"), text, sizeof text - 1);
    if (aqm_ply_read(path, &cloud, &mesh, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    assert_true(cloud->position[0] == 1.5f && cloud->position[1] == -2 &&
                cloud->position[2] == -0.5f);
    aqm_cloud_destroy(&cloud);
}

/* Faces and types of every size, the vertices after them. */
static void big_endian_meshes_are_read(void **state) {
    static const char text[] =
        "ply\nformat binary_big_endian 1.0\nelement strip 1\n"
        "property list ushort double values\nelement vertex 3\nproperty double x\n"
        "property short y\nproperty char z\nproperty uint red\nproperty double green\n"
        "property ushort blue\nelement face 2\nproperty list int ushort vertex_indices\n"
        "property short flag\nend_header\n"
        "\0\1\x40\x09\x21\xfb\x54\x44\x2d\x18"
        "\x40\x59\0\0\0\0\0\0\1\2\x80\0\0\0\7\x3f\xe0\0\0\0\0\0\0\xff\xff"
        "\0\0\0\0\0\0\0\0\x80\0\x7f\0\0\1\0\0\0\0\0\0\0\0\0\1\1"
        "\xbf\xb9\x99\x99\x99\x99\x99\x9a\x7f\xff\0\0\0\0\xff\x3f\xf0\0\0\0\0\0\0\0\0"
        "\0\0\0\3\0\0\0\1\0\2\xff\xff"
        "\0\0\0\3\0\2\0\1\0\0\0\0";
    char path[PATH_MAX];
    AqmCloud *cloud = NULL;
    AqmMesh *mesh = NULL;
    AqmDiag diag = {0};
    write_bytes(in_folder(path, *state, "b.ply"), text, sizeof text - 1);
    if (aqm_ply_read(path, &cloud, &mesh, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    assert_true(mesh->vertex_count == 3 && mesh->triangle_count == 2);
    const float position[9] = {100, 258, -128, 0, -32768, 127, -0.1f, 32767, 0};
    assert_memory_equal(mesh->position, position, sizeof position);
    const uint8_t color[9] = {7, 128, 255, 255, 0, 1, 255, 255, 0};
    assert_memory_equal(mesh->color, color, sizeof color);
    const uint32_t triangles[6] = {0, 1, 2, 2, 1, 0};
    assert_memory_equal(mesh->triangles, triangles, sizeof triangles);
    aqm_mesh_destroy(&mesh);
}

#define VERTEX "element vertex 1\nproperty float x\nproperty float y\nproperty float z\n"
#define FACE "element face 1\nproperty list uchar int vertex_indices\n"

static void defects_are_named(void **state) {
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "text.ply:1: this is no PLY"},
        {"plywood\n", "text.ply:1: this is no PLY"},
        {"ply\nformat ascii 1.0\n", "no end_header"},
        {"ply\n" VERTEX "end_header\n", "no format"},
        {"ply\nformat morse 1.0\n", "text.ply:2: the format must be"},
        {"ply\nformat ascii 1.0\nelement vertex x\n", "text.ply:3: an element needs"},
        {"ply\nformat ascii 1.0\nelement vertex 5000000000\n", "not 5000000000"},
        {"ply\nformat ascii 1.0\nproperty float x\n", "before the first element"},
        {"ply\nformat ascii 1.0\nelement vertex 1\nproperty real x\n",
         "no type of a property: real"},
        {"ply\nformat ascii 1.0\nelement vertex 1\nproperty list float int x\n",
         "length of a list"},
        {"ply\nformat ascii 1.0\nelement vertex 1\nproperty float\n", "a type and a name"},
        {"ply\nformat ascii 1.0\nelement vertex 1\nelement vertex 1\n", "a second element vertex"},
        {"ply\nformat ascii 1.0\nverse\n", "unknown word in the header: verse"},
        {"ply\nformat ascii 1.0\nelement face 1\nend_header\n", "no element vertex"},
        {"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n",
         "no property y"},
        {"ply\nformat ascii 1.0\n" VERTEX "end_header\n1 2", "promises at least 5 bytes"},
        {"ply\nformat ascii 1.0\n" VERTEX "end_header\n1 two 3\n", "in vertex 0 of 1"},
        {"ply\nformat ascii 1.0\n" VERTEX "end_header\n111 222 ", "in vertex 0 of 1"},
        {"ply\nformat ascii 1.0\n" VERTEX FACE "end_header\n1 2 3\n3 0 0\n", "in face 0 of 1"},
        {"ply\nformat ascii 1.0\n" VERTEX FACE "end_header\n1 2 3\n3 0 0 1\n",
         "names vertex 1 of 1"},
        {"ply\nformat ascii 1.0\n" VERTEX FACE "end_header\n1 2 3\n3 0 0 -1\n", "names vertex -1"},
        {"ply\nformat ascii 1.0\n" VERTEX FACE "end_header\n1 2 3\n-3 0 0 0\n", "in face 0 of 1"},
        {"ply\nformat binary_little_endian 1.0\nelement vertex 4000000000\nproperty double x\n"
         "property double y\nproperty double z\nend_header\nabc",
         "promises at least 96000000000 bytes of data, there are 3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AqmCloud *cloud = NULL;
        AqmMesh *mesh = NULL;
        AqmDiag diag = {0};
        const AqmStatus status = read_text(*state, cases[i].text, &cloud, &mesh, &diag);
        if (status != AQM_ERROR_FORMAT || !strstr(diag.message, cases[i].says))
            fail_msg("%s: status %d, \"%s\"", cases[i].text, (int)status, diag.message);
        assert_true(!cloud && !mesh);
    }
}

static void damaged_files_never_crash(void **state) {
    static const char small[] =
        "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\n"
        "property float z\nelement face 2\nproperty list uchar int vertex_indices\nend_header\n"
        "0 0 0\n1 0 0.5\n1 1 0\n0 1 0.25\n3 0 1 2\n4 0 1 2 3\n";
    char path[PATH_MAX];
    in_folder(path, *state, "f.ply");
    AqmCloud *cloud = make_cloud(20);
    assert_int_equal(aqm_ply_write_cloud(path, cloud, NULL, NULL), AQM_OK);
    aqm_cloud_destroy(&cloud);
    size_t sizes[2] = {0, sizeof small - 1};
    unsigned char *good[2] = {read_bytes(path, &sizes[0]), (unsigned char *)(uintptr_t)small};
    AqmRng rng = aqm_rng(3, 3);
    const size_t before = aqm_alloc_count().live_bytes;
    int refused = 0;
    for (int i = 0; i < 3000; i++) {
        const size_t size = sizes[i & 1];
        unsigned char *bad = malloc(2 * size);
        assert_non_null(bad);
        write_bytes(path, bad, damage(good[i & 1], size, &rng, bad));
        AqmMesh *mesh = NULL;
        AqmDiag diag = {0};
        const AqmStatus status = aqm_ply_read(path, &cloud, &mesh, &diag);
        assert_true((status == AQM_OK) == (cloud != NULL || mesh != NULL));
        assert_true(!cloud || !mesh);
        assert_true((status == AQM_OK) == (diag.message[0] == '\0'));
        refused += status != AQM_OK;
        aqm_cloud_destroy(&cloud);
        aqm_mesh_destroy(&mesh);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
        free(bad);
    }
    assert_true(refused > 500);
    free(good[0]);
}

static AqmStatus read_back(const char *path) {
    AqmCloud *cloud = NULL;
    AqmMesh *mesh = NULL;
    const AqmStatus status = aqm_ply_read(path, &cloud, &mesh, NULL);
    aqm_cloud_destroy(&cloud);
    aqm_mesh_destroy(&mesh);
    return status;
}

static void every_failed_allocation_is_survived(void **state) {
    char path[PATH_MAX];
    AqmMesh *mesh = make_mesh();
    in_folder(path, *state, "e.ply");
    const size_t before = aqm_alloc_count().live_bytes;
    for (int pass = 0; pass < 2; pass++) {
        AqmStatus status = AQM_ERROR_MEMORY;
        size_t n = 1;
        for (; status != AQM_OK; n++) {
            aqm_alloc_fail_from(n);
            status = pass == 0 ? aqm_ply_write_mesh(path, mesh, NULL, NULL) : read_back(path);
            aqm_alloc_fail_from(0);
            assert_true(status == AQM_OK || status == AQM_ERROR_MEMORY);
            assert_int_equal(aqm_alloc_count().live_bytes, before);
        }
        assert_true(n > 3);
    }
    aqm_mesh_destroy(&mesh);
}

static void a_mesh_of_others_is_read(void **state) {
    (void)state;
    char path[PATH_MAX];
    AqmCloud *cloud = NULL;
    AqmMesh *mesh = NULL;
    AqmDiag diag = {0};
    shared_path(path, "data/rendered/r5-board/gt/frame_000000/surface.ply");
    if (aqm_ply_read(path, &cloud, &mesh, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    assert_true(mesh && mesh->triangle_count > 1000);
    aqm_mesh_destroy(&mesh);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(clouds_come_back),
        IN_FOLDER(meshes_come_back),
        IN_FOLDER(positions_and_normals_are_rotated_on_the_way),
        IN_FOLDER(text_with_polygons_and_foreign_things_is_read),
        IN_FOLDER(big_endian_is_read),
        IN_FOLDER(big_endian_meshes_are_read),
        IN_FOLDER(defects_are_named),
        IN_FOLDER(damaged_files_never_crash),
        IN_FOLDER(every_failed_allocation_is_survived),
        cmocka_unit_test(a_mesh_of_others_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
