import Foundation
import Keybearer
import KeybearerSQL
import KeybearerSQLite

extension Bootstrap {
    /// Refuses unless the master keys at hand are those of the database.
    ///
    /// - Throws: ``CommandFailure`` that names the master keys that are wanted.
    func requireRing(_ services: Services, _ newDatabase: RingService.NewDatabase) async throws {
        do {
            try await services.ring.require(newDatabase)
        } catch let refusal as RingRefusal {
            throw CommandFailure(ringRefusal: refusal, file: masterKeyFile)
        }
    }

    /// Refuses unless the master keys at hand are those of a database that is not the one of the settings.
    func requireRing(of store: SQLStore) async throws {
        try await requireRing(try makeServices(store: store, role: .command), .allow)
    }

    /// Refuses a backup whose keys the master keys at hand do not open. It looks at a copy beside the database.
    func requireRing(ofBackup path: String) async throws {
        guard case .sqlite(let database) = settings.database else { return }
        let copy = try SQLiteEngine.openCopy(ofBackup: path, beside: database)
        defer { copy.remove() }
        try await requireRing(of: copy.store)
    }
}

extension CommandFailure {
    /// The master keys do not fit the database.
    init(ringRefusal refusal: RingRefusal, file: MasterKeyFile, _ more: String = "") {
        self.init(
            .configuration,
            "the master keys in \(file.path) do not fit this database; no key or token was changed\(more)"
                + refusal.problems.map { "\n  \($0)" }.joined())
    }
}
