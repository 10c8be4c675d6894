import CLibPQ
import Keybearer
import KeybearerSQL

/// What a statement answered. It belongs to the thread that asked.
final class PostgresResult {
    private let pointer: OpaquePointer
    /// The columns by name.
    var columns: [String: Int32] = [:]

    /// Takes the result over and frees it at the end.
    init(_ pointer: OpaquePointer) {
        self.pointer = pointer
    }

    /// Finds out where each column is.
    func columnIndexes() -> [String: Int32] {
        var columns: [String: Int32] = [:]
        for column in 0..<PQnfields(pointer) {
            if let name = PQfname(pointer, column) { columns[String(cString: name)] = column }
        }
        return columns
    }

    deinit { PQclear(pointer) }

    var status: ExecStatusType { PQresultStatus(pointer) }

    /// How many rows an INSERT, UPDATE or DELETE touched.
    var touched: Int { PQcmdTuples(pointer).flatMap { Int(String(cString: $0)) } ?? 0 }

    var rows: [PostgresRow] { (0..<PQntuples(pointer)).map { PostgresRow(result: self, index: $0) } }

    var first: PostgresRow? { PQntuples(pointer) > 0 ? PostgresRow(result: self, index: 0) : nil }

    /// The five characters of the SQL standard that name the failure.
    var state: String? { field(Int32(UInt8(ascii: "C"))) }

    /// The server's own words: they may name tables and columns. Its detail and the statement may hold values and are
    /// never read.
    var message: String { field(Int32(UInt8(ascii: "M"))) ?? "no message" }

    private func field(_ code: Int32) -> String? {
        PQresultErrorField(pointer, code).map { String(cString: $0) }
    }

    fileprivate func value(_ row: Int32, _ column: Int32) -> UnsafeBufferPointer<UInt8>? {
        guard PQgetisnull(pointer, row, column) == 0, let value = PQgetvalue(pointer, row, column) else { return nil }
        let length = Int(PQgetlength(pointer, row, column))
        return UnsafeRawBufferPointer(start: value, count: length).bindMemory(to: UInt8.self)
    }
}

/// One row of a result, all columns in their text form.
struct PostgresRow: StoredRow {
    fileprivate let result: PostgresResult
    fileprivate let index: Int32

    private func value<Value>(_ column: String, _ read: (UnsafeBufferPointer<UInt8>) -> Value?) -> Value? {
        guard let column = result.columns[column] else { return nil }
        return result.value(index, column).flatMap(read)
    }

    func text(_ column: String) -> String? { value(column) { String(decoding: $0, as: UTF8.self) } }
    func number(_ column: String) -> Int64? { value(column) { Int64(String(decoding: $0, as: UTF8.self)) } }
    func flag(_ column: String) -> Bool? { value(column) { $0.first == UInt8(ascii: "t") } }

    /// Reads `\x…`, PostgreSQL's text form of bytes.
    func bytes(_ column: String) -> [UInt8]? {
        value(column) { text in
            guard text.count >= 2, text.count.isMultiple(of: 2), text[0] == UInt8(ascii: "\\") else { return nil }
            var bytes: [UInt8] = []
            bytes.reserveCapacity(text.count / 2 - 1)
            for index in stride(from: 2, to: text.count, by: 2) {
                guard let high = Self.digit(text[index]), let low = Self.digit(text[index + 1]) else { return nil }
                bytes.append(high << 4 | low)
            }
            return bytes
        }
    }

    private static func digit(_ character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
