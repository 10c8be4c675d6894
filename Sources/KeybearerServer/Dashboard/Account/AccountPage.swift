import Keybearer

/// The page "Account & sessions": `GET /account`, and the answer to a refused `POST /account/password`.
///
/// The password form sends `currentPassword` and `newPassword`; ending a session and disconnecting an identity send nothing
/// but their paths.
struct AccountPage: Page, Equatable {
    static let template = Template.account

    /// After a change of the password.
    static let passwordChanged = Notice(.success, "Password changed.", query: "password")
    /// After an identity was disconnected.
    static let identityDisconnected = Notice(.success, "Disconnected.", query: "identity")
    /// After two-step sign-in was turned off.
    static let secondFactorOff = Notice(.success, "Two-step sign-in is off.", query: "secondFactor")
    /// After a mail was asked for that verifies the address.
    static let verificationSent = Notice(.success, "A mail with a link is on its way.", query: "verification")
    /// After a change of the address was asked for.
    static let emailAsked = Notice(
        .success, "A mail with a link is on its way to the new address. Until you use it, nothing changes.",
        query: "email")
    /// After another session was ended.
    static let sessionEnded = Notice(.success, "Session ended.", query: "session")

    /// After a workspace was deleted.
    static let workspaceDeleted = Notice(
        .success, "Workspace deleted. No key passes there any more.", query: "workspace")

    /// After the person left a workspace.
    static let workspaceLeft = Notice(
        .success, "You left the workspace. Your key no longer passes there.", query: "left")

    /// What surrounds the page.
    let shell: DashboardShell
    /// The account holder's name.
    let name: String
    /// The account's e-mail address.
    let email: String
    /// What the page says of the address beside it; nil where no mails are sent.
    let mail: AccountMail?
    /// What is wrong with the new address.
    let emailError: String?
    /// What happened before this page.
    let notice: Notice?
    /// Whether the account has a password that could be changed.
    let hasPassword: Bool
    /// What the page says of two-step sign-in; nil where it is off.
    let secondFactor: SecondFactorStatus?
    /// What is wrong with the current password.
    let currentPasswordError: String?
    /// What is wrong with the new password.
    let newPasswordError: String?
    /// Whether the password form was refused.
    let hasErrors: Bool
    /// Whether the account is connected with any identity.
    let hasIdentities: Bool
    /// The identities with which it is connected.
    let identities: [IdentityRow]
    /// The account's live sessions, in the order in which they are listed.
    let sessions: [SessionRow]

    /// Puts the page together.
    ///
    /// - Parameter fields: Sentences by field name: `currentPassword`, `newPassword`, `email`. Others are ignored.
    init(
        shell: DashboardShell, name: String, email: String, mail: AccountMail? = nil, notice: Notice? = nil,
        fields: [String: String] = [:],
        hasPassword: Bool = true, identities: [IdentityRow] = [], secondFactor: SecondFactorStatus? = nil,
        sessions: [SessionRow]
    ) {
        self.secondFactor = secondFactor
        self.hasPassword = hasPassword
        hasIdentities = !identities.isEmpty
        self.identities = identities
        self.shell = shell
        self.name = name
        self.email = email
        self.mail = mail
        emailError = fields["email"]
        self.notice = notice
        currentPasswordError = fields["currentPassword"]
        newPasswordError = fields["newPassword"]
        hasErrors = currentPasswordError != nil || newPasswordError != nil || emailError != nil
        self.sessions = sessions
    }
}

/// What an account's page says of its address where mails are sent.
struct AccountMail: Sendable, Equatable {
    /// Whether the address is verified.
    let isVerified: Bool
    /// The address that the person wants and has not verified yet.
    let wanted: String?
    /// What the person typed that was refused.
    let typed: String

    /// Puts it together.
    init(isVerified: Bool, wanted: String? = nil, typed: String = "") {
        self.isVerified = isVerified
        self.wanted = wanted
        self.typed = typed
    }
}

/// One identity in the list.
struct IdentityRow: Sendable, Equatable {
    /// What the path that disconnects it names it by.
    let id: String
    /// What people call its provider.
    let provider: String
    /// Who the person is there.
    let subject: String
    /// Since when.
    let connectedAt: PageTime
    /// Whether it cannot be disconnected, because nobody could sign in without it.
    let isOnlyWay: Bool

    /// Puts a row together.
    init(_ listed: ConnectedIdentityService.Listed) {
        id = listed.connected.reference
        provider = listed.provider
        subject = listed.connected.identity.subject
        connectedAt = PageTime(listed.connected.connectedAt)
        isOnlyWay = listed.isOnlyWay
    }
}

/// One live session in the list.
struct SessionRow: Sendable, Equatable {
    /// The session's id, part of the path that ends it. It is not the session's secret.
    let id: String
    /// When it began.
    let startedAt: PageTime
    /// Its last request, to the minute.
    let lastSeenAt: PageTime
    /// Where it was begun from.
    let address: String
    /// The browser in words.
    let browser: String
    /// Whether it is the session that reads the page.
    let isCurrent: Bool

    /// Puts a row together; the browser's own description becomes words.
    init(
        id: String, startedAt: Timestamp, lastSeenAt: Timestamp, address: String, userAgent: String, isCurrent: Bool
    ) {
        self.id = id
        self.startedAt = PageTime(startedAt)
        self.lastSeenAt = PageTime(lastSeenAt)
        self.address = address
        browser = BrowserName.describe(userAgent)
        self.isCurrent = isCurrent
    }
}
