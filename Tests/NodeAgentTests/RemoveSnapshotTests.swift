import Foundation
import GRPC
import SubstrateAPI
import SubstrateModel
import TestKit
import Testing

@testable import NodeAgent

/// What a node removes when it is told to remove a snapshot, and what it does not.
@Suite struct RemoveSnapshotTests {
    private let directory = TemporaryDirectory()
    private var root: String { "\(directory.path)/snapshots" }
    private var snapshots: SnapshotDirectory {
        SnapshotDirectory(root: root, local: LocalSnapshots(root: "\(root)/local"))
    }

    private func uri(_ path: String) -> SnapshotURI { SnapshotURI("file://\(root)/\(path)") }

    private func write(_ path: String, uid: String = "uid") throws {
        let source = "\(directory.path)/source"
        try FileManager.default.createDirectory(atPath: source, withIntermediateDirectories: true)
        try Data("state".utf8).write(to: URL(fileURLWithPath: "\(source)/file"))
        try snapshots.write(source, to: uri(path), actorUID: uid)
    }

    private func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: "\(root)/\(path)") }

    private func refusal(_ uri: SnapshotURI) -> StatusCode? {
        #expect(throws: RuntimeFailure.self, "\(uri)") { try snapshots.remove(uri) }?.code
    }

    @Test func aSnapshotIsRemovedAndTheOthersOfItsActorStay() throws {
        try write("place/uid/one")
        try write("place/uid/two")
        try snapshots.remove(uri("place/uid/one"))
        #expect(!exists("place/uid/one") && exists("place/uid/two/manifest.json"))
        // With the last one goes the actor's directory, but not the location.
        try snapshots.remove(uri("place/uid/two"))
        #expect(!exists("place/uid") && exists("place"))
    }

    @Test func whatIsNotThereIsRemovedAlready() throws {
        try write("uid/one")
        for _ in 0..<2 { try snapshots.remove(uri("uid/one")) }
        try snapshots.remove(uri("uid/never-was"))
        try snapshots.remove(uri("nobody/never-was"))
    }

    @Test func whatAnUnfinishedWriteOrRemovalHasLeftGoesToo() throws {
        for name in ["durable.tar.zst", "manifest.json"] {
            let partial = "\(root)/uid/.nonce.partial"
            try FileManager.default.createDirectory(atPath: partial, withIntermediateDirectories: true)
            try Data("half".utf8).write(to: URL(fileURLWithPath: "\(partial)/\(name)"))
            try snapshots.remove(uri("uid/nonce"))
            #expect(!exists("uid"))
        }
    }

    @Test func onlySnapshotsBelowTheDirectoryAreTouched() throws {
        try write("uid/nonce")
        let outside = "\(directory.path)/outside/uid/nonce"
        try FileManager.default.createDirectory(atPath: outside, withIntermediateDirectories: true)
        for text in [
            "file://\(outside)", "file://\(root)/../outside/uid/nonce", "file://\(root)x/uid/nonce", "gs://b/uid/nonce",
            "",
            "file://\(root)", "file://\(root)/uid", "file://\(root)/uid/", "file://\(root)/uid/.nonce.partial",
            "file://\(root)/uid/nonce/", "file://\(root)/uid/nonce/durable.tar.zst", "file://\(root)/UID/nonce",
            "file://\(root)/local/uid/nonce",
        ] {
            #expect(refusal(SnapshotURI(text)) != nil)
        }
        #expect(exists("uid/nonce/manifest.json") && FileManager.default.fileExists(atPath: outside))
    }

    @Test func aDirectoryThatIsNoSnapshotOfTheActorStays() throws {
        // Something more in it; another actor's; one without a manifest; a file.
        try write("a/more")
        try Data().write(to: URL(fileURLWithPath: "\(root)/a/more/notes.txt"))
        try write("a/strange", uid: "b")
        try write("a/incomplete")
        try FileManager.default.removeItem(atPath: "\(root)/a/incomplete/manifest.json")
        try Data().write(to: URL(fileURLWithPath: "\(root)/a/file"))
        for name in ["more", "strange", "incomplete"] {
            #expect(refusal(uri("a/\(name)")) == .failedPrecondition)
            #expect(exists("a/\(name)/durable.tar.zst"))
        }
        #expect(refusal(uri("a/file")) != nil && exists("a/file"))
    }

    @Test func noLinkLeadsToWhatIsElsewhere() throws {
        try write("uid/nonce")
        try FileManager.default.moveItem(atPath: "\(root)/uid", toPath: "\(directory.path)/uid")
        try FileManager.default.createSymbolicLink(atPath: "\(root)/uid", withDestinationPath: "\(directory.path)/uid")
        #expect(refusal(uri("uid/nonce")) == .failedPrecondition)
        try FileManager.default.createDirectory(atPath: "\(root)/other", withIntermediateDirectories: true)
        for name in ["nonce", ".nonce.partial"] {
            let link = "\(root)/other/\(name)"
            try FileManager.default.createSymbolicLink(
                atPath: link, withDestinationPath: "\(directory.path)/uid/nonce")
            #expect(refusal(uri("other/nonce")) != nil)
            try FileManager.default.removeItem(atPath: link)
        }
        #expect(FileManager.default.fileExists(atPath: "\(directory.path)/uid/nonce/durable.tar.zst"))
    }

    @Test func withoutItsDirectoryANodeDoesNotSayThatASnapshotIsGone() {
        #expect(refusal(uri("uid/nonce")) == .unavailable)
    }

    @Test func itGoesOverTheWire() async throws {
        try write("uid/nonce")
        let services = SnapshotServices(
            snapshots: SnapshotDirectory(root: root), local: LocalSnapshots(root: "\(root)/local"))
        let server = try Server(address: "127.0.0.1:0", credentials: .insecure, methods: services.methods)
        try await running(server.run) {
            let channel = Channel(target: "127.0.0.1:\(server.port)", credentials: .insecure)
            for _ in 0..<2 {
                _ = try await channel.call(
                    NodeMethods.deleteSnapshot, DeleteSnapshotRequest(snapshot: uri("uid/nonce")),
                    timeout: .seconds(20))
            }
            #expect(!exists("uid"))
            let error = await #expect(throws: RPCError.self) {
                try await channel.call(
                    NodeMethods.deleteSnapshot, DeleteSnapshotRequest(snapshot: uri("local/uid/nonce")),
                    timeout: .seconds(20))
            }
            #expect(error?.code == .failedPrecondition)
            #expect(error?.status.message.contains("local snapshot") == true)
        }
    }
}
