/// A mistake that is made on purpose, to see that the simulation would find it. Each is made at a seam, between the code
/// under test and the world: none of it is in the product.
package enum PlantedBug: String, CaseIterable, Sendable {
    case undoWithoutReceipt = "undo-without-receipt"
    case epochStartedTwice = "epoch-started-twice"
    case questionWithoutFence = "question-without-fence"
    case incarnationUnchecked = "incarnation-unchecked"
    case noWatchdog = "no-watchdog"
    case presenceBeforeKill = "presence-before-kill"
    case releaseWithoutPresence = "release-without-presence"
    case releaseWhileDraining = "release-while-draining"
    case releaseWithoutVersions = "release-without-versions"
    case tokenUnchecked = "token-unchecked"
    case noAdoption = "no-adoption"
    case noOwnSweep = "no-own-sweep"
    case noNewRegistration = "no-new-registration"
    case unguardedRetry = "unguarded-retry"
    case watchFromCreatedHeader = "watch-from-created-header"
    case addressesForgotten = "addresses-forgotten"

    /// What is wrong.
    package var summary: String {
        switch self {
        case .undoWithoutReceipt: "a resume is undone without the node's receipt"
        case .epochStartedTwice: "a node starts an epoch a second time"
        case .questionWithoutFence: "a question neither moves the fence nor burns the epoch"
        case .incarnationUnchecked: "a node follows calls for another incarnation"
        case .noWatchdog: "nobody freezes the actors of an agent that is dead or stopped"
        case .presenceBeforeKill: "an agent registers its workers before it has killed old sandboxes"
        case .releaseWithoutPresence: "a release does not compare the presence"
        case .releaseWhileDraining: "a worker that drains is taken for lost while it lives"
        case .releaseWithoutVersions: "a release compares neither the actor nor the binding"
        case .tokenUnchecked: "a node does not check the operation's token"
        case .noAdoption: "nobody adopts abandoned operations"
        case .noOwnSweep: "a replica does not look after its own operations"
        case .noNewRegistration: "a worker is not registered anew when its ready sandbox has died"
        case .unguardedRetry: "a write that is not guarded is sent again"
        case .watchFromCreatedHeader: "a watch goes on from the revision that its creation was answered with"
        case .addressesForgotten: "an agent that is restarted gives the addresses again that it has given before"
        }
    }
}
