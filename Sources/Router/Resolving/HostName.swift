package import SubstrateModel

/// Host names of actors: `<actor>[.<atespace>].actors.resources.substrate.ate.dev`, with or without a final dot and a
/// port. Without an atespace the actor is one of `default`.
package enum HostName {
    package static let domain = "actors.resources.substrate.ate.dev"

    /// The actor that the host names, or nil.
    package static func actor(_ host: String) -> ActorRef? {
        var name = host.lowercased()[...]
        if let colon = name.lastIndex(of: ":") {
            guard Int(name[name.index(after: colon)...]) != nil else { return nil }
            name = name[..<colon]
        }
        if name.hasSuffix(".") { name = name.dropLast() }
        guard name.hasSuffix("." + domain) else { return nil }
        let labels = name.dropLast(domain.count + 1).split(separator: ".", omittingEmptySubsequences: false).map(
            String.init)
        guard (1...2).contains(labels.count), labels.allSatisfy(NameRule.allows) else { return nil }
        return ActorRef(atespace: labels.count == 2 ? labels[1] : Atespace.defaultName, name: labels[0])
    }
}
