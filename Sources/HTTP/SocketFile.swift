internal import Glibc

/// A listening socket in the file system.
enum SocketFile {
    /// - Returns: the descriptor, which is the caller's.
    static func listen(_ path: String) throws(HTTPError) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        guard path.utf8.count < capacity, !path.utf8.contains(0) else {
            throw HTTPError("cannot listen on \(path): the path of a socket has at most \(capacity - 1) bytes")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        if (try? connected(to: &address, path)) == true {
            throw HTTPError("cannot listen on \(path): another process does")
        }
        unlink(path)
        let socket = try open(path)
        // Who may connect is settled before anybody can.
        guard withAddress(&address, { bind(socket, $0, $1) }) == 0,
            chmod(path, geteuid() == 0 ? 0o666 : 0o600) == 0, Glibc.listen(socket, SOMAXCONN) == 0
        else {
            let reason = String(cString: strerror(errno))
            close(socket)
            throw HTTPError("cannot listen on \(path): \(reason)")
        }
        return socket
    }

    private static func connected(to address: inout sockaddr_un, _ path: String) throws(HTTPError) -> Bool {
        let socket = try open(path)
        defer { close(socket) }
        return withAddress(&address) { connect(socket, $0, $1) } == 0
    }

    private static func open(_ path: String) throws(HTTPError) -> Int32 {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let socket = socket(AF_UNIX, type, 0)
        guard socket >= 0 else { throw HTTPError("cannot listen on \(path): \(String(cString: strerror(errno)))") }
        return socket
    }

    private static func withAddress(
        _ address: inout sockaddr_un, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
