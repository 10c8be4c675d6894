import Foundation
import Keybearer
import KeybearerPostgres
import KeybearerSQL
import TestSupport
import Testing

/// A ``PostgresConnection`` to a server that is out of reach, or that shows another certificate.
@Suite struct PostgresConnectionTests {
    private let samples = Samples()

    @Test func aServerOutOfReachIsUnavailableAndItsPasswordIsToldToNobody() async throws {
        let error = #expect(throws: KeybearerError.self) {
            try PostgresStore.openStore("postgres://ada:topsecret@127.0.0.1:1/keybearer")
        }
        #expect(error?.code == .unavailable)
        #expect(!String(reflecting: error).contains("topsecret"))
        #expect(error?.storeFailure?.kind == .unreachable)
    }

    @Test func theServersCertificateIsChecked() async throws {
        let database = try PostgresDatabase()
        let certificate = try #require(ProcessInfo.processInfo.environment["KEYBEARER_TEST_POSTGRES_CA"])
        let store = try PostgresStore.openStore("\(database.address)?sslmode=verify-full&sslrootcert=\(certificate)")
        #expect(try await store.postgres.inspect(now: samples.at(0)).isEncrypted)
        try store.close()
        let directory = try TemporaryDirectory()
        let other = directory.file("other.crt")
        let made = try CommandRunner.run(
            program: "openssl",
            [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout",
                directory.file("other.key"), "-out", other,
            ])
        #expect(made.status == 0)
        let error = #expect(throws: KeybearerError.self) {
            try PostgresStore.openStore("\(database.address)?sslmode=verify-full&sslrootcert=\(other)")
        }
        #expect(error?.code == .unavailable)
    }
}
