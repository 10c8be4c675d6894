import Foundation
import Keybearer
import KeybearerPostgres
import KeybearerSQL
import KeybearerSQLite

/// Moves everything of one database into another one, so that at no moment both can be written to.
///
/// The source is marked first, and nothing is written to it from then on; then the target is committed, with the id of
/// the source; then the source is marked as moved. A rerun looks at the mark and at the target's id and goes on from
/// there. A move that is refused or fails takes the mark back, unless the target may have everything.
struct DatabaseMove {
    let bootstrap: Bootstrap
    let from: DatabaseLocation
    let to: DatabaseLocation

    /// Moves, or finishes what an earlier run began.
    func run() async throws {
        let source = try openSource()
        defer { try? source.store.close() }
        let mark = try source.engine.moveMark()
        try refuseOtherTarget(mark)
        // Before anything is marked: with other master keys nobody could serve what arrives.
        if mark == nil { try await bootstrap.requireRing(of: source.store) }
        guard let id = try await source.store.storedSetting(.databaseID) else {
            throw CommandFailure(.dataError, "\(from) has no id; open it once with this version")
        }
        let isThere = try databaseID() == id
        switch mark?.phase {
        case .moved:
            guard isThere else {
                throw CommandFailure(.dataError, "\(from) was moved to \(to), but that does not hold it any more")
            }
            Console.report("\(from) was moved to \(to) before. Nothing was changed.")
        case .moving:
            if !isThere {
                try await takingBack(source, unlessHeldAs: id) {
                    try checkTarget()
                    try await copy(source)
                }
            }
            try finish(source)
        case nil:
            if isThere { throw CommandFailure(.dataError, "\(to) holds this database already; name an empty one") }
            try checkTarget()
            let expired = try await RunningNodes.requireNone(on: source.store)
            try source.engine.setMoveMark(moving, replacing: nil, expired: expired)
            TestKill.reached("marked")
            try await takingBack(source, unlessHeldAs: id) { try await copy(source) }
            try finish(source)
        }
    }

    /// Takes back the mark of a move that did not finish.
    func undo() throws {
        let source = try openSource()
        defer { try? source.store.close() }
        let mark = try source.engine.moveMark()
        try refuseOtherTarget(mark)
        switch mark?.phase {
        case nil: throw CommandFailure(.dataError, "\(from) is not being moved; there is nothing to take back")
        case .moved:
            throw CommandFailure(.dataError, "\(from) was moved to \(to); move that one to a new place instead")
        case .moving: break
        }
        let held: String?
        do {
            held = try databaseID()
        } catch let error as KeybearerError {
            throw CommandFailure(
                .unavailable,
                "cannot undo: whether \(to) holds the data is not known; run it again when it can be reached "
                    + "(\(error.storeFailure?.summary ?? error.message))")
        }
        if let held, held == (try source.engine.withCopyReader { try DatabaseIdentity.read($0) }) {
            throw CommandFailure(
                .dataError,
                "\(to) holds everything already; run the same command without --undo to finish. To stay with the "
                    + "old one, remove the new one first")
        }
        removeLeftovers()
        try source.engine.setMoveMark(nil, replacing: moving, expired: [])
        Console.report("Took it back: \(from) can be used again.")
    }

    private struct Source {
        let store: SQLStore
        let engine: any MovableEngine
    }

    private func openSource() throws -> Source {
        guard try bootstrap.isThere(from) else { throw CommandFailure(.noInput, "there is no database at \(from)") }
        let store =
            switch from {
            case .sqlite(let path): try SQLiteStore.openSource(path: path)
            case .postgres(let address):
                try PostgresStore.openSource(address.text, options: bootstrap.postgresOptions(.commandLine))
            }
        guard let engine = store.engine as? any MovableEngine else {
            throw CommandFailure(.software, "this database cannot be moved")
        }
        try engine.holdForMove()
        return Source(store: store, engine: engine)
    }

    private var moving: MoveMark { MoveMark(.moving, to: to.moveTarget) }

    private func refuseOtherTarget(_ mark: MoveMark?) throws {
        guard let mark, mark.target.digest != to.moveTarget.digest else { return }
        switch mark.phase {
        case .moved: throw mark.refusal
        case .moving:
            throw CommandFailure(
                .dataError,
                "this database is being moved to \(mark.target.name), not to \(to); run 'keybearer migrate' with that "
                    + "target again to finish it, or with --undo to take it back")
        }
    }

    private func databaseID() throws -> String? {
        switch to {
        case .sqlite(let path): try SQLiteStore.databaseID(path: path)
        case .postgres(let address): try PostgresStore.databaseID(of: address.text)
        }
    }

    private func removeLeftovers() {
        if case .sqlite(let path) = to { SQLiteMoveTarget(path: path).removeLeftovers() }
    }

