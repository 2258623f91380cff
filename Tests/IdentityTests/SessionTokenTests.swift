import Foundation
import ServiceKit
import TestKit
import Testing

@testable import Identity

/// Tokens for sessions.
@Suite struct SessionTokenTests {
    private let directory = TemporaryDirectory()
    private var path: String { "\(directory.path)/jwt-pool.json" }

    private func minter(pool: String?, log: Log = .none) throws -> SessionMinter {
        try SessionMinter(jwtPoolFile: pool, caPoolFile: nil, now: { TokenDraft.now }, log: log)
    }

    private func session() throws -> SessionName {
        try SessionName(appID: "app", userID: "user@example.com", sessionID: "actor-1")
    }

    private func object(_ segment: Substring) throws -> [String: Any] {
        let bytes = try Wanted.value(Base64URL.decode(segment))
        return try Wanted.value(JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
    }

    @Test func theClaimsAreThoseThatClientsKnow() throws {
        try JWTPool.create(path: path, authorityID: "first")
        let token = try minter(pool: path).mintJWT(for: session(), audience: ["a", "b"])
        let segments = token.split(separator: ".")
        let header = try object(segments[0])
        #expect(header.count == 2)
        #expect(header["alg"] as? String == "ES256")
        #expect(header["kid"] as? String == "first")
        let claims = try object(segments[1])
        #expect(Set(claims.keys) == ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "ate.dev"])
        #expect(claims["iss"] as? String == "https://broker.agentic-substrate-session-id-broker.svc")
        #expect(claims["sub"] as? String == "apps/app/users/user@example.com/sessions/actor-1")
        #expect(claims["aud"] as? [String] == ["a", "b"])
        #expect(claims["exp"] as? Int64 == TokenDraft.now + 900)
        #expect(claims["nbf"] as? Int64 == TokenDraft.now - 300)
        #expect(claims["iat"] as? Int64 == TokenDraft.now)
        #expect(
            claims["ate.dev"] as? [String: String]
                == ["appID": "app", "userID": "user@example.com", "sessionID": "actor-1"])
        let second = try minter(pool: path).mintJWT(for: session(), audience: ["a"])
        let other = try object(second.split(separator: ".")[1])
        #expect((claims["jti"] as? String)?.count == 22)
        #expect(claims["jti"] as? String != other["jti"] as? String)
    }

    /// Whoever has the pool's public keys can verify what it mints.
    @Test func mintedTokensVerify() async throws {
        try JWTPool.create(path: path, authorityID: "first")
        let keys = "\(directory.path)/keys.json"
        try Data(try JWTPool.publicKeys(path: path).utf8).write(to: URL(fileURLWithPath: keys))
        let token = try minter(pool: path).mintJWT(for: session(), audience: ["a", "b"])
        let verifier = try TokenVerifier(
            issuer: SessionMinter.issuer, audience: "b", keys: .file(keys), now: { TokenDraft.now }, log: .none)
        let identity = try await verifier.verify(authorizationHeader: "Bearer \(token)")
        #expect(identity.names == ["sub:apps/app/users/user@example.com/sessions/actor-1"])
    }

    @Test(arguments: SigningAlgorithm.allCases)
    func thePoolSaysByWhichAlgorithm(algorithm: SigningAlgorithm) async throws {
        let signer = try TestSigner(algorithm)
        let key = Data(try Wanted.value(signer.key.pkcs8)).base64EncodedString()
        try write([("one", algorithm.rawValue, key)])
        let token = try minter(pool: path).mintJWT(for: session(), audience: ["a"])
        let parsed = try CompactToken(token[...])
        #expect(parsed.algorithm == algorithm)
        #expect(signer.key.verifies(parsed.signature, of: parsed.signed, by: algorithm))
    }

