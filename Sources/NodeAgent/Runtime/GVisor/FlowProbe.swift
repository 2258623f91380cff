internal import GRPC
internal import Glibc
internal import SubstrateModel

/// Asks one side of a connection whether it knows of it: as if from the other side, with numbers that are not of it. A side that
/// does answers with an ACK (RFC 5961). All functions block, and need root.
enum FlowProbe {
    /// Told to the firewall by our packets.
    static let mark = 0x617465
    /// A SYN has to be newer than what a closed connection has had, and one of three is.
    private static let sequenceNumbers: [UInt32] = [1, 0x5555_5555, 0xaaaa_aaaa]

    /// To the actors, as if from the clients. A SYN gets an answer from whoever listens, too, for whom it is the beginning of a
    /// connection; an ACK gets a reset where nothing is.
    static func askActor(_ flows: [Flow], by flag: TCPSegment.Flag) throws(RuntimeFailure) {
        try send(
            flag, flows.map { Ends(source: $0.client, port: $0.clientPort, target: $0.actor, targetPort: $0.actorPort) }
        )
    }

    /// To the clients, as if from the actors.
    static func askClients(_ flows: [Flow]) throws(RuntimeFailure) {
        try send(
            .syn, flows.map { Ends(source: $0.actor, port: $0.actorPort, target: $0.client, targetPort: $0.clientPort) }
        )
    }

    private struct Ends {
        var source: String
        var port: UInt16
        var target: String
        var targetPort: UInt16
    }

    private static func send(_ flag: TCPSegment.Flag, _ segments: [Ends]) throws(RuntimeFailure) {
        for (source, segments) in Dictionary(grouping: segments, by: \.source) {
            let descriptor = try socket(from: source)
            defer { close(descriptor) }
            for number in flag == .syn ? sequenceNumbers : [1] {
                for ends in segments { try send(flag, ends, number, descriptor) }
            }
        }
    }

    /// For segments from an address that need not be this machine's.
    private static func socket(from client: String) throws(RuntimeFailure) -> Int32 {
        let descriptor = Glibc.socket(
            AF_INET, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), Int32(IPPROTO_TCP))
        guard descriptor >= 0 else { throw failure("open a raw socket") }
        var mark = UInt32(Self.mark)
        var yes: Int32 = 1
        var source = sockaddr_in()
        source.sin_family = sa_family_t(AF_INET)
        let isBound =
            setsockopt(descriptor, SOL_SOCKET, SO_MARK, &mark, socklen_t(MemoryLayout.size(ofValue: mark))) == 0
            && setsockopt(
                descriptor, Int32(IPPROTO_IP), IP_TRANSPARENT, &yes, socklen_t(MemoryLayout.size(ofValue: yes))) == 0
            && inet_pton(AF_INET, client, &source.sin_addr) == 1
            && withUnsafePointer(to: &source) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
        guard isBound else {
            let failure = failure("send as \(client)")
            close(descriptor)
            throw failure
        }
        return descriptor
    }

    private static func send(_ flag: TCPSegment.Flag, _ ends: Ends, _ number: UInt32, _ descriptor: Int32)
        throws(RuntimeFailure)
    {
        var source = in_addr()
        var target = sockaddr_in()
        target.sin_family = sa_family_t(AF_INET)
        guard inet_pton(AF_INET, ends.source, &source) == 1, inet_pton(AF_INET, ends.target, &target.sin_addr) == 1
        else { return }
        let segment = TCPSegment.header(
            flag, from: source, port: ends.port, to: target.sin_addr, port: ends.targetPort, number: number)
        let count = withUnsafePointer(to: &target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, segment, segment.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if count != segment.count, errno != ENOBUFS { throw failure("send to \(ends.target)") }
    }

    private static func failure(_ what: String) -> RuntimeFailure {
        RuntimeFailure(.internal, "cannot \(what): \(String(cString: strerror(errno)))")
    }
}
