internal import Foundation
internal import Glibc
internal import LocalCluster
internal import Synchronization

/// A TCP proxy on loopback that mistreats the bytes it carries.
package final class FaultProxy: Sendable {
    /// What is done to the bytes.
    package struct Faults: Sendable {
        /// Everything is taken and nothing is passed on, in both directions; connections stay open.
        package var swallowsAll = false
        /// What the server says is taken and not passed on.
        package var swallowsResponses = false
        /// How much later bytes are passed on.
        package var delay: Duration = .zero
        /// Each new connection is cut when it has passed on a number of the server's bytes out of this range.
        package var cutsAfter: ClosedRange<Int>?
        /// How many of those cuts are made in all.
        package var maximumCuts = Int.max

        package init() {}
    }

    /// Where it listens, on 127.0.0.1.
    package let port: Int

    private let targetPort: Int
    private let listener: Int32
    private let wakeUp: (read: Int32, write: Int32)
    private let state = Mutex(State())

    private struct State {
        var faults = Faults()
        var cuts = 0
        var cutsAll = false
        var isStopped = false
        var connections = 0
    }

    /// Listens, and connects to `target` (`host:port`, on loopback) for each connection that comes in.
    package init(target: String) throws {
        targetPort = target.split(separator: ":").last.flatMap { Int($0) } ?? 0
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        var address = loopback(port: 0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, size) == 0 && listen(listener, 128) == 0 && getsockname(listener, $0, &size) == 0
            }
        }
        guard isListening else { throw ClusterError("the proxy cannot listen: \(String(cString: strerror(errno)))") }
        port = Int(UInt16(bigEndian: address.sin_port))
        var pipe: [Int32] = [0, 0]
        guard Glibc.pipe(&pipe) == 0 else { throw ClusterError("no pipe for the proxy") }
        wakeUp = (pipe[0], pipe[1])
        for descriptor in pipe + [listener] { setNonBlocking(descriptor) }
        let loop = Loop(self)
        Thread { loop.run() }.start()
    }

    deinit { stop() }

    /// `127.0.0.1:port`
    package var endpoint: String { "127.0.0.1:\(port)" }

    /// How many connections have been cut because of `cutsAfter`.
    package var cuts: Int { state.withLock { $0.cuts } }

    /// How many connections are open.
    package var connections: Int { state.withLock { $0.connections } }

    /// Changes what is done from now on.
    package func set(_ change: (inout Faults) -> Void) {
        state.withLock { change(&$0.faults) }
        wake()
    }

    /// Cuts every connection there is.
    package func cutAll() {
        state.withLock { $0.cutsAll = true }
        wake()
    }

    /// Closes everything.
    package func stop() {
        state.withLock { $0.isStopped = true }
        wake()
    }

    private func wake() { _ = write(wakeUp.write, [1], 1) }

    /// What the proxy's thread works on. It holds the sockets; the proxy's owner may let go of the proxy, and the loop ends.
    private final class Loop: @unchecked Sendable {
        private weak var proxy: FaultProxy?
        private let listener: Int32
        private let wakeUp: (read: Int32, write: Int32)
        private let targetPort: Int
        private var connections: [Connection] = []

        init(_ proxy: FaultProxy) {
            self.proxy = proxy
            listener = proxy.listener
            wakeUp = proxy.wakeUp
            targetPort = proxy.targetPort
        }

        func run() {
            while turn() {}
            for connection in connections { connection.close() }
            for descriptor in [listener, wakeUp.read, wakeUp.write] { Glibc.close(descriptor) }
        }

        private func turn() -> Bool {
            var polled = [
                pollfd(fd: listener, events: Int16(POLLIN), revents: 0),
                pollfd(fd: wakeUp.read, events: Int16(POLLIN), revents: 0),
            ]
            for connection in connections { polled += connection.polled }
            let soonest = connections.compactMap(\.nextRelease).min()
            let wait = soonest.map { max(1, Int32(ContinuousClock.now.duration(to: $0) / .milliseconds(1)) + 1) } ?? -1
            poll(&polled, nfds_t(polled.count), wait)
            var drained = [UInt8](repeating: 0, count: 64)
            while read(wakeUp.read, &drained, drained.count) > 0 {}
            guard let proxy else { return false }
            let (faults, cutsAll, isStopped) = proxy.state.withLock { state in
                defer { state.cutsAll = false }
                return (state.faults, state.cutsAll, state.isStopped)
            }
            if isStopped { return false }
            if cutsAll {
                for connection in connections { connection.cut() }
            }
            accept(faults, proxy)
            for connection in connections { connection.turn(faults) }
            let budgetCuts = connections.count { $0.ranOut }
            connections.removeAll { $0.isClosed }
            let open = connections.count
            proxy.state.withLock { state in
                state.cuts += budgetCuts
                state.connections = open
            }
            return true
        }

        private func accept(_ faults: Faults, _ proxy: FaultProxy) {
            while case let client = Glibc.accept(listener, nil, nil), client >= 0 {
                let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
                setNonBlocking(client)
                setNonBlocking(server)
                var address = loopback(port: targetPort)
                _ = withUnsafePointer(to: &address) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                    }
                }
                let mayCut =
                    proxy.state.withLock { $0.cuts } + connections.count { $0.budget != nil } < faults.maximumCuts
                let budget = mayCut ? faults.cutsAfter.map { Int.random(in: $0) } : nil
                connections.append(Connection(client: client, server: server, budget: budget))
            }
        }
    }
}

