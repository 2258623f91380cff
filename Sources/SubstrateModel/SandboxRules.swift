/// What an actor may use of its node and reach of the network, beyond what is the same for all: what its sandbox keeps it to.
package struct SandboxRules: Sendable, Equatable {
    /// Bytes of memory, with what keeps the actor in its sandbox; nil for as many as its node gives.
    package var memory: Int64?
    /// Thousandths of a processor; nil for as many as its node gives.
    package var milliCPUs: Int?
    /// Where it may connect to. Nowhere unless it is said here.
    package var egress: [EgressRule] = []

    package init() {}

    static let memoryRange: ClosedRange<Int64> = 128 << 20...1 << 40
    static let milliCPURange = 1...1_024_000
    static let maximumEgress = 32

    /// What is wrong, in terms of the manifest; nil when nothing is.
    package func violation(_ sandboxClass: SandboxClass) -> String? {
        if self == SandboxRules() { return nil }
        if sandboxClass == .process {
            return "spec.resources and spec.egress: nothing keeps an actor of class process to them"
        }
        if let memory, !Self.memoryRange.contains(memory) {
            return "spec.resources.limits.memory must be from 128Mi to 1Ti"
        }
        if let milliCPUs, !Self.milliCPURange.contains(milliCPUs) {
            return "spec.resources.limits.cpu must be from 1m to 1024"
        }
        if egress.count > Self.maximumEgress { return "spec.egress has more than \(Self.maximumEgress) entries" }
        for (index, rule) in egress.enumerated() {
            if let violation = rule.violation { return "spec.egress[\(index)].\(violation)" }
        }
        return nil
    }
}

/// Addresses and ports that an actor may connect to. Never those of its node, of other actors, nor link-local ones, where clouds
/// tell machines their secrets.
package struct EgressRule: Sendable, Equatable {
    package enum TransportProtocol: String, Sendable, CaseIterable {
        case tcp = "TCP"
        case udp = "UDP"
    }

    /// `a.b.c.d/n`
    package var subnet: String
    package var transport: TransportProtocol
    /// All when empty.
    package var ports: [Int]

    package init(subnet: String, transport: TransportProtocol = .tcp, ports: [Int] = []) {
        self.subnet = subnet
        self.transport = transport
        self.ports = ports
    }

    static let maximumPorts = 32

    fileprivate var violation: String? {
        if IPv4Subnet(subnet) == nil {
            return "cidr must be a subnet of IPv4 like 10.0.0.0/8, and a single address like 10.0.0.1/32"
        }
        if ports.count > Self.maximumPorts { return "ports has more than \(Self.maximumPorts) entries" }
        if !ports.allSatisfy((1...65535).contains) { return "ports must be numbers from 1 to 65535" }
        return nil
    }
}

/// `a.b.c.d/n`, without bits behind the prefix.
package struct IPv4Subnet: Sendable, Equatable, CustomStringConvertible {
    package let network: UInt32
    package let prefixLength: Int

    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, Self.isNumber(parts[1]), let prefixLength = Int(parts[1]),
            (0...32).contains(prefixLength)
        else { return nil }
        let fields = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        let numbers = fields.map { Self.isNumber($0) ? UInt8($0) : nil }
        guard numbers.count == 4, !numbers.contains(nil) else { return nil }
        network = numbers.reduce(0) { $0 << 8 | UInt32($1 ?? 0) }
        guard prefixLength == 32 || network & (UInt32.max >> UInt32(prefixLength)) == 0 else { return nil }
        self.prefixLength = prefixLength
    }

    /// Without signs, and zeros in front, which some take for octal.
    private static func isNumber(_ text: Substring) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) } && (text == "0" || text.first != "0")
    }

    package static func text(_ address: UInt32) -> String {
        [24, 16, 8, 0].map { "\(address >> UInt32($0) & 0xff)" }.joined(separator: ".")
    }

    package var description: String { "\(Self.text(network))/\(prefixLength)" }
}
