/* The reference of the kernels of fusion; contracts in fusion_kernels.h. */
#include "base/cpu.h"
#include "kernels/fusion_loops.h"

static float depth_of(uint32_t texel) {
    const uint32_t bits = (texel >> 8 << AQM_TEXEL_SHIFT) + AQM_TEXEL_BIAS;
    float depth;
    memcpy(&depth, &bits, sizeof depth);
    return depth;
}

/* Bilinear where the four depths around (u, v) lie on one surface, else the nearest; NaN where
 * there is none. `deviation`: that of the nearest pixel. */
static float sample(const AqmSightMap *map, float u, float v, float tolerance, float *deviation) {
    if (!(u > -0.5f && v > -0.5f && u < (float)map->width - 0.5f && v < (float)map->height - 0.5f))
        return NAN;
    const int x = (int)(u + 1.0f) - 1, y = (int)(v + 1.0f) - 1; /* floor: neither is below -1 */
    const float fu = u - (float)x, fv = v - (float)y;
    const uint32_t *top = map->texels + (ptrdiff_t)y * map->pitch + x, *low = top + map->pitch;
    const uint32_t nearest = (fv >= 0.5f ? low : top)[fu >= 0.5f];
    const float a = depth_of(top[0]), b = depth_of(top[1]), c = depth_of(low[0]);
    const float d = depth_of(low[1]);
    const float nearer = least(least(a, b), least(c, d)), farther = most(most(a, b), most(c, d));
    const int whole = top[0] && top[1] && low[0] && low[1];
    *deviation = aqm_deviation_of(nearest);
    if (!(whole && farther - nearer < tolerance))
        return nearest ? depth_of(nearest) : NAN;
    const float wd = fu * fv, wb = fu - wd, wc = fv - wd;
    return a + (wb * (b - a) + wc * (c - a) + wd * (d - a));
}

static void sight(const AqmSightCamera *camera, const AqmSightBend *bend, const AqmSightMap *map,
                  const AqmSightPoints *points, const float *variance, float tolerance, size_t n,
                  float *beyond, float *weight) {
    for (size_t first = 0; first < n; first += CHUNK) {
        const size_t length = n - first < CHUNK ? n - first : CHUNK;
        Seen seen;
        locate(camera, bend, points, first, length, &seen);
        for (size_t k = 0; k < length; k++) {
            float deviation = 0.0f;
            const float depth = sample(map, seen.u[k], seen.v[k], tolerance, &deviation);
            const float difference = depth - seen.depth[k];
            const int agrees = fabsf(difference) < tolerance; /* NaN does not */
            const float along = deviation * seen.ratio[k];
            beyond[first + k] = agrees ? difference * seen.ratio[k] : NAN;
            weight[first + k] = agrees ? 1.0f / (along * along + variance[first + k]) : 0.0f;
        }
    }
}

static void arrive(const AqmVoxelGrid *grid, const AqmPointRow *row, size_t n, AqmVoxelSums *points,
                   AqmVoxelPlace *places) {
    for (size_t at = 0; at < n; at += AQM_ARRIVALS) {
        ArrivalBlock block;
        arrive_block(grid, row, at, &block);
        for (int k = 0; k < AQM_ARRIVALS; k++) {
            AqmVoxelSums *point = &points[at + (size_t)k];
            for (int i = 0; i < 3; i++)
                point->index[i] = block.index[i][k];
            point->views = block.views[k];
            for (int i = 0; i < AQM_VOXEL_SUMS; i++)
                point->sums[i] = block.sums[i][k];
            places[at + (size_t)k] = (AqmVoxelPlace){block.first[k], block.tag[k]};
        }
    }
}

const AqmFusionKernels aqm_fusion_kernels_reference = {
    .name = "reference",
    .rays = loops_rays,
    .pack = loops_pack,
    .slopes = loops_slopes,
    .normals = loops_normals,
    .bend = loops_bend,
    .sight = sight,
    .settle = loops_settle,
    .spread = loops_spread,
    .keep = loops_keep,
    .arrive = arrive,
};

const AqmFusionKernels *aqm_fusion_kernels(unsigned cpu_features) {
#if defined(__x86_64__)
    if (cpu_features & AQM_CPU_AVX2)
        return &aqm_fusion_kernels_avx2;
#else
    (void)cpu_features;
#endif
    return &aqm_fusion_kernels_reference;
}
