// An actor for the soak test: it does nothing but bear witness to its own life.
//
// Ten times a second it counts on in its durable directory, and says so in a file that all lives of the actor share and that no
// snapshot holds. Each line is one appending write, so the file has all of them in the order in which they were made. A
// process that is stopped or dead writes none. A line of one life behind the first line of a later one is proof that both
// have run at the same time.
//
//   start <epoch> <origin> <count>   the life began, with the count that the life of epoch <origin> had left behind
//   will <epoch> <count>             it is going to put the count into its durable directory
//   done <epoch> <count>             it has

import Glibc

@main
struct Witness {
    let epoch: String
    let durable: String
    let testimony: Int32

    static func main() {
        guard let durable = environment("ATE_DURABLE_DIR"), let uid = environment("ATE_ACTOR_UID"),
            let folder = environment("WITNESS_DIRECTORY")
        else { fail("ATE_DURABLE_DIR, ATE_ACTOR_UID and WITNESS_DIRECTORY must be set") }
        // <state directory>/workers/<pod>/<epoch>/durable
        let parts = durable.split(separator: "/")
        guard parts.count > 2 else { fail("\(durable) does not name an epoch") }
        let file = open("\(folder)/\(uid)", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { fail("cannot write \(folder)/\(uid)") }
        Witness(epoch: String(parts[parts.count - 2]), durable: durable, testimony: file).live()
    }

    private func live() -> Never {
        let (origin, last) = known()
        var count = last
        say("start \(epoch) \(origin) \(count)")
        while true {
            count += 1
            say("will \(epoch) \(count)")
            keep(count)
            say("done \(epoch) \(count)")
            usleep(100_000)
        }
    }

    private func say(_ text: String) {
        let line = Array("\(text)\n".utf8)
        guard write(testimony, line, line.count) == line.count else { fail("cannot bear witness") }
    }

    /// Replaces the file in one step, so that a snapshot never holds half a line.
    private func keep(_ count: Int) {
        guard let stream = fopen("\(durable)/count.new", "w") else { fail("cannot write the count") }
        fputs("\(epoch) \(count)", stream)
        guard fclose(stream) == 0, rename("\(durable)/count.new", "\(durable)/count") == 0 else {
            fail("cannot save the count")
        }
    }

    /// What the snapshot has brought: which life it is of, and its count; zeros without one.
    private func known() -> (origin: String, count: Int) {
        guard let stream = fopen("\(durable)/count", "r") else { return ("0", 0) }
        defer { fclose(stream) }
        var line = [CChar](repeating: 0, count: 64)
        guard fgets(&line, Int32(line.count), stream) != nil else { return ("0", 0) }
        let parts = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self).split(separator: " ")
        guard parts.count == 2, let count = Int(parts[1]) else { fail("the count cannot be read") }
        return (String(parts[0]), count)
    }
}

private func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

private func fail(_ reason: String) -> Never {
    let line = Array("witness: \(reason)\n".utf8)
    _ = write(STDERR_FILENO, line, line.count)
    exit(1)
}
