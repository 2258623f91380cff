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
    func misreading(_ response: RangeResponse, isNode: Bool, _ model: EtcdModel) -> RangeResponse? {
        let pairs: [KeyValue]
        switch self {
        case .releaseWhileDraining: pairs = response.pairs.filter { !$0.isDrainingPresence }
        case .incarnationUnchecked where isNode: pairs = response.pairs.map { $0.boundToWhoeverIsThere(model) }
        default: return nil
        }
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
    /// A binding as if it were to the incarnation that is there now.
    fileprivate func boundToWhoeverIsThere(_ model: EtcdModel) -> KeyValue {
        guard case .bound(let ref) = StepKind.keys.worker(key), let presence = model.pair(StepKind.keys.live(ref)),
            var binding = try? Codec.decode(self, as: Binding.self).value
        else { return self }
        binding.incarnation = Incarnation(presence.createRevision)
        return KeyValue(
            key: key, value: binding.record(after: Codec.magic), createRevision: createRevision,
            modRevision: modRevision, version: version, lease: lease)
    }

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
