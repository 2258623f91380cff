import Foundation
import Glibc
import TestKit

/// A connection whose bytes are made by hand, as somebody makes them who does not want to be served.
final class RawConnection: Sendable {
    private let descriptor: Int32

    /// - Parameter address: of loopback, from which to connect.
    init(port: Int, from address: String = "127.0.0.1") throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        // No test waits for ever.
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        guard on(address, 0, bind) == 0, on("127.0.0.1", port, connect) == 0 else {
            throw DidNotHappen(description: "a connection to port \(port): \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }

    private func on(
        _ host: String, _ port: Int, _ call: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        inet_pton(AF_INET, host, &address.sin_addr)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                call(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw DidNotHappen(description: "the server takes what is sent") }
            sent += count
        }
    }

    /// Whether the server has closed the connection. Reads what there is, and does not wait.
    var isClosed: Bool {
        var bytes = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
            if count == 0 { return true }
            if count < 0 { return errno != EAGAIN && errno != EINTR }
        }
    }

    /// Waits until the server has looked at everything that was sent: it answers a ping in its turn.
    func waitUntilRead() throws {
        try send(HTTP2.frame(6, 0, 0, [UInt8](repeating: 7, count: 8)))
        while true {
            let head = try receive(9)
            let payload = try receive(Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2]))
            if head[3] == 6, head[4] & 1 == 1, payload.allSatisfy({ $0 == 7 }) { return }
        }
    }

    private func receive(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let read = bytes[filled...].withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
            guard read > 0 else { throw DidNotHappen(description: "the server answers a ping") }
            filled += read
        }
        return bytes
    }
}

/// The few frames of HTTP/2 that a beginning of a call takes.
enum HTTP2 {
    /// What a client sends first.
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(4, 0, 0, [])

    static func frame(_ type: UInt8, _ flags: UInt8, _ stream: Int, _ payload: [UInt8]) -> [UInt8] {
        let (size, id) = (payload.count, UInt32(stream))
        return [UInt8(size >> 16 & 0xff), UInt8(size >> 8 & 0xff), UInt8(size & 0xff), type, flags]
            + [24, 16, 8, 0].map { UInt8(id >> $0 & 0xff) } + payload
    }

    /// The headers of a call, without its message and its end.
    static func headers(_ path: String, stream: Int) -> [UInt8] {
        func text(_ text: String) -> [UInt8] { [UInt8(text.utf8.count)] + Array(text.utf8) }
        // From the static table: POST, http, and the names of :path, :authority and content-type.
        let block: [UInt8] =
            [0x83, 0x86, 0x04] + text(path) + [0x01] + text("test") + [0x0f, 0x10] + text("application/grpc")
            + [0x00] + text("te") + text("trailers")
        return frame(1, 4, stream, block)
    }

    /// A message that says to be of `size` bytes, of which only some come.
    static func beginning(ofMessageOf size: Int, stream: Int, _ bytes: [UInt8]) -> [UInt8] {
        frame(0, 0, stream, [0] + [24, 16, 8, 0].map { UInt8(size >> $0 & 0xff) } + bytes)
    }
}
