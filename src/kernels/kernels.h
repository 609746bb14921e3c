/* The inner loops of matching: raw pointers, no allocation, cannot fail.
 *
 * Matching images are 16-bit: luminance in 1/8 of an 8-bit level, centred on mid-gray, so in
 * AQM_GRAY_MIN..AQM_GRAY_MAX; AQM_GRAY_MISSING marks a pixel that is not there (masked, or outside
 * the lens's picture). All window sums are integers and exact: none drifts along a row, and
 * window_stats.h says what of them cancels on bright flat patches. For windows up to 31 px a sum of
 * squares is below 961 * 1024^2 = 1.01e9 and fits 32 bits, and so do the covariances made of them.
 *
 * Each function has a reference in C (the *_ref.c files), which is its specification, and variants
 * for wider instruction sets that give the same bits. Rows are handled in whole vectors: every row
 * buffer has room for its length rounded up to AQM_ROW_MULTIPLE. */
#ifndef AQM_KERNELS_KERNELS_H
#define AQM_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    AQM_GRAY_WHITE = 2047,  /* luminance range 0..2047 */
    AQM_GRAY_CENTER = 1024, /* subtracted from it */
    AQM_GRAY_MIN = -1024,
    AQM_GRAY_MAX = 1023,
    AQM_GRAY_MISSING = -32768,
    AQM_GRAY_MAX_SIZE = 32767,
    AQM_ROW_MULTIPLE = 16,
};

/* Scores, -1..1, are kept in 16 bits: a plane's correlations are sure to a hundredth at best, and
 * half the bytes are half the way to memory. */
enum {
    AQM_SCORE_ONE = 16384,
    AQM_SCORE_MISSING = -32768, /* of a window that cannot be compared; below all others */
};

static inline float aqm_score_value(int16_t score) {
    return (float)score * (1.0f / AQM_SCORE_ONE);
}

/* A camera over water, ready for projection (see AqmView for the meaning of each). */
typedef struct AqmProjector {
    double R[9], C[3], fx, fy, cx, cy;
    double water_z, n;
} AqmProjector;

/* A matching image. `data` has one more column and row than it counts, both readable, and `pairs`
 * (one more column) each pixel in the low half with the one below it in the high half, so that the
 * four neighbours of a position are eight bytes in a row. `stride` in pixels, for both; width,
 * height and stride at most AQM_GRAY_MAX_SIZE. */
typedef struct AqmGray {
    const int16_t *data;
    const uint32_t *pairs;
    ptrdiff_t stride;
    int width, height;
} AqmGray;

/* Where a block of AQM_ROW_MULTIPLE pixels lies in an image: `offset` pixels after the place of the
 * block itself, and from there to the right and down by weights of 1 / 2^15 px, 0..2^15 - 1. */
typedef struct AqmShift {
    int32_t offset;
    int16_t across, down;
} AqmShift;

/* Vertical sums over the rows of a window, one entry per column. The masked sums count only pixels
 * present in both images. */
typedef struct AqmColumnSums {
    int32_t *j, *jj, *ij;    /* source, source squared, reference times source */
    int32_t *count, *i, *ii; /* masked windows only */
} AqmColumnSums;

/* Per pixel of a row, of the full (unmasked) reference window, as window_stats.h defines them: the
 * mean and rest of its sum, variance times its pixels, and aqm_inverse_deviation of that. */
typedef struct AqmReferenceStats {
    const int16_t *mean, *rest;
    const float *variance, *inverse_deviation;
} AqmReferenceStats;

/* The same, to be written. */
typedef struct AqmWindowRow {
    int16_t *mean, *rest;
    float *variance, *inverse_deviation;
} AqmWindowRow;

/* How many columns and rows of a tile's pixels, from its ends, lie beyond the border of the image:
 * none of them is there, and all between are. */
typedef struct AqmBeyond {
    int left, right, top, bottom;
} AqmBeyond;

/* Of the pixels that window k of `count` takes along an axis, those that are there. */
static inline int aqm_window_present(int k, int window, int count, int before, int after) {
    const int first = k > before ? k : before, end = count + window - 1 - after;
    return (k + window < end ? k + window : end) - first;
}

/* A tile of a reference and the statistics of its windows (height x score_pitch), those that reach
 * beyond over what is there of them. What other pixels that are missing make of the windows they
 * are in means nothing. */
