#include <png.h>
#include <setjmp.h>
#include <stdlib.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "io/atomic_file.h"

typedef struct Sink {
    AqmAtomicFile *file;
    AqmDiag *diag;
    AqmStatus status;
    const char *path;
} Sink;

static void sink_write(png_structp png, png_bytep data, size_t size) {
    Sink *sink = png_get_io_ptr(png);
    if (sink->status == AQM_OK)
        sink->status = aqm_atomic_write(sink->file, data, size, sink->diag);
    if (sink->status != AQM_OK)
        png_error(png, "not written");
}

static void sink_flush(png_structp png) {
    (void)png;
}

static void sink_error(png_structp png, png_const_charp message) {
    Sink *sink = png_get_error_ptr(png);
    if (sink->status == AQM_OK)
        sink->status = aqm_fail(sink->diag, AQM_ERROR_MEMORY, "%s: the PNG cannot be made: %s",
                                sink->path, message);
    png_longjmp(png, 1);
}

static void sink_warning(png_structp png, png_const_charp message) {
    (void)png;
    (void)message;
}

static png_voidp sink_alloc(png_structp png, png_alloc_size_t size) {
    (void)png;
    return aqm_alloc(size, 1);
}

static void sink_free(png_structp png, png_voidp block) {
    (void)png;
    aqm_free(block);
}

/* No variable of this function changes between setjmp and longjmp. */
static void encode(png_structp png, png_infop info, const AqmImageView *image) {
    if (setjmp(png_jmpbuf(png)))
        return;
    png_set_IHDR(png, info, (png_uint_32)image->width, (png_uint_32)image->height,
                 image->type == AQM_U16 ? 16 : 8,
                 image->channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(png, 2);
    png_write_info(png, info);
    if (image->type == AQM_U16)
        png_set_swap(png); /* ours are little endian, PNG is big */
    for (int y = 0; y < image->height; y++)
        png_write_row(png, (png_const_bytep)image->data + (size_t)y * image->stride);
    png_write_end(png, info);
}

AqmStatus aqm_png_write(const char *path, const AqmImageView *image, AqmDiag *diag) {
    AqmAtomicFile file;
    AQM_TRY(aqm_atomic_open(&file, path, diag));
    Sink sink = {&file, diag, AQM_OK, path};
    png_structp png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &sink, sink_error,
                                                sink_warning, NULL, sink_alloc, sink_free);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (info) {
        png_set_write_fn(png, &sink, sink_write, sink_flush);
        encode(png, info, image);
    } else if (sink.status == AQM_OK) {
        sink.status = aqm_fail(diag, AQM_ERROR_MEMORY, "%s: out of memory for a PNG", path);
    }
    png_destroy_write_struct(&png, &info);
    return aqm_atomic_finish(&file, sink.status, diag);
}
