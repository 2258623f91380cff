import Foundation
import ServiceKit
import TestKit
import Testing

@testable import Identity

/// Tokens that nobody with the issuer's private key has made.
@Suite struct TokenAttackTests {
    private static let wrongSignature = "invalid bearer token: its signature is wrong"
    private static let unknownAlgorithm =
        "invalid bearer token: its alg is not one of RS256, RS384, RS512, ES256, ES384, ES512"

    @Test(arguments: SigningAlgorithm.allCases)
    func everyAlgorithmVerifiesItsOwnAndNothingElse(algorithm: SigningAlgorithm) async throws {
        let signer = try TestSigner(algorithm)
        let fixture = try VerifierFixture(keySet: signer.keySet())
        let token = TokenDraft().signed(by: signer)
        #expect(await fixture.refusal(of: token) == nil)
        // The same key under the name of each other algorithm.
        for other in SigningAlgorithm.allCases where other != algorithm {
            var draft = TokenDraft()
            draft.header["alg"] = .string(other.rawValue)
            #expect(await fixture.refusal(of: draft.signed(by: signer)) == Self.wrongSignature)
        }
    }

    @Test(arguments: ["none", "None", "NONE", "", "HS256", "HS512", "PS256", "EdDSA", "ES256K", "rs256", "RS256 "])
    func otherAlgorithmsAreRefusedByName(algorithm: String) async throws {
        let signer = try TestSigner(.rs256)
        let fixture = try VerifierFixture(keySet: signer.keySet())
        var draft = TokenDraft()
        draft.header["alg"] = .string(algorithm)
        #expect(await fixture.refusal(of: draft.signed(by: signer)) == Self.unknownAlgorithm)
    }

    @Test func algorithmNoneWithoutASignatureIsRefused() async throws {
        let fixture = try VerifierFixture(keySet: TestSigner(.es256).keySet())
        let text = TokenDraft.segment(["alg": "none", "kid": "one"]) + "." + TokenDraft.segment(TokenDraft().claims)
        #expect(await fixture.refusal(of: text + ".") == Self.unknownAlgorithm)
        #expect(await fixture.refusal(of: text) == "invalid bearer token: it does not have three segments")
    }

    /// The public key is known to everybody. Taken for a shared secret it would let everybody sign.
    @Test func aSecretMadeOfThePublicKeyIsRefused() async throws {
        let signer = try TestSigner(.rs256)
        let fixture = try VerifierFixture(keySet: signer.keySet())
        var draft = TokenDraft()
        draft.header["alg"] = "HS256"
        let text = TokenDraft.segment(draft.header) + "." + TokenDraft.segment(draft.claims)
        let modulus = try Wanted.value(signer.key.number("n"))
        let file = "\(fixture.directory.path)/signed"
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        let hexadecimal = modulus.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        let output = try await Tool.output(
            "openssl", ["dgst", "-sha256", "-mac", "HMAC", "-macopt", "hexkey:\(hexadecimal)", file])
        let digits = Array(try Wanted.value(output.split(separator: " ").last).filter(\.isHexDigit))
        let mac = stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
        #expect(mac.count == 32)
        #expect(await fixture.refusal(of: text + "." + Base64URL.encode(mac)) == Self.unknownAlgorithm)
        // The same bytes as the signature of an algorithm that is believed.
        let lie = TokenDraft.segment(TokenDraft().header.merging(["alg": "RS256"]) { $1 })
        let forged = lie + "." + TokenDraft.segment(draft.claims) + "." + Base64URL.encode(mac)
        #expect(await fixture.refusal(of: forged) == Self.wrongSignature)
    }

    @Test(arguments: [SigningAlgorithm.rs256, .es256])
    func everyFlippedBitOfTheSignatureCounts(algorithm: SigningAlgorithm) async throws {
        let signer = try TestSigner(algorithm)
        let fixture = try VerifierFixture(keySet: signer.keySet())
        let token = TokenDraft().signed(by: signer)
        let segments = token.split(separator: ".")
        let signature = try Wanted.value(Base64URL.decode(segments[2]))
        for index in signature.indices {
            var changed = signature
            changed[index] ^= 1 << UInt8(index % 8)
            let forged = segments[0] + "." + segments[1] + "." + Base64URL.encode(changed)
            #expect(await fixture.refusal(of: String(forged)) == Self.wrongSignature)
        }
    }

    @Test func aChangedPayloadOrHeaderIsRefused() async throws {
        let signer = try TestSigner(.es256)
        let fixture = try VerifierFixture(keySet: signer.keySet())
        let segments = TokenDraft().signed(by: signer).split(separator: ".").map(String.init)
        var draft = TokenDraft()
        draft.claims["sub"] = "system:admin"
        let payload = TokenDraft.segment(draft.claims)
        #expect(await fixture.refusal(of: "\(segments[0]).\(payload).\(segments[2])") == Self.wrongSignature)
        let header = TokenDraft.segment(["alg": "ES256", "kid": "one", "typ": ""])
        #expect(await fixture.refusal(of: "\(header).\(segments[1]).\(segments[2])") == Self.wrongSignature)
    }

