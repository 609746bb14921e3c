#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <locale.h>
#include <math.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "io/base64.h"
#include "io/io_test_util.h"
#include "io/test_export_mesh.h"

static const double quarter_turn[9] = {0, -1, 0, 1, 0, 0, 0, 0, 1};

/* A .glb taken apart. */
typedef struct Glb {
    unsigned char *bytes; /* owned */
    char *json;           /* owned */
    const unsigned char *buffer;
    size_t buffer_size;
} Glb;

static uint32_t word_at(const unsigned char *bytes) {
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static Glb written_glb(const char *folder, const AqmMesh *mesh, const double *rotation) {
    char path[PATH_MAX];
    size_t size;
    AqmDiag diag = {0};
    if (aqm_glb_write_mesh(in_folder(path, folder, "a.glb"), mesh, rotation, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    Glb glb = {.bytes = read_bytes(path, &size)};
    assert_true(size > 28 && memcmp(glb.bytes, "glTF\2\0\0\0", 8) == 0);
    assert_int_equal(word_at(glb.bytes + 8), size);
    const size_t json_size = word_at(glb.bytes + 12);
    assert_true(json_size % 4 == 0 && memcmp(glb.bytes + 16, "JSON", 4) == 0);
    assert_true(28 + json_size <= size);
    glb.json = malloc(json_size + 1);
    assert_non_null(glb.json);
    memcpy(glb.json, glb.bytes + 20, json_size);
    glb.json[json_size] = '\0';
    const unsigned char *chunk = glb.bytes + 20 + json_size;
    glb.buffer = chunk + 8;
    glb.buffer_size = word_at(chunk);
    assert_memory_equal(chunk + 4, "BIN\0", 4);
    assert_int_equal(28 + json_size + glb.buffer_size, size);
    return glb;
}

static void release(Glb *glb) {
    free(glb->json);
    free(glb->bytes);
}

static void a_small_glb(void **state) {
    AqmMesh *mesh = make_two_triangles();
    setlocale(LC_ALL, "de_DE.UTF-8"); /* where it is installed: a comma for the point */
    Glb glb = written_glb(*state, mesh, NULL);
    setlocale(LC_ALL, "C");
    char expected[4096];
    snprintf(expected, sizeof expected,
             "{\"asset\":{\"version\":\"2.0\",\"generator\":\"aquamvs %s\",\"extras\":{"
             "\"unit\":\"metre\",\"buffer_axes\":\"world: Z down; the node turns it to Y up\"}},\n"
             "\"scene\":0,\n\"scenes\":[{\"nodes\":[0]}],\n"
             "\"nodes\":[{\"name\":\"surface\",\"mesh\":0,"
             "\"rotation\":[0.7071067811865476,0,0,0.7071067811865476]}],\n"
             "\"meshes\":[{\"name\":\"surface\",\"primitives\":[{\"mode\":4,\"indices\":0,"
             "\"material\":0,\"attributes\":{\"POSITION\":1,\"NORMAL\":2,\"COLOR_0\":3,"
             "\"_SIGMA\":4}}]}],\n"
             "\"materials\":[{\"name\":\"surface\",\"doubleSided\":true,"
             "\"pbrMetallicRoughness\":{\"metallicFactor\":0,\"roughnessFactor\":1}}],\n"
             "\"accessors\":["
             "{\"bufferView\":0,\"componentType\":5125,\"type\":\"SCALAR\",\"count\":6},"
             "{\"bufferView\":1,\"componentType\":5126,\"type\":\"VEC3\",\"count\":4,"
             "\"min\":[0,0,1],\"max\":[0.1,0.2,1.25]},"
             "{\"bufferView\":2,\"componentType\":5126,\"type\":\"VEC3\",\"count\":4},"
             "{\"bufferView\":3,\"componentType\":5123,\"normalized\":true,\"type\":\"VEC4\","
             "\"count\":4},"
             "{\"bufferView\":4,\"componentType\":5126,\"type\":\"SCALAR\",\"count\":4}],\n"
             "\"bufferViews\":["
             "{\"buffer\":0,\"byteOffset\":0,\"byteLength\":24,\"target\":34963},"
             "{\"buffer\":0,\"byteOffset\":24,\"byteLength\":48,\"target\":34962},"
             "{\"buffer\":0,\"byteOffset\":72,\"byteLength\":48,\"target\":34962},"
             "{\"buffer\":0,\"byteOffset\":120,\"byteLength\":32,\"target\":34962},"
             "{\"buffer\":0,\"byteOffset\":152,\"byteLength\":16,\"target\":34962}],\n"
             "\"buffers\":[{\"byteLength\":168}]}",
             aqm_version());
    size_t length = strlen(glb.json);
    while (length > 0 && glb.json[length - 1] == ' ')
        glb.json[--length] = '\0';
    assert_string_equal(glb.json, expected);
    assert_int_equal(glb.buffer_size, 168);
    assert_memory_equal(glb.buffer, mesh->triangles, 24);
    assert_memory_equal(glb.buffer + 24, mesh->position, 48);
    const float normals[9] = {0, 0, -1, 0, 0, -1, 0, 0.6f, -0.8f};
    assert_memory_equal(glb.buffer + 72, normals, sizeof normals);
    /* 128 of 255 in sRGB is 0.21586 of linear light, 1 is 0.00030353, 10 is 0.0030353 */
    const uint16_t colors[16] = {65535, 0,   0,     65535, 0,     65535, 14146, 65535,
                                 20,    199, 65535, 65535, 65535, 65535, 65535, 65535};
    assert_memory_equal(glb.buffer + 120, colors, sizeof colors);
    const float sigma[4] = {-1, 0.001f, 0.25f, -1};
    assert_memory_equal(glb.buffer + 152, sigma, sizeof sigma);
    release(&glb);
    aqm_mesh_destroy(&mesh);
}

static void positions_and_normals_are_rotated_on_the_way(void **state) {
    AqmMesh *mesh = make_two_triangles();
    Glb glb = written_glb(*state, mesh, quarter_turn);
    assert_non_null(strstr(glb.json, "\"min\":[-0.2,0,1],\"max\":[0,0.1,1.25]"));
    const float position[3] = {-0.2f, 0.1f, 1.25f}, normal[3] = {-0.6f, 0, -0.8f};
    assert_memory_equal(glb.buffer + 24 + 3 * 12, position, 12);
    float written[3];
    memcpy(written, glb.buffer + 72 + 2 * 12, 12);
    for (int k = 0; k < 3; k++)
        assert_true(fabsf(written[k] - normal[k]) < 1e-7f);
    release(&glb);
    aqm_mesh_destroy(&mesh);
}

static void sigma_is_left_out_where_none_is_known(void **state) {
    AqmMesh *mesh = make_two_triangles();
    for (int i = 0; i < 4; i++)
        mesh->sigma_m[i] = NAN;
    Glb glb = written_glb(*state, mesh, NULL);
    assert_null(strstr(glb.json, "_SIGMA"));
    assert_null(strstr(glb.json, "\"bufferView\":4"));
    assert_int_equal(glb.buffer_size, 152);
    release(&glb);
    aqm_mesh_destroy(&mesh);
}

/* Every byte comes back from linear light, each from a value of its own. */
static void colors_come_back_from_linear_light(void **state) {
    AqmMesh *mesh = make_sheet(16, 16);
    for (size_t i = 0; i < 256; i++)
        mesh->color[3 * i] = (uint8_t)i;
    Glb glb = written_glb(*state, mesh, NULL);
    const unsigned char *colors = glb.buffer + 12 * mesh->triangle_count + 24 * 256;
    int last = -1;
    for (int i = 0; i < 256; i++) {
        uint16_t color[4];
        memcpy(color, colors + 8 * i, sizeof color);
        const double linear = color[0] / 65535.0;
        const double srgb =
            linear <= 0.0031308 ? 12.92 * linear : 1.055 * pow(linear, 1 / 2.4) - 0.055;
        assert_int_equal(lround(255 * srgb), i);
        assert_true(color[0] > last && color[3] == 65535);
        last = color[0];
    }
    release(&glb);
    aqm_mesh_destroy(&mesh);
}

/* Over many chunks: the buffer of the .gltf is that of the .glb, the document the same but for
 * where the buffer is. */
static void a_gltf_holds_the_same_as_a_glb(void **state) {
    char path[PATH_MAX];
    size_t size;
    AqmMesh *mesh = make_sheet(130, 61);
    Glb glb = written_glb(*state, mesh, NULL);
    assert_int_equal(aqm_gltf_write_mesh(in_folder(path, *state, "a.gltf"), mesh, NULL, NULL),
                     AQM_OK);
    char *text = (char *)read_bytes(path, &size);
    json_error_t error;
    json_t *document = json_loads(text, 0, &error), *binary = json_loads(glb.json, 0, &error);
    assert_non_null(document);
    assert_non_null(binary);
    json_t *buffer = json_array_get(json_object_get(document, "buffers"), 0);
    const char *uri = json_string_value(json_object_get(buffer, "uri"));
    static const char prefix[] = "data:application/octet-stream;base64,";
    assert_int_equal(strncmp(uri, prefix, strlen(prefix)), 0);
    char *coded = malloc(AQM_BASE64_ROOM(glb.buffer_size) + 1);
    AqmBase64 base64 = {0};
    char *end = aqm_base64_put(&base64, glb.buffer, glb.buffer_size, coded);
    *aqm_base64_end(&base64, end) = '\0';
    assert_int_equal(strlen(uri), strlen(prefix) + strlen(coded));
    assert_memory_equal(uri + strlen(prefix), coded, strlen(coded));
    json_object_del(buffer, "uri");
    assert_true(json_equal(document, binary));
    free(coded);
    json_decref(document);
    json_decref(binary);
    free(text);
    /* and the buffer is the mesh */
    const unsigned char *at = glb.buffer;
    assert_memory_equal(at, mesh->triangles, 12 * mesh->triangle_count);
    at += 12 * mesh->triangle_count;
    assert_memory_equal(at, mesh->position, 12 * mesh->vertex_count);
    at += (12 + 12 + 8) * mesh->vertex_count;
    assert_memory_equal(at, mesh->sigma_m, 4 * mesh->vertex_count);
    assert_ptr_equal(at + 4 * mesh->vertex_count, glb.buffer + glb.buffer_size);
    release(&glb);
    aqm_mesh_destroy(&mesh);
}

static void bounds_of_awkward_floats_read_back(void **state) {
    AqmMesh *mesh = make_two_triangles();
    const float least[3] = {-1.17549435e-38f, -0.1f, -3.4028235e38f};
    memcpy(mesh->position + 3, least, sizeof least);
    Glb glb = written_glb(*state, mesh, NULL);
    char *at = strstr(glb.json, "\"min\":[");
    assert_non_null(at);
    at += strlen("\"min\":[");
    for (int k = 0; k < 3; k++, at++)
        assert_true(strtof(at, &at) == least[k]);
    release(&glb);
    aqm_mesh_destroy(&mesh);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_small_glb),
        IN_FOLDER(positions_and_normals_are_rotated_on_the_way),
        IN_FOLDER(sigma_is_left_out_where_none_is_known),
        IN_FOLDER(colors_come_back_from_linear_light),
        IN_FOLDER(a_gltf_holds_the_same_as_a_glb),
        IN_FOLDER(bounds_of_awkward_floats_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
