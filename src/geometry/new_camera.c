/* The matrix of the undistorted image, number for number as users of OpenCV 4.6 have it.
 *
 * Pinhole lens: a 9 x 9 grid over the raw image, from its first pixel to one past its last, is
 * undistorted; the largest x of the left column, the smallest of the right one, and so for the
 * rows, bound a rectangle of normalised coordinates that lies inside the image; K_new stretches it
 * over the image (this is alpha = 0). OpenCV undistorts the grid by five rounds of a fixed-point
 * iteration and stops there, converged or not, and rounds to float; so do we, or strong lenses
 * would differ by pixels.
 *
 * Fisheye lens: the middles of the four borders are undistorted; the focal length is the smallest
 * that puts each of them on or beyond the border of the new image (balance 0), and their centroid
 * goes to its centre. Lengths are in units of fx: y is multiplied by fx / fy. OpenCV multiplies the
 * x of the centroid by that ratio and leaves its y; for square pixels this is nothing, and else it
 * moves the principal point by a fraction of a pixel, which is kept so that the numbers agree. */
#include "geometry/lens.h"

#include <math.h>
#include <string.h>

#include "base/diag.h"

static void undistort_in_five_rounds(const AqmCamera *camera, double xd, double yd, float *x,
                                     float *y) {
    const double *k = camera->distortion;
    double px = xd, py = yd;
    for (int round = 0; round < 5; round++) {
        const double q = px * px + py * py;
        const double inverse =
            (1.0 + q * (k[5] + q * (k[6] + q * k[7]))) / (1.0 + q * (k[0] + q * (k[1] + q * k[4])));
        if (inverse < 0.0) { /* beyond the model: the distorted point stands */
            px = xd;
            py = yd;
            break;
        }
        const double dx = 2.0 * k[2] * px * py + k[3] * (q + 2.0 * px * px);
        const double dy = k[2] * (q + 2.0 * py * py) + 2.0 * k[3] * px * py;
        px = (xd - dx) * inverse;
        py = (yd - dy) * inverse;
    }
    *x = (float)px;
    *y = (float)py;
}

enum { GRID = 9 };

static void inner_rectangle(const AqmCamera *camera, float low[2], float high[2]) {
    const double *K = camera->K;
    low[0] = low[1] = -INFINITY;
    high[0] = high[1] = INFINITY;
    for (int j = 0; j < GRID; j++)
        for (int i = 0; i < GRID; i++) {
            const float u = (float)i * (float)camera->width / (GRID - 1);
            const float v = (float)j * (float)camera->height / (GRID - 1);
            float x, y;
            undistort_in_five_rounds(camera, (u - K[2]) / K[0], (v - K[5]) / K[4], &x, &y);
            if (i == 0)
                low[0] = fmaxf(low[0], x);
            if (i == GRID - 1)
                high[0] = fminf(high[0], x);
            if (j == 0)
                low[1] = fmaxf(low[1], y);
            if (j == GRID - 1)
                high[1] = fminf(high[1], y);
        }
}

/* A lens that shrinks or stretches its whole image a hundredfold is a wrong calibration. */
static bool plausible(const AqmCamera *camera, double fx, double fy) {
    const double x = fx / camera->K[0], y = fy / camera->K[4];
    return x > 0.01 && x < 100.0 && y > 0.01 && y < 100.0;
}

static AqmStatus no_inverse(const AqmCamera *camera, AqmDiag *diag) {
    return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                    "camera %s: its lens model cannot be inverted over its image of %d x %d px; "
                    "check its distortion coefficients, image size and K",
                    camera->name, camera->width, camera->height);
}

static AqmStatus new_pinhole(const AqmCamera *camera, double K_new[9], AqmDiag *diag) {
    float low[2], high[2];
    inner_rectangle(camera, low, high);
    const float width = high[0] - low[0], height = high[1] - low[1];
    const double fx = (camera->width - 1) / (double)width;
    const double fy = (camera->height - 1) / (double)height;
    if (!plausible(camera, fx, fy))
        return no_inverse(camera, diag);
    const double K[9] = {fx, 0, -fx * (double)low[0], 0, fy, -fy * (double)low[1], 0, 0, 1};
    memcpy(K_new, K, sizeof K);
    return AQM_OK;
}

static const double HALF_PI = 1.57079632679489661923;

static AqmStatus new_fisheye(const AqmCamera *camera, double K_new[9], AqmDiag *diag) {
    const double *K = camera->K, w = camera->width, h = camera->height;
    const double half_w = camera->width / 2, half_h = camera->height / 2; /* whole pixels */
    const double middles[4][2] = {{half_w, 0}, {w, half_h}, {half_w, h}, {0, half_h}};
    const double aspect = K[0] / K[4]; /* work with square pixels: y counts in units of fx */
    double x[4], y[4], center_x = 0.0, center_y = 0.0;
    for (int i = 0; i < 4; i++) {
        const double xd = (middles[i][0] - K[2]) / K[0], yd = (middles[i][1] - K[5]) / K[4];
        /* where the equidistant angle is beyond 90 degrees, OpenCV scales the point at 90 */
        const double beyond = fmax(1.0, hypot(xd, yd) / HALF_PI);
        if (!aqm_lens_undistort(camera, xd / beyond, yd / beyond, &x[i], &y[i]))
            return no_inverse(camera, diag);
        x[i] *= beyond;
        y[i] *= beyond;
        center_x += aspect * x[i] / 4.0;
        center_y += y[i] / 4.0;
        y[i] *= aspect;
    }
    double low[2] = {x[0], y[0]}, high[2] = {x[0], y[0]};
    for (int i = 1; i < 4; i++) {
        low[0] = fmin(low[0], x[i]), high[0] = fmax(high[0], x[i]);
        low[1] = fmin(low[1], y[i]), high[1] = fmax(high[1], y[i]);
    }
    const double f =
        fmax(fmax(w * 0.5 / (center_x - low[0]), w * 0.5 / (high[0] - center_x)),
             fmax(h * 0.5 * aspect / (center_y - low[1]), h * 0.5 * aspect / (high[1] - center_y)));
    if (!plausible(camera, f, f / aspect))
        return no_inverse(camera, diag);
    const double matrix[9] = {
        f, 0, w * 0.5 - center_x * f, 0, f / aspect, h * 0.5 - center_y * f / aspect, 0, 0, 1};
    memcpy(K_new, matrix, sizeof matrix);
    return AQM_OK;
}

AqmStatus aqm_new_camera_matrix(const AqmCamera *camera, double K_new[9], AqmDiag *diag) {
    if (aqm_lens_is_ideal(camera)) {
        memcpy(K_new, camera->K, sizeof camera->K);
        return AQM_OK;
    }
    if (camera->lens == AQM_LENS_FISHEYE)
        return new_fisheye(camera, K_new, diag);
    return new_pinhole(camera, K_new, diag);
}
