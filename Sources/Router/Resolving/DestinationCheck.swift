internal import Glibc
internal import ServiceKit
internal import Synchronization

/// Whether somebody takes connections at a place: for requests that the proxy cannot send twice.
package enum DestinationCheck {
    /// As the proxy's own limit.
    private static let timeout: Duration = .seconds(2)
    /// Each takes a thread while it lasts. Requests beyond go unchecked, and fail if their actor has just left.
    private static let atATime = 64
    private static let underWay = Mutex(0)

    /// - Parameter destination: `ip:port`.
    package static func takesConnections(_ destination: String) async -> Bool {
        guard let place = IPv4Place(destination) else { return false }
        let isTaken = underWay.withLock { count in
            guard count < atATime else { return false }
            count += 1
            return true
        }
        guard isTaken else { return true }
        defer { underWay.withLock { $0 -= 1 } }
        return await BlockingThread.result { connects(to: place.address) }
    }

    private static func connects(to address: sockaddr_in) -> Bool {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_INET, kind, 0)
        // Without descriptors the proxy may still have some.
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        var address = address
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if result == 0 { return true }
        guard errno == EINPROGRESS else { return false }
        var event = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard poll(&event, 1, Int32(timeout / .milliseconds(1))) == 1 else { return false }
        var problem: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &problem, &size) == 0 && problem == 0
    }
}
