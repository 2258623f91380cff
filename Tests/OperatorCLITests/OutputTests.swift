import SubstrateAPI
import SubstrateModel
import Testing

@testable import OperatorCLI

@Suite struct OutputTests {
    private func actor(_ name: String, running: Bool) -> ActorInfo {
        let worker = WorkerRef(pool: PoolRef(namespace: "default", name: "small"), pod: "node-a-0")
        return ActorInfo(
            ref: ActorRef(atespace: "team", name: name), version: 12,
            template: TemplateRef(namespace: "default", name: "t"),
            workerSelector: Selector(), status: running ? .running : .suspended,
            assignment: running
                ? Assignment(worker: worker, uid: "u", address: ActorAddress(ip: "127.0.1.1", port: 80)) : nil,
            lastSnapshot: running ? nil : SnapshotURI("file:///s/u/1"), inProgressSnapshot: nil)
    }

    @Test func actorsAreATableSortedByName() {
        let text = View.actors.text([actor("bob", running: false), actor("alice", running: true)], as: .table)
        #expect(
            text == """
                ATESPACE  TEMPLATE NS  TEMPLATE  ID     STATUS            ATEOM POD         ATEOM IP   VERSION
                team      default      t         alice  STATUS_RUNNING    default/node-a-0  127.0.1.1  12
                team      default      t         bob    STATUS_SUSPENDED                               12

                """)
    }

    @Test func aTableWithoutRowsIsItsHeader() {
        #expect(View.atespaces.text([], as: .table) == "NAME\n")
    }

    @Test func jsonIsThatOfTheListMessageWithSortedKeysAndTextFor64Bits() {
        let text = View.actors.text([actor("bob", running: false)], as: .json)
        #expect(
            text == """
                {
                  "actors": [
                    {
                      "actorId": "bob",
                      "actorTemplateName": "t",
                      "actorTemplateNamespace": "default",
                      "atespace": "team",
                      "lastSnapshot": "file:///s/u/1",
                      "latestSnapshotInfo": {
                        "external": {
                          "snapshotUriPrefix": "file:///s/u/1"
                        },
                        "type": "SNAPSHOT_TYPE_EXTERNAL"
                      },
                      "status": "STATUS_SUSPENDED",
                      "version": "12"
                    }
                  ]
                }

                """)
    }

    @Test func aPausedActorShowsItsLocalSnapshotBesideTheExternalOne() {
        var paused = actor("bob", running: false)
        paused.status = .paused
        paused.localSnapshot = LocalSnapshotInfo(prefix: "u/2", nodes: ["node-a"])
        #expect(View.actors.text([paused], as: .table).contains("STATUS_PAUSED"))
        #expect(
            View.actors.text([paused], as: .json).contains(
                """
                      "lastSnapshot": "file:///s/u/1",
                      "latestSnapshotInfo": {
                        "local": {
                          "nodeVmsWithLocalSnapshots": [
                            "node-a"
                          ],
                          "snapshotPrefix": "u/2"
                        },
                        "type": "SNAPSHOT_TYPE_LOCAL"
                      },
                      "status": "STATUS_PAUSED",
                """))
    }

    @Test func workersShowWhatTheyHold() {
        let pool = PoolRef(namespace: "default", name: "small")
        func worker(_ pod: String, _ actor: ActorRef?) -> WorkerInfo {
            WorkerInfo(
                ref: WorkerRef(pool: pool, pod: pod), uid: "u", node: "n", ip: "127.0.1.1", version: 1, actor: actor,
                template: nil)
        }
        let workers = [worker("b", nil), worker("a", ActorRef(atespace: "team", name: "bob"))]
        #expect(
            View.workers.text(workers, as: .table) == """
                NAMESPACE  POOL   POD  STATUS    ASSIGNED ACTOR
                default    small  a    ASSIGNED  team/bob
                default    small  b    FREE

                """)
        #expect(View.workers.text(workers, as: .yaml).hasPrefix("workers:\n- actorAtespace: team\n  actorId: bob\n"))
    }

    @Test func aWideTableHasWhatTheOthersHaveAndMore() {
        let narrow = View.actors.text([actor("alice", running: true)], as: .table)
        let wide = View.actors.text([actor("alice", running: true)], as: .wide)
        for word in narrow.split(whereSeparator: \.isWhitespace) { #expect(wide.contains(word)) }
        #expect(wide.contains("POOL") && wide.contains("small") && !narrow.contains("POOL"))
    }

    @Test func namesCanBeGivenToCommands() {
        #expect(
            View.actors.text([actor("bob", running: false), actor("alice", running: true)], as: .name)
                == "actor/alice\nactor/bob\n")
        let pool = WorkerPool(ref: PoolRef(namespace: "ns", name: "small"), replicas: 1, sandboxClass: .process)
        #expect(View.pools.text([pool], as: .name) == "pool/ns/small\n")
    }

    @Test func onlyTheWordOfTheStateIsColoured() {
        let text = View.actors.text([actor("alice", running: true)], as: .table, coloured: true)
        #expect(text.contains("\u{1B}[32mSTATUS_RUNNING\u{1B}[0m"))
        #expect(text.split(separator: "\u{1B}").count == 3)
        // The columns stand where they do without it.
        let plain = View.actors.text([actor("alice", running: true)], as: .table)
        #expect(text.replacing(/\x1B\[[0-9]*m/, with: "") == plain)
    }

    @Test func laterRowsOfATableStandUnderTheOthers() {
        var table = Table(["NAME", "STATE", "N"])
        #expect(table.text([["alice", "up", "1"]]) == "NAME   STATE  N\nalice  up     1\n")
        #expect(table.text([["bo", "down", "12"]], withHeader: false) == "bo     down   12\n")
        #expect(table.text([["francisco", "up", "1"]], withHeader: false) == "francisco  up     1\n")
        #expect(table.text([["bo", "up", "1"]], withHeader: false) == "bo         up     1\n")
    }
}
