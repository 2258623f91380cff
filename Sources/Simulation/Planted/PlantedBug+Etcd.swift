import Etcd
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
