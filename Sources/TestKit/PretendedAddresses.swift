package import NodeAgent
internal import Synchronization

extension AddressRange {
    /// Addresses for actors of tests.
    package static var pretended: AddressRange {
        guard let range = AddressRange(subnet: "127.91.0.0/16", port: 80) else { preconditionFailure("it is a subnet") }
        return range
    }
}

/// What a node keeps of addresses, for as long as a test holds it.
package final class AddressNotes: AddressLedger {
    private let record: Mutex<AddressRecord?>

    package init(_ record: AddressRecord? = nil) { self.record = Mutex(record) }

    package var now: AddressRecord? { record.withLock { $0 } }

    package func read() async throws -> AddressRecord? { now }

    package func write(_ record: AddressRecord) async throws { self.record.withLock { $0 = record } }
}
