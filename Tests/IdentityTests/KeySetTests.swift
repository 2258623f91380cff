import Foundation
import ServiceKit
import TestKit
import Testing

@testable import Identity

@Suite struct KeySetTests {
    private func problem(_ json: String) -> String? {
        do {
            _ = try KeySet(json: Array(json.utf8))
            return nil
        } catch { return error.description }
    }

    /// RFC 7515, appendix A.3.
    @Test func theExampleOfTheStandardVerifies() throws {
        let keys = """
            {"keys": [{"kty": "EC", "kid": "x", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}
            """
        let key = try Wanted.value(try KeySet(json: Array(keys.utf8)).entries.first).key
        let signed =
            "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9p"
            + "c19yb290Ijp0cnVlfQ"
        let signature = try Wanted.value(
            Base64URL.decode("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"))
        #expect(key.verifies(signature, of: Array(signed.utf8), by: .es256))
        #expect(!key.verifies(signature, of: Array((signed + "x").utf8), by: .es256))
    }

    @Test func publishedKeysReadBackTheSame() throws {
        for algorithm in SigningAlgorithm.allCases {
            let signer = try TestSigner(algorithm)
            let entry = try Wanted.value(try KeySet(json: Array(signer.keySet().utf8)).entries.first)
            #expect(entry.id == "one")
            #expect(entry.algorithm == algorithm.rawValue)
            #expect(entry.key.verifies(signer.sign("text"), of: Array("text".utf8), by: algorithm))
            // Only the public half is published.
            #expect(entry.key.signature(of: [1], by: algorithm) == nil)
        }
    }

    @Test func keysOfOtherKindsAreLeftOut() throws {
        let good = try TestSigner(.es256).keySet().dropFirst("{\n  \"keys\": [".count).prefix { $0 != "]" }
        let others = [
            #"{"kty": "oct", "kid": "a", "k": "c2VjcmV0"}"#,
            #"{"kty": "OKP", "kid": "b", "crv": "Ed25519", "x": "AA"}"#,
            #"{"kty": "RSA", "kid": 5}"#, "7", "null", #"{"kid": "no type"}"#,
        ]
        let set = try KeySet(json: Array("{\"keys\": [\(others.joined(separator: ",")), \(good)]}".utf8))
        #expect(set.entries.map(\.id) == ["one"])
    }

    @Test func keysThatCannotVerifyAreNotKeys() throws {
        let none = try Wanted.value(problem(#"{"keys": []}"#))
        #expect(none.hasPrefix("no key can verify tokens"))
        let curve = #""kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU""#
        let weak = try KeySet.rsaOf(bits: 1024)
        for entry in [
            // Not on the curve; one byte short; without a name; for encryption; too weak.
            #"{"kid": "x", \#(curve), "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a8"}"#,
            #"{"kid": "x", \#(curve), "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5Q"}"#,
            #"{\#(curve), "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
            #"{"kid": "x", "use": "enc", \#(curve), "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
            weak,
        ] { #expect(problem("{\"keys\": [\(entry)]}") == none, "\(entry)") }
    }

    @Test func whatIsNoKeySetIsAProblem() {
        for text in ["", "{}", "[]", "null", #"{"keys": {}}"#, "{\"keys\": ["] {
            #expect(problem(text) == "this is not a JSON Web Key Set: an object with an array `keys`")
        }
        let many = Array(repeating: "{}", count: 201).joined(separator: ",")
        #expect(problem("{\"keys\": [\(many)]}") == "there are 201 keys, more than 200")
    }

    @Test func aKeyForAnotherAlgorithmOfItsOwnIsNotUsed() async throws {
        let signer = try TestSigner(.rs256)
        let fixture = try VerifierFixture(
            keySet: signer.keySet().replacingOccurrences(of: "RS256", with: "RS512"))
        let refusal = await fixture.refusal(of: TokenDraft().signed(by: signer))
        #expect(refusal == "invalid bearer token: its signature is wrong")
    }
}

extension KeySet {
    /// An entry that is right but for the size of its key.
    static func rsaOf(bits: Int) throws -> String {
        let key = try Wanted.value(Key.makeRSA(bits: bits))
        let modulus = Base64URL.encode(try Wanted.value(key.number("n")))
        return #"{"kty": "RSA", "kid": "x", "e": "AQAB", "n": "\#(modulus)"}"#
    }
}

/// A file of keys while it changes.
@Suite struct KeyFileTests {
    @Test func rotationIsSeenWithoutARestart() async throws {
        let old = try TestSigner(.es256)
        let new = try TestSigner(.es256)
        let fixture = try VerifierFixture(keySet: old.keySet())
        #expect(await fixture.refusal(of: TokenDraft().signed(by: old)) == nil)
        #expect(await fixture.refusal(of: TokenDraft().signed(by: new)) != nil)
        try fixture.replaceKeys(by: new.keySet())
        #expect(await fixture.refusal(of: TokenDraft().signed(by: new)) == nil)
        #expect(await fixture.refusal(of: TokenDraft().signed(by: old)) != nil)
    }

    @Test func aBrokenFileKeepsTheOldKeysAndIsLoggedOnce() async throws {
        let old = try TestSigner(.es256)
        let new = try TestSigner(.es384)
        let fixture = try VerifierFixture(keySet: old.keySet())
        func errors() -> Int { fixture.recorder.lines.count { $0.level == .error } }
        for broken in ["", "{\"keys\": []}", "nonsense"] {
            let before = errors()
            try fixture.replaceKeys(by: broken)
            for _ in 0..<3 { #expect(await fixture.refusal(of: TokenDraft().signed(by: old)) == nil) }
            #expect(errors() == before + 1)
        }
        try FileManager.default.removeItem(atPath: "\(fixture.directory.path)/keys.json")
        let before = errors()
        for _ in 0..<3 { #expect(await fixture.refusal(of: TokenDraft().signed(by: old)) == nil) }
        #expect(errors() == before + 1)
        try fixture.replaceKeys(by: new.keySet())
        #expect(await fixture.refusal(of: TokenDraft().signed(by: new)) == nil)
    }

    /// Many changes within the resolution of the file system's times, in place and without a change of size.
    @Test func changesThatFollowEachOtherAreAllSeen() throws {
        let directory = TemporaryDirectory()
        let url = URL(fileURLWithPath: "\(directory.path)/file")
        try Data("000".utf8).write(to: url)
        let file = try ReloadingFile(url.path, log: .none) { bytes throws(Problem) in
            String(decoding: bytes, as: UTF8.self)
        }
        for number in 100..<300 {
            try Data("\(number)".utf8).write(to: url)
            #expect(file.current == "\(number)")
        }
    }

    @Test func aFileThatNeverWorkedIsAnErrorAtTheStart() throws {
        let directory = TemporaryDirectory()
        func start(_ path: String) throws {
            _ = try TokenVerifier(issuer: "i", audience: "a", keys: .file(path), now: { 0 }, log: .none)
        }
        let missing = "\(directory.path)/missing"
        #expect(throws: IdentityFileError(missing, "cannot open it: No such file or directory")) { try start(missing) }
        #expect(throws: IdentityFileError(directory.path, "it is not a file")) { try start(directory.path) }
        let large = "\(directory.path)/large"
        try Data(repeating: 32, count: FileStamp.maximumSize + 1).write(to: URL(fileURLWithPath: large))
        #expect(throws: IdentityFileError(large, "it is larger than 1048576 bytes")) { try start(large) }
    }
}
