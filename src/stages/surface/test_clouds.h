/* For the tests of surfaces: clouds to fill, and making a surface while memory fails. Included
 * after cmocka.h. */
#ifndef AQM_STAGES_SURFACE_TEST_CLOUDS_H
#define AQM_STAGES_SURFACE_TEST_CLOUDS_H

#include "aquamvs/types.h"
#include "base/alloc.h"

static inline AqmCloud *empty_cloud(size_t capacity) {
    AqmCloud *cloud = NULL;
    assert_int_equal(aqm_cloud_create(&cloud, capacity, NULL), AQM_OK);
    return cloud;
}

/* A point of two colours, by the sign of x; without a normal where n is NULL. */
static inline void add_seen_point(AqmCloud *cloud, const double p[3], const double *n,
                                  float sigma_m) {
    const size_t i = cloud->count++;
    for (size_t k = 0; k < 3; k++) {
        cloud->position[3 * i + k] = (float)p[k];
        cloud->normal[3 * i + k] = n ? (float)n[k] : 0.0f;
    }
    cloud->color[3 * i] = 100, cloud->color[3 * i + 1] = p[0] < 0.0 ? 50 : 200;
    cloud->color[3 * i + 2] = 7;
    cloud->confidence[i] = 0.5f;
    cloud->sigma_m[i] = sigma_m;
    cloud->views[i] = 3;
}

typedef AqmStatus (*MakeSurface)(const AqmCloud *cloud, const void *options, AqmMesh **mesh,
                                 AqmDiag *diag);

/* Makes the surface with the first allocation failing, then the second, until none does: each time
 * it must say so and leave nothing behind. Returns how many there are. */
static inline size_t survive_failed_allocations(MakeSurface make, const AqmCloud *cloud,
                                                const void *options) {
    const size_t before = aqm_alloc_count().live_bytes;
    for (size_t n = 1;; n++) {
        AqmMesh *mesh = NULL;
        AqmDiag diag = {0};
        aqm_alloc_fail_from(n);
        const AqmStatus status = make(cloud, options, &mesh, &diag);
        aqm_alloc_fail_from(0);
        if (status == AQM_OK)
            aqm_mesh_destroy(&mesh);
        else
            assert_int_equal(status, AQM_ERROR_MEMORY);
        assert_int_equal(diag.status, status);
        assert_null(mesh);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
        if (status == AQM_OK)
            return n - 1;
    }
}

#endif
