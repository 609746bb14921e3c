/* Two tables of a benchmark side by side: what became faster, what slower.
 *
 * A table: lines that begin with # are remarks, the first other line names the columns. Those
 * before the first measure (a row's name) say which rows belong together; the other columns are
 * measures. Rows and columns are matched by name, so that tables of different versions compare. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static const char *const first_measures[] = {"ns_per_item", "depth_wall_s"};
enum { MAX_ROWS = 1024, MAX_COLUMNS = 40 };

typedef struct Table {
    char *text; /* owned; the fields point into it */
    char *names[MAX_COLUMNS], *fields[MAX_ROWS][MAX_COLUMNS];
    int rows, columns, keys;
} Table;

/* Cuts a line at its commas; what it lacks is empty. */
static int split(char *line, char *fields[MAX_COLUMNS]) {
    static char nothing[] = "";
    int count = 0;
    for (char *field; count < MAX_COLUMNS && (field = strsep(&line, ",")); count++)
        fields[count] = field;
    for (int k = count; k < MAX_COLUMNS; k++)
        fields[k] = nothing;
    return count;
}

static int column_of(const Table *table, const char *name) {
    for (int k = 0; k < table->columns; k++)
        if (strcmp(table->names[k], name) == 0)
            return k;
    return -1;
}

static bool read_text(const char *path, char **text) {
    size_t capacity = 0;
    FILE *file = fopen(path, "r");
    const bool is_read = file && getdelim(text, &capacity, '\0', file) > 0;
    if (!is_read)
        fprintf(stderr, "%s: cannot be read, or is empty\n", path);
    if (file)
        fclose(file);
    return is_read;
}

static bool read_table(const char *path, Table *table) {
    if (!read_text(path, &table->text))
        return false;
    char *rest = table->text;
    for (char *line; (line = strsep(&rest, "\n"));) {
        if (*line == '#' || *line == '\0')
            continue;
        if (table->columns == 0)
            table->columns = split(line, table->names);
        else if (table->rows < MAX_ROWS)
            (void)split(line, table->fields[table->rows++]);
    }
    for (size_t k = 0; k < sizeof first_measures / sizeof first_measures[0]; k++)
        if (column_of(table, first_measures[k]) > 0)
            table->keys = column_of(table, first_measures[k]);
    if (table->rows == 0 || table->keys == 0)
        fprintf(stderr, "%s: no rows, or no measure among its columns\n", path);
    return table->rows > 0 && table->keys > 0;
}

static bool are_of_one_kind(const Table *a, const Table *b) {
    bool is_same = a->keys == b->keys;
    for (int k = 0; is_same && k < a->keys; k++)
        is_same = strcmp(a->names[k], b->names[k]) == 0;
    if (!is_same)
        fprintf(stderr, "the rows of the two tables are named by different columns\n");
    return is_same;
}

/* The row of `table` with the same key; NULL where there is none. */
static char *const *find(const Table *table, char *const *row) {
    for (int r = 0; r < table->rows; r++) {
        int same = 0;
        while (same < table->keys && strcmp(table->fields[r][same], row[same]) == 0)
            same++;
        if (same == table->keys)
            return table->fields[r];
    }
    return NULL;
}

static void print_key(const Table *table, char *const *row) {
    for (int k = 0; k < table->keys; k++)
        printf("%s,", row[k]);
}

static bool is_number(const char *text, double *value) {
    char *end;
    *value = strtod(text, &end);
    return end != text && *end == '\0';
}

/* A line for each measure of a row that is a number. */
static void print_row(const Table *before, const Table *after, char *const *row) {
    char *const *old = find(before, row);
    for (int k = after->keys; k < after->columns; k++) {
        const int column = column_of(before, after->names[k]);
        const char *was = old && column >= 0 ? old[column] : "";
        double old_value, value;
        const bool has_old = is_number(was, &old_value), is_known = is_number(row[k], &value);
        if (!has_old && !is_known)
            continue;
        print_key(after, row);
        printf("%s,%s,%s,", after->names[k], has_old ? was : "", row[k]);
        if (has_old && is_known && old_value != 0.0)
            printf("%.3f", value / old_value);
        printf("\n");
    }
}

static void print_comparison(const Table *before, const Table *after) {
    print_key(after, after->names);
    printf("measure,before,after,ratio\n");
    for (int r = 0; r < after->rows; r++)
        print_row(before, after, after->fields[r]);
    for (int r = 0; r < before->rows; r++)
        if (!find(after, before->fields[r])) {
            printf("# only before: ");
            print_key(before, before->fields[r]);
            printf("\n");
        }
}

bool bench_compare(const char *before, const char *after) {
    Table *tables = calloc(2, sizeof *tables);
    const bool is_good = tables && read_table(before, &tables[0]) &&
                         read_table(after, &tables[1]) && are_of_one_kind(&tables[0], &tables[1]);
    if (is_good)
        print_comparison(&tables[0], &tables[1]);
    for (int k = 0; tables && k < 2; k++)
        free(tables[k].text);
    free(tables);
    return is_good;
}
