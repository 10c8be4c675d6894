@testable import Keybearer
@testable import KeybearerSQL

/// All rows of a database that somebody's change could touch. Uses, windows and nodes are left out: they move by
/// themselves.
struct DatabaseSnapshot: Sendable {
    private let tables: [String: Set<[UInt8]>]

    init(_ store: SQLStore) async throws {
        let engine = store.engine
        tables = try await engine.read { connection in
            var tables: [String: Set<[UInt8]>] = [:]
            for table in CopiedTable.all where !Self.movingTables.contains(table.name) {
                let columns = table.columns.filter { !Self.movingColumns.contains($0.name) }
                tables[table.name] = Set(
                    try connection.rows(table.firstPage, [.number(1_000_000)]).map { row in
                        columns.flatMap { row.value($0).canonicalForm }
                    })
            }
            tables["changes"] = [Array(String(try engine.newestNumber(connection)).utf8)]
            return tables
        }
    }

    private static let movingTables: Set<String> = ["budgets", "budget_allowances"]
    private static let movingColumns: Set<String> = ["last_used_at", "last_used_ip", "last_seen_at"]

    /// The tables whose rows differ.
    func difference(from other: DatabaseSnapshot) -> [String] {
        tables.keys.filter { tables[$0] != other.tables[$0] }.sorted()
    }
}
