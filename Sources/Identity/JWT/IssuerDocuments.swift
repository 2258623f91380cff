internal import Foundation
internal import HTTP

/// The documents that an OpenID Connect issuer publishes.
struct IssuerDocuments: Sendable {
    let issuer: String
    /// A file of authorities (PEM) to trust instead of the system's.
    let authorities: String?

    /// For each of the two requests.
    var timeout = Duration.seconds(3)

    private struct Discovery: Decodable {
        var issuer: String
        var keys: String

        enum CodingKeys: String, CodingKey {
            case issuer
            case keys = "jwks_uri"
        }
    }

    /// Fetches the issuer's keys by way of its discovery document.
    func fetchKeys() async throws(Problem) -> KeySet {
        let base = issuer.hasSuffix("/") ? String(issuer.dropLast()) : issuer
        let address = base + "/.well-known/openid-configuration"
        let document = try await fetch(address)
        guard let discovery = try? JSONDecoder().decode(Discovery.self, from: Data(document)) else {
            throw Problem("\(address) is not a discovery document with issuer and jwks_uri")
        }
        guard discovery.issuer == issuer else {
            throw Problem("\(address) speaks for another issuer, \(discovery.issuer)")
        }
        let keys = try await fetch(discovery.keys)
        do {
            return try KeySet(json: keys)
        } catch {
            throw Problem("\(discovery.keys): \(error)")
        }
    }

    private func fetch(_ address: String) async throws(Problem) -> [UInt8] {
        let transport = try IssuerDocuments.transport(to: address, authorities: authorities)
        let response: HTTPResponse
        do {
            response = try await HTTPClient.send(
                "GET", address, headers: ["Accept": "application/json"], timeout: timeout,
                over: transport, maximumBody: KeySet.maximumSize)
        } catch {
            throw Problem("\(error)")
        }
        guard response.status == 200 else { throw Problem("GET \(address) was answered with \(response.status)") }
        return response.body
    }

    /// Whoever can change these documents can sign tokens, so they come over TLS or do not leave the machine.
    static func transport(to address: String, authorities: String?) throws(Problem) -> HTTPClient.Transport {
        guard let parts = URLComponents(string: address), let host = parts.host, parts.user == nil else {
            throw Problem("\(address) is not the URL of a server")
        }
        switch parts.scheme {
        case "https": return .tls(authorities: authorities)
        case "http" where ["localhost", "127.0.0.1", "[::1]", "::1"].contains(host): return .plain
        default: throw Problem("\(address) is neither https nor http on this machine's own address")
        }
    }
}
