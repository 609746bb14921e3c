/* Everything: multi-view stereo through a water surface. Begin with pipeline.h for whole runs, with
 * geometry.h, stereo.h, fusion.h and surface.h for single stages. */
#ifndef AQUAMVS_AQUAMVS_H
#define AQUAMVS_AQUAMVS_H

#include "aquamvs/benchmark.h"
#include "aquamvs/board.h"
#include "aquamvs/charuco.h"
#include "aquamvs/color.h"
#include "aquamvs/compare.h"
#include "aquamvs/config.h"
#include "aquamvs/dense.h"
#include "aquamvs/evaluate.h"
#include "aquamvs/features.h"
#include "aquamvs/fusion.h"
#include "aquamvs/geometry.h"
#include "aquamvs/info.h"
#include "aquamvs/io.h"
#include "aquamvs/learned.h"
#include "aquamvs/matching.h"
#include "aquamvs/picture.h"
#include "aquamvs/pipeline.h"
#include "aquamvs/profile.h"
#include "aquamvs/status.h"
#include "aquamvs/stereo.h"
#include "aquamvs/surface.h"
#include "aquamvs/synth.h"
#include "aquamvs/types.h"
#include "aquamvs/undistort.h"
#include "aquamvs/verify.h"

#endif
