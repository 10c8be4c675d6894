/// Something that was done to an account or a workspace, written in the transaction that did it.
public struct AuditEvent: Sendable, Hashable {
    /// What was done.
    public enum Action: String, Sendable, Hashable, CaseIterable {
        case userCreated = "user.created"
        case userDisabled = "user.disabled"
        case userEnabled = "user.enabled"
        case userDeleted = "user.deleted"
        case userChanged = "user.changed"
        case userAdopted = "user.adopted"
        case userLimitChanged = "user.limit_changed"
        case windowReset = "user.quota_reset"
        case identityLinked = "user.identity_linked"
        case identityUnlinked = "user.identity_unlinked"
        case passwordChanged = "user.password_changed"
        case passwordResetSent = "user.password_reset_sent"
        case passwordReset = "user.password_reset"
        case emailVerificationAsked = "user.email_verification_asked"
        case emailVerified = "user.email_verified"
        case emailChangeAsked = "user.email_change_asked"
        case emailChanged = "user.email_changed"
        case secondFactorAdded = "user.second_factor_added"
        case secondFactorRemoved = "user.second_factor_removed"
        case recoveryCodesReplaced = "user.recovery_codes_replaced"
        case codeAsked = "session.code_asked"
        case sessionStarted = "session.started"
        case sessionConfirmed = "session.confirmed"
        case signInFailed = "session.failed"
        case sessionEnded = "session.ended"
        case keyRevealed = "key.revealed"
        case keyTried = "key.tried"
        case keyRegenerated = "key.regenerated"
        case keyRevoked = "key.revoked"
        case keyResealed = "key.resealed"
        case networksChanged = "key.networks_changed"
        case masterKeysChanged = "master_keys.changed"
        case workspaceCreated = "workspace.created"
        case workspaceChanged = "workspace.changed"
        case workspaceDeleted = "workspace.deleted"
        case workspaceSuspended = "workspace.suspended"
        case workspaceResumed = "workspace.resumed"
        case planChanged = "workspace.plan_changed"
        case workspaceLimitChanged = "workspace.limit_changed"
        case memberAdded = "workspace.member_added"
        case planPut = "plan.put"
        case planDeleted = "plan.deleted"
        case memberRemoved = "workspace.member_removed"
        case memberRoleChanged = "workspace.role_changed"
        case invitationCreated = "invitation.created"
        case invitationWithdrawn = "invitation.withdrawn"
        case invitationAccepted = "invitation.accepted"
        case invitationRequested = "invitation.requested"
        /// Somebody who asked for another invitation gets none.
        case invitationRequestDismissed = "invitation.request_dismissed"
        case webhookCreated = "webhook.created"
        case webhookChanged = "webhook.changed"
        case webhookSecretRotated = "webhook.secret_rotated"
        case webhookDeleted = "webhook.deleted"
        case webhookTested = "webhook.tested"
        case webhookResent = "webhook.resent"
        case eventTypePut = "event_type.put"
        case eventTypeDeleted = "event_type.deleted"
        /// It is in no log: the queue has the events.
        case eventsPublished = "events.published"
        case operatorTokenCreated = "operator_token.created"
        case portalLinkCreated = "portal_link.created"
        case operatorTokenRevoked = "operator_token.revoked"
        case settingChanged = "setting.changed"
        case storeRestored = "store.restored"
        case storeMoved = "store.moved"
    }

    /// Who did it.
    public enum Actor: Sendable, Hashable {
        /// A signed-in person or a key's holder.
        case user(UserID)
        /// A program of the operator.
        case operatorToken(OperatorTokenID)
        /// Someone at the command line.
        case commandLine
        /// Keybearer itself.
        case system

        /// Whether it is the operator, at the command line or through a program.
        package var isOperator: Bool {
            switch self {
            case .operatorToken, .commandLine: true
            case .user, .system: false
            }
        }

        /// The stored form: an id, `cli` or `system`.
        package var storedForm: String {
            switch self {
            case .user(let id): id.rawValue
            case .operatorToken(let id): id.rawValue
            case .commandLine: "cli"
            case .system: "system"
            }
        }

