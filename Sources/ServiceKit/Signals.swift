internal import Glibc
internal import Synchronization

/// SIGTERM and SIGINT as a stream, so that a program can stop in order.
///
/// The handler writes the signal's number to a pipe, which is all that a handler may do; a thread reads it.
package enum Signals {
    nonisolated(unsafe) private static var writeEnd: Int32 = -1  // Written once, before the handlers are installed.

    /// The signals that ask the program to stop, as they come. To be called once.
    package static func stopRequests() -> AsyncStream<Int32> {
        var descriptors: [Int32] = [-1, -1]
        guard pipe(&descriptors) == 0 else { return AsyncStream { $0.finish() } }
        writeEnd = descriptors[1]
        let readEnd = descriptors[0]
        for number in [SIGTERM, SIGINT] {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { number in
                var byte = UInt8(truncatingIfNeeded: number)
                _ = Glibc.write(Signals.writeEnd, &byte, 1)
            }
            action.sa_flags = SA_RESTART
            sigaction(number, &action, nil)
        }
        // A peer that goes away is an error of the write, not the end of the program.
        signal(SIGPIPE, SIG_IGN)
        let (stream, continuation) = AsyncStream.makeStream(of: Int32.self, bufferingPolicy: .bufferingNewest(4))
        BlockingThread.start {
            var byte: UInt8 = 0
            while true {
                let count = Glibc.read(readEnd, &byte, 1)
                if count == 1 { continuation.yield(Int32(byte)) } else if count == 0 || errno != EINTR { return }
            }
        }
        return stream
    }
}

/// A thread for what blocks, and therefore may not run on the threads of Swift's concurrency.
package enum BlockingThread {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Runs `body` on a new thread, which ends with it.
    /// - Returns: false when the system gives no thread.
    @discardableResult
    package static func start(_ body: @escaping @Sendable () -> Void) -> Bool {
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(Body(body)).toOpaque()
        let error = pthread_create(
            &thread, nil,
            { argument in
                if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
                return nil
            }, argument)
        guard error == 0 else {
            Unmanaged<Body>.fromOpaque(argument).release()
            return false
        }
        pthread_detach(thread)
        return true
    }

    /// Runs `body` on a new thread and waits for its result without blocking the caller's.
    package static func result<Value: Sendable, Failure: Error>(
        of body: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let result: Result<Value, Failure> = await withUnsafeContinuation { continuation in
            let run = { @Sendable in continuation.resume(returning: Result { () throws(Failure) in try body() }) }
            // Where there are no more threads a slow caller is better than one that waits for ever.
            if !start(run) { run() }
        }
        return try result.get()
    }

    /// The same, for a body that takes long: it is told when the task is cancelled, and should end soon then.
    package static func result<Value: Sendable, Failure: Error>(
        interruptibly body: @escaping @Sendable (_ isCancelled: @Sendable () -> Bool) throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let flag = CancellationFlag()
        let outcome = await withTaskCancellationHandler {
            await result { Result { () throws(Failure) in try body { flag.isSet.load(ordering: .relaxed) } } }
        } onCancel: {
            flag.isSet.store(true, ordering: .relaxed)
        }
        return try outcome.get()
    }

    private final class CancellationFlag: Sendable {
        let isSet = Atomic<Bool>(false)
    }

    /// The same, but stops waiting when the task is cancelled; `body` goes on. Nil then, and when there is no thread to be had.
    package static func answer<Value: Sendable>(of body: @escaping @Sendable () -> Value) async -> Value? {
        let promise = Promise<Value?, Never>()
        if !start({ promise.keep(.success(body())) }) { promise.keep(.success(nil)) }
        return await promise.result()?.get() ?? nil
    }
}
