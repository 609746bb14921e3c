/* Where is the point that a camera above the water sees at one of its pixels?
 *
 * Builds a camera 1 m above the surface, looking straight down, casts the ray of a pixel through
 * the surface, walks 30 cm along it, and projects the point back. A pinhole model without water
 * would put the same point elsewhere: the difference is what refraction does.
 *
 *   cc see_through_water.c $(pkg-config --cflags --libs aquamvs) -lm */
#include <math.h>
#include <stdio.h>

#include <aquamvs/aquamvs.h>

static int report(const AqmDiag *diag) {
    fprintf(stderr, "%s: %s\n", aqm_status_name(diag->status), diag->message);
    return 1;
}

int main(void) {
    AqmDiag diag = {0};
    AqmRig *rig = NULL;
    if (aqm_rig_create(&rig, 1, &diag))
        return report(&diag);
    rig->water_z = 1.0;
    rig->n_air = 1.0;
    rig->n_water = 1.333;
    rig->cameras[0] = (AqmCamera){.name = "above",
                                  .width = 1600,
                                  .height = 1200,
                                  .K = {1400, 0, 800, 0, 1400, 600, 0, 0, 1},
                                  .R = {1, 0, 0, 0, 1, 0, 0, 0, 1}};

    double K_new[9], point[3], pixel[2], straight[2];
    AqmView view;
    AqmRay ray;
    int failed = aqm_new_camera_matrix(&rig->cameras[0], K_new, &diag) ||
                 aqm_view_create(&view, rig, 0, K_new, &diag);
    aqm_rig_destroy(&rig);
    if (failed)
        return report(&diag);

    const double u = 1300, v = 900, depth_m = 0.3;
    if (!aqm_view_cast(&view, u, v, &ray))
        return 1;
    for (int i = 0; i < 3; i++)
        point[i] = ray.origin[i] + depth_m * ray.direction[i];
    if (!aqm_view_project(&view, point, pixel))
        return 1;
    straight[0] = view.fx * point[0] / point[2] + view.cx;
    straight[1] = view.fy * point[1] / point[2] + view.cy;

    printf("pixel (%.1f, %.1f), %.0f mm down the ray: X %.2f  Y %.2f  Z %.2f mm\n", u, v,
           1000 * depth_m, 1000 * point[0], 1000 * point[1], 1000 * point[2]);
    printf("projected back through the water: (%.4f, %.4f)\n", pixel[0], pixel[1]);
    printf("without water it would be seen at: (%.1f, %.1f)\n", straight[0], straight[1]);
    return hypot(pixel[0] - u, pixel[1] - v) < 1e-6 ? 0 : 1;
}
