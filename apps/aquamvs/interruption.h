/* Ctrl-C and SIGTERM, for verbs that can stop cleanly. */
#ifndef AQUAMVS_INTERRUPTION_H
#define AQUAMVS_INTERRUPTION_H

/* From here on the first signal asks to stop, by a number other than 0 where the result points; the
 * second one kills. */
const volatile int *catch_interruption(void);

#endif
