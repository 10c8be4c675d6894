import Crypto
package import Keybearer

/// Copies everything that one store holds into another, empty one, and proves that it arrived.
///
/// The copy is one transaction of the target: it holds everything or nothing. Before the commit every table is read
/// back from the target and compared with the source, by count and by digest. Nodes and past changes stay behind: the
/// target's history begins again above both stores' numbers, so no node can mistake one for the other.
package struct Transfer {
    /// How far it is.
    package struct Progress: Sendable {
        /// What is being done.
        package enum Step: String, Sendable {
            case copying
            case verifying
        }

        package let step: Step
        package let table: String
        /// Rows of all tables that are copied or verified.
        package let done: Int
        /// Rows of all tables, counted once for copying and once for verifying.
        package let total: Int
    }

    /// What was copied.
    package struct Report: Sendable {
        /// Rows by table, in the order of copying.
        package let rows: [(table: String, count: Int)]
    }

    /// The rows that are in memory at the same time.
    private static let batchSize = 1_000

    private let report: (Progress) -> Void

    /// - Parameter progress: called after each batch.
    package init(progress: @escaping (Progress) -> Void) {
        report = progress
    }

    /// Copies and verifies.
    ///
    /// - Parameter audit: the event that the target begins its history with.
    /// - Throws: `CONFLICT` when the target holds accounts; `INTERNAL_ERROR` when what arrived is not what was sent.
    ///   Nothing is changed then.
    package func run(
        from source: SQLStore, to target: SQLStore, nonce: String, audit: AuditEvent
    ) throws -> Report {
        try source.engine.withCopyReader { reader in
            try target.engine.withCopyWriter { writer in
                guard try writer.count(CopiedTable.users.count) == 0 else { throw Self.notEmpty }
                let counts = try CopiedTable.all.map { try reader.count($0.count) }
                let total = counts.reduce(0, +) * 2
                var done = 0
                for table in CopiedTable.all.reversed() { try writer.execute(table.clear) }
                var digests: [SHA256.Digest] = []
                for table in CopiedTable.all {
                    digests.append(
                        try Self.each(table, of: reader) { rows in
                            try writer.insertMany(rows, into: table)
                            done += rows.count
                            report(Progress(step: .copying, table: table.name, done: done, total: total))
                        })
                }
                for (table, (count, digest)) in zip(CopiedTable.all, zip(counts, digests)) {
                    let arrived = try Self.each(table, of: writer) { rows in
                        done += rows.count
                        report(Progress(step: .verifying, table: table.name, done: done, total: total))
                    }
                    guard arrived == digest, try writer.count(table.count) == count else { throw Self.differs(table) }
                }
                let number =
                    max(try source.engine.newestNumber(reader), try target.engine.newestNumber(writer)) + 1
                try target.engine.beginHistory(at: ChangeLogPosition(number: number, nonce: nonce), audit.at, writer)
                try writer.execute(SQLStore.record(audit))
                return Report(rows: zip(CopiedTable.all.map(\.name), counts).map { (table: $0, count: $1) })
            }
        }
    }

    /// Puts all rows of one database in the place of those of another, within a transaction of each.
    package static func copyRows(from reader: any SQLConnection, to writer: any SQLConnection) throws {
        for table in CopiedTable.all.reversed() { try writer.execute(table.clear) }
        for table in CopiedTable.all {
            _ = try each(table, of: reader) { try writer.insertMany($0, into: table) }
        }
    }

    /// Reads a table in the order of its key, a batch after another.
    ///
    /// - Returns: the digest of all its rows.
    private static func each(
        _ table: CopiedTable, of connection: any SQLConnection, _ body: ([[SQLValue]]) throws -> Void
    ) throws -> SHA256.Digest {
        var hash = SHA256()
        var last: [SQLValue]?
        while true {
            let limit = SQLValue.number(Self.batchSize)
            let found =
                if let last {
                    try connection.rows(table.pageAfter, last + [limit])
                } else {
                    try connection.rows(table.firstPage, [limit])
                }
            let rows = found.map { row in table.columns.map { row.value($0) } }
            guard let end = rows.last else { return hash.finalize() }
            for value in rows.joined() { hash.update(data: value.canonicalForm) }
            try body(rows)
            last = Array(end.prefix(table.keyCount))
        }
    }

    private static let notEmpty = KeybearerError(
        .conflict, "The target holds accounts already. Nothing was copied; name an empty database.")

    private static func differs(_ table: CopiedTable) -> KeybearerError {
        KeybearerError(
            .internalError,
            "The table \(table.name) did not arrive as it was sent. Nothing was kept in the target; make sure that "
                + "nothing writes to the source, and run it again.")
    }
}
