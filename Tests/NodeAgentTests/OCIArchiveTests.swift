import Foundation
import Processes
import ServiceKit
import SubstrateModel
import TestKit
import Testing

@testable import NodeAgent

/// Images of OCI archives, made here by hand.
@Suite struct OCIArchiveTests {
    private let files = TemporaryDirectory()

    /// An archive of layers, each of them made by a script of the shell in an empty directory and packed with `tar`.
    private func archive(
        _ layers: [String], packing: String = "tar -C files -cf -  . | gzip", architecture: String? = nil,
        tampering: Bool = false
    ) async throws -> (OCIArchive, hash: String) {
        let top = "\(files.path)/layout"
        let blobs = "\(top)/blobs/sha256"
        try FileManager.default.createDirectory(atPath: blobs, withIntermediateDirectories: true)
        var descriptors: [String] = []
        for (number, script) in layers.enumerated() {
            let work = "\(files.path)/\(number)"
            try FileManager.default.createDirectory(atPath: "\(work)/files", withIntermediateDirectories: true)
            let layer = "\(work)/layer"
            try await shell("cd \(work) && (cd files && \(script)) && \(packing) > layer")
            descriptors.append(try store(try Data(contentsOf: URL(fileURLWithPath: layer)), in: blobs))
        }
        let config = try store(
            Data(
                """
                {"architecture": "\(architecture ?? OCIArchive.architecture)", "os": "linux",
                 "config": {"Env": ["GREETING=hello there"], "Entrypoint": ["/bin/serve"], "Cmd": ["--fast"]}}
                """.utf8), in: blobs)
        let list = descriptors.map { #"{"digest": "sha256:\#($0)"}"# }.joined(separator: ", ")
        let manifest = try store(
            Data(#"{"schemaVersion": 2, "config": {"digest": "sha256:\#(config)"}, "layers": [\#(list)]}"#.utf8),
            in: blobs)
        if tampering, let layer = descriptors.first {
            try Data("something else".utf8).write(to: URL(fileURLWithPath: "\(blobs)/\(layer)"))
        }
        let file = "\(files.path)/image.tar"
        try await shell("tar -C \(top) -cf \(file) .")
        return (OCIArchive(file: file), manifest)
    }

    private func store(_ data: Data, in blobs: String) throws -> String {
        let path = "\(blobs)/new"
        try data.write(to: URL(fileURLWithPath: path))
        let hash = try FileDigest(of: path).hash
        try FileManager.default.moveItem(atPath: path, toPath: "\(blobs)/\(hash)")
        return hash
    }

    private func shell(_ script: String) async throws {
        let process = try await ChildProcess.start(
            Command("/bin/sh", ["-ec", script], environment: ["PATH": "/usr/bin:/bin"]))
        let status = await process.wait()
        try #require(status == .exited(code: 0), "\(script)")
    }

    private func unpack(_ image: (OCIArchive, hash: String)) throws -> (root: String, OCIArchive.Configuration) {
        let root = "\(files.path)/root"
        for path in [root, "\(files.path)/scratch"] {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }
        let configuration = try image.0.unpack(
            image.hash, into: root, scratch: "\(files.path)/scratch", isCancelled: { false })
        return (root, configuration)
    }

    /// Why the image is refused.
    private func refusal(_ image: (OCIArchive, hash: String)) -> String {
        do {
            _ = try unpack(image)
            return "it was not refused"
        } catch {
            return "\(error)"
        }
    }

    private func names(_ directory: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
    }

    @Test func anImageIsWhatItsLayersSayOneOverTheOther() async throws {
        let (root, configuration) = try unpack(
            try await archive([
                "mkdir -p bin etc opt/all opt/some file; echo one >bin/serve; ln -s serve bin/link; ln bin/serve bin/hard; "
                    + "touch etc/gone etc/stays opt/all/a opt/all/b opt/some/a opt/some/b file/x",
                "mkdir -p bin etc opt/all opt/some; echo two >bin/serve; touch etc/.wh.gone opt/all/.wh..wh..opq opt/all/c "
                    + "opt/some/.wh.a; echo plain >file",
            ]))
        #expect(try String(contentsOfFile: "\(root)/bin/link", encoding: .utf8) == "two\n")
        #expect(try String(contentsOfFile: "\(root)/bin/hard", encoding: .utf8) == "one\n")
        #expect(try names("\(root)/etc") == ["stays"])
        #expect(try names("\(root)/opt/all") == ["c"] && names("\(root)/opt/some") == ["b"])
        #expect(try String(contentsOfFile: "\(root)/file", encoding: .utf8) == "plain\n")
        #expect(configuration.command == ["/bin/serve", "--fast"])
        #expect(configuration.environment == ["GREETING=hello there"])
    }

    @Test func whatWouldLandOutsideIsRefused() async throws {
        let up = try await archive(
            ["echo x >evil"], packing: "tar -C files -P --transform 's,^evil,../evil,' -cf - evil")
        #expect(refusal(up).contains("would land outside"))
        #expect(!FileManager.default.fileExists(atPath: "\(files.path)/evil"))
    }

    @Test func anAbsoluteNameIsRefused() async throws {
        let absolute = try await archive(
            ["echo x >evil"], packing: "tar -C files -P --transform 's,^evil,\(files.path)/evil,' -cf - evil")
        #expect(refusal(absolute).contains("would land outside"))
        #expect(!FileManager.default.fileExists(atPath: "\(files.path)/evil"))
    }

    @Test func nothingIsWrittenThroughALink() async throws {
        try FileManager.default.createDirectory(atPath: "\(files.path)/outside", withIntermediateDirectories: true)
        // The directory of the upper layer takes the place of the link.
        let (root, _) = try unpack(
            try await archive(["ln -s \(files.path)/outside link", "mkdir link; echo x >link/evil"]))
        #expect(try names("\(files.path)/outside").isEmpty && names("\(root)/link") == ["evil"])
    }

    @Test func nothingIsRemovedThroughALink() async throws {
        try FileManager.default.createDirectory(atPath: "\(files.path)/outside/d", withIntermediateDirectories: true)
        let image = try await archive([
            "ln -s \(files.path)/outside link", "mkdir link; touch link/.wh.d",
        ])
        #expect(refusal(image).contains("leads through a link"))
        #expect(try names("\(files.path)/outside") == ["d"])
    }

    @Test func aPartThatIsNotWhatItsDigestSaysIsRefused() async throws {
        #expect(refusal(try await archive(["touch a"], tampering: true)).contains("is not what its digest says"))
    }

    @Test func anImageForAnotherKindOfMachineIsRefused() async throws {
        #expect(refusal(try await archive(["touch a"], architecture: "vax")).contains("linux/vax"))
    }

    @Test func anImageIsUnpackedOnceAndGoesWithItsArchive() async throws {
        let (image, hash) = try await archive(["mkdir bin; echo one >bin/serve"])
        let cache = ImageCache(directory: "\(files.path)/cache")
        let first = try cache.rootFileSystem(hash, of: image, isCancelled: { false })
        #expect(FileManager.default.fileExists(atPath: "\(first.path)/bin/serve"))
        #expect(first.command == ["/bin/serve", "--fast"] && !first.isNodes)
        // Now it is not needed any more.
        try FileManager.default.removeItem(atPath: image.file)
        #expect(try cache.rootFileSystem(hash, of: image, isCancelled: { false }) == first)
        #expect(try names(cache.directory) == [hash])
        cache.clear { $0 == hash }
        #expect(try names(cache.directory) == [hash])
        cache.clear { _ in false }
        #expect(try names(cache.directory).isEmpty)
    }

    @Test func anArchiveIsFoundByTheDigestInTheImagesName() async throws {
        let (image, hash) = try await archive(["mkdir bin; echo one >bin/serve"])
        let directory = "\(files.path)/images"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let images = ImageStore(directory: directory, cache: "\(files.path)/state/images")
        let container = Container(name: "main", image: "example/serve@sha256:\(hash)", command: [])
        // The state directory is the node's own, and what it has unpacked there is for actors all the same.
        func root() throws -> RootFileSystem { try .of(container, images, hidden: ["\(files.path)/state"]) }
        #expect(throws: RuntimeFailure.self) { try root() }
        try FileManager.default.moveItem(atPath: image.file, toPath: "\(directory)/sha256-\(hash).tar")
        let found = try root()
        #expect(found.name == "sha256:\(hash)" && found.environment == ["GREETING=hello there"])
        #expect(try String(contentsOfFile: "\(found.path)/bin/serve", encoding: .utf8) == "one\n")
        images.clear()
        #expect(try root() == found)
    }

    @Test func whatCannotBeUnpackedLeavesNothing() async throws {
        let (image, hash) = try await archive(["touch a"], tampering: true)
        let cache = ImageCache(directory: "\(files.path)/cache")
        #expect(throws: RuntimeFailure.self) { try cache.rootFileSystem(hash, of: image, isCancelled: { false }) }
        #expect(try names(cache.directory).isEmpty)
    }
}
