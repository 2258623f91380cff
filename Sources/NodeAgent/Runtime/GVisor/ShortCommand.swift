internal import GRPC
internal import Processes
internal import ServiceKit
internal import Synchronization

/// Programs that do one thing and end: what they were to do, and what they say when they cannot.
enum ShortCommand {
    /// What the tools of a node may take on a busy machine.
    static let limit = Duration.seconds(10)

    /// Runs a program to its end; ends it when the time is over or the task is cancelled.
    /// - Parameters:
    ///   - environment: the program's whole one; with `path` it finds the tools of an administrator.
    ///   - purpose: for the error: "cannot <purpose>: ...".
    ///   - isHeld: whether the time does not count just now, by the program's pid; nil for a program that nobody stops. Looked
    ///     at each second. It blocks.
    ///   - begun: called with the program's pid when it has been started. When it throws, the program is ended.
    /// - Returns: what it has written, at most 64 KiB.
    /// - Throws: `RuntimeFailure`.
    @discardableResult
    static func run(
        _ program: String, _ arguments: [String], environment: [String: String] = path, to purpose: String,
        within limit: Duration = limit, isHeld: (@Sendable (Int32) -> Bool)? = nil,
        begun: (Int32) async throws(RuntimeFailure) -> Void = { _ in }
    ) async throws(RuntimeFailure) -> String {
        let text = Mutex("")
        let command = Command(
            program, arguments, environment: environment,
            output: .lines { line in text.withLock { if $0.utf8.count < 64 << 10 { $0 += line + "\n" } } })
        let process: ChildProcess
        do { process = try await ChildProcess.start(command) } catch {
            throw RuntimeFailure(.internal, "cannot \(purpose): \(error)", mayLieInWorker: true)
        }
        do throws(RuntimeFailure) { try await begun(process.pid) } catch {
            await process.killAndWait()
            throw error
        }
        let status = await withTaskGroup(of: ExitStatus?.self) { group in
            group.addTask { await process.wait() }
            group.addTask {
                await passTime(limit, unless: { isHeld?(process.pid) ?? false })
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
        if status == nil { await process.killAndWait() }
        if Task.isCancelled { throw RuntimeFailure(.cancelled, "it was given up to \(purpose)") }
        guard let status else {
            throw RuntimeFailure(
                .deadlineExceeded, "cannot \(purpose): \(program) has not ended within \(limit)", mayLieInWorker: true)
        }
        let output = text.withLock { $0 }
        guard status == .exited(code: 0) else {
            let words = output.split(separator: "\n").first.map { ": \(shortened($0))" } ?? ""
            throw RuntimeFailure(
                .internal, "cannot \(purpose): \(program) \(status)\(words)", mayLieInWorker: true)
        }
        return output
    }

    /// Returns when so much time has passed that counts, or the task is cancelled.
    private static func passTime(_ limit: Duration, unless isHeld: @escaping @Sendable () -> Bool) async {
        var left = limit
        while left > .zero {
            let step = min(left, .seconds(1))
            do { try await Task.sleep(for: step) } catch { return }
            if await !BlockingThread.result(of: isHeld) { left -= step }
        }
    }

    /// What runsc says of an error begins and ends with it, and has all that it knows in between.
    private static func shortened(_ line: Substring) -> String {
        line.count <= 600 ? String(line) : "\(line.prefix(200)) ... \(line.suffix(400))"
    }

    /// A script whose parts are all to succeed, with its parameters.
    static func script(
        _ script: String, _ parameters: [String], to purpose: String
    ) async throws(RuntimeFailure) {
        try await run("/bin/sh", ["-ec", script, "sh"] + parameters, to: purpose)
    }

    static let path = ["PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"]
}
