internal import GRPC
internal import HTTP
internal import SubstrateAPI
internal import SubstrateModel

/// Waits until every container of an actor answers its readiness probe with 200.
enum ReadyProbe {
    /// The reference's limit.
    static let limit: Duration = .seconds(30)
    private static let timeoutPerTry: Duration = .milliseconds(250)

    /// - Throws: `RuntimeFailure` when the time is up, when a process ends before, or when the task is cancelled.
    static func wait(for activation: Activation, _ sandbox: any Sandbox) async throws(RuntimeFailure) {
        let probes = activation.workload.containers.compactMap { container in
            container.readiness.map { (container.name, url($0, activation.address)) }
        }
        let outcome = await withTaskGroup(of: RuntimeFailure?.self) { group in
            group.addTask {
                let reason = await sandbox.waitForEnd() ?? "the start was given up"
                return RuntimeFailure(
                    .failedPrecondition, "\(reason) before the actor was ready", mayLieInWorker: true)
            }
            group.addTask {
                do throws(RuntimeFailure) {
                    for (name, url) in probes { try await poll(url, of: name) }
                    return nil
                } catch {
                    return error
                }
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
        if let outcome { throw outcome }
    }

    /// Port 80 stands for the port at which the actor is reached, which is another one where 80 needs privileges.
    private static func url(_ probe: Container.Readiness, _ address: ActorAddress) -> String {
        "http://\(address.ip):\(probe.port == 80 ? address.port : probe.port)\(probe.path)"
    }

    private static func poll(_ url: String, of container: String) async throws(RuntimeFailure) {
        let deadline = ContinuousClock.now + limit
        var pause: Duration = .milliseconds(1)
        var last = "no answer"
        while ContinuousClock.now < deadline {
            do throws(HTTPError) {
                let response = try await HTTPClient.send("GET", url, timeout: timeoutPerTry)
                if response.status == 200 { return }
                last = "status \(response.status)"
            } catch {
                last = "\(error)"
            }
            do { try await Task.sleep(for: pause) } catch { throw RuntimeFailure(.cancelled, "the start was given up") }
            pause = min(pause * 2, .milliseconds(20))
        }
        throw RuntimeFailure(
            .deadlineExceeded, "container \(container) was not ready after \(limit): \(last)", mayLieInWorker: true)
    }
}
