internal import Etcd
internal import Foundation
package import History
internal import LocalCluster

/// Changes of a store in a file, one behind the other. A history of hours does not fit into memory.
package enum HistoryFile {
    /// Appends changes.
    final class Writer {
        private let handle: FileHandle
        private var pending: [UInt8] = []

        init(path: String) throws {
            guard FileManager.default.createFile(atPath: path, contents: nil),
                let handle = FileHandle(forWritingAtPath: path)
            else { throw ClusterError("cannot write \(path)") }
            self.handle = handle
        }

        func append(_ change: Change) throws {
            pending.append(change.revision)
            pending.append(Int64(change.events.count))
            for event in change.events { append(event) }
            if pending.count > 1 << 16 { try flush() }
        }

        func flush() throws {
            try handle.write(contentsOf: Data(pending))
            pending.removeAll(keepingCapacity: true)
        }

        private func append(_ event: WatchEvent) {
            pending.append(bytes: event.key.bytes)
            guard case .put(let pair, _) = event else { return pending.append(Int64(0)) }
            pending.append(pair.version)
            pending.append(pair.createRevision)
            pending.append(pair.lease?.rawValue ?? 0)
            pending.append(bytes: pair.value)
        }
    }

    /// Reads changes.
    package struct Reader {
        private let handle: FileHandle
        private var buffer: ArraySlice<UInt8> = []

        package init(path: String) throws {
            guard let handle = FileHandle(forReadingAtPath: path) else { throw ClusterError("cannot read \(path)") }
            self.handle = handle
        }

        /// The next change; nil at the end.
        package mutating func next() throws -> Change? {
            if try !fill(8) { return nil }
            let revision = try number()
            let count = try number()
            var events: [WatchEvent] = []
            for _ in 0..<count { events.append(try event(at: revision)) }
            return Change(revision: revision, events: events)
        }

        private mutating func event(at revision: Int64) throws -> WatchEvent {
            let key = Key(bytes: try bytes())
            let version = try number()
            if version == 0 { return .delete(key, revision: revision) }
            let created = try number()
            let lease = try number()
            return .put(
                KeyValue(
                    key: key, value: try bytes(), createRevision: created, modRevision: revision, version: version,
                    lease: lease == 0 ? nil : LeaseID(lease)))
        }

        private mutating func number() throws -> Int64 {
            try require(8)
            let value = buffer.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            buffer = buffer.dropFirst(8)
            return Int64(bitPattern: value)
        }

        private mutating func bytes() throws -> [UInt8] {
            let count = Int(try number())
            try require(count)
            let bytes = Array(buffer.prefix(count))
            buffer = buffer.dropFirst(count)
            return bytes
        }

        private mutating func require(_ count: Int) throws {
            if try !fill(count) { throw ClusterError("the history ends in the middle of a change") }
        }

        /// Whether so many bytes are at hand.
        private mutating func fill(_ count: Int) throws -> Bool {
            while buffer.count < count {
                guard let more = try handle.read(upToCount: 1 << 18), !more.isEmpty else { return false }
                buffer = ArraySlice(Array(buffer) + Array(more))
            }
            return true
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ number: Int64) {
        let bits = UInt64(bitPattern: number)
        for shift in stride(from: UInt64(56), through: 0, by: -8) { append(UInt8(truncatingIfNeeded: bits >> shift)) }
    }

    fileprivate mutating func append(bytes: [UInt8]) {
        append(Int64(bytes.count))
        append(contentsOf: bytes)
    }
}
