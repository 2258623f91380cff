/// One life of the store. Restoring a backup of etcd rewinds every revision, and all fences are revisions; a new generation
/// says that those of before mean nothing any more.
package struct Generation: Sendable, Equatable {
    /// Random: a number that counts up would be rewound with the rest, and so could come twice.
    package var id: String
    /// Unix time in milliseconds by the clock of who raised it.
    package var raisedAtMilliseconds: Int64
    package var unknownFields = UnknownFields()

    package init(id: String, raisedAtMilliseconds: Int64) {
        self.id = id
        self.raisedAtMilliseconds = raisedAtMilliseconds
    }
}
