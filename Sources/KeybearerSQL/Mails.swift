package import Keybearer

enum MailSQL {
    private static let columns = """
        SELECT id, kind, user_id, recipient, invitation_id, at, address, user_agent, detail, attempts,
               next_attempt_at, problem, outcome
        FROM mails
        """
    /// Unless too many wait, went to the address, or came of the requester.
    private static func insert(
        id: String = "CAST($1 AS TEXT)", user: String, recipient: String, detail: String = "CAST($10 AS TEXT)",
        from source: String
    ) -> String {
        """
        INSERT INTO mails
            (id, kind, topic, user_id, recipient, requester, invitation_id, at, address, user_agent, detail,
             attempts, next_attempt_at)
        SELECT \(id), CAST($2 AS TEXT), CAST($3 AS TEXT), \(user), \(recipient), CAST($5 AS TEXT),
               CAST($6 AS TEXT), CAST($7 AS BIGINT), CAST($8 AS TEXT), CAST($9 AS TEXT), \(detail),
               0, CAST($7 AS BIGINT)
        \(source)
          AND (SELECT count(*) FROM mails m
               WHERE m.recipient = \(recipient) AND m.topic = CAST($3 AS TEXT) AND m.at > CAST($11 AS BIGINT))
              < CAST($12 AS BIGINT)
          AND (SELECT count(*) FROM mails m
               WHERE m.requester = CAST($5 AS TEXT) AND m.at > CAST($11 AS BIGINT)) < CAST($13 AS BIGINT)
          AND (SELECT count(*) FROM mails m
               WHERE m.requester = CAST($5 AS TEXT) AND m.at > CAST($11 AS BIGINT)
                 AND m.recipient = \(recipient) AND m.topic = CAST($3 AS TEXT)) < CAST($16 AS BIGINT)
          AND (SELECT count(*) FROM (
                 SELECT 1 AS one FROM mails m WHERE m.next_attempt_at IS NOT NULL LIMIT CAST($14 AS BIGINT)
               ) AS waiting) < CAST($14 AS BIGINT)
        ON CONFLICT (id) DO NOTHING
        """
    }

    static let addToHolder = SQL(
        insert(
            user: "u.id", recipient: "u.email",
            from: "FROM users u WHERE u.id = $4 AND u.email_verified = $15 AND u.service_workspace_id IS NULL"))
    /// About the key of a service account, which has no address: to each Owner of its workspace, with its name. Each mail has
    /// an id of its own, the same whenever it is added again.
    static let addToOwners = SQL(
        insert(
            id: "CAST($1 AS TEXT) || substr(p.id, \(UserID.prefix.utf8.count + 1), 16)", user: "p.id",
            recipient: "p.email",
            detail: "coalesce(CAST($10 AS TEXT), s.name)",
            from: """
                FROM users s
                JOIN memberships o ON o.workspace_id = s.service_workspace_id AND o.role = 'owner'
                JOIN users p ON p.id = o.user_id
                WHERE s.id = $4 AND p.email_verified = $15 AND p.status = 'active'
                """))
    /// Each mail has an id of its own, the same whenever it is added again.
    static let addToManagers = SQL(
        insert(
            id: "CAST($1 AS TEXT) || substr(p.id, \(UserID.prefix.utf8.count + 1), 16)", user: "p.id",
            recipient: "p.email",
            from: """
                FROM memberships o JOIN users p ON p.id = o.user_id
                WHERE o.workspace_id = $4 AND o.role <> 'member' AND p.email_verified = $15 AND p.status = 'active'
                """))
    static let addToAddress = SQL(
        insert(user: "CAST($4 AS TEXT)", recipient: "CAST($15 AS TEXT)", from: "WHERE CAST($15 AS TEXT) <> ''"))
    private static let isDue = "next_attempt_at <= $1 AND (claimed_until IS NULL OR claimed_until <= $1)"
    /// Straight from an index, whatever is known of how many are due.
    static let due = SQL("\(columns) WHERE \(isDue) ORDER BY next_attempt_at, id LIMIT $2")
    static let claim = SQL("UPDATE mails SET claim = $2, claimed_until = $3 WHERE id = $1")
    /// It keeps what later mails are counted with.
    static let end = SQL(
        """
        UPDATE mails
        SET outcome = $3, problem = $4, ended_at = $5, attempts = attempts + 1, next_attempt_at = NULL, claim = NULL,
            claimed_until = NULL,
            address = CASE WHEN $6 THEN address ELSE NULL END,
            user_agent = CASE WHEN $6 THEN user_agent ELSE NULL END,
            detail = CASE WHEN $6 THEN detail ELSE NULL END
        WHERE id = $1 AND claim = $2
        """)
    static let postpone = SQL(
        """
        UPDATE mails
        SET attempts = attempts + 1, next_attempt_at = $3, problem = $4, claim = NULL, claimed_until = NULL
        WHERE id = $1 AND claim = $2
        """)
    static let isClaimed = SQL("SELECT 1 AS found FROM mails WHERE id = $1 AND claim = $2")
    static let list = SQL("\(columns) ORDER BY at DESC, id LIMIT $1")
    static let byID = SQL("\(columns) WHERE id = $1")
    static let counts = SQL(
        """
        SELECT outcome, count(*) AS count, min(at) AS oldest,
               CAST(coalesce(sum(CASE WHEN attempts > 0 THEN 1 ELSE 0 END), 0) AS BIGINT) AS failing
        FROM mails GROUP BY outcome
        """)
    static let retry = SQL(
        """
        UPDATE mails SET attempts = 0, next_attempt_at = $2, at = $2, outcome = NULL, ended_at = NULL, claim = NULL,
            claimed_until = NULL
        WHERE id = $1 AND (outcome IS NULL OR outcome = $3)
        """)
    static let drop = SQL("DELETE FROM mails WHERE id = $1")
    /// To or about somebody, in either spelling of the address, or caused by them.
    private static let isOfPerson = "user_id = $1 OR recipient = $2 OR recipient = $3 OR requester = $1"
    static let ofPerson = SQL("SELECT id FROM mails WHERE \(isOfPerson) ORDER BY id")
    static let removeOfPerson = SQL("DELETE FROM mails WHERE \(isOfPerson)")
    static let about = SQL("\(columns) WHERE \(isOfPerson) ORDER BY at DESC, id LIMIT $4")
    static let old = SQL(
        """
        SELECT id FROM mails
        WHERE outcome IS NOT NULL AND (ended_at < $1 AND outcome <> $4 OR ended_at < $2 OR ended_at > $3)
           OR outcome IS NOT NULL AND at > $3 OR at < $2
        ORDER BY id LIMIT $5
        """)

