import Foundation
import HTTP
import LocalCluster
import Processes
import TestKit

/// Debian's chromium without a window, told what to do over WebDriver.
final class Browser: Sendable {
    private static let driver = "/usr/bin/chromedriver"

    static var isThere: Bool {
        FileManager.default.isExecutableFile(atPath: driver)
            && FileManager.default.isExecutableFile(atPath: "/usr/bin/chromium")
    }

    private let process: LocalProcess
    private let address: String
    private let session: String

    private init(process: LocalProcess, address: String, session: String) {
        self.process = process
        self.address = address
        self.session = session
    }

    /// Runs `body` with a browser that has one empty page.
    /// - Parameter directory: for its files.
    static func running(in directory: String, _ body: (Browser) async throws -> Void) async throws {
        let port = try FreePort.find()
        let process = try await LocalProcess.start(
            "chromedriver", driver, ["--port=\(port)"], logs: directory,
            environment: ProcessInfo.processInfo.environment.merging(["TMPDIR": directory, "HOME": directory]) { $1 })
        do {
            let address = "127.0.0.1:\(port)"
            try await process.wait(until: "serve") {
                (try? await HTTPClient.send("GET", "http://\(address)/status", timeout: .seconds(1)))?.status == 200
            }
            let options: [String: Any] = [
                // The tests run as root in a container; what the browser is shown is our own.
                "args": [
                    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                    "--no-first-run", "--disable-background-networking", "--user-data-dir=\(directory)/profile",
                ]
            ]
            let wanted: [String: Any] = [
                "capabilities": [
                    "alwaysMatch": ["goog:chromeOptions": options, "goog:loggingPrefs": ["browser": "ALL"]]
                ]
            ]
            let answer = try await send("POST", "http://\(address)/session", wanted)
            guard let session = (answer as? [String: Any])?["sessionId"] as? String else {
                throw DidNotHappen(description: "no session: \(answer)")
            }
            let browser = Browser(process: process, address: address, session: session)
            do { try await body(browser) } catch {
                try? await browser.close()
                throw error
            }
            try await browser.close()
        } catch {
            await process.process.stop(grace: .seconds(5))
            throw error
        }
        await process.process.stop(grace: .seconds(5))
    }

    private func close() async throws { _ = try await command("DELETE", "") }

    func open(_ url: String) async throws { _ = try await command("POST", "/url", ["url": url]) }

    /// What the script returns.
    func run(_ script: String) async throws -> Any {
        try await command("POST", "/execute/sync", ["script": script, "args": []])
    }

    func text() async throws -> String { try await run("return document.body.innerText") as? String ?? "" }

    /// Pretends a window of this size and this preference.
    func look(width: Int, height: Int, isDark: Bool) async throws {
        let metrics: [String: Any] = ["width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600]
        _ = try await command(
            "POST", "/goog/cdp/execute", ["cmd": "Emulation.setDeviceMetricsOverride", "params": metrics])
        let scheme = ["name": "prefers-color-scheme", "value": isDark ? "dark" : "light"]
        _ = try await command(
            "POST", "/goog/cdp/execute", ["cmd": "Emulation.setEmulatedMedia", "params": ["features": [scheme]]])
    }

    func screenshot(to file: String) async throws {
        let text = try await command("GET", "/screenshot") as? String ?? ""
        try (Data(base64Encoded: text) ?? Data()).write(to: URL(fileURLWithPath: file))
    }

    /// What the console says since it was last asked.
    func console() async throws -> [String] {
        let entries = try await command("POST", "/se/log", ["type": "browser"]) as? [[String: Any]] ?? []
        return entries.map { "\($0["level"] ?? ""): \($0["message"] ?? "")" }
    }

    private func command(_ method: String, _ path: String, _ body: [String: Any]? = nil) async throws -> Any {
        try await Self.send(method, "http://\(address)/session/\(session)\(path)", body)
    }

    private static func send(_ method: String, _ url: String, _ body: [String: Any]?) async throws -> Any {
        let data = try body.map { Array(try JSONSerialization.data(withJSONObject: $0)) }
        let answer = try await HTTPClient.send(
            method, url, headers: ["Content-Type": "application/json"], body: data, timeout: .seconds(60),
            maximumBody: 32 << 20)
        guard answer.status == 200,
            let value = (try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any])?["value"]
        else { throw DidNotHappen(description: "\(method) \(url): \(answer.text.prefix(1000))") }
        return value
    }
}
