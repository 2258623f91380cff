package import SubstrateModel

/// The addresses that a node may give to its actors: those of a subnet of IPv4 but for the first and the last, which some
/// networks have a use for themselves, and one port.
package struct AddressRange: Sendable, Equatable, CustomStringConvertible {
    private let network: UInt32
    private let prefixLength: Int
    package let port: Int

    /// - Parameter subnet: `<address>/<length of the prefix>`, for example `127.1.0.0/16`. Prefixes have 8 to 28 bits.
    /// - Returns: nil when it is no such subnet, or its address has bits behind the prefix.
    package init?(subnet: String, port: Int) {
        let parts = subnet.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let prefixLength = Int(parts[1]), (8...28).contains(prefixLength) else { return nil }
        let numbers = parts[0].split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        guard numbers.count == 4, !numbers.contains(nil) else { return nil }
        network = numbers.reduce(0) { $0 << 8 | UInt32($1 ?? 0) }
        guard network & (UInt32.max >> UInt32(prefixLength)) == 0 else { return nil }
        self.prefixLength = prefixLength
        self.port = port
    }

    package var count: Int { (1 << (32 - prefixLength)) - 2 }

    /// - Parameter index: below `count`.
    package subscript(index: Int) -> ActorAddress {
        ActorAddress(ip: Self.text(network + UInt32(index) + 1), port: port)
    }

    /// Whether all of them are the machine's own, reached from nowhere else.
    package var isLoopback: Bool { network >> 24 == 127 }

    /// As it was given: `<address>/<length of the prefix>`.
    package var subnet: String { "\(Self.text(network))/\(prefixLength)" }

    package var description: String { "\(subnet):\(port)" }

    private static func text(_ address: UInt32) -> String {
        [24, 16, 8, 0].map { "\(address >> UInt32($0) & 0xff)" }.joined(separator: ".")
    }
}
