import ControlAPI
import ControlPlane
import Etcd
import GRPC
import LocalCluster
import ServiceKit
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// Etcd goes away and comes back under the API.
@Suite struct APIOutageTests {
    @Test func anUnreachableEtcdIsUnavailableWithinTheDeadlineAndRecoversByItself() async throws {
        try await TestEtcd.withServer { etcd in
            let cluster = try await TestCluster(Store(etcd: etcd.client()))
            let server = try Server(
                address: "127.0.0.1:0", credentials: .insecure,
                methods: ControlServices(control: cluster.control).methods)
            let channel = Channel(target: "127.0.0.1:\(server.port)", credentials: .insecure)
            try await cluster.run {
                try await running(server.run) {
                    // Leases are short enough that the outage outlives them.
                    _ = try await cluster.addNode("node", workers: 1, leaseTimeToLive: .seconds(5))
                    _ = try await cluster.fixture.createActor("alice")
                    let ref = cluster.fixture.ref("alice")
                    await etcd.kill()
                    for timeout in [Duration.seconds(2), .seconds(8)] {
                        let error = await #expect(throws: RPCError.self) {
                            try await channel.call(
                                ControlMethods.getActor, GetActorRequest(actor: ref), timeout: timeout)
                        }
                        #expect(error?.code == .unavailable, "\(String(describing: error))")
                        #expect(error?.status.message.contains("etcd \(etcd.endpoint)") == true)
                    }
                    let resume = await #expect(throws: RPCError.self) {
                        try await channel.call(
                            ControlMethods.resumeActor, ResumeActorRequest(actor: ref), timeout: .seconds(4))
                    }
                    #expect(resume?.code == .unavailable)
                    // Whether the node still has its lease only etcd can tell.
                    try await eventually("the node freezes its actors") {
                        cluster.log.contains(.error, "the actors are frozen")
                    }
                    try await etcd.restart()
                    let actor = try await eventualValue("a resume succeeds again", within: .seconds(30)) {
                        try? await channel.call(
                            ControlMethods.resumeActor, ResumeActorRequest(actor: ref), timeout: .seconds(5)
                        ).actor
                    }
                    #expect(actor.status == .running)
                }
            }
        }
    }
}
