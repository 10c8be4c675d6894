import Foundation
import HTTPTypes
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The ``AccessLog``, an ``AccessLine`` of each kind, and the ``LoggedRequest`` behind it.
@Suite struct AccessLogTests {
    /// What was written, and what the log said of it.
    private final class Written: Sendable {
        private let bytes = Lock<[UInt8]>([])
        private let failure = Lock<(any Error)?>(nil)

        func take(_ more: [UInt8]) throws {
            if let failure = failure.withLock({ $0 }) { throw failure }
            bytes.withLock { $0 += more }
        }

        func fail(with error: (any Error)?) { failure.withLock { $0 = error } }
        var lines: [String] {
            String(decoding: bytes.withLock { $0 }, as: UTF8.self).split(separator: "\n").map(String.init)
        }
    }

    private static let line = AccessLine(
        at: Timestamp(millisecondsSinceEpoch: 1_796_139_753_536), duration: .microseconds(1_042),
        requestID: "req_abc1", surface: .api, method: "GET", route: "/api/v1/workspaces/{workspaceID}", status: 200,
        client: IPAddress("203.0.113.7") ?? .localSocket)

    private static func log(
        _ settings: AccessLog.Settings, to written: Written,
        logger: Logger = Logger(label: "test") { _ in
            SwiftLogNoOpLogHandler()
        }
    ) throws -> AccessLog {
        try #require(AccessLog(settings, logger: logger) { try written.take($0) })
    }

    @Test("A line as text has a place for everything, and as JSON a member for what there is")
    func formats() throws {
        var line = Self.line
        #expect(
            line.text(.text)
                == "2026-12-01T15:42:33.536Z api 200 - GET /api/v1/workspaces/{workspaceID} - - 203.0.113.7 "
                + "0.001042 req_abc1 -\n")
        line.subject.verdict = .admitted
        line.subject.userID = UserID(rawValue: "usr_1")
        line.subject.keyPrefix = "tdc_abcd\"e"
        line.trace = TraceContext("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        line.duration = .seconds(61)
        let text = line.text(.json)
        #expect(text.hasSuffix("}\n"))
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: any Sendable])
        #expect(
            Set(object.keys) == [
                "time", "request", "surface", "method", "route", "status", "verdict", "account", "key", "client",
                "seconds",
                "trace", "span",
            ])
        #expect(object["key"] as? String == "tdc_abcd\"e" && object["status"] as? Int == 200)
        #expect(object["seconds"] as? Double == 61 && text.contains("61.000000"))
        #expect(object["trace"] as? String == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(object["span"] as? String == "00f067aa0ba902b7")
        #expect(AccessLine.method("GET") == "GET" && AccessLine.method("G\nET") == "-")
    }

    @Test("One of so many requests has a line, and every fault of the server's own")
    func sample() throws {
        let written = Written()
        let log = try Self.log(AccessLog.Settings(format: .text, sample: 10), to: written)
        let wanted = (0..<100).filter { _ in log.isWanted(200) }
        #expect(wanted.count == 10)
        #expect((0..<100).allSatisfy { _ in log.isWanted(503) })
    }

    @Test("What is not taken in time is dropped and counted, and a log that cannot be written is told once")
    func slowReader() throws {
        let written = Written()
        let recorder = LogRecorder()
        let log = try Self.log(
            AccessLog.Settings(format: .text), to: written, logger: Logger(label: "test") { _ in recorder })
        let length = Self.line.text(.text).utf8.count
        let room = AccessLog.limit / length
        for _ in 0..<room + 5 { log.record(Self.line) }
        log.flush()
        #expect(written.lines.count == room)
        #expect(recorder.lines.map(\.text) == ["Lines of the access log were dropped. lines=5"])
        log.record(Self.line)
        log.flush()
        #expect(written.lines.count == room + 1 && recorder.lines.count == 1)
        written.fail(with: CocoaError(.fileWriteUnknown))
        for _ in 0..<3 {
            log.record(Self.line)
            log.flush()
        }
        #expect(
            recorder.lines.count == 2
                && recorder.lines.last?.text.hasPrefix("The access log cannot be written.") == true)
        written.fail(with: nil)
        log.record(Self.line)
        log.flush()
        #expect(written.lines.count == room + 2)
    }

    @Test("Every request of every part has its line, with the trace that it came with and no word of its sender's own")
    func requests() async throws {
        let written = Written()
        let fixture = try ServerFixture { edge, _ in edge.accessLog = AccessLog.Settings(format: .json) }
        let log = try Self.log(AccessLog.Settings(format: .json), to: written)
        let (account, key) = try await fixture.account("ada@example.com")
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        var server = try fixture.server()
        server.accessLog = log
        try await fixture.listening(server) { wire in
            let bearer = ("Authorization", "Bearer \(key)")
            for way in [Wire.http1, .gate] {
                let traced = try await wire.send(WireRequest(headers: [bearer, ("traceparent", trace)]), over: way)
                #expect(traced.status == 200)
                let passedOn = traced.values("traceparent")
                if way == .gate {
                    let next = try #require(passedOn.first.flatMap { TraceContext($0) })
                    #expect(next.traceText == "4bf92f3577b34da6a3ce929d0e0e4736" && next.spanText != "00f067aa0ba902b7")
                } else {
                    #expect(passedOn.isEmpty)
                }
                let refused = try await wire.send(WireRequest(headers: [("Authorization", "Bearer tdc_no")]), over: way)
                #expect(refused.status == 401)
            }
            let page = try await wire.send(WireRequest(path: "/reset-password?token=secret-word"), over: .http1)
            #expect(page.status < 500)
            let missing = try await wire.send(WireRequest(path: "/secret-word"), over: .http1)
            #expect(missing.status < 500)
            let operatorsOwn = try await wire.send(WireRequest(path: "/operator/v1/users/secret-word"), over: .http1)
            #expect(operatorsOwn.status == 401)
        }
        log.flush()
        let objects = try written.lines.map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: any Sendable])
        }
        func count(_ members: [String: String]) -> Int {
            objects.filter { object in members.allSatisfy { object[$0.key] as? String == $0.value } }.count
        }
        #expect(objects.count == 7)
        for (surface, route) in [("api", "/api/v1/me"), ("gate", "/gate")] {
            let admitted = [
                "surface": surface, "route": route, "verdict": "admitted", "account": account.user.id.rawValue,
                "key": account.key.shownPrefix, "trace": "4bf92f3577b34da6a3ce929d0e0e4736", "client": "127.0.0.1",
            ]
            #expect(count(admitted) == 1, "\(surface)")
            #expect(count(["surface": surface, "verdict": "unauthorized"]) == 1, "\(surface)")
        }
        #expect(count(["surface": "pages", "route": "/reset-password"]) == 1)
        #expect(count(["surface": "pages", "route": "-"]) == 1)
        #expect(count(["surface": "operator", "route": "/operator/v1/users/{user}"]) == 1)
        let text = written.lines.joined()
        for secret in [key, "secret-word", "ada@example.com"] { #expect(!text.contains(secret)) }
    }
}
