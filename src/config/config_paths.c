#include "config/config_paths.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

static char *concatenate(const char *a, size_t a_length, const char *b) {
    const size_t b_length = strlen(b);
    char *joined = aqm_alloc(a_length + b_length + 1, 1);
    if (joined) {
        memcpy(joined, a, a_length);
        memcpy(joined + a_length, b, b_length + 1);
    }
    return joined;
}

char *aqm_path_folder(const char *path) {
    const char *slash = strrchr(path, '/');
    return concatenate(path, slash ? (size_t)(slash - path) + 1 : 0, "");
}

char *aqm_path_join(const char *folder, const char *path) {
    return concatenate(folder, path[0] == '/' ? 0 : strlen(folder), path);
}

/* Takes out ".", double slashes and a slash at the end, in place; `path` begins with a slash. */
static void tidy(char *path) {
    char *write = path;
    const char *read = path;
    while (*read) {
        const size_t length = strcspn(read, "/");
        if (length > 0 && !(length == 1 && read[0] == '.')) {
            *write++ = '/';
            memmove(write, read, length);
            write += length;
        }
        read += length;
        read += *read == '/';
    }
    if (write == path)
        *write++ = '/';
    *write = '\0';
}

char *aqm_path_absolute(const char *path) {
    char *absolute;
    if (path[0] == '/') {
        absolute = concatenate("", 0, path);
    } else {
        char *here = getcwd(NULL, 0);
        char *folder = here ? concatenate(here, strlen(here), "/") : concatenate("", 0, "/");
        free(here);
        absolute = folder ? aqm_path_join(folder, path) : NULL;
        aqm_free(folder);
    }
    if (absolute)
        tidy(absolute);
    return absolute;
}

static bool climbs(const char *path) {
    for (const char *at = strstr(path, ".."); at; at = strstr(at + 1, ".."))
        if ((at == path || at[-1] == '/') && (at[2] == '/' || at[2] == '\0'))
            return true;
    return false;
}

char *aqm_path_relative(const char *path, const char *folder) {
    char *absolute = aqm_path_absolute(path);
    char *base = folder && absolute ? aqm_path_absolute(folder) : NULL;
    if (!base) {
        if (folder) {
            aqm_free(absolute);
            absolute = NULL;
        }
        return absolute;
    }
    const size_t length = strcmp(base, "/") == 0 ? 0 : strlen(base);
    char *relative = absolute;
    if (strcmp(absolute, base) == 0)
        relative = concatenate("", 0, ".");
    else if (strncmp(absolute, base, length) == 0 && absolute[length] == '/' &&
             !climbs(absolute + length))
        relative = concatenate("", 0, absolute + length + 1);
    if (relative != absolute)
        aqm_free(absolute);
    aqm_free(base);
    return relative;
}
