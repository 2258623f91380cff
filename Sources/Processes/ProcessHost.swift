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
        var output: ChildOutput
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
            submit { children in
                continuation.resume(
                    returning: Result { () throws(SpawnError) in try ProcessHost.spawn(command, &children) })
            }
        }
        return try result.get()
    }

    /// Returns when the thread takes up requests, or the task is cancelled.
    func answer() async {
        let promise = Promise<Void, Never>()
        submit { _ in promise.keep(.success(())) }
        _ = await promise.result()
    }

    private func submit(_ request: @escaping Request) {
        requests.withLock { $0.append(request) }
        // A full pipe wakes the thread just as well.
        var byte: UInt8 = 1
        _ = write(wakeUp.write, &byte, 1)
    }

    private func watch() {
        var children = Children()
        while true {
            var descriptors = [pollfd(fd: wakeUp.read, events: Int16(POLLIN), revents: 0)]
            for child in children.running {
                for descriptor in [child.pidDescriptor] + child.output.descriptors {
                    descriptors.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
                }
            }
            _ = poll(&descriptors, nfds_t(descriptors.count), -1)
            ProcessHost.serve(&children, descriptors.dropFirst().map { $0.revents != 0 })
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

    /// - Parameter isReady: for each child whether it has ended, and which of its pipes have something.
    private static func serve(_ children: inout Children, _ isReady: [Bool]) {
        var next = isReady.startIndex
        var ended: [Int] = []
        for index in children.running.indices {
            if isReady[next] { ended.append(index) }
            let pipes = children.running[index].output.descriptors.indices
            for pipe in pipes where isReady[next + 1 + pipe] { children.running[index].output.read(pipe) }
            next += 1 + pipes.count
        }
        for index in ended.reversed() {
            finish(&children.running[index])
            children.running.remove(at: index)
        }
    }

    private static func spawn(_ command: Command, _ children: inout Children) throws(SpawnError) -> ChildProcess {
        guard var output = ChildOutput(command.output) else { throw SpawnError(command, errno) }
        var pid: pid_t = 0
        var pidDescriptor: Int32 = -1
        let environment = command.environment.map { "\($0.key)=\($0.value)" }.sorted()
        let error = withCStrings([command.program] + command.arguments) { arguments in
            withCStrings(environment) { environment in
                withOptionalCString(command.directory) { directory in
                    var request = cspawn_command(
                        path: arguments[0], arguments: arguments, environment: environment, directory: directory,
                        standard_output: output.childEnds.output, standard_error: output.childEnds.error,
                        death_signal: command.deathSignal)
                    return cspawn_start(&request, &pid, &pidDescriptor)
                }
            }
        }
        guard error == 0 else {
            output.abandon()
            throw SpawnError(command, error)
        }
        output.closeChildEnds()
        let process = ChildProcess(pid: pid)
        children.running.append(Running(process: process, pidDescriptor: pidDescriptor, output: output))
        return process
    }

    private static func finish(_ child: inout Running) {
        // While the process is not reaped its id, and so its group's, cannot be given to others. Whoever is left of the group
        // says no more, and whoever waits for the end has heard all there was.
        child.process.signalGroup(SIGKILL)
        child.output.finish()
        let pid = child.process.pid
        child.process.end {
            var status: Int32 = 0
            _ = cspawn_reap(pid, &status)
            let signal = status & 0x7f
            return signal == 0 ? .exited(code: Int(status >> 8) & 0xff) : .killed(signal: Int(signal))
        }
        close(child.pidDescriptor)
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
