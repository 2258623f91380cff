internal import Foundation
package import GRPC
package import ServiceKit

/// The flag of a client that shows a bearer token: `--<prefix>-token-file`.
package enum TokenFlag {
    package static func declare(_ prefix: String, of server: String, in flags: inout Flags) {
        flags.text(
            "\(prefix)-token-file", "FILE",
            help:
                "Holds the bearer token to show to \(server), without a line end or with one. Read again for each call."
        )
    }

    /// The headers for each call. A file that has become unreadable means a call without a token, which the server refuses.
    /// - Throws: `FlagError` when the file cannot be read now, or the token would leave the machine in plain text.
    package static func headers(
        _ prefix: String, _ values: Flags.Values, to target: String, over credentials: ChannelCredentials
    ) throws(FlagError) -> @Sendable () -> Metadata {
        guard let path = values.optional("\(prefix)-token-file") else { return { [:] } }
        guard credentials != .insecure || Loopback.contains(target) else {
            throw FlagError(
                "--\(prefix)-token-file: \(target) is not a loopback address, and there is no TLS: anyone on the way could "
                    + "read the token. Give --\(prefix)-cacert")
        }
        guard token(in: path) != nil else {
            throw FlagError("--\(prefix)-token-file \(path): cannot be read as one line of text")
        }
        return { token(in: path).map { ["authorization": "Bearer \($0)"] } ?? [:] }
    }

    private static func token(in path: String) -> String? {
        guard let data = FileManager.default.contents(atPath: path), let text = String(data: data, encoding: .utf8)
        else { return nil }
        let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        return token.isEmpty || token.contains(where: \.isWhitespace) ? nil : token
    }
}
