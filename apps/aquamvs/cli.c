#include "cli.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELP_COLUMN = 30 };

int cli_fail(const char *verb, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "aquamvs%s%s: ", *verb ? " " : "", verb);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return CLI_WRONG;
}

int cli_fail_diag(const char *verb, const AqmDiag *diag) {
    (void)cli_fail(verb, "%s", diag->message);
    return diag->status == AQM_ERROR_INTERRUPTED ? CLI_INTERRUPTED : CLI_WRONG;
}

/* ---- messages ---------------------------------------------------------------------------------
 */

void cli_clear_line(CliLog *log) {
    if (log->line_open)
        fputs("\r\033[K", stderr);
    log->line_open = false;
}

static void write_message(void *user, AqmLogLevel level, const char *message) {
    CliLog *log = user;
    if ((int)level > log->verbosity)
        return;
    cli_clear_line(log);
    fprintf(stderr, "%s%s\n", level == AQM_LOG_WARNING ? "warning: " : "", message);
}

AqmLog cli_log(CliLog *log) {
    return (AqmLog){write_message, log};
}

/* ---- nearest word: Levenshtein (1966) ----------------------------------------------------------
 */

static int distance(const char *a, const char *b) {
    enum { LONGEST = 40 };
    const size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length > LONGEST || b_length > LONGEST)
        return INT_MAX;
    int row[LONGEST + 1];
    for (size_t j = 0; j <= b_length; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= a_length; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= b_length; j++) {
            const int above = row[j];
            int best = diagonal + (a[i - 1] != b[j - 1]);
            best = above + 1 < best ? above + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            diagonal = above;
        }
    }
    return row[b_length];
}

const char *cli_nearest(const char *word, const char *const *words, size_t count) {
    const char *best = NULL;
    int best_distance = (int)(strlen(word) / 2) + 1;
    for (size_t i = 0; i < count; i++) {
        const int d = distance(word, words[i]);
        if (d < best_distance) {
            best_distance = d;
            best = words[i];
        }
    }
    return best;
}

/* ---- help -------------------------------------------------------------------------------------
 */

static void print_option(const CliOption *option) {
    char left[64], letter[8] = "    ";
    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    const int width = snprintf(left, sizeof left, "  %s--%s%s%s", letter, option->name,
                               option->value ? " " : "", option->value ? option->value : "");
    if (width < HELP_COLUMN - 1)
        printf("%-*s%s\n", HELP_COLUMN, left, option->help);
    else
        printf("%s\n%*s%s\n", left, HELP_COLUMN, "", option->help);
}

static void print_help(const CliVerb *verb) {
    printf("usage: aquamvs %s %s\n\n%s\n\noptions:\n", verb->name, verb->arguments, verb->summary);
    for (size_t i = 0; i < verb->option_count; i++)
        print_option(&verb->options[i]);
    const CliOption help = {.letter = 'h', .name = "help", .help = "show this"};
    print_option(&help);
    if (verb->epilogue)
        verb->epilogue();
}

/* ---- parsing ----------------------------------------------------------------------------------
 */

static int store_int(const CliVerb *verb, const CliOption *option, const char *value) {
    char *end;
    errno = 0;
    const long number = strtol(value, &end, 10);
    if (end == value || *end || errno || number < option->min || number > option->max)
        return cli_fail(verb->name, "--%s: '%s' is not an integer in %d..%d", option->name, value,
                        option->min, option->max);
    *(int *)option->target = (int)number;
    return CLI_NEXT;
}

static int store_real(const CliVerb *verb, const CliOption *option, const char *value) {
    char *end;
    const double number = strtod(value, &end);
    if (end == value || *end || !isfinite(number))
        return cli_fail(verb->name, "--%s: '%s' is not a number", option->name, value);
    *(double *)option->target = number;
    return CLI_NEXT;
}

