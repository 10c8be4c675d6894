import GRDBSQLite
import Keybearer

/// What the database file alone holds, without its write-ahead log: the state of some checkpoint.
///
/// An ordinary connection looks for a page in the log first, so a file that was written over looks as it was for as
/// long as the log holds its old pages. A connection with `immutable=1` reads the file alone.
struct MainFile: Equatable {
    /// The bytes 18 and 19 of its head: 2 for a file with a write-ahead log. A backup has none, and new connections
    /// would ignore the log beside it.
    let format: [UInt8]
    let position: ChangeLogPosition
    /// The last audit row: account creations, ended sessions and the like take no number in the change log.
    let lastEvent: Int64
    let lastEventID: String
    let databaseID: String

    /// Reads it on a connection of its own, which holds no lock; nil where it is not to be read: before the first
    /// checkpoint, or when something else is in it.
    ///
    /// SQLite closes the descriptor later, while another connection of this process holds a lock on the file.
    static func read(_ path: String) -> MainFile? {
        var connection: OpaquePointer?
        defer { sqlite3_close_v2(connection) }
        let flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX
        guard sqlite3_open_v2("file:\(escaped(path))?immutable=1", &connection, flags, nil) == SQLITE_OK,
            let format = format(connection),
            let change = row(
                "SELECT number, mark FROM changes UNION ALL SELECT 0, '' ORDER BY number DESC LIMIT 1", connection),
            let event = row(
                "SELECT sequence, id FROM audit_events UNION ALL SELECT 0, '' ORDER BY sequence DESC LIMIT 1",
                connection),
            let identity = row(
                "SELECT 0, value FROM stored_settings WHERE name = '\(StoredSetting.databaseID.rawValue)'", connection)
        else { return nil }
        return MainFile(
            format: format, position: ChangeLogPosition(number: change.0, nonce: change.1), lastEvent: event.0,
            lastEventID: event.1, databaseID: identity.1)
    }

    /// Whether this can be a later checkpoint of the same database.
    func follows(_ earlier: MainFile) -> Bool {
        guard databaseID == earlier.databaseID, format == earlier.format else { return false }
        let isSameChange = position == earlier.position
        guard isSameChange || position.number > earlier.position.number else { return false }
        return lastEvent > earlier.lastEvent
            || (lastEvent == earlier.lastEvent && lastEventID == earlier.lastEventID)
    }

    private static func format(_ connection: OpaquePointer?) -> [UInt8]? {
        var file: UnsafeMutablePointer<sqlite3_file>?
        var head = [UInt8](repeating: 0, count: 2)
        guard sqlite3_file_control(connection, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK,
            let file, let methods = file.pointee.pMethods, let read = methods.pointee.xRead,
            read(file, &head, 2, 18) == SQLITE_OK
        else { return nil }
        return head
    }

    private static func row(_ sql: String, _ connection: OpaquePointer?) -> (Int64, String)? {
        var statement: OpaquePointer?
        defer { sqlite3_finalize(statement) }
        guard sqlite3_prepare_v2(connection, sql, -1, &statement, nil) == SQLITE_OK,
            sqlite3_step(statement) == SQLITE_ROW, let text = sqlite3_column_text(statement, 1)
        else { return nil }
        return (sqlite3_column_int64(statement, 0), String(cString: text))
    }

    /// A path as a part of an address.
    private static func escaped(_ path: String) -> String {
        path.utf8.map { byte in
            let character = Character(UnicodeScalar(byte))
            let isPlain = character.isASCII && (character.isLetter || character.isNumber || "/._-".contains(character))
            return isPlain ? String(character) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }
}
