import Foundation
import Glibc
import SubstrateModel
import Synchronization
import TestKit

/// A connection in a test, with limits in time. Blocks its thread.
final class RawConnection: Sendable {
    private let descriptor: Int32
    private let rest = Mutex<[UInt8]>([])

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    /// - Parameter address: `ip:port`.
    convenience init(to address: String) throws {
        let parts = address.split(separator: ":")
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        self.init(descriptor)
        var place = inet(String(parts[0]), Int(parts[1]) ?? 0)
        let result = withSocketAddress(&place) { connect(descriptor, $0, $1) }
        guard result == 0 else {
            throw DidNotHappen(description: "connecting to \(address): \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw DidNotHappen(description: "sending: \(String(cString: strerror(errno)))") }
            sent += count
        }
    }

    /// What comes next, up to and including `end`.
    func receive(until end: String) throws -> String {
        try rest.withLock { rest in
            while true {
                let text = String(decoding: rest, as: UTF8.self)
                if let range = text.range(of: end) {
                    rest.removeFirst(text[..<range.upperBound].utf8.count)
                    return String(text[..<range.upperBound])
                }
                let more = try receiveSome()
                guard !more.isEmpty else { throw DidNotHappen(description: "closed after \"\(text)\"") }
                rest += more
            }
        }
    }

    /// So many bytes of what comes next.
    func receive(_ count: Int) throws -> [UInt8] {
        try rest.withLock { rest in
            var bytes = rest
            bytes.reserveCapacity(count)
            while bytes.count < count {
                let more = try receiveSome()
                guard !more.isEmpty else { throw DidNotHappen(description: "closed after \(bytes.count) bytes") }
                bytes += more
            }
            rest = Array(bytes[count...])
            return Array(bytes[..<count])
        }
    }

    private func receiveSome() throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        guard count >= 0 else { throw DidNotHappen(description: "receiving: \(String(cString: strerror(errno)))") }
        return Array(bytes[..<count])
    }
}

/// Enough of a body to tell it from a damaged one.
struct BodyDigest: Sendable, Equatable, CustomStringConvertible {
    let count: Int
    private let sum: UInt64

    init(_ bytes: [UInt8] = []) {
        count = bytes.count
        // Words, because tests are not optimised.
        sum = bytes.withUnsafeBytes { bytes in
            var sum: UInt64 = 0
            for offset in stride(from: 0, to: bytes.count - bytes.count % 8, by: 8) {
                sum = sum &* 31 &+ bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            }
            for byte in bytes.suffix(bytes.count % 8) { sum = sum &* 31 &+ UInt64(byte) }
            return sum
        }
    }

    var description: String { "\(count) bytes, \(sum)" }
}

/// An actor that a test plays on raw connections, each on a thread of its own.
final class PlayedActor: Sendable {
    typealias Handler = @Sendable (_ head: String, _ connection: RawConnection) throws -> Void

    let address: ActorAddress
    /// Connections that have come.
    let connections = Tally()
    private let listener: Int32

    /// - Parameters:
    ///   - port: 0 for any that is free.
    ///   - handler: gets the head of each connection's request.
    init(ip: String = "127.0.0.1", port: Int = 0, _ handler: @escaping Handler) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        self.listener = listener
        var yes: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var place = inet(ip, port)
        let isListening = withSocketAddress(&place) { pointer, size in
            var size = size
            return bind(listener, pointer, size) == 0 && listen(listener, 4096) == 0
                && getsockname(listener, UnsafeMutablePointer(mutating: pointer), &size) == 0
        }
        guard isListening else { throw DidNotHappen(description: "an actor cannot listen: \(errno)") }
        address = ActorAddress(ip: ip, port: Int(UInt16(bigEndian: place.sin_port)))
        let connections = connections
        Thread {
            while true {
                let accepted = accept(listener, nil, nil)
                guard accepted >= 0 else { return }
                let connection = RawConnection(accepted)
                connections.add()
                Thread {
                    // A check of the endpoint sends nothing.
                    guard let head = try? connection.receive(until: "\r\n\r\n") else { return }
                    try? handler(head, connection)
                }.start()
            }
        }.start()
    }

    /// From now on connections are refused.
    func leave() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    /// One that answers with what `text` makes of the request's head, and with what its body was.
    static func answering(
        ip: String = "127.0.0.1", port: Int = 0, _ text: @escaping @Sendable (_ head: String) -> String
    ) throws -> PlayedActor {
        try PlayedActor(ip: ip, port: port) { head, connection in
            let digest = try body(of: head, connection)
            let answer = text(head) + (digest.count > 0 ? "\(digest)" : "")
            try connection.send(
                "HTTP/1.1 200 OK\r\nContent-Length: \(answer.utf8.count)\r\nConnection: close\r\n\r\n\(answer)")
        }
    }

    private static func body(of head: String, _ connection: RawConnection) throws -> BodyDigest {
        let lines = head.lowercased().split(separator: "\r\n")
        if let length = lines.first(where: { $0.hasPrefix("content-length:") })?.split(separator: ":").last {
            return BodyDigest(try connection.receive(Int(length.trimmingCharacters(in: .whitespaces)) ?? 0))
        }
        guard lines.contains(where: { $0.hasPrefix("transfer-encoding:") }) else { return BodyDigest() }
        var bytes: [UInt8] = []
        while true {
            let size = Int(try connection.receive(until: "\r\n").dropLast(), radix: 16) ?? 0
            let chunk = try connection.receive(until: "\r\n")
            if size == 0 { return BodyDigest(bytes) }
            bytes += Array(chunk.dropLast().utf8)
        }
    }
}

private func inet(_ ip: String, _ port: Int) -> sockaddr_in {
    var place = sockaddr_in()
    place.sin_family = sa_family_t(AF_INET)
    place.sin_port = in_port_t(UInt16(port).bigEndian)
    inet_pton(AF_INET, ip, &place.sin_addr)
    return place
}

private func withSocketAddress<Result>(
    _ place: inout sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
) -> Result {
    withUnsafeMutablePointer(to: &place) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
}
