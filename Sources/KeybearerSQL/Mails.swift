package import Keybearer

enum MailSQL {
    private static let columns =
        "SELECT id, user_id, kind, recipient, at, address, attempts, next_attempt_at, problem FROM mails"

    /// To a person whose address is known to be theirs, unless many wait for them.
    static let add = SQL(
        """
        INSERT INTO mails (id, user_id, kind, recipient, at, address, attempts, next_attempt_at)
        SELECT CAST($1 AS TEXT), u.id, CAST($2 AS TEXT), u.email, CAST($3 AS BIGINT), CAST($4 AS TEXT), 0,
               CAST($3 AS BIGINT)
        FROM users u
        WHERE u.id = $5 AND u.email_verified = $6
          AND (SELECT count(*) FROM mails m WHERE m.user_id = $5) < $7
        """)
    static let due = SQL(
        """
        \(columns)
        WHERE next_attempt_at <= $1 AND (claimed_until IS NULL OR claimed_until <= $1)
          AND user_id IN (SELECT id FROM users)
        ORDER BY id LIMIT $2
        """)
    static let claim = SQL("UPDATE mails SET claim = $2, claimed_until = $3 WHERE id = $1")
    static let removeSent = SQL("DELETE FROM mails WHERE id = $1 AND claim = $2")
    static let postpone = SQL(
        """
        UPDATE mails
        SET attempts = attempts + 1, next_attempt_at = $3, problem = $4, claim = NULL, claimed_until = NULL
        WHERE id = $1 AND claim = $2
        """)
    static let list = SQL("\(columns) ORDER BY at, id LIMIT $1")
    static let retry = SQL(
        "UPDATE mails SET attempts = 0, next_attempt_at = $2, claim = NULL, claimed_until = NULL WHERE id = $1")
    static let drop = SQL("DELETE FROM mails WHERE id = $1")
    static let ofUser = SQL("SELECT id FROM mails WHERE user_id = $1 ORDER BY id")
    static let removeOfUser = SQL("DELETE FROM mails WHERE user_id = $1")
    static let old = SQL(
        """
        SELECT id FROM mails
        WHERE at < $1 OR at > $2 OR user_id NOT IN (SELECT id FROM users) ORDER BY id LIMIT $3
        """)

    static let all = [
        add, due, claim, removeSent, postpone, list, retry, drop, ofUser, removeOfUser, old,
    ]
}

extension SQLStore {
    /// The mail that tells the person of an event, for the event's transaction; nil where none does.
    static func mail(of event: AuditEvent) -> SQLStatement? {
        guard event.isMailed, let kind = MailKind(event.action), let userID = event.userID else { return nil }
        return SQLStatement(
            MailSQL.add,
            [
                .text(MailID.prefix + event.id.rawValue.dropFirst(EventID.prefix.count)), .text(kind.rawValue),
                .time(event.at), .optional(event.address?.description), .id(userID), .flag(true),
                .number(MailRules.mostPerAccount),
            ])
    }

    /// Takes all mails of an account out of the outbox. Behind all others in the order of locks.
    static func removeMails(of userID: UserID, _ connection: any SQLConnection) throws {
        try connection.lock([(SQLStatement(MailSQL.ofUser, [.id(userID)]), .replace)])
        try connection.execute(MailSQL.removeOfUser, [.id(userID)])
    }

    package func claimMails(_ claim: [UInt8], limit: Int, now: Timestamp) async throws -> [OutgoingMail] {
        try await maintain { connection in
            let now = try connection.now(now)
            let due = SQLStatement(MailSQL.due, [.time(now), .number(max(0, limit))])
            let rows = try connection.lock([(due, .update)]).first ?? []
            let mails = try rows.map { try StoredValues.mail($0) }
            let end = SQLValue.time(now.advanced(by: MailRules.claim))
            try connection.executeMany(MailSQL.claim, mails.map { [.id($0.id), .bytes(claim), end] })
            return mails
        }
    }

    package func removeSentMail(_ id: MailID, claim: [UInt8]) async throws {
        try await maintain { try $0.execute(MailSQL.removeSent, [.id(id), .bytes(claim)]) }
    }

    package func postponeMail(
        _ id: MailID, claim: [UInt8], by delay: Duration?, problem: String, now: Timestamp
    ) async throws {
        try await maintain { connection in
            let next = try delay.map { try connection.now(now).advanced(by: $0) }
            try connection.execute(
                MailSQL.postpone, [.id(id), .bytes(claim), .optional(next), .text(problem)])
        }
    }

    package func mails(limit: Int) async throws -> [OutgoingMail] {
        try await engine.read { connection in
            try connection.rows(MailSQL.list, [.number(max(0, limit))]).map { try StoredValues.mail($0) }
        }
    }

    package func retryMail(_ id: MailID, now: Timestamp) async throws -> Bool {
        try await maintain { try $0.execute(MailSQL.retry, [.id(id), .time(try $0.now(now))]) == 1 }
    }

    package func dropMail(_ id: MailID) async throws -> Bool {
        try await maintain { try $0.execute(MailSQL.drop, [.id(id)]) == 1 }
    }

    package func removeOldMails(now: Timestamp) async throws {
        let old = OldRows(
            find: MailSQL.old,
            bounds: { now in
                [
                    .time(now.advanced(by: .zero - MailRules.memory)),
                    .time(now.advanced(by: SessionPolicy.clockTolerance)),
                ]
            },
            remove: MailSQL.drop, key: { [.text(try $0.requiredText("id"))] })
        try await remove(old, now: now)
    }
}

extension StoredValues {
    package static func mail(_ row: any StoredRow) throws -> OutgoingMail {
        guard let kind = MailKind(rawValue: try row.requiredText("kind")) else {
            throw KeybearerError.unreadable("mails.kind")
        }
        return OutgoingMail(
            id: MailID(rawValue: try row.requiredText("id")), userID: UserID(rawValue: try row.requiredText("user_id")),
            kind: kind, recipient: EmailAddress(normalised: try row.requiredText("recipient")),
            at: try row.timestamp("at"), address: row.text("address").flatMap { IPAddress($0) },
            attempts: Int(try row.requiredNumber("attempts")),
            nextAttemptAt: row.number("next_attempt_at").map { Timestamp(millisecondsSinceEpoch: $0) },
            problem: row.text("problem"))
    }
}
