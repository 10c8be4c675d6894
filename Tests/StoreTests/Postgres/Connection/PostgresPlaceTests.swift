import Testing

@testable import KeybearerPostgres

/// A ``PostgresPlace`` shows no piece of a password.
@Suite struct PostgresPlaceTests {
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
