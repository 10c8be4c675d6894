import KeybearerSQLite
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerSQL

/// What has no authority that could end: its target changes at the hold instead.
extension StolenCredentialWalk {
    /// Written by copies of whole databases, which nobody asks for over a store.
    private static let copies: Set<AuditEvent.Action> = [.storeRestored, .storeMoved]
    /// Written by ``rotation(engine:)``.
    private static let rotations: Set<AuditEvent.Action> = [.masterKeysChanged, .keyResealed]

    /// Written by nodes beside the requests: for failures that changed nothing, when a mail goes out, and at the start.
    private static let byNodes: Set<AuditEvent.Action> = [.signInFailed, .passwordResetSent, .settingChanged]

    @Test("Every action that is audited is held somewhere")
    func everyAction() {
        var walked = Set(WalkRoute.all.compactMap(\.action))
        walked.formUnion(WalkStandIn.all.map(\.action))
        walked.formUnion(WalkCommand.all.map(\.action))
        #expect(walked.union(Self.copies).union(Self.byNodes).union(Self.rotations) == Set(AuditEvent.Action.allCases))
        #expect(WalkRoute.standIns.isSubset(of: WalkStandIn.all.map(\.name)))
    }

    @Test("Sign-up, sign-out and what has lost its target", arguments: WalkEngine.wires)
    func standIns(engine: WalkEngine, wire: Wire) async throws {
        try await WalkStage.run(engine, over: wire, through: WalkStandIn.all) { standIn, stage in
            for hold in standIn.holds {
                let subject = try await stage.subject(
                    hasTeam: standIn.name.contains("/invitations"), isUnverified: standIn.isUnverified)
                let (response, before) = try await stage.hold(standIn.request(subject), hold, at: standIn.action) {
                    try await standIn.meanwhile(subject, stage.others)
                }
                let after = try await DatabaseSnapshot(stage.otherStore)
                let what: Comment = "\(standIn.name) held \(hold.rawValue), \(standIn.event)"
                #expect(response.outcome == standIn.outcome, what)
                #expect(response.secrets.isEmpty, what)
                #expect(after.difference(from: before).isEmpty, what)
            }
        }
    }

    @Test("Every audited action of the command line, while its target changes", arguments: WalkEngine.allCases)
    func commands(engine: WalkEngine) async throws {
        try await WalkStage.run(engine, over: .http1, through: WalkCommand.all) { command, stage in
            try await Self.walk(command, on: stage)
        }
    }

    private static func walk(_ command: WalkCommand, on stage: WalkStage) async throws {
        let subject = try await stage.subject()
        let gate = WriteHold(command.action, of: stage.heldStore)
        defer { stage.heldStore.holdWrites(nil) }
        var before: DatabaseSnapshot?
        let (services, holder) = (stage.heldCommands, stage.holder)
        let (outcome, first) = try await gate.during { () async throws -> WalkCommand.Outcome in
            do {
                try await command.run(services, subject, holder)
                return .done
            } catch let error as KeybearerError {
                return .refused(error.code)
            }
        } meanwhile: {
            try await command.meanwhile(stage.others, subject, holder)
            before = try await DatabaseSnapshot(stage.otherStore)
        }
        let what: Comment = "keybearer \(command.name), while \(command.event)"
        #expect(first == .reached, what)
        #expect(outcome == command.outcome, what)
        let difference = try await DatabaseSnapshot(stage.otherStore).difference(from: #require(before))
        #expect(difference.isEmpty == (command.outcome != .done), "\(what.rawValue): \(difference)")
    }

    @Test(
        "A rotation of the master keys, while keys are replaced and accounts go",
        arguments: WalkEngine.allCases, [AuditEvent.Action.masterKeysChanged, .keyResealed])
    func rotation(engine: WalkEngine, action: AuditEvent.Action) async throws {
        let directory = try TemporaryDirectory()
        let store = try engine.open(in: directory)
        let heldStore = SQLStore(engine: store.engine)
        let first = try MasterKeyRing.generate(from: .system)
        let file = Lock(first)
        let services = { (store: SQLStore) in
            var settings = Services.Settings()
            settings.passwordCost = 10
            let ring = file.withLock { $0 }
            return Services(
                store: store, ring: ring, loadRing: { ring }, settings: settings, role: .command,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        }
        let accounts = try await ["kept", "replaced", "deleted"].asyncMap { name in
            try await services(store).accounts.create(
                name: name, email: "\(name)@example.com", password: WalkSubject.password, by: .commandLine
            ).user.id
        }
        let kept = try await services(store).keys.reveal(accounts[0], by: .commandLine)
        let replaced = Lock<SecretKey?>(nil)
        let gate = WriteHold(action, of: heldStore)
        let rotating = services(heldStore)
        let (ring, reached) = try await gate.during {
            try await rotating.masterKeys.rotate { ring in
                file.withLock { $0 = ring }
            } progress: { _ in
            }
        } meanwhile: {
            let others = services(store)
            let made = try await others.keys.regenerate(accounts[1], idempotencyKey: nil, by: .commandLine).secret
            replaced.withLock { $0 = made }
            try await others.accounts.delete(accounts[2], by: .commandLine)
        }
        #expect(reached == .reached)
        #expect(ring.activeID != first.activeID)
        let after = services(store)
        #expect(try await after.masterKeys.unopenableKeys().isEmpty)
        #expect(try await after.keys.reveal(accounts[0], by: .commandLine).characters == kept.characters)
        #expect(
            try await after.keys.reveal(accounts[1], by: .commandLine).characters
                == replaced.withLock { $0?.characters })
        await #expect(throws: KeybearerError.self) { try await after.accounts.account(accounts[2]) }
        #expect(try await store.sealedKeyCounts().count == 1)
        try store.close()
    }
}
