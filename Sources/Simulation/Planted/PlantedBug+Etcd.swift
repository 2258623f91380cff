import Etcd
import SubstrateModel
import SubstrateStore

extension PlantedBug {
    /// What a process with the bug sends instead.
    func tampering(with transaction: Transaction, _ model: EtcdModel) -> Transaction? {
        switch self {
        case .releaseWithoutPresence where transaction.comparesPresence,
            .releaseWhileDraining where transaction.comparesPresence:
            transaction.keeping { !$0.isPresenceCompare }
        case .releaseWithoutVersions where transaction.comparesPresence:
            transaction.keeping(\.isPresenceCompare)
        case .noAdoption where StepKind(transaction, model) == .adopt:
            // Somebody else always seems to have been faster.
            transaction.adding(Key("nobody/has/this").isPresent)
        default: nil
        }
    }
}

extension PlantedBug {
    /// What a process with the bug takes what it reads for.
    func misreading(_ response: RangeResponse) -> RangeResponse? {
        guard self == .releaseWhileDraining else { return nil }
        let pairs = response.pairs.filter { !$0.isDrainingPresence }
        return RangeResponse(
            revision: response.revision, pairs: pairs, hasMore: response.hasMore, count: response.count)
    }

    /// What a process with the bug takes an event for.
    func misreading(_ event: WatchEvent) -> WatchEvent? {
        guard self == .releaseWhileDraining, case .put(let pair, _) = event, pair.isDrainingPresence else { return nil }
        return .delete(pair.key, revision: pair.modRevision)
    }
}

extension KeyValue {
    /// Whether it is the presence of a worker that drains.
    fileprivate var isDrainingPresence: Bool {
        guard case .live = StepKind.keys.worker(key) else { return false }
        return (try? Codec.decode(self, as: Presence.self).value.isDraining) == true
    }
}

extension Transaction {
    fileprivate func keeping(_ isKept: (Compare) -> Bool) -> Transaction {
        rebuilt(conditions.filter(isKept))
    }

    fileprivate func adding(_ condition: Compare) -> Transaction { rebuilt(conditions + [condition]) }

    private func rebuilt(_ conditions: [Compare]) -> Transaction {
        let built = Transaction().when(conditions).then(success).otherwise(failure)
        return isGuarded ? built.guarded() : built
    }
}
