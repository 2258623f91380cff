internal import SubstrateModel

/// The rules of nftables for what passes between the node and its actors, as text for `nft`.
///
/// Each worker has chains, `from_<n>` and `to_<n>`, to which the table's own lead by the name of the device, so that their
/// number costs no packet anything. A worker is closed unless an actor runs: then it has one address. Beside that, the table
/// keeps the connections that have been made to each actor (`flows_<n>`) and that it has made itself where its template allows
/// any (`egress_<n>`), for `QuietConnections`.
///
/// An actor has another address after each resume, but knows of one alone, which is in its memory. On the cable to it the one
/// stands for the other: what it sends has its own address, and is renamed before anything looks at it (`name_<n>`); what it is
/// sent is renamed after everything has. The kernel's table of connections knows of none of that.
enum Firewall {
    /// Actors are reached from the node itself and from nowhere else, also where it forwards packets: not by each other, and
    /// not by whoever takes the node for a way to them, of whom the node would see no connection. What they send out, as far as
    /// they may, and what comes back for it is forwarded in the node's name.
    static func table(_ names: NetworkNames) -> String {
        """
        table inet \(names.table) {
          map from { type ifname : verdict; }
          map to { type ifname : verdict; }
          map name { type ifname : verdict; }
          map out { type ifname : verdict; }
          map back { type ifname : verdict; }
          chain prerouting {
            type filter hook prerouting priority -310; policy accept;
            iifname vmap @name
          }
          chain postrouting {
            type filter hook postrouting priority 310; policy accept;
            oifname "\(names.devicePrefix)*" ip daddr set \(NodeNetwork.inside)
          }
          chain input {
            type filter hook input priority -10; policy accept;
            iifname vmap @from
            iifname "\(names.devicePrefix)*" drop
          }
          chain forward {
            type filter hook forward priority -10; policy accept;
            oifname vmap @back
            oifname "\(names.devicePrefix)*" meta l4proto tcp reject with tcp reset
            oifname "\(names.devicePrefix)*" reject with icmpx admin-prohibited
            iifname vmap @out
            iifname vmap @from
            iifname "\(names.devicePrefix)*" drop
          }
          chain translate {
            type nat hook postrouting priority 100; policy accept;
            iifname "\(names.devicePrefix)*" masquerade
          }
          chain probes {
            type filter hook output priority -300; policy accept;
            oifname "\(names.devicePrefix)*" meta mark \(FlowProbe.mark) notrack
          }
          chain output {
            type filter hook output priority -10; policy accept;
            oifname vmap @to
          }
        }
        """
    }

    /// What a node can have open to one actor, and what has been closed in the last two minutes. When it is full, no more
    /// connections are made, because one that is not noted would cost the actor its life at the next checkpoint.
    static let maximumFlows = 65_536
    /// Longer than a connection is remembered by either side after it was closed.
    static let closedLimit = Duration.seconds(130)
    private static let closedTimeout = "\(closedLimit.components.seconds)s"
    private static let key = "ipv4_addr . inet_service . ipv4_addr . inet_service"
    private static let outward = "ip saddr . tcp sport . ip daddr . tcp dport"
    private static let inward = "ip daddr . tcp dport . ip saddr . tcp sport"

    static func newWorker(_ table: String, _ number: Int, device: String) -> String {
        """
        add set inet \(table) flows_\(number) { type \(key); flags timeout,dynamic; size \(maximumFlows); }
        add set inet \(table) egress_\(number) { type \(key); flags timeout,dynamic; size \(maximumFlows); }
        add set inet \(table) alive_\(number) { type \(key); flags dynamic; size \(maximumFlows); }
        add set inet \(table) answered_\(number) { type \(key); flags dynamic; size \(maximumFlows); }
        add chain inet \(table) from_\(number)
        add chain inet \(table) to_\(number)
        add chain inet \(table) name_\(number)
        add chain inet \(table) out_\(number)
        add chain inet \(table) back_\(number)
        \(closed(table, number))
        add element inet \(table) from { "\(device)" : jump from_\(number) }
        add element inet \(table) to { "\(device)" : jump to_\(number) }
        add element inet \(table) name { "\(device)" : jump name_\(number) }
        add element inet \(table) out { "\(device)" : jump out_\(number) }
        add element inet \(table) back { "\(device)" : jump back_\(number) }
        """
    }

    /// Undoes `newWorker`.
    static func noWorker(_ table: String, _ number: Int, device: String) -> String {
        """
        delete element inet \(table) from { "\(device)" }
        delete element inet \(table) to { "\(device)" }
        delete element inet \(table) name { "\(device)" }
        delete element inet \(table) out { "\(device)" }
        delete element inet \(table) back { "\(device)" }
        \(empty(table, number))
        flush chain inet \(table) name_\(number)
        delete chain inet \(table) from_\(number)
        delete chain inet \(table) to_\(number)
        delete chain inet \(table) name_\(number)
        delete chain inet \(table) out_\(number)
        delete chain inet \(table) back_\(number)
        delete set inet \(table) flows_\(number)
        delete set inet \(table) egress_\(number)
        delete set inet \(table) alive_\(number)
        delete set inet \(table) answered_\(number)
        """
    }

