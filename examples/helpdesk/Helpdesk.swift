// An agent of a helpdesk: answers a customer, and remembers the conversation, in memory only. What it says is canned: it is
// here to show what becomes of an actor's memory.
//
//   POST /ask    a question, as the body; answers it
//   GET /chat    what has been asked so far, one question to a line
//   POST /leak   HOST:PORT as the body: tries to send the conversation there, as an agent that was talked into it would
//   GET /readyz  200 once it serves

import Glibc
import Serving

@main
struct Helpdesk {
    private var questions: [String] = []

    static func main() {
        var helpdesk = Helpdesk()
        serve("helpdesk") { helpdesk.answer($0) }
    }

    mutating func answer(_ request: Request) -> Response {
        switch (request.method, request.path) {
        case ("GET", "/readyz"): return Response("ready\n")
        case ("GET", "/chat"): return Response(questions.map { "\($0)\n" }.joined())
        case ("POST", "/ask"): return ask(request.body.filter { !$0.isNewline })
        case ("POST", "/leak"): return leak(to: request.body.filter { !$0.isWhitespace })
        default: return .notFound("only /ask, /chat, /leak and /readyz are here\n")
        }
    }

    // MARK: Answering

    private mutating func ask(_ question: String) -> Response {
        if question.isEmpty { return Response("What is it about?\n", status: "400 Bad Request") }
        defer { questions.append(question) }
        let words = question.lowercased()
        if words.contains("before") || words.contains("remember") {
            guard let last = questions.last else { return Response("We have not talked yet.\n") }
            return Response("You have asked \(questions.count) times, last: \(last)\n")
        }
        let answer = Self.answers.first { words.contains($0.word) }?.answer
        return Response((answer ?? "I pass that on to a colleague.") + "\n")
    }

    private static let answers: [(word: String, answer: String)] = [
        ("printer", "Open the lid at the back, and pull the sheet out slowly."),
        ("password", "Choose a new one at the desk on the second floor, with your badge."),
        ("network", "Unplug the cable, count to ten, and plug it in again."),
        ("invoice", "It is sent on the first of the month."),
    ]

    // MARK: Leaking

    /// How long the connection may take, in seconds.
    private static let limit = 2

    private func leak(to target: String) -> Response {
        let parts = target.split(separator: ":")
        guard parts.count == 2, let port = UInt16(parts[1]) else {
            return Response("where to, as HOST:PORT?\n", status: "400 Bad Request")
        }
        let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(connection) }
        // For the sending of data, and so for connecting, too.
        var limit = timeval(tv_sec: Self.limit, tv_usec: 0)
        setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var place = SocketAddress(String(parts[0]), port)
        guard place.use({ connect(connection, $0, $1) }) == 0 else {
            return Response("there is no way to \(target): \(String(cString: strerror(errno)))\n")
        }
        let body = questions.joined(separator: "\n")
        let text = "POST / HTTP/1.1\r\nHost: \(target)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        let bytes = Array(text.utf8)
        let sent = send(connection, bytes, bytes.count, 0)
        return Response(sent == bytes.count ? "sent to \(target)\n" : "could not send to \(target)\n")
    }
}
