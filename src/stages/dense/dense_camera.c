#include "stages/dense/dense_camera.h"

AqmDenseCamera aqm_dense_camera(const AqmView *view, const AqmView *first) {
    AqmDenseCamera camera = {.x = (float)(view->C[0] - first->C[0]),
                             .y = (float)(view->C[1] - first->C[1]),
                             .h_c = (float)(view->water_z - view->C[2]),
                             .n = (float)view->n,
                             .fx = (float)view->fx,
                             .fy = (float)view->fy,
                             .cx = (float)view->cx,
                             .cy = (float)view->cy};
    for (int k = 0; k < 9; k++)
        camera.R[k] = (float)view->R[k];
    return camera;
}
