/* The header of a PLY file (Turk 1994): what stands in the file, in which order and types. */
#ifndef AQM_IO_PLY_HEADER_H
#define AQM_IO_PLY_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"

enum { AQM_PLY_ELEMENTS_MAX = 16, AQM_PLY_PROPERTIES_MAX = 256 };

typedef enum AqmPlyFormat { AQM_PLY_ASCII, AQM_PLY_LITTLE, AQM_PLY_BIG } AqmPlyFormat;

typedef enum AqmPlyType {
    AQM_PLY_I8,
    AQM_PLY_U8,
    AQM_PLY_I16,
    AQM_PLY_U16,
    AQM_PLY_I32,
    AQM_PLY_U32,
    AQM_PLY_F32,
    AQM_PLY_F64,
    AQM_PLY_TYPES
} AqmPlyType;

/* What a property means to us. */
typedef enum AqmPlyRole {
    AQM_PLY_X,
    AQM_PLY_Y,
    AQM_PLY_Z,
    AQM_PLY_NX,
    AQM_PLY_NY,
    AQM_PLY_NZ,
    AQM_PLY_RED,
    AQM_PLY_GREEN,
    AQM_PLY_BLUE,
    AQM_PLY_CONFIDENCE,
    AQM_PLY_SIGMA,
    AQM_PLY_VIEWS,
    AQM_PLY_INDICES, /* the list of a face */
    AQM_PLY_OTHER    /* read and dropped */
} AqmPlyRole;

typedef struct AqmPlyProperty {
    AqmPlyRole role;
    bool is_list;
    AqmPlyType count_type, type; /* count_type: of a list's length */
} AqmPlyProperty;

typedef enum AqmPlyKind { AQM_PLY_VERTEX, AQM_PLY_FACE, AQM_PLY_UNKNOWN } AqmPlyKind;

typedef struct AqmPlyElement {
    AqmPlyKind kind;
    size_t count, property_count;
    AqmPlyProperty properties[AQM_PLY_PROPERTIES_MAX];
} AqmPlyElement;

typedef struct AqmPlyHeader {
    AqmPlyFormat format;
    size_t element_count;
    AqmPlyElement elements[AQM_PLY_ELEMENTS_MAX];
    size_t size; /* bytes: the data begins here */
} AqmPlyHeader;

size_t aqm_ply_type_size(AqmPlyType type);

/* The element of a kind, or NULL. */
const AqmPlyElement *aqm_ply_find(const AqmPlyHeader *header, AqmPlyKind kind);

/* `data` ends with a '\0' after its `size` bytes. FORMAT with the line where it is wrong. */
AqmStatus aqm_ply_parse_header(const char *path, const char *data, size_t size,
                               AqmPlyHeader *header, AqmDiag *diag);

#endif
