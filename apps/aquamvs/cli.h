/* Command lines: each verb declares its options once; parsing and --help follow the declaration. */
#ifndef AQUAMVS_CLI_H
#define AQUAMVS_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include <aquamvs/status.h>

enum { CLI_DONE = 0, CLI_SOME_FAILED = 1, CLI_WRONG = 2, CLI_INTERRUPTED = 130 };
enum { CLI_LIST_MAX = 128, CLI_POSITIONALS_MAX = 2, CLI_NEXT = -1 };

typedef struct CliList {
    const char *items[CLI_LIST_MAX];
    size_t count;
} CliList;

typedef enum CliKind {
    CLI_FLAG,  /* bool, set to true */
    CLI_COUNT, /* int, one more each time */
    CLI_INT,   /* int in min..max */
    CLI_REAL,  /* double */
    CLI_TEXT,  /* const char * */
    CLI_LIST   /* CliList: may be given again and again */
} CliKind;

typedef struct CliOption {
    char letter;       /* 0 = none */
    const char *name;  /* without the dashes */
    const char *value; /* what stands for its value in the help; NULL for flags */
    CliKind kind;
    void *target;
    int min, max;     /* CLI_INT */
    const char *help; /* one line, with the default */
} CliOption;

typedef struct CliVerb {
    const char *name;
    const char *arguments; /* "CONFIG [OPTIONS]" */
    const char *summary;   /* one line */
    const CliOption *options;
    size_t option_count;
    const char **positionals; /* room for positional_max */
    size_t positional_min, positional_max;
    const char *positional_name; /* "CONFIG" */
    void (*epilogue)(void);      /* prints more help; may be NULL */
} CliVerb;

/* Takes the words after the verb (argv[0] is the verb itself) apart; options may stand anywhere,
 * "--" ends them. CLI_NEXT = go on; else the exit status: CLI_DONE after --help, CLI_WRONG after an
 * error, which it has printed. */
int cli_parse(const CliVerb *verb, int argc, char **argv);

/* "aquamvs run: " and the sentence to stderr; returns CLI_WRONG. */
int cli_fail(const char *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The diagnostic to stderr; the exit status that belongs to it. */
int cli_fail_diag(const char *verb, const AqmDiag *diag);

/* Messages of the library to stderr: warnings always, info from verbosity 1. Clears
 * the progress line first. */
typedef struct CliLog {
    int verbosity;
    bool line_open; /* a progress line stands on the terminal */
} CliLog;
AqmLog cli_log(CliLog *log);
void cli_clear_line(CliLog *log);

/* The word of `words` (count of them) that `word` is most like, or NULL. */
const char *cli_nearest(const char *word, const char *const *words, size_t count);

#endif
