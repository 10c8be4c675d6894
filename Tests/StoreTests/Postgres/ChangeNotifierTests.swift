import Keybearer
import KeybearerPostgres
import KeybearerSQL
import TestSupport
import Testing

/// The ``ChangeNotifier``: a change of one node is heard by another, over a ``PostgresListener``.
@Suite struct ChangeNotifierTests {
    private let samples = Samples()

    @Test(.timeLimit(.minutes(1))) func aChangeIsNotified() async throws {
        let database = try PostgresDatabase()
        let first = try database.open()
        let second = try database.open()
        // The first notification says that it listens.
        await second.waitForNotification(atMost: .seconds(3_600))
        _ = try await first.recordChange(of: .everything, audit: samples.event(.planChanged))
        await second.waitForNotification(atMost: .seconds(3_600))
        await second.waitForNotification(atMost: .milliseconds(1))
        try first.close()
        try second.close()
    }
}
