import Foundation
import GRDB
import Keybearer
import KeybearerSQL
import TestSupport
import Testing

@testable import KeybearerSQLite

/// Which ``DatabaseFile`` is opened, and who may read it.
@Suite struct DatabaseFileTests {
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("keybearer.db")
    }

    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    @Test func onlyTheOwnerMayReadTheFiles() async throws {
        let store = try SQLiteStore.openStore(path: path, role: .server)
        _ = try await store.addAccount(Samples())
        for suffix in ["", "-wal", "-shm"] { #expect(try mode(path + suffix) == 0o600, "\(suffix)") }
        try store.close()
    }

    @Test func anotherProgramsFileIsRefusedUntouched() throws {
        let raw = try DatabaseQueue(path: path)
        try raw.write { db in try db.execute(sql: "CREATE TABLE recipes (name TEXT)") }
        try raw.close()
        let text = directory.file("notes.txt")
        try Data("These are just some notes, and no database at all.".utf8).write(to: URL(fileURLWithPath: text))
        for file in [path, text] {
            let before = try Data(contentsOf: URL(fileURLWithPath: file))
            #expect(try SQLiteStore.schemaState(path: file) == .foreign)
            let error = #expect(throws: KeybearerError.self) { try SQLiteStore.openStore(path: file, role: .server) }
            #expect(error?.code == .unavailable)
            #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == before)
        }
    }

    @Test func aMissingDirectoryIsAClearRefusal() throws {
        let error = #expect(throws: KeybearerError.self) {
            try SQLiteStore.openStore(path: directory.file("nowhere/keybearer.db"), role: .server)
        }
        #expect(error?.code == .unavailable)
        #expect(error?.storeFailure?.kind == .missingFile)
        // The operator reads which directory; a client reads nothing of it.
        #expect(error?.operatorMessage.contains("there is no directory \(directory.file("nowhere"))") == true)
        #expect(error?.message.contains(directory.path) == false)
    }
}
