/* Two images side by side and lines between what was matched.
 *
 * Colours tell the place in the first image: hue runs from left to right and lightness from top to
 * bottom, so that no two places share one, and among its neighbours in the second image a wrong
 * match has a colour of its own.
 *
 * Which matches are drawn: the first image is cut into about DRAWN_MAX square cells, and these are
 * served in turn, one match each, until DRAWN_MAX are drawn. Within a cell the order is that of a
 * hash of the match's place in the list, not that of the score: wrong ones show as often as they
 * occur. Cost: two sorts. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "aquamvs/picture.h"
#include "base/alloc.h"
#include "stages/picture/canvas.h"
#include "stages/picture/color_map.h"
#include "stages/picture/photo_panel.h"

enum {
    DRAWN_MAX = 400,
    TEXT = 16,
    MARGIN = 20,
    TOP = 52,    /* titles */
    BOTTOM = 46, /* caption */
    BETWEEN = 16,
    SWATCH_WIDTH = 44,
    SWATCH_HEIGHT = 20,
    WIDTH_MIN = 640, /* what the caption takes */
};

static const double turn = 6.28318530717958648;
static const uint32_t ink = 0x222222;

/* A match within both images. */
typedef struct Candidate {
    size_t index, rank; /* rank: how many of its cell are served before */
    uint32_t cell, hash;
} Candidate;

typedef struct MatchesPicture {
    const AqmMatches *matches;
    AqmPhotoPanel first, second;
    Candidate *candidates;
    size_t candidate_count, drawn_count;
    AqmCanvas canvas;
} MatchesPicture;

/* ---- which are drawn ------------------------------------------------------------------------- */

/* The finaliser of MurmurHash3 (Appleby): a bijection that scatters neighbours. */
static uint32_t scatter(uint32_t h) {
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}

static int compare_numbers(size_t a, size_t b) {
    return a < b ? -1 : a > b;
}

static int by_cell(const void *a, const void *b) {
    const Candidate *x = a, *y = b;
    if (x->cell != y->cell)
        return compare_numbers(x->cell, y->cell);
    return x->hash != y->hash ? compare_numbers(x->hash, y->hash)
                              : compare_numbers(x->index, y->index);
}

/* The last round may not serve all cells: `cell` is scattered, so those left out lie all over. */
static int by_rank(const void *a, const void *b) {
    const Candidate *x = a, *y = b;
    return x->rank != y->rank ? compare_numbers(x->rank, y->rank)
                              : compare_numbers(x->cell, y->cell);
}

static uint32_t cell_of(const AqmImageView *image, const float position[2]) {
    const double side = sqrt((double)image->width * image->height / DRAWN_MAX);
    const uint32_t column = (uint32_t)(((double)position[0] + 0.5) / side);
    const uint32_t row = (uint32_t)(((double)position[1] + 0.5) / side);
    return scatter(row << 16 | column); /* sides are below 65536 */
}

static AqmStatus choose(MatchesPicture *p, AqmDiag *diag) {
    const AqmMatches *matches = p->matches;
    p->candidates = aqm_alloc(matches->count, sizeof *p->candidates);
    if (!p->candidates)
        return aqm_fail_memory(diag, "the matches of a picture", matches->count,
                               sizeof *p->candidates);
    for (size_t i = 0; i < matches->count; i++) {
        const float *from = matches->first_position + 2 * i;
        double at[2];
        if (aqm_photo_place(&p->first, from, at) &&
            aqm_photo_place(&p->second, matches->second_position + 2 * i, at))
            p->candidates[p->candidate_count++] = (Candidate){
                .index = i, .cell = cell_of(p->first.image, from), .hash = scatter((uint32_t)i)};
    }
    Candidate *c = p->candidates;
    qsort(c, p->candidate_count, sizeof *c, by_cell);
    for (size_t k = 1; k < p->candidate_count; k++)
        c[k].rank = c[k].cell == c[k - 1].cell ? c[k - 1].rank + 1 : 0;
    qsort(c, p->candidate_count, sizeof *c, by_rank);
    p->drawn_count = p->candidate_count < DRAWN_MAX ? p->candidate_count : DRAWN_MAX;
    return AQM_OK;
}

/* ---- the matches ----------------------------------------------------------------------------- */

/* x, y: 0..1 over the first image. Hues from red to violet; not on to red again, which would show
 * the two edges alike. */
static uint32_t color_of_place(double x, double y) {
    const double hue = (25.0 + 295.0 * x) * (turn / 360.0);
    const double lab[3] = {0.86 - 0.36 * y, 0.16 * cos(hue), 0.16 * sin(hue)};
    uint8_t rgb[3];
    aqm_srgb_from_oklab(lab, rgb);
    return aqm_pixel(rgb);
}

static uint32_t color_of(const MatchesPicture *p, size_t match) {
    const float *position = p->matches->first_position + 2 * match;
    return color_of_place(((double)position[0] + 0.5) / p->first.image->width,
                          ((double)position[1] + 0.5) / p->first.image->height);
}

static void draw_line(MatchesPicture *p, size_t match) {
    double a[2], b[2];
    (void)aqm_photo_place(&p->first, p->matches->first_position + 2 * match, a);
    (void)aqm_photo_place(&p->second, p->matches->second_position + 2 * match, b);
    aqm_canvas_color(&p->canvas, color_of(p, match), 0.6);
    aqm_canvas_line(&p->canvas, a[0], a[1], b[0], b[1]);
}

