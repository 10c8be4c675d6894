import GRDB
import Keybearer
import KeybearerSQL
import TestSupport
import Testing

@testable import KeybearerPostgres
@testable import KeybearerSQLite

/// What errors of the engines come to, where a real one is hard to bring about by a command.
@Suite struct StoreFailureTests {
    private let samples = Samples()

    @Test func aFullFileSaysSoAndChangesNothing() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("keybearer.db")
        let store = try SQLiteStore.openStore(path: path, role: .server)
        try await store.sqlite.pool.write { db in
            let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
            _ = try Int.fetchOne(db, sql: "PRAGMA max_page_count = \(pages)")
        }
        var failure: KeybearerError?
        for second in 0..<500 as Range<Int64> where failure == nil {
            do {
                _ = try await store.addAccount(samples, after: second)
            } catch let error as KeybearerError {
                failure = error
            }
        }
        #expect(failure?.code == .unavailable)
        #expect(failure?.message == "The service is not available for the moment. Try again shortly.")
        #expect(failure?.storeFailure?.kind == .diskFull)
        #expect(
            failure?.operatorMessage == "cannot write to \(path): the disk is full. Free space on it; "
                + "what was committed is safe.")
        try store.close()
    }

    @Test func everyKindOfServerFailureHasItsWords() {
        let place = PostgresPlace("postgres://ada:topsecret@db.internal,db2.internal:5433/kb?sslmode=require")
        let wanted: [(state: String, kind: StoreFailure.Kind)] = [
            ("53100", .diskFull), ("53300", .tooManyConnections), ("57P03", .startingUp), ("25006", .readOnly),
            ("42501", .noPermission), ("3F000", .noPermission), ("42P01", .missingTable), ("55P03", .busy),
            ("40001", .busy), ("57014", .busy), ("58030", .diskError), ("XX001", .damaged), ("08006", .unreachable),
            ("22012", .unknown),
        ]
        for (state, kind) in wanted {
            let error = PostgresFailure(state: state, message: "the server's words").translated(at: place)
            #expect(error.storeFailure?.kind == kind, "\(state)")
            #expect(error.code == (kind == .unknown ? .internalError : .unavailable))
            let line = error.operatorMessage
            #expect(line.hasPrefix("cannot use postgres://ada@db.internal,db2.internal:5433/kb: "), "\(line)")
            #expect(!String(reflecting: error).contains("topsecret"))
        }
    }

    @Test func aTimeOutIsKnownByNoText() {
        #expect(PostgresFailure.timedOut.isTimeOut && PostgresFailure(.noResponse).isTimeOut)
        #expect(!PostgresFailure(state: nil, message: PostgresFailure.timedOut.message).isTimeOut)
        #expect(!PostgresFailure(.closed).isTimeOut)
    }

    @Test func placesNeverShowAPieceOfAPassword() {
        let shown = [
            "postgres://ada:topsecret@db/kb": "postgres://ada@db/kb",
            "postgres://ada:top?secret@db/kb": "postgres://ada@db/kb",
            "postgres://me%40tenant:topsecret@[::1]:6432/kb": "postgres://me@tenant@[::1]:6432/kb",
            "host=db dbname=kb user=ada password='top secret'": "postgres://ada@db/kb",
            "postgres:///kb?host=/run/postgresql&user=ada&password=topsecret":
                "postgres://ada@/kb?host=/run/postgresql",
        ]
        for (address, place) in shown { #expect(PostgresPlace(address).address == place) }
        for address in [
            "postgres://ada:top/secret@db/kb", "postgres://ada:12/secret@db/kb", "postgres://ada:top@secret@db/kb",
            "postgres://ada:top%secret@db/kb", "host=db password=top secret", "postgres://ada@db/kb?topsecret",
        ] {
            #expect(PostgresPlace(address).address == "the PostgreSQL of the setting database", "\(address)")
        }
    }
}
