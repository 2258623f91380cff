import Foundation
import ServiceKit
import Testing

@testable import OperatorCLI

/// `apply` and its files.
@Suite final class ApplyTests {
    private let directory = FileManager.default.temporaryDirectory.path + "/\(UUID().uuidString)"

    init() throws { try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    private func file(_ name: String, _ content: [UInt8]) throws -> String {
        let path = "\(directory)/\(name)"
        try Data(content).write(to: URL(filePath: path))
        return path
    }

    private func file(_ name: String, _ content: String) throws -> String { try file(name, Array(content.utf8)) }

    private func readingFails(_ path: String) -> String? {
        #expect(throws: CommandError.self) { try Apply.read(path) }?.description
    }

    @Test func warningsNameTheFile() throws {
        let path = try file("a.yaml", "kind: Namespace\n")
        #expect(
            try Apply.read(path).warnings == ["\(path): document 1, line 1: skipped: Namespace () is not kept here"])
    }

    @Test func errorsNameTheFile() throws {
        let notYAML = try file("a.yaml", "a: [")
        #expect(readingFails(notYAML)?.hasPrefix("\(notYAML): document 1, line ") == true)
        let notText = try file("b.yaml", [0xff, 0xfe])
        #expect(readingFails(notText) == "\(notText): not a readable UTF-8 text")
        #expect(readingFails("/no/such/file") == "/no/such/file: there is no such file")
    }

    /// What `apply` of these arguments fails with, where nobody serves the API.
    private func applyFails(_ arguments: [String]) async -> String {
        let outcome = await atectl(["apply", "--endpoint", "127.0.0.1:1", "--timeout", "5s"] + arguments)
        #expect(outcome.status != 0)
        return outcome.complaints.trimmingPrefix("atectl: ").trimmingCharacters(in: .newlines)
    }

    @Test func nothingIsSentBeforeAllFilesHaveBeenRead() async throws {
        let pool = "apiVersion: ate.dev/v1alpha1\nkind: WorkerPool\nmetadata: {name: p}\nspec: {replicas: 1}\n"
        let good = try file("good.yaml", pool)
        let bad = try file("bad.yaml", pool + "---\n" + pool.replacing("replicas: 1", with: "replicas: x"))
        #expect(
            await applyFails(["-f", good, "-f", bad])
                == "\(bad): document 2, line 9: spec.replicas must be a whole number")
        // The good one alone gets as far as the API.
        let unsent = await applyFails(["-f", good])
        #expect(unsent.hasPrefix("\(good): document 1: the API at 127.0.0.1:1 is unavailable"), "\(unsent)")
    }

    @Test func aFileIsNeededAndStandardInputIsReadOnce() async throws {
        #expect(await applyFails([]) == "apply needs -f FILE, or -f - for standard input")
        #expect(await applyFails(["-f", "-", "-f", "-"]) == "-f - can be given only once")
    }
}
