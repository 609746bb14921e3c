/* Depth maps of all views at a low resolution, and which of their pixels are sure. */
#ifndef AQM_STEREO_COARSE_H
#define AQM_STEREO_COARSE_H

#include "stages/stereo/level.h"

enum { AQM_COARSE_VIEWS_MAX = 64 };

/* What is searched, and what makes a pixel sure. */
typedef struct AqmCoarseOptions {
    int num_neighbors, threads;
    bool include_center;
    const AqmDepthRange *ranges; /* one a view, searched straight down; NULL = everywhere */
    int window;                  /* px, odd */
    double plane_step_px;
    double agree_px; /* neighbours and other views are this near */
} AqmCoarseOptions;

typedef struct AqmCoarseView {
    const AqmView *view;
    float *h, *confidence; /* height x width; NULL for auxiliary views */
    double scale;          /* see metres_per_px */
} AqmCoarseView;

typedef struct AqmCoarse {
    AqmCoarseOptions options;
    size_t view_count, reference_count;
    AqmLevel level;
    AqmCoarseView views[AQM_COARSE_VIEWS_MAX];
} AqmCoarse;

/* How often the view is halved to get there. */
int aqm_coarse_halvings(const AqmView *view);

/* Sweeps every reference view, `finer` halvings fewer than coarse is. At most AQM_COARSE_VIEWS_MAX
 * views. MEMORY, NO_DATA; whatever it says, aqm_coarse_free frees it. */
AqmStatus aqm_coarse_sweep(AqmCoarse *coarse, const AqmStereoView *views, size_t view_count,
                           const AqmCoarseOptions *options, int finer, AqmDiag *diag);
void aqm_coarse_free(AqmCoarse *coarse); /* a zeroed one is fine */

/* Does pixel (x, y) of view k agree with its neighbours and with the other views? point: where it
 * says that the bed is. */
bool aqm_coarse_is_sure(const AqmCoarse *coarse, size_t k, int x, int y, double point[3]);

#endif
