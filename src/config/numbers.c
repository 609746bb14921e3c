#include "config/numbers.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool aqm_parse_integer(const char *text, long long *value) {
    const char *digits = text + (*text == '-' || *text == '+');
    if (*digits == '\0' || strspn(digits, "0123456789") != strlen(digits))
        return false;
    errno = 0;
    *value = strtoll(text, NULL, 10);
    return errno == 0;
}

/* Swaps the decimal point of the current locale for '.', or back; locales whose point is longer
 * than a byte do not occur among the single numbers written here. */
static void swap_point(char *text, char from, char to) {
    char *at = strchr(text, from);
    if (at)
        *at = to;
}

bool aqm_parse_real(const char *text, double *value) {
    char copy[128];
    const size_t length = strlen(text);
    if (length == 0 || length >= sizeof copy || strspn(text, "0123456789+-.eE") != length)
        return false;
    memcpy(copy, text, length + 1);
    swap_point(copy, '.', localeconv()->decimal_point[0]);
    char *end;
    *value = strtod(copy, &end);
    return end != copy && *end == '\0' && isfinite(*value);
}

void aqm_format_real(double value, char text[AQM_REAL_TEXT_MAX]) {
    const double size = fabs(value);
    const bool plain = size == 0 || (size >= 1e-4 && size < 1e9);
    for (int digits = plain ? 1 : 0; digits <= 20; digits++) {
        snprintf(text, AQM_REAL_TEXT_MAX, plain ? "%.*f" : "%.*e", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    swap_point(text, localeconv()->decimal_point[0], '.');
    /* YAML 1.1 takes 1e-05 for text. */
    char *exponent = strchr(text, 'e');
    if (exponent && !strchr(text, '.')) {
        memmove(exponent + 2, exponent, strlen(exponent) + 1);
        memcpy(exponent, ".0", 2);
    }
}
