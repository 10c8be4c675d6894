/// How an account is deleted: what becomes of the workspaces with other members whose last Owner it is.
package struct AccountDeletion: Sendable {
    /// Which account.
    package let id: UserID
    /// Who becomes their Owner; nil for nobody.
    package let successor: UserID?
    /// Whether they are deleted with the account. Where they are not, and nobody becomes their Owner, the account stays.
    package let deletesWorkspaces: Bool
    /// The service accounts that go with these workspaces, as they were read before: names what is locked. Where there are
    /// others by then, nothing is deleted.
    package let serviceAccounts: [UserID]
    /// Names the audit rows of what becomes of them.
    package let makeEventID: @Sendable () -> EventID

    /// Puts a deletion together.
    package init(
        id: UserID, successor: UserID? = nil, deletesWorkspaces: Bool = false, serviceAccounts: [UserID] = [],
        makeEventID: @escaping @Sendable () -> EventID
    ) {
        self.id = id
        self.successor = successor
        self.deletesWorkspaces = deletesWorkspaces
        self.serviceAccounts = serviceAccounts
        self.makeEventID = makeEventID
    }
}

/// All that is kept about a person, but for secrets: no key, no token, no password.
package struct PersonalData: Sendable {
    /// The account, with its key's record and its workspaces.
    package let account: Account
    /// Who it is at a provider.
    package let identities: [Identity]
    /// Since when two-step sign-in is on; nil where it is off.
    package let secondFactorSince: Timestamp?
    /// Its live sessions.
    package let sessions: [Session]
    /// Its portal links that have not been removed yet.
    package let portalLinks: [PortalLink]
    /// Invitations that it made, got or accepted, and that have not been removed yet.
    package let invitations: [Invitation]
    /// Mails to it of the last days.
    package let mails: [OutgoingMail]
    /// The devices that are remembered.
    package let devices: [RememberedDevice]
    /// The address that it wants and has not verified yet.
    package let wantedEmail: EmailAddress?
    /// The keys that it had before: when they ended.
    package let pastKeys: [PastKey]
    /// The live keys of service accounts that the person has seen.
    package let seenServiceKeys: [SeenServiceKey]
    /// From where its keys were used, and what was refused.
    package let keyHistory: KeyHistory
    /// What requests with its keys came to, the newest first.
    package let usage: [UsageCount]
    /// What was done to the account and by it, the newest first.
    package let auditEvents: [AuditEvent]
    /// Whether there are older events that were left out.
    package let isAuditCut: Bool

    /// The most audit events.
    package static let mostAuditEvents = 10_000
    /// The most mails.
    package static let mostMails = 1_000
    /// The most counts of usage.
    package static let mostUsage = 100_000

    /// Puts the parts together.
    package init(
        account: Account, identities: [Identity] = [], secondFactorSince: Timestamp? = nil, sessions: [Session],
        portalLinks: [PortalLink], invitations: [Invitation] = [], mails: [OutgoingMail] = [],
        devices: [RememberedDevice] = [], wantedEmail: EmailAddress? = nil, pastKeys: [PastKey],
        seenServiceKeys: [SeenServiceKey] = [], keyHistory: KeyHistory = KeyHistory(), usage: [UsageCount] = [],
        auditEvents: [AuditEvent], isAuditCut: Bool
    ) {
        self.usage = usage
        self.mails = mails
        self.devices = devices
        self.wantedEmail = wantedEmail
        self.account = account
        self.identities = identities
        self.secondFactorSince = secondFactorSince
        self.sessions = sessions
        self.portalLinks = portalLinks
        self.invitations = invitations
        self.pastKeys = pastKeys
        self.seenServiceKeys = seenServiceKeys
        self.keyHistory = keyHistory
        self.auditEvents = auditEvents
        self.isAuditCut = isAuditCut
    }
}

/// That a person has seen the live key of a service account.
package struct SeenServiceKey: Sendable, Hashable {
    /// Whose key.
    package let serviceAccount: UserID
    /// When the person saw it last.
    package let at: Timestamp

    /// Puts both together.
    package init(serviceAccount: UserID, at: Timestamp) {
        self.serviceAccount = serviceAccount
        self.at = at
    }
}
