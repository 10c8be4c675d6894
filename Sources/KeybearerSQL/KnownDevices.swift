package import Keybearer

enum KnownDeviceSQL {
    static let touch = SQL(
        "UPDATE known_devices SET last_seen_at = $3 WHERE user_id = $1 AND digest = $2")
    static let insert = SQL(
        """
        INSERT INTO known_devices (user_id, digest, first_seen_at, last_seen_at) VALUES ($1, $2, $3, $3)
        ON CONFLICT (user_id, digest) DO NOTHING
        """)
    static let reveal = SQL(
        """
        UPDATE known_devices SET revealed_at = $3 WHERE user_id = $1 AND digest = $2 AND revealed_at IS NULL
        """)
    /// Those beyond what an account remembers.
    static let surplus = SQL(
        """
        SELECT digest FROM known_devices WHERE user_id = $1 AND digest IN (
            SELECT digest FROM known_devices WHERE user_id = $1
            ORDER BY last_seen_at DESC, digest LIMIT 1000 OFFSET $2)
        ORDER BY digest
        """)
    static let remove = SQL("DELETE FROM known_devices WHERE user_id = $1 AND digest = $2")
    static let removeOfUser = SQL("DELETE FROM known_devices WHERE user_id = $1")
    static let old = SQL(
        """
        SELECT user_id, digest FROM known_devices WHERE last_seen_at < $1 OR last_seen_at > $2
        ORDER BY user_id, digest LIMIT $3
        """)
    static let ofUser = SQL(
        """
        SELECT first_seen_at, last_seen_at, revealed_at FROM known_devices WHERE user_id = $1
        ORDER BY last_seen_at DESC, digest
        """)

    static let all = [touch, insert, reveal, surplus, remove, removeOfUser, old, ofUser]
}

extension SQLStore {
    /// Remembers the device of an event, where mails are sent. Behind all others in the order of locks.
    ///
    /// - Parameters:
    ///   - userID: whose device it is.
    ///   - serviceAccount: the name of the service account whose key was shown; nil for the person's own.
    /// - Returns: the mail that tells of it, where it is new.
    static func noteDevice(
        of event: AuditEvent, _ userID: UserID, serviceAccount: String? = nil, _ connection: any SQLConnection
    ) throws -> [SQLStatement] {
        guard let device = event.device else { return [] }
        let time = SQLValue.time(event.at)
        let isReveal = event.action == .keyRevealed
        let key: [SQLValue] = [.id(userID), .bytes(device)]
        let isNew = try connection.execute(KnownDeviceSQL.touch, key + [time]) == 0
        if isNew {
            let most = SQLValue.number(KnownDevice.mostPerAccount - 1)
            let surplus = SQLStatement(KnownDeviceSQL.surplus, [.id(userID), most])
            let old = try connection.lock([(surplus, .replace)]).first ?? []
            try connection.executeMany(
                KnownDeviceSQL.remove, try old.map { [.id(userID), .bytes(try $0.requiredBytes("digest"))] })
            try connection.execute(KnownDeviceSQL.insert, key + [time])
        }
        let isFirstReveal = try isReveal && connection.execute(KnownDeviceSQL.reveal, key + [time]) == 1
        guard isReveal ? isFirstReveal : isNew else { return [] }
        return add(
            NewMail(isReveal ? .keyRevealed : .newSignIn, to: .holder(userID), of: event, detail: serviceAccount))
    }

    package func removeOldDevices(now: Timestamp) async throws {
        let old = OldRows(
            find: KnownDeviceSQL.old,
            bounds: {
                [
                    .time($0.advanced(by: .zero - KnownDevice.memory)),
                    .time($0.advanced(by: SessionPolicy.clockTolerance)),
                ]
            },
            remove: KnownDeviceSQL.remove,
            key: { [.text(try $0.requiredText("user_id")), .bytes(try $0.requiredBytes("digest"))] })
        try await remove(old, now: now)
    }
}

extension StoredValues {
    package static func device(_ row: any StoredRow) throws -> RememberedDevice {
        RememberedDevice(
            firstSeenAt: try row.timestamp("first_seen_at"), lastSeenAt: try row.timestamp("last_seen_at"),
            revealedAt: row.number("revealed_at").map { Timestamp(millisecondsSinceEpoch: $0) })
    }
}
