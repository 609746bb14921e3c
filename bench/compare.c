/* Two tables of the benchmark side by side: what became faster, what slower. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

typedef struct Row {
    char kernel[64], variant[64];
    double ns, ratio, of_ceiling; /* the last 0 where there is none */
} Row;

typedef struct Table {
    Row rows[256];
    int count;
} Table;

/* Lines that are not rows (the machine, the head) are passed over. */
static bool read_table(const char *path, Table *table) {
    FILE *file = fopen(path, "r");
    if (!file) {
        perror(path);
        return false;
    }
    char line[256];
    table->count = 0;
    while (table->count < 256 && fgets(line, sizeof line, file)) {
        Row *row = &table->rows[table->count];
        row->of_ceiling = 0.0; /* tables from before there were ceilings end after the ratio */
        if (sscanf(line, "%63[^,#],%63[^,],%lf,%lf,%*f,%lf", row->kernel, row->variant, &row->ns,
                   &row->ratio, &row->of_ceiling) >= 4)
            table->count++;
    }
    fclose(file);
    if (table->count == 0)
        fprintf(stderr, "%s: no rows\n", path);
    return table->count > 0;
}

static const Row *find(const Table *table, const Row *row) {
    for (int k = 0; k < table->count; k++)
        if (strcmp(table->rows[k].kernel, row->kernel) == 0 &&
            strcmp(table->rows[k].variant, row->variant) == 0)
            return &table->rows[k];
    return NULL;
}

/* Nothing where there is no ceiling. */
static void print_share(double of_ceiling, const char *end) {
    if (of_ceiling > 0.0)
        printf("%.2f", of_ceiling);
    printf("%s", end);
}

bool bench_compare(const char *before, const char *after) {
    Table *tables = calloc(2, sizeof *tables);
    const bool is_good = tables && read_table(before, &tables[0]) && read_table(after, &tables[1]);
    if (is_good)
        printf("kernel,variant,ns_before,ns_after,after_to_before,ratio_before,ratio_after,"
               "of_ceiling_before,of_ceiling_after\n");
    for (int k = 0; is_good && k < tables[1].count; k++) {
        const Row *row = &tables[1].rows[k], *old = find(&tables[0], row);
        if (old)
            printf("%s,%s,%.4f,%.4f,%.3f,%.3f,%.3f,", row->kernel, row->variant, old->ns, row->ns,
                   row->ns / old->ns, old->ratio, row->ratio);
        else
            printf("%s,%s,,%.4f,,,%.3f,", row->kernel, row->variant, row->ns, row->ratio);
        print_share(old ? old->of_ceiling : 0.0, ",");
        print_share(row->of_ceiling, "\n");
    }
    free(tables);
    return is_good;
}
