import GRDB
import Keybearer
import TestSupport
import Testing

@testable import KeybearerSQLite

/// A ``MainFile``: what is read of a database's file beside its log, and which state can follow which.
@Suite struct MainFileTests {
    private func state(
        change number: Int64 = 5, _ nonce: String = "five", event: Int64 = 9, _ eventID: String = "evt_9",
        format: UInt8 = 2, of databaseID: String = "one"
    ) -> MainFile {
        MainFile(
            format: [format, format], position: ChangeLogPosition(number: number, nonce: nonce), lastEvent: event,
            lastEventID: eventID, databaseID: databaseID)
    }

    @Test func aLaterCheckpointOfTheSameHistoryFollows() {
        let known = state()
        #expect(known.follows(known))
        #expect(state(event: 10, "evt_10").follows(known))
        #expect(state(change: 6, "six").follows(known))
        #expect(state(change: 6, "six", event: 10, "evt_10").follows(known))
    }

    @Test func anotherHistoryAndAnEarlierStateDoNotFollow() {
        let known = state()
        #expect(!state(change: 4, "four").follows(known))
        #expect(!state(change: 5, "another").follows(known))
        #expect(!state(event: 8, "evt_8").follows(known))
        #expect(!state(event: 9, "evt_other").follows(known))
        #expect(!state(change: 6, "six", event: 8, "evt_8").follows(known))
        #expect(!state(format: 1).follows(known))
        #expect(!state(of: "another").follows(known))
    }

    @Test func theFileIsReadWithoutItsLogWhateverItsPath() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("ä b?c#d%41.db")
        let raw = try DatabaseQueue(path: path)
        try raw.writeWithoutTransaction { db in
            try db.execute(
                sql: """
                    PRAGMA journal_mode = WAL;
                    PRAGMA wal_autocheckpoint = 0;
                    CREATE TABLE changes (number INTEGER PRIMARY KEY, mark TEXT NOT NULL);
                    CREATE TABLE audit_events (sequence INTEGER PRIMARY KEY, id TEXT NOT NULL);
                    CREATE TABLE stored_settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
                    INSERT INTO changes VALUES (5, 'five');
                    INSERT INTO audit_events VALUES (9, 'evt_9');
                    INSERT INTO stored_settings VALUES ('database-id', 'one');
                    """)
        }
        #expect(MainFile.read(path) == nil)
        try raw.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)") }
        #expect(MainFile.read(path) == state())
        try raw.write { db in try db.execute(sql: "INSERT INTO changes VALUES (6, 'six')") }
        #expect(MainFile.read(path) == state())
        try raw.close()
        #expect(MainFile.read(directory.file("none.db")) == nil)
    }
}
