internal import Foundation
internal import Identity
internal import ServiceKit

/// `admin ...`: the keys that ateapi signs the identities of sessions with.
enum AdminCommands {
    static let all = [makeJWTPool, makeCAPool]

    private static let makeJWTPool = Command(
        words: ["admin", "make-jwt-pool"], summary: "makes the key that session tokens are signed with",
        details: """
            Writes the pool of keys for ateapi to FILE, which only its owner can read, and prints the public keys, as a JSON Web
            Key Set, for those who verify tokens.
            """,
        examples: ["admin make-jwt-pool jwt-pool.json --id 2026-01 > keys.json"], reach: .nothing, flags: flags,
        action: .word("FILE", .files) { path, invocation in
            try JWTPool.create(
                path: path, authorityID: try id(invocation), replaces: invocation.values.isSet("overwrite"))
            try invocation.terminal.write(try JWTPool.publicKeys(path: path))
        })

    private static let makeCAPool = Command(
        words: ["admin", "make-ca-pool"], summary: "makes the authority that session certificates are signed by",
        details: """
            Writes the pool of authorities for ateapi to FILE, which only its owner can read, and prints the root certificate, as
            PEM, for those who verify certificates. It is valid for a year.
            """,
        examples: ["admin make-ca-pool ca-pool.json --id 2026-01 > roots.pem"], reach: .nothing, flags: flags,
        action: .word("FILE", .files) { path, invocation in
            try CAPool.create(
                path: path, authorityID: try id(invocation), now: Int64(Date().timeIntervalSince1970),
                replaces: invocation.values.isSet("overwrite"))
            try invocation.terminal.write(try CAPool.roots(path: path))
        })

    @Sendable private static func flags(_ flags: inout Flags) {
        flags.text("id", "NAME", default: "1", help: "What the key is called, among those that follow it.")
        flags.toggle("overwrite", help: "Replace FILE, and with it keys that may be in use.")
    }

    private static func id(_ invocation: Invocation) throws(FlagError) -> String { try invocation.values.text("id") }
}
