import Foundation
import GRPC
import Glibc
import SubstrateModel
import TestKit
import Testing

@testable import NodeAgent

/// Snapshots that are being written.
@Suite struct SnapshotDraftTests {
    private let files = TemporaryDirectory()
    private let directory: SnapshotDirectory

    init() { directory = SnapshotDirectory(root: "\(files.path)/snapshots") }

    private func draft(_ nonce: String) throws(RuntimeFailure) -> SnapshotDraft {
        try SnapshotDraft(SnapshotURI("file://\(directory.root)/uid/\(nonce)"), in: directory, actorUID: "uid")
    }

    private func packed(_ nonce: String) throws -> SnapshotDraft {
        let draft = try draft(nonce)
        let source = "\(files.path)/durable"
        try FileManager.default.createDirectory(atPath: source, withIntermediateDirectories: true)
        try draft.pack(source, isCancelled: { false })
        return draft
    }

    @Test func whatCannotBeNamedStaysAndCanBeTriedAgain() throws {
        let draft = try packed("a")
        let target = "\(directory.root)/uid/a"
        try FileManager.default.createDirectory(atPath: "\(target)/x", withIntermediateDirectories: true)
        #expect(throws: RuntimeFailure.self) { try draft.commit() }
        #expect(FileManager.default.fileExists(atPath: "\(draft.path)/\(SnapshotDirectory.manifestName)"))
        try FileManager.default.removeItem(atPath: target)
        try draft.commit()
        #expect(FileManager.default.fileExists(atPath: "\(target)/\(SnapshotDirectory.manifestName)"))
    }

    @Test func whatIsKeptIsNotRemovedAndNoSnapshot() throws {
        let local = LocalSnapshots(root: "\(directory.root)")
        let draft = try packed("a")
        let place = draft.keep()
        draft.abandon()
        local.removeUnfinished()
        #expect(FileManager.default.fileExists(atPath: "\(place)/\(SnapshotDirectory.archiveName)"))
        #expect(local.all == [])
    }

    @Test func aNameThatIsTakenIsRefusedBeforeAnythingIsWritten() throws {
        try packed("a").commit()
        let failure = #expect(throws: RuntimeFailure.self) { try draft("a") }
        #expect(failure?.code == .failedPrecondition)
        #expect(!FileManager.default.fileExists(atPath: "\(directory.root)/uid/.a.partial"))
    }

    @Test(.enabled(if: getuid() == 0, "mounting needs root"))
    func snapshotsThatAreWrittenAtTheSameTimeFindRoomBesideEachOther() throws {
        let disk = try SmallDisk(megabytes: 4)
        let directory = SnapshotDirectory(root: disk.path)
        let space = SnapshotSpace()
        func draft(_ nonce: String) throws -> SnapshotDraft {
            try SnapshotDraft(SnapshotURI("file://\(disk.path)/uid/\(nonce)"), in: directory, actorUID: "uid")
        }
        let first = try space.take(3 << 20, for: try draft("a"))
        #expect(throws: RuntimeFailure.self) { try space.take(2 << 20, for: try draft("b")) }
        // What was refused takes nothing.
        space.giveBack(try space.take(1 << 19, for: try draft("c")))
        space.giveBack(first)
        space.giveBack(try space.take(2 << 20, for: try draft("b")))
        try disk.remove()
    }
}
