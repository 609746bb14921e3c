#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "aquamvs/types.h"
#include "base/alloc.h"

static void bad_images_are_refused_with_a_sentence(void **state) {
    (void)state;
    AqmImage *image = NULL;
    AqmDiag diag = {0};
    assert_int_equal(aqm_image_create(&image, 0, 5, 1, AQM_U8, &diag), AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "0 x 5"));
    assert_int_equal(aqm_image_create(&image, 5, 5, 2, AQM_U8, NULL), AQM_ERROR_ARGUMENT);
    assert_null(image);
}

static void a_depth_map_begins_unknown(void **state) {
    (void)state;
    AqmDepthMap *map = NULL;
    assert_int_equal(aqm_depth_map_create(&map, 3, 2, NULL), AQM_OK);
    for (int i = 0; i < 6; i++) {
        assert_true(isnan(map->depth_m[i]));
        assert_true(map->confidence[i] == 0.0f);
        assert_true(isnan(map->sigma_m[i]));
    }
    aqm_depth_map_destroy(&map);
    assert_null(map);
    aqm_depth_map_destroy(&map);
}

static AqmStatus create_all(void) {
    AqmImage *image = NULL;
    AqmRig *rig = NULL;
    AqmCloud *cloud = NULL;
    AqmMesh *mesh = NULL;
    AqmFeatures *features = NULL;
    AqmMatches *matches = NULL;
    AqmWarp *warp = NULL;
    AqmTracks *tracks = NULL;
    AqmHeightMap *heights = NULL;
    AqmStatus status = aqm_image_create(&image, 4, 4, 3, AQM_U16, NULL);
    if (status == AQM_OK)
        status = aqm_rig_create(&rig, 2, NULL);
    if (status == AQM_OK)
        status = aqm_cloud_create(&cloud, 5, NULL);
    if (status == AQM_OK)
        status = aqm_cloud_reserve(cloud, 50, NULL);
    if (status == AQM_OK)
        status = aqm_mesh_create(&mesh, 4, 2, NULL);
    if (status == AQM_OK)
        status = aqm_features_create(&features, 3, 128, NULL);
    if (status == AQM_OK)
        status = aqm_matches_create(&matches, 3, NULL);
    if (status == AQM_OK)
        status = aqm_warp_create(&warp, 3, 2, NULL);
    if (status == AQM_OK)
        status = aqm_tracks_create(&tracks, 3, 7, NULL);
    if (status == AQM_OK)
        status = aqm_height_map_create(&heights, 3, 2, NULL);
    aqm_image_destroy(&image);
    aqm_rig_destroy(&rig);
    aqm_cloud_destroy(&cloud);
    aqm_mesh_destroy(&mesh);
    aqm_features_destroy(&features);
    aqm_matches_destroy(&matches);
    aqm_warp_destroy(&warp);
    aqm_tracks_destroy(&tracks);
    aqm_height_map_destroy(&heights);
    return status;
}

static void every_failed_allocation_is_survived_without_a_leak(void **state) {
    (void)state;
    const size_t before = aqm_alloc_count().live_bytes;
    size_t n = 1;
    for (;; n++) {
        aqm_alloc_fail_from(n);
        const AqmStatus status = create_all();
        aqm_alloc_fail_from(0);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
        if (status == AQM_OK)
            break;
        assert_int_equal(status, AQM_ERROR_MEMORY);
    }
    assert_true(n > 35);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_images_are_refused_with_a_sentence),
        cmocka_unit_test(a_depth_map_begins_unknown),
        cmocka_unit_test(every_failed_allocation_is_survived_without_a_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
