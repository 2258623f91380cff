package import SubstrateModel

/// A value with the revisions under which it is stored.
package struct Stored<Value: Sendable & Equatable>: Sendable, Equatable {
    package var value: Value
    /// When the key was created.
    package var createRevision: Int64
    /// When it was last written: what a version check compares.
    package var modRevision: Int64
    /// Writes since the creation: what the API shows as version.
    package var version: Int64

    package init(value: Value, createRevision: Int64, modRevision: Int64, version: Int64) {
        self.value = value
        self.createRevision = createRevision
        self.modRevision = modRevision
        self.version = version
    }

    /// A value that has just been created.
    package static func created(_ value: Value, at revision: Int64) -> Stored {
        Stored(value: value, createRevision: revision, modRevision: revision, version: 1)
    }

    /// What this becomes when `value` is written over it.
    package func updated(_ value: Value, at revision: Int64) -> Stored {
        Stored(value: value, createRevision: createRevision, modRevision: revision, version: version + 1)
    }
}

extension Stored<Presence> {
    package var incarnation: Incarnation { Incarnation(createRevision) }
}

extension Stored<Binding> {
    package var epoch: Epoch { Epoch(createRevision) }
}

extension Stored<Operation> {
    package var token: OperationToken { OperationToken(createRevision) }
}
