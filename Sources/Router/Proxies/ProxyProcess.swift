internal import Foundation
internal import Glibc
internal import Processes
internal import ServiceKit

/// A proxy as a child process.
struct ProxyProcess: Sendable {
    /// Of the proxy, for the log.
    let name: String
    let program: String
    let arguments: [String]
    /// Looked at for changes.
    let files: [String]
    /// What to do when some of them have changed, beside telling the log.
    let reload: @Sendable (ChildProcess) throws -> Void

    /// How often the files are looked at.
    private static let interval: Duration = .seconds(2)

    func run(_ environment: Environment) async throws {
        let log = environment.log
        var command = Command(
            Self.path(of: program), arguments,
            environment: ["PATH": "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"],
            output: .lines { log.info("proxy", ["proxy": .string(name), "output": .string($0)]) })
        // Killed outright, nginx would leave its workers behind, with the port.
        command.deathSignal = SIGTERM
        let process = try await ChildProcess.start(command)
        let status = await withTaskGroup(of: ExitStatus?.self) { group in
            group.addTask { await process.wait() }
            group.addTask {
                await watch(process, environment)
                return nil
            }
            let status = await group.next() ?? nil
            group.cancelAll()
            return status
        }
        await process.stop(grace: .seconds(2))
        if let status, !Task.isCancelled { throw ProxyError("\(name) \(status); its reasons are in the log above") }
    }

    /// Returns when the task is cancelled.
    private func watch(_ process: ChildProcess, _ environment: Environment) async {
        var known = files.map(Self.stamp)
        while true {
            do { try await environment.clock.sleep(for: Self.interval) } catch { return }
            let now = files.map(Self.stamp)
            if now == known { continue }
            known = now
            environment.log.info("files have changed, the proxy reads them again", ["proxy": .string(name)])
            do { try reload(process) } catch {
                environment.log.error(
                    "the proxy cannot be given the new files", ["error": .string("\(error)")])
            }
        }
    }

    /// What changes when a file changes.
    private static func stamp(_ path: String) -> [Int] {
        var status = stat()
        guard stat(path, &status) == 0 else { return [] }
        return [Int(status.st_ino), Int(status.st_size), status.st_ctim.tv_sec, status.st_ctim.tv_nsec]
    }

    /// Ordinary users do not have the folder of Debian's nginx in their PATH.
    private static func path(of program: String) -> String {
        let known = "/usr/sbin/\(program)"
        return !program.contains("/") && FileManager.default.isExecutableFile(atPath: known) ? known : program
    }
}
