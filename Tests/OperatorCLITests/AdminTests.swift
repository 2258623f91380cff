import Foundation
import LocalCluster
import ServiceKit
import TestKit
import Testing

@testable import OperatorCLI

/// `admin make-jwt-pool` and `admin make-ca-pool`.
@Suite struct AdminTests {
    private let folder = Folder()

    private func content(_ path: String) -> Data? { FileManager.default.contents(atPath: path) }

    @Test(arguments: ["make-jwt-pool", "make-ca-pool"])
    func keysAreForTheirOwnerAndNotReplacedUnasked(_ command: String) async throws {
        let path = folder.path("pool.json")
        #expect(await atectl("admin \(command) \(path) --id 2026-01").status == 0)
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        let keys = try #require(content(path))
        #expect(String(decoding: keys, as: UTF8.self).contains("\"2026-01\""))
        let refused = await atectl("admin \(command) \(path)")
        #expect(refused.status == 1 && refused.output.isEmpty)
        #expect(refused.complaints.hasPrefix("atectl: \(path): cannot create it: ") && content(path) == keys)
        #expect(await atectl("admin \(command) \(path) --overwrite").status == 0)
        #expect(content(path) != keys)
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o600)
    }

    @Test func whatIsPrintedIsForThoseWhoVerify() async throws {
        let tokens = await atectl("admin make-jwt-pool \(folder.path("jwt.json")) --id k")
        struct KeySet: Decodable { var keys: [[String: String]] }
        let keys = try JSONDecoder().decode(KeySet.self, from: Data(tokens.output.utf8)).keys
        #expect(keys.map { $0["kid"] } == ["k"] && keys[0]["kty"] == "EC" && keys[0]["d"] == nil)
        let certificates = await atectl("admin make-ca-pool \(folder.path("ca.json"))")
        let roots = folder.path("roots.pem")
        try Data(certificates.output.utf8).write(to: URL(filePath: roots))
        let text = try await Tool.output("openssl", ["x509", "-in", roots, "-noout", "-text"])
        #expect(text.contains("CA:TRUE") && !certificates.output.contains("PRIVATE"))
    }
}
