// What the examples' actors have in common: a small HTTP server, with nothing but the C library, to show what an actor
// needs to know of substrate-etcd. It listens where the environment says: ATE_ADDRESS, ATE_PORT.

package import Glibc

/// What is asked of the actor.
package struct Request {
    package var method: String
    package var path: String
    package var body: String
}

/// What it answers, as plain text.
package struct Response {
    package var status: String
    package var body: String

    package init(_ body: String, status: String = "200 OK") {
        self.status = status
        self.body = body
    }

    package static func notFound(_ text: String) -> Response { Response(text, status: "404 Not Found") }
}

/// Answers one request after the other, each on a connection of its own, until the process is ended.
/// - Parameter name: of the program, for what it says about itself.
package func serve(_ name: String, _ answer: (Request) -> Response) -> Never {
    guard let address = environment("ATE_ADDRESS"), let port = environment("ATE_PORT").flatMap(UInt16.init) else {
        fail(name, "ATE_ADDRESS and ATE_PORT must be set")
    }
    signal(SIGPIPE, SIG_IGN)
    let listener = listen(on: address, port, name)
    say("\(name) serves at \(address):\(port)")
    while true {
        let client = accept(listener, nil, nil)
        // An actor that was restored finds the connections of its former life broken; there are others.
        if client < 0 { continue }
        if let request = read(client) { reply(client, answer(request)) }
        close(client)
    }
}

/// An entry of the environment.
package func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

/// Writes a line to standard output.
package func say(_ text: String) { write("\(text)\n", to: STDOUT_FILENO) }

/// Ends the process.
package func fail(_ name: String, _ reason: String) -> Never {
    write("\(name): \(reason)\n", to: STDERR_FILENO)
    exit(1)
}

private func write(_ text: String, to descriptor: Int32) {
    let bytes = Array(text.utf8)
    _ = Glibc.write(descriptor, bytes, bytes.count)
}

private func listen(on address: String, _ port: UInt16, _ name: String) -> Int32 {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var yes: Int32 = 1
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    var place = SocketAddress(address, port)
    guard place.use({ bind(listener, $0, $1) }) == 0, listen(listener, 64) == 0 else {
        fail(name, "cannot listen on \(address):\(port): \(String(cString: strerror(errno)))")
    }
    return listener
}

/// An IPv4 address and a port, as the C library wants them.
package struct SocketAddress {
    private var name = sockaddr_in()

    /// - Parameter address: four numbers; anything else is 0.0.0.0.
    package init(_ address: String, _ port: UInt16) {
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        inet_pton(AF_INET, address, &name.sin_addr)
    }

    package mutating func use(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}

/// Longest request, in bytes.
private let requestLimit = 64 << 10

/// One request; nil when the client is silent for a second, has gone, or says too much.
private func read(_ client: Int32) -> Request? {
    var limit = timeval(tv_sec: 1, tv_usec: 0)
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 8192)
    var end: Int?
    while bytes.count < end ?? .max {
        let count = recv(client, &piece, piece.count, 0)
        if count <= 0 || bytes.count + count > requestLimit { return nil }
        bytes += piece[..<count]
        if end == nil, let head = bytes.endOfHead { end = head + contentLength(bytes[..<head]) }
    }
    guard let head = bytes.endOfHead else { return nil }
    let words = String(decoding: bytes[..<head], as: UTF8.self).split(separator: " ", maxSplits: 2)
    guard words.count == 3 else { return nil }
    return Request(
        method: String(words[0]), path: String(words[1]), body: String(decoding: bytes[head...], as: UTF8.self))
}

private func contentLength(_ head: ArraySlice<UInt8>) -> Int {
    for line in String(decoding: head, as: UTF8.self).split(whereSeparator: \.isNewline) {
        let parts = line.split(separator: ":", maxSplits: 1)
        if parts.count == 2, parts[0].lowercased() == "content-length" {
            return min(max(0, Int(parts[1].filter { $0 != " " }) ?? 0), requestLimit)
        }
    }
    return 0
}

private func reply(_ client: Int32, _ response: Response) {
    let text =
        "HTTP/1.1 \(response.status)\r\nContent-Type: text/plain\r\nContent-Length: \(response.body.utf8.count)\r\n"
        + "Connection: close\r\n\r\n\(response.body)"
    let bytes = Array(text.utf8)
    var sent = 0
    while sent < bytes.count {
        let count = bytes[sent...].withUnsafeBytes { send(client, $0.baseAddress, $0.count, 0) }
        if count <= 0 { return }
        sent += count
    }
}

extension [UInt8] {
    /// Behind the empty line that ends a request's head.
    fileprivate var endOfHead: Int? {
        guard count >= 4 else { return nil }
        return (0...(count - 4)).first { self[$0..<$0 + 4].elementsEqual([13, 10, 13, 10]) }.map { $0 + 4 }
    }
}
