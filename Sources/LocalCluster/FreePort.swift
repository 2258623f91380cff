internal import Glibc
internal import Synchronization

/// Ports of loopback for servers that have to be told theirs.
package enum FreePort {
    /// A port that nobody listens on now.
    ///
    /// From below the range out of which the system gives ports to outgoing connections: one of those could otherwise take
    /// it before its server does.
    /// - Throws: `ClusterError` when none is found.
    package static func find() throws(ClusterError) -> Int {
        for _ in 0..<200 {
            let port = Int.random(in: 20_000..<30_000)
            if given.withLock({ $0.insert(port).inserted }), isFree(port) { return port }
        }
        throw ClusterError("there seems to be no free port on 127.0.0.1")
    }

    /// A port that was found is not found again: its server may not have bound it yet.
    private static let given = Mutex<Set<Int>>([])

    /// Whether it can be listened on.
    package static func isFree(_ port: Int) -> Bool {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { return false }
        defer { close(socket) }
        var yes: Int32 = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = in_port_t(UInt16(clamping: port)).bigEndian
        inet_pton(AF_INET, "127.0.0.1", &name.sin_addr)
        return withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0 && listen(socket, 1) == 0
            }
        }
    }
}

/// A local cluster that cannot be started, or is not as it should be.
package struct ClusterError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
