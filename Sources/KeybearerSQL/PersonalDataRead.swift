package import Keybearer

enum PersonalDataSQL {
    /// By the account or about it, the newest first.
    static let events = SQL(
        """
        \(AuditSQL.columns) WHERE sequence IN (
            SELECT sequence FROM (
                SELECT sequence FROM audit_events WHERE user_id = $1 ORDER BY sequence DESC LIMIT $2
            ) AS about
            UNION SELECT sequence FROM (
                SELECT sequence FROM audit_events WHERE actor = $1 ORDER BY sequence DESC LIMIT $2
            ) AS made)
        ORDER BY sequence DESC LIMIT $2
        """)
    static let portalLinks = SQL("\(PortalLinkSQL.columns) WHERE user_id = $1 ORDER BY created_at DESC, id")

    static let usage = SQL(
        """
        SELECT key_id, quarter, outcome, count FROM usage_counts WHERE user_id = $1
        ORDER BY quarter DESC, key_id, outcome LIMIT $2
        """)

    static let all = [events, portalLinks, usage]
}

extension SQLStore {
    private static func usage(of userID: UserID, _ connection: any SQLConnection) throws -> [UsageCount] {
        let rows = try connection.rows(PersonalDataSQL.usage, [.id(userID), .number(PersonalData.mostUsage)])
        // What a newer version counts, this one does not show.
        return try rows.compactMap { row in
            guard let outcome = UsageOutcome(rawValue: try row.requiredText("outcome")) else { return nil }
            return UsageCount(
                userID: userID, keyID: KeyID(rawValue: try row.requiredText("key_id")),
                quarter: try row.timestamp("quarter"), outcome: outcome,
                count: Int(try row.requiredNumber("count")))
        }
    }

    package func personalData(of userID: UserID, now: Timestamp) async throws -> PersonalData? {
        try await engine.read { connection in
            guard let account = try Self.account(userID, connection) else { return nil }
            let user = [SQLValue.id(userID)]
            let most = PersonalData.mostAuditEvents
            let events = try connection.rows(PersonalDataSQL.events, user + [.number(most + 1)])
            let (sessions, now) = try connection.rowsAndTime(SessionSQL.ofUser, user, caller: now)
            return PersonalData(
                account: account, identities: try Self.identities(of: userID, connection),
                secondFactorSince: try connection.first(SecondFactorSQL.ofUser, user)?.timestamp("created_at"),
                sessions: try sessions.map { try StoredValues.session($0) }
                    .filter { SessionPolicy().isLive($0.times, at: now) },
                portalLinks: try connection.rows(PersonalDataSQL.portalLinks, user)
                    .map { try StoredValues.portalLink($0) },
                invitations: try connection.rows(
                    InvitationSQL.about,
                    [.text((EmailAddress(account.user.email.rawValue) ?? account.user.email).rawValue)] + user
                ).map { try StoredValues.invitation($0) },
                mails: try connection.rows(
                    MailSQL.about, Self.person(userID, account.user.email) + [.number(PersonalData.mostMails)]
                ).map { try StoredValues.mail($0) },
                devices: try connection.rows(KnownDeviceSQL.ofUser, user).map { try StoredValues.device($0) },
                wantedEmail: try Self.wantedEmail(of: userID, at: now, connection),
                pastKeys: try connection.rows(KeySQL.pastKeys, user).map { try StoredValues.pastKey($0) },
                seenServiceKeys: try connection.rows(ServiceAccountSQL.seenBy, user).map { row in
                    SeenServiceKey(
                        serviceAccount: UserID(rawValue: try row.requiredText("user_id")), at: try row.timestamp("at"))
                },
                keyHistory: try Self.keyHistory(of: userID, connection).seen(with: account.key.id),
                usage: try Self.usage(of: userID, connection),
                auditEvents: try events.prefix(most).map { try StoredValues.auditEvent($0) },
                isAuditCut: events.count > most)
        }
    }
}
