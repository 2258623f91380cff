internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore
internal import Synchronization

extension WorkerSlot {
    /// Tests the worker after a start that has failed. When nothing can be started at all, ends the registration, and returns
    /// why.
    func withdrawUnlessFit() async -> String? {
        while !state.withLock({ $0.isClosed }) {
            let lapses = lease.lapses
            do throws(RuntimeFailure) {
                try await addresses.lending { (address) throws(RuntimeFailure) in
                    try await runtime.selfTest(pod: ref.pod, address: address)
                }
                return nil
            } catch {
                // A test that was frozen or interrupted has found nothing.
                if Task.isCancelled { return nil }
                guard lease.isGood, lease.lapses == lapses else {
                    guard await lease.waitUntilGood() else { return nil }
                    continue
                }
                end(.unfit(error.reason), because: error.reason)
                return error.reason
            }
        }
        return nil
    }
}
