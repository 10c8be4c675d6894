/// What no foreign key keeps from being wrong. Also in the schema of version 0.1.
enum DataProblemSQL {
    static let keyless = SQL(
        """
        SELECT count(*) AS count FROM users u
        WHERE NOT EXISTS (SELECT 1 FROM api_keys k WHERE k.user_id = u.id)
        """)
    static let ownerless = SQL(
        """
        SELECT count(*) AS count FROM workspaces w
        WHERE NOT EXISTS (SELECT 1 FROM memberships m WHERE m.workspace_id = w.id AND m.role = 'owner')
        """)

    static let all = [keyless, ownerless]
}

/// What is wrong with the data, on either engine.
package enum DataProblems {
    /// Reads all of it: one sentence each, nothing when it is sound.
    package static func find(_ connection: any SQLConnection) throws -> [String] {
        let keyless = try connection.count(DataProblemSQL.keyless)
        let ownerless = try connection.count(DataProblemSQL.ownerless)
        return (keyless > 0 ? ["\(keyless) accounts have no key."] : [])
            + (ownerless > 0 ? ["\(ownerless) workspaces have no Owner."] : [])
    }
}
