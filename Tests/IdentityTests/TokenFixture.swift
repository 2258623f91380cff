import Foundation
import ServiceKit
import TestKit

@testable import Identity

/// A token before it is signed; every part can be made wrong.
struct TokenDraft {
    static let issuer = "https://issuer.test"
    static let audience = "api.ate-system.svc"
    static let now: Int64 = 1_700_000_000

    var header: [String: JSON] = ["typ": "JWT", "kid": "one"]
    var claims: [String: JSON] = [
        "iss": .string(issuer), "sub": "system:serviceaccount:team-a:router", "aud": [.string(audience)],
        "iat": .integer(now), "nbf": .integer(now), "exp": .integer(now + 600),
    ]

    func signed(by signer: TestSigner) -> String {
        var header = header
        if header["alg"] == nil { header["alg"] = .string(signer.algorithm.rawValue) }
        let text = TokenDraft.segment(header) + "." + TokenDraft.segment(claims)
        return text + "." + Base64URL.encode(signer.sign(text))
    }

    static func segment(_ members: [String: JSON]) -> String {
        Base64URL.encode(JSON.object(members.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }).text().utf8)
    }
}

/// Somebody with a private key.
struct TestSigner {
    let algorithm: SigningAlgorithm
    let key: Key

    init(_ algorithm: SigningAlgorithm) throws {
        self.algorithm = algorithm
        // Making an RSA key is slow, and tests need no more than one.
        key = algorithm.curve == nil ? try TestSigner.rsa.get() : try Wanted.value(algorithm.curve.flatMap(Key.makeEC))
    }

    static let rsa = Result { try Wanted.value(Key.makeRSA(bits: 2048)) }

    func sign(_ text: String) -> [UInt8] { key.signature(of: Array(text.utf8), by: algorithm) ?? [] }

    func keySet(id: String = "one") throws -> String { try KeySet.json([(id, algorithm, key)]) }
}

enum Wanted {
    static func value<Value>(_ value: Value?) throws -> Value {
        guard let value else { throw DidNotHappen(description: "a value of \(Value.self)") }
        return value
    }
}

/// A verifier with a file of keys, and a clock that stands still.
final class VerifierFixture: Sendable {
    let directory = TemporaryDirectory()
    let recorder = LogRecorder()
    let time = Shared<Int64>(TokenDraft.now)
    let verifier: TokenVerifier

    init(keySet: String) throws {
        let path = "\(directory.path)/keys.json"
        try Data(keySet.utf8).write(to: URL(fileURLWithPath: path))
        verifier = try TokenVerifier(
            issuer: TokenDraft.issuer, audience: TokenDraft.audience, keys: .file(path),
            now: { [time] in time.current }, log: recorder.log)
    }

    func replaceKeys(by text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(directory.path)/keys.json"), options: .atomic)
    }

    func subject(of token: String) async throws -> [String] {
        try await verifier.verify(authorizationHeader: "Bearer \(token)").names
    }

    /// Why a token is refused; nil when it is not.
    func refusal(of token: String) async -> String? { await refusal(ofHeader: "Bearer \(token)") }

    func refusal(ofHeader header: String?) async -> String? {
        do {
            _ = try await verifier.verify(authorizationHeader: header)
            return nil
        } catch {
            return error.kind == .unauthenticated ? error.message : "not unauthenticated but \(error)"
        }
    }
}
