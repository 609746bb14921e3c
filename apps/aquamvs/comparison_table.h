/* A comparison as a table on stdout. */
#ifndef AQUAMVS_COMPARISON_TABLE_H
#define AQUAMVS_COMPARISON_TABLE_H

#include <aquamvs/compare.h>

void print_comparison(const AqmComparison *comparison);

#endif
