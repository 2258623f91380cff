internal import Foundation
internal import ServiceKit

/// A control plane that is known by a name, and how to talk to it.
struct ServerContext: Sendable, Equatable {
    /// Something that a context says in place of a flag.
    struct Field: Sendable {
        /// In the file.
        var name: String
        var flag: String
        /// Whether it is a path, relative to the file's folder.
        var isPath = false
    }

    static let fields = [
        Field(name: "endpoint", flag: "endpoint"),
        Field(name: "cacert", flag: "api-cacert", isPath: true),
        Field(name: "cert", flag: "api-cert", isPath: true),
        Field(name: "key", flag: "api-key", isPath: true),
        Field(name: "server-name", flag: "api-server-name"),
        Field(name: "token-file", flag: "api-token-file", isPath: true),
        Field(name: "atespace", flag: "atespace"),
    ]

    var name: String
    /// By flag, as the file has them.
    var written: [String: String] = [:]
    /// The folder of the file.
    var folder: String

    /// Values for flags.
    var settings: [String: String] {
        var settings = written
        for field in Self.fields where field.isPath {
            guard let path = settings[field.flag], !path.hasPrefix("/") else { continue }
            settings[field.flag] = "\(folder)/\(path)"
        }
        return settings
    }

    /// The context that a command line uses: the one that `--context` names. Without it the current one, unless the command
    /// line or the environment names a server: another server gets neither the token nor the certificate of a context that
    /// nobody spoke of.
    /// - Throws: `FlagError` when there is no such context, or the file cannot be used.
    static func chosen(
        by values: Flags.Values, _ environment: [String: String]
    ) throws(FlagError) -> ServerContext? {
        let isNamed = values.isGiven("context")
        let namesServer = values.isGiven("endpoint") || !environment["ATE_ENDPOINT", default: ""].isEmpty
        if !isNamed, namesServer || ContextFile.path(values, environment) == nil { return nil }
        let file = try ContextFile.read(values, environment)
        guard let name = values.optional("context") ?? file.current else { return nil }
        return try file.context(name)
    }
}
