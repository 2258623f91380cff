internal import CSystemd

/// What whoever has started this program, as systemd, wants to know of it (`sd_notify`). Says nothing where nobody asks.
package enum Supervisor {
    /// It can do what it is for.
    package static func ready() { sd_notify(0, "READY=1") }

    /// It has begun to stop.
    package static func stopping() { sd_notify(0, "STOPPING=1") }

    /// Says so once the program can do what it is for; returns then, or when the task is cancelled.
    package static func follow(_ readiness: Readiness) async {
        for await isReady in readiness.values where isReady { return ready() }
    }
}
