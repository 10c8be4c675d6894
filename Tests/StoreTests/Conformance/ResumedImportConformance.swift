import Logging
import TestSupport
import Testing

@testable import Keybearer

/// An import that is run again after a rotation of the master keys, over every engine: rows that are there are done.
@Suite(.serialized) struct ResumedImportConformance {
    /// Processes of one installation, which share a master-key file.
    private struct Installation {
        let file: CurrentVault

        init() throws {
            file = CurrentVault(KeyVault(ring: try .generate(from: .system)))
        }

        /// A command as it would start now.
        func command(on store: any Store) -> Services {
            Services(
                store: store, ring: file.current.ring, loadRing: { file.current.ring }, settings: Services.Settings(),
                role: .command, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        }

        func rotate(_ store: any Store, until last: MasterKeyService.Step? = nil) async throws {
            _ = try await command(on: store).masterKeys.rotate(
                save: { file.replace(with: KeyVault(ring: $0)) }, progress: { _ in },
                reached: { if $0 == last { throw Interrupted() } })
        }
    }

    private struct Interrupted: Error {}

    private static func row(_ number: Int, key: String? = nil) -> (id: ExternalID, input: UserInput) {
        var input = UserInput()
        (input.email, input.name) = ("user\(number)@example.com", "User \(number)")
        input.keyToImport = KeyToImport(key ?? "acme-live-ABCDEFGH-\(number)-0123456789")
        return (ExternalID(rawValue: "\(number)"), input)
    }

    @Test(arguments: storesUnderTest)
    func rowsThatAreThereAreDoneWhateverTheirDigestStandsUnder(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, _ in
            let installation = try Installation()
            let rows = (0..<5).map { Self.row($0) }
            let early = installation.command(on: first)
            func done(_ services: Services) async throws -> [UserID] {
                try await services.writes.put(rows, by: .commandLine).map { try $0.get().user.id }
            }
            let made = try await done(early)
            await #expect(throws: Interrupted.self) { try await installation.rotate(first, until: .resealed) }
            #expect(try await done(installation.command(on: second)) == made)
            for _ in 0..<2 {
                try await installation.rotate(first)
                #expect(try await done(installation.command(on: second)) == made)
                let other = Self.row(0, key: "acme-live-another-key-0123456789")
                let refused = await installation.command(on: second).writes.put([other], by: .commandLine)
                #expect(refused.map(\.code) == [.validationFailed])
            }
            // One that began before the rotation does not know the digest. It must not say that the key is another.
            #expect(await early.writes.put(rows, by: .commandLine).map(\.code) == rows.map { _ in .unavailable })
        }
    }

    @Test(arguments: storesUnderTest)
    func aRequestThatIsSentAgainIsTheSameRequest(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, _ in
            let installation = try Installation()
            let (_, secret) = try await installation.command(on: first).operatorTokens.create(
                name: "import", scopes: [.writeUsers, .importKeys], by: .commandLine)
            func send(_ store: any Store, body: String = "a body") async throws -> StoreWrite.Outcome {
                let services = installation.command(on: store)
                let token = try await services.operatorTokens.authenticate(secret, from: .localSocket)
                let caller = OperatorCaller(token, from: .localSocket)
                let request = try WriteService.request(key: "one", asked: Array(body.utf8), by: caller)
                let row = Self.row(1)
                return try await services.writes.perform(
                    try await services.writes.putting(.external(row.id), row.input, request: request, by: caller),
                    by: caller)
            }
            // No key and no token carries the tag of the master key under which the request is made.
            try await installation.rotate(first)
            guard case .account(let account) = try await send(first) else {
                Issue.record("no account was made")
                return
            }
            for _ in 0..<2 {
                try await installation.rotate(second)
                guard case .replayed(let id) = try await send(second) else {
                    Issue.record("it counts as another request")
                    return
                }
                #expect(id == account.user.id.rawValue)
                await expect(.validationFailed) { _ = try await send(first, body: "another body") }
            }
            // What became of the key meanwhile makes it no other request.
            _ = try await installation.command(on: first).keys.regenerate(
                account.user.id, idempotencyKey: nil, by: .commandLine)
            guard case .replayed = try await send(second) else {
                Issue.record("it counts as another request")
                return
            }
        }
    }
}
