import Foundation
package import Keybearer

/// Keeps the first common migrations from a database on which a server of version 0.1 runs: that one knows none of the
/// tables that they make.
///
/// Such a server is told from one that died without any clock of the database: it renews within its lease.
package enum OlderNodes {
    /// A node as version 0.1 wrote it.
    package struct Node: Sendable, Hashable {
        let id: String
        let renewals: Int64
        let lease: Duration
    }

    /// The step behind which nodes register their version.
    package static let firstStep = CommonMigrations.all[0].identifier
    private static let pause: TimeInterval = 0.05

    /// The nodes of a database that has not had ``firstStep``.
    package static func nodes(_ connection: any SQLConnection) throws -> Set<Node> {
        Set(
            try connection.rows(NodeSQL.stand).map { row in
                Node(
                    id: try row.requiredText("id"), renewals: try row.requiredNumber("renewals"),
                    lease: .milliseconds(try row.requiredNumber("lease_ms")))
            })
    }

    /// Watches for one lease, unless there are no nodes. Blocks.
    ///
    /// - Parameter read: the nodes, each time again.
    /// - Returns: the nodes that do not live.
    /// - Throws: `UNAVAILABLE` when a node renews or registers.
    package static func refuseLiving(_ read: () throws -> Set<Node>) throws -> Set<Node> {
        let first = try read()
        guard let longest = first.map(\.lease).max() else { return first }
        let end = SteadyTime.systemNow().advanced(by: longest * 1.05)
        while SteadyTime.systemNow() < end {
            Thread.sleep(forTimeInterval: pause)
            // Those that stop meanwhile are gone.
            guard try read().isSubset(of: first) else { throw refusal }
        }
        return first
    }

    package static let refusal = KeybearerError(
        .unavailable,
        "a server of version 0.1 runs on this database; stop it first. Make a backup before this version opens the "
            + "database: it is the only way back.")
}
