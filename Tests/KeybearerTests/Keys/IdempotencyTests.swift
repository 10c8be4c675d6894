import TestSupport
import Testing

@testable import Keybearer

/// A regenerate that is sent again: ``KeyService`` and ``KeyReplacement``, by an idempotency key.
@Suite struct IdempotencyTests: OnNodeStage {
    let stage: NodeStage

    init() throws {
        stage = try NodeStage()
    }

    @Test("Idempotency: a replay returns the same key, once it was replaced it conflicts")
    func idempotency() async throws {
        await node.fence.step()
        let (account, _) = try await fixture.entitledAccount(services)
        let id = account.user.id
        let (first, _) = try await services.keys.regenerate(id, idempotencyKey: "one", by: .commandLine)
        let (again, _) = try await services.keys.regenerate(id, idempotencyKey: "one", by: .commandLine)
        #expect(first == again)
        let (other, _) = try await services.keys.regenerate(id, idempotencyKey: "two", by: .commandLine)
        #expect(other != first)
        let refused = await #expect(throws: KeybearerError.self) {
            try await services.keys.regenerate(id, idempotencyKey: "one", by: .commandLine)
        }
        #expect(refused?.code == .conflict)
        for bad in ["", "a b", "é", String(repeating: "x", count: 256)] {
            let error = await #expect(throws: KeybearerError.self) {
                try await services.keys.regenerate(id, idempotencyKey: bad, by: .commandLine)
            }
            #expect(error?.code == .badRequest)
        }
    }

    @Test("The same idempotency key with another request is refused; a replay with the new key is none")
    func anotherRequest() async throws {
        await node.fence.step()
        let (account, old) = try await fixture.entitledAccount(services)
        let id = account.user.id
        let workspace = account.workspaces[0].workspace.id
        func regenerate(
            _ key: String, version: Int? = nil, in workspace: WorkspaceID? = nil, by authority: Authority = .commandLine
        ) async throws -> SecretKey {
            try await services.keys.regenerate(
                id, version: version, idempotencyKey: key, by: authority,
                needs: workspace.map { Requirement(.regenerateKey, in: $0) }
            ).secret
        }
        func expectAnotherRequest(_ body: () async throws -> SecretKey) async {
            let refused = await #expect(throws: KeybearerError.self) { try await body() }
            #expect(refused?.code == .validationFailed)
            #expect(refused?.fields.keys.map { $0 } == ["Idempotency-Key"])
        }
        let first = try await regenerate("form", version: 1, in: workspace)
        #expect(first != old)
        #expect(try await regenerate("form", version: 1, in: workspace) == first)
        await expectAnotherRequest { try await regenerate("form", version: 2, in: workspace) }
        await expectAnotherRequest { try await regenerate("form", version: 1) }
        await expectAnotherRequest { try await regenerate("form") }
        #expect(try await services.keys.reveal(id, by: .commandLine) == first)

        func authority() async throws -> Authority {
            let key = try await services.keys.metadata(of: id)
            return Authority(.key(key.id, version: key.version, of: id))
        }
        let second = try await regenerate("api", by: try await authority())
        #expect(try await regenerate("api", by: try await authority()) == second)
        #expect(try await regenerate("api") == second, "at the command line too")
        await expectAnotherRequest { try await regenerate("api", version: 2, in: workspace) }
    }
}
