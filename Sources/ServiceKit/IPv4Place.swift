package import Glibc

/// Where a server listens: `a.b.c.d:port`.
package struct IPv4Place: Sendable {
    package let address: sockaddr_in

    /// Nil for a text that is not such a place; names are none.
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0
        else { return nil }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        guard inet_pton(AF_INET, String(text[..<colon]), &address.sin_addr) == 1 else { return nil }
        self.address = address
    }
}
