internal import CMessages
internal import Protobuf
internal import SubstrateModel

extension SandboxRules {
    func fill(_ message: inout Substrate__SandboxRules, _ arena: Arena) {
        message.memory = memory ?? 0
        message.milli_cpus = Int32(clamping: milliCPUs ?? 0)
        (message.n_egress, message.egress) = arena.repeated(egress) { $0.fill(&$1, arena) }
    }

    /// Negative numbers are kept for the rules to refuse.
    init(_ message: borrowing Substrate__SandboxRules) throws {
        self.init()
        memory = message.memory == 0 ? nil : message.memory
        milliCPUs = message.milli_cpus == 0 ? nil : Int(message.milli_cpus)
        egress = try map(message.egress, count: message.n_egress) { try EgressRule($0) }
    }
}

extension EgressRule {
    fileprivate func fill(_ message: inout Substrate__EgressRule, _ arena: Arena) {
        message.cidr = arena.bytes(subnet)
        message.`protocol` =
            switch transport {
            case .tcp: SUBSTRATE__TRANSPORT_PROTOCOL__TRANSPORT_PROTOCOL_TCP
            case .udp: SUBSTRATE__TRANSPORT_PROTOCOL__TRANSPORT_PROTOCOL_UDP
            }
        message.n_ports = ports.count
        message.ports = arena.array(ports) { Int32(clamping: $0) }
    }

    fileprivate init(_ message: borrowing Substrate__EgressRule) throws {
        let transport: TransportProtocol =
            switch message.`protocol` {
            case SUBSTRATE__TRANSPORT_PROTOCOL__TRANSPORT_PROTOCOL_UNSPECIFIED,
                SUBSTRATE__TRANSPORT_PROTOCOL__TRANSPORT_PROTOCOL_TCP:
                .tcp
            case SUBSTRATE__TRANSPORT_PROTOCOL__TRANSPORT_PROTOCOL_UDP: .udp
            default:
                throw InvalidText(
                    field: "egress protocol", reason: "has the unknown value \(message.`protocol`.rawValue)")
            }
        self.init(
            subnet: try message.cidr.text("egress cidr"), transport: transport,
            ports: UnsafeBufferPointer(start: message.ports, count: message.n_ports).map { Int($0) })
    }
}
