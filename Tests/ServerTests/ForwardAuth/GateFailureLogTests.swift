import Foundation
import Keybearer
import KeybearerSQL
import Logging
import TestSupport
import Testing

@testable import KeybearerServer

/// The ``GateFailureLog``: what the gate could not decide.
@Suite struct GateFailureLogTests {
    @Test("A response of 503 is found in the log by its request id, with the cause")
    func requestID() async throws {
        let log = LogRecorder()
        let fixture = try ServerFixture(logger: Logger(label: "test") { _ in log })
        let (_, key) = try await fixture.account("ada@example.com")
        try await fixture.listening { client in
            try fixture.store.close()
            let headers = [("Authorization", "Bearer \(key)"), ("X-Forwarded-Proto", "https")]
            let response = try await WireClient(port: client.gatePort).send(
                WireRequest(path: "/gate", headers: headers), over: .http1)
            #expect(response.status == 503)
            let request = try #require(response.values("x-request-id").first)
            let lines = log.lines.filter { $0.text.contains(request) }
            #expect(lines.count == 1)
            #expect(lines.first?.text.contains(fixture.directory.file("keybearer.db")) == true, "\(lines)")
            #expect(!log.lines.contains { $0.text.contains(key) })
        }
    }

    @Test("A flood writes a few lines a second and says how many more there were")
    func flood() {
        let log = LogRecorder()
        let failures = GateFailureLog(logger: Logger(label: "test") { _ in log })
        for request in 1...1_000 { failures.record(UInt64(request), KeybearerError.unavailable()) }
        #expect(log.lines.count == GateFailureLog.mostPerSecond)
        failures.endSecond()
        #expect(log.lines.last?.text.contains("more=\(1_000 - GateFailureLog.mostPerSecond)") == true)
        failures.record(1_001, KeybearerError.unavailable())
        #expect(log.lines.count == GateFailureLog.mostPerSecond + 2)
    }
}
