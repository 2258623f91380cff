import Etcd
import Foundation
import LocalCluster
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

@testable import OperatorCLI

/// `get -w`, against a real control plane.
@Suite(.timeLimit(.minutes(1))) struct WatchTests {
    @Test func theTableComesFirstAndThenALineForEachChange() async throws {
        try await CLIHarness.run { cli in
            await cli.atectl("create actor alice --template template")
            try await cli.watching("get actors -w") { screen in
                try await eventually("the table") { screen.lines.count == 2 }
                #expect(screen.lines[0].hasPrefix("ATESPACE  TEMPLATE NS  TEMPLATE  ID     STATUS"))
                await cli.atectl("resume actor alice")
                try await eventually("alice runs") { screen.text.contains("STATUS_RUNNING") }
                await cli.atectl("suspend actor alice")
                await cli.atectl("delete actor alice")
                try await eventually("alice is gone") { screen.text.contains("DELETED") }
                let statuses = screen.lines.dropFirst().map { $0.split(separator: " ")[4] }
                #expect(
                    statuses == [
                        "STATUS_SUSPENDED", "STATUS_RESUMING", "STATUS_RUNNING", "STATUS_SUSPENDING",
                        "STATUS_SUSPENDED",
                        "DELETED",
                    ])
                // Every status stands in the column of the first one.
                let column = try #require(screen.lines[0].range(of: "STATUS")).lowerBound
                for line in screen.lines.dropFirst() {
                    let place = screen.lines[0].distance(from: screen.lines[0].startIndex, to: column)
                    #expect(line.dropFirst(place).hasPrefix("STATUS_") || line.dropFirst(place).hasPrefix("DELETED"))
                }
            }
        }
    }

    @Test func workersAreWatchedToo() async throws {
        try await CLIHarness.run(workers: 1) { cli in
            await cli.atectl("create actor alice --template template")
            try await cli.watching("get workers -w -o name") { screen in
                try await eventually("the worker") { !screen.lines.isEmpty }
                await cli.atectl("resume actor alice")
                await cli.atectl("suspend actor alice")
                // Bound, ready, in the hand of the suspend, and free again.
                try await eventually("its changes") { screen.lines.count == 5 }
                #expect(Set(screen.lines) == ["worker/default/pool/node-0"])
            }
        }
    }

    @Test func onlyWhatIsSelectedIsShownAndItIsGoneWhenItIsNotAnyMore() async throws {
        try await CLIHarness.run { cli in
            await cli.atectl("create actor big --template template --selector size=large")
            await cli.atectl("create actor small --template template --selector size=small")
            try await cli.watching("get actors -w -l size=large -o json") { screen in
                try await eventually("the state") { screen.lines.count == 1 }
                let request = UpdateActorRequest(actor: cli.cluster.fixture.ref("big"), workerSelector: Selector())
                _ = try await cli.call(ControlMethods.updateActor, request)
                try await eventually("it is not selected any more") { screen.lines.count == 2 }
                #expect(screen.lines[0].hasPrefix(#"{"type":"ADDED","object":{"actorId":"big""#))
                #expect(screen.lines[1].hasPrefix(#"{"type":"DELETED","object":{"actorId":"big""#))
            }
        }
    }

    @Test func oneActorIsWatchedByNameIfItIsThere() async throws {
        try await CLIHarness.run { cli in
            await cli.atectl("create actor alice --template template")
            await cli.atectl("create actor bob --template template")
            #expect(await cli.failure("get actor carol -w") == "atectl: actor \"carol\" not found\n")
            try await cli.watching("get actor bob -w -o name") { screen in
                await cli.atectl("resume actor alice")
                await cli.atectl("resume actor bob")
                try await eventually("bob runs") { screen.lines.count == 3 }
                #expect(Set(screen.lines) == ["actor/bob"])
            }
        }
    }

    /// What the documents of a watch tell of one actor: its versions, and how it ended.
    private struct Story {
        var versions: [Int] = []
        var isDeleted = false

        init(of name: String, _ lines: [String]) throws {
            for line in lines where line.contains("\"actorId\":\"\(name)\"") {
                let version = try #require(line.firstMatch(of: /"version":"([0-9]+)"/)).1
                if line.contains("\"type\":\"DELETED\"") {
                    isDeleted = true
                } else {
                    versions.append(try #require(Int(version)))
                }
            }
        }
    }

    @Test func nothingIsMissedOrToldTwiceWhenTheConnectionBreaks() async throws {
        try await CLIHarness.run { cli in
            try await cli.watching("get actors -A -w -o json") { screen in
                let names = (1...6).map { "a\($0)" }
                let direct = cli.direct
                for name in names {
                    await direct.atectl("create actor \(name) --template template")
                    if screen.text.isEmpty { try await eventually("the watch") { !screen.text.isEmpty } }
                    await direct.atectl("resume actor \(name)")
                    cli.proxy.cutAll()
                    await direct.atectl("suspend actor \(name)")
                    await direct.atectl("delete actor \(name)")
                }
                try await eventually("the last one is gone") { try Story(of: "a6", screen.lines).isDeleted }
                for name in names {
                    let story = try Story(of: name, screen.lines)
                    #expect(story.versions == Array(1...5) && story.isDeleted, "\(name): \(story)")
                }
                let complaints = screen.complaints.all.joined()
                #expect(complaints.contains("atectl: the watch broke off ("))
                #expect(complaints.contains("trying to take it up again"))
                #expect(complaints.contains("atectl: the watch goes on"))
            }
        }
    }

    @Test func whatTheHistoryDoesNotKeepIsFoundByComparing() async throws {
        try await TestEtcd.withServer { server in
            let store = Store(etcd: server.client(), keys: TestEtcd.uniqueKeys())
            try await CLIHarness.run(on: store) { cli in
                let direct = cli.direct
                for name in ["gone", "same", "changed"] {
                    await direct.atectl("create actor \(name) --template template")
                }
                try await cli.watching("get actors -w -o json") { screen in
                    try await eventually("the state") { screen.lines.count == 3 }
                    cli.proxy.set { $0.swallowsAll = true }
                    cli.proxy.cutAll()
                    await direct.atectl("delete actor gone")
                    await direct.atectl("resume actor changed")
                    await direct.atectl("create actor new --template template")
                    let revision = try await store.etcd.range(.key("nothing")).revision
                    try await server.client().compact(revision)
                    cli.proxy.set { $0.swallowsAll = false }
                    cli.proxy.cutAll()
                    try await eventually("the differences") { screen.lines.count == 6 }
                    let told = screen.lines.dropFirst(3).map { line in
                        String(
                            line.firstMatch(of: /"type":"([A-Z]+)","object":{"actorId":"([a-z]+)"/).map {
                                "\($0.1) \($0.2)"
                            } ?? line)
                    }
                    #expect(told == ["MODIFIED changed", "DELETED gone", "ADDED new"])
                }
            }
        }
    }

    @Test func aWatchThatCannotBeTakenUpAgainEnds() async throws {
        try await CLIHarness.run { cli in
            let screen = Screen()
            let terminal = screen.terminal(cli.environment)
            async let status = OperatorCLI.run(["get", "actors", "-w", "--timeout", "1s"], terminal)
            try await eventually("the table") { !screen.text.isEmpty }
            cli.proxy.stop()
            #expect(await status == 1)
            let complaints = screen.complaints.all
            #expect(complaints.first?.hasPrefix("atectl: the watch broke off") == true)
            #expect(complaints.last?.hasPrefix("atectl: the API at \(cli.proxy.endpoint) is unavailable") == true)
        }
    }
}