typedef struct AqmWholeTile {
    const int16_t *i; /* height + window - 1 rows of `pitch`, of which width + window - 1 count */
    size_t
        pitch; /* of the source's rows too; AQM_ROW_MULTIPLE pixels after the last are readable */
    int width, height, window; /* of windows: at least 64, at least 1; at most 31 */
    size_t score_pitch;        /* at least the width rounded up to 8 */
    AqmReferenceStats reference;
    AqmBeyond beyond; /* all 0 unless the table takes it; less than a window along each axis */
    void *room;       /* aqm_whole_room(width, height, window) bytes, on a multiple of 32 */
} AqmWholeTile;

static inline bool aqm_has_border(const AqmBeyond *beyond) {
    return (beyond->left | beyond->right | beyond->top | beyond->bottom) != 0;
}

/* Bytes that are enough for any variant (strips_avx2.c and strips.h have their use). */
static inline size_t aqm_whole_room(int width, int height, int window) {
    const size_t strip = ((size_t)width + 7) / 8, h = (size_t)height, w = (size_t)window;
    const size_t longest = (strip + w + 6) / 8 * 8;
    return 32 * longest * (w + 1) + 160 * (longest + w) + (64 + 32) * strip + 64 * strip * h +
           16 * longest * (h + w) + 4096;
}

/* The state of the search at each pixel of a row, after some planes: the best local maximum of the
 * score over the planes with its neighbours, and the runner-up. */
typedef struct AqmPeaks {
    int16_t *before, *last;                  /* scores at the last two planes */
    int16_t *best, *best_below, *best_above; /* at the best maximum and the planes beside it */
    int16_t *best_plane;                     /* -1 = none yet */
    int16_t *second; /* best maximum elsewhere, or the first plane's score if it falls from there:
                        above `best` then; AQM_SCORE_MISSING = none */
} AqmPeaks;

/* How many of so many scores are joined: the best ones. */
static inline size_t aqm_joined(size_t count) {
    return count >= 7 ? 4 : count >= 5 ? 3 : count >= 2 ? 2 : 1;
}