    private func write(_ authorities: [(id: String, algorithm: String, pkcs8: String)], pem: String = "") throws {
        let entries = authorities.map { authority in
            JSON.object([
                ("ID", .string(authority.id)), ("Algorithm", .string(authority.algorithm)),
                ("SigningKeyPKCS8", .string(authority.pkcs8)), ("SigningKeyPEM", .string(pem)),
            ])
        }
        try Data(JSON.object([("Authorities", .array(entries))]).text().utf8)
            .write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    @Test func theFirstAuthoritySignsAndRotationIsSeen() async throws {
        let old = try TestSigner(.es256)
        let new = try TestSigner(.es256)
        func text(_ signer: TestSigner) throws -> String {
            Data(try Wanted.value(signer.key.pkcs8)).base64EncodedString()
        }
        try write([("old", "ES256", text(old))])
        let minter = try minter(pool: path)
        let first = try CompactToken(try minter.mintJWT(for: session(), audience: ["a"])[...])
        #expect(first.keyID == "old")
        try write([("new", "ES256", text(new)), ("old", "ES256", text(old))])
        let second = try CompactToken(try minter.mintJWT(for: session(), audience: ["a"])[...])
        #expect(second.keyID == "new")
        let published = try KeySet(json: Array(try JWTPool.publicKeys(path: path).utf8))
        #expect(published.verifies(first))
        #expect(published.verifies(second))
    }

    @Test(arguments: [
        ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        ["ecparam", "-name", "prime256v1", "-genkey", "-noout"],
    ])
    func keysInPEMAreRead(command: [String]) async throws {
        let pem = try await Tool.output("openssl", command)
        try write([("one", "ES256", "")], pem: pem)
        #expect(try !minter(pool: path).mintJWT(for: session(), audience: ["a"]).isEmpty)
    }

    @Test func poolsWithMistakesAreRefusedWithoutQuotingThem() async throws {
        let signer = try TestSigner(.es256)
        let key = Data(try Wanted.value(signer.key.pkcs8)).base64EncodedString()
        let encrypted = try await Tool.output(
            "openssl",
            ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-aes128", "-pass", "pass:x"])
        func problem(_ authorities: [(String, String, String)], pem: String = "") throws -> String {
            try write(authorities, pem: pem)
            do {
                _ = try minter(pool: path)
                return "accepted"
            } catch let error as IdentityFileError {
                #expect(!error.description.contains(key))
                return String(error.description.dropFirst(path.count + 2))
            }
        }
        #expect(try problem([]) == "there is no authority in it")
        #expect(try problem([("", "ES256", key)]) == "every authority needs an ID")
        #expect(try problem([("x", "ES256", key), ("x", "ES256", key)]) == "every authority needs an ID of its own")
        #expect(
            try problem([("x", "HS256", key)]).hasPrefix("authority x: its Algorithm is not one of"))
        #expect(try problem([("x", "ES384", key)]) == "authority x: its signing key is not one for ES384")
        #expect(try problem([("x", "RS256", key)]) == "authority x: its signing key is not one for RS256")
        #expect(
            try problem([("x", "ES256", "AAAA")])
                == "authority x: its signing key is not a private key without a password")
        #expect(
            try problem([("x", "ES256", "")]) == "authority x: it has neither SigningKeyPKCS8 nor SigningKeyPEM")
        // Nobody is there to type a password.
        #expect(
            try problem([("x", "ES256", "")], pem: encrypted)
                == "authority x: its signing key is not a private key without a password")
        try Data("{\"Authorities\": [{\"ID\": \"\(key)\"}]}".utf8).write(to: URL(fileURLWithPath: path))
        do {
            _ = try minter(pool: path)
            Issue.record("accepted")
        } catch let error as IdentityFileError {
            #expect(!error.description.contains(key))
        }
    }

    @Test func aMissingAudienceIsAnsweredAsClientsKnowIt() throws {
        try JWTPool.create(path: path, authorityID: "first")
        let minter = try minter(pool: path)
        func kind(_ audience: [String]) -> IdentityError.Kind? {
            do {
                _ = try minter.mintJWT(for: session(), audience: audience)
                return nil
            } catch { return (error as? IdentityError)?.kind }
        }
        #expect(kind([]) == .internal)
        #expect(kind([""]) == .invalidArgument)
        #expect(kind([String(repeating: "a", count: 1025)]) == .invalidArgument)
        #expect(kind(Array(repeating: "a", count: 33)) == .invalidArgument)
        #expect(kind(Array(repeating: "a", count: 32)) == nil)
    }

    @Test func withoutAPoolNothingIsMinted() throws {
        #expect(throws: IdentityError(.internal, "Failed to load session JWT pool")) {
            try minter(pool: nil).mintJWT(for: session(), audience: ["a"])
        }
    }

    @Test func anAudienceCannotWriteClaims() throws {
        try JWTPool.create(path: path, authorityID: "first")
        let odd = "a\"], \"sub\": \"root\", \"x\": [\"\\\u{0}\n"
        let token = try minter(pool: path).mintJWT(for: session(), audience: [odd])
        let claims = try object(token.split(separator: ".")[1])
        #expect(claims["aud"] as? [String] == [odd])
        #expect(claims["sub"] as? String == "apps/app/users/user@example.com/sessions/actor-1")
    }

    @Test(arguments: [
        "a/b", "..", ".", "a b", "a\n", "a%2Fb", "é", "a\u{0}", "a?b", "a#b", String(repeating: "a", count: 257),
    ])
    func aPartOfANameCannotPassForSeveral(part: String) {
        for parts in [[part, "u", "s"], ["a", part, "s"], ["a", "u", part]] {
            do {
                _ = try SessionName(appID: parts[0], userID: parts[1], sessionID: parts[2])
                Issue.record("accepted \(parts)")
            } catch {
                #expect(error.kind == .invalidArgument)
            }
        }
    }

    @Test func everyPartOfANameIsRequired() {
        let required = IdentityError(.invalidArgument, "app_id, user_id, and session_id are required")
        #expect(throws: required) { try SessionName(appID: "", userID: "u", sessionID: "s") }
        #expect(throws: required) { try SessionName(appID: "a", userID: "", sessionID: "s") }
        #expect(throws: required) { try SessionName(appID: "a", userID: "u", sessionID: "") }
    }
}
