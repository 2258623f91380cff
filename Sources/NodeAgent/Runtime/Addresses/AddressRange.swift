package import SubstrateModel

/// The addresses that a node may give to its actors: those of a subnet of IPv4 but for the first and the last, which some
/// networks have a use for themselves, and one port.
package struct AddressRange: Sendable, Equatable, CustomStringConvertible {
    private let range: IPv4Subnet
    package let port: Int

    /// - Parameter subnet: `<address>/<length of the prefix>`, for example `127.1.0.0/16`. Prefixes have 8 to 28 bits.
    /// - Returns: nil when it is no such subnet, or its address has bits behind the prefix.
    package init?(subnet: String, port: Int) {
        guard let range = IPv4Subnet(subnet), (8...28).contains(range.prefixLength) else { return nil }
        self.range = range
        self.port = port
    }

    package var count: Int { (1 << (32 - range.prefixLength)) - 2 }

    /// - Parameter index: below `count`.
    package subscript(index: Int) -> ActorAddress {
        ActorAddress(ip: IPv4Subnet.text(range.network + UInt32(index) + 1), port: port)
    }

    /// Whether all of them are the machine's own, reached from nowhere else.
    package var isLoopback: Bool { range.network >> 24 == 127 }

    /// As it was given: `<address>/<length of the prefix>`.
    package var subnet: String { "\(range)" }

    package var description: String { "\(subnet):\(port)" }
}
