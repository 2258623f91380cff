import Foundation
import ServiceKit
import TestKit
import Testing

@testable import Identity

/// Certificates for sessions, looked at with openssl.
@Suite struct SessionCertificateTests {
    private let directory = TemporaryDirectory()
    private let now = Int64(Date.now.timeIntervalSince1970)
    private var pool: String { path("ca-pool.json") }

    private func path(_ file: String) -> String { "\(directory.path)/\(file)" }
    private func write(_ file: String, _ bytes: some Sequence<UInt8>) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path(file)), options: .atomic)
    }
    private func read(_ file: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: path(file))))
    }
    @discardableResult
    private func openssl(_ arguments: String...) async throws -> String { try await Tool.output("openssl", arguments) }

    private func session() throws -> SessionName {
        try SessionName(appID: "app", userID: "user@example.com", sessionID: "actor-1")
    }

    private func minter(now: Int64? = nil, log: Log = .none) throws -> SessionMinter {
        let time = now ?? self.now
        return try SessionMinter(jwtPoolFile: nil, caPoolFile: pool, now: { time }, log: log)
    }

    /// A request that asks for more than it should get.
    private func request(_ keyOptions: [String] = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]) async throws -> [UInt8]
    {
        try await Tool.run(
            "openssl",
            ["req", "-newkey"] + keyOptions + [
                "-nodes", "-subj", "/CN=root", "-addext", "subjectAltName=URI:spiffe://evil,DNS:evil", "-addext",
                "basicConstraints=critical,CA:TRUE", "-keyout", path("session.key"), "-outform", "DER", "-out",
                path("session.csr"),
            ], logs: directory.path)
        return try read("session.csr")
    }

    private func refusal(_ minter: SessionMinter, _ request: [UInt8]) -> IdentityError? {
        do {
            _ = try minter.mintCertificate(for: session(), signingRequest: request)
            return nil
        } catch { return error as? IdentityError }
    }

    @Test(arguments: [
        ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], ["ec", "-pkeyopt", "ec_paramgen_curve:P-521"], ["rsa:2048"],
        ["ed25519"],
    ])
    func aCertificateIsWhatItShouldBe(keyOptions: [String]) async throws {
        try CAPool.create(path: pool, authorityID: "first", now: now)
        let chain = try minter().mintCertificate(for: session(), signingRequest: try await request(keyOptions))
        #expect(chain.count == 1)
        try write("leaf.der", chain[0])
        try write("roots.pem", try CAPool.roots(path: pool).utf8)
        try await openssl("x509", "-inform", "DER", "-in", path("leaf.der"), "-out", path("leaf.pem"))
        try await openssl(
            "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", path("roots.pem"), path("leaf.pem"))
        await #expect(throws: (any Error).self) {
            try await openssl("verify", "-purpose", "sslserver", "-CAfile", path("roots.pem"), path("leaf.pem"))
        }
        let text = try await openssl("x509", "-in", path("leaf.pem"), "-noout", "-text")
        let lines = text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
        func line(after title: String) -> String? {
            lines.firstIndex { $0.hasPrefix(title) }.map { lines[$0 + 1] }
        }
        #expect(
            line(after: "X509v3 Subject Alternative Name: critical")
                == "URI:spiffe://substrate-session.local/app/app/user/user@example.com/session/actor-1")
        #expect(line(after: "X509v3 Key Usage: critical") == "Digital Signature")
        #expect(line(after: "X509v3 Extended Key Usage:") == "TLS Web Client Authentication")
        #expect(line(after: "X509v3 Basic Constraints: critical") == "CA:FALSE")
        #expect(!text.contains("evil"))
        #expect(!text.contains("CN = root"))
        // It is for the key of the request.
        let key = try await openssl("pkey", "-in", path("session.key"), "-pubout")
        let certified = try await openssl("x509", "-in", path("leaf.pem"), "-noout", "-pubkey")
        #expect(key == certified)
    }

    @Test func itIsValidFromFiveMinutesAgoForFifteenMinutes() async throws {
        try CAPool.create(path: pool, authorityID: "first", now: 1_700_000_000)
        let chain = try minter(now: 1_700_000_000)
            .mintCertificate(for: session(), signingRequest: try await request())
        try write("leaf.der", chain[0])
        let dates = try await openssl("x509", "-inform", "DER", "-in", path("leaf.der"), "-noout", "-dates")
        #expect(dates == "notBefore=Nov 14 22:08:20 2023 GMT\nnotAfter=Nov 14 22:28:20 2023 GMT\n")
    }

    @Test func serialNumbersAreRandomAndPositive() async throws {
        try CAPool.create(path: pool, authorityID: "first", now: now)
        let request = try await request()
        var serials: Set<String> = []
        for _ in 0..<5 {
            try write("leaf.der", try minter().mintCertificate(for: session(), signingRequest: request)[0])
            let serial = try await openssl("x509", "-inform", "DER", "-in", path("leaf.der"), "-noout", "-serial")
            #expect(!serial.contains("-"))
            serials.insert(serial)
        }
        #expect(serials.count == 5)
        #expect(serials.allSatisfy { $0.count == "serial=".count + 40 + 1 })
    }

    @Test func aRequestThatItsKeyHasNotSignedIsRefused() async throws {
        try CAPool.create(path: pool, authorityID: "first", now: now)
        var request = try await request()
        // The signature is at the end.
        request[request.count - 1] ^= 1
        #expect(refusal(try minter(), request) == IdentityError(.internal, "Failed to verify CSR signature"))
        // Somebody else's key in place of the one that signed.
        let mine = try await self.request()
        let other = try await self.request()
        let point = Array<UInt8>([0x03, 0x42, 0x00, 0x04])
        func keyRange(_ bytes: [UInt8]) throws -> Range<Int> {
            let start = try Wanted.value(bytes.indices.first { bytes[$0...].starts(with: point) }) + point.count
            return start..<start + 64
        }
        var mixed = mine
        mixed.replaceSubrange(try keyRange(mine), with: other[try keyRange(other)])
        #expect(refusal(try minter(), mixed) == IdentityError(.internal, "Failed to verify CSR signature"))
    }

    @Test func whatIsNoRequestIsRefused() async throws {
        try CAPool.create(path: pool, authorityID: "first", now: now)
        let minter = try minter()
        let request = try await request()
        let refused = IdentityError(.internal, "Failed to parse CSR")
        #expect(refusal(minter, []) == refused)
        #expect(refusal(minter, Array("-----BEGIN CERTIFICATE REQUEST-----".utf8)) == refused)
        #expect(refusal(minter, request + [0]) == refused)
        #expect(refusal(minter, [UInt8](repeating: 0x30, count: 20_000)) == refused)
        for length in stride(from: 1, to: request.count, by: 7) {
            #expect(refusal(minter, Array(request.prefix(length))) == refused)
        }
        #expect(refusal(minter, request) == nil)
    }

    /// Nothing that a damaged request may do is to crash or to be signed as it is.
    @Test func damagedRequestsAreNeverCertified() async throws {
        try CAPool.create(path: pool, authorityID: "first", now: now)
        let minter = try minter()
        let request = try await request()
        for index in request.indices {
            for bit in [UInt8(1), 0x80] {
                var damaged = request
                damaged[index] ^= bit
                #expect(refusal(minter, damaged) != nil, "byte \(index) bit \(bit)")
            }
        }
    }

    @Test func weakKeysAreNotCertified() async throws {
        try CAPool.create(path: pool, authorityID: "first", now: now)
        let minter = try minter()
        for options in [["rsa:1024"], ["ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"]] {
            #expect(refusal(minter, try await request(options))?.kind == .invalidArgument)
        }
    }

    @Test func anIntermediateSignsAndComesWithTheLeaf() async throws {
        let certificates = try await TestCertificates()
        for (file, arguments) in [
            ("root", ["-x509", "-subj", "/CN=root"]),
            (
                "middle",
                [
                    "-x509", "-subj", "/CN=middle", "-CA", path("root.pem"), "-CAkey", path("root.key"), "-addext",
                    "basicConstraints=critical,CA:TRUE,pathlen:0", "-addext", "keyUsage=critical,keyCertSign",
                ]
            ),
        ] {
            try await Tool.run(
                "openssl",
                ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-days", "2"] + arguments + [
                    "-keyout", path("\(file).key"), "-out", path("\(file).pem"),
                ], logs: directory.path)
        }
        try await openssl("x509", "-in", path("middle.pem"), "-outform", "DER", "-out", path("middle.der"))
        let middle = try read("middle.der")
        func text(_ file: String) throws -> JSON { .string(String(decoding: try read(file), as: UTF8.self)) }
        let entry = JSON.object([
            ("ID", "x"), ("SigningKeyPEM", try text("middle.key")), ("RootCertificatePEM", try text("root.pem")),
            ("IntermediateCertificatesDER", [.string(Data(middle).base64EncodedString())]),
        ])
        try write("ca-pool.json", JSON.object([("CAs", [entry])]).text().utf8)
        // The authority is younger than the test's idea of now.
        let later = try minter(now: Int64(Date.now.timeIntervalSince1970))
        let chain = try later.mintCertificate(for: session(), signingRequest: try await request())
        #expect(chain.count == 2)
        #expect(chain[1] == middle)
        try write("leaf.der", chain[0])
        try await openssl("x509", "-inform", "DER", "-in", path("leaf.der"), "-out", path("leaf.pem"))
        try await openssl(
            "verify", "-purpose", "sslclient", "-CAfile", path("root.pem"), "-untrusted", path("middle.pem"),
            path("leaf.pem"))
        withExtendedLifetime(certificates) {}
    }

    @Test func anExpiredAuthoritySignsNothingAndTheLogSaysWhy() async throws {
        try CAPool.create(path: pool, authorityID: "first", now: now - 400 * 86_400)
        let recorder = LogRecorder()
        #expect(
            refusal(try minter(log: recorder.log), try await request())
                == IdentityError(.internal, "Failed to sign certificate"))
        #expect(recorder.contains(.error, "cannot mint a session certificate"))
    }

    @Test func aNewPoolIsUsedAtOnce() async throws {
        try CAPool.create(path: pool, authorityID: "first", now: now)
        let minter = try minter()
        let request = try await request()
        try FileManager.default.removeItem(atPath: pool)
        try CAPool.create(path: pool, authorityID: "second", now: now)
        try write("leaf.der", try minter.mintCertificate(for: session(), signingRequest: request)[0])
        let issuer = try await openssl("x509", "-inform", "DER", "-in", path("leaf.der"), "-noout", "-issuer")
        #expect(issuer == "issuer=CN = substrate session CA second\n")
    }

    @Test func withoutAPoolNothingIsMinted() throws {
        let minter = try SessionMinter(jwtPoolFile: nil, caPoolFile: nil, now: { 0 }, log: .none)
        #expect(refusal(minter, []) == IdentityError(.internal, "Failed to load session CA"))
    }
}

