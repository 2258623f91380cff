internal import Glibc

/// The limit on open files of this process and of those that it starts.
package enum OpenFiles {
    /// Raises it as far as the system allows; by default it is far below what many connections need.
    package static func raiseLimit() {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        _ = setrlimit(resource, &limit)
    }
}
