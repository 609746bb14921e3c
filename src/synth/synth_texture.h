/* What the ground looks like: sand with grains, patches, shell fragments and dark minerals, and a
 * marked chequer board. Anchored in the world: all cameras and frames see the same. */
#ifndef AQM_SYNTH_TEXTURE_H
#define AQM_SYNTH_TEXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "aquamvs/board.h"

enum { AQM_TEXTURE_OCTAVES = 9, AQM_BOARD_MODULES_X = 80, AQM_BOARD_MODULES_Y = 56 };

typedef struct AqmTextureOctave {
    double cell_m, turn_cos, turn_sin, shift[2]; /* its lattice */
    float brightness, hue;                       /* weights */
    uint32_t seed;
} AqmTextureOctave;

typedef struct AqmTexture {
    AqmTextureOctave octaves[AQM_TEXTURE_OCTAVES]; /* finest first */
    uint32_t seed;
    float contrast;
    bool has_board;
    double board_cos, board_sin; /* direction of its long side on the map */
    double board_stretch;        /* length along the slope per length on the map */
    bool has_charuco;
    AqmBoard charuco;
    double charuco_from_map[6]; /* affine: x = m0 X + m1 Y + m2, y = m3 X + m4 Y + m5, metres */
} AqmTexture;

/* `board_azimuth` and `board_slope` (tangent of the tilt) matter where has_board is set. */
void aqm_texture_init(AqmTexture *texture, uint64_t seed, double contrast, bool has_board,
                      double board_azimuth, double board_slope);

/* Prints a ChArUco board with a white margin of 12 mm on the ground: its frame is p = R q + origin,
 * its plane Z = z[0] + z[1] X + z[2] Y. */
void aqm_texture_print_board(AqmTexture *texture, const AqmBoard *board, const double R[9],
                             const double origin[3], const double z[3]);

/* Mean albedo (R, G, B) of the parallelogram about (x, y) that a pixel sees: its sides are du and
 * dv, metres on the map. */
void aqm_texture_albedo(const AqmTexture *texture, double x, double y, const double du[2],
                        const double dv[2], float rgb[3]);

#endif