        /// Reads ``storedForm``.
        package init(storedForm: String) {
            switch storedForm {
            case "cli": self = .commandLine
            case "system": self = .system
            case _ where storedForm.hasPrefix(OperatorTokenID.prefix):
                self = .operatorToken(OperatorTokenID(rawValue: storedForm))
            default: self = .user(UserID(rawValue: storedForm))
            }
        }
    }

    /// Names the event.
    public let id: EventID
    /// When it was done.
    public let at: Timestamp
    /// Who did it.
    public let actor: Actor
    /// What was done.
    public let action: Action
    /// The account it was done to, if one.
    public let userID: UserID?
    /// The workspace it was done to, if one.
    public let workspaceID: WorkspaceID?
    /// Where the request came from; nil at the command line.
    public let address: IPAddress?
    /// A detail for people, such as a plan's id. Never a secret, and nothing that tells who somebody is, such as a name
    /// or an address: it outlives the account.
    public let detail: String?

    /// What was asked for it; nil for what came by no request.
    public let origin: RequestOrigin?
    /// What was, and what is, where the event is about a value such as a plan or a limit. Never a secret, and nothing
    /// that tells who somebody is.
    public let change: ValueChange?
    /// Its place in the log, counted from 1 without gaps; nil until it has one. See ``AuditSealer``.
    public let position: Int64?
    /// Whether the holder of the account is told by mail, where there is a mail for the action. It is not stored.
    package let isMailed: Bool
    /// The device that it was asked for from, where a mail may tell of a new one. It is not stored with the event.
    package let device: [UInt8]?

    /// Puts an event together.
    package init(
        id: EventID, at: Timestamp, actor: Actor, action: Action, userID: UserID? = nil,
        workspaceID: WorkspaceID? = nil, address: IPAddress? = nil, detail: String? = nil,
        origin: RequestOrigin? = nil, change: ValueChange? = nil, position: Int64? = nil, isMailed: Bool = false,
        device: [UInt8]? = nil
    ) {
        self.isMailed = isMailed
        self.device = device
        self.id = id
        self.at = at
        self.actor = actor
        self.action = action
        self.userID = userID
        self.workspaceID = workspaceID
        self.address = address
        self.detail = detail
        self.origin = origin
        self.change = change
        self.position = position
    }
}

/// A value before and after an act, as text; nil for none.
public struct ValueChange: Sendable, Hashable {
    /// What was.
    public let before: String?
    /// What is.
    public let after: String?

    private static let mostBytes = 200

    /// - Parameters: each is cut to 200 bytes.
    package init(before: String?, after: String?) {
        self.before = before.map { $0.cut(toBytes: Self.mostBytes) }
        self.after = after.map { $0.cut(toBytes: Self.mostBytes) }
    }

    /// Two long values, such as lists, by where they begin to differ.
    package init(difference before: String?, _ after: String?) {
        guard let before, let after, max(before.utf8.count, after.utf8.count) > Self.mostBytes else {
            self.init(before: before, after: after)
            return
        }
        let same = zip(before, after).prefix { $0.0 == $0.1 }.count
        // Some of what is the same, so that the place is seen.
        let cut = max(0, same - 20)
        let mark = cut > 0 ? "…" : ""
        self.init(before: mark + before.dropFirst(cut), after: mark + after.dropFirst(cut))
    }
}

extension AuditEvent {
    /// The same event with what only the transaction found out.
    ///
    /// - Parameter serviceWorkspaceID: of the service account that it is about: its workspace sees what is done to it.
    package func with(_ change: ValueChange?, serviceWorkspaceID: WorkspaceID? = nil) -> AuditEvent {
        AuditEvent(
            id: id, at: at, actor: actor, action: action, userID: userID,
            workspaceID: workspaceID ?? serviceWorkspaceID, address: address, detail: detail, origin: origin,
            change: change ?? self.change, position: position, isMailed: isMailed, device: device)
    }
}