    @Test(arguments: [SigningAlgorithm.es256, .es384, .es512])
    func ellipticSignaturesHaveOneLengthAndOneForm(algorithm: SigningAlgorithm) async throws {
        let signer = try TestSigner(algorithm)
        let fixture = try VerifierFixture(keySet: signer.keySet())
        let token = TokenDraft().signed(by: signer)
        let segments = token.split(separator: ".").map(String.init)
        let text = "\(segments[0]).\(segments[1])"
        let raw = try Wanted.value(Base64URL.decode(segments[2]))
        let size = try Wanted.value(algorithm.curve).size
        #expect(raw.count == 2 * size)
        let der = try await signature(of: text, by: signer, in: fixture.directory.path)
        let zeros = [UInt8](repeating: 0, count: 2 * size)
        let halfZero = Array(raw.prefix(size)) + zeros.prefix(size)
        let wrong: [[UInt8]] = [
            [], raw.prefix(size) + [0] + raw.suffix(size), Array(raw.dropLast()), Array(raw.prefix(size)), raw + [0],
            [0] + raw, zeros, halfZero,
            [UInt8](repeating: 0xff, count: 2 * size), der,
            der + [UInt8](repeating: 0, count: max(0, 2 * size - der.count)),
        ]
        for signature in wrong {
            #expect(await fixture.refusal(of: "\(text).\(Base64URL.encode(signature))") == Self.wrongSignature)
        }
    }

    /// What openssl makes with the same key: good, but in DER.
    private func signature(of text: String, by signer: TestSigner, in directory: String) async throws -> [UInt8] {
        let key = try Wanted.value(signer.key.pkcs8)
        try Data(key).write(to: URL(fileURLWithPath: "\(directory)/key.der"))
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(directory)/text"))
        let digest = "-sha" + signer.algorithm.rawValue.suffix(3)
        try await Tool.run(
            "openssl",
            [
                "dgst", digest, "-keyform", "DER", "-sign", "\(directory)/key.der", "-out", "\(directory)/signature",
                "\(directory)/text",
            ], logs: directory)
        return Array(try Data(contentsOf: URL(fileURLWithPath: "\(directory)/signature")))
    }

    @Test func anotherKeyUnderTheSameNameDoesNotVerify() async throws {
        let fixture = try VerifierFixture(keySet: TestSigner(.es256).keySet())
        #expect(await fixture.refusal(of: TokenDraft().signed(by: try TestSigner(.es256))) == Self.wrongSignature)
        #expect(await fixture.refusal(of: TokenDraft().signed(by: try TestSigner(.rs256))) == Self.wrongSignature)
    }

    @Test func segmentsAreThreeAndStrictlyBase64() async throws {
        let signer = try TestSigner(.es256)
        let fixture = try VerifierFixture(keySet: signer.keySet())
        let token = TokenDraft().signed(by: signer)
        let segments = token.split(separator: ".").map(String.init)
        let three = "invalid bearer token: it does not have three segments"
        let alphabet = "invalid bearer token: a segment is not base64url without padding"
        let cases: [(String, String)] = [
            ("", three), ("x", three), ("\(token).", three), ("\(token).\(segments[2])", three),
            ("\(segments[0])..\(segments[1]).\(segments[2])", three),
            ("\(token)=", alphabet), ("\(token)\n", alphabet), (" \(token)", alphabet), ("\(token)+", alphabet),
            ("\(segments[0]).\(segments[1])=.\(segments[2])", alphabet), ("é.è.ê", alphabet),
            ("..", "invalid bearer token: its header is not the JSON of a token's header"),
            ("e30.e30.e30", "invalid bearer token: its header is not the JSON of a token's header"),
            ("W10.e30.", "invalid bearer token: its header is not the JSON of a token's header"),
            (
                "\(segments[0]).\(Base64URL.encode("[]".utf8)).\(segments[2])",
                "invalid bearer token: its payload is not the JSON of a token's claims"
            ),
            (
                "\(segments[0]).\(Base64URL.encode(Array(repeating: UInt8(ascii: "["), count: 9000))).\(segments[2])",
                "invalid bearer token: its payload is not the JSON of a token's claims"
            ),
        ]
        for (text, refusal) in cases { #expect(await fixture.refusal(of: text) == refusal) }
    }

    @Test func aHugeTokenIsNotLookedAt() async throws {
        let signer = try TestSigner(.es256)
        let fixture = try VerifierFixture(keySet: signer.keySet())
        var draft = TokenDraft()
        draft.claims["filler"] = .string(String(repeating: "x", count: 13_000))
        let large = draft.signed(by: signer)
        #expect(large.utf8.count > 16_384)
        #expect(await fixture.refusal(of: large) == "invalid bearer token: it is larger than 16384 bytes")
        draft.claims["filler"] = .string(String(repeating: "x", count: 11_000))
        #expect(await fixture.refusal(of: draft.signed(by: signer)) == nil)
    }

    @Test func refusalsNeverQuoteTheToken() async throws {
        let signer = try TestSigner(.es256)
        let fixture = try VerifierFixture(keySet: signer.keySet())
        var draft = TokenDraft()
        draft.claims["sub"] = "SECRET"
        for change: (inout TokenDraft) -> Void in [
            { $0.claims["iss"] = "SECRET" }, { $0.claims["aud"] = "SECRET" }, { $0.header["alg"] = "SECRET" },
            { $0.header["kid"] = "SECRET" }, { $0.header["typ"] = "SECRET" }, { $0.claims["exp"] = "SECRET" },
        ] {
            var changed = draft
            change(&changed)
            let token = changed.signed(by: signer)
            let refusal = try Wanted.value(await fixture.refusal(of: token))
            #expect(!refusal.contains("SECRET"))
            for segment in token.split(separator: ".") where !segment.isEmpty { #expect(!refusal.contains(segment)) }
        }
        #expect(!fixture.recorder.lines.contains { $0.message.contains("SECRET") })
    }
}
