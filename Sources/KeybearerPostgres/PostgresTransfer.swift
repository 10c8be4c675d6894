package import Keybearer

extension PostgresStore: TransferableStore {
    /// A copy reads and writes for as long as it takes.
    private static let transferPatience = PostgresConnection.Patience(roundTrip: .seconds(600), lock: .seconds(600))

    package func withTransferReader<Value>(_ body: (any TransferReader) throws -> Value) throws -> Value {
        try withTransfer(beginning: "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", body)
    }

    package func withTransferWriter<Value>(_ body: (any TransferWriter) throws -> Value) throws -> Value {
        try withTransfer(beginning: "BEGIN", body)
    }

    private func withTransfer<Value>(
        beginning begin: String, _ body: (PostgresTransfer) throws -> Value
    ) throws -> Value {
        try translatingErrors {
            let connection = try PostgresConnection(
                to: address, name: "keybearer transfer", patience: Self.transferPatience)
            return try connection.transaction(beginning: begin) { connection in
                (try body(PostgresTransfer(connection: connection)), [])
            }.0
        }
    }
}

/// Reads and writes whole tables within one transaction of a connection.
private struct PostgresTransfer: TransferWriter {
    let connection: PostgresConnection

    /// What stands behind FROM: the retired master keys are a list in one row here.
    private static func source(_ table: TransferTable) -> String {
        table.name == TransferTable.retiredMasterKeys.name
            ? "(SELECT unnest(retired) COLLATE \"C\" AS id FROM sealing) AS retired_master_keys" : table.name
    }

    func count(_ table: TransferTable) throws -> Int {
        let row = try connection.execute("SELECT count(*) AS count FROM \(Self.source(table))").first
        return Int(try row?.requiredNumber("count") ?? 0)
    }

    func rows(_ table: TransferTable, after key: [StoredValue]?, limit: Int) throws -> [[StoredValue]] {
        let names = table.columns.map(\.name).joined(separator: ", ")
        let keys = table.columns.prefix(table.keyCount)
        let keyNames = keys.map(\.name).joined(separator: ", ")
        let marks = keys.enumerated().map { "$\($0.offset + 2)::\($0.element.kind.type)" }.joined(separator: ", ")
        let filter = key == nil ? "" : "WHERE (\(keyNames)) > (\(marks))"
        return try connection.execute(
            "SELECT \(names) FROM \(Self.source(table)) \(filter) ORDER BY \(keyNames) LIMIT $1",
            [.number(limit)] + (key ?? []).map(\.parameter)
        ).rows.map { row in table.columns.map(row.value) }
    }

    func newestNumber() throws -> Int64 {
        try connection.execute("SELECT number FROM fence_counter").first?.requiredNumber("number") ?? 0
    }

    func clear(_ table: TransferTable) throws {
        if table.name == TransferTable.retiredMasterKeys.name {
            try connection.execute("UPDATE sealing SET retired = '{}'")
        } else {
            try connection.execute("DELETE FROM \(table.name)")
        }
    }

    func insert(_ rows: [[StoredValue]], into table: TransferTable) throws {
        if table.name == TransferTable.retiredMasterKeys.name {
            try connection.execute(
                "UPDATE sealing SET retired = retired || $1::text[]", [.array(rows.map { $0[0] })])
            return
        }
        let names = table.columns.map(\.name).joined(separator: ", ")
        let arrays = table.columns.enumerated().map { "$\($0.offset + 1)::\($0.element.kind.type)[]" }
        try connection.execute(
            "INSERT INTO \(table.name) (\(names)) SELECT * FROM unnest(\(arrays.joined(separator: ", ")))",
            table.columns.indices.map { column in .array(rows.map { $0[column] }) })
    }

    func beginHistory(at position: ChangePosition, audit: AuditEvent) throws {
        // Rows were added with their own numbers: the next ones go on behind them.
        try connection.execute(
            """
            SELECT setval(pg_get_serial_sequence('audit_events', 'sequence'), coalesce(max(sequence), 0) + 1, false)
            FROM audit_events
            """)
        try connection.execute("DELETE FROM changes")
        let record = PostgresStore.record(audit)
        try connection.execute(record.sql, record.parameters)
        try connection.execute(
            "UPDATE fence_counter SET number = $1, mark = $2", [.number(position.number - 1), .text(position.mark)])
        let number = PostgresStore.number(.everything, position.mark, audit.at)
        try connection.execute(number.sql, number.parameters)
    }
}

extension TransferTable.Kind {
    fileprivate var type: String {
        switch self {
        case .text: "text"
        case .number: "bigint"
        case .flag: "boolean"
        case .bytes: "bytea"
        }
    }
}

extension StoredValue {
    fileprivate var parameter: PostgresValue {
        switch self {
        case .null: .null
        case .text(let text): .text(text)
        case .number(let number): .number(number)
        case .flag(let flag): .flag(flag)
        case .bytes(let bytes): .bytes(bytes)
        }
    }
}
