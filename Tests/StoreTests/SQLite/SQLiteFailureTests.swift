import Foundation
import GRDB
import Keybearer
import KeybearerSQL
import TestSupport
import Testing

@testable import KeybearerSQLite

/// What an ``SQLiteFailure`` says of a full disk and of a damaged file.
@Suite struct SQLiteFailureTests {
    private let samples = Samples()
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("keybearer.db")
    }

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

    @Test func aDamagedFileIsUnavailableAndSaysNothingOfItsPath() async throws {
        let store = try SQLiteStore.openStore(path: path, role: .commandLine)
        let samples = Samples()
        for second in 0..<50 as Range<Int64> { _ = try await store.addAccount(samples, after: second) }
        try store.close()
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        for index in 100..<bytes.count { bytes[index] = 0xA5 }
        try bytes.write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: KeybearerError.self) { try SQLiteStore.openStore(path: path, role: .server) }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains(path) == false)
        #expect(error?.storeFailure != nil)
    }
}
