import Etcd
import GRPC
import NodeAgent
import ServiceKit
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// `atelet.AteomHerder` and `substrate.Node` over real gRPC, with pretended actors.
@Suite struct NodeServiceTests {
    let fixture: StoreFixture
    let runtime = InstantRuntime()

    init() async throws { fixture = try await StoreFixture(TestEtcd.store()) }

    private static let methods = [
        "/atelet.AteomHerder/Run", "/atelet.AteomHerder/Restore", "/atelet.AteomHerder/Checkpoint",
        "/substrate.Node/Status", "/substrate.Node/Stop", "/substrate.Node/Logs",
    ]

    /// A node of one worker, and a channel to it.
    func serve(_ body: (Channel, WorkerSlot) async throws -> Void) async throws {
        let slots = WorkerSlots()
        let options = NodeOptions(
            node: "node", pool: fixture.pool.ref, workers: 1, addresses: .pretended,
            agentAddress: "here:1", leaseTimeToLive: .seconds(60), leaseMargin: .seconds(12))
        let agent = NodeAgent(
            options: options, slots: slots, store: fixture.store, runtime: runtime,
            watchdog: InstantWatchdog(runtime), environment: .test(), bootID: "boot", directoryID: "directory",
            addressLedger: AddressNotes())
        let server = try Server(
            address: "127.0.0.1:0", credentials: .insecure,
            methods: NodeServices(slots: slots, sandboxClass: .process).methods)
        try await running(agent.run) {
            try await running(server.run) {
                let slot = try await eventualValue("the worker is registered") { slots.all.first }
                try await body(Channel(target: "127.0.0.1:\(server.port)", credentials: .insecure), slot)
            }
        }
    }

    func run(_ slot: WorkerSlot, _ change: (inout Workload) -> Void = { _ in }) -> RunRequest {
        var workload = Workload(
            actor: fixture.ref("alice"), actorUID: "uid-alice", template: fixture.template.ref,
            containers: fixture.template.containers)
        change(&workload)
        return RunRequest(workerUID: slot.presence.value.uid, workload: workload)
    }

    func claim(_ slot: WorkerSlot) async throws -> Claim {
        _ = try await fixture.createActor("alice")
        return try await fixture.resuming(
            "alice", on: StoreFixture.Worker(ref: slot.ref, presence: slot.presence, lease: LeaseID(1)))
    }

    private func failure<Request, Response>(
        _ channel: Channel, _ rpc: RPC<Request, Response>, _ request: Request, _ metadata: Metadata
    ) async -> Status? {
        do {
            _ = try await channel.call(rpc, request, metadata: metadata, timeout: .seconds(20))
            return nil
        } catch {
            return error.status
        }
    }

    private let anyFences = Fences(incarnation: Incarnation(1), epoch: Epoch(1), operation: OperationToken(1))

