internal import Foundation
internal import Glibc
internal import Synchronization

/// Writes lines to a file, a pipe or a socket from any thread, without ever waiting for whoever reads them and without ending the
/// program when nobody can.
///
/// A line goes out at once where there is room. Otherwise it waits with those behind it for a thread of its own, up to a bound;
/// what is lost is counted, and said when lines can be written again.
package final class LineWriter: Sendable {
    /// That of this process.
    package static let standardError = LineWriter(STDERR_FILENO)

    private let descriptor: Int32
    private let maximumWaiting: Int
    private let state = Mutex(State())

    private struct State {
        var waiting: [[UInt8]] = []
        var bytes = 0
        var isDraining = false
        var lost = 0
    }

    /// - Parameter maximumWaiting: bytes of lines that wait.
    package init(_ descriptor: Int32, maximumWaiting: Int = 1 << 20) {
        self.descriptor = descriptor
        self.maximumWaiting = maximumWaiting
    }

    /// Lines that could not be written since that was last said.
    package var lost: Int { state.withLock { $0.lost } }

    /// Writes the line, which ends in a newline, now or later.
    package func write(_ line: String) {
        let line = Array(line.utf8)
        let needsThread = state.withLock { state in
            if state.waiting.isEmpty, !state.isDraining {
                switch writeAtOnce(line, state.lost) {
                case .done:
                    state.lost = 0
                    return false
                case .failed:
                    state.lost += 1
                    return false
                case .later: break
                }
            }
            guard state.bytes + line.count <= maximumWaiting else {
                state.lost += 1
                return false
            }
            state.waiting.append(line)
            state.bytes += line.count
            defer { state.isDraining = true }
            return !state.isDraining
        }
        if needsThread { Thread { self.drain() }.start() }
    }

    /// Waits until what waits is written, for so long at most: for the end of the program.
    package func flush(within limit: Duration = .seconds(1)) {
        let end = ContinuousClock.now + limit
        while state.withLock({ $0.isDraining }), ContinuousClock.now < end { usleep(1000) }
    }

    private enum Outcome {
        case done, later, failed
    }

    /// Pipes take so many bytes whole or not at all, and are said to have room only if there is so much.
    private static let atomic = 4096

    private func writeAtOnce(_ line: [UInt8], _ lost: Int) -> Outcome {
        let text = Self.note(lost) + line
        guard text.count <= Self.atomic else { return .later }
        var event = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard poll(&event, 1, 0) == 1 else { return .later }
        let count = text.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        if count == text.count { return .done }
        return count < 0 && (errno == EAGAIN || errno == EINTR) ? .later : .failed
    }

    private static func note(_ lost: Int) -> [UInt8] {
        lost == 0 ? [] : Array(#"{"level":"warn","msg":"lines of this log were lost","count":\#(lost)}"#.utf8) + [10]
    }

    /// Runs on a thread of its own, which may block.
    private func drain() {
        while true {
            let next = state.withLock { state -> (text: [UInt8], lines: Int)? in
                guard !state.waiting.isEmpty else {
                    state.isDraining = false
                    return nil
                }
                let text = Self.note(state.lost) + state.waiting.joined()
                let lines = state.waiting.count + state.lost
                state.waiting = []
                state.bytes = 0
                state.lost = 0
                return (text, lines)
            }
            guard let next else { return }
            if !writeWhole(next.text) { state.withLock { $0.lost += next.lines } }
        }
    }

    private func writeWhole(_ bytes: [UInt8]) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                done += count
            } else if count < 0, errno == EAGAIN {
                var event = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&event, 1, 1000)
            } else if count == 0 || errno != EINTR {
                return false
            }
        }
        return true
    }
}
