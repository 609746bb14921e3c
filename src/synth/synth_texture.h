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
} AqmTexture;

/* `board_azimuth` and `board_slope` (tangent of the tilt) matter where has_board is set. */
void aqm_texture_init(AqmTexture *texture, uint64_t seed, double contrast, bool has_board,
                      double board_azimuth, double board_slope);

/* Mean albedo (R, G, B) of the parallelogram about (x, y) that a pixel sees: its sides are du and
 * dv, metres on the map. */
void aqm_texture_albedo(const AqmTexture *texture, double x, double y, const double du[2],
                        const double dv[2], float rgb[3]);

/* The same of a ChArUco board on a plate that reaches `margin_m` beyond its squares: (x, y), du and
 * dv are in the board's frame. Returns the share of the parallelogram that the plate covers; where
 * it is 0, rgb is not set. */
float aqm_texture_print(const AqmTexture *texture, const AqmBoard *board, double margin_m, double x,
                        double y, const double du[2], const double dv[2], float rgb[3]);

#endif
