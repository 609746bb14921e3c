/* Small dense solvers. */
#ifndef AQM_MATH_SOLVE_H
#define AQM_MATH_SOLVE_H

#include <stdbool.h>

/* x of the symmetric positive definite system A x = b (A: n x n row-major, n <= 8, only the lower
 * triangle is read) by Cholesky. false where A is not positive definite to working precision; x is
 * then untouched. */
bool aqm_solve_spd(const double *A, const double *b, int n, double *x);

/* Eigenvalues (ascending) and unit eigenvectors (rows of V) of a symmetric 3x3 matrix, by Jacobi
 * rotations (Golub & Van Loan, section 8.5). */
void aqm_eigen_sym3(const double A[9], double values[3], double V[9]);

#endif
