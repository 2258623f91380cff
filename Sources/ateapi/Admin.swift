import ControlPlane
import Foundation
import ProgramKit
import ServiceKit
import SubstrateModel
import SubstrateStore

/// `ateapi admin`: what is done to the store itself, while no ateapi serves it.
enum Admin {
    /// Does what the arguments say and exits: 0 when it was done, 1 when not, 2 when they cannot be understood.
    static func main(_ arguments: [String]) async -> Never {
        do {
            switch try flags.parse(arguments) {
            case .help(let text): print(text, terminator: "")
            case .values(let values):
                guard values.operands == ["after-restore"] else {
                    throw FlagError("what is to be done? ateapi admin --help shows the commands")
                }
                try await afterRestore(values)
            }
            exit(0)
        } catch let error as FlagError {
            Program.fail("\(error)", code: 2)
        } catch {
            Program.fail("\(error)", code: 1)
        }
    }

    private static func afterRestore(_ values: Flags.Values) async throws {
        let log = Log.standardError(minimum: .warning)
        let store = Store(etcd: try EtcdFlags.client(values, log), keys: Keys(root: try EtcdFlags.root(values)))
        let report = try await AfterRestore(
            store: store, environment: .system(log: log), leaseLimit: try values.duration("lease-limit")
        ).run()
        let actors = ActorStatus.allCases.compactMap { status in
            report.actors[status].map { "\($0) \(status.rawValue)" }
        }
        print("generation \(report.generation); \(report.released) actors released from their workers")
        print("actors: \(actors.isEmpty ? "none" : actors.joined(separator: ", "))")
        print("Start atelet and ateapi now.")
    }

    private static var flags: Flags {
        var flags = Flags(
            program: "ateapi admin",
            summary: "Puts the store in order. To be run while neither ateapi nor atelet runs on it.",
            usage: """
                ateapi admin COMMAND [flags]

                Commands:
                  after-restore    once etcd has been restored from a backup: all actors are SUSPENDED at their last snapshot, or
                                   PAUSED, and what nodes remember of before counts no more
                """)
        EtcdFlags.declare(in: &flags)
        flags.duration(
            "lease-limit", default: "60s",
            help:
                "after-restore: how long to wait until the agents and replicas of the time of the backup have expired. Longer than the longest --lease-ttl and --session-ttl that were in use."
        )
        return flags
    }
}
