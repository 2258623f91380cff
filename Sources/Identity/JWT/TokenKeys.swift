/// Where the keys come from that tokens are verified with.
protocol TokenKeys: Sendable {
    /// The issuer's keys; those of the latest knowledge if the named one is not among them.
    /// - Throws: `Problem` when there are none.
    func keys(forID id: String) async throws(Problem) -> KeySet
}

/// A JSON Web Key Set in a file, read again when it changes.
struct KeyFile: TokenKeys {
    let file: ReloadingFile<KeySet>

    func keys(forID id: String) async throws(Problem) -> KeySet { file.current }
}
