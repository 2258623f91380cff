package import SubstrateModel

/// Host names of actors: `<actor>[.<atespace>].actors.resources.substrate.ate.dev`, with or without a final dot and a
/// port. Without an atespace the actor is one of `default`.
package enum HostName {
    package static let domain = "actors.resources.substrate.ate.dev"

    private static let suffix = Array(".\(domain)".utf8)

    /// The actor that the host names, or nil.
    package static func actor(_ host: String) -> ActorRef? {
        // Asked for every request, so it looks at bytes.
        var host = host
        return host.withUTF8 { actor($0[...]) }
    }

    private static func actor(_ host: Slice<UnsafeBufferPointer<UInt8>>) -> ActorRef? {
        var name = host
        if let colon = name.lastIndex(of: UInt8(ascii: ":")) {
            let port = name[(colon + 1)...]
            guard !port.isEmpty, port.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
                return nil
            }
            name = name[..<colon]
        }
        if name.last == UInt8(ascii: ".") { name = name.dropLast() }
        guard name.count > suffix.count, zip(name.suffix(suffix.count), suffix).allSatisfy({ lowercase($0) == $1 })
        else { return nil }
        name = name.dropLast(suffix.count)
        guard let dot = name.firstIndex(of: UInt8(ascii: ".")) else {
            return label(name).map { ActorRef(atespace: Atespace.defaultName, name: $0) }
        }
        guard let actor = label(name[..<dot]), let atespace = label(name[(dot + 1)...]) else { return nil }
        return ActorRef(atespace: atespace, name: actor)
    }

    private static func label(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> String? {
        let label = String(decoding: bytes.map(lowercase), as: UTF8.self)
        return NameRule.allows(label) ? label : nil
    }

    private static func lowercase(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
