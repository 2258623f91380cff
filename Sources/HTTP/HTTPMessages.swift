/// A request as it came in.
package struct HTTPRequest: Sendable {
    package var method: String
    package var path: String
    /// By lower-case name; of a header that came twice the last value.
    package var headers: [String: String]
    /// The parameters behind the path, likewise.
    package var query: [String: String]

    package init(method: String, path: String, headers: [String: String], query: [String: String] = [:]) {
        self.method = method
        self.path = path
        self.headers = headers
        self.query = query
    }
}

/// A response to send, or one that was received.
package struct HTTPResponse: Sendable, Equatable {
    package var status: Int
    package var headers: [String: String]
    package var body: [UInt8]

    package init(status: Int, headers: [String: String] = [:], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// A response with a line of text.
    package init(status: Int, headers: [String: String] = [:], text: String) {
        self.init(
            status: status, headers: headers.merging(["Content-Type": "text/plain; charset=utf-8"]) { $1 },
            body: Array(text.utf8))
    }

    /// The body as text; bytes that are not UTF-8 are replaced.
    package var text: String { String(decoding: body, as: UTF8.self) }
}

/// Why there is no HTTP server, or no answer.
package struct HTTPError: Error, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