static void draw_dot(MatchesPicture *p, const AqmPhotoPanel *panel, const float position[2],
                     uint32_t rgb) {
    double at[2];
    (void)aqm_photo_place(panel, position, at);
    cairo_arc(p->canvas.cairo, at[0], at[1], 3.7, 0.0, turn);
    aqm_canvas_color(&p->canvas, 0x000000, 0.7);
    cairo_fill(p->canvas.cairo);
    cairo_arc(p->canvas.cairo, at[0], at[1], 2.8, 0.0, turn);
    aqm_canvas_color(&p->canvas, rgb, 1.0);
    cairo_fill(p->canvas.cairo);
}

static void draw_matches(MatchesPicture *p) {
    cairo_set_line_width(p->canvas.cairo, 1.0);
    for (size_t k = 0; k < p->drawn_count; k++)
        draw_line(p, p->candidates[k].index);
    for (size_t k = 0; k < p->drawn_count; k++) {
        const size_t match = p->candidates[k].index;
        const uint32_t rgb = color_of(p, match);
        draw_dot(p, &p->first, p->matches->first_position + 2 * match, rgb);
        draw_dot(p, &p->second, p->matches->second_position + 2 * match, rgb);
    }
}

/* ---- around them ----------------------------------------------------------------------------- */

static void draw_titles(MatchesPicture *p, const char *first_name, const char *second_name) {
    aqm_canvas_color(&p->canvas, ink, 1.0);
    (void)aqm_canvas_text(&p->canvas, first_name, p->first.x, 28, 1.15 * TEXT, 0.0);
    (void)aqm_canvas_text(&p->canvas, second_name, p->second.x, 28, 1.15 * TEXT, 0.0);
}

/* The colours of the first image, small. */
static void draw_swatch(MatchesPicture *p, int left, int top) {
    aqm_canvas_begin_pixels(&p->canvas);
    for (int y = 0; y < SWATCH_HEIGHT; y++)
        for (int x = 0; x < SWATCH_WIDTH; x++)
            p->canvas.pixels[(size_t)(top + y) * (size_t)p->canvas.width + (size_t)(left + x)] =
                color_of_place((x + 0.5) / SWATCH_WIDTH, (y + 0.5) / SWATCH_HEIGHT);
    aqm_canvas_end_pixels(&p->canvas);
    aqm_canvas_color(&p->canvas, ink, 1.0);
    aqm_canvas_frame(&p->canvas, left, top, SWATCH_WIDTH, SWATCH_HEIGHT);
}

static void draw_caption(MatchesPicture *p) {
    const size_t count = p->matches->count, outside = count - p->candidate_count;
    char caption[192], drawn[80] = "", beyond[64] = "";
    const int middle = p->canvas.height - BOTTOM + 24;
    if (p->drawn_count < count)
        snprintf(drawn, sizeof drawn, ", %zu of them drawn", p->drawn_count);
    if (outside > 0)
        snprintf(beyond, sizeof beyond, " (%zu outside the images)", outside);
    if (count == 0)
        snprintf(caption, sizeof caption, "no matches");
    else
        snprintf(caption, sizeof caption, "%zu match%s%s%s", count, count == 1 ? "" : "es", drawn,
                 beyond);
    aqm_canvas_color(&p->canvas, ink, 1.0);
    const double length = aqm_canvas_text(&p->canvas, caption, p->first.x, middle, TEXT, 0.0);
    if (p->drawn_count == 0)
        return;
    const int left = p->first.x + (int)length + 32;
    draw_swatch(p, left, middle - SWATCH_HEIGHT / 2);
    (void)aqm_canvas_text(&p->canvas, "colour: place in the first image", left + SWATCH_WIDTH + 10,
                          middle, TEXT, 0.0);
}

static int larger(int a, int b) {
    return a > b ? a : b;
}

AqmStatus aqm_picture_matches(const AqmImageView *first, const AqmImageView *second,
                              double full_scale, const AqmMatches *matches, const char *first_name,
                              const char *second_name, AqmImage **out, AqmDiag *diag) {
    *out = NULL;
    if (!(full_scale > 0.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "%s, %s: a picture of images whose white is %g: must be above 0",
                        first_name, second_name, full_scale);
    const AqmFit fit = aqm_fit_choose(
        larger(larger(first->width, first->height), larger(second->width, second->height)));
    MatchesPicture p = {.matches = matches,
                        .first = aqm_photo_panel(first, full_scale, fit),
                        .second = aqm_photo_panel(second, full_scale, fit)};
    p.first.x = MARGIN, p.second.x = MARGIN + p.first.width + BETWEEN;
    p.first.y = p.second.y = TOP;
    AqmStatus status = choose(&p, diag);
    if (status == AQM_OK)
        status =
            aqm_canvas_create(&p.canvas, larger(p.second.x + p.second.width + MARGIN, WIDTH_MIN),
                              TOP + larger(p.first.height, p.second.height) + BOTTOM, diag);
    if (status == AQM_OK) {
        aqm_photo_paint(&p.first, &p.canvas);
        aqm_photo_paint(&p.second, &p.canvas);
        draw_matches(&p);
        draw_titles(&p, first_name, second_name);
        draw_caption(&p);
        status = aqm_canvas_finish(&p.canvas, out, diag);
    }
    aqm_free(p.candidates);
    return status;
}
