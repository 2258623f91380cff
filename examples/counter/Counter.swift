// A small actor: counts, and keeps the count in its durable directory.
//
//   GET /        the count
//   POST /       one more
//   GET /readyz  200 once it serves
//
// It listens where the environment says: ATE_ADDRESS, ATE_PORT. It is written with nothing but the C library to show
// what an actor needs to know of substrate-etcd: those two, and ATE_DURABLE_DIR.

import Glibc

@main
struct Counter {
    let file: String
    var count: Int

    static func main() {
        guard let address = environment("ATE_ADDRESS"), let port = environment("ATE_PORT").flatMap(UInt16.init),
            let directory = environment("ATE_DURABLE_DIR")
        else { fail("ATE_ADDRESS, ATE_PORT and ATE_DURABLE_DIR must be set") }
        signal(SIGPIPE, SIG_IGN)
        var counter = Counter(file: "\(directory)/count")
        let listener = listen(on: address, port)
        say("counting from \(counter.count) at \(address):\(port)", on: STDOUT_FILENO)
        while true {
            let client = accept(listener, nil, nil)
            if client < 0 { continue }
            counter.answer(client)
            close(client)
        }
    }

    init(file: String) {
        self.file = file
        count = Counter.read(file) ?? 0
    }

    /// Answers one request per connection; a client that is silent for a second is dropped.
    mutating func answer(_ client: Int32) {
        var limit = timeval(tv_sec: 1, tv_usec: 0)
        setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var request = [UInt8](repeating: 0, count: 8192)
        var length = 0
        while !request[..<length].containsEndOfHead, length < request.count {
            let count = recv(client, &request[length], request.count - length, 0)
            if count <= 0 { return }
            length += count
        }
        let words = String(decoding: request[..<length], as: UTF8.self).split(separator: " ", maxSplits: 2)
        switch (words.first, words.dropFirst().first) {
        case ("GET", "/readyz"): reply(client, "200 OK", "ready\n")
        case ("GET", "/"): reply(client, "200 OK", "\(count)\n")
        case ("POST", "/"):
            count += 1
            guard save() else { return reply(client, "500 Internal Server Error", "cannot save the count\n") }
            reply(client, "200 OK", "\(count)\n")
        default: reply(client, "404 Not Found", "only / and /readyz are here\n")
        }
    }

    /// Replaces the file in one step, so that a snapshot never holds half a number.
    private func save() -> Bool {
        guard let stream = fopen(file + ".new", "w") else { return false }
        fputs("\(count)\n", stream)
        return fclose(stream) == 0 && rename(file + ".new", file) == 0
    }

    private static func read(_ file: String) -> Int? {
        guard let stream = fopen(file, "r") else { return nil }
        defer { fclose(stream) }
        var line = [CChar](repeating: 0, count: 32)
        guard fgets(&line, Int32(line.count), stream) != nil else { return nil }
        return Int(String(decoding: line.prefix { $0 > 32 }.map(UInt8.init), as: UTF8.self))
    }
}

private func reply(_ client: Int32, _ status: String, _ body: String) {
    let text =
        "HTTP/1.1 \(status)\r\nContent-Type: text/plain\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n"
        + body
    let bytes = Array(text.utf8)
    var sent = 0
    while sent < bytes.count {
        let count = bytes[sent...].withUnsafeBytes { send(client, $0.baseAddress, $0.count, 0) }
        if count <= 0 { return }
        sent += count
    }
}

private func listen(on address: String, _ port: UInt16) -> Int32 {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var yes: Int32 = 1
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    inet_pton(AF_INET, address, &name.sin_addr)
    let isBound = withUnsafePointer(to: &name) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
    }
    guard isBound, listen(listener, 64) == 0 else {
        fail("cannot listen on \(address):\(port): \(String(cString: strerror(errno)))")
    }
    return listener
}

private func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

private func fail(_ reason: String) -> Never {
    say("counter: \(reason)", on: STDERR_FILENO)
    exit(1)
}

private func say(_ text: String, on descriptor: Int32) {
    let line = Array("\(text)\n".utf8)
    _ = write(descriptor, line, line.count)
}

extension ArraySlice<UInt8> {
    fileprivate var containsEndOfHead: Bool {
        guard count >= 4 else { return false }
        return (startIndex...(endIndex - 4)).contains { self[$0...].prefix(4).elementsEqual([13, 10, 13, 10]) }
    }
}
