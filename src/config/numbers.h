/* Numbers as text, the same in every locale. */
#ifndef AQM_CONFIG_NUMBERS_H
#define AQM_CONFIG_NUMBERS_H

#include <stdbool.h>

/* A decimal integer and nothing else; false where it is not one or does not fit. */
bool aqm_parse_integer(const char *text, long long *value);
/* A finite decimal number ("1", "0.5", ".5", "1e-3") and nothing else. */
bool aqm_parse_real(const char *text, double *value);

enum { AQM_REAL_TEXT_MAX = 32 };
/* The shortest text that reads back as the same number; always with a point or an exponent. */
void aqm_format_real(double value, char text[AQM_REAL_TEXT_MAX]);

#endif
