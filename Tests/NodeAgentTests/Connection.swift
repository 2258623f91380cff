import Foundation
import Glibc
import SubstrateModel
import TestKit

@testable import NodeAgent

/// A TCP connection from the node, with its limits in time.
final class Connection {
    private let descriptor: Int32

    init(to address: ActorAddress) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = in_port_t(UInt16(address.port).bigEndian)
        inet_pton(AF_INET, address.ip, &place.sin_addr)
        let result = withUnsafePointer(to: &place) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            throw DidNotHappen(description: "connecting to \(address): \(String(cString: strerror(errno)))")
        }
    }

    /// As the firewall knows it.
    func flow(to address: ActorAddress) -> Flow {
        var place = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &place) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
        }
        let ip = inet_ntoa(place.sin_addr).map { String(cString: $0) } ?? ""
        return Flow(client: ActorAddress(ip: ip, port: Int(place.sin_port.bigEndian)), actor: address)
    }

    deinit { close(descriptor) }

    func end() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    func send(_ text: String) throws {
        let bytes = Array(text.utf8)
        guard Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            throw DidNotHappen(description: "sending: \(String(cString: strerror(errno)))")
        }
    }

    func receive(until end: String) throws -> String {
        var text = ""
        while !text.hasSuffix(end) {
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = recv(descriptor, &bytes, bytes.count, 0)
            guard count > 0 else { throw DidNotHappen(description: "receiving: \(String(cString: strerror(errno)))") }
            text += String(decoding: bytes[..<count], as: UTF8.self)
        }
        return text
    }

    /// Whether it comes to an end that is no orderly one. Waits for it, but sends nothing.
    var isReset: Bool {
        var byte: UInt8 = 0
        return recv(descriptor, &byte, 1, 0) < 0 && errno == ECONNRESET
    }
}
