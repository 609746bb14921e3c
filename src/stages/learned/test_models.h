/* For tests: models whose answers are known, with the signatures of the real ones.
 *
 * What such a model says is chosen from a table by what it sees, so that an answer is right only if
 * the right image arrived, whole, in the right channels and at the right scale: the key of an image
 * is the mean of each channel (0..1), and the row of the table whose key is nearest wins. Keys
 * must differ by more than rounding, 1e-5. The mean survives resizing where an image shrinks, so
 * test_image_key() of the image itself is its key at any size of the model. */
#ifndef AQM_LEARNED_TEST_MODELS_H
#define AQM_LEARNED_TEST_MODELS_H

#include "aquamvs/types.h"
#include "stages/learned/test_graph.h"

/* The key of an image for a model of 1 or 3 channels. */
void test_image_key(const AqmImageView *image, int channels, float *key);

/* Keypoints for each image that can come. */
typedef struct TestKeypoints {
    size_t rows, count; /* images, keypoints in each */
    int channels, descriptor_size;
    const float *keys;        /* rows x channels */
    const float *positions;   /* rows x count x 2, px of what the model is given */
    const float *descriptors; /* rows x count x descriptor_size */
    /* rows x count; NULL: what stands in the image at the rounded position, the mean of its
     * channels weighted 1, 2, 3 (so that their order counts) */
    const float *scores;
} TestKeypoints;

/* The extractor of LightGlue's exports. image_shape: "1 3 H W", "1 1 480 640", ... */
bool test_write_extractor(const char *path, const TestKeypoints *table, const char *image_shape,
                          bool as_int64, bool is_batch);

/* That of COLMAP, which gives the first max_keypoints (those of its table), their scores (the
 * table's, needed here) raised by min_score, and positions that are off by as many px as the image
 * has too many for a multiple of 32. */
bool test_write_colmap_extractor(const char *path, const TestKeypoints *table);

typedef enum TestMatcher {
    TEST_MATCHER_PADDED, /* matches0 [1 M] with -1, mscores0 [1 M] */
    TEST_MATCHER_INT32,  /* the same in 32 bits */
    TEST_MATCHER_PAIRS,  /* matches0 [K 2], mscores0 [K] */
    TEST_MATCHER_COLMAP  /* matches0 [M], mscores0 [M], with image_size0 and image_size1 */
} TestMatcher;

/* Matches each first descriptor with the second one that has the largest product with it, if that
 * is above 0.5. The score is the product; or with from_positions, so that what was given as
 * positions can be told: 0.5 + (x0 + 2 y0 + 3 x1 + 4 y1) / 40, for COLMAP's matcher of positions
 * over their image's size. */
bool test_write_matcher(const char *path, TestMatcher kind, int descriptor_size,
                        bool from_positions);

/* Both in one: keypoints by the table (of 2 images, both of its rows may be the same), matches by
 * descriptor as above. */
bool test_write_pipeline(const char *path, const TestKeypoints *table, const char *image_shape);

/* Warps for each pair of images that can come. Positions in -1..1 from edge to edge. */
typedef struct TestWarps {
    size_t rows;
    int width, height;      /* of the model, fixed */
    const float *keys;      /* rows x 6: of the first image, of the second */
    const float *targets;   /* rows x height x width x 2 */
    const float *overlap;   /* rows x height x width; NULL = 1 everywhere */
    const float *precision; /* rows x height x width x 4; NULL = the model gives none */
    size_t lacks; /* of the last rows there is nothing but the keys: there the model fails */
} TestWarps;

bool test_write_dense_table(const char *path, const TestWarps *table);

/* A warp by formula, at any size ("H", "W") or a fixed one ("64"): with x, y the centre of a cell
 * in -1..1, target u is the sum of coefficients[0] times 1, x, y, x x, x y, y y, target v the same
 * with coefficients[1]. The overlap is the sum of weights times the pixel's channels of the first
 * and the second image. precision (2 x 2, the same for all cells) may be NULL. */
bool test_write_dense_formula(const char *path, const char *height, const char *width,
                              const float coefficients[2][6], const float weights[6],
                              const float *precision);

/* A model that says the same whatever it is given: for answers that must not be believed. */
typedef struct TestPort {
    const char *name;
    int element;
    const char *declared; /* the shape that the file declares */
    const char *shape;    /* of the values; outputs only */
    const void *values;   /* outputs only */
} TestPort;
bool test_write_constant(const char *path, const TestPort *inputs, size_t input_count,
                         const TestPort *outputs, size_t output_count);

#endif
