import GRPC
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

@testable import OperatorCLI

/// `drain` and `undrain`, against a real control plane and a node.
@Suite(.timeLimit(.minutes(1))) struct DrainCommandTests {
    @Test func aNodeIsDrainedSaysSoAndComesBack() async throws {
        try await CLIHarness.run { cli in
            await cli.atectl("create actor alice --template template")
            await cli.atectl("resume actor alice")
            let said = await cli.atectl("drain node node").split(separator: "\n").sorted()
            #expect(said == (0...1).map { "worker \"default/pool/node-\($0)\" drained" })
            let alice = try await cli.cluster.fixture.current("alice").value
            #expect(alice.state == .suspended && alice.lastSnapshot != nil && alice.lastRecovery == nil)
            let rows = await cli.atectl("get workers").split(separator: "\n").dropFirst()
            #expect(rows.count == 2 && rows.allSatisfy { $0.contains("DRAINED") }, "\(rows)")
            let json = await cli.atectl("get worker node-0 -o json")
            #expect(json.contains("\"drainingUntilMs\": \""), "\(json)")
            #expect(await cli.atectl("describe worker node-0").contains("DRAINED"))
            #expect(await cli.failure("resume actor alice").contains("no free workers available"))
            // Again, and it is so already.
            #expect(await cli.atectl("drain node node --grace 1m").hasSuffix("\"default/pool/node-1\" drained\n"))
            #expect(await cli.atectl("undrain node node") == "node \"node\" takes actors again\n")
            #expect(await cli.atectl("uncordon node node") == "node \"node\" takes actors again\n")
            try await eventually("both are free") {
                await cli.atectl("get workers").split(separator: "\n").dropFirst().allSatisfy { $0.contains("FREE") }
            }
            await cli.atectl("resume actor alice")
        }
    }

    @Test func aWorkerIsDrainedAloneAndByItsNode() async throws {
        try await CLIHarness.run { cli in
            #expect(await cli.atectl("drain worker node-1") == "worker \"default/pool/node-1\" drained\n")
            #expect(
                await cli.atectl("drain worker/default/pool/node-1 --no-wait --pool default/pool")
                    == "worker \"default/pool/node-1\" is to be drained\n")
            #expect(await cli.atectl("get worker node-0").contains("FREE"))
            await cli.atectl("drain node node")
            // The order for the node is not taken back by taking back that for one of its workers.
            #expect(
                await cli.failure("undrain worker node-1")
                    == "atectl: worker default/pool/node-1 drains because all of node node does; undrain the node (FAILED_PRECONDITION)\n"
            )
            await cli.atectl("undrain node node")
            try await eventually("both are free") {
                await cli.atectl("get workers").split(separator: "\n").dropFirst().allSatisfy { $0.contains("FREE") }
            }
        }
    }

    @Test func whatIsNotDrainedInTimeIsNamedAndTheOrderStands() async throws {
        try await CLIHarness.run { cli in
            await cli.atectl("create actor alice --template template")
            await cli.atectl("resume actor alice")
            let gate = Gate()
            cli.node.runtime.beforeCheckpoint { await gate.pass() }
            let order = await cli.atectl("drain node node --no-wait --grace 10m")
            #expect(order.split(separator: "\n").count == 2)
            try await gate.waitForArrival()
            #expect(await cli.atectl("get workers").contains("DRAINING"))
            gate.open()
            try await eventually("all are drained") { await !cli.atectl("get workers").contains("DRAINING") }
        }
    }

    @Test func whatIsNotThereIsNotDrained() async throws {
        try await CLIHarness.run { cli in
            #expect(
                await cli.failure("drain node nowhere")
                    == "atectl: Node nowhere not found: it offers no worker (NOT_FOUND)\n")
            #expect(
                await cli.failure("drain node node --pool default/other")
                    == "atectl: Node node not found: it offers no worker of pool default/other (NOT_FOUND)\n")
            #expect(await cli.failure("drain worker nobody") == "atectl: Worker nobody not found\n")
            #expect(await cli.failure("undrain node nowhere").hasSuffix("(NOT_FOUND)\n"))
            #expect(
                await cli.failure("drain node node --grace 25h").contains("grace_ms must be between 1 and 86400000"))
            let orders = try await cli.cluster.store.listDrainOrders()
            #expect(orders.isEmpty)
        }
    }

    @Test func requestsThatNameNothingOrTooMuchAreInvalid() async throws {
        try await CLIHarness.run { cli in
            let worker = WorkerRef(pool: PoolRef(namespace: "default", name: "pool"), pod: "")
            let refused: [(DrainRequest, StatusCode)] = [
                (DrainRequest(target: nil), .invalidArgument),
                (DrainRequest(target: .worker(worker)), .invalidArgument),
                (DrainRequest(target: .node("", nil)), .invalidArgument),
                (DrainRequest(target: .node("node", PoolRef(namespace: "default", name: ""))), .invalidArgument),
                (DrainRequest(target: .node("../x", nil)), .notFound),
            ]
            for (request, code) in refused {
                let error = await #expect(throws: RPCError.self) { try await cli.call(OperatorMethods.drain, request) }
                #expect(error?.code == code, "\(request)")
            }
        }
    }

    @Test func theOrderForANodeThatIsAwayCanBeTakenBack() async throws {
        try await CLIHarness.run { cli in
            await cli.atectl("drain node node")
            cli.cluster.stop(cli.node)
            try await eventually("the node is away") { try await cli.cluster.store.listWorkers().live.isEmpty }
            #expect(await cli.atectl("undrain node node") == "node \"node\" takes actors again\n")
            #expect(try await cli.cluster.store.listDrainOrders().isEmpty)
        }
    }
}
