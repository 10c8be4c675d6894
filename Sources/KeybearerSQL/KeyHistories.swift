package import Keybearer

enum KeyHistorySQL {
    static let find = SQL("SELECT history FROM key_histories WHERE user_id = $1")
    /// Adds nothing for an account that was deleted meanwhile.
    static let begin = SQL(
        """
        INSERT INTO key_histories (user_id, history) SELECT id, '' FROM users WHERE id = $1
        ON CONFLICT (user_id) DO NOTHING
        """)
    /// With the key that lives now: it is not locked.
    static let current = SQL(
        """
        SELECT history, (SELECT key_id FROM api_keys WHERE api_keys.user_id = key_histories.user_id) AS live_key_id
        FROM key_histories WHERE user_id = $1
        """)
    static let put = SQL("UPDATE key_histories SET history = $2 WHERE user_id = $1")
    static let remove = SQL("DELETE FROM key_histories WHERE user_id = $1")

    static let all = [find, begin, current, put, remove]
}

extension SQLStore {
    package func keyHistory(of userID: UserID) async throws -> KeyHistory {
        try await shortRead { try Self.keyHistory(of: userID, $0) }
    }

    static func keyHistory(of userID: UserID, _ connection: any SQLConnection) throws -> KeyHistory {
        KeyHistory(
            storedForm: try connection.first(KeyHistorySQL.find, [.id(userID)])?.requiredText("history") ?? "")
    }

    /// Merges what a process saw into the histories of accounts. Rows are locked in the order of the accounts: two nodes
    /// that write for the same ones never wait for each other in a circle.
    ///
    /// - Returns: the uses from new networks.
    static func merge(_ news: [KeyNews], now: Timestamp, _ connection: any SQLConnection) throws -> [KeyEvent] {
        if news.isEmpty { return [] }
        let news = news.sorted { $0.userID < $1.userID }
        let users = news.map(\.userID).reduce(into: [UserID]()) { if $0.last != $1 { $0.append($1) } }
        try connection.executeMany(KeyHistorySQL.begin, users.map { [.id($0)] })
        let found = try connection.lock(
            users.map { (SQLStatement(KeyHistorySQL.current, [.id($0)]), .update) })
        let latest = now.advanced(by: SessionPolicy.clockTolerance)
        var (puts, events): ([[SQLValue]], [KeyEvent]) = ([], [])
        for (userID, rows) in zip(users, found) {
            guard let row = rows.first, let live = row.text("live_key_id").map(KeyID.init(rawValue:)) else { continue }
            var history = KeyHistory(storedForm: try row.requiredText("history"))
            for part in news where part.userID == userID {
                if let source = history.newSource(in: part, live: live) {
                    events.append(KeyEvent(.newAddress(source), userID: userID, keyID: live, at: now))
                }
                history.merge(part, live: live, latest: latest)
            }
            puts.append([.id(userID), .text(history.storedForm)])
        }
        try connection.executeMany(KeyHistorySQL.put, puts)
        return events
    }
}