typedef struct AqmKernels {
    const char *name;

    /* Pixels of n points (X, Y, Z) by three Newton steps of the refraction equation in double
     * (1e-8 px); NaN behind the camera or at or above the water. n a multiple of 8. */
    void (*project)(const AqmProjector *p, const double *X, const double *Y, const double *Z,
                    size_t n, float *u, float *v);

    /* Positions of a row between two rows of knots 8 px apart: linear between the knots of each
     * row, and between the rows by `down` in 0..1. top and bottom have cells + 1 entries, out 8 *
     * cells. */
    void (*spread)(const float *top, const float *bottom, float down, size_t cells, float *out);

    /* Bilinear samples at n positions, all inside 0..width-1, 0..height-1 and with all four
     * neighbours present. Positions are rounded to 1/256 px (0.002 px off at most), ties to even;
     * from there on it is exact up to the rounding of the result. n a multiple of 8. */
    void (*sample)(const AqmGray *image, const float *u, const float *v, size_t n, int16_t *out);

    /* The same for any positions (NaN too): `out` is AQM_GRAY_MISSING where the position lies
     * outside or one of the four neighbours of the rounded position is missing. */
    void (*sample_masked)(const AqmGray *image, const float *u, const float *v, size_t n,
                          int16_t *out);

    /* Bilinear samples of blocks of pixels, each moved as a whole, out of an image of grays that
     * are all present: first across, then down, rounding each time (a gray level of this scale in
     * all). `from`: the place of the first block before it moves; `stride` in pixels. n columns, a
     * multiple of 16; shifts: n / 16; `rows` rows, `pitch` pixels apart in `out`. */
    void (*shift)(const int16_t *from, ptrdiff_t stride, const AqmShift *shifts, size_t n, int rows,
                  int16_t *out, size_t pitch);
    /* The same out of an image with missing pixels: missing where one of the four neighbours is. */
    void (*shift_masked)(const int16_t *from, ptrdiff_t stride, const AqmShift *shifts, size_t n,
                         int rows, int16_t *out, size_t pitch);

    /* The blocks of 16 pixels of a row that miss one, a bit each. n a multiple of 16, at most 512.
     */
    uint32_t (*gaps)(const int16_t *row, size_t n);

    /* Moves column sums down a row: adds (i_new, j_new), takes (i_old, j_old) off. Values are
     * present everywhere. n a multiple of 16. */
    void (*columns)(const int16_t *i_new, const int16_t *j_new, const int16_t *i_old,
                    const int16_t *j_old, size_t n, const AqmColumnSums *sums);
    /* The same with missing values in either row (all six sums). */
    void (*columns_masked)(const int16_t *i_new, const int16_t *j_new, const int16_t *i_old,
                           const int16_t *j_old, size_t n, const AqmColumnSums *sums);

    /* The statistics of n whole windows of one image (columns of j and jj); scratch as for `ncc`.
     */
    void (*statistics)(const AqmColumnSums *sums, int window, size_t n, int32_t *scratch,
                       const AqmWindowRow *row);

    /* Normalised cross-correlation of n windows; window x covers columns x .. x + window - 1. 0
     * where either window is flat. `scratch` has room for 8 * (n + window + AQM_ROW_MULTIPLE)
     * entries. */
    void (*ncc)(const AqmColumnSums *sums, const AqmReferenceStats *reference, int window, size_t n,
                int32_t *scratch, int16_t *score);
    /* The same over the pixels both windows have; AQM_SCORE_MISSING with fewer than `min_count`.
     * Where no pixel is missing, the same bits as from `ncc`; so with ssim_masked and `ssim`. */
    void (*ncc_masked)(const AqmColumnSums *sums, int window, int min_count, size_t n,
                       int32_t *scratch, int16_t *score);
    /* The same bits as `ncc` for all windows of a tile at once, from the rows of two sources (or
     * one: j[1] may be NULL, and takes as long); windows of which a pixel is missing in either
     * image get a number that means nothing, the others are none the worse. whole_load comes first,
     * once for a tile; scratch as for `ncc`, with 3 * pitch entries more. score: height x
     * score_pitch each; what pads the rows up to a multiple of 8 may be overwritten. */
    bool takes_border; /* windows that reach beyond get the bits of `ncc_masked`, if the sources are
                          0 there, but for its min_count; else the tile may have none */
    void (*whole_load)(const AqmWholeTile *tile);
    void (*whole_ncc)(const AqmWholeTile *tile, const int16_t *const j[2], int32_t *scratch,
                      int16_t *const score[2]);
    /* Structural similarity (Wang et al. 2004, eq. 13, box window, K1 = 0.01, K2 = 0.03). */
    void (*ssim)(const AqmColumnSums *sums, const AqmReferenceStats *reference, int window,
                 size_t n, int32_t *scratch, int16_t *score);
    void (*ssim_masked)(const AqmColumnSums *sums, int window, int min_count, size_t n,
                        int32_t *scratch, int16_t *score);

    /* Joins the scores of several sources: the mean of the best aqm_joined of those that are not
     * missing, so that an occluded source does not count (Kang, Szeliski & Chai 2001); rounded as
     * match_loops.h has it. Missing where all are. Here and in `track`
     * rows may be read and written up to whole multiples of 16. */
    void (*join)(const int16_t *const *scores, size_t source_count, size_t n, int16_t *out);

    /* Takes the scores of `count` planes from `first` (0, 1, ... 32767) on into the search, `pitch`
     * apart. Maxima nearer than `merge_planes` are the same peak. However the planes are parted
     * into calls, the bits are the same. */
    void (*track)(const int16_t *scores, size_t pitch, int first, int count, int merge_planes,
                  size_t n, const AqmPeaks *peaks);
} AqmKernels;

/* The fastest table this processor can run (features as base/cpu.h's aqm_cpu_features gives them).
 */
const AqmKernels *aqm_kernels(unsigned cpu_features);

/* All tables that a processor with these features can run, the slowest (the reference) first;
 * returns how many. */
enum { AQM_KERNEL_TABLES = 4 };
int aqm_kernel_tables(unsigned cpu_features, const AqmKernels *tables[AQM_KERNEL_TABLES]);

extern const AqmKernels aqm_kernels_reference;
#if defined(__x86_64__)
extern const AqmKernels aqm_kernels_avx2;
extern const AqmKernels aqm_kernels_avx512;
#elif defined(__aarch64__)
extern const AqmKernels aqm_kernels_neon;
#endif

#endif
