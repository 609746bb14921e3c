/* GeoTIFF (OGC 19-008r4) of a height map, for GIS programs.
 *
 * Nodes are points (RasterPixelIsPoint): the centre of pixel (0, 0) is the node with the smallest X
 * and the largest Y. The coordinate system is one of our own: model type and citation say so, the
 * unit is the metre. Bands lie one after the other (planar), packed by deflate with the predictor
 * for floating point (Adobe TIFF Technical Note 3), at the fastest level: half the time of the
 * default one, and hardly more bytes. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <tiffio.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "io/atomic_file.h"
#include "io/height_map_check.h"

enum {
    TAG_PIXEL_SCALE = 33550,
    TAG_TIEPOINT = 33922,
    TAG_GEO_KEYS = 34735,
    TAG_GEO_TEXT = 34737,
    TAG_GDAL_METADATA = 42112,
    TAG_GDAL_NODATA = 42113,
    BANDS = 2,
    STRIP_BYTES = 1 << 16
};

/* A file that libtiff writes to, and the first thing that went wrong there. */
typedef struct Sink {
    AqmAtomicFile file;
    AqmStatus status;
    AqmDiag *diag;
} Sink;

/* ---- libtiff's way to the file ----------------------------------------------------------------
 */

static tmsize_t sink_read(thandle_t handle, void *data, tmsize_t size) {
    Sink *sink = handle;
    return (tmsize_t)fread(data, 1, (size_t)size, sink->file.stream);
}

static tmsize_t sink_write(thandle_t handle, void *data, tmsize_t size) {
    Sink *sink = handle;
    if (sink->status == AQM_OK)
        sink->status = aqm_atomic_write(&sink->file, data, (size_t)size, sink->diag);
    return sink->status == AQM_OK ? size : -1;
}

static toff_t sink_seek(thandle_t handle, toff_t offset, int whence) {
    Sink *sink = handle;
    if (fseeko(sink->file.stream, (off_t)offset, whence) != 0)
        return (toff_t)-1;
    return (toff_t)ftello(sink->file.stream);
}

static toff_t sink_size(thandle_t handle) {
    Sink *sink = handle;
    const off_t at = ftello(sink->file.stream);
    if (at < 0 || fseeko(sink->file.stream, 0, SEEK_END) != 0)
        return 0;
    const off_t size = ftello(sink->file.stream);
    return fseeko(sink->file.stream, at, SEEK_SET) == 0 ? (toff_t)size : 0;
}

/* The stream belongs to the atomic file. */
static int sink_close(thandle_t handle) {
    (void)handle;
    return 0;
}

/* 1 = dealt with: libtiff prints nothing. */
static int sink_error(TIFF *tiff, void *user, const char *module, const char *format,
                      va_list arguments) {
    (void)tiff;
    (void)module;
    Sink *sink = user;
    char reason[512];
    vsnprintf(reason, sizeof reason, format, arguments);
    if (sink->status == AQM_OK)
        sink->status = aqm_fail(sink->diag, AQM_ERROR_IO, "cannot write %s as TIFF: %s",
                                sink->file.path, reason);
    return 1;
}

static int sink_warning(TIFF *tiff, void *user, const char *module, const char *format,
                        va_list arguments) {
    (void)tiff;
    (void)user;
    (void)module;
    (void)format;
    (void)arguments;
    return 1;
}

static TIFF *open_tiff(Sink *sink) {
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (!options)
        return NULL;
    TIFFOpenOptionsSetErrorHandlerExtR(options, sink_error, sink);
    TIFFOpenOptionsSetWarningHandlerExtR(options, sink_warning, sink);
    /* little endian, and not mapped into memory */
    TIFF *tiff = TIFFClientOpenExt(sink->file.path, "wlm", sink, sink_read, sink_write, sink_seek,
                                   sink_close, sink_size, NULL, NULL, options);
    TIFFOpenOptionsFree(options);
    return tiff;
}

/* ---- what stands in the file ------------------------------------------------------------------
 */

