#include "io/ply_header.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 6, LINE_MAX_BYTES = 1024 };

/* One line of the header, cut into words. */
typedef struct Line {
    char text[LINE_MAX_BYTES];
    const char *words[WORDS_MAX];
    size_t count;
    int number;
} Line;

typedef struct Parser {
    const char *path;
    AqmPlyHeader *header;
    AqmDiag *diag;
    Line line;
} Parser;

static AqmStatus fail(const Parser *parser, const char *what, const char *value) {
    return aqm_fail(parser->diag, AQM_ERROR_FORMAT, "%s:%d: %s%.80s", parser->path,
                    parser->line.number, what, value);
}

size_t aqm_ply_type_size(AqmPlyType type) {
    static const size_t sizes[AQM_PLY_TYPES] = {1, 1, 2, 2, 4, 4, 4, 8};
    return sizes[type];
}

const AqmPlyElement *aqm_ply_find(const AqmPlyHeader *header, AqmPlyKind kind) {
    for (size_t i = 0; i < header->element_count; i++)
        if (header->elements[i].kind == kind)
            return &header->elements[i];
    return NULL;
}

/* Index of the word in a list that ends with NULL; the list's length where it is not there. */
static size_t find_word(const char *const *list, const char *word) {
    size_t i = 0;
    while (list[i] && strcmp(list[i], word) != 0)
        i++;
    return i;
}

static bool parse_type(const char *word, AqmPlyType *type) {
    static const char *const names[] = {"char",  "uchar",  "short",   "ushort",  "int",   "uint",
                                        "float", "double", "int8",    "uint8",   "int16", "uint16",
                                        "int32", "uint32", "float32", "float64", NULL};
    const size_t index = find_word(names, word);
    *type = (AqmPlyType)(index % AQM_PLY_TYPES);
    return names[index] != NULL;
}

static AqmPlyRole role_of(AqmPlyKind kind, bool is_list, const char *name) {
    static const char *const names[] = {"x",     "y",     "z",     "nx",   "ny",
                                        "nz",    "red",   "green", "blue", "confidence",
                                        "sigma", "views", NULL};
    static const char *const colors[] = {"diffuse_red", "diffuse_green", "diffuse_blue", NULL};
    if (kind == AQM_PLY_FACE && is_list)
        return strcmp(name, "vertex_indices") == 0 || strcmp(name, "vertex_index") == 0
                   ? AQM_PLY_INDICES
                   : AQM_PLY_OTHER;
    if (kind != AQM_PLY_VERTEX || is_list)
        return AQM_PLY_OTHER;
    const size_t role = find_word(names, name), color = find_word(colors, name);
    if (names[role])
        return (AqmPlyRole)role;
    return colors[color] ? (AqmPlyRole)(AQM_PLY_RED + color) : AQM_PLY_OTHER;
}

static AqmStatus parse_format(Parser *parser) {
    static const char *const names[] = {"ascii", "binary_little_endian", "binary_big_endian", NULL};
    const Line *line = &parser->line;
    const size_t index = line->count >= 2 ? find_word(names, line->words[1]) : 3;
    if (index == 3)
        return fail(parser,
                    "the format must be ascii, binary_little_endian or "
                    "binary_big_endian, not ",
                    line->count >= 2 ? line->words[1] : "missing");
    parser->header->format = (AqmPlyFormat)index;
    return AQM_OK;
}

static AqmStatus parse_element(Parser *parser) {
    const Line *line = &parser->line;
    AqmPlyHeader *header = parser->header;
    char *end = NULL;
    if (line->count != 3 || line->words[2][0] < '0' || line->words[2][0] > '9')
        return fail(parser, "an element needs a name and a count", "");
    const unsigned long long count = strtoull(line->words[2], &end, 10);
    if (*end != '\0' || count > UINT32_MAX)
        return fail(parser, "the count of an element must be in 0..4294967295, not ",
                    line->words[2]);
    if (header->element_count == AQM_PLY_ELEMENTS_MAX)
        return fail(parser, "there are too many elements", "");
    static const char *const names[] = {"vertex", "face", NULL};
    const AqmPlyKind kind = (AqmPlyKind)find_word(names, line->words[1]);
    if (kind != AQM_PLY_UNKNOWN && aqm_ply_find(header, kind))
        return fail(parser, "there is a second element ", line->words[1]);
    AqmPlyElement *element = &header->elements[header->element_count++];
    element->kind = kind;
    element->count = (size_t)count;
    element->property_count = 0;
    return AQM_OK;
}

