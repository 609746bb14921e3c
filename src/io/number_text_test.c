#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/base64.h"
#include "io/number_text.h"
#include "math/rng.h"

static const char *text_of(float value, char text[AQM_FLOAT_TEXT_MAX + 1]) {
    memset(text, '#', AQM_FLOAT_TEXT_MAX + 1);
    char *end = aqm_put_float(text, value);
    assert_true(end > text && end <= text + AQM_FLOAT_TEXT_MAX && *end == '#');
    *end = '\0';
    return text;
}

static void known_floats(void **state) {
    (void)state;
    static const struct {
        float value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0f, "0"},
        {1, "1"},
        {-1, "-1"},
        {0.1f, "0.1"},
        {-0.125f, "-0.125"},
        {10, "10"},
        {1.5f, "1.5"},
        {0.123456789f, "0.12345679"},
        {16777216, "16777216"},
        {123456792, "123456790"},
        {999999936, "999999940"},
        {1e9f, "1e+09"},
        {1e-4f, "0.0001"},
        {9.99e-5f, "9.99e-05"},
        {1e-7f, "1e-07"},
        {0.99999994f, "0.99999994"},
        {1.00000012f, "1.0000001"},
        {FLT_MAX, "3.4028235e+38"},
        {FLT_MIN, "1.1754944e-38"},
        {FLT_TRUE_MIN, "1.4013e-45"},
    };
    char text[AQM_FLOAT_TEXT_MAX + 1];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(text_of(cases[i].value, text), cases[i].text);
}

/* Over all exponents, and over the range that coordinates have. */
static void every_float_reads_back(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(8, 1);
    char text[AQM_FLOAT_TEXT_MAX + 1], printed[64];
    size_t length = 0, printed_length = 0;
    for (int i = 0; i < 1000000; i++) {
        float value;
        const uint32_t bits = aqm_rng_u32(&rng);
        memcpy(&value, &bits, sizeof value);
        if (i & 1)
            value = (float)(4 * aqm_rng_uniform(&rng) - 2);
        if (!isfinite(value))
            continue;
        text_of(value, text);
        const float again = strtof(text, NULL);
        if (again != value)
            fail_msg("%s, not %.9g", text, (double)value);
        length += strlen(text);
        printed_length += (size_t)snprintf(printed, sizeof printed, "%.9g", (double)value);
    }
    assert_true((double)length < 0.95 * (double)printed_length);
}

/* Digits that were there before come out again. */
static void short_decimals_stay_short(void **state) {
    (void)state;
    char text[AQM_FLOAT_TEXT_MAX + 1], expected[32];
    for (int i = 100; i < 1000000; i++) { /* below 0.0001 the notation is another */
        int digits = 6, number = i;
        for (; number % 10 == 0; number /= 10)
            digits--;
        snprintf(expected, sizeof expected, "0.%0*d", digits, number);
        assert_string_equal(text_of((float)(i / 1e6), text), expected);
    }
}

static void powers_of_ten_and_their_neighbours_read_back(void **state) {
    (void)state;
    char text[AQM_FLOAT_TEXT_MAX + 1];
    for (int exponent = -45; exponent <= 38; exponent++) {
        const float power = (float)pow(10, exponent);
        const float values[3] = {nextafterf(power, 0), power, nextafterf(power, INFINITY)};
        for (int k = 0; k < 3; k++)
            if (isfinite(values[k]))
                assert_true(strtof(text_of(values[k], text), NULL) == values[k]);
    }
}

static void no_locale_puts_a_comma(void **state) {
    (void)state;
    char text[AQM_FLOAT_TEXT_MAX + 1];
    setlocale(LC_ALL, "de_DE.UTF-8"); /* where it is installed */
    text_of(-2.5f, text);
    setlocale(LC_ALL, "C");
    assert_string_equal(text, "-2.5");
}

static void counts(void **state) {
    (void)state;
    static const struct {
        unsigned long long value;
        const char *text;
    } cases[] = {
        {0, "0"}, {7, "7"}, {4294967296, "4294967296"}, {UINT64_MAX, "18446744073709551615"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[24];
        *aqm_put_count(text, cases[i].value) = '\0';
        assert_string_equal(text, cases[i].text);
    }
}

/* RFC 4648, section 10, in pieces of every size. */
static void base64_of_the_standard(void **state) {
    (void)state;
    static const char *const known[] = {"",         "Zg==",     "Zm8=",    "Zm9v",
                                        "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    for (size_t size = 0; size <= 6; size++)
        for (size_t first = 0; first <= size; first++) {
            AqmBase64 base64 = {0};
            char text[32];
            assert_true(AQM_BASE64_ROOM(size) <= sizeof text);
            char *p = aqm_base64_put(&base64, "foobar", first, text);
            p = aqm_base64_put(&base64, &"foobar"[first], size - first, p);
            *aqm_base64_end(&base64, p) = '\0';
            assert_string_equal(text, known[size]);
        }
    AqmBase64 base64 = {0};
    char text[9];
    *aqm_base64_put(&base64, "\xff\xef\xbe\xfb\xff\0", 6, text) = '\0';
    assert_string_equal(text, "/++++/8A");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_floats),
        cmocka_unit_test(every_float_reads_back),
        cmocka_unit_test(short_decimals_stay_short),
        cmocka_unit_test(powers_of_ten_and_their_neighbours_read_back),
        cmocka_unit_test(no_locale_puts_a_comma),
        cmocka_unit_test(counts),
        cmocka_unit_test(base64_of_the_standard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
