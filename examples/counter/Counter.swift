// A small actor: counts, and keeps the count in its durable directory, ATE_DURABLE_DIR.
//
//   GET /        the count
//   POST /       one more
//   GET /readyz  200 once it serves

import Glibc
import Serving

@main
struct Counter {
    let file: String
    var count: Int

    static func main() {
        guard let directory = environment("ATE_DURABLE_DIR") else { fail("counter", "ATE_DURABLE_DIR must be set") }
        var counter = Counter(file: "\(directory)/count")
        say("counting from \(counter.count)")
        serve("counter") { counter.answer($0) }
    }

    init(file: String) {
        self.file = file
        count = Counter.read(file) ?? 0
    }

    mutating func answer(_ request: Request) -> Response {
        switch (request.method, request.path) {
        case ("GET", "/readyz"): return Response("ready\n")
        case ("GET", "/"): return Response("\(count)\n")
        case ("POST", "/"):
            count += 1
            guard save() else { return Response("cannot save the count\n", status: "500 Internal Server Error") }
            return Response("\(count)\n")
        default: return .notFound("only / and /readyz are here\n")
        }
    }

    /// Replaces the file in one step, so that a snapshot never holds half a number.
    private func save() -> Bool {
        guard let stream = fopen(file + ".new", "w") else { return false }
        fputs("\(count)\n", stream)
        return fclose(stream) == 0 && rename(file + ".new", file) == 0
    }

    private static func read(_ file: String) -> Int? {
        guard let stream = fopen(file, "r") else { return nil }
        defer { fclose(stream) }
        var line = [CChar](repeating: 0, count: 32)
        guard fgets(&line, Int32(line.count), stream) != nil else { return nil }
        return Int(String(decoding: line.prefix { $0 > 32 }.map(UInt8.init), as: UTF8.self))
    }
}