/* Tags that libtiff does not know by itself. */
static int add_tags(TIFF *tiff) {
    static char scale[] = "ModelPixelScale", tiepoint[] = "ModelTiepoint",
                keys[] = "GeoKeyDirectory", text[] = "GeoAsciiParams", metadata[] = "GDAL_METADATA",
                no_data[] = "GDAL_NODATA";
    static const TIFFFieldInfo tags[] = {
        {TAG_PIXEL_SCALE, -1, -1, TIFF_DOUBLE, FIELD_CUSTOM, 1, 1, scale},
        {TAG_TIEPOINT, -1, -1, TIFF_DOUBLE, FIELD_CUSTOM, 1, 1, tiepoint},
        {TAG_GEO_KEYS, -1, -1, TIFF_SHORT, FIELD_CUSTOM, 1, 1, keys},
        {TAG_GEO_TEXT, -1, -1, TIFF_ASCII, FIELD_CUSTOM, 1, 0, text},
        {TAG_GDAL_METADATA, -1, -1, TIFF_ASCII, FIELD_CUSTOM, 1, 0, metadata},
        {TAG_GDAL_NODATA, -1, -1, TIFF_ASCII, FIELD_CUSTOM, 1, 0, no_data},
    };
    return TIFFMergeFieldInfo(tiff, tags, sizeof tags / sizeof tags[0]) == 0;
}

/* Where the picture lies: 1, or 0 where libtiff refuses a value. */
static int place(TIFF *tiff, const AqmHeightMap *map) {
    static const char citation[] = "aquamvs rig frame|"; /* | ends a text */
    enum { KEYS = 4 };
    /* version 1.1.0, number of keys; of each: key, tag of its value (0 = here), count, value */
    static const uint16_t keys[4 + 4 * KEYS] = {
        1,     1,     0,
        KEYS, /* */
        1024,  0,     1,
        32767, /* model type: defined by the user */
        1025,  0,     1,
        2, /* raster type: pixels are points */
        1026,  34737, sizeof citation - 1,
        0, /* citation */
        3076,  0,     1,
        9001, /* linear unit: metre */
    };
    const double last_row = (double)map->first_row + (map->rows - 1);
    const double scale[3] = {map->step_m, map->step_m, 0};
    const double tiepoint[6] = {0, 0, 0, map->first_column * map->step_m, last_row * map->step_m,
                                0};
    return TIFFSetField(tiff, TAG_PIXEL_SCALE, 3, scale) &&
           TIFFSetField(tiff, TAG_TIEPOINT, 6, tiepoint) &&
           TIFFSetField(tiff, TAG_GEO_KEYS, 4 + 4 * KEYS, keys) &&
           TIFFSetField(tiff, TAG_GEO_TEXT, citation);
}

static int describe(TIFF *tiff) {
    static const char metadata[] =
        "<GDALMetadata>\n"
        "  <Item name=\"DESCRIPTION\" sample=\"0\" role=\"description\">Z, metres, down</Item>\n"
        "  <Item name=\"DESCRIPTION\" sample=\"1\" role=\"description\">sigma of Z, metres</Item>\n"
        "  <Item name=\"UNITTYPE\" sample=\"0\" role=\"unittype\">metre</Item>\n"
        "  <Item name=\"UNITTYPE\" sample=\"1\" role=\"unittype\">metre</Item>\n"
        "</GDALMetadata>\n";
    char software[64];
    snprintf(software, sizeof software, "aquamvs %s", aqm_version());
    return TIFFSetField(tiff, TIFFTAG_SOFTWARE, software) &&
           TIFFSetField(tiff, TAG_GDAL_METADATA, metadata) &&
           TIFFSetField(tiff, TAG_GDAL_NODATA, "nan");
}

/* 64 KiB of rows, at least one. */
static uint32_t rows_per_strip(const AqmHeightMap *map) {
    const size_t row = (size_t)map->columns * sizeof(float);
    const size_t rows = row < STRIP_BYTES ? STRIP_BYTES / row : 1;
    return rows < (size_t)map->rows ? (uint32_t)rows : (uint32_t)map->rows;
}

