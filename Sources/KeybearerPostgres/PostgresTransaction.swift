import Keybearer
import KeybearerSQL

/// A connection to the server within a read or a transaction.
struct PostgresTransaction: SQLConnection {
    let connection: PostgresConnection
    /// Whose clock stamps what expires.
    let clock: PostgresStore.Clock

    func rows(_ sql: SQL, _ parameters: [SQLValue]) throws -> [any StoredRow] {
        try connection.execute(sql.text, parameters.map(\.parameter)).rows
    }

    func execute(_ sql: SQL, _ parameters: [SQLValue]) throws -> Int {
        try connection.execute(sql.text, parameters.map(\.parameter)).touched
    }

    func executeMany(_ sql: SQL, _ parameters: [[SQLValue]]) throws -> [Int] {
        if parameters.isEmpty { return [] }
        return try connection.roundTrip(parameters.map { Statement(sql.text, $0.map(\.parameter)) }).map(\.touched)
    }

    func lock(
        _ rows: [(SQLStatement, LockMode)], readsTime: Bool
    ) throws -> (rows: [[any StoredRow]], time: Timestamp?) {
        if rows.isEmpty { return ([], nil) }
        let statements = rows.map { statement, mode in
            Statement("\(statement.sql.text) \(mode.clause)", statement.parameters.map(\.parameter))
        }
        guard readsTime, clock == .database else { return (try connection.roundTrip(statements).map(\.rows), nil) }
        // The statements run one after another: this one when all locks are held.
        let results = try connection.roundTrip(statements + [Self.time])
        return (results.dropLast().map(\.rows), try Self.time(results[statements.count]))
    }

    func attempt<Value>(_ body: () throws -> Value) throws -> Result<Value, KeybearerError> {
        try connection.execute(Statement.savepoint.sql)
        do {
            let value = try body()
            try connection.execute(Statement.release.sql)
            return .success(value)
        } catch let error as KeybearerError where error.isRefusal {
            try connection.execute(Statement.rollBackToSavepoint.sql)
            return .failure(error)
        } catch let failure as PostgresFailure where failure.state.map({ $0.hasPrefix("23") }) ?? false {
            guard let refusal = failure.refusal else { throw failure }
            try connection.execute(Statement.rollBackToSavepoint.sql)
            return .failure(refusal)
        }
    }

    func insertMany(_ rows: [[SQLValue]], into table: CopiedTable) throws {
        if rows.isEmpty { return }
        let names = table.columns.map(\.name).joined(separator: ", ")
        let arrays = table.columns.enumerated().map { "$\($0.offset + 1)::\($0.element.kind.type)[]" }
        try connection.execute(
            "INSERT INTO \(table.name) (\(names)) SELECT * FROM unnest(\(arrays.joined(separator: ", ")))",
            table.columns.indices.map { column in .array(rows.map { $0[column] }) })
    }

    func now(_ caller: Timestamp) throws -> Timestamp {
        guard clock == .database else { return caller }
        return try Self.time(connection.execute(Self.time.sql))
    }

    func rowsAndTime(
        _ sql: SQL, _ parameters: [SQLValue], caller: Timestamp
    ) throws -> (rows: [any StoredRow], now: Timestamp) {
        guard clock == .database else { return (try rows(sql, parameters), caller) }
        let results = try connection.roundTrip([Statement(sql.text, parameters.map(\.parameter)), Self.time])
        return (results[0].rows, try Self.time(results[1]))
    }

    private static let time = Statement("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now")

    private static func time(_ result: PostgresResult) throws -> Timestamp {
        guard let row = result.first else { throw KeybearerError.unreadable("clock_timestamp") }
        return try row.timestamp("now")
    }
}

extension LockMode {
    fileprivate var clause: String {
        switch self {
        case .updateOrSkip: "FOR NO KEY UPDATE SKIP LOCKED"
        case .share: "FOR SHARE"
        case .update: "FOR NO KEY UPDATE"
        case .replace: "FOR UPDATE"
        }
    }
}

extension CopiedTable.Kind {
    fileprivate var type: String {
        switch self {
        case .text: "text"
        case .number: "bigint"
        case .flag: "boolean"
        case .bytes: "bytea"
        }
    }
}

extension SQLValue {
    var parameter: PostgresValue {
        switch self {
        case .null: .null
        case .text(let text): .text(text)
        case .number(let number): .number(number)
        case .flag(let flag): .flag(flag)
        case .bytes(let bytes): .bytes(bytes)
        }
    }
}
