import Foundation
import ServiceKit
import TestKit
import Testing

@testable import Identity

/// What a token has to say to be believed, once its signature is right.
@Suite struct TokenClaimsTests {
    private let signer: TestSigner
    private let fixture: VerifierFixture

    init() throws {
        signer = try TestSigner(.es256)
        fixture = try VerifierFixture(keySet: signer.keySet())
    }

    private func refusal(_ change: (inout TokenDraft) -> Void) async -> String? {
        var draft = TokenDraft()
        change(&draft)
        return await fixture.refusal(of: draft.signed(by: signer))
    }

    @Test func aGoodTokenNamesItsSubject() async throws {
        let identity = try await fixture.verifier.verify(
            authorizationHeader: "Bearer \(TokenDraft().signed(by: signer))")
        #expect(identity.names == ["sub:system:serviceaccount:team-a:router"])
        #expect(identity.validUntil == TokenDraft.now + 600 + 300)
    }

    @Test(arguments: [nil, "", "Bearer", "bearer x.y.z", "BEARER x", "Basic eDp5", " Bearer x"])
    func anotherHeaderIsNoToken(header: String?) async {
        #expect(await fixture.refusal(ofHeader: header) == "missing bearer token")
    }

    @Test func timesAllowFiveMinutesOfSkewAndNoMore() async {
        let now = TokenDraft.now
        #expect(await refusal { $0.claims["exp"] = .integer(now - 300) } == nil)
        #expect(await refusal { $0.claims["exp"] = .integer(now - 301) } == "invalid bearer token: it has expired")
        #expect(await refusal { $0.claims["nbf"] = .integer(now + 300) } == nil)
        #expect(
            await refusal { $0.claims["nbf"] = .integer(now + 301) }
                == "invalid bearer token: it is not valid yet (nbf)")
        #expect(await refusal { $0.claims["iat"] = .integer(now + 300) } == nil)
        #expect(
            await refusal { $0.claims["iat"] = .integer(now + 301) }
                == "invalid bearer token: it was issued in the future (iat)")
    }

    @Test func aTokenExpiresWhileTheClockMoves() async {
        let token = TokenDraft().signed(by: signer)
        #expect(await fixture.refusal(of: token) == nil)
        fixture.time.withLock { $0 += 901 }
        #expect(await fixture.refusal(of: token) == "invalid bearer token: it has expired")
    }

    @Test func expiryIsRequiredAndTheOtherTimesAreNot() async {
        #expect(await refusal { $0.claims["exp"] = nil } == "invalid bearer token: it has no exp")
        #expect(
            await refusal {
                $0.claims["nbf"] = nil
                $0.claims["iat"] = nil
            } == nil)
    }

    @Test func timesMayHaveAFraction() async {
        #expect(await refusal { $0.claims["exp"] = .number(Double(TokenDraft.now) + 0.5) } == nil)
        #expect(await refusal { $0.claims["exp"] = .number(1.8e9) } == nil)
        #expect(await refusal { $0.claims["exp"] = .number(1e300) } == nil)
        #expect(await refusal { $0.claims["exp"] = .number(-1e300) } == "invalid bearer token: it has expired")
        #expect(
            await refusal { $0.claims["nbf"] = .number(1e300) } == "invalid bearer token: it is not valid yet (nbf)")
    }

    @Test(arguments: [JSON.string("1800000000"), .boolean(true), .array([1_800_000_000])])
    func anExpiryThatIsNoNumberIsNoClaim(expiry: JSON) async {
        #expect(
            await refusal { $0.claims["exp"] = expiry }
                == "invalid bearer token: its payload is not the JSON of a token's claims")
    }

    @Test(arguments: [
        nil, JSON.string("https://issuer.test/"), .string("https://ISSUER.test"), .string(""), .string("https://other"),
    ])
    func anotherIssuerIsNotBelieved(issuer: JSON?) async {
        #expect(
            await refusal { $0.claims["iss"] = issuer }
                == "invalid bearer token: its iss is not the issuer that is trusted here")
    }

    @Test func theAudienceIsOneStringOrOneOfAnArray() async {
        #expect(await refusal { $0.claims["aud"] = .string(TokenDraft.audience) } == nil)
        #expect(await refusal { $0.claims["aud"] = ["other", .string(TokenDraft.audience)] } == nil)
    }

    @Test(arguments: [nil, JSON.array([]), .string("other"), .array(["a", "b"]), .string("api.ate-system.svc ")])
    func aTokenForAnotherAudienceIsRefused(audience: JSON?) async {
        #expect(
            await refusal { $0.claims["aud"] = audience }
                == "invalid bearer token: its aud does not have the audience of this service")
    }

    @Test func aSubjectIsRequiredAndBounded() async {
        #expect(await refusal { $0.claims["sub"] = nil } == "invalid bearer token: it has no sub")
        #expect(await refusal { $0.claims["sub"] = "" } == "invalid bearer token: it has no sub")
        #expect(await refusal { $0.claims["sub"] = .string(String(repeating: "x", count: 1024)) } == nil)
        #expect(
            await refusal { $0.claims["sub"] = .string(String(repeating: "x", count: 1025)) }
                == "invalid bearer token: its sub is longer than 1024 bytes")
    }

    @Test func aSubjectCannotPassForACertificate() async throws {
        var draft = TokenDraft()
        draft.claims["sub"] = "URI:spiffe://cluster/admin"
        let names = try await fixture.subject(of: draft.signed(by: signer))
        #expect(names == ["sub:URI:spiffe://cluster/admin"])
    }

    @Test func typMayBeMissingOrEmptyButNothingElse() async {
        #expect(await refusal { $0.header["typ"] = nil } == nil)
        #expect(await refusal { $0.header["typ"] = "" } == nil)
        #expect(await refusal { $0.header["typ"] = "jwt" } == "invalid bearer token: its typ is not JWT")
        #expect(await refusal { $0.header["typ"] = "at+jwt" } == "invalid bearer token: its typ is not JWT")
    }

    @Test func aKeyIDIsRequired() async {
        #expect(await refusal { $0.header["kid"] = nil } == "invalid bearer token: its header has no kid")
        #expect(await refusal { $0.header["kid"] = "" } == "invalid bearer token: its header has no kid")
        #expect(
            await refusal { $0.header["kid"] = "two" }
                == "invalid bearer token: its kid is not one of the issuer's keys")
    }

    @Test func criticalExtensionsAreNotIgnored() async {
        #expect(
            await refusal { $0.header["crit"] = ["b64"] }
                == "invalid bearer token: its header has crit, and no extension is supported")
    }
}
