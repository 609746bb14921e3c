/* Frames as a slice on the command line. */
#ifndef AQUAMVS_FRAME_SLICE_H
#define AQUAMVS_FRAME_SLICE_H

#include <stdbool.h>

/* "A", "A:B", "A:B:C" with parts left out; a single number is that frame alone; *stop -1 = to the
 * end. false where it is no slice, or one without frames. */
bool parse_frame_slice(const char *text, int *start, int *stop, int *step);

#endif
