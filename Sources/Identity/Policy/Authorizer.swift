package import ServiceKit

/// Decides whether a caller may call a method.
package struct Authorizer: Sendable {
    private let policy: ReloadingFile<Policy>?

    /// - Parameter policyFile: read again when it changes. Without one everybody who has proved an identity may do
    ///   everything.
    /// - Throws: `IdentityFileError` when there is a file and it cannot be used.
    package init(policyFile: String?, log: Log) throws(IdentityFileError) {
        guard let policyFile else {
            policy = nil
            return
        }
        policy = try ReloadingFile(policyFile, log: log) { bytes throws(Problem) in try Policy(json: bytes) }
    }

    /// Whether there is no policy, so that everything is allowed.
    package var isOpen: Bool { policy == nil }

    /// - Parameters:
    ///   - method: the path, such as `/ateapi.Control/GetActor`.
    ///   - atespace: the one that the request is about, after defaults are filled in; nil or empty for all.
    /// - Throws: `IdentityError`, permission denied, when the policy does not allow it.
    package func check(_ identity: Identity, method: String, atespace: String?) throws(IdentityError) {
        guard let policy = policy?.current else { return }
        guard let needed = MethodRequirement.of(method) else {
            throw IdentityError(.permissionDenied, "\(method) is not a method that a policy can allow")
        }
        if needed.reach == .nothing { return }
        var place: String?
        if needed.reach == .namedAtespace, let atespace, !atespace.isEmpty { place = atespace }
        guard policy.allows(identity, needed.verb, atespace: place) else {
            throw IdentityError(
                .permissionDenied,
                "\(identity) may not call \(method): it takes a rule of the policy with verb \(needed.verb.rawValue) for "
                    + (place.map { "atespace \($0)" } ?? "all atespaces (*)"))
        }
    }
}