    static let all = [
        addToHolder, addToOwners, addToManagers, addToAddress, due, claim, end, postpone, isClaimed, list, byID, counts,
        retry, drop,
        ofPerson,
        removeOfPerson, about, old,
    ]
}

extension SQLStore {
    /// Puts a mail into the outbox, for the caller's transaction.
    static func add(_ mail: NewMail) -> [SQLStatement] {
        let (ownerID, last): (String?, SQLValue) =
            switch mail.recipient {
            case .holder(let id): (id.rawValue, .flag(mail.kind != .verifyEmail))
            case .managers(let id): (id.rawValue, .flag(true))
            case .address(let email, let id): (id?.rawValue, .text(email.rawValue))
            }
        let statements =
            switch mail.recipient {
            case .holder: mail.kind.isOfKeys ? [MailSQL.addToHolder, MailSQL.addToOwners] : [MailSQL.addToHolder]
            case .managers: [MailSQL.addToManagers]
            case .address: [MailSQL.addToAddress]
            }
        let values: [SQLValue] = [
            .id(mail.id), .text(mail.kind.rawValue), .text(mail.kind.topic.rawValue), .optional(ownerID),
            .optional(mail.requester), .optional(mail.invitationID?.rawValue), .time(mail.at),
            .optional(mail.address?.description), .optional(mail.userAgent), .optional(mail.detail),
            .time(mail.at.advanced(by: .zero - MailRules.day)), .number(mail.kind.topic.mostPerDay),
            .number(MailRules.mostPerRequester), .number(MailRules.mostWaiting(for: mail.kind.topic)), last,
            .number(MailKind.mostForRequester),
        ]
        return statements.map { SQLStatement($0, values) }
    }

    package func addMail(_ mail: NewMail) async throws {
        try await maintain { connection in
            for statement in Self.add(mail) { try connection.execute(statement) }
        }
    }

    package func claimMails(_ claim: [UInt8], limit: Int, now: Timestamp) async throws -> [OutgoingMail] {
        // Most of the time there is none: that writes nothing.
        let isAnyDue = try await shortRead { connection in
            let now = try connection.now(now)
            return try connection.first(MailSQL.due, [.time(now), .number(1)]) != nil
        }
        guard isAnyDue else { return [] }
        return try await maintain { connection in
            let now = try connection.now(now)
            let due = SQLStatement(MailSQL.due, [.time(now), .number(max(0, limit))])
            let mails = try (connection.lock([(due, .updateOrSkip)]).first ?? []).map { try StoredValues.mail($0) }
            let end = SQLValue.time(now.advanced(by: MailRules.claim))
            try connection.executeMany(MailSQL.claim, mails.map { [.id($0.id), .bytes(claim), end] })
            return mails
        }
    }

