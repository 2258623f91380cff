import Foundation
import Glibc
import LocalCluster
import ServiceKit

/// Clients that send the same small request again and again, each on a connection and a thread of its own.
enum LoadClient {
    /// What they have seen.
    struct Result {
        var latencies = Samples()
        var elapsed: Duration = .zero

        var perSecond: Double { Double(latencies.values.count) / (elapsed / .seconds(1)) }
    }

    /// - Parameters:
    ///   - port: on 127.0.0.1.
    ///   - host: for the header.
    ///   - requests: of each client.
    static func run(_ clients: Int, port: Int, host: String, requests: Int) async throws -> Result {
        let start = ContinuousClock.now
        let latencies = try await withThrowingTaskGroup(of: Samples.self) { group in
            for _ in 0..<clients {
                group.addTask {
                    try await BlockingThread.result { try exchange(port, host, requests) }
                }
            }
            return try await group.reduce(into: Samples()) { $0.add($1) }
        }
        return Result(latencies: latencies, elapsed: .now - start)
    }

    /// Requests. nginx closes a connection after 1,000.
    private static let perConnection = 500

    private static func exchange(_ port: Int, _ host: String, _ count: Int) throws(ClusterError) -> Samples {
        var descriptor = try connect(port)
        defer { close(descriptor) }
        let request = Array("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n".utf8)
        var buffer = [UInt8](repeating: 0, count: 4096)
        var samples = Samples()
        for number in 1...count {
            let begun = ContinuousClock.now
            guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
                throw ClusterError("sending a request: \(String(cString: strerror(errno)))")
            }
            try receive(descriptor, &buffer)
            samples.add(.now - begun)
            if number % perConnection == 0 {
                close(descriptor)
                descriptor = try connect(port)
            }
        }
        return samples
    }

    private static func connect(_ port: Int) throws(ClusterError) -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var yes: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = in_port_t(UInt16(port).bigEndian)
        place.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
        let result = withUnsafePointer(to: &place) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw ClusterError("connecting to the proxy: \(String(cString: strerror(errno)))") }
        return descriptor
    }

    /// Reads one answer, whose body is the one that the bench's actor sends.
    private static func receive(_ descriptor: Int32, _ buffer: inout [UInt8]) throws(ClusterError) {
        var count = 0
        let end = Array(RouterBench.body.utf8)
        repeat {
            let more = buffer.withUnsafeMutableBytes {
                recv(descriptor, $0.baseAddress.map { $0 + count }, $0.count - count, 0)
            }
            guard more > 0 else { throw ClusterError("an answer did not come whole") }
            count += more
        } while count < buffer.count && !buffer[..<count].suffix(end.count).elementsEqual(end)
        guard buffer.starts(with: Array("HTTP/1.1 200".utf8)) else {
            throw ClusterError("an answer that was not expected: \(String(decoding: buffer[..<count], as: UTF8.self))")
        }
    }
}
