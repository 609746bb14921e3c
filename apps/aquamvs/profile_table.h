/* A profile as a table on stdout. */
#ifndef AQUAMVS_PROFILE_TABLE_H
#define AQUAMVS_PROFILE_TABLE_H

#include <aquamvs/profile.h>

void profile_table_print(const AqmProfile *profile);

#endif
