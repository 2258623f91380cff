#ifndef SUBSTRATE_CSPAWN_H
#define SUBSTRATE_CSPAWN_H

#include <sys/types.h>

// What to start. Strings are borrowed for the call.
typedef struct cspawn_command {
    const char *path;        // searched in PATH unless it has a slash
    char *const *arguments;  // with the name first and NULL last
    char *const *environment;
    const char *directory;  // NULL: the caller's
    int standard_output;    // descriptor to use, or -1 for the caller's own
    int standard_error;
    int death_signal;  // what the kernel sends it when the calling thread ends
} cspawn_command;

// Starts a process in a process group of its own, which gets the death signal when the calling *thread* ends, and returns
// 0 with its id and a descriptor that becomes readable when it has ended; or returns the errno of what failed, in the
// child too. The caller's thread must live as long as the process should.
int cspawn_start(const cspawn_command *command, pid_t *pid, int *pid_descriptor);

// Waits for a process that has ended and frees its id. Returns 0 with its wait status, or an errno.
int cspawn_reap(pid_t pid, int *wait_status);

// Returns a descriptor for the process, which becomes readable when it has ended and never means another one, or -1.
int cspawn_descriptor(pid_t pid);

// Sends a signal to the process of such a descriptor. Returns 0 or an errno.
int cspawn_signal(int pid_descriptor, int number);

#endif
