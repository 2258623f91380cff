internal import CCurl
internal import ServiceKit

/// HTTP requests: probes of actors, an issuer's keys, and what tests send.
package enum HTTPClient {
    /// Largest body that is read unless told otherwise, in bytes.
    package static let maximumBody = 4 << 20

    private static let isReady: Bool = curl_global_init(Int(CURL_GLOBAL_ALL)) == CURLE_OK

    /// Whom a request may reach, and how the server proves who it is.
    package enum Transport: Sendable {
        /// Only `http:`.
        case plain
        /// Only `https:`, to a server with a certificate for its name by an authority in the file (PEM), or by one that
        /// the system trusts when there is no file.
        case tls(authorities: String?)
        /// Only `http:`, to a socket in the file system, whatever host the URL names.
        case socket(path: String)
    }

    /// Sends a request without following redirects, on a connection of its own.
    /// - Parameters:
    ///   - timeout: for the whole exchange; millisecond grain.
    ///   - maximumBody: in bytes; a larger body of the answer is an error.
    /// - Throws: `HTTPError` when there is no answer.
    package static func send(
        _ method: String, _ url: String, headers: [String: String] = [:], body: [UInt8]? = nil, timeout: Duration,
        over transport: Transport = .plain, maximumBody: Int = HTTPClient.maximumBody
    ) async throws(HTTPError) -> HTTPResponse {
        // The library's simple interface blocks.
        try await BlockingThread.result { () throws(HTTPError) in
            try perform(
                method, url, headers: headers, body: body, timeout: timeout, over: transport, maximumBody: maximumBody)
        }
    }

    private final class Received {
        let maximumBody: Int
        var headers: [String: String] = [:]
        var body: [UInt8] = []

        init(maximumBody: Int) { self.maximumBody = maximumBody }
    }

    private static func perform(
        _ method: String, _ url: String, headers: [String: String], body: [UInt8]?, timeout: Duration,
        over transport: Transport, maximumBody: Int
    ) throws(HTTPError) -> HTTPResponse {
        guard isReady, let handle = curl_easy_init() else { throw HTTPError("libcurl cannot be initialised") }
        defer { curl_easy_cleanup(handle) }
        var list: UnsafeMutablePointer<curl_slist>?
        for (name, value) in headers { list = curl_slist_append(list, "\(name): \(value)") }
        defer { curl_slist_free_all(list) }
        let received = Received(maximumBody: maximumBody)
        let context = Unmanaged.passUnretained(received).toOpaque()
        _ = ccurl_set_string(handle, CURLOPT_URL, url)
        switch transport {
        case .plain:
            _ = ccurl_set_string(handle, CURLOPT_PROTOCOLS_STR, "http")
        case .socket(let path):
            _ = ccurl_set_string(handle, CURLOPT_PROTOCOLS_STR, "http")
            guard ccurl_set_string(handle, CURLOPT_UNIX_SOCKET_PATH, path) == CURLE_OK else {
                throw HTTPError("\(method) \(url): libcurl cannot be told to connect to \(path)")
            }
        case .tls(let authorities):
            _ = ccurl_set_string(handle, CURLOPT_PROTOCOLS_STR, "https")
            if let authorities {
                // Without the second the system's directory of authorities would be trusted as well.
                guard ccurl_set_string(handle, CURLOPT_CAINFO, authorities) == CURLE_OK,
                    ccurl_set_pointer(handle, CURLOPT_CAPATH, nil) == CURLE_OK
                else { throw HTTPError("\(method) \(url): libcurl cannot be told to trust only \(authorities)") }
            }
        }
        _ = ccurl_set_string(handle, CURLOPT_CUSTOMREQUEST, method)
        _ = ccurl_set_string(handle, CURLOPT_PROXY, "")
        _ = ccurl_set_list(handle, CURLOPT_HTTPHEADER, list)
        _ = ccurl_set_long(handle, CURLOPT_NOSIGNAL, 1)
        _ = ccurl_set_long(handle, CURLOPT_TIMEOUT_MS, max(1, Int(timeout / .milliseconds(1))))
        _ = ccurl_set_pointer(handle, CURLOPT_WRITEDATA, context)
        _ = ccurl_set_write(handle) { data, size, count, context in
            guard let data, let context else { return 0 }
            let received = Unmanaged<Received>.fromOpaque(context).takeUnretainedValue()
            guard received.body.count + size * count <= received.maximumBody else { return 0 }
            received.body.append(contentsOf: UnsafeRawBufferPointer(start: data, count: size * count))
            return size * count
        }
        _ = ccurl_set_pointer(handle, CURLOPT_HEADERDATA, context)
        _ = ccurl_set_header(handle) { data, size, count, context in
            guard let data, let context else { return 0 }
            let line = String(decoding: UnsafeRawBufferPointer(start: data, count: size * count), as: UTF8.self)
            if let colon = line.firstIndex(of: ":") {
                let value = line[line.index(after: colon)...].drop { $0 == " " }.prefix { !$0.isNewline }
                Unmanaged<Received>.fromOpaque(context).takeUnretainedValue()
                    .headers[line[..<colon].lowercased()] = String(value)
            }
            return size * count
        }
        let code = (body ?? []).withUnsafeBytes { bytes in
            if body != nil {
                _ = ccurl_set_long(handle, CURLOPT_POSTFIELDSIZE, bytes.count)
                _ = ccurl_set_pointer(
                    handle, CURLOPT_POSTFIELDS, UnsafeMutableRawPointer(mutating: bytes.baseAddress))
            }
            return curl_easy_perform(handle)
        }
        guard code == CURLE_OK else {
            throw HTTPError("\(method) \(url): \(String(cString: curl_easy_strerror(code)))")
        }
        var status = 0
        _ = ccurl_status(handle, &status)
        return HTTPResponse(status: status, headers: received.headers, body: received.body)
    }
}
