/* A verification as a table on stdout. */
#ifndef AQUAMVS_VERIFY_TABLE_H
#define AQUAMVS_VERIFY_TABLE_H

#include <aquamvs/verify.h>

void print_verification(const AqmVerification *verification);

#endif
