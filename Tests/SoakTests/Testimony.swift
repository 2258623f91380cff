import Foundation
import History
import SubstrateModel
import SubstrateStore

/// What the history of etcd says of each claim of a worker, and of each snapshot.
struct Claims {
    struct Claim {
        var actorUID: String
        var worker: WorkerRef
        /// What the actor was to be started from; nil for its template.
        var source: Snapshot?
    }

    private(set) var claims: [Epoch: Claim] = [:]
    /// The claim under which each snapshot was taken that was confirmed.
    private(set) var origins: [Snapshot: Epoch] = [:]

    mutating func take(_ step: ActorStep) {
        if let snapshot = step.promoted, let epoch = step.epoch { origins[snapshot] = epoch }
        guard step.kind == .claimed, let actor = step.after?.value, let worker = step.worker, let epoch = step.epoch
        else { return }
        claims[epoch] = Claim(actorUID: actor.uid, worker: worker, source: source(of: actor))
    }

    private func source(of actor: Actor) -> Snapshot? {
        if let local = actor.localSnapshot, actor.lastFallback?.snapshot != local { return .local(local.name) }
        return actor.lastSnapshot.map { .external($0) }
    }

    /// The external ones among the confirmed snapshots.
    var externalSnapshots: [SnapshotURI] {
        origins.keys.compactMap { if case .external(let uri) = $0 { uri } else { nil } }
    }
}

/// The lives of one actor, as its processes have told of them: see the program `witness`.
struct Testimony {
    /// One start of the actor.
    private struct Life {
        /// Which life's count it found, and which count.
        var origin: Epoch
        var count: Int
        /// The last count that it was going to keep, and that it has kept.
        var intended: Int?
        var kept: Int?
    }

    let actorUID: String
    let claims: Claims
    private var lives: [Epoch: Life] = [:]
    private var current: Epoch?
    private(set) var violations: [Violation] = []

    init(actorUID: String, claims: Claims) {
        self.actorUID = actorUID
        self.claims = claims
    }

    /// How often the actor was started.
    var starts: Int { lives.count }

    /// Hears one line.
    mutating func take(_ line: Substring) {
        let words = line.split(separator: " ")
        let numbers = words.dropFirst().compactMap { Int64($0) }
        switch (words.first, numbers.count) {
        case ("start", 3): start(Epoch(numbers[0]), Epoch(numbers[1]), Int(numbers[2]))
        case ("will", 2), ("done", 2):
            let epoch = Epoch(numbers[0])
            if epoch != current, let current {
                report(.exclusion, epoch, "runs while the process of epoch \(current) runs: \(line)")
            }
            if words.first == "will" {
                lives[epoch]?.intended = Int(numbers[1])
            } else {
                lives[epoch]?.kept = Int(numbers[1])
            }
        default: report(.rows, current ?? Epoch(0), "says '\(line)', which nobody can understand")
        }
    }

    private mutating func start(_ epoch: Epoch, _ origin: Epoch, _ count: Int) {
        if lives[epoch] != nil { report(.exclusion, epoch, "was started twice") }
        if let current, epoch < current { report(.exclusion, epoch, "was started after epoch \(current)") }
        guard let claim = claims.claims[epoch], claim.actorUID == actorUID else {
            return report(.exclusion, epoch, "was started without a claim")
        }
        let found = (origin, count)
        if !isFit(found, for: claim.source) {
            report(.snapshots, epoch, "was to be started from \(claim.source?.text ?? "nothing") and found \(found)")
        }
        lives[epoch] = Life(origin: origin, count: count)
        current = epoch
    }

    /// Whether an actor that was started from the snapshot may have found this: what the snapshot's own life had kept when it
    /// was stopped, or, if it had not come to that, what it had itself been started from.
    private func isFit(_ found: (origin: Epoch, count: Int), for source: Snapshot?) -> Bool {
        guard let source else { return found == (Epoch(0), 0) }
        guard let epoch = claims.origins[source] else { return false }
        guard let life = lives[epoch] else { return isFit(found, for: claims.claims[epoch]?.source) }
        if let intended = life.intended, found.origin == epoch {
            return (life.kept ?? intended) <= found.count && found.count <= intended
        }
        return life.kept == nil && found == (life.origin, life.count)
    }

    private mutating func report(_ promise: Violation.Promise, _ epoch: Epoch, _ text: String) {
        violations.append(
            Violation(promise, at: epoch.revision, "actor \(actorUID), the process of epoch \(epoch) \(text)"))
    }
}
