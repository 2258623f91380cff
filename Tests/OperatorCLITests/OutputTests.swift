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
        let text = Listing.actors([actor("bob", running: false), actor("alice", running: true)]).text("table")
        #expect(
            text == """
                ATESPACE  TEMPLATE NS  TEMPLATE  ID     STATUS            ATEOM POD         ATEOM IP   VERSION
                team      default      t         alice  STATUS_RUNNING    default/node-a-0  127.0.1.1  12
                team      default      t         bob    STATUS_SUSPENDED                               12

                """)
    }

    @Test func aTableWithoutRowsIsItsHeader() {
        #expect(Listing.atespaces([]).text("table") == "NAME\n")
    }

    @Test func jsonIsThatOfTheListMessageWithSortedKeysAndTextFor64Bits() {
        let text = Listing.actors([actor("bob", running: false)]).text("json")
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
        let listing = Listing.actors([paused])
        #expect(listing.text("table").contains("STATUS_PAUSED"))
        #expect(
            listing.text("json").contains(
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
        let listing = Listing.workers([worker("b", nil), worker("a", ActorRef(atespace: "team", name: "bob"))])
        #expect(
            listing.text("table") == """
                NAMESPACE  POOL   POD  STATUS    ASSIGNED ACTOR
                default    small  a    ASSIGNED  team/bob
                default    small  b    FREE

                """)
        #expect(listing.text("yaml").hasPrefix("workers:\n- actorAtespace: team\n  actorId: bob\n"))
    }
}
