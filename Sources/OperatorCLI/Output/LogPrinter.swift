internal import Foundation
internal import SubstrateAPI

/// Writes the output of an actor as it is, and the remarks in between to standard error.
struct LogPrinter: Sendable {
    let terminal: Terminal
    let showsTime: Bool
    let showsPlace: Bool

    func show(_ lines: [LogLine]) throws {
        var bytes: [UInt8] = []
        for line in lines {
            guard line.source == .notice else {
                bytes += head(of: line).utf8
                bytes += line.text
                bytes.append(UInt8(ascii: "\n"))
                continue
            }
            // At its place among the lines, as far as the two go to one screen.
            if !bytes.isEmpty { try terminal.writeBytes(bytes) }
            bytes = []
            terminal.complain("atectl: \(head(of: line))\(String(decoding: line.text, as: UTF8.self))\n")
        }
        if !bytes.isEmpty { try terminal.writeBytes(bytes) }
    }

    private func head(of line: LogLine) -> String {
        var head = ""
        if showsTime {
            let time = Date(timeIntervalSince1970: Double(line.timeMilliseconds) / 1000)
            head += time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)) + " "
        }
        if showsPlace {
            head += line.container.isEmpty ? "[\(line.workerPod)] " : "[\(line.workerPod) \(line.container)] "
        }
        return head
    }
}
