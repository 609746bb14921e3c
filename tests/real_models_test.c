/* Real model files, where $AQUAMVS_MODELS names a folder of them: all are opened, told apart and
 * run on two pictures of one speckled plane, the second seen 6 px to the side, and what they say
 * must be sane. No figure is asked of them: which they reach depends on the weights. */
#include <dirent.h>

#include "stages/learned/test_learned.h"

enum { WIDTH = 320, HEIGHT = 256, SHIFT = 6, MODELS = 32 };

typedef struct Found {
    char name[256];
    AqmModel *model;
    AqmFeatures *features[2]; /* of an extractor */
} Found;

static size_t find(const TestLearned *t, const char *folder, Found found[MODELS]) {
    size_t count = 0;
    DIR *list = opendir(folder);
    assert_non_null(list);
    for (struct dirent *entry; (entry = readdir(list)) && count < MODELS;) {
        const char *dot = strrchr(entry->d_name, '.');
        char path[4096];
        AqmDiag diag = {0};
        if (!dot || strcmp(dot, ".onnx") != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        snprintf(found[count].name, sizeof found[count].name, "%s", entry->d_name);
        if (aqm_model_open(&found[count].model, t->onnx, path, 0, &diag) != AQM_OK)
            fail_msg("%s", diag.message);
        print_message("%s: kind %d\n", entry->d_name, (int)aqm_model_kind(found[count].model));
        count++;
    }
    closedir(list);
    return count;
}

/* Speckles of 3 px, seen `shift` px to the side. */
static AqmImage *speckles(int shift) {
    AqmImage *image = NULL;
    assert_int_equal(aqm_image_create(&image, WIDTH, HEIGHT, 3, AQM_U8, NULL), AQM_OK);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            AqmRng rng = aqm_rng((uint64_t)((x + shift) / 3), (uint64_t)(y / 3));
            uint8_t *p = (uint8_t *)image->data + (size_t)y * image->stride + 3 * (size_t)x;
            memset(p, (int)(40.0 + 180.0 * aqm_rng_uniform(&rng)), 3);
        }
    return image;
}

static void check_matches(const char *name, const AqmMatches *m, const AqmDiag *diag,
                          AqmStatus status) {
    if (status != AQM_OK)
        fail_msg("%s", diag->message);
    size_t right = 0;
    for (size_t i = 0; i < m->count; i++)
        right += fabsf(m->first_position[2 * i] - SHIFT - m->second_position[2 * i]) < 2.0f &&
                 fabsf(m->first_position[2 * i + 1] - m->second_position[2 * i + 1]) < 2.0f;
    print_message("%s: %zu matches, %zu of them right\n", name, m->count, right);
    assert_true(m->count > 0 && 2 * right > m->count);
}

static void run_extractor(Found *found, const AqmImageView views[2]) {
    AqmDiag diag = {0};
    for (int i = 0; i < 2; i++) {
        if (aqm_learned_extract(&found->features[i], found->model, &views[i], NULL, 1024, 0.0,
                                &diag) != AQM_OK)
            fail_msg("%s", diag.message);
        print_message("%s: %zu features of %d values\n", found->name, found->features[i]->count,
                      found->features[i]->descriptor_size);
        assert_true(found->features[i]->count > 0);
    }
}

static void run_warp(const Found *found, const AqmImageView views[2]) {
    AqmWarp *warp = NULL;
    AqmDiag diag = {0};
    if (aqm_learned_warp(&warp, found->model, &views[0], &views[1], 320, 320, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    size_t right = 0, sure = 0;
    const size_t cells = (size_t)warp->width * (size_t)warp->height;
    for (size_t k = 0; k < cells; k++) {
        const double u = ((double)(k % (size_t)warp->width) + 0.5) * WIDTH / warp->width - 0.5;
        if (!(warp->certainty[k] > 0.5f))
            continue;
        sure++;
        right += fabs((double)warp->target[2 * k] + SHIFT - u) < 2.0;
    }
    print_message("%s: %zu of %zu cells are sure, %zu right\n", found->name, sure, cells, right);
    assert_true(4 * sure > cells && 2 * right > sure);
    aqm_warp_destroy(&warp);
}

static void run_pipeline(const Found *found, const AqmImageView views[2]) {
    AqmFeatures *features[2] = {NULL, NULL};
    AqmMatches *matches = NULL;
    AqmDiag diag = {0};
    const AqmStatus status = aqm_learned_match_images(
        &features[0], &features[1], &matches, found->model, &views[0], &views[1], 0.0, &diag);
    check_matches(found->name, matches, &diag, status);
    aqm_features_destroy(&features[0]);
    aqm_features_destroy(&features[1]);
    aqm_matches_destroy(&matches);
}

/* With the features of the extractor that its name ends in: lightglue_disk.onnx, disk.onnx. */
static void run_matcher(const Found *found, const Found *all, size_t count) {
    static const int size[2] = {WIDTH, HEIGHT};
    const size_t length = strlen(found->name);
    for (size_t i = 0; i < count; i++) {
        const size_t tail = strlen(all[i].name);
        if (!all[i].features[0] || tail >= length ||
            strcmp(found->name + length - tail, all[i].name) != 0)
            continue;
        AqmMatches *matches = NULL;
        AqmDiag diag = {0};
        const AqmStatus status = aqm_learned_match(&matches, found->model, all[i].features[0], size,
                                                   all[i].features[1], size, 0.0, &diag);
        check_matches(found->name, matches, &diag, status);
        aqm_matches_destroy(&matches);
    }
}

static void real_models_run(void **state) {
    TestLearned *t = test_learned(state);
    const char *folder = getenv("AQUAMVS_MODELS");
    assert_non_null(folder);
    static Found found[MODELS];
    const size_t count = find(t, folder, found);
    AqmImage *images[2] = {speckles(0), speckles(SHIFT)};
    const AqmImageView views[2] = {aqm_image_view(images[0]), aqm_image_view(images[1])};
    for (size_t i = 0; i < count; i++) {
        const AqmModelKind kind = aqm_model_kind(found[i].model);
        if (kind == AQM_MODEL_EXTRACTOR || kind == AQM_MODEL_COLMAP_EXTRACTOR)
            run_extractor(&found[i], views);
        else if (kind == AQM_MODEL_DENSE)
            run_warp(&found[i], views);
        else if (kind == AQM_MODEL_PIPELINE)
            run_pipeline(&found[i], views);
    }
    for (size_t i = 0; i < count; i++)
        if (aqm_model_kind(found[i].model) == AQM_MODEL_MATCHER ||
            aqm_model_kind(found[i].model) == AQM_MODEL_COLMAP_MATCHER)
            run_matcher(&found[i], found, count);
    for (size_t i = 0; i < count; i++) {
        aqm_features_destroy(&found[i].features[0]);
        aqm_features_destroy(&found[i].features[1]);
        aqm_model_close(&found[i].model);
    }
    for (int i = 0; i < 2; i++)
        aqm_image_destroy(&images[i]);
    assert_true(count > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(real_models_run)};
    const char *folder = getenv("AQUAMVS_MODELS");
    if (!folder || !*folder) {
        print_message("skipped: $AQUAMVS_MODELS names no folder of model files\n");
        return 77;
    }
    return TEST_LEARNED_RUN(tests);
}
