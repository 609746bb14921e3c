/* A float as decimal digits that read back as it.
 *
 * Nine digits d1.d2...d9 x 10^e always do: they are off by at most half a unit of the ninth digit,
 * 5e-9 of the value, where floats are at least 2^-24 = 6e-8 of it apart. Fewer digits are tried
 * first, and taken where they are closer than half the distance to the next float, less a
 * millionth, so that the error of the double arithmetic here (1e-15 of the value) decides nothing.
 * Four times as fast as printf, which matters for millions of vertices, and free of the locale. */
#include "io/number_text.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static const double nearly_half = 0.5 * (1 - 1e-6);

enum { DIGITS_LEAST = 6, DIGITS_MOST = 9 };

/* 10^exponent for 0..54; exact up to 22, then off by less than 1e-15 of it. */
static double power_of_ten(int exponent) {
    static const double exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    double power = 1;
    for (; exponent > 22; exponent -= 22)
        power *= exact[22];
    return power * exact[exponent];
}

static double scaled(double value, int exponent) {
    return exponent >= 0 ? value * power_of_ten(exponent) : value / power_of_ten(-exponent);
}

/* The exponent of the first digit of a positive float. */
static int exponent_of(double value) {
    int binary;
    (void)frexp(value, &binary); /* 2^(binary - 1) <= value < 2^binary */
    const int exponent = (int)floor((binary - 1) * 0.30102999566398120);
    return scaled(value, -exponent) >= 10 ? exponent + 1 : exponent;
}

static char *put_digits(char *text, uint32_t digits, int count) {
    for (int i = count - 1; i >= 0; i--, digits /= 10)
        text[i] = (char)('0' + digits % 10);
    return text + count;
}

/* d.ddde-07 */
static char *put_scientific(char *text, const char *digits, int count, int exponent) {
    *text++ = digits[0];
    if (count > 1) {
        *text++ = '.';
        memcpy(text, digits + 1, (size_t)count - 1);
        text += count - 1;
    }
    *text++ = 'e';
    *text++ = exponent < 0 ? '-' : '+';
    return put_digits(text, (uint32_t)(exponent < 0 ? -exponent : exponent), 2);
}

static char *put_plain(char *text, const char *digits, int count, int exponent) {
    if (exponent < 0) {
        *text++ = '0';
        *text++ = '.';
        for (int i = -1; i > exponent; i--)
            *text++ = '0';
        memcpy(text, digits, (size_t)count);
        return text + count;
    }
    for (int i = 0; i <= exponent || i < count; i++) {
        if (i == exponent + 1)
            *text++ = '.';
        *text++ = i < count ? digits[i] : '0';
    }
    return text;
}

char *aqm_put_float(char *text, float value) {
    const double magnitude = fabs((double)value);
    if (magnitude == 0) {
        *text = '0';
        return text + 1;
    }
    if (value < 0)
        *text++ = '-';
    int exponent = exponent_of(magnitude);
    /* The nearer neighbour is the one below. All in units of the ninth digit: */
    const double gap = scaled(magnitude - (double)nextafterf(fabsf(value), 0.0f), 8 - exponent);
    const double exact = scaled(magnitude, 8 - exponent);
    static const uint32_t units[] = {1000, 100, 10, 1}; /* of six to nine digits */
    uint32_t digits = 0;
    int count = DIGITS_LEAST;
    for (;; count++) {
        const uint32_t unit = units[count - DIGITS_LEAST];
        digits = (uint32_t)(exact / unit + 0.5);
        if (count == DIGITS_MOST || fabs((double)digits * unit - exact) < nearly_half * gap)
            break;
    }
    if (digits == (uint32_t)power_of_ten(count)) { /* rounded up to one digit more */
        digits /= 10;
        exponent++;
    }
    for (; count > 1 && digits % 10 == 0; count--)
        digits /= 10;
    char decimal[DIGITS_MOST];
    put_digits(decimal, digits, count);
    return exponent < -4 || exponent >= DIGITS_MOST ? put_scientific(text, decimal, count, exponent)
                                                    : put_plain(text, decimal, count, exponent);
}

char *aqm_put_count(char *text, unsigned long long value) {
    char reversed[20];
    int count = 0;
    do
        reversed[count++] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    while (count > 0)
        *text++ = reversed[--count];
    return text;
}
