/* Six equations of which some may say nothing. */
#ifndef AQM_EVALUATE_ICP_SOLVE_H
#define AQM_EVALUATE_ICP_SOLVE_H

/* For a symmetric, positive semi-definite A (6 x 6): x of A x = b within the directions whose
 * eigenvalue is at least `least`, 0 along the others; returns how many these are. inverse (6 x 6,
 * may be NULL): of A within the same directions. */
int aqm_solve_where_known(const double A[36], const double b[6], double least, double x[6],
                          double inverse[36]);

#endif