    @Test func bytesThatAreNoRequestAreRefusedAndTheServerLivesOn() async throws {
        try await serve { channel, slot in
            // A length that goes beyond the end; a varint without one; a wire type that does not exist; a number where
            // the worker's uid should be; a uid that is not UTF-8.
            let broken: [[UInt8]] = [
                [0x0a, 0x7f, 0x61], [0x08, 0xff], [0x0f, 0x01], [0x08, 0x01], [0x0a, 0x01, 0xff],
            ]
            for path in Self.methods {
                for bytes in broken {
                    let error = await #expect(throws: RPCError.self, "\(path) \(bytes)") {
                        try await channel.unary(
                            Method(path), Message(bytes), metadata: anyFences.metadata, timeout: .seconds(20))
                    }
                    #expect(error?.code == .invalidArgument, "\(path) \(bytes) \(String(describing: error))")
                }
            }
            let claim = try await claim(slot)
            let response = try await channel.call(
                NodeMethods.run, run(slot), metadata: claim.fences.metadata, timeout: .seconds(20))
            #expect(
                response.receipt
                    == Receipt(epoch: claim.binding.epoch, state: .running, address: runtime.addresses.first))
        }
    }

    @Test(arguments: ["ate-incarnation", "ate-epoch", "ate-operation"])
    func aCallWithoutOneOfTheFencesIsRefused(_ missing: String) async throws {
        try await serve { channel, slot in
            for value in [nil, "", "0", "-1", "x", "1.5", "99999999999999999999"] as [String?] {
                var metadata = Metadata()
                metadata.entries = anyFences.metadata.entries.filter { $0.key != missing }
                if let value { metadata.append(missing, value) }
                for status in [
                    await failure(channel, NodeMethods.run, run(slot), metadata),
                    await failure(
                        channel, NodeMethods.status, StatusRequest(workerUID: slot.presence.value.uid), metadata),
                ] {
                    #expect(status?.code == .invalidArgument)
                    #expect(
                        status?.message
                            == "the metadata ate-incarnation, ate-epoch and ate-operation must be positive numbers")
                }
            }
            #expect(runtime.started.isEmpty)
        }
    }

    @Test func requestsThatBreakARuleSayWhichOne() async throws {
        try await serve { channel, slot in
            let metadata = anyFences.metadata
            func expect(_ message: String, _ change: (inout Workload) -> Void) async {
                let status = await failure(channel, NodeMethods.run, run(slot, change), metadata)
                #expect(status?.code == .invalidArgument && status?.message.contains(message) == true)
            }
            await expect("invalid actor default/../x") { $0.actor.name = "../x" }
            await expect("invalid actor /alice") { $0.actor.atespace = "" }
            await expect(".command must name a program") { $0.containers[0].command = [] }
            await expect("must be printable ASCII") { $0.containers[0].environment = [.init(name: "A=B", value: "")] }
            await expect(".readyz.httpGet.port") { $0.containers[0].readiness = .init(path: "/", port: 0) }
            func checkpoint(_ snapshot: String, _ content: SnapshotContent?) async -> Status? {
                let request = CheckpointRequest(
                    workerUID: slot.presence.value.uid, workload: run(slot).workload,
                    snapshot: .external(SnapshotURI(snapshot)), content: content)
                return await failure(channel, NodeMethods.checkpoint, request, metadata)
            }
            #expect(await checkpoint("", .data)?.message == "external_config.snapshot_uri_prefix is required")
            #expect(await checkpoint("file:///s/1", nil)?.message == "scope is required")
            #expect(await checkpoint("file:///s/1", .full)?.code == .failedPrecondition)
            #expect(runtime.started.isEmpty)
        }
    }

    /// Requests for local snapshots as bytes: field 9 is the type, 10 the local configuration, 11 the external one.
    @Test func aLocalSnapshotIsAskedForByANameThatCanBeNoPath() async throws {
        func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] { [number << 3 | 2, UInt8(bytes.count)] + bytes }
        try await serve { channel, slot in
            func message(_ path: String, _ bytes: [UInt8]) async -> String {
                let error = await #expect(throws: RPCError.self) {
                    try await channel.unary(
                        Method(path), Message(bytes), metadata: anyFences.metadata, timeout: .seconds(20))
                }
                #expect(error?.code == .invalidArgument, "\(path)")
                return error?.status.message ?? ""
            }
            for path in ["/atelet.AteomHerder/Checkpoint", "/atelet.AteomHerder/Restore"] {
                for name in [
                    "../uid-alice", "uid-alice/..", "/etc/passwd", "uid-alice", "uid-alice/1/2", "a/B", "a/.b",
                ] {
                    let config = field(10, field(1, Array(name.utf8)))
                    let text = await message(path, [9 << 3, 1] + config)
                    #expect(text.hasPrefix("local_config.snapshot_prefix must be"), "\(name)")
                }
                let missing = "local_config.snapshot_prefix is required"
                #expect(await message(path, [9 << 3, 1]) == missing)
                #expect(await message(path, [9 << 3, 1] + field(10, [])) == missing)
                // The configuration of the other kind.
                #expect(await message(path, [9 << 3, 1] + field(11, field(1, Array("file:///s".utf8)))) == missing)
                let external = field(10, field(1, Array("uid-alice/1".utf8)))
                #expect(
                    await message(path, [9 << 3, 2] + external) == "external_config.snapshot_uri_prefix is required")
            }
            let stranger = CheckpointRequest(
                workerUID: slot.presence.value.uid, workload: run(slot).workload,
                snapshot: .local(try #require(LocalSnapshotName("uid-bob/1"))), content: .data)
            let status = await failure(channel, NodeMethods.checkpoint, stranger, anyFences.metadata)
            #expect(
                status?.message == "local_config.snapshot_prefix must begin with the uid of the actor, uid-alice")
        }
    }

    @Test func aPauseAndTheResumeFromItGoOverTheWire() async throws {
        try await serve { channel, slot in
            let worker = StoreFixture.Worker(ref: slot.ref, presence: slot.presence, lease: LeaseID(1))
            let resume = try await claim(slot)
            _ = try await channel.call(
                NodeMethods.run, run(slot), metadata: resume.fences.metadata, timeout: .seconds(20))
            _ = try await fixture.store.confirmRunning(resume, at: fixture.address)
            let pause = try await fixture.pausing("alice", on: worker)
            let name = try #require(LocalSnapshotName("uid-alice/next"))
            let checkpoint = CheckpointRequest(
                workerUID: slot.presence.value.uid, workload: run(slot).workload, snapshot: .local(name), content: .data
            )
            let receipt = try await channel.call(
                NodeMethods.checkpoint, checkpoint, metadata: pause.fences.metadata, timeout: .seconds(20)
            ).receipt
            #expect(receipt == Receipt(epoch: pause.binding.epoch, state: .checkpointed(.local(name))))
            _ = try await fixture.store.finishPause(pause, snapshot: name)
            runtime.localSnapshots.remove(name)
            let again = try await fixture.resuming("alice", on: worker)
            let restore = RestoreRequest(
                workerUID: slot.presence.value.uid, workload: run(slot).workload, snapshot: .local(name), content: .data
            )
            let status = try #require(await failure(channel, NodeMethods.restore, restore, again.fences.metadata))
            #expect(status.code == .notFound)
            #expect(Receipt(trailer: status.metadata) == Receipt(epoch: again.binding.epoch, state: .noSnapshot))
        }
    }

    @Test func aWorkerThatIsNotKnownMayBeInAMoment() async throws {
        try await serve { channel, _ in
            let status = await failure(
                channel, NodeMethods.status, StatusRequest(workerUID: "nobody"), anyFences.metadata)
            #expect(status?.code == .unavailable)
            #expect(status.flatMap { Receipt(trailer: $0.metadata) } == nil)
        }
    }

    @Test func aFailedStartBringsItsReceiptInTheTrailer() async throws {
        try await serve { channel, slot in
            let claim = try await claim(slot)
            runtime.failStarts(with: RuntimeFailure(.failedPrecondition, "no such program"))
            let status = try #require(
                await failure(channel, NodeMethods.run, run(slot), claim.fences.metadata))
            #expect(status.code == .failedPrecondition && status.message == "no such program")
            // Field 1, the state: 2 is "not running"; field 2, the epoch.
            let bytes = try #require(status.metadata.binary("ate-receipt-bin"))
            #expect(bytes.prefix(3) == [0x08, 0x02, 0x10])
            #expect(Receipt(trailer: status.metadata) == Receipt(epoch: claim.binding.epoch, state: .notRunning))
        }
    }

    @Test func beingRefusedAsOldIsNotAReceipt() async throws {
        try await serve { channel, slot in
            let claim = try await claim(slot)
            _ = try await channel.call(
                NodeMethods.status, StatusRequest(workerUID: slot.presence.value.uid),
                metadata: claim.fences.metadata, timeout: .seconds(20))
            let status = try #require(
                await failure(channel, NodeMethods.run, run(slot), claim.fences.metadata))
            #expect(status.code == .aborted)
            #expect(Receipt(trailer: status.metadata) == nil)
        }
    }
}