static int set_layout(TIFF *tiff, const AqmHeightMap *map) {
    static const uint16_t extra[BANDS - 1] = {EXTRASAMPLE_UNSPECIFIED};
    return TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, (uint32_t)map->columns) &&
           TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, (uint32_t)map->rows) &&
           TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, BANDS) &&
           TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, BANDS - 1, extra) &&
           TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 32) &&
           TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_IEEEFP) &&
           TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK) &&
           TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_SEPARATE) &&
           TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_ADOBE_DEFLATE) &&
           TIFFSetField(tiff, TIFFTAG_PREDICTOR, PREDICTOR_FLOATINGPOINT) &&
           TIFFSetField(tiff, TIFFTAG_ZIPQUALITY, 1) &&
           TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, rows_per_strip(map));
}

/* Rows of one band, the last one of the map first. `strip` has room for rows_per_strip. */
static int write_band(TIFF *tiff, const AqmHeightMap *map, const float *plane, uint32_t first_strip,
                      float *strip) {
    const size_t columns = (size_t)map->columns, rows = (size_t)map->rows;
    const size_t strip_rows = rows_per_strip(map);
    for (size_t done = 0, s = 0; done < rows; done += strip_rows, s++) {
        const size_t count = rows - done < strip_rows ? rows - done : strip_rows;
        for (size_t j = 0; j < count; j++)
            memcpy(strip + j * columns, plane + (rows - 1 - done - j) * columns,
                   columns * sizeof *strip);
        const tmsize_t size = (tmsize_t)(count * columns * sizeof *strip);
        if (TIFFWriteEncodedStrip(tiff, first_strip + (uint32_t)s, strip, size) != size)
            return 0;
    }
    return 1;
}

static int write_picture(TIFF *tiff, const AqmHeightMap *map, float *strip) {
    const uint32_t per_strip = rows_per_strip(map);
    const uint32_t strips = (uint32_t)((map->rows - 1) / (int)per_strip) + 1;
    return add_tags(tiff) && set_layout(tiff, map) && place(tiff, map) && describe(tiff) &&
           write_band(tiff, map, map->z_m, 0, strip) &&
           write_band(tiff, map, map->sigma_m, strips, strip) && TIFFFlush(tiff);
}

static AqmStatus write_file(Sink *sink, const AqmHeightMap *map) {
    const size_t rows = rows_per_strip(map), row_size = (size_t)map->columns * sizeof(float);
    float *strip = aqm_alloc(rows, row_size);
    if (!strip)
        return aqm_fail_memory(sink->diag, sink->file.path, rows, row_size);
    TIFF *tiff = open_tiff(sink);
    const int written = tiff && write_picture(tiff, map, strip);
    if (tiff)
        TIFFClose(tiff);
    aqm_free(strip);
    if (sink->status == AQM_OK && !written)
        sink->status =
            aqm_fail(sink->diag, AQM_ERROR_MEMORY, "%s: out of memory for a TIFF", sink->file.path);
    return sink->status;
}

/* TIFF counts bytes in 32 bits. Deflate makes what it cannot pack larger by less than a
 * thousandth. */
static AqmStatus check_size(const char *path, const AqmHeightMap *map, AqmDiag *diag) {
    const double bytes = (double)map->columns * map->rows * BANDS * sizeof(float);
    if (bytes < 0.99 * UINT32_MAX)
        return AQM_OK;
    return aqm_fail(diag, AQM_ERROR_ARGUMENT, "%s: %d x %d nodes are more than the 4 GiB of a TIFF",
                    path, map->columns, map->rows);
}

AqmStatus aqm_height_map_write_tiff(const char *path, const AqmHeightMap *map, AqmDiag *diag) {
    AQM_TRY(aqm_height_map_check(path, map, diag));
    AQM_TRY(check_size(path, map, diag));
    Sink sink = {.diag = diag};
    AQM_TRY(aqm_atomic_open(&sink.file, path, diag));
    return aqm_atomic_finish(&sink.file, write_file(&sink, map), diag);
}
