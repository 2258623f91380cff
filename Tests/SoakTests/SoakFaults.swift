import Etcd
import Glibc
import LocalCluster
import ServiceKit
import SubstrateModel
import SubstrateStore
import TestKit

/// What is done to a running system, until the time is over. Whoever is hit is put right again by the same hand.
struct SoakFaults: Sendable {
    let cluster: SoakCluster
    let settings: SoakSettings
    let recorder: HistoryRecorder
    let end: ContinuousClock.Instant
    let struck = Shared<[String: Int]>([:])

    private func strike(_ fault: String) { struck.withLock { $0[fault, default: 0] += 1 } }

    private func pause(_ chance: Chance, _ range: ClosedRange<Int>) async { await wait(chance.milliseconds(range)) }

    /// The length of a fault, or of the time between two, which ends with the run.
    private func wait(_ duration: Duration) async {
        let left = ContinuousClock.now.duration(to: end)
        if left > .zero { try? await Task.sleep(for: min(duration, left)) }
    }

    private var isOver: Bool { ContinuousClock.now >= end || Task.isCancelled }

    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await strikeEtcd() }
            group.addTask { try await strikeReplicas() }
            for half in 0..<2 {
                group.addTask { try await strikeNodes(half) }
            }
            group.addTask { await strikeConnections() }
            group.addTask { await compact() }
            try await group.waitForAll()
        }
    }

    private enum EtcdFault: CaseIterable { case kill, freeze }

    /// One member at a time, so that there is a majority.
    private func strikeEtcd() async throws {
        let chance = settings.chance("etcd")
        var faults = Deck(EtcdFault.allCases, chance)
        while !isOver {
            await pause(chance, 4000...8000)
            let member = chance.element(of: cluster.etcd.members)
            switch faults.draw() {
            case .kill:
                strike("etcd killed")
                await member.kill()
                await pause(chance, 200...2000)
                try await member.launchAgain()
            case .freeze:
                strike("etcd stopped and continued")
                try await member.pause()
                await pause(chance, 200...3000)
                member.resume()
            }
        }
    }

    private enum ReplicaFault: CaseIterable { case kill, freeze, stop }

    private func strikeReplicas() async throws {
        let chance = settings.chance("ateapi")
        var faults = Deck(ReplicaFault.allCases, chance)
        while !isOver {
            await pause(chance, 1500...4500)
            let program = chance.element(of: cluster.replicas).program
            switch faults.draw() {
            case .kill:
                strike("ateapi killed")
                await program.kill()
                await pause(chance, 0...2000)
            case .freeze:
                strike("ateapi stopped and continued")
                program.freeze()
                // Up to longer than its session.
                await pause(chance, 200...8000)
                program.thaw()
            case .stop:
                strike("ateapi ended in order")
                await program.stop()
            }
            try await program.start()
        }
    }

    private enum NodeFault: CaseIterable {
        case kill, freeze, freezeLong, drain, killWatchdog, freezeWatchdog, killActor
    }

    /// Two nodes each, one of them at a time, so that half of the workers can be used.
    private func strikeNodes(_ half: Int) async throws {
        let chance = settings.chance("atelet \(half)")
        var faults = Deck(NodeFault.allCases, chance)
        let nodes = Array(cluster.nodes[(half * 2)..<(half * 2 + 2)])
        while !isOver {
            await pause(chance, 2000...6000)
            let program = chance.element(of: nodes).program
            switch faults.draw() {
            case .kill:
                strike("atelet killed")
                await program.kill()
                await pause(chance, 0...3000)
            case .freeze:
                strike("atelet stopped and continued")
                program.freeze()
                await pause(chance, 200...3000)
                program.thaw()
            case .freezeLong:
                strike("atelet stopped beyond its lease")
                program.freeze()
                await pause(chance, 5000...8000)
                program.thaw()
            case .drain:
                strike("atelet drained")
                await program.stop()
                await pause(chance, 0...1000)
            case .killWatchdog: if program.signalChild(SIGKILL, isWatchdog: true) { strike("watchdog killed") }
            case .freezeWatchdog:
                guard program.signalChild(SIGSTOP, isWatchdog: true) else { continue }
                strike("watchdog stopped and continued")
                await pause(chance, 200...5000)
                _ = program.signalChild(SIGCONT, isWatchdog: true)
            case .killActor: if program.signalChild(SIGKILL, isWatchdog: false) { strike("actor killed") }
            }
            try await program.start()
        }
    }

    private enum ConnectionFault: CaseIterable { case cut, slow, deaf, cutOff, nodeCut, nodeSlow, nodeDeaf }

    private func strikeConnections() async {
        let chance = settings.chance("connections")
        var faults = Deck(ConnectionFault.allCases, chance)
        while !isOver {
            await pause(chance, 500...2000)
            let ways = chance.element(of: cluster.replicas.map(\.ways) + cluster.nodes.map(\.ways))
            let way = chance.element(of: ways)
            let entrance = chance.element(of: cluster.nodes).entrance
            switch faults.draw() {
            case .cut:
                strike("connections to etcd cut")
                for way in ways { way.cutAll() }
            case .slow:
                strike("connections to etcd slow")
                let delay = chance.milliseconds(20...300)
                for way in ways { way.set { $0.delay = delay } }
                await pause(chance, 500...2000)
                for way in ways { way.set { $0.delay = .zero } }
            case .deaf:
                strike("answers of etcd lost")
                await loseAnswers(way, chance)
            case .cutOff:
                strike("cut off from etcd")
                for way in ways { way.set { $0.swallowsAll = true } }
                await pause(chance, 500...6000)
                // What has a hole in it is of no use.
                for way in ways {
                    way.cutAll()
                    way.set { $0.swallowsAll = false }
                }
            case .nodeCut:
                strike("connections to a node cut")
                entrance.cutAll()
            case .nodeSlow:
                strike("connections to a node slow")
                let delay = chance.milliseconds(20...300)
                entrance.set { $0.delay = delay }
                await pause(chance, 500...2000)
                entrance.set { $0.delay = .zero }
            case .nodeDeaf:
                strike("answers of a node lost")
                await loseAnswers(entrance, chance)
            }
        }
    }

    private func loseAnswers(_ proxy: FaultProxy, _ chance: Chance) async {
        proxy.set { $0.swallowsResponses = true }
        await pause(chance, 100...1500)
        proxy.cutAll()
        proxy.set { $0.swallowsResponses = false }
    }

    /// Up to where the recorder is, or a little less: others may be far behind.
    private func compact() async {
        let chance = settings.chance("compaction")
        let client = cluster.etcd.client()
        while !isOver {
            await pause(chance, 1000...3000)
            let revision = recorder.revision - Int64(chance.number(in: 0..<50))
            if revision > 1, (try? await client.compact(revision)) != nil { strike("etcd compacted") }
        }
    }

    /// Every kind of fault that there is.
    static let kinds = [
        "etcd killed", "etcd stopped and continued", "ateapi killed", "ateapi stopped and continued",
        "ateapi ended in order", "atelet killed", "atelet stopped and continued", "atelet stopped beyond its lease",
        "atelet drained", "watchdog killed", "watchdog stopped and continued", "actor killed",
        "connections to etcd cut", "connections to etcd slow",
        "answers of etcd lost", "cut off from etcd", "connections to a node cut", "connections to a node slow",
        "answers of a node lost", "etcd compacted",
    ]
}
