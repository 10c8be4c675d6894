import Crypto

/// Copies everything that one store holds into another, empty one, and proves that it arrived.
///
/// The copy is one transaction of the target: it holds everything or nothing, so an interrupted copy is simply run
/// again. Before the commit every table is read back from the target and compared with the source, by count and by
/// digest. Nodes and past changes stay behind: the target's history begins anew above both stores' numbers, so no node
/// can mistake one for the other. Nobody may write to the source meanwhile; what did would show in the comparison only
/// if it came before the table was read.
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

    /// The rows that are in memory at once.
    private static let batchSize = 1_000

    private let report: (Progress) -> Void

    /// - Parameter progress: told after each batch.
    package init(progress: @escaping (Progress) -> Void) {
        report = progress
    }

    /// Copies and verifies.
    ///
    /// - Parameter audit: the event that the target begins its history with.
    /// - Throws: `CONFLICT` when the target holds accounts; `INTERNAL_ERROR` when what arrived is not what was sent.
    ///   Nothing is changed then.
    package func run(
        from source: any TransferableStore, to target: any TransferableStore, mark: String, audit: AuditEvent
    ) throws -> Report {
        try source.withTransferReader { reader in
            try target.withTransferWriter { writer in
                guard try writer.count(.users) == 0 else { throw Self.notEmpty }
                let counts = try TransferTable.all.map { try reader.count($0) }
                let total = counts.reduce(0, +) * 2
                var done = 0
                for table in TransferTable.all.reversed() { try writer.clear(table) }
                var digests: [SHA256.Digest] = []
                for table in TransferTable.all {
                    digests.append(
                        try each(table, of: reader) { rows in
                            try writer.insert(rows, into: table)
                            done += rows.count
                            report(Progress(step: .copying, table: table.name, done: done, total: total))
                        })
                }
                for (table, (count, digest)) in zip(TransferTable.all, zip(counts, digests)) {
                    let arrived = try each(table, of: writer) { rows in
                        done += rows.count
                        report(Progress(step: .verifying, table: table.name, done: done, total: total))
                    }
                    guard arrived == digest, try writer.count(table) == count else { throw Self.differs(table) }
                }
                let number = max(try reader.newestNumber(), try writer.newestNumber()) + 1
                try writer.beginHistory(at: ChangePosition(number: number, mark: mark), audit: audit)
                return Report(rows: zip(TransferTable.all.map(\.name), counts).map { (table: $0, count: $1) })
            }
        }
    }

    /// Reads a table in the order of its key, a batch after another.
    ///
    /// - Returns: the digest of all its rows.
    private func each(
        _ table: TransferTable, of reader: any TransferReader, _ body: ([[StoredValue]]) throws -> Void
    ) throws -> SHA256.Digest {
        var hash = SHA256()
        var last: [StoredValue]?
        while true {
            let rows = try reader.rows(table, after: last, limit: Self.batchSize)
            guard let end = rows.last else { return hash.finalize() }
            for value in rows.joined() { hash.update(data: value.canonicalForm) }
            try body(rows)
            last = Array(end.prefix(table.keyCount))
        }
    }

    private static let notEmpty = KeybearerError(
        .conflict, "The target holds accounts already. Nothing was copied; name an empty database.")

    private static func differs(_ table: TransferTable) -> KeybearerError {
        KeybearerError(
            .internalError,
            "The table \(table.name) did not arrive as it was sent. Nothing was kept in the target; make sure that "
                + "nothing writes to the source, and run it again.")
    }
}

/// A store that can be copied.
package protocol TransferableStore: Sendable {
    /// Reads one state of the store. Blocks.
    func withTransferReader<Value>(_ body: (any TransferReader) throws -> Value) throws -> Value
    /// Writes in one transaction, which is committed when the body returns. Blocks.
    func withTransferWriter<Value>(_ body: (any TransferWriter) throws -> Value) throws -> Value
}

/// Reads tables of one state of a store.
package protocol TransferReader {
    /// How many rows a table has.
    func count(_ table: TransferTable) throws -> Int
    /// The rows after a key in the order of the key, which compares bytes.
    func rows(_ table: TransferTable, after key: [StoredValue]?, limit: Int) throws -> [[StoredValue]]
    /// The number of the newest change.
    func newestNumber() throws -> Int64
}

/// Fills tables.
package protocol TransferWriter: TransferReader {
    /// Removes all rows.
    func clear(_ table: TransferTable) throws
    /// Adds rows.
    func insert(_ rows: [[StoredValue]], into table: TransferTable) throws
    /// Makes a change of everything the only one there is, with its audit row.
    func beginHistory(at position: ChangePosition, audit: AuditEvent) throws
}