    @discardableResult
    package func endMail(
        _ id: MailID, claim: [UInt8], _ outcome: OutgoingMail.Outcome, problem: String?, now: Timestamp
    ) async throws -> Bool {
        try await maintain { connection in
            let parameters: [SQLValue] = [
                .id(id), .bytes(claim), .text(outcome.rawValue), .optional(problem), .time(try connection.now(now)),
                // What was given up can be tried again.
                .flag(outcome == .givenUp),
            ]
            return try connection.execute(MailSQL.end, parameters) == 1
        }
    }

    package func postponeMail(
        _ id: MailID, claim: [UInt8], by delay: Duration, problem: String, now: Timestamp
    ) async throws {
        try await maintain { connection in
            let next = try connection.now(now).advanced(by: delay)
            try connection.execute(MailSQL.postpone, [.id(id), .bytes(claim), .time(next), .text(problem)])
        }
    }

    package func mails(limit: Int) async throws -> [OutgoingMail] {
        try await engine.read { connection in
            try connection.rows(MailSQL.list, [.number(max(0, limit))]).map { try StoredValues.mail($0) }
        }
    }

    package func mail(_ id: MailID) async throws -> OutgoingMail? {
        try await engine.read { try $0.first(MailSQL.byID, [.id(id)]).map { try StoredValues.mail($0) } }
    }

    package func mailCounts() async throws -> MailCounts {
        try await engine.read { connection in
            var (waiting, failing, oldest): (Int, Int, Timestamp?) = (0, 0, nil)
            var ended: [OutgoingMail.Outcome: Int] = [:]
            for row in try connection.rows(MailSQL.counts) {
                let count = Int(try row.requiredNumber("count"))
                if let outcome = row.text("outcome").flatMap({ OutgoingMail.Outcome(rawValue: $0) }) {
                    ended[outcome] = count
                } else {
                    (waiting, oldest) = (count, try row.timestamp("oldest"))
                    failing = Int(try row.requiredNumber("failing"))
                }
            }
            return MailCounts(waiting: waiting, failing: failing, ended: ended, oldest: oldest)
        }
    }

    package func retryMail(_ id: MailID, now: Timestamp) async throws -> Bool {
        try await maintain { connection in
            let parameters: [SQLValue] = [
                .id(id), .time(try connection.now(now)), .text(OutgoingMail.Outcome.givenUp.rawValue),
            ]
            return try connection.execute(MailSQL.retry, parameters) == 1
        }
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
                    .time(now.advanced(by: .zero - MailRules.memoryOfGivenUp)),
                    .time(now.advanced(by: SessionPolicy.clockTolerance)),
                    .text(OutgoingMail.Outcome.givenUp.rawValue),
                ]
            },
            remove: MailSQL.drop, key: { [.text(try $0.requiredText("id"))] })
        try await remove(old, now: now)
    }

    /// An account and the spellings of its address, as statements about a person want them.
    static func person(_ userID: UserID, _ email: EmailAddress) -> [SQLValue] {
        [.id(userID), .text(email.rawValue), .text((EmailAddress(email.rawValue) ?? email).rawValue)]
    }

    /// Erases the mails of a person who is deleted, and their links. Behind all others in the order of locks.
    static func forgetMails(of userID: UserID, _ email: EmailAddress, _ connection: any SQLConnection) throws {
        let person = person(userID, email)
        try connection.lock([
            (SQLStatement(MailSQL.ofPerson, person), .replace),
            (SQLStatement(MailLinkSQL.ofPerson, person), .replace),
        ])
        try connection.execute(MailSQL.removeOfPerson, person)
        try connection.execute(MailLinkSQL.removeOfPerson, person)
    }
}

extension StoredValues {
    package static func mail(_ row: any StoredRow) throws -> OutgoingMail {
        guard let kind = MailKind(rawValue: try row.requiredText("kind")) else {
            throw KeybearerError.unreadable("mails.kind")
        }
        return OutgoingMail(
            id: MailID(rawValue: try row.requiredText("id")), kind: kind,
            userID: row.text("user_id").map(UserID.init(rawValue:)),
            recipient: EmailAddress(normalised: try row.requiredText("recipient")),
            invitationID: row.text("invitation_id").map(InvitationID.init(rawValue:)), at: try row.timestamp("at"),
            address: row.text("address").flatMap { IPAddress($0) }, userAgent: row.text("user_agent"),
            detail: row.text("detail"), attempts: Int(try row.requiredNumber("attempts")),
            nextAttemptAt: row.number("next_attempt_at").map { Timestamp(millisecondsSinceEpoch: $0) },
            problem: row.text("problem"), outcome: row.text("outcome").flatMap { OutgoingMail.Outcome(rawValue: $0) })
    }
}
