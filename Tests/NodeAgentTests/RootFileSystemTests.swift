import Foundation
import GRPC
import Glibc
import SubstrateAPI
import SubstrateModel
import TestKit
import Testing

@testable import NodeAgent

/// Which directories of a node a template can have as its root, and where it can mount something.
@Suite struct RootFileSystemTests {
    private let files = TemporaryDirectory()
    /// Without links in it.
    private let base: String
    private var images: String { "\(base)/images" }

    init() throws {
        base = try #require(RealPath.of(files.path))
        for name in ["images/agent/etc", "images/sha256-\(digest)", "images/state", "secrets", "images-2/agent"] {
            try FileManager.default.createDirectory(
                atPath: "\(base)/\(name)", withIntermediateDirectories: true)
        }
    }

    private let digest = String(repeating: "0a", count: 32)

    private func root(
        _ image: String, images: String? = nil, hidden: [String] = []
    ) throws(RuntimeFailure) -> RootFileSystem {
        try RootFileSystem.of(
            Container(name: "main", image: image, command: ["/agent"]),
            ImageStore(directory: images ?? self.images), hidden: hidden)
    }

    private func reason(_ image: String, images: String? = nil, hidden: [String] = []) -> String? {
        do throws(RuntimeFailure) {
            _ = try root(image, images: images, hidden: hidden)
            return nil
        } catch { return error.reason }
    }

    @Test func directoriesBelowThatOfTheImagesAreRoots() throws {
        let hidden = ["\(base)/secrets", "\(base)/state"]
        #expect(try root("rootfs:\(images)/agent", hidden: hidden).path == "\(images)/agent")
        #expect(try root("a/b@sha256:\(digest)", hidden: hidden).path == "\(images)/sha256-\(digest)")
        #expect(try root("", hidden: hidden) == .nodes)
        // Whichever way one gets there.
        try FileManager.default.createSymbolicLink(atPath: "\(base)/link", withDestinationPath: images)
        #expect(try root("rootfs:\(base)/link/agent").path == "\(images)/agent")
        #expect(try root("rootfs:\(images)/agent", images: "\(base)/link").path == "\(images)/agent")
    }

    @Test func noOtherDirectoryOfTheNodeIs() throws {
        try FileManager.default.createSymbolicLink(atPath: "\(images)/out", withDestinationPath: "/etc")
        for path in [
            "/etc", "/var/lib", "/proc/1/root", "/", "//", images, "\(images)/", "\(base)/images-2/agent",
            "\(images)/out", "\(images)/none",
        ] {
            #expect(reason("rootfs:\(path)")?.contains("no directory below") == true, "\(path)")
        }
        for path in ["/../etc", "etc", "", "\(images)/agent/../.."] {
            #expect(reason("rootfs:\(path)")?.contains("absolute path without '..'") == true, "\(path)")
        }
        #expect(reason("a@sha256:../../etc")?.contains("64 digits") == true)
        #expect(
            throws: RuntimeFailure.self, "a node without images has none to give",
            performing: { () throws(RuntimeFailure) in
                try RootFileSystem.of(
                    Container(name: "main", image: "rootfs:/etc", command: []), ImageStore(directory: nil))
            })
    }

    @Test func whatIsTheNodesOwnIsNoRootAndLiesInNone() {
        for hidden in ["\(images)/agent/etc", "\(images)/agent", images] {
            #expect(reason("rootfs:\(images)/agent", hidden: [hidden])?.contains("the node's own") == true, "\(hidden)")
        }
        #expect(
            reason("a@sha256:\(digest)", hidden: ["\(images)/sha256-\(digest)"])?.contains("the node's own") == true)
        // By name it only looks like it.
        #expect(reason("rootfs:\(images)/agent", hidden: ["\(images)/ag", "\(images)/state"]) == nil)
    }

    @Test func aPlaceOfAMountIsCheckedByTheNodeToo() throws {
        func violation(_ path: String) -> String? {
            var container = Container(name: "main", command: ["/agent"])
            container.volumeMounts = [Container.VolumeMount(name: "v", path: path)]
            let workload = Workload(
                actor: ActorRef(atespace: "default", name: "alice"), actorUID: "uid",
                template: TemplateRef(namespace: "n", name: "t"), containers: [container])
            do throws(Status) {
                try NodeValidation.check(workload, .gvisor)
                return nil
            } catch { return error.message }
        }
        #expect(violation("/run/substrate/data") == nil)
        for path in ["/run/substrate/../../etc", "data", "/", "/a//b"] {
            #expect(violation(path)?.contains("containers[main].volumeMounts[v].mountPath must") == true, "\(path)")
        }
    }
}
