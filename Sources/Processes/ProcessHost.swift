internal import CSpawn
internal import Glibc
internal import ServiceKit
internal import Synchronization

/// The thread that starts all children, learns of their ends, and reads their output.
///
/// The kernel ties a child's life to the thread that started it, so this thread lives as long as the process. Threads of
/// Swift's concurrency come and go.
final class ProcessHost: Sendable {
    static let shared = ProcessHost()

    private typealias Request = @Sendable (inout Children) -> Void

    private let requests = Mutex<[Request]>([])
    /// A byte in this pipe says that there are requests.
    private let wakeUp: (read: Int32, write: Int32)

    /// What only the thread touches.
    private struct Children {
        var running: [Running] = []
    }

    private struct Running {
        var process: ChildProcess
        var pidDescriptor: Int32
        /// -1 when nothing is read, or all has been.
        var outputDescriptor: Int32
        var lines: LineSplitter
    }

    private init() {
        var descriptors: [Int32] = [-1, -1]
        // Without descriptors to spare no child can be started either; start() then says so.
        _ = pipe(&descriptors)
        for descriptor in descriptors { _ = fcntl(descriptor, F_SETFL, O_NONBLOCK) }
        wakeUp = (descriptors[0], descriptors[1])
        BlockingThread.start { [self] in watch() }
    }

    func start(_ command: Command) async throws(SpawnError) -> ChildProcess {
        let result: Result<ChildProcess, SpawnError> = await withUnsafeContinuation { continuation in
            requests.withLock { requests in
                requests.append { children in
                    continuation.resume(
                        returning: Result { () throws(SpawnError) in try ProcessHost.spawn(command, &children) })
                }
            }
            // A full pipe wakes the thread just as well.
            var byte: UInt8 = 1
            _ = write(wakeUp.write, &byte, 1)
        }
        return try result.get()
    }

    private func watch() {
        var children = Children()
        while true {
            var descriptors = [pollfd(fd: wakeUp.read, events: Int16(POLLIN), revents: 0)]
            for child in children.running {
                descriptors.append(pollfd(fd: child.pidDescriptor, events: Int16(POLLIN), revents: 0))
                descriptors.append(pollfd(fd: child.outputDescriptor, events: Int16(POLLIN), revents: 0))
            }
            _ = poll(&descriptors, nfds_t(descriptors.count), -1)
            for index in children.running.indices.reversed() {
                if descriptors[2 * index + 2].revents != 0 { ProcessHost.read(&children.running[index]) }
                if descriptors[2 * index + 1].revents != 0 {
                    ProcessHost.finish(&children.running[index])
                    children.running.remove(at: index)
                }
            }
            if descriptors[0].revents != 0 {
                var bytes = [UInt8](repeating: 0, count: 256)
                _ = Glibc.read(wakeUp.read, &bytes, bytes.count)
                let waiting = requests.withLock { requests in
                    defer { requests = [] }
                    return requests
                }
                for request in waiting { request(&children) }
            }
        }
    }

    private static func spawn(_ command: Command, _ children: inout Children) throws(SpawnError) -> ChildProcess {
        var output: [Int32] = [-1, -1]
        var lines = LineSplitter { _ in }
        if case .lines(let handler) = command.output {
            guard pipe(&output) == 0 else { throw SpawnError(command, errno) }
            // The reader must not block; the child's end is an ordinary one. Children get no other descriptors than
            // those that are meant for them, so there is nothing to mark.
            _ = fcntl(output[0], F_SETFL, O_NONBLOCK)
            lines = LineSplitter(handler)
        }
        var pid: pid_t = 0
        var pidDescriptor: Int32 = -1
        let environment = command.environment.map { "\($0.key)=\($0.value)" }.sorted()
        let error = withCStrings([command.program] + command.arguments) { arguments in
            withCStrings(environment) { environment in
                withOptionalCString(command.directory) { directory in
                    var request = cspawn_command(
                        path: arguments[0], arguments: arguments, environment: environment, directory: directory,
                        standard_output: output[1], standard_error: output[1],
                        death_signal: command.deathSignal)
                    return cspawn_start(&request, &pid, &pidDescriptor)
                }
            }
        }
        if output[1] >= 0 { close(output[1]) }
        guard error == 0 else {
            if output[0] >= 0 { close(output[0]) }
            throw SpawnError(command, error)
        }
        let process = ChildProcess(pid: pid)
        children.running.append(
            Running(process: process, pidDescriptor: pidDescriptor, outputDescriptor: output[0], lines: lines))
        return process
    }

    private static let bufferSize = 16 << 10

    /// Reads once. There may be more; the next turn comes to it, after the other children.
    private static func read(_ child: inout Running) {
        withUnsafeTemporaryAllocation(byteCount: bufferSize, alignment: 1) { buffer in
            let count = Glibc.read(child.outputDescriptor, buffer.baseAddress, buffer.count)
            if count > 0 {
                child.lines.add(UnsafeRawBufferPointer(rebasing: buffer[..<count]), at: .now)
            } else if count == 0 {
                close(child.outputDescriptor)
                child.outputDescriptor = -1
            }
        }
    }

    private static func finish(_ child: inout Running) {
        let pid = child.process.pid
        child.process.end {
            var status: Int32 = 0
            _ = cspawn_reap(pid, &status)
            let signal = status & 0x7f
            return signal == 0 ? .exited(code: Int(status >> 8) & 0xff) : .killed(signal: Int(signal))
        }
        close(child.pidDescriptor)
        if child.outputDescriptor >= 0 {
            // What it has said last is still in the pipe, and no more than a pipe holds. Who has left its group may still
            // be writing, and is not waited for.
            for _ in 0..<(64 << 10) / bufferSize where child.outputDescriptor >= 0 { read(&child) }
            if child.outputDescriptor >= 0 { close(child.outputDescriptor) }
        }
        child.lines.end(at: .now)
    }
}

extension SpawnError {
    fileprivate init(_ command: Command, _ error: Int32) {
        self.init(program: command.program, reason: String(cString: strerror(error)))
    }
}

private func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    var pointers = strings.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    return body(&pointers)
}

private func withOptionalCString<Result>(_ text: String?, _ body: (UnsafePointer<CChar>?) -> Result) -> Result {
    guard let text else { return body(nil) }
    return text.withCString { body($0) }
}
