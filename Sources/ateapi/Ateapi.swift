import ControlAPI
import ControlPlane
import Etcd
import GRPC
import ProgramKit
import ServiceKit
import SubstrateModel
import SubstrateStore

@main
enum Ateapi {
    static func main() async {
        await Program.run(flags) { values, log in
            let environment = Environment.system(log: log)
            let root = try EtcdFlags.root(values)
            let store = Store(etcd: try EtcdFlags.client(values, log), keys: Keys(root: root))
            var options = ControlPlaneOptions()
            options.sweepInterval = try values.duration("sweep-interval")
            options.leaseTimeToLive = try values.duration("session-ttl")
            options.answerLimit = try values.duration("answer-limit")
            let nodes = GRPCNodeAgents(
                credentials: try TLSFlags.client("node", values),
                questionTimeout: try values.duration("question-timeout"), workTimeout: options.answerLimit)
            let control = ControlPlane(store: store, nodes: nodes, environment: environment, options: options)
            let address = try values.text("grpc-listen-addr")
            let credentials = try TLSFlags.server(values, clients: .verifiedIfGiven)
            try Loopback.check(
                address, isAllowedAnyway: values.isSet("insecure") || credentials != .insecure,
                flag: "--grpc-listen-addr")
            var serverOptions = ServerOptions()
            serverOptions.onCompleted = { call in CallLog.note(call, log) }
            let server = try Server(
                address: address, credentials: credentials, methods: ControlServices(control: control).methods,
                options: serverOptions)
            log.info(
                "serving", ["address": .string(address), "port": .integer(Int64(server.port)), "root": .string(root)])
            // On a stop, calls under way get their time before the workflows behind them are stopped.
            await withBackground {
                await withDiscardingTaskGroup { group in
                    group.addTask { await control.run() }
                    group.addTask { await DefaultAtespace.ensure(store, environment) }
                }
            } _: {
                await server.run()
            }
        }
    }

    private static var flags: Flags {
        var flags = Flags(
            program: "ateapi",
            summary:
                "The control plane: serves the API, places actors on workers, releases them from lost ones. Run two or more."
        )
        flags.text(
            "grpc-listen-addr", "ADDRESS", default: "127.0.0.1:7300",
            help:
                "Where the API is served, host:port; port 0 lets the system choose. Loopback only, unless there is TLS."
        )
        flags.toggle(
            "insecure", help: "Allows --grpc-listen-addr to be another address than loopback although there is no TLS.")
        TLSFlags.declareServer(
            in: &flags,
            clients:
                "Certificates of the authorities that clients' certificates have to come from, PEM. A client need not show one."
        )
        TLSFlags.declareClient("node", of: "a node", in: &flags)
        EtcdFlags.declare(in: &flags)
        flags.duration(
            "session-ttl", default: "5s",
            help:
                "How long the operations of this replica outlive it. Shorter makes others wait less when it dies, longer makes it more patient with an etcd that does not answer."
        )
        flags.duration(
            "sweep-interval", default: "30s",
            help:
                "How often all workers are listed although the watch on them is in order: servers of etcd have lost delete events."
        )
        flags.duration(
            "question-timeout", default: "2s",
            help: "How long a node may take to say what became of an actor; it answers such questions at once.")
        flags.duration(
            "answer-limit", default: "10m",
            help:
                "How long a node may stay without a final answer before its worker is given up. Longer than the slowest start of an actor."
        )
        Logging.declare(in: &flags)
        return flags
    }
}
