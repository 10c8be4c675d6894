import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// Regenerates of ``APIHandlers`` that race.
@Suite struct RegenerateRaceTests {
    @Test("Of six with one key one succeeds, and its key is the live one", arguments: WalkEngine.allCases)
    func oneKey(engine: WalkEngine) async throws {
        try await WalkStage.run(engine, over: .http1) { stage in
            for round in 0..<20 {
                let subject = try await stage.subject()
                try await stage.warm(subject.key, of: subject)
                let request = subject.bearer(
                    subject.key, "/api/v1/key/regenerate", type: "application/json", body: "{}")
                let responses = try await withThrowingTaskGroup(of: WireResponse.self) { group in
                    for _ in 0..<6 {
                        group.addTask { try await stage.client.send(request, over: stage.wire) }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                let won = responses.filter { $0.status == 200 }
                #expect(won.count == 1, "round \(round): \(responses.map(\.status))")
                #expect(responses.allSatisfy { [200, 401, 409].contains($0.status) }, "\(responses.map(\.status))")
                #expect(responses.filter { $0.status != 200 }.allSatisfy { $0.secrets.isEmpty })
                let data = try #require(try object(won[0].text)["data"] as? [String: Any])
                try await stage.warm(try #require(data["key"] as? String), of: subject)
                let live = try await stage.others.keys.metadata(of: subject.id)
                #expect(live.version == subject.account.key.version + 1)
            }
        }
    }
}
