import Foundation
import GRPC
import Glibc
import SubstrateModel
import TestKit
import Testing

@testable import NodeAgent

@Suite struct SnapshotTests {
    private let directory = TemporaryDirectory()
    private var root: String { "\(directory.path)/snapshots" }
    private var snapshots: SnapshotDirectory { SnapshotDirectory(root: root) }
    private var uri: SnapshotURI { SnapshotURI("file://\(root)/uid/nonce") }

    private func folder(_ name: String) throws -> String {
        let path = "\(directory.path)/\(name)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    private func write(_ text: String, _ path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    private func read(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func everythingInTheDirectorySurvives() throws {
        let source = try folder("source")
        try FileManager.default.createDirectory(atPath: "\(source)/a/b/empty", withIntermediateDirectories: true)
        try write("hello", "\(source)/a/b/file")
        try write("", "\(source)/nothing")
        try write("#!/bin/sh\n", "\(source)/run")
        try FileManager.default.setAttributes([.posixPermissions: 0o750], ofItemAtPath: "\(source)/run")
        try FileManager.default.createSymbolicLink(atPath: "\(source)/link", withDestinationPath: "a/b/file")
        try FileManager.default.linkItem(atPath: "\(source)/a/b/file", toPath: "\(source)/hard")
        let large = Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) })
        try large.write(to: URL(fileURLWithPath: "\(source)/large"))
        try write("", "\(source)/sparse")
        let sparse = FileHandle(forWritingAtPath: "\(source)/sparse")
        try sparse?.seek(toOffset: 10_000_000)
        try sparse?.write(contentsOf: Data([1]))
        try sparse?.close()
        // What has no content to keep is left out.
        mkfifo("\(source)/pipe", 0o600)

        try snapshots.write(source, to: uri, actorUID: "uid")
        let target = try folder("target")
        try snapshots.read(uri, into: target)
        #expect(read("\(target)/a/b/file") == "hello" && read("\(target)/nothing") == "")
        #expect(FileManager.default.fileExists(atPath: "\(target)/a/b/empty"))
        #expect(FileManager.default.isExecutableFile(atPath: "\(target)/run"))
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "\(target)/link") == "a/b/file")
        #expect(read("\(target)/hard") == "hello")
        #expect(FileManager.default.contents(atPath: "\(target)/large") == large)
        #expect(FileManager.default.contents(atPath: "\(target)/sparse")?.count == 10_000_001)
        #expect(!FileManager.default.fileExists(atPath: "\(target)/pipe"))
    }

    /// The names in a directory, as bytes.
    private func names(in path: String) throws -> Set<[UInt8]> {
        let directory = try #require(opendir(path))
        defer { closedir(directory) }
        var names: Set<[UInt8]> = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in Array(bytes.prefix { $0 != 0 }) }
            if name != Array(".".utf8), name != Array("..".utf8) { names.insert(name) }
        }
        return names
    }

    @Test(.enabled(if: getuid() == 0, "giving files away needs root"))
    func filesBelongToWhomTheyDidOrToWhoeverIsNamed() throws {
        let source = try folder("source")
        try write("", "\(source)/file")
        #expect(lchown("\(source)/file", 4321, 1234) == 0)
        _ = try Archive.pack(source, into: "\(directory.path)/archive")
        func owner(_ owner: Archive.Owner) throws -> [UInt32] {
            let target = try folder("\(owner)")
            try Archive.unpack("\(directory.path)/archive", into: target, owner: owner)
            var status = stat()
            #expect(stat("\(target)/file", &status) == 0)
            return [status.st_uid, status.st_gid]
        }
        #expect(try owner(.packed) == [4321, 1234])
        #expect(try owner(.user(65_534)) == [65_534, 65_534])
        #expect(try owner(.us) == [0, 0])
    }

    @Test func namesThatAreNotTextAndDirectoriesThatAreNotASCIISurvive() throws {
        let source = try folder("Größe-数据/durable")
        let latin1 = Array("gr".utf8) + [0xf6, 0xdf] + Array("e".utf8)
        let utf8 = Array("größe".utf8)
        let combined = Array("gro\u{308}ße".utf8)
        for name in [latin1, utf8, combined] {
            let path = (Array("\(source)/".utf8) + name + [0]).map { CChar(bitPattern: $0) }
            let file = open(path, O_WRONLY | O_CREAT, 0o600)
            try #require(file >= 0)
            close(file)
        }
        let long = String(repeating: "ä", count: 120)
        try FileManager.default.createDirectory(atPath: "\(source)/\(long)", withIntermediateDirectories: true)
        try write("deep", "\(source)/\(long)/ü")
        try FileManager.default.createSymbolicLink(atPath: "\(source)/weg", withDestinationPath: "\(long)/ü")
        try snapshots.write(source, to: uri, actorUID: "uid")
        let target = try folder("Ziel-目标")
        try snapshots.read(uri, into: target)
        #expect(try names(in: target) == [latin1, utf8, combined, Array(long.utf8), Array("weg".utf8)])
        #expect(read("\(target)/weg") == "deep")
    }

    @Test func aSnapshotIsCompleteUnderItsNameOrNotThere() throws {
        let source = try folder("source")
        try write("x", "\(source)/file")
        let partial = "\(root)/uid/.nonce.partial"
        // What a writer that was killed has left is in nobody's way.
        try FileManager.default.createDirectory(atPath: partial, withIntermediateDirectories: true)
        try write("half", "\(partial)/durable.tar.zst")
        try snapshots.write(source, to: uri, actorUID: "uid")
        #expect(!FileManager.default.fileExists(atPath: partial))
        let names = try FileManager.default.contentsOfDirectory(atPath: "\(root)/uid/nonce").sorted()
        #expect(names == ["durable.tar.zst", "manifest.json"])
    }

    @Test func aMissingOrDamagedSnapshotSaysSo() throws {
        let target = try folder("target")
        let missing = #expect(throws: RuntimeFailure.self) { try snapshots.read(uri, into: target) }
        #expect(missing?.code == .failedPrecondition && missing?.reason.contains("\(uri)") == true)
        let source = try folder("source")
        try write(String(repeating: "content", count: 1000), "\(source)/file")
        try snapshots.write(source, to: uri, actorUID: "uid")
        let archive = "\(root)/uid/nonce/durable.tar.zst"
        var bytes = try #require(FileManager.default.contents(atPath: archive))
        try bytes.dropLast().write(to: URL(fileURLWithPath: archive))
        let truncated = #expect(throws: RuntimeFailure.self) { try snapshots.read(uri, into: target) }
        #expect(truncated?.code == .dataLoss)
        bytes[bytes.count / 2] ^= 0xff
        try bytes.write(to: URL(fileURLWithPath: archive))
        let flipped = #expect(throws: RuntimeFailure.self) { try snapshots.read(uri, into: target) }
        #expect(flipped?.code == .dataLoss)
        try FileManager.default.removeItem(atPath: "\(root)/uid/nonce/manifest.json")
        let incomplete = #expect(throws: RuntimeFailure.self) { try snapshots.read(uri, into: target) }
        #expect(incomplete?.code == .failedPrecondition)
    }

    @Test func snapshotsLieBelowTheirDirectory() throws {
        let source = try folder("source")
        for text in ["file:///etc/x/y", "file://\(root)/../x", "file://\(root)x/y", "gs://bucket/x", "\(root)/a/b", ""]
        {
            #expect(throws: RuntimeFailure.self, "\(text)") {
                try snapshots.write(source, to: SnapshotURI(text), actorUID: "uid")
            }
        }
    }

    @Test(arguments: ["../escaped", "/absolute-escaped", "a/../../escaped"]) func entriesThatWouldLandOutsideAreRefused(
        name: String
    ) throws {
        let target = try folder("target")
        let file = "\(directory.path)/evil.tar"
        try Data(TarFile.file(named: name)).write(to: URL(fileURLWithPath: file))
        #expect(throws: ArchiveError.self) { try Archive.unpack(file, into: target) }
        #expect(!FileManager.default.fileExists(atPath: "\(directory.path)/escaped"))
        #expect(!FileManager.default.fileExists(atPath: "/absolute-escaped"))
    }

    @Test func anEntryThroughALinkThatLeadsOutsideIsRefused() throws {
        let target = try folder("target")
        let outside = try folder("outside")
        let file = "\(directory.path)/evil.tar"
        try Data(TarFile.link(named: "way", to: outside) + TarFile.file(named: "way/file")).write(
            to: URL(fileURLWithPath: file))
        #expect(throws: ArchiveError.self) { try Archive.unpack(file, into: target) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: outside).isEmpty)
    }
}

/// Tar entries as an attacker would make them.
private enum TarFile {
    static func file(named name: String) -> [UInt8] { header(name, kind: "0") }
    static func link(named name: String, to target: String) -> [UInt8] { header(name, kind: "2", target: target) }

    private static func header(_ name: String, kind: Character, target: String = "") -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) {
            block.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
        }
        put(name, at: 0)
        put("0000644\0", at: 100)
        put("0000000\0", at: 108)
        put("0000000\0", at: 116)
        put("00000000000\0", at: 124)
        put("00000000000\0", at: 136)
        put("        ", at: 148)
        put(String(kind), at: 156)
        put(target, at: 157)
        put("ustar\u{0}00", at: 257)
        let sum = block.reduce(0) { $0 + Int($1) }
        let digits = String(sum, radix: 8)
        put(String(repeating: "0", count: 6 - digits.count) + digits + "\0 ", at: 148)
        return block
    }
}
