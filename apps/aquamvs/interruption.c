#include "interruption.h"

#include <signal.h>
#include <stddef.h>

static volatile int cancelled;

static void cancel(int signal_number) {
    (void)signal_number;
    cancelled = 1;
}

const volatile int *catch_interruption(void) {
    struct sigaction action = {.sa_handler = cancel, .sa_flags = (int)SA_RESETHAND | SA_RESTART};
    sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    return &cancelled;
}
