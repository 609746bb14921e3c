/* Where four squares of a chequer board meet, to a few hundredths of a pixel. */
#ifndef AQM_EVALUATE_CHEQUER_FIT_H
#define AQM_EVALUATE_CHEQUER_FIT_H

#include "evaluate/gray_plane.h"

/* What is known of a corner beforehand. */
typedef struct AqmChequerGuess {
    double image_from_squares[9]; /* homography; the corner at (0, 0), squares of side 1 */
    double clean;                 /* how far from the edges nothing but the squares is seen */
    bool is_black_first;          /* the square of x < 0, y < 0 is black */
} AqmChequerGuess;

typedef struct AqmChequerCorner {
    double u, v;     /* px */
    double sigma_px; /* standard deviation of each of the two */
    double blur_px;  /* sigma of the edges */
    double contrast; /* white - black */
} AqmChequerCorner;

/* false where no such corner is within a quarter of a square of the guess. */
bool aqm_chequer_fit(const AqmGrayPlane *plane, const AqmChequerGuess *guess,
                     AqmChequerCorner *out);

#endif
