/* From an image to the corners of a board.
 *
 *  1. Dark quadrangles at three scales of the local threshold (marker_quads.c), read as markers.
 *  2. Markers agree if the homography of each predicts the other, at most three squares away, to
 *     within 0.35 of a square. The largest group that hangs together is the board: a code read by
 *     chance agrees with nothing. Of several readings of one marker the one that agrees with most
 *     is kept.
 *  3. A corner beside a marker of the group is predicted by a homography through the markers within
 *     2.3 squares, local enough for refraction and what is left of a lens, and fitted
 *     (chequer_fit.c).
 *
 * The approach of Garrido-Jurado et al. 2014 for markers, and of OpenCV's ChArUco boards. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/charuco.h"
#include "base/alloc.h"
#include "evaluate/chequer_fit.h"
#include "evaluate/marker_read.h"
#include "math/homography.h"

static const int half_windows[] = {8, 24, 72};
enum { SCALES = sizeof half_windows / sizeof half_windows[0], NEAR_MAX = 32 };
static const double least_module_px = 1.5;

/* A marker that was read, on its board. */
typedef struct Reading {
    AqmMarker marker;
    int square[2];              /* column, row */
    double image_from_board[9]; /* metres -> px, by its four corners */
    int agreements;
    uint32_t parent; /* of its group, as in union-find */
} Reading;

typedef struct Detection {
    const AqmBoard *board;
    const AqmImageView *mask;
    AqmGrayPlane plane;
    AqmQuads quads;
    Reading *readings;
    size_t reading_count;
} Detection;

void aqm_board_sighting_destroy(AqmBoardSighting **sighting) {
    if (!sighting || !*sighting)
        return;
    aqm_free((*sighting)->corners);
    aqm_free(*sighting);
    *sighting = NULL;
}

/* ---- markers --------------------------------------------------------------------------------- */

/* Corners of a marker in the board's frame, in the order of AqmMarker. */
static void marker_corners(const AqmBoard *board, const int square[2], double out[4][2]) {
    const double inset = 0.5 * (board->square_m - board->marker_m);
    const double x0 = square[0] * board->square_m + inset, x1 = x0 + board->marker_m;
    const double y0 = square[1] * board->square_m + inset, y1 = y0 + board->marker_m;
    const double corners[4][2] = {{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}};
    memcpy(out, corners, sizeof corners);
}

static AqmStatus read_markers(Detection *d, AqmDiag *diag) {
    const double min_side = least_module_px * (aqm_dictionary_side(d->board->dictionary) + 2);
    for (int k = 0; k < SCALES; k++)
        AQM_TRY(aqm_quads_find(&d->plane, half_windows[k], min_side, &d->quads, diag));
    d->readings = aqm_alloc(d->quads.count, sizeof *d->readings);
    if (!d->readings)
        return aqm_fail_memory(diag, "markers", d->quads.count, sizeof *d->readings);
    for (size_t i = 0; i < d->quads.count; i++) {
        Reading *r = &d->readings[d->reading_count];
        double corners[4][2];
        *r = (Reading){.parent = (uint32_t)d->reading_count};
        if (!aqm_marker_read(&d->plane, &d->quads.quads[i], d->board, &r->marker))
            continue;
        aqm_board_marker_square(d->board, r->marker.id, r->square);
        marker_corners(d->board, r->square, corners);
        d->reading_count +=
            aqm_homography_fit((const double(*)[2])corners, (const double(*)[2])r->marker.corner, 4,
                               r->image_from_board);
    }
    return AQM_OK;
}

/* Largest error, in squares as `by` sees them, of where it has the corners of the other. */
static double prediction_error(const AqmBoard *board, const Reading *by, const Reading *other) {
    double corners[4][2], largest = 0.0;
    marker_corners(board, other->square, corners);
    const double *a = by->marker.corner[0], *b = by->marker.corner[2];
    const double diagonal_px = hypot(b[0] - a[0], b[1] - a[1]);
    const double square_px = diagonal_px / 1.4142135623730951 * board->square_m / board->marker_m;
    for (int k = 0; k < 4; k++) {
        double px[2];
        if (!aqm_homography_apply(by->image_from_board, corners[k], px))
            return INFINITY;
        largest = fmax(
            largest, hypot(px[0] - other->marker.corner[k][0], px[1] - other->marker.corner[k][1]));
    }
    return largest / square_px;
}

static bool agree(const AqmBoard *board, const Reading *a, const Reading *b) {
    return a->marker.id != b->marker.id && abs(a->square[0] - b->square[0]) <= 3 &&
           abs(a->square[1] - b->square[1]) <= 3 && prediction_error(board, a, b) < 0.35 &&
           prediction_error(board, b, a) < 0.35;
}

static uint32_t group_of(Reading *readings, uint32_t i) {
    while (readings[i].parent != i) {
        readings[i].parent = readings[readings[i].parent].parent;
        i = readings[i].parent;
    }
    return i;
}

static bool is_better(const Reading *a, const Reading *b) {
    return a->agreements != b->agreements ? a->agreements > b->agreements
                                          : a->marker.wrong_bits < b->marker.wrong_bits;
}

