import Foundation
import GRDB
import Keybearer
import KeybearerSQL

/// GRDB has a type of the same name.
typealias SQL = KeybearerSQL.SQL

/// A connection to the file within a read or a transaction.
struct SQLiteConnection: SQLConnection {
    let db: Database

    func rows(_ sql: SQL, _ parameters: [SQLValue]) throws -> [any StoredRow] {
        let statement = try db.cachedStatement(sql: sql.numbered)
        let columns = sql.columns.indexes { statement.columnNames }
        return try Row.fetchAll(statement, arguments: Self.arguments(parameters)).map {
            SQLiteRow(row: $0, columns: columns)
        }
    }

    func execute(_ sql: SQL, _ parameters: [SQLValue]) throws -> Int {
        try db.cachedStatement(sql: sql.numbered).execute(arguments: Self.arguments(parameters))
        return db.changesCount
    }

    func executeMany(_ sql: SQL, _ parameters: [[SQLValue]]) throws -> [Int] {
        let statement = try db.cachedStatement(sql: sql.numbered)
        return try parameters.map { values in
            try statement.execute(arguments: Self.arguments(values))
            return db.changesCount
        }
    }

    /// A transaction that writes holds the one write lock from its first statement on (`BEGIN IMMEDIATE`).
    func lock(
        _ rows: [(SQLStatement, LockMode)], readsTime: Bool
    ) throws -> (rows: [[any StoredRow]], time: Timestamp?) {
        (try rows.map { try self.rows($0.0.sql, $0.0.parameters) }, nil)
    }

    func attempt<Value>(_ body: () throws -> Value) throws -> Result<Value, KeybearerError> {
        var outcome: Result<Value, KeybearerError>?
        do {
            try db.inSavepoint {
                outcome = .success(try body())
                return .commit
            }
        } catch let error as KeybearerError where error.isRefusal {
            outcome = .failure(error)
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
            let refusal = KeybearerError(sqlite: error, at: "")
            guard refusal.isRefusal else { throw error }
            outcome = .failure(refusal)
        }
        guard let outcome else { throw KeybearerError(.internalError, "The store failed.") }
        return outcome
    }

    func insertMany(_ rows: [[SQLValue]], into table: CopiedTable) throws {
        _ = try executeMany(table.insert, rows)
    }

    func now(_ caller: Timestamp) -> Timestamp { caller }

    func rowsAndTime(
        _ sql: SQL, _ parameters: [SQLValue], caller: Timestamp
    ) throws -> (rows: [any StoredRow], now: Timestamp) {
        (try rows(sql, parameters), caller)
    }

    private static func arguments(_ parameters: [SQLValue]) -> StatementArguments {
        StatementArguments(parameters.map(\.databaseValue))
    }
}

extension SQLValue {
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

/// One row. A value of another type than was asked for reads as absent, and is then refused by whoever needs it.
private struct SQLiteRow: StoredRow {
    let row: Row
    let columns: [String: Int]

    private func storage(_ column: String) -> DatabaseValue.Storage? {
        columns[column].map { (row[$0] as DatabaseValue).storage }
    }

    func text(_ column: String) -> String? {
        if case .string(let text) = storage(column) { text } else { nil }
    }

    func number(_ column: String) -> Int64? {
        if case .int64(let number) = storage(column) { number } else { nil }
    }

    func flag(_ column: String) -> Bool? { number(column).map { $0 != 0 } }

    func bytes(_ column: String) -> [UInt8]? {
        if case .blob(let data) = storage(column) { [UInt8](data) } else { nil }
    }
}
