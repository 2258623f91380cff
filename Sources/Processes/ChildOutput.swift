internal import Glibc

/// The pipes from a child, and what is made of what comes through them. Only the thread that watches the children uses it.
struct ChildOutput {
    private struct Pipe {
        /// -1 once all has been read.
        var descriptor: Int32
        var lines: LineSplitter
    }

    private static let bufferSize = 16 << 10
    private static let pipeSize = 64 << 10

    private var pipes: [Pipe] = []
    private let handler: (OutputEvent) -> Void

    /// What the child gets as its standard output and error; -1 for ours. To be closed once it has them.
    private(set) var childEnds: (output: Int32, error: Int32) = (-1, -1)

    /// - Returns: nil, with `errno` set, when there are no pipes to be had.
    init?(_ output: Command.Output) {
        switch output {
        case .inherit: handler = { _ in }
        case .lines(let handler):
            self.handler = { event in if let text = event.text { handler(text) } }
            // One for both, which keeps their order.
            guard let end = open(.standardOutput) else { return nil }
            childEnds = (end, end)
        case .events(let handler):
            self.handler = handler
            guard let output = open(.standardOutput) else { return nil }
            childEnds = (output, output)
            guard let error = open(.standardError) else {
                let reason = errno
                abandon()
                errno = reason
                return nil
            }
            childEnds.error = error
        }
    }

    private mutating func open(_ stream: OutputEvent.Stream) -> Int32? {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return nil }
        // The reader must not block; the child's end is an ordinary one. Children get no other descriptors than those that
        // are meant for them, so there is nothing to mark.
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        pipes.append(Pipe(descriptor: ends[0], lines: LineSplitter(stream, handler)))
        return ends[1]
    }

    /// What can be read from; at most two, and some may be -1.
    var descriptors: [Int32] { pipes.map(\.descriptor) }

    /// Closes our copies of the child's ends, so that reading comes to an end when the child's are closed.
    mutating func closeChildEnds() {
        let (output, error) = childEnds
        if output >= 0 { close(output) }
        if error >= 0, error != output { close(error) }
        childEnds = (-1, -1)
    }

    /// Nothing was started.
    mutating func abandon() {
        closeChildEnds()
        closeAll()
    }

    /// Reads once from the pipe. There may be more; the next turn comes to it, after the other children.
    mutating func read(_ index: Int) {
        withUnsafeTemporaryAllocation(byteCount: Self.bufferSize, alignment: 1) { buffer in
            let count = Glibc.read(pipes[index].descriptor, buffer.baseAddress, buffer.count)
            if count > 0 {
                pipes[index].lines.add(UnsafeRawBufferPointer(rebasing: buffer[..<count]), at: .now)
            } else if count == 0 {
                close(pipes[index].descriptor)
                pipes[index].descriptor = -1
            }
        }
    }

    /// Passes on what the child has said last: it is still in the pipe, and no more than a pipe holds. Who has left its group
    /// may still be writing, and is not waited for.
    mutating func finish() {
        for index in pipes.indices {
            for _ in 0..<Self.pipeSize / Self.bufferSize where pipes[index].descriptor >= 0 { read(index) }
            pipes[index].lines.end(at: .now)
        }
        closeAll()
        handler(.ended)
    }

    private mutating func closeAll() {
        for index in pipes.indices where pipes[index].descriptor >= 0 {
            close(pipes[index].descriptor)
            pipes[index].descriptor = -1
        }
    }
}