static AqmStatus parse_property(Parser *parser) {
    const Line *line = &parser->line;
    AqmPlyHeader *header = parser->header;
    if (header->element_count == 0)
        return fail(parser, "a property stands before the first element", "");
    AqmPlyElement *element = &header->elements[header->element_count - 1];
    if (element->property_count == AQM_PLY_PROPERTIES_MAX)
        return fail(parser, "an element has too many properties", "");
    AqmPlyProperty *property = &element->properties[element->property_count++];
    *property =
        (AqmPlyProperty){.is_list = line->count == 5 && strcmp(line->words[1], "list") == 0};
    if (line->count != (property->is_list ? 5 : 3))
        return fail(parser, "a property needs a type and a name", "");
    if (property->is_list &&
        (!parse_type(line->words[2], &property->count_type) || property->count_type >= AQM_PLY_F32))
        return fail(parser, "no type for the length of a list: ", line->words[2]);
    const char *type = line->words[line->count - 2], *name = line->words[line->count - 1];
    if (!parse_type(type, &property->type))
        return fail(parser, "no type of a property: ", type);
    property->role = role_of(element->kind, property->is_list, name);
    return AQM_OK;
}

/* Copies the next line and cuts it into words; false where the data ends before the line does. */
static bool next_line(Parser *parser, const char **at, const char *end) {
    Line *line = &parser->line;
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    line->number++;
    line->count = 0;
    if (!stop || (size_t)(stop - *at) >= sizeof line->text)
        return false;
    memcpy(line->text, *at, (size_t)(stop - *at));
    line->text[stop - *at] = '\0';
    *at = stop + 1;
    char *rest = NULL;
    for (char *word = strtok_r(line->text, " \t\r", &rest); word && line->count < WORDS_MAX;
         word = strtok_r(NULL, " \t\r", &rest))
        line->words[line->count++] = word;
    return true;
}

static AqmStatus check(Parser *parser, bool has_format) {
    const AqmPlyElement *vertex = aqm_ply_find(parser->header, AQM_PLY_VERTEX);
    if (!has_format)
        return fail(parser, "the header says no format", "");
    if (!vertex)
        return fail(parser, "there is no element vertex", "");
    for (AqmPlyRole role = AQM_PLY_X; role <= AQM_PLY_Z; role++) {
        bool found = false;
        for (size_t i = 0; i < vertex->property_count; i++)
            found = found || vertex->properties[i].role == role;
        if (!found)
            return fail(parser, "vertices have no property ",
                        role == AQM_PLY_X   ? "x"
                        : role == AQM_PLY_Y ? "y"
                                            : "z");
    }
    return AQM_OK;
}

AqmStatus aqm_ply_parse_header(const char *path, const char *data, size_t size,
                               AqmPlyHeader *header, AqmDiag *diag) {
    Parser parser = {.path = path, .header = header, .diag = diag};
    const char *at = data, *end = data + size;
    bool has_format = false;
    header->element_count = 0;
    if (!next_line(&parser, &at, end) || parser.line.count != 1 ||
        strcmp(parser.line.words[0], "ply") != 0)
        return fail(&parser, "this is no PLY file: it does not begin with \"ply\"", "");
    while (next_line(&parser, &at, end)) {
        const char *key = parser.line.count > 0 ? parser.line.words[0] : "comment";
        if (strcmp(key, "comment") == 0 || strcmp(key, "obj_info") == 0)
            continue;
        if (strcmp(key, "end_header") == 0) {
            header->size = (size_t)(at - data);
            return check(&parser, has_format);
        }
        if (strcmp(key, "format") == 0)
            AQM_TRY(parse_format(&parser));
        else if (strcmp(key, "element") == 0)
            AQM_TRY(parse_element(&parser));
        else if (strcmp(key, "property") == 0)
            AQM_TRY(parse_property(&parser));
        else
            return fail(&parser, "unknown word in the header: ", key);
        has_format = has_format || strcmp(key, "format") == 0;
    }
    return fail(&parser, "the header has no end_header", "");
}
