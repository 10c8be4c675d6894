import Foundation
import Synchronization
import TestSupport
import Testing

extension EndToEndTests {
    /// "When the answer arrives, no node accepts the old key": measured from outside, while the server is busy.
    @Suite struct RevocationTests {
        /// How a key is regenerated.
        enum Way: String, CaseIterable {
            case page
            case api
            case commandLine
        }

        private static let rounds = 200
        private static let hammers = 8
        private static let burstConnections = 6
        private static let burstLength = 8

        @Test func aRegeneratedKeyIsDeadWhenTheResponseArrives() throws {
            let files = try InstallationFiles()
            let server = try ServerProcess.demo(files, ["--hourly-limit", "100000000"])
            let greeting = try #require(server.greeting)
            let history = KeyHistory(first: greeting.key)
            let crew = Crew()
            for _ in 0..<Self.hammers {
                crew.start { crew in try Self.hammer(port: server.port, history: history, until: crew) }
            }
            var regenerator = try Regenerator(server: server, files: files, greeting: greeting)
            let bursts = try (0..<Self.burstConnections).map { _ in try RawConnection(port: server.port) }
            var tallies: [Way: Tally] = [:]
            for round in 0..<Self.rounds {
                let way = Way.allCases[round % Way.allCases.count]
                let old = history.current
                let burst = Array(
                    String(repeating: RawRequest.get(key: old.characters), count: Self.burstLength).utf8)
                history.regenerateBegins(at: .now())
                let response = try regenerator.regenerate(way, old: old.characters)
                // Immediately: nothing stands between the answer and the burst.
                let times = try bursts.map { try $0.send(burst) }
                history.regenerated(at: response.arrivedAt)
                let statuses = try bursts.flatMap { connection in
                    try (0..<Self.burstLength).map { _ in try Self.outcome(of: connection.receive()) }
                }
                tallies[way, default: Tally()].add(times, respondedAt: response.arrivedAt, statuses: statuses)
                history.begin(with: try response.newKey ?? regenerator.reveal(), liveFrom: response.arrivedAt)
                history.record(try Self.useNewKey(history.current, on: bursts))
            }
            try crew.stop()
            for way in Way.allCases {
                let tally = try #require(tallies[way])
                print("revocation by \(way): \(tally)")
                #expect(tally.passed == 0, "old key passed after the answer: \(way)")
                #expect(tally.refused == tally.sent, "every refusal is a 401 in the envelope: \(way)")
                #expect(tally.sentWithin5ms >= 1_000, "too few right after the answer: \(way)")
            }
            let verdict = history.judge()
            print("revocation under load: \(verdict)")
            #expect(verdict.oldKeyPassed == 0)
            #expect(verdict.newKeyFailed == 0)
            #expect(verdict.strange == 0)
            #expect(verdict.newKeyPassed >= Self.rounds * Self.burstConnections * Self.burstLength)
        }

        /// Uses a key that must pass from the first request on.
        private static func useNewKey(
            _ key: KeyHistory.Key, on connections: [RawConnection]
        ) throws -> [KeyHistory.Use] {
            let burst = Array(String(repeating: RawRequest.get(key: key.characters), count: burstLength).utf8)
            let times = try connections.map { try $0.send(burst) }
            return try zip(connections, times).flatMap { connection, times in
                try (0..<burstLength).map { _ in
                    let outcome = outcome(of: try connection.receive())
                    return KeyHistory.Use(key: key.number, began: times.began, responded: .now(), outcome: outcome)
                }
            }
        }

        private static func hammer(port: Int, history: KeyHistory, until crew: Crew) throws {
            let connection = try RawConnection(port: port)
            var uses: [KeyHistory.Use] = []
            while !crew.shouldStop {
                let key = history.current
                let times = try connection.send(RawRequest.get(key: key.characters))
                let response = try connection.receive()
                uses.append(
                    KeyHistory.Use(
                        key: key.number, began: times.began, responded: .now(), outcome: outcome(of: response)))
            }
            history.record(uses)
        }

        static func outcome(of response: RawResponse) -> KeyHistory.Outcome {
            if response.status == 200 { return .passed }
            return response.status == 401 && response.errorCode == "UNAUTHORIZED" ? .refused : .strange
        }
    }

    /// What the bursts after the answers of one way came to.
    struct Tally: CustomStringConvertible {
        var sent = 0
        var sentWithin5ms = 0
        var passed = 0
        var refused = 0

        mutating func add(
            _ times: [RawConnection.SendTimes], respondedAt: MonotonicTime, statuses: [KeyHistory.Outcome]
        ) {
            let perConnection = statuses.count / times.count
            let limit = respondedAt.advanced(byMilliseconds: 5)
            sent += statuses.count
            sentWithin5ms += times.count { $0.began >= respondedAt && $0.ended <= limit } * perConnection
            passed += statuses.count { $0 == .passed }
            refused += statuses.count { $0 == .refused }
        }

        var description: String {
            "\(sent) old-key requests after the answers, \(sentWithin5ms) within 5 ms, \(passed) passed, "
                + "\(refused) refused with 401"
        }
    }
}

/// Regenerates Ada's key in every way there is.
private struct Regenerator {
    /// An answer, the moment that all of it was here, and the key if the answer has it.
    struct Response {
        let arrivedAt: MonotonicTime
        let newKey: String?
    }

    private let files: InstallationFiles
    private let email: String
    private let browser: Browser
    private let page: String
    private let api: RawConnection

    init(server: ServerProcess, files: InstallationFiles, greeting: ServerProcess.Greeting) throws {
        self.files = files
        email = greeting.email
        browser = try Browser(port: server.port)
        try browser.signIn(email: greeting.email, password: greeting.password)
        page = try browser.keyPage()
        api = try RawConnection(port: server.port)
    }

    mutating func regenerate(_ way: EndToEndTests.RevocationTests.Way, old: String) throws -> Response {
        switch way {
        case .page:
            let response = try browser.post("\(page)/regenerate")
            let arrivedAt = MonotonicTime.now()
            #expect(response.status == 303)
            return Response(arrivedAt: arrivedAt, newKey: nil)
        case .api:
            let request = RawRequest.text(
                "POST", "/api/v1/key/regenerate", headers: [("Authorization", "Bearer \(old)")], body: "")
            let response = try api.roundTrip(request)
            let arrivedAt = MonotonicTime.now()
            return Response(arrivedAt: arrivedAt, newKey: try #require(response.data?["key"] as? String))
        case .commandLine:
            let result = try files.run("key", "regenerate", email)
            try #require(result.status == 0, "\(result.stderr)")
            return Response(arrivedAt: result.endedAt, newKey: result.line)
        }
    }

    func reveal() throws -> String { try browser.reveal(page: page) }
}
