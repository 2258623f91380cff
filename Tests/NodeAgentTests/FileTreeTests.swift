import Foundation
import Glibc
import TestKit
import Testing

@testable import NodeAgent

/// Whatever an actor has made of its directory, it can be removed.
@Suite struct FileTreeTests {
    private let files = TemporaryDirectory()

    /// Directories one in the other, each reached from the last: deeper than a path can be.
    private func nest(_ depth: Int, in path: String) throws {
        let name = String(repeating: "d", count: 200)
        var current = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        for _ in 0..<depth {
            try #require(mkdirat(current, name, 0o700) == 0)
            let next = openat(current, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            close(current)
            current = next
            close(openat(current, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600))
        }
        close(current)
    }

    @Test func whatIsDeeperThanAPathCanBeIsRemoved() throws {
        let path = "\(files.path)/deep"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try nest(2000, in: path)
        // Names that it uses itself are in nobody's way.
        for name in [".moved-1", ".moved-2"] {
            try FileManager.default.createDirectory(atPath: "\(path)/\(name)/inner", withIntermediateDirectories: true)
        }
        try FileTree.remove(path)
        #expect(!FileTree.isThere(path))
        // What is not there is removed.
        try FileTree.remove(path)
    }

    @Test func directoriesWithoutRightsAndLinksAreRemovedAndWhatLinksLeadToIsNot() throws {
        let path = "\(files.path)/odd"
        let other = "\(files.path)/other"
        for directory in ["\(path)/a/b/c", other] {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        }
        try Data("kept".utf8).write(to: URL(fileURLWithPath: "\(other)/file"))
        try FileManager.default.createSymbolicLink(atPath: "\(path)/a/b/link", withDestinationPath: other)
        for directory in ["\(path)/a/b/c", "\(path)/a/b", "\(path)/a"] { chmod(directory, 0) }
        chmod(other, 0o755)
        try FileTree.remove(path)
        #expect(!FileTree.isThere(path))
        #expect(FileManager.default.contents(atPath: "\(other)/file") == Data("kept".utf8))
        var status = stat()
        #expect(stat(other, &status) == 0 && status.st_mode & 0o777 == 0o755)
    }
}
