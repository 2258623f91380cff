import Foundation
import Glibc
import ServiceKit
import Synchronization
import TestKit
import Testing

/// Lines that nobody can be told, or that somebody reads slowly, cost neither the program nor the time of who writes them.
@Suite struct LineWriterTests {
    private func pipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [0, 0]
        try #require(Glibc.pipe(&ends) == 0)
        return (ends[0], ends[1])
    }

    private func everything(from descriptor: Int32) -> [Substring] {
        String(
            decoding: FileHandle(fileDescriptor: descriptor, closeOnDealloc: true).readDataToEndOfFile(), as: UTF8.self
        )
        .split(separator: "\n")
    }

    @Test func linesComeInOrderAlsoFromAReaderThatLags() throws {
        let (read, write) = try pipe()
        let writer = LineWriter(write)
        // Far more than a pipe holds, and lines that are larger than what it takes at once.
        let long = String(repeating: "x", count: 5000)
        for number in 0..<2000 { writer.write("\(number)\(number % 100 == 0 ? long : "")\n") }
        let lines = Mutex<[Substring]>([])
        let reader = Thread { lines.withLock { $0 = everything(from: read) } }
        reader.start()
        writer.flush(within: .seconds(30))
        close(write)
        while !reader.isFinished { usleep(1000) }
        let numbers = lines.withLock { $0.map { Int($0.prefix { $0.isNumber }) } }
        #expect(numbers == Array(0..<2000) && writer.lost == 0)
    }

    @Test func whatIsBeyondTheBoundIsLostAndSaidLater() throws {
        let (read, write) = try pipe()
        let writer = LineWriter(write, maximumWaiting: 1000)
        let line = String(repeating: "y", count: 99) + "\n"
        var written = 0
        while writer.lost < 10, written < 100_000 {
            writer.write(line)
            written += 1
        }
        #expect(writer.lost == 10)
        let lines = Mutex<[Substring]>([])
        let reader = Thread { lines.withLock { $0 = everything(from: read) } }
        reader.start()
        writer.flush(within: .seconds(30))
        writer.write("last\n")
        writer.flush(within: .seconds(30))
        close(write)
        while !reader.isFinished { usleep(1000) }
        lines.withLock { lines in
            #expect(lines.last == "last")
            #expect(lines.count { $0.contains(#""msg":"lines of this log were lost","count":10"#) } == 1)
            #expect(lines.count == written - 10 + 2)
        }
    }

    @Test func aReaderThatIsGoneAndADiskThatIsFullEndNothing() throws {
        // As the programs do.
        signal(SIGPIPE, SIG_IGN)
        let (read, write) = try pipe()
        close(read)
        let full = open("/dev/full", O_WRONLY | O_CLOEXEC)
        for descriptor in [write, full] {
            let writer = LineWriter(descriptor)
            for _ in 0..<3 { writer.write("a line\n") }
            writer.flush()
            #expect(writer.lost == 3)
            close(descriptor)
        }
    }
}
