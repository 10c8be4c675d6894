package import Keybearer

/// All that is kept about a person, without secrets, as one document.
package struct PersonalDataJSON: JSONNoun {
    let user: UserJSON
    /// Who the user is at a provider.
    let identities: [IdentityJSON]
    /// Since when two-step sign-in is on; null where it is off.
    let secondFactorSince: Nullable<Timestamp>
    /// The live ones.
    let sessions: [SessionJSON]
    let portalLinks: [PortalLinkRecordJSON]
    /// Those that the user made, got or accepted.
    let invitations: [InvitationRecordJSON]
    /// Mails of the last days, without what they said.
    let mails: [MailRecordJSON]
    /// The devices that are remembered so that a mail tells of new ones.
    let devices: [DeviceJSON]
    /// The address that the user wants and has not verified yet.
    let wantedEmail: Nullable<String>
    /// When keys ended that the user had before.
    let formerKeys: [FormerKeyJSON]
    /// The live keys of service accounts that the user has seen.
    let seenServiceKeys: [SeenServiceKeyJSON]
    /// From where the user's keys were used, and what was refused.
    let keyHistory: KeyHistoryJSON
    /// What requests with the user's keys came to, in quarters of an hour, the newest first.
    let usage: [UsageCountJSON]
    /// By the user and about the user, the newest first.
    let audit: [AuditEventJSON]
    /// Whether there are older events that were left out.
    let auditIsCut: Bool

    /// - Parameter key: the key's record with its latest use.
    package init(_ data: PersonalData, key: APIKey? = nil) {
        user = UserJSON(data.account, key: key)
        identities = data.identities.map { IdentityJSON($0) }
        secondFactorSince = Nullable(data.secondFactorSince)
        sessions = data.sessions.map { SessionJSON($0) }
        portalLinks = data.portalLinks.map { PortalLinkRecordJSON($0) }
        invitations = data.invitations.map { InvitationRecordJSON($0) }
        mails = data.mails.map { MailRecordJSON($0) }
        devices = data.devices.map { DeviceJSON($0) }
        wantedEmail = Nullable(data.wantedEmail?.rawValue)
        formerKeys = data.pastKeys.map { FormerKeyJSON(endedAt: $0.endedAt) }
        seenServiceKeys = data.seenServiceKeys.map { SeenServiceKeyJSON($0) }
        keyHistory = KeyHistoryJSON(data.keyHistory)
        usage = data.usage.map { UsageCountJSON($0) }
        audit = data.auditEvents.map { AuditEventJSON($0) }
        auditIsCut = data.isAuditCut
    }

    package static let noun = "PersonalData"
    package static let sample = PersonalDataJSON(
        PersonalData(
            account: UserJSON.sampleAccount, sessions: [], portalLinks: [], pastKeys: [], auditEvents: [],
            isAuditCut: false))
}

/// What requests with one key came to in a quarter of an hour.
package struct UsageCountJSON: JSONNoun {
    let quarter: Timestamp
    let keyId: String
    let outcome: String
    let count: Int

    init(_ usage: UsageCount) {
        (quarter, keyId) = (usage.quarter, usage.keyID.rawValue)
        (outcome, count) = (usage.outcome.rawValue, usage.count)
    }

    package static let noun = "UsageCount"
    package static let sample = UsageCountJSON(
        UsageCount(
            userID: UserID(rawValue: "usr_ada"), keyID: KeyID(rawValue: "key_1"),
            quarter: Timestamp(millisecondsSinceEpoch: 0), outcome: .admitted, count: 1))
}

/// Who a user is at an OpenID Connect provider.
package struct IdentityJSON: JSONNoun {
    let issuer: String
    let subject: String

    init(_ identity: Identity) {
        (issuer, subject) = (identity.issuer, identity.subject)
    }

    package static let noun = "Identity"
    package static let sample = IdentityJSON(Identity(issuer: "https://login.example.com", subject: "1"))
}

