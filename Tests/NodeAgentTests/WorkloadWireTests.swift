import SubstrateAPI
import SubstrateModel
import Testing

/// What the node is told of an actor, on the wire.
@Suite struct WorkloadWireTests {
    @Test func aWorkloadArrivesAsItWasSent() throws {
        var container = Container(
            name: "main", image: "rootfs:/srv/images/base", command: ["serve", "--port", "80"],
            environment: [Container.Variable(name: "A", source: .value("b=c"))],
            readiness: Container.Readiness(path: "/ready", port: 80))
        container.volumeMounts = [Container.VolumeMount(name: "data", path: "/var/data")]
        var rules = SandboxRules()
        rules.memory = 1 << 33
        rules.milliCPUs = 250
        rules.egress = [EgressRule(subnet: "10.0.0.0/8", transport: .udp, ports: [53])]
        let request = RunRequest(
            workerUID: "uid",
            workload: Workload(
                actor: ActorRef(atespace: "default", name: "alice"), actorUID: "actor-uid",
                template: TemplateRef(namespace: "default", name: "t"),
                containers: [container, Container(name: "other", command: ["true"])],
                sandboxRules: rules))
        #expect(try RunRequest(request.message) == request)
    }
}
