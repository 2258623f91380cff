package import Glibc

/// Where a server listens: `a.b.c.d:port`.
package struct IPv4Place: Sendable, Equatable, CustomStringConvertible {
    package let address: sockaddr_in
    /// Always written in the same way.
    package let description: String

    /// Nil for a text that is not such a place; names are none.
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let (host, digits) = (String(text[..<colon]), text[text.index(after: colon)...])
        guard digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let port = UInt16(digits), port > 0
        else { return nil }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else { return nil }
        self.address = address
        description = "\(host):\(port)"
    }

    package static func == (left: IPv4Place, right: IPv4Place) -> Bool { left.description == right.description }
}
