internal import GRPC
internal import Glibc
internal import SubstrateModel

/// The TCP connections of this machine, as the kernel lists them.
enum Connections {
    /// The local addresses that somebody is connected to, or has just begun to connect to. A connection whose client has
    /// closed its side counts, since the answer may be under way; one that the server has closed does not.
    static func openAddresses() throws(RuntimeFailure) -> Set<ActorAddress> { try read { openAddresses(in: $0) } }

    /// The addresses that this machine is connected to, or is connecting to. A connection that this machine has closed counts,
    /// since the answer may be under way; one that the other side has closed does not.
    static func openPeers() throws(RuntimeFailure) -> Set<ActorAddress> { try read { openPeers(in: $0) } }

    /// Every connection of this machine to another one's address, whatever has become of it.
    static func all() throws(RuntimeFailure) -> Set<Flow> {
        try read { table in
            Set(
                lines(of: table).compactMap { fields in
                    guard let client = address(fields[1]), let peer = address(fields[2]) else { return nil }
                    return Flow(client: client, actor: peer)
                })
        }
    }

    private static func read<Value: Hashable>(_ read: (String) -> Set<Value>) throws(RuntimeFailure) -> Set<Value> {
        var values: Set<Value> = []
        for file in ["/proc/net/tcp", "/proc/net/tcp6"] {
            guard let bytes = KernelFile.contents(file) else {
                // A kernel without IPv6 has only the first.
                if file == "/proc/net/tcp6", errno == ENOENT { continue }
                throw RuntimeFailure(.internal, "cannot read \(file): \(String(cString: strerror(errno)))")
            }
            values.formUnion(read(String(decoding: bytes, as: UTF8.self)))
        }
        return values
    }

    private static func lines(of table: String) -> [[Substring]] {
        table.split(separator: "\n").dropFirst().map { $0.split(separator: " ", maxSplits: 4) }.filter { $0.count > 3 }
    }

    /// Reads lines like `0: 0101007F:1F90 0100007F:C350 01 ...`: number, local and remote address, state.
    static func openAddresses(in table: String) -> Set<ActorAddress> { addresses(in: table, field: 1, openStates) }

    static func openPeers(in table: String) -> Set<ActorAddress> { addresses(in: table, field: 2, openPeerStates) }

    private static func addresses(in table: String, field: Int, _ states: Set<String>) -> Set<ActorAddress> {
        var addresses: Set<ActorAddress> = []
        for fields in lines(of: table) {
            guard states.contains(String(fields[3])), let address = address(fields[field]) else {
                continue
            }
            addresses.insert(address)
        }
        return addresses
    }

    /// ESTABLISHED, SYN_RECV, CLOSE_WAIT, NEW_SYN_RECV; from the kernel's net/tcp_states.h.
    private static let openStates: Set<String> = ["01", "03", "08", "0C"]

    /// ESTABLISHED, SYN_SENT, FIN_WAIT1, FIN_WAIT2.
    private static let openPeerStates: Set<String> = ["01", "02", "04", "05"]

    /// An IPv4 address, also one within IPv6; others are no actor's. The words are printed as numbers of this machine, which
    /// has them in little-endian order.
    private static func address(_ field: Substring) -> ActorAddress? {
        let parts = field.split(separator: ":")
        guard parts.count == 2, let port = Int(parts[1], radix: 16) else { return nil }
        var word = parts[0]
        if word.count == 32 {
            guard word.hasPrefix("0000000000000000FFFF0000") else { return nil }
            word = word.suffix(8)
        }
        guard word.count == 8, let number = UInt32(word, radix: 16) else { return nil }
        let ip = [0, 8, 16, 24].map { "\(number >> UInt32($0) & 0xff)" }.joined(separator: ".")
        return ActorAddress(ip: ip, port: port)
    }
}
