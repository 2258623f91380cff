internal import Foundation
internal import GRPC
internal import Glibc
internal import Processes
internal import ServiceKit
package import SubstrateModel

extension ProcessRuntime {
    /// How long a trivial process may take from its start to its end, on a machine that is busy.
    private static let selfTestLimit = Duration.seconds(10)

    /// Does what every start needs: makes a directory, writes a file to it, finds the address free, and runs a
    /// process there, marked as those of actors are.
    package func selfTest(pod: String, address: ActorAddress?) async throws(RuntimeFailure) {
        // Epochs are revisions of etcd, which begin with 1.
        let place = directory.activation(pod: pod, epoch: Epoch(0))
        do throws(RuntimeFailure) {
            try await BlockingThread.result { () throws(RuntimeFailure) in
                do {
                    try place.create()
                    try Data("self-test".utf8).write(to: URL(fileURLWithPath: "\(place.durable)/file"))
                    try DurableDirectory.sync("\(place.durable)/file")
                } catch {
                    throw RuntimeFailure(.internal, "cannot write below \(place.path): \(error)")
                }
                if let address { try Self.checkIsFree(address) }
            }
            try await runTrivialProcess(in: place)
        } catch {
            await BlockingThread.result { place.remove() }
            throw error
        }
        await BlockingThread.result { place.remove() }
    }

    private func runTrivialProcess(in place: ActivationDirectory) async throws(RuntimeFailure) {
        let command = Command(
            "true",
            environment: [
                "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin",
                ActivationDirectory.variable: place.durable, Self.marker: directory.id,
            ],
            directory: place.durable)
        let process: ChildProcess
        do { process = try await ChildProcess.start(command) } catch { throw RuntimeFailure(.internal, "\(error)") }
        let status = await withTaskGroup(of: ExitStatus?.self) { group in
            group.addTask { await process.wait() }
            group.addTask {
                try? await Task.sleep(for: Self.selfTestLimit)
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
        await process.killAndWait()
        guard let status else {
            throw RuntimeFailure(.internal, "a process that does nothing has not ended within \(Self.selfTestLimit)")
        }
        guard status == .exited(code: 0) else {
            throw RuntimeFailure(.internal, "a process that does nothing \(status)")
        }
    }

    /// Somebody else's process at an actor's address would be taken for the actor.
    static func checkIsFree(_ address: ActorAddress) throws(RuntimeFailure) {
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = in_port_t(UInt16(truncatingIfNeeded: address.port).bigEndian)
        // Only IPv4 addresses of the machine are given to actors here.
        guard inet_pton(AF_INET, address.ip, &place.sin_addr) == 1 else { return }
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else {
            throw RuntimeFailure(.internal, "cannot open a socket: \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        // As servers do: connections that are just ending are no obstacle.
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout.size(ofValue: yes)))
        let result = withUnsafePointer(to: &place) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        // A privileged port may be one that this actor does not use.
        guard result == 0 || errno == EACCES else {
            throw RuntimeFailure(
                .internal, "the address \(address) cannot be used: " + String(cString: strerror(errno)),
                mayLieInWorker: true)
        }
    }
}
