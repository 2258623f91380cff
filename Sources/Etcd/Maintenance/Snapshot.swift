internal import CMessages
internal import GRPC
internal import Protobuf

extension EtcdClient {
    /// Saves the whole database of one member to a file, from which `etcdctl snapshot restore` makes a cluster. The file gets its name only
    /// when it is complete and its hash is right; until then it is `<path>.part`.
    /// - Parameters:
    ///   - path: of the file. One that is there is replaced.
    ///   - endpoint: one of the client's endpoints; nil for the one that is in use.
    ///   - limit: how long it may take.
    /// - Returns: the size of the file in bytes.
    /// - Throws: `EtcdError`, with code `.damaged` when the hash is wrong and `.other` when the file cannot be written.
    @discardableResult
    public func saveSnapshot(
        to path: String, of endpoint: String? = nil, within limit: Duration = .seconds(600)
    ) async throws(EtcdError) -> Int64 {
        let member = try member(endpoint, "save snapshot")
        let headers = try await core.authenticator.headers(core)
        do {
            let file = try await SnapshotFile.onDisk { () throws(SnapshotFile.Failure) in try SnapshotFile(path: path) }
            let stream = try member.channel.stream(Procedure.snapshot.method, metadata: headers.any, timeout: limit)
            try await stream.send(Message.packing(Etcdserverpb__SnapshotRequest.self) { _, _ in })
            try await stream.finishSending()
            while let message = try await stream.receive() {
                let blob = try message.unpack(Etcdserverpb__SnapshotResponse.self) { $0.blob.array }
                try await SnapshotFile.onDisk { () throws(SnapshotFile.Failure) in try file.append(blob) }
            }
            return try await SnapshotFile.onDisk { () throws(SnapshotFile.Failure) in try file.finish() }
        } catch let error as RPCError {
            throw core.failure(error, "save snapshot", member, headers)
        } catch let error as SnapshotFile.Failure {
            throw EtcdError(error.isDamaged ? .damaged : .other, "save snapshot", member.endpoint, error.text)
        } catch {
            throw EtcdError(.other, "save snapshot", member.endpoint, "the answer cannot be read: \(error)")
        }
    }
}
