import Etcd
import History
import LocalCluster
import TestKit
import Testing

/// A history is whole, or the recorder says that it is not.
@Suite struct HistoryRecorderTests {
    private let directory = TemporaryDirectory()

    @Test func everyRevisionIsRecordedAlsoAcrossACompaction() async throws {
        try await TestEtcd.withServer { server in
            let etcd = server.client()
            let path = "\(directory.path)/history"
            let recorder = HistoryRecorder(server.client(), path: path)
            try await running(recorder.run) {
                try await etcd.put("a", [1])
                _ = try await etcd.transaction(Transaction().then(.put("a", [2]), .put("b", [])))
                try await recorder.catchUp()
                try await etcd.compact(recorder.revision)
                let lease = try await etcd.grantLease(timeToLive: .seconds(60)).id
                try await etcd.put("c", [3], lease: lease)
                _ = try await etcd.transaction(Transaction().then(.delete("a")))
                try await recorder.catchUp()
            }
            var reader = try HistoryFile.Reader(path: path)
            var changes: [Change] = []
            while let change = try reader.next() { changes.append(change) }
            #expect(changes.map(\.revision) == [2, 3, 4, 5])
            #expect(changes.map { $0.events.map(\.key) } == [["a"], ["a", "b"], ["c"], ["a"]])
            guard case .put(let pair, _) = changes[2].events[0] else { throw ClusterError("a put") }
            #expect(pair.value == [3] && pair.createRevision == 4 && pair.version == 1 && pair.lease != nil)
            guard case .delete = changes[3].events[0] else { throw ClusterError("a deletion") }
        }
    }

    @Test func aRecorderThatHasNotKeptUpSaysSo() async throws {
        try await TestEtcd.withServer { server in
            let etcd = server.client()
            for number in 0..<5 { try await etcd.put("a", [UInt8(number)]) }
            try await etcd.compact(4)
            let recorder = HistoryRecorder(etcd, path: "\(directory.path)/history")
            let error = await #expect(throws: ClusterError.self) { try await recorder.run() }
            #expect(error?.description.contains("did not keep up") == true)
        }
    }
}
