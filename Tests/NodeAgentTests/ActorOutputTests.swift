import ServiceKit
import SubstrateAPI
import SubstrateModel
import TestKit
import Testing

@testable import NodeAgent

/// What is kept of an output, and how it reaches those who read it.
@Suite struct ActorOutputTests {
    private let output = ActorOutput(epoch: Epoch(7), workerPod: "node-0", wallClock: { 5 })

    private func write(_ text: String) { output.write(Array(text.utf8), .standardOutput, container: "main") }

    private func texts(_ lines: LogLines?) -> [String]? {
        lines?.lines.map { String(decoding: $0.text, as: UTF8.self) }
    }

    /// Everything that a reader gets, in order.
    private func rest(_ reader: ActorOutput.Reader) async -> [LogLine] {
        var lines: [LogLine] = []
        while let batch = await reader.next() { lines += batch.lines }
        return lines
    }

    @Test func aLineComesWithAllThatIsKnownOfIt() async throws {
        output.write([0x61, 0xff, 0x00, 0x62], .standardError, container: "side")
        let batch = try #require(await output.reader(follow: false).next())
        #expect(
            batch.lines == [
                LogLine(
                    timeMilliseconds: 5, source: .standardError, container: "side", text: [0x61, 0xff, 0x00, 0x62],
                    workerPod: "node-0")
            ])
        #expect(batch.position == LogPosition(epoch: Epoch(7), line: 1))
    }

    @Test func withoutFollowingItEndsAfterWhatIsKept() async {
        write("one")
        write("two")
        #expect(await rest(output.reader(follow: false)).count == 2)
        #expect(await rest(output.reader(tail: 1, follow: false)).map(\.text) == [Array("two".utf8)])
        #expect(await rest(output.reader(tail: 0, follow: false)) == [])
        #expect(await rest(output.reader(afterLine: 1, follow: false)).map(\.text) == [Array("two".utf8)])
        // A position that has not been reached.
        #expect(await rest(output.reader(afterLine: 99, follow: false)) == [])
    }

    @Test func theFirstAnswerComesAtOnceAlthoughThereIsNothing() async throws {
        write("before")
        let reader = output.reader(tail: 0, follow: true)
        let first = await reader.next()
        #expect(first == LogLines(lines: [], position: LogPosition(epoch: Epoch(7), line: 1)))
        write("after")
        let second = await reader.next()
        #expect(texts(second) == ["after"])
    }

    @Test func whoFollowsGetsLinesAsTheyComeAndThenTheEnd() async throws {
        let seen = Collected<String>()
        let reader = output.reader(follow: true)
        let reading = Task { [output] in
            while let batch = await reader.next() {
                for line in batch.lines { seen.append(String(decoding: line.text, as: UTF8.self)) }
            }
            return output.readerCount
        }
        for number in 1...3 {
            write("\(number)")
            try await eventually("line \(number)") { seen.all.count == number }
        }
        write("last")
        output.end()
        write("too late")
        _ = await reading.value
        #expect(seen.all == ["1", "2", "3", "last"])
    }

    @Test func theOldestLinesGoWhenItIsFullAndTheReaderHearsHowMany() async throws {
        let text = [UInt8](repeating: 0x78, count: 1000 - KeptLines.bytesPerLine)
        let kept = KeptLines.maximumBytes / 1000
        for _ in 0..<kept + 17 { output.write(text, .standardOutput, container: "main") }
        let lines = await rest(output.reader(follow: false))
        #expect(lines.count == kept + 1)
        let notice = try #require(lines.first)
        #expect(notice.source == .notice)
        #expect(
            String(decoding: notice.text, as: UTF8.self)
                == "[17 lines of output are missing here: the node keeps the last 512 KiB of an actor's output]")
        #expect(lines.dropFirst().allSatisfy { $0.source == .standardOutput })
        // Who wants fewer than are kept misses none of them.
        #expect(await rest(output.reader(tail: kept, follow: false)).allSatisfy { $0.source != .notice })
    }

    @Test func emptyLinesAreBoundedToo() async {
        for _ in 0..<100_000 { output.write([], .standardOutput, container: "main") }
        let lines = await rest(output.reader(follow: false))
        #expect(lines.count == KeptLines.maximumBytes / KeptLines.bytesPerLine + 1)
    }

    @Test func positionsCountEveryLineWhetherKeptOrNot() async throws {
        let reader = output.reader(follow: true)
        var numbers: [Int] = []
        var missed = 0
        for round in 0..<20 {
            for number in 0..<1000 { write("\(round * 1000 + number)" + String(repeating: ".", count: 500)) }
            // A slow reader: one batch for every thousand lines.
            let batch = try #require(await reader.next())
            for line in batch.lines {
                let text = String(decoding: line.text, as: UTF8.self)
                if line.source == .notice {
                    missed += try #require(Int(text.dropFirst().prefix { $0.isNumber }))
                } else {
                    numbers.append(try #require(Int(text.prefix { $0.isNumber })))
                }
            }
            #expect(Int(batch.position.line) == numbers.count + missed)
            #expect(numbers.last.map { $0 + 1 } == Int(batch.position.line))
        }
        output.end()
        let left = await rest(reader)
        #expect(left.count { $0.source != .notice } + numbers.count < 20_000)
        #expect(missed > 0)
        #expect(numbers == numbers.sorted())
    }

    @Test func aReaderThatDoesNotReadHoldsNobodyBack() async {
        let stuck = output.reader(follow: true)
        let before = ContinuousClock.now
        for number in 0..<100_000 { write("\(number)") }
        // Some hundred nanoseconds a line; a writer that waited for the reader would never end.
        #expect(ContinuousClock.now - before < .seconds(20))
        #expect(output.readerCount == 1)
        withExtendedLifetime(stuck) {}
    }

    @Test func whoLeavesIsForgotten() async throws {
        for _ in 0..<100 {
            let reader = output.reader(follow: true)
            _ = await reader.next()
            let waiting = Task { await reader.next() }
            waiting.cancel()
            #expect(await waiting.value == nil)
        }
        try await eventually("no reader is left") { output.readerCount == 0 }
    }
}
