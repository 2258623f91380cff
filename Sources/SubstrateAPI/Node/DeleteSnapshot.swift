internal import CMessages
package import GRPC
internal import Protobuf
package import SubstrateModel

/// Asks a node to remove an external snapshot.
package struct DeleteSnapshotRequest: Sendable, Equatable {
    package var snapshot: SnapshotURI

    package init(snapshot: SnapshotURI) { self.snapshot = snapshot }
}

extension DeleteSnapshotRequest: WireMessage {
    package init(_ message: Message) throws {
        snapshot = try message.unpack(Substrate__DeleteSnapshotRequest.self) {
            SnapshotURI(try $0.snapshot_uri_prefix.text("snapshot_uri_prefix"))
        }
    }

    package var message: Message {
        Message.packing(Substrate__DeleteSnapshotRequest.self) { $0.snapshot_uri_prefix = $1.bytes(snapshot.text) }
    }
}
