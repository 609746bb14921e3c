/* A decoded FFmpeg frame as an image of the library. */
#ifndef AQM_IO_FRAME_CONVERT_H
#define AQM_IO_FRAME_CONVERT_H

#include <libavutil/frame.h>
#include <libswscale/swscale.h>

#include "aquamvs/types.h"

/* Keeps the scaler of the last frame; zero-initialise. One thread at a time. */
typedef struct AqmFrameConverter {
    struct SwsContext *scaler;
    AVFrame *target;
    AVFrame *padded; /* source with even sides; NULL where the frame itself is the source */
    int settings[9]; /* what the scaler was made for */
} AqmFrameConverter;

void aqm_frame_converter_release(AqmFrameConverter *converter);

/* Gray formats become 1 channel (their range is always full), all others R G B (palettes looked up,
 * alpha dropped); more than 8 bits a sample become U16, scaled to the full 16 bits. YUV by the
 * frame's own matrix, range and chroma position, where it does not say: BT.601, limited, left (for
 * JPEG: full, centre). `name` is for the sentences. UNSUPPORTED for a format that cannot be
 * converted; ARGUMENT; MEMORY. */
AqmStatus aqm_frame_to_image(AqmFrameConverter *converter, const AVFrame *frame, const char *name,
                             AqmImage **out, AqmDiag *diag);

#endif
