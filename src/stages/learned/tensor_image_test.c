/* What needs no ONNX Runtime: images to tensors and positions back. */
#include "stages/learned/tensor_image.h"

#include "stages/learned/test_learned.h"

static AqmPlacement placement_of(int width, int height, int to_width, int to_height, int pad) {
    return (AqmPlacement){
        {width, height}, {to_width, to_height}, {to_width + pad, to_height + pad}};
}

static double mean_of(const float *values, size_t count) {
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i];
    return sum / (double)count;
}

/* The mean stays, which says that every pixel counts the same; and an even image stays even. */
static void making_smaller_counts_every_pixel_once(void **state) {
    (void)state;
    static const int sizes[][2] = {{97, 61}, {96, 60}, {50, 50}, {33, 7}, {2, 3}, {1, 1}};
    AqmImage *image = test_image(97, 61, 3, 1);
    const AqmImageView view = aqm_image_view(image);
    float key[3];
    test_image_key(&view, 3, key);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const size_t plane = (size_t)sizes[i][0] * (size_t)sizes[i][1];
        const AqmPlacement p = placement_of(97, 61, sizes[i][0], sizes[i][1], 0);
        float *out = malloc(3 * plane * sizeof *out);
        assert_int_equal(aqm_image_to_tensor(&view, 3, &p, out, NULL), AQM_OK);
        for (size_t c = 0; c < 3; c++)
            assert_true(fabs(mean_of(out + c * plane, plane) - (double)key[c]) < 2e-6);
        free(out);
    }
    memset(image->data, 51, image->stride * 61);
    float even[40 * 80];
    const AqmPlacement p = placement_of(97, 61, 40, 80, 0); /* smaller one way, larger the other */
    assert_int_equal(aqm_image_to_tensor(&view, 1, &p, even, NULL), AQM_OK);
    for (size_t i = 0; i < 40 * 80; i++)
        assert_true(fabsf(even[i] - 0.2f) < 1e-6f);
    aqm_image_destroy(&image);
}

static void the_same_size_is_the_same_image(void **state) {
    (void)state;
    enum { W = 31, H = 17, PAD = 5 };
    AqmImage *image = test_image(W, H, 3, 2);
    const AqmImageView view = aqm_image_view(image);
    const AqmPlacement p = placement_of(W, H, W, H, PAD);
    float out[3][H + PAD][W + PAD];
    assert_int_equal(aqm_image_to_tensor(&view, 3, &p, &out[0][0][0], NULL), AQM_OK);
    for (size_t c = 0; c < 3; c++)
        for (size_t y = 0; y < H + PAD; y++)
            for (size_t x = 0; x < W + PAD; x++) { /* the last row and column go on */
                const size_t v = y < H ? y : H - 1, u = x < W ? x : W - 1;
                const uint8_t byte = ((const uint8_t *)image->data)[v * image->stride + 3 * u + c];
                assert_true(out[c][y][x] == (float)byte / 255.0f);
            }
    aqm_image_destroy(&image);
}

static void making_larger_joins_the_pixels_by_lines(void **state) {
    (void)state;
    AqmImage *image = test_image(4, 1, 1, 3);
    const uint8_t values[4] = {0, 51, 255, 102};
    memcpy(image->data, values, 4);
    const AqmImageView view = aqm_image_view(image);
    const AqmPlacement p = placement_of(4, 1, 8, 1, 0);
    float out[8];
    assert_int_equal(aqm_image_to_tensor(&view, 1, &p, out, NULL), AQM_OK);
    /* centres at -0.25, 0.25, 0.75, ... */
    const float expected[8] = {0.0f, 0.05f, 0.15f, 0.4f, 0.8f, 0.85f, 0.55f, 0.4f};
    for (int i = 0; i < 8; i++)
        assert_true(fabsf(out[i] - expected[i]) < 1e-6f);
    aqm_image_destroy(&image);
}

static void positions_come_back_to_their_pixels(void **state) {
    (void)state;
    const AqmPlacement p = placement_of(1600, 1200, 512, 384, 0);
    float uv[2];
    aqm_place_back(&p, (const double[]){-0.5, -0.5}, uv); /* corners to corners */
    assert_true(uv[0] == -0.5f && uv[1] == -0.5f);
    aqm_place_back(&p, (const double[]){511.5, 383.5}, uv);
    assert_true(uv[0] == 1599.5f && uv[1] == 1199.5f);
    aqm_place_back(&p, (const double[]){0.0, 255.5}, uv); /* half a cell in */
    assert_true(fabsf(uv[0] - 1.0625f) < 1e-4f && fabsf(uv[1] - 799.5f) < 1e-3f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(making_smaller_counts_every_pixel_once),
        cmocka_unit_test(the_same_size_is_the_same_image),
        cmocka_unit_test(making_larger_joins_the_pixels_by_lines),
        cmocka_unit_test(positions_come_back_to_their_pixels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