static int store(const CliVerb *verb, const CliOption *option, const char *value) {
    CliList *list = option->target;
    switch (option->kind) {
    case CLI_FLAG:
        *(bool *)option->target = true;
        return CLI_NEXT;
    case CLI_COUNT:
        ++*(int *)option->target;
        return CLI_NEXT;
    case CLI_INT:
        return store_int(verb, option, value);
    case CLI_REAL:
        return store_real(verb, option, value);
    case CLI_TEXT:
        *(const char **)option->target = value;
        return CLI_NEXT;
    case CLI_LIST:
        if (list->count == CLI_LIST_MAX)
            return cli_fail(verb->name, "--%s is given more than %d times", option->name,
                            CLI_LIST_MAX);
        list->items[list->count++] = value;
        return CLI_NEXT;
    }
    return CLI_NEXT;
}

static int fail_unknown(const CliVerb *verb, const char *name, size_t length) {
    const char *names[64];
    char word[64];
    size_t count = 0;
    for (; count < verb->option_count && count < 64; count++)
        names[count] = verb->options[count].name;
    snprintf(word, sizeof word, "%.*s", (int)(length < 63 ? length : 63), name);
    const char *nearest = cli_nearest(word, names, count);
    return cli_fail(verb->name, "there is no option --%s%s%s%s; see aquamvs %s --help", word,
                    nearest ? "; did you mean --" : "", nearest ? nearest : "", nearest ? "?" : "",
                    verb->name);
}

/* One of "--name", "--name=value", "--name value"; *at moves over a value that is taken. */
static int parse_long(const CliVerb *verb, int argc, char **argv, int *at) {
    const char *name = argv[*at] + 2;
    const size_t length = strcspn(name, "=");
    for (size_t i = 0; i < verb->option_count; i++) {
        const CliOption *option = &verb->options[i];
        if (strlen(option->name) != length || strncmp(option->name, name, length) != 0)
            continue;
        if (!option->value && name[length] == '=')
            return cli_fail(verb->name, "--%s takes no value", option->name);
        if (!option->value || name[length] == '=')
            return store(verb, option, name + length + 1);
        if (*at + 1 == argc)
            return cli_fail(verb->name, "--%s wants a value: %s", option->name, option->value);
        return store(verb, option, argv[++*at]);
    }
    return fail_unknown(verb, name, length);
}

/* "-q", "-vv", "-qv": flags only. */
static int parse_letters(const CliVerb *verb, const char *letters) {
    for (; *letters; letters++) {
        size_t i = 0;
        while (i < verb->option_count &&
               !(verb->options[i].letter == *letters && !verb->options[i].value))
            i++;
        if (i == verb->option_count)
            return cli_fail(verb->name, "there is no option -%c; see aquamvs %s --help", *letters,
                            verb->name);
        (void)store(verb, &verb->options[i], NULL);
    }
    return CLI_NEXT;
}

static bool asks_for_help(int argc, char **argv) {
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

int cli_parse(const CliVerb *verb, int argc, char **argv) {
    if (asks_for_help(argc, argv)) {
        print_help(verb);
        return CLI_DONE;
    }
    size_t count = 0;
    bool options_end = false;
    for (int i = 1; i < argc; i++) {
        int status = CLI_NEXT;
        if (!options_end && strcmp(argv[i], "--") == 0)
            options_end = true;
        else if (!options_end && strncmp(argv[i], "--", 2) == 0)
            status = parse_long(verb, argc, argv, &i);
        else if (!options_end && argv[i][0] == '-' && argv[i][1])
            status = parse_letters(verb, argv[i] + 1);
        else if (count < verb->positional_max)
            verb->positionals[count++] = argv[i];
        else
            status = cli_fail(verb->name, "'%s' is one argument too many; see aquamvs %s --help",
                              argv[i], verb->name);
        if (status != CLI_NEXT)
            return status;
    }
    if (count < verb->positional_min)
        return cli_fail(verb->name, "%s is missing; usage: aquamvs %s %s", verb->positional_name,
                        verb->name, verb->arguments);
    return CLI_NEXT;
}
