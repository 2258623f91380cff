import Foundation
import Synchronization
import TestKit

/// A connection on which a request is sent and bytes are read as they come. Closed with the object.
final class RawHTTP: Sendable {
    private let socket: Int32
    private let bytes = Mutex<[UInt8]>([])
    private let ended = Mutex(false)

    /// - Parameters:
    ///   - address: `127.0.0.1:port`.
    ///   - receiveBuffer: of the socket; nil for the system's default.
    init(_ address: String, _ request: String, receiveBuffer: Int32? = nil) throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        if var size = receiveBuffer {
            setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        var target = sockaddr_in()
        target.sin_family = sa_family_t(AF_INET)
        target.sin_port = (UInt16(address.split(separator: ":").last ?? "") ?? 0).bigEndian
        inet_pton(AF_INET, "127.0.0.1", &target.sin_addr)
        let connected = withUnsafeBytes(of: &target) { bytes in
            connect(
                socket, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                socklen_t(MemoryLayout<sockaddr_in>.size))
        }
        guard connected == 0 else { throw DidNotHappen(description: "cannot connect to \(address)") }
        let flags = fcntl(socket, F_GETFL)
        _ = fcntl(socket, F_SETFL, flags | O_NONBLOCK)
        _ = Array(request.utf8).withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }

    deinit { close(socket) }

    var received: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }
    var count: Int { bytes.withLock { $0.count } }

    /// Reads what has come. Returns whether the other end has closed.
    @discardableResult
    func read() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = recv(socket, &buffer, buffer.count, 0)
            if count > 0 {
                bytes.withLock { $0 += buffer[..<count] }
            } else {
                if count == 0 || errno != EAGAIN { ended.withLock { $0 = true } }
                return ended.withLock { $0 }
            }
        }
    }

    func waits(for text: String) async throws {
        try await eventually("'\(text)' comes") {
            read()
            return received.contains(text)
        }
    }

    func waitsForEnd() async throws { try await eventually("the connection is closed") { read() } }
}