/* Readings of the largest group, one a marker, in best[id] (NULL: none); returns their number. */
static size_t choose_markers(Detection *d, const Reading **best, int marker_count) {
    Reading *r = d->readings;
    const uint32_t count = (uint32_t)d->reading_count;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = i + 1; j < count; j++) {
            if (!agree(d->board, &r[i], &r[j]))
                continue;
            r[i].agreements++, r[j].agreements++;
            const uint32_t a = group_of(r, i), b = group_of(r, j);
            r[a > b ? a : b].parent = a < b ? a : b;
        }
    size_t largest = 0;
    uint32_t chosen = 0;
    for (uint32_t g = 0; g < count; g++) {
        size_t size = 0;
        for (uint32_t i = g; i < count && r[g].parent == g; i++)
            size += group_of(r, i) == g;
        if (size > largest)
            largest = size, chosen = g;
    }
    for (int id = 0; id < marker_count; id++)
        best[id] = NULL;
    size_t used = 0;
    for (uint32_t i = 0; i < count && largest >= 2; i++) {
        const int id = r[i].marker.id;
        if (group_of(r, i) != chosen)
            continue;
        used += best[id] == NULL;
        if (!best[id] || is_better(&r[i], best[id]))
            best[id] = &r[i];
    }
    return used;
}

/* ---- corners --------------------------------------------------------------------------------- */

/* The homography through the markers near a corner; false where none touches it. */
static bool predict(const Detection *d, const Reading *const *best, const double xy[2],
                    double H[9]) {
    double from[4 * NEAR_MAX][2], to[4 * NEAR_MAX][2];
    const double square = d->board->square_m;
    const int column = (int)lround(xy[0] / square), row = (int)lround(xy[1] / square);
    size_t count = 0;
    bool is_touched = false;
    for (int j = row - 3; j <= row + 2; j++)
        for (int i = column - 3; i <= column + 2; i++) {
            const int id = aqm_board_marker_at(d->board, i, j);
            const double dx = i + 0.5 - column, dy = j + 0.5 - row;
            if (id < 0 || !best[id] || hypot(dx, dy) > 2.3 || count == NEAR_MAX)
                continue;
            double corners[4][2];
            marker_corners(d->board, best[id]->square, corners);
            for (int k = 0; k < 4; k++) {
                from[4 * count + (size_t)k][0] = (corners[k][0] - xy[0]) / square;
                from[4 * count + (size_t)k][1] = (corners[k][1] - xy[1]) / square;
                memcpy(to[4 * count + (size_t)k], best[id]->marker.corner[k], sizeof to[0]);
            }
            is_touched |= hypot(dx, dy) < 1.0;
            count++;
        }
    return is_touched &&
           aqm_homography_fit((const double(*)[2])from, (const double(*)[2])to, 4 * count, H);
}

static bool is_masked(const AqmImageView *mask, double u, double v) {
    if (!mask)
        return false;
    const int x = (int)lround(u), y = (int)lround(v);
    return x < 0 || y < 0 || x >= mask->width || y >= mask->height ||
           ((const uint8_t *)mask->data)[(size_t)y * mask->stride + (size_t)x] == 0;
}

static void find_corners(const Detection *d, const Reading *const *best, AqmBoardSighting *out) {
    const AqmBoard *board = d->board;
    const size_t corners = aqm_board_corner_count(board);
    for (size_t index = 0; index < corners; index++) {
        AqmChequerGuess guess = {.clean = 0.5 * (1.0 - board->marker_m / board->square_m)};
        AqmChequerCorner corner;
        double xy[2];
        aqm_board_corner(board, index, xy);
        const int column = (int)lround(xy[0] / board->square_m);
        const int row = (int)lround(xy[1] / board->square_m);
        guess.is_black_first = aqm_board_marker_at(board, column - 1, row - 1) < 0;
        if (!predict(d, best, xy, guess.image_from_squares) ||
            !aqm_chequer_fit(&d->plane, &guess, &corner) || is_masked(d->mask, corner.u, corner.v))
            continue;
        out->corners[out->count++] =
            (AqmBoardCorner){(uint32_t)index, corner.u, corner.v, corner.sigma_px};
    }
}

static AqmStatus detect(Detection *d, AqmBoardSighting *out, AqmDiag *diag) {
    const int markers = aqm_board_marker_count(d->board);
    AQM_TRY(read_markers(d, diag));
    const Reading **best = aqm_calloc((size_t)markers, sizeof *best);
    if (!best)
        return aqm_fail_memory(diag, "markers", (size_t)markers, sizeof *best);
    out->quad_count = d->quads.count;
    out->marker_count = choose_markers(d, best, markers);
    if (out->marker_count > 0)
        find_corners(d, best, out);
    aqm_free(best);
    return AQM_OK;
}

AqmStatus aqm_board_detect(AqmBoardSighting **out, const AqmImageView *image,
                           const AqmImageView *mask, const AqmBoard *board, AqmDiag *diag) {
    AQM_TRY(aqm_board_validate(board, diag));
    if (mask && (mask->width != image->width || mask->height != image->height ||
                 mask->channels != 1 || mask->type != AQM_U8))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "a mask of %d x %d px for an image of %d x %d: must be of its size and "
                        "8-bit gray",
                        mask->width, mask->height, image->width, image->height);
    const size_t corners = aqm_board_corner_count(board);
    Detection d = {.board = board, .mask = mask};
    AqmBoardSighting *sighting = aqm_calloc(1, sizeof *sighting);
    if (sighting)
        sighting->corners = aqm_calloc(corners, sizeof *sighting->corners);
    AqmStatus status =
        sighting && sighting->corners
            ? aqm_gray_plane_create(&d.plane, image, diag)
            : aqm_fail_memory(diag, "the corners of a board", corners, sizeof *sighting->corners);
    if (status == AQM_OK)
        status = detect(&d, sighting, diag);
    aqm_gray_plane_free(&d.plane);
    aqm_quads_free(&d.quads);
    aqm_free(d.readings);
    if (status == AQM_OK)
        *out = sighting;
    else
        aqm_board_sighting_destroy(&sighting);
    return status;
}
