import Foundation
import GRDB
import GRDBSQLite
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
        try statement.setArguments(Self.arguments(parameters))
        // Not as GRDB's rows: it makes an index of the lower-cased names of the columns for every query, which costs as
        // much as a key that is read costs otherwise.
        let pointer = statement.sqliteStatement
        defer { sqlite3_reset(pointer) }
        var rows: [any StoredRow] = []
        while true {
            switch sqlite3_step(pointer) {
            case SQLITE_ROW: rows.append(SQLiteRow(pointer, columns))
            case SQLITE_DONE: return rows
            case let code:
                throw DatabaseError(
                    resultCode: ResultCode(rawValue: code), message: db.lastErrorMessage, sql: statement.sql)
            }
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
    private let values: [SQLValue]
    private let columns: ColumnIndexes.ByName

    /// Copies the row that a statement stands at.
    init(_ statement: OpaquePointer, _ columns: ColumnIndexes.ByName) {
        values = (0..<sqlite3_column_count(statement)).map { Self.value(statement, $0) }
        self.columns = columns
    }

    private static func value(_ statement: OpaquePointer, _ column: Int32) -> SQLValue {
        switch sqlite3_column_type(statement, column) {
        case SQLITE_INTEGER: return .number(sqlite3_column_int64(statement, column))
        case SQLITE_TEXT:
            guard let text = sqlite3_column_text(statement, column) else { return .null }
            let count = Int(sqlite3_column_bytes(statement, column))
            return .text(String(decoding: UnsafeBufferPointer(start: text, count: count), as: UTF8.self))
        case SQLITE_BLOB:
            let bytes = sqlite3_column_blob(statement, column)
            let count = Int(sqlite3_column_bytes(statement, column))
            return .bytes(Array(UnsafeRawBufferPointer(start: bytes, count: count)))
        default: return .null
        }
    }

    private func value(_ column: String) -> SQLValue? { columns[column].map { values[$0] } }

    func text(_ column: String) -> String? {
        if case .text(let text) = value(column) { text } else { nil }
    }

    func number(_ column: String) -> Int64? {
        if case .number(let number) = value(column) { number } else { nil }
    }

    func flag(_ column: String) -> Bool? { number(column).map { $0 != 0 } }

    func bytes(_ column: String) -> [UInt8]? {
        if case .bytes(let bytes) = value(column) { bytes } else { nil }
    }
}
