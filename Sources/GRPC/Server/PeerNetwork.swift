internal import Glibc

/// What of an address a client cannot change at will, from the core's notation for peers.
enum PeerNetwork {
    /// An IPv4 address; of an IPv6 address the first 64 bits, since the rest is a host's own choice; anything else as it is,
    /// without a port.
    static func of(_ peer: String) -> String {
        if let rest = peer.suffix(behind: "ipv4:") { return String(rest.prefix { $0 != ":" }) }
        guard let rest = peer.suffix(behind: "ipv6:") else { return peer }
        // The core writes the brackets percent-encoded.
        let address = rest.replacing("%5B", with: "").replacing("[", with: "").prefix { $0 != "]" && $0 != "%" }
        var bytes = in6_addr()
        guard inet_pton(AF_INET6, String(address), &bytes) == 1 else { return String(address) }
        let raw = withUnsafeBytes(of: bytes) { Array($0) }
        // An IPv4 address in the clothes of IPv6.
        if raw.starts(with: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]) {
            return raw.suffix(4).map { "\($0)" }.joined(separator: ".")
        }
        let words = (0..<4).map { String(UInt16(raw[2 * $0]) << 8 | UInt16(raw[2 * $0 + 1]), radix: 16) }
        return words.joined(separator: ":") + "::/64"
    }
}

extension String {
    fileprivate func suffix(behind prefix: String) -> Substring? {
        hasPrefix(prefix) ? dropFirst(prefix.count) : nil
    }
}
