internal import GRPC
internal import Glibc
internal import ServiceKit
internal import SubstrateModel

/// The network of one worker: a namespace with a cable to the node. It outlives the actors.
struct WorkerNetwork: Sendable {
    let number: Int
    let namespace: String
    let device: String
    let table: String
    let openings: Openings
    /// Of all actors of the node, who do not reach each other whatever their templates allow.
    private let subnets: [String]

    init(_ names: NetworkNames, _ number: Int, _ openings: Openings, _ subnets: [String]) {
        self.number = number
        self.openings = openings
        self.subnets = subnets
        namespace = names.namespace(number)
        device = names.device(number)
        table = names.table
    }

    /// What names the namespace to those who enter it.
    var path: String { "/run/netns/\(namespace)" }

    /// Makes it, closed.
    /// - Throws: `RuntimeFailure`; then nothing of it is left.
    func create() async throws(RuntimeFailure) {
        do throws(RuntimeFailure) {
            try await ShortCommand.run(
                "nft", [Firewall.newWorker(table, number, device: device)],
                to: "make the firewall's rules for \(device)")
            try await ShortCommand.script(
                """
                ip netns add "$1"
                ip link add "$2" type veth peer name eth0 netns "$1"
                # The actors have version 4 alone.
                if [ -e /proc/sys/net/ipv6/conf/"$2" ]; then echo 1 >/proc/sys/net/ipv6/conf/"$2"/disable_ipv6; fi
                # All actors ask after the node from the same address, which cannot lead back to each.
                echo 2 >/proc/sys/net/ipv4/conf/"$2"/rp_filter
                ip address add "$3"/32 dev "$2"
                ip link set "$2" up
                ip route add "$4"/32 dev "$2" metric "$(ip -o link show "$2" | cut -d: -f1)"
                ip -n "$1" link set lo up
                ip -n "$1" link set eth0 up
                """, [namespace, device, NodeNetwork.gateway, NodeNetwork.inside],
                to: "make the network namespace \(namespace)")
        } catch {
            await uncancelled { await self.remove() }
            throw error
        }
    }

    /// Removes what there is of it. Its names are ours, whoever has made what has them.
    private func remove() async {
        _ = try? await ShortCommand.run("ip", ["netns", "delete", namespace], to: "remove a namespace")
        _ = try? await ShortCommand.run("ip", ["link", "delete", device], to: "remove a device")
        _ = try? await ShortCommand.run(
            "nft", [Firewall.noWorker(table, number, device: device)], to: "remove the rules for \(device)")
    }

    /// Gives an actor its address. runsc takes it away from the namespace when it starts, so this is for one start.
    /// - Parameter egress: what it may reach.
    /// - Throws: `RuntimeFailure`.
    func open(for address: ActorAddress, _ egress: [EgressRule] = []) async throws(RuntimeFailure) {
        var number = in_addr()
        guard inet_pton(AF_INET, address.ip, &number) == 1, address.ip.split(separator: ".").first != "127" else {
            throw RuntimeFailure(
                .failedPrecondition,
                "\(address.ip) cannot be the address of an actor that has a network of its own: "
                    + "it has to be an IPv4 address that is not of 127.0.0.0/8")
        }
        if !egress.isEmpty { try await Self.checkForwards() }
        let opening = Opening(address: address.ip, egress: egress)
        openings.begin(self.number)
        openings.set(opening, of: self.number)
        try await ShortCommand.script(
            """
            ip -n "$1" -batch - <<EOF
            address flush dev eth0
            address add $6/32 dev eth0
            route replace $3/32 dev eth0
            route replace default via $3
            EOF
            ip route replace "$4"/32 via "$6" dev "$2" onlink src "$3"
            exec nft "$5"
            """,
            [
                namespace, device, NodeNetwork.gateway, address.ip,
                Firewall.open(table, self.number, opening, closedTo: subnets), NodeNetwork.inside,
            ], to: "give the address \(address.ip) to \(namespace)")
    }

    /// Has an actor reached again that was cut off for a snapshot.
    /// - Throws: `RuntimeFailure`.
    func reopen(for address: ActorAddress, _ egress: [EgressRule]) async throws(RuntimeFailure) {
        let opening = Opening(address: address.ip, egress: egress)
        openings.set(opening, of: number)
        try await ShortCommand.run(
            "nft", [Firewall.open(table, number, opening, closedTo: subnets)], to: "have \(address.ip) reached again")
    }

    /// What an actor sends out of the node passes through it.
    private static func checkForwards() async throws(RuntimeFailure) {
        let file = "/proc/sys/net/ipv4/ip_forward"
        let value = await BlockingThread.result { KernelFile.contents(file) }
        guard value?.first == UInt8(ascii: "1") else {
            throw RuntimeFailure(
                .failedPrecondition,
                "the template's egress needs a node that forwards packets, and this one does not: set net.ipv4.ip_forward to 1 "
                    + "with sysctl")
        }
    }

    /// Takes the address away: who is connected, and who still tries it, hears at once that nobody is there.
    /// - Parameter directory: for temporary files.
    func close(_ address: ActorAddress, _ directory: String) async {
        openings.set(nil, of: number)
        // What fails is done again for the next actor here, or by the next agent.
        _ = try? await ShortCommand.run(
            "nft", [Firewall.closed(table, number)], to: "close \(namespace)")
        if let flows = try? await flows("flows", in: directory), !flows.isEmpty {
            // They answer an actor that is gone, and the firewall that answer with a reset.
            await BlockingThread.result { try? FlowProbe.askClients(flows) }
        }
        _ = try? await ShortCommand.script(
            """
            nft "$4"
            ip route delete "$3"/32 dev "$2" || :
            ip -n "$1" address flush dev eth0
            """, [namespace, device, address.ip, Firewall.forgetFlows(table, number)],
            to: "take the address \(address.ip) from \(namespace)")
    }
}
