package import GRPC
internal import LocalCluster
internal import ServiceKit
package import SubstrateAPI
package import SubstrateModel
internal import Synchronization

/// What a router sees of ateapi, played by a test: resumes, the stream of workers, and the reports of what was served.
package final class PlayedAPI: Sendable {
    package typealias Resume = @Sendable (ActorRef) async throws -> ActorAddress

    private struct State {
        var revision: Int64 = 1
        var workers: [WorkerRef: WorkerInfo] = [:]
        var routers: [ActorRef: String] = [:]
        var reported: [ServedWorker] = []
        var resume: Resume
    }

    private let state: Mutex<State>
    private let listeners = Listeners()
    private let stopping = Signal()
    private let hasStopped = Shared(0)
    private let others: [ServerMethod]
    /// Calls of ResumeActor.
    package let resumes = Tally()
    /// Streams of workers that have been opened.
    package let streams = Tally()
    package let address: String

    /// - Parameter others: what it serves beside these.
    package init(
        others: [ServerMethod] = [], _ resume: @escaping Resume = { _ in throw Status(code: .notFound, message: "") }
    ) throws {
        self.others = others
        state = Mutex(State(resume: resume))
        address = "127.0.0.1:\(try FreePort.find())"
    }

    /// What becomes of resumes from now on.
    package func onResume(_ resume: @escaping Resume) { state.withLock { $0.resume = resume } }

    /// The actor runs there and is ready for requests; nowhere with nil.
    /// - Parameter router: that of its machine, also when it is resumed.
    package func place(
        _ actor: ActorRef, at address: ActorAddress?, behind router: String? = nil, isReady: Bool = true
    ) {
        state.withLock { state in
            state.revision += 1
            state.routers[actor] = router
            let ref = WorkerRef(pool: PoolRef(namespace: "n", name: "p"), pod: "of-\(actor.name)")
            state.workers[ref] = WorkerInfo(
                ref: ref, uid: "uid-of-\(actor.name)", node: "node", ip: address?.ip ?? "", port: address?.port ?? 0,
                version: state.revision, actor: address == nil ? nil : actor,
                template: TemplateRef(namespace: "n", name: "t"), isActorReady: isReady,
                routerAddress: router)
        }
        listeners.tell()
    }

    /// The workers that were reported to have served, in order.
    package var reported: [ServedWorker] { state.withLock { $0.reported } }

    /// Serves while `body` runs.
    package func serving<Result: Sendable>(_ body: () async throws -> Result) async throws -> Result {
        var options = ServerOptions()
        options.gracePeriod = .zero
        let server = try Server(address: address, credentials: .insecure, methods: methods, options: options)
        let run = { @Sendable [stopping] in
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await server.run() }
                group.addTask { for await _ in stopping.wakeUps { return } }
                await group.next()
                group.cancelAll()
            }
            self.hasStopped.withLock { $0 += 1 }
        }
        return try await running(run, body)
    }

    /// Ends what serves now, and returns when nothing does any more.
    package func stop() async throws {
        let before = hasStopped.current
        stopping.fire()
        try await eventually("ateapi has stopped") { hasStopped.current > before }
    }

    private var methods: [ServerMethod] {
        others + [
            ServerMethod(ControlMethods.resumeActor) { request, _ in
                self.resumes.add()
                let address = try await self.state.withLock { $0.resume }(request.actor)
                var answer = Self.answer(request.actor, at: address)
                answer.routerAddress = self.state.withLock { $0.routers[request.actor] }
                return ActorResponse(actor: answer)
            },
            ServerMethod(RouterMethods.reportServed) { request, _ in
                self.state.withLock { $0.reported += request.workers }
                return EmptyResponse()
            },
            .stream(WatchMethods.workers) { _, writer, _ in
                self.streams.add()
                var sent: [WorkerRef: WorkerInfo]?
                for await _ in self.listeners.changes {
                    let (revision, workers) = self.state.withLock { ($0.revision, $0.workers) }
                    let changed = workers.filter { sent?[$0.key] != $0.value }.values.sorted { $0.ref < $1.ref }
                    try await writer.send(
                        WorkersUpdate(revision: revision, isReset: sent == nil, workers: changed))
                    sent = workers
                }
            },
        ]
    }

    private static func answer(_ actor: ActorRef, at address: ActorAddress) -> ActorInfo {
        let worker = WorkerRef(pool: PoolRef(namespace: "n", name: "p"), pod: "of-\(actor.name)")
        return ActorInfo(
            ref: actor, version: 1, template: TemplateRef(namespace: "n", name: "t"), workerSelector: Selector(),
            status: .running, assignment: Assignment(worker: worker, uid: "u", address: address), lastSnapshot: nil,
            inProgressSnapshot: nil)
    }
}
