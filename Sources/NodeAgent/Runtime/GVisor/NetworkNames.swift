internal import SubstrateModel

/// What the things are called that a state directory has in the kernel's network, so that its leftovers can be found.
///
/// ```
/// ate-<directory id>-<n>     network namespace of the nth worker
/// ate<hash><nnnn>            the node's end of the cable into it; 15 characters are all that the kernel allows
/// ate_<hash>                 table of the firewall
/// ```
struct NetworkNames: Sendable {
    let namespacePrefix: String
    let devicePrefix: String
    let table: String

    /// - Parameter directoryID: a name.
    init(directoryID: String) {
        // FNV-1a. Two agents of one machine get the same once in four thousand million.
        let hash = directoryID.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
        let digits = String(hash, radix: 16)
        let text = String(repeating: "0", count: 8 - digits.count) + digits
        namespacePrefix = "ate-\(directoryID)-"
        devicePrefix = "ate\(text)"
        table = "ate_\(text)"
    }

    func namespace(_ number: Int) -> String { "\(namespacePrefix)\(number)" }

    /// - Parameter number: less than 10000.
    func device(_ number: Int) -> String {
        let digits = "\(number)"
        return devicePrefix + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}