/// The files that hold private keys.
@Suite struct PoolFileTests {
    private let directory = TemporaryDirectory()

    @Test func newPoolsAreForTheirOwnerOnlyAndNeverOverwrite() throws {
        for (file, create) in [
            ("jwt", { (path: String) throws in try JWTPool.create(path: path, authorityID: "x") }),
            ("ca", { (path: String) throws in try CAPool.create(path: path, authorityID: "x", now: 1_700_000_000) }),
        ] {
            let path = "\(directory.path)/\(file)"
            try create(path)
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o600)
            let before = try Data(contentsOf: URL(fileURLWithPath: path))
            #expect(
                throws: IdentityFileError(
                    path, "cannot create it: File exists; move it away first if its keys are to be replaced")
            ) { try create(path) }
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
        }
        #expect(throws: IdentityFileError.self) { try JWTPool.create(path: "/nowhere/pool", authorityID: "x") }
    }

    @Test func aRootIsASigningCertificateForAYear() async throws {
        let path = "\(directory.path)/ca"
        try CAPool.create(path: path, authorityID: "x", now: 1_700_000_000)
        let roots = "\(directory.path)/roots.pem"
        try Data(try CAPool.roots(path: path).utf8).write(to: URL(fileURLWithPath: roots))
        let text = try await Tool.output("openssl", ["x509", "-in", roots, "-noout", "-text"])
        for part in [
            "Public Key Algorithm: ED25519", "CA:TRUE", "Digital Signature, Certificate Sign",
            "Not Before: Nov 14 22:08:20 2023 GMT", "Not After : Nov 13 22:13:20 2024 GMT",
        ] { #expect(text.contains(part), "\(part)") }
    }

    @Test func aPoolWhoseCertificateMayNotSignIsRefused() async throws {
        let certificates = try await TestCertificates()
        func text(_ file: String) throws -> JSON {
            .string(try String(contentsOfFile: certificates.path(file), encoding: .utf8))
        }
        func problem(_ file: String) throws -> String? {
            let entry = JSON.object([
                ("ID", "x"), ("SigningKeyPEM", try text("\(file).key")),
                ("RootCertificatePEM", try text("\(file).pem")),
            ])
            do {
                _ = try CAPool(json: Array(JSON.object([("CAs", [entry])]).text().utf8))
                return nil
            } catch { return "\(error)" }
        }
        #expect(try problem("server") == "CA x: its certificate may not sign others")
        #expect(try problem("ca") == nil)
    }

    @Test func aPoolWhoseCertificateIsForAnotherKeyIsRefused() throws {
        let pools = try ["a", "b"].map { name in
            try CAPool.create(path: "\(directory.path)/\(name)", authorityID: name, now: 1_700_000_000)
            let data = try Data(contentsOf: URL(fileURLWithPath: "\(directory.path)/\(name)"))
            let object = try Wanted.value(JSONSerialization.jsonObject(with: data) as? [String: [[String: Any]]])
            return try Wanted.value(object["CAs"]?.first)
        }
        func problem(_ change: (inout [String: Any]) -> Void) throws -> String? {
            var entry = pools[0]
            change(&entry)
            do {
                _ = try CAPool(json: Array(try JSONSerialization.data(withJSONObject: ["CAs": [entry]])))
                return nil
            } catch { return "\(error)" }
        }
        #expect(try problem { _ in } == nil)
        #expect(
            try problem { $0["SigningKeyPKCS8"] = pools[1]["SigningKeyPKCS8"] }
                == "CA a: none of its certificates is for its signing key")
        #expect(try problem { $0["RootCertificateDER"] = "AAAA" } == "CA a: its root is not a certificate")
        #expect(
            try problem { $0["IntermediateCertificatesDER"] = ["AAAA"] }
                == "CA a: one of its intermediates is not a certificate")
        #expect(try problem { $0["IntermediateCertificatesDER"] = NSNull() } == nil)
        #expect(throws: Problem("there is no CA in it")) { try CAPool(json: Array(#"{"CAs": []}"#.utf8)) }
    }
}
