internal import Foundation
internal import ServiceKit

/// Where a node keeps what the next run of its agent has to know about addresses.
package protocol AddressLedger: Sendable {
    /// - Returns: nil when there has been no run yet.
    func read() async throws -> AddressRecord?
    /// Returns when it is kept for good.
    func write(_ record: AddressRecord) async throws
}

/// The parts of the range whose addresses may still be known to somebody.
package struct AddressRecord: Sendable, Equatable {
    /// How many parts a range has, and so how many runs can follow each other within the time of rest without waiting.
    package static let parts = 16

    /// The range that they are parts of, as text.
    package var range: String
    /// Their numbers in the order of their use.
    package var parts: [Int]

    package init(range: String, parts: [Int]) {
        self.range = range
        self.parts = parts
    }
}

/// The record in a file of the state directory: the range in the first line, one part in each other.
struct AddressFile: AddressLedger {
    let path: String

    func read() async throws -> AddressRecord? {
        try await BlockingThread.result {
            guard let data = FileManager.default.contents(atPath: path) else {
                // Only one that is not there says that nothing was given yet.
                guard FileManager.default.fileExists(atPath: path) else { return nil }
                throw FileError("cannot read \(path)")
            }
            let lines = String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
            // What cannot be understood is no range of ours, upon which all of it rests.
            return AddressRecord(range: lines.first ?? "", parts: lines.dropFirst().compactMap { Int($0) })
        }
    }

    func write(_ record: AddressRecord) async throws {
        let text = ([record.range] + record.parts.map { "\($0)" }).map { "\($0)\n" }.joined()
        try await BlockingThread.result {
            let new = "\(path).new"
            try Data(text.utf8).write(to: URL(fileURLWithPath: new))
            try DurableDirectory.sync(new)
            guard rename(new, path) == 0 else { throw FileError("rename", new) }
            try DurableDirectory.sync((path as NSString).deletingLastPathComponent)
        }
    }
}
