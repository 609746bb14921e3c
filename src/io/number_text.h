/* Numbers as text, the same in every language: a decimal point, no grouping. */
#ifndef AQM_IO_NUMBER_TEXT_H
#define AQM_IO_NUMBER_TEXT_H

/* Room for any float: a sign, nine digits, a point, "e-45". */
enum { AQM_FLOAT_TEXT_MAX = 24 };

/* Writes the fewest digits (at most nine) that read back as the same float: "0", "-0.125", "1e-07",
 * "3.40282347e+38"; plain notation from 1e-4 up to 1e9. No '\0'; returns the end. `value` must be
 * finite; -0 is written as 0. */
char *aqm_put_float(char *text, float value);

/* Whole numbers from 0. No '\0'; returns the end. */
char *aqm_put_count(char *text, unsigned long long value);

#endif
