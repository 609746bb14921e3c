/* The commit of the source, from commit.c.in. */
#ifndef AQM_PIPELINE_COMMIT_H
#define AQM_PIPELINE_COMMIT_H

extern const char aqm_commit[]; /* "unknown" outside a checkout */

#endif
