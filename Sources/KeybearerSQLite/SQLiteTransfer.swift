import Foundation
import GRDB
package import Keybearer

extension SQLiteStore: TransferableStore {
    package func withTransferReader<Value>(_ body: (any TransferReader) throws -> Value) throws -> Value {
        try translatingErrors { try pool.read { try body(SQLiteTransfer(db: $0)) } }
    }

    package func withTransferWriter<Value>(_ body: (any TransferWriter) throws -> Value) throws -> Value {
        try translatingErrors { try pool.write { try body(SQLiteTransfer(db: $0)) } }
    }
}

/// Reads and writes whole tables within one transaction of a connection.
private struct SQLiteTransfer: TransferWriter {
    let db: Database

    func count(_ table: TransferTable) throws -> Int {
        try Int.fetchOne(db, sql: "SELECT count(*) FROM \(table.name)") ?? 0
    }

    func rows(_ table: TransferTable, after key: [StoredValue]?, limit: Int) throws -> [[StoredValue]] {
        let names = table.columns.map(\.name).joined(separator: ", ")
        let keys = table.columns.prefix(table.keyCount).map(\.name).joined(separator: ", ")
        let marks = databaseQuestionMarks(count: table.keyCount)
        let filter = key == nil ? "" : "WHERE (\(keys)) > (\(marks))"
        let statement = try db.cachedStatement(
            sql: "SELECT \(names) FROM \(table.name) \(filter) ORDER BY \(keys) LIMIT ?")
        let arguments = StatementArguments((key ?? []).map(\.databaseValue) + [limit.databaseValue])
        return try Row.fetchAll(statement, arguments: arguments).map { row in table.columns.map(row.value) }
    }

    func newestNumber() throws -> Int64 { try SQLiteStore.newestPosition(db).number }

    func clear(_ table: TransferTable) throws { try db.execute(sql: "DELETE FROM \(table.name)") }

    func insert(_ rows: [[StoredValue]], into table: TransferTable) throws {
        let names = table.columns.map(\.name).joined(separator: ", ")
        let statement = try db.cachedStatement(
            sql: """
                INSERT INTO \(table.name) (\(names)) VALUES (\(databaseQuestionMarks(count: table.columns.count)))
                """)
        for row in rows { try statement.execute(arguments: StatementArguments(row.map(\.databaseValue))) }
    }

    func beginHistory(at position: ChangePosition, audit: AuditEvent) throws {
        try db.execute(sql: "DELETE FROM changes")
        try SQLiteStore.record(audit, db)
        try SQLiteStore.append(.everything, at: position, audit.at, db)
    }
}

extension StoredValue {
    fileprivate var databaseValue: DatabaseValue {
        switch self {
        case .null: .null
        case .text(let text): text.databaseValue
        case .number(let number): number.databaseValue
        case .flag(let flag): flag.databaseValue
        case .bytes(let bytes): Data(bytes).databaseValue
        }
    }
}