    /// Nothing passes, and whoever tries to connect hears so at once.
    static func closed(_ table: String, _ number: Int) -> String {
        """
        \(empty(table, number))
        flush chain inet \(table) name_\(number)
        add rule inet \(table) from_\(number) drop
        add rule inet \(table) to_\(number) meta l4proto tcp reject with tcp reset
        add rule inet \(table) to_\(number) reject with icmpx host-unreachable
        """
    }

    /// Notes connections of which no packet has been seen.
    static func note(_ table: String, _ number: Int, _ flows: some Sequence<Flow>) -> String {
        let elements = flows.map { "\($0.client) . \($0.clientPort) . \($0.actor) . \($0.actorPort) timeout 30d" }
        return "add element inet \(table) flows_\(number) { \(elements.joined(separator: ", ")) }"
    }

    static func forgetFlows(_ table: String, _ number: Int) -> String {
        "flush set inet \(table) flows_\(number)\nflush set inet \(table) egress_\(number)"
    }

    /// What no template can allow: the node by other names, and what clouds tell their machines alone. (Where the actor sends
    /// something to the node itself is not forwarded, and does not come here.)
    private static let neverReached = ["127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32"]

    /// The actor at the address is reached, and answers; it reaches what it may.
    /// - Parameter closed: the subnets of all actors.
    static func open(_ table: String, _ number: Int, _ opening: Opening, closedTo closed: [String]) -> String {
        let address = opening.address
        let from = "add rule inet \(table) from_\(number)"
        let to = "add rule inet \(table) to_\(number)"
        return """
            \(empty(table, number))
            flush chain inet \(table) name_\(number)
            add rule inet \(table) name_\(number) ip saddr \(NodeNetwork.inside) ip saddr set \(address)
            \(from) ip saddr != \(address) drop
            \(from) tcp flags & (fin|rst) != 0 update @flows_\(number) { \(inward) timeout \(closedTimeout) }
            \(from) ct state established accept
            \(from) meta l4proto tcp reject with tcp reset
            \(from) reject with icmpx admin-prohibited
            \(to) ip daddr != \(address) meta l4proto tcp reject with tcp reset
            \(to) ip daddr != \(address) reject with icmpx host-unreachable
            \(to) meta nfproto ipv6 drop
            \(to) tcp flags & (syn|ack) == syn update @flows_\(number) { \(outward) timeout 30d } accept
            \(to) tcp flags & (syn|ack) == syn reject with tcp reset
            \(to) tcp flags & rst == rst update @flows_\(number) { \(outward) timeout \(closedTimeout) }
            \(egress(table, number, opening, closedTo: closed))
            """
    }

    private static func egress(
        _ table: String, _ number: Int, _ opening: Opening, closedTo closed: [String]
    ) -> String {
        if opening.egress.isEmpty { return "" }
        let out = "add rule inet \(table) out_\(number)"
        let back = "add rule inet \(table) back_\(number)"
        let note = "update @egress_\(number)"
        let rules = opening.egress.map { rule in
            let transport = rule.transport.rawValue.lowercased()
            let ports =
                rule.ports.isEmpty
                ? "" : " dport { \(Set(rule.ports).sorted().map { "\($0)" }.joined(separator: ", ")) }"
            let match = "ip daddr \(rule.subnet) " + (ports.isEmpty ? "meta l4proto \(transport)" : transport + ports)
            return switch rule.transport {
            case .tcp: "\(out) \(match) tcp flags & (syn|ack) == syn \(note) { \(inward) timeout 30d } accept"
            case .udp: "\(out) \(match) accept"
            }
        }
        let own = "ct state established,related ct direction"
        return """
            \(out) ip saddr != \(opening.address) return
            \(out) ip daddr { \((neverReached + closed).joined(separator: ", ")) } return
            \(out) \(own) original tcp flags & (fin|rst) != 0 \(note) { \(inward) timeout \(closedTimeout) }
            \(out) \(own) original accept
            \(rules.joined(separator: "\n"))
            \(back) ip daddr != \(opening.address) return
            \(back) \(own) reply tcp flags & rst == rst \(note) { \(outward) timeout \(closedTimeout) }
            \(back) \(own) reply accept
            """
    }

    /// Whoever is connected is cut off on both sides, but what carries the mark passes. What the actor's side answers as a
    /// connection that it knows is noted in `alive_<n>`; whatever it answers, in `answered_<n>`.
    static func quiet(_ table: String, _ number: Int, mark: Int) -> String {
        let from = "add rule inet \(table) from_\(number)"
        let to = "add rule inet \(table) to_\(number)"
        return """
            \(empty(table, number))
            \(forget(table, number))
            \(from) tcp flags & (syn|rst|ack) == ack add @alive_\(number) { \(inward) }
            \(from) meta l4proto tcp add @answered_\(number) { \(inward) }
            \(from) meta l4proto tcp reject with tcp reset
            \(from) drop
            \(to) meta mark \(mark) accept
            \(to) tcp flags & rst == rst accept
            \(to) meta l4proto tcp reject with tcp reset
            \(to) drop
            """
    }

    /// Empties `alive_<n>` and `answered_<n>`.
    static func forget(_ table: String, _ number: Int) -> String {
        "flush set inet \(table) alive_\(number)\nflush set inet \(table) answered_\(number)"
    }

    private static func empty(_ table: String, _ number: Int) -> String {
        ["from", "to", "out", "back"].map { "flush chain inet \(table) \($0)_\(number)" }.joined(separator: "\n")
    }
}