/// One connection through the proxy.
private final class Connection {
    private let client: Int32
    private let server: Int32
    /// The server's bytes that may still pass; nil for any number.
    private(set) var budget: Int?
    private(set) var isClosed = false
    private(set) var ranOut = false
    private var up: [Chunk] = []
    private var down: [Chunk] = []

    private struct Chunk {
        var bytes: ArraySlice<UInt8>
        var release: ContinuousClock.Instant
    }

    /// Bytes that wait in one direction at most; then the sender is held back.
    private static let maximumWaiting = 256

    init(client: Int32, server: Int32, budget: Int?) {
        self.client = client
        self.server = server
        self.budget = budget
    }

    var polled: [pollfd] {
        func events(reads: Bool, writes: [Chunk]) -> Int16 {
            let isDue = writes.first.map { $0.release <= .now } ?? false
            return Int16((reads ? POLLIN : 0) | (isDue ? POLLOUT : 0))
        }
        return [
            pollfd(fd: client, events: events(reads: up.count < Self.maximumWaiting, writes: down), revents: 0),
            pollfd(fd: server, events: events(reads: down.count < Self.maximumWaiting, writes: up), revents: 0),
        ]
    }

    var nextRelease: ContinuousClock.Instant? {
        [up.first?.release, down.first?.release].compactMap { $0 }.filter { $0 > .now }.min()
    }

    func turn(_ faults: FaultProxy.Faults) {
        if isClosed { return }
        let isOpen =
            receive(client, into: &up, swallows: faults.swallowsAll, faults)
            && receive(server, into: &down, swallows: faults.swallowsAll || faults.swallowsResponses, faults)
            && send(&up, to: server) && sendDown()
        if !isOpen { cut() }
    }

    private func receive(_ socket: Int32, into chunks: inout [Chunk], swallows: Bool, _ faults: FaultProxy.Faults)
        -> Bool
    {
        while chunks.count < Self.maximumWaiting {
            var buffer = [UInt8](repeating: 0, count: 16384)
            let count = read(socket, &buffer, buffer.count)
            // A connection to the server that is still being made is not readable yet either.
            if count < 0 { return errno == EAGAIN || errno == ENOTCONN }
            if count == 0 { return false }
            if !swallows { chunks.append(Chunk(bytes: buffer[..<count], release: .now + faults.delay)) }
        }
        return true
    }

    private func send(_ chunks: inout [Chunk], to socket: Int32) -> Bool {
        while var chunk = chunks.first, chunk.release <= .now {
            let count = chunk.bytes.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0 { return errno == EAGAIN || errno == ENOTCONN }
            chunk.bytes = chunk.bytes.dropFirst(count)
            if chunk.bytes.isEmpty { chunks.removeFirst() } else { chunks[0] = chunk }
        }
        return true
    }

    private func sendDown() -> Bool {
        guard let left = budget else { return send(&down, to: client) }
        let waiting = down.reduce(0) { $0 + $1.bytes.count }
        if waiting >= left {
            // Up to the very byte, and no further.
            var rest = left
            down = down.compactMap { chunk in
                var chunk = chunk
                chunk.bytes = chunk.bytes.prefix(rest)
                rest -= chunk.bytes.count
                return chunk.bytes.isEmpty ? nil : chunk
            }
            _ = send(&down, to: client)
            ranOut = true
            return false
        }
        let isOpen = send(&down, to: client)
        budget = left - (waiting - down.reduce(0) { $0 + $1.bytes.count })
        return isOpen
    }

    /// Ends the connection in both directions at once.
    func cut() {
        if isClosed { return }
        var reset = linger(l_onoff: 1, l_linger: 0)
        // What was sent still arrives at the client before the end, so that a cut has its place in the bytes.
        setsockopt(server, SOL_SOCKET, SO_LINGER, &reset, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    func close() {
        if isClosed { return }
        isClosed = true
        Glibc.close(client)
        Glibc.close(server)
    }
}

private func loopback(port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(clamping: port)).bigEndian
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
    return address
}

private func setNonBlocking(_ descriptor: Int32) {
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
}
