internal import Synchronization

/// What the snapshots take that are being written at the same time, so that each finds room beside the others.
final class SnapshotSpace: Sendable {
    struct Claim: Sendable {
        fileprivate let fileSystem: UInt64
        fileprivate let bytes: Int
    }

    /// In bytes, by file system.
    private let outstanding = Mutex<[UInt64: Int]>([:])

    /// Takes room for a draft. It is to be given back when the snapshot is written, or will not be. What has been written of
    /// the others already counts twice. Blocks.
    /// - Throws: `RuntimeFailure` when there is no room.
    func take(_ bytes: Int, for draft: SnapshotDraft) throws(RuntimeFailure) -> Claim {
        let claim = Claim(fileSystem: try draft.fileSystem(), bytes: bytes)
        let all = outstanding.withLock { outstanding in
            outstanding[claim.fileSystem, default: 0] += bytes
            return outstanding[claim.fileSystem] ?? bytes
        }
        do throws(RuntimeFailure) { try draft.reserve(all) } catch {
            giveBack(claim)
            throw error
        }
        return claim
    }

    func giveBack(_ claim: Claim) {
        outstanding.withLock { outstanding in
            let left = outstanding[claim.fileSystem, default: 0] - claim.bytes
            outstanding[claim.fileSystem] = left > 0 ? left : nil
        }
    }
}
