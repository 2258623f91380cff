/// The flag for the log that all programs have.
package enum Logging {
    package static func declare(in flags: inout Flags) {
        flags.choice(
            "log-level", Log.Level.allCases.map(\.name), default: Log.Level.info.name,
            help: "The least serious lines that are written. They are JSON objects on standard error.")
    }
}

/// The rule that nothing listens beyond loopback without TLS unless told to.
package enum Loopback {
    /// - Throws: `FlagError` for an address that is not loopback.
    package static func check(_ address: String, isAllowedAnyway: Bool, flag: String) throws(FlagError) {
        guard contains(address) || isAllowedAnyway else {
            throw FlagError(
                "\(flag) \(address) is not a loopback address, and there is no TLS: anyone who can reach it could use it. "
                    + "Give it a certificate, or --insecure to do it anyway")
        }
    }

    /// Whether the address, `host:port`, is one of loopback.
    package static func contains(_ address: String) -> Bool {
        let host = address.lastIndex(of: ":").map { String(address[..<$0]) } ?? address
        return host == "localhost" || host == "[::1]" || isLoopbackIPv4(host)
    }

    private static func isLoopbackIPv4(_ host: String) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