    /// Refuses a target that could not be filled, before the source is marked.
    private func checkTarget() throws {
        switch to {
        case .sqlite(let path):
            if (try? FileManager.default.attributesOfItem(atPath: path)) != nil {
                throw CommandFailure(.dataError, "there is a file at \(path); name one that does not exist")
            }
        case .postgres(let address):
            switch try PostgresStore.schemaState(of: address.text) {
            case .empty, .current: break
            case .older, .newer, .newerButCompatible:
                throw CommandFailure(.dataError, "\(to) holds a database of another version; name an empty one")
            case .foreign: throw CommandFailure(.dataError, "\(to) holds another program's tables; name an empty one")
            case .movedAway:
                throw CommandFailure(.dataError, "\(to) is a database that was moved elsewhere; name an empty one")
            }
        }
    }

    private func copy(_ source: Source) async throws {
        let report =
            switch to {
            case .sqlite(let path): try copy(source.store, toFile: path)
            case .postgres(let address): try await copy(source.store, toServer: address)
            }
        Console.table(["TABLE", "ROWS"], report.rows.map { [$0.table, "\($0.count)"] })
        Console.report("Copied, and verified by counts and digests.")
    }

    /// Does a step of the copy. If it fails, the mark is taken back, but only when the target certainly has nothing: a
    /// lost response to the commit looks like a failure.
    ///
    /// - Parameter id: the database's id, which the target has once it has everything.
    private func takingBack(_ source: Source, unlessHeldAs id: String, _ step: () async throws -> Void) async throws {
        do {
            try await step()
        } catch {
            let held: String?
            do {
                held = try databaseID()
            } catch {
                Console.report(
                    "Whether \(to) has everything is not known. Run the same command again when it can be reached.")
                throw error
            }
            if held == id { return }
            try source.engine.setMoveMark(nil, replacing: moving, expired: [])
            Console.report("Nothing was moved: \(from) can be used as before.")
            throw error
        }
    }

    private func copy(_ source: SQLStore, toFile path: String) throws -> Transfer.Report {
        let target = SQLiteMoveTarget(path: path)
        do {
            let store = try target.open()
            let report: Transfer.Report
            do {
                report = try transfer(source, to: store)
            } catch {
                try? store.close()
                throw error
            }
            try store.close()
            TestKill.reached("built")
            try target.putInPlace()
            return report
        } catch {
            target.remove()
            throw error
        }
    }

    private func copy(_ source: SQLStore, toServer address: PostgresAddress) async throws -> Transfer.Report {
        let options = bootstrap.postgresOptions(.commandLine)
        let isMade = try PostgresStore.schemaState(of: address.text) == .current
        let target =
            isMade
            ? try PostgresStore.openStore(address.text, options: options)
            : try PostgresStore.openTarget(address.text, options: options)
        defer { try? target.close() }
        if isMade { try await RunningNodes.requireNone(on: target) }
        return try transfer(source, to: target)
    }

    private func transfer(_ source: SQLStore, to target: SQLStore) throws -> Transfer.Report {
        let bar = ProgressBar()
        let transfer = Transfer { progress in
            bar.show("\(progress.step.rawValue) \(progress.table)", done: progress.done, total: progress.total)
            TestKill.reached(progress.step.rawValue)
            if progress.done == progress.total { TestKill.reached("verified") }
        }
        let audit = AuditEvent(
            id: .random(from: .system), at: Clocks.system.wall(), actor: .commandLine, action: .storeMoved)
        let nonce = String(decoding: RandomSource.system.base62(count: 22), as: UTF8.self)
        let report = try transfer.run(from: source, to: target, nonce: nonce, audit: audit)
        bar.end()
        return report
    }

    private func finish(_ source: Source) throws {
        TestKill.reached("committed")
        removeLeftovers()
        try source.engine.setMoveMark(MoveMark(.moved, to: to.moveTarget), replacing: moving, expired: [])
        TestKill.reached("moved")
        Console.report("Moved. Set the setting database to \(to). The old one refuses every command from now on.")
    }
}

extension DatabaseLocation {
    /// The place as a ``MoveMark`` names it.
    var moveTarget: MoveMark.Target {
        switch self {
        case .sqlite(let path):
            let directory = URL(fileURLWithPath: path).deletingLastPathComponent().resolvingSymlinksInPath().path
            let name = directory + "/" + URL(fileURLWithPath: path).lastPathComponent
            return MoveMark.Target(name: name, identity: "sqlite:" + name)
        case .postgres(let address):
            return MoveMark.Target(name: address.description, identity: address.identity)
        }
    }
}

/// Ends the process at a named stage, as a power cut would: for tests of what a crash there leaves behind.
enum TestKill {
    #if DEBUG
    private static let stage = ProcessInfo.processInfo.environment["KEYBEARER_TEST_KILL_AT"]
    #endif

    /// Does nothing in a release.
    static func reached(_ name: String) {
        #if DEBUG
        if name == stage { kill(ProcessInfo.processInfo.processIdentifier, SIGKILL) }
        #endif
    }
}
