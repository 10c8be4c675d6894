import Crypto
package import Keybearer

/// Marks a database that is being moved to another one, or was: every program refuses to open it.
///
/// It is a row in the table of applied migrations whose name no version knows as a step, so that version 0.1 takes the
/// database for one of a newer version and refuses it too. It names the target without credentials.
package struct MoveMark: Sendable, Equatable {
    /// How far the move is.
    package enum Phase: String, Sendable {
        /// Nothing is written here any more; whether the target has everything is not certain.
        case moving
        /// The target has everything.
        case moved
    }

    /// Where a database goes.
    package struct Target: Sendable, Equatable {
        /// What is shown: a path, or `postgres://user@host/database`.
        package let name: String
        /// The same for the same place: 16 hexadecimal digits of a digest over all that names it, no secret among it.
        package let digest: String

        /// - Parameter identity: all that tells this place from another one.
        package init(name: String, identity: String) {
            self.name = name
            digest = SHA256.hash(data: Array(identity.utf8)).prefix(8).map { byte in
                let text = String(byte, radix: 16)
                return byte < 16 ? "0" + text : text
            }.joined()
        }

        fileprivate init(name: String, digest: String) {
            self.name = name
            self.digest = digest
        }
    }

    package let phase: Phase
    package let target: Target

    package init(_ phase: Phase, to target: Target) {
        self.phase = phase
        self.target = target
    }

    /// What is in the table of migrations.
    package var identifier: String { "\(phase.rawValue) \(target.digest) \(target.name)" }

    /// Reads what is in the table of migrations; nil for a migration.
    package init?(identifier: String) {
        let words = identifier.split(separator: " ", maxSplits: 2).map(String.init)
        guard words.count == 3, words[1].count == 16, let phase = Phase(rawValue: words[0]) else { return nil }
        self.init(phase, to: Target(name: words[2], digest: words[1]))
    }

    /// How many migrations a program must know to go on beside it: more than there will ever be.
    package static let needs = 1_000_000

    /// The tables that refuse every write from then on, so that processes which have the database open already stop.
    package static let closedTables = CopiedTable.all.map(\.name) + ["nodes", "changes", "budget_recalls"]

    /// The message with which such a table refuses a write.
    package static let closedTable = "this database was moved"

    /// The error for whoever opens the database.
    package var refusal: KeybearerError {
        let failure =
            switch phase {
            case .moved:
                StoreFailure(
                    .moved, "this database was moved to", target.name, "nothing is changed here any more",
                    advice: "Set the setting database to that one.")
            case .moving:
                StoreFailure(
                    .moved, "this database is being moved to", target.name, "nothing is changed here meanwhile",
                    advice: "Run the same 'keybearer migrate' again to finish it, or with --undo to take it back.")
            }
        return KeybearerError(.unavailable, failure.description, cause: failure)
    }

    /// The error for a process that had the database open when it was moved.
    package static let lost =
        DatabaseLost(
            reason: "database_moved",
            message:
                "The database was moved to another one while this process had it open. Nothing is answered any more. "
                + "Stop this process, and set the setting database to the new one."
        ).error

    /// The error for a process that finds another one moving the database.
    package static let isBusy = KeybearerError(
        .conflict,
        "Another process moves this database. Nothing was changed. Wait until it has ended, then run it again.")
}

/// The random id that names a database, wherever it is moved to.
package enum DatabaseIdentity {
    /// The id; nil where it has none yet.
    package static func read(_ connection: any SQLConnection) throws -> String? {
        try connection.first(SettingSQL.find, [name])?.requiredText("value")
    }

    /// Gives a database an id that has none.
    package static func give(_ random: RandomSource, _ connection: any SQLConnection) throws {
        let id = String(decoding: random.base62(count: 22), as: UTF8.self)
        try connection.execute(SettingSQL.putNew, [name, .text(id)])
    }

    /// Gives a database another id.
    package static func put(_ id: String, _ connection: any SQLConnection) throws {
        try connection.execute(SettingSQL.put, [name, .text(id)])
    }

    private static let name = SQLValue.text(StoredSetting.databaseID.rawValue)
}

/// What a source of a move must do, and no other database.
package protocol MovableEngine: SQLEngine {
    /// The mark of a move, where there is one. Blocks.
    func moveMark() throws -> MoveMark?

    /// Puts a mark in the place of another, and closes or opens the tables with it, in one transaction. Blocks.
    ///
    /// - Parameters:
    ///   - mark: nil takes it back.
    ///   - old: what must be there.
    ///   - expired: the nodes that were watched and do not live: they are removed. Any other node is in the way.
    /// - Throws: `UNAVAILABLE` when another mark is there; `CONFLICT` when another node is, or the mark is gone.
    func setMoveMark(_ mark: MoveMark?, replacing old: MoveMark?, expired: [RegisteredNode]) throws

    /// Lets no other process move this database until this one ends. Blocks no reader and no writer.
    ///
    /// - Throws: `CONFLICT` when another does.
    func holdForMove() throws
}

extension MovableEngine {
    /// Removes the nodes that were watched and do not live; refuses when any other is registered.
    package func remove(_ expired: [RegisteredNode], _ connection: any SQLConnection) throws {
        let found = try connection.rows(NodeSQL.list).map { try StoredValues.node($0) }
        guard Set(found.map(\.stand)).isSubset(of: expired.map(\.stand)) else {
            throw KeybearerError(
                .conflict, "A server was started on this database. Stop it first; nothing was changed.")
        }
        try connection.execute(NodeSQL.removeAll)
    }

    /// The error when the mark that was found is not the one to replace.
    package static func differs(_ found: MoveMark?) -> KeybearerError { found?.refusal ?? MoveMark.isBusy }
}

extension RegisteredNode {
    /// What changes when it renews.
    fileprivate var stand: String { "\(id.rawValue) \(renewals)" }
}