/// A signed-in browser, without its token.
package struct SessionJSON: JSONNoun {
    let id: String
    let createdAt: Timestamp
    /// When the password was last given.
    let authenticatedAt: Timestamp
    let lastSeenAt: Timestamp
    /// Null for a local socket.
    let address: Nullable<String>
    let userAgent: String
    /// Whether a portal link opened it.
    let isPortal: Bool

    init(_ session: Session) {
        (id, createdAt) = (session.id.rawValue, session.createdAt)
        (authenticatedAt, lastSeenAt) = (session.authenticatedAt, session.lastSeenAt)
        (address, userAgent) = (Nullable(session.address.textIfAny), session.userAgent)
        isPortal = session.portal != nil
    }

    package static let noun = "Session"
    package static let sample = SessionJSON(
        Session(
            id: SessionID(rawValue: "ses_a1"), userID: UserID(rawValue: "usr_a1"),
            createdAt: Timestamp(millisecondsSinceEpoch: 0), authenticatedAt: Timestamp(millisecondsSinceEpoch: 0),
            lastSeenAt: Timestamp(millisecondsSinceEpoch: 0), address: .localSocket, userAgent: ""))
}

/// A portal link, without its code.
package struct PortalLinkRecordJSON: JSONNoun {
    let id: String
    let section: String
    let workspace: Nullable<String>
    let returnUrl: Nullable<String>
    let createdAt: Timestamp
    let expiresAt: Timestamp
    let usedAt: Nullable<Timestamp>

    init(_ link: PortalLink) {
        (id, section) = (link.id.rawValue, link.section.rawValue)
        workspace = Nullable(link.workspaceID?.rawValue)
        returnUrl = Nullable(link.returnURL?.description)
        (createdAt, expiresAt, usedAt) = (link.createdAt, link.expiresAt, Nullable(link.usedAt))
    }

    package static let noun = "PortalLinkRecord"
    package static let sample = PortalLinkRecordJSON(
        PortalLink(
            id: PortalLinkID(rawValue: "ptl_a1"), userID: UserID(rawValue: "usr_a1"),
            tokenID: OperatorTokenID(rawValue: "opt_a1"), section: .apiKey, workspaceID: nil, returnURL: nil,
            createdAt: Timestamp(millisecondsSinceEpoch: 0), expiresAt: Timestamp(millisecondsSinceEpoch: 0)))
}

/// An invitation to a workspace, without its code.
package struct InvitationRecordJSON: JSONNoun {
    let id: String
    let workspace: String
    let email: String
    let role: Role
    let inviter: String
    let createdAt: Timestamp
    let expiresAt: Timestamp

    init(_ invitation: Invitation) {
        (id, workspace) = (invitation.id.rawValue, invitation.workspaceID.rawValue)
        (email, role) = (invitation.email.rawValue, invitation.role)
        inviter = invitation.inviterID.rawValue
        (createdAt, expiresAt) = (invitation.createdAt, invitation.expiresAt)
    }

    package static let noun = "InvitationRecord"
    package static let sample = InvitationRecordJSON(
        Invitation(
            id: InvitationID(rawValue: "inv_a1"), workspaceID: WorkspaceID(rawValue: "ws_a1"),
            email: EmailAddress(normalised: "ada@example.com"), role: .member, inviterID: UserID(rawValue: "usr_a1"),
            createdAt: Timestamp(millisecondsSinceEpoch: 0), expiresAt: Timestamp(millisecondsSinceEpoch: 0)))
}

/// A key that was replaced or revoked.
package struct FormerKeyJSON: JSONNoun {
    let endedAt: Timestamp

    package static let noun = "FormerKey"
    package static let sample = FormerKeyJSON(endedAt: Timestamp(millisecondsSinceEpoch: 0))
}

/// That a user has seen the key of a service account.
package struct SeenServiceKeyJSON: JSONNoun {
    let serviceAccount: UserID
    let at: Timestamp

    init(_ seen: SeenServiceKey) {
        (serviceAccount, at) = (seen.serviceAccount, seen.at)
    }

    package static let noun = "SeenServiceKey"
    package static let sample = SeenServiceKeyJSON(
        SeenServiceKey(serviceAccount: UserID(rawValue: "usr_b2"), at: Timestamp(millisecondsSinceEpoch: 0)))
}
