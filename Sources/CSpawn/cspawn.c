#define _GNU_SOURCE
#include "cspawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Runs in the child, where after a fork of a process with threads only async-signal-safe functions may be called.
static void become(const cspawn_command *command, pid_t parent, int report) {
    struct sigaction fallback = {.sa_handler = SIG_DFL};
    sigset_t none;
    int null;

    for (int number = 1; number < NSIG; number++) sigaction(number, &fallback, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (setpgid(0, 0) != 0 || prctl(PR_SET_PDEATHSIG, command->death_signal) != 0) goto failed;
    // The parent may have died before the kernel was told to watch it.
    if (getppid() != parent) _exit(127);
    null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0) goto failed;
    if (command->standard_output >= 0 && dup2(command->standard_output, STDOUT_FILENO) < 0) goto failed;
    if (command->standard_error >= 0 && dup2(command->standard_error, STDERR_FILENO) < 0) goto failed;
    if (command->directory && chdir(command->directory) != 0) goto failed;
    // Nothing of ours leaks into it; the descriptor for the report closes on success.
    if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0) goto failed;
    execvpe(command->path, command->arguments, command->environment);
failed:;
    int error = errno;
    if (write(report, &error, sizeof error) < 0) _exit(126);
    _exit(127);
}

int cspawn_start(const cspawn_command *command, pid_t *pid, int *pid_descriptor) {
    int report[2];
    int error = 0;
    pid_t parent = getpid();

    if (pipe2(report, O_CLOEXEC) != 0) return errno;
    *pid = fork();
    if (*pid < 0) {
        error = errno;
        close(report[0]);
        close(report[1]);
        return error;
    }
    if (*pid == 0) become(command, parent, report[1]);
    close(report[1]);
    ssize_t count;
    do count = read(report[0], &error, sizeof error);
    while (count < 0 && errno == EINTR);
    close(report[0]);
    if (count > 0) {
        waitpid(*pid, NULL, 0);
        return error;
    }
    *pid_descriptor = (int)syscall(SYS_pidfd_open, *pid, 0);
    if (*pid_descriptor < 0) {
        error = errno;
        kill(*pid, SIGKILL);
        waitpid(*pid, NULL, 0);
        return error;
    }
    return 0;
}

int cspawn_reap(pid_t pid, int *wait_status) {
    pid_t reaped;
    do reaped = waitpid(pid, wait_status, 0);
    while (reaped < 0 && errno == EINTR);
    return reaped < 0 ? errno : 0;
}

int cspawn_descriptor(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int cspawn_signal(int pid_descriptor, int number) {
    return syscall(SYS_pidfd_send_signal, pid_descriptor, number, NULL, 0) == 0 ? 0 : errno;
}
