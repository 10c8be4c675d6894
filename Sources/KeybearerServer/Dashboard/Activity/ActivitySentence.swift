import Keybearer

/// An audit event in words, such as "Ada regenerated the key tdc_AbCd…".
struct ActivitySentence: Sendable {
    /// Who did it.
    let actor: String
    /// The sentence, with the actor in it.
    let text: String

    /// - Parameter reader: who reads it: what they did themselves says "You".
    init(_ named: NamedAuditEvent, for reader: UserID) {
        let event = named.event
        let actor = Self.actor(named, reader)
        self.actor = actor
        let isOwn = event.userID.map { event.actor == .user($0) } ?? true
        let user = event.userID.map { Self.person($0, named.userName, reader, isObject: true) }
        let target = Target(
            isOwn: isOwn, isReader: event.userID == reader, user: user ?? "an account",
            workspace: named.workspaceName.map { "the workspace \($0)" } ?? "a workspace that was deleted")
        text =
            "\(actor) \(Self.act(event, target))\(event.origin?.via == nil ? "" : ", signed in by the operator’s link")"
    }

    /// Whom and what an event is about.
    private struct Target {
        let isOwn: Bool
        let isReader: Bool
        let user: String
        let workspace: String

        /// What belongs to the account, such as "their key", "your key" or "the key of Ada".
        func own(_ thing: String) -> String {
            if isReader { return "your \(thing)" }
            return isOwn ? "their \(thing)" : "the \(thing) of \(user)"
        }

        var account: String { isReader ? "your account" : isOwn ? "their account" : "the account of \(user)" }
    }

    private static func actor(_ named: NamedAuditEvent, _ reader: UserID) -> String {
        switch named.event.actor {
        case .user(let id): person(id, named.actorName, reader, isObject: false)
        case .operatorToken: "The operator’s program"
        case .commandLine: "The operator"
        case .system: ofSomebody.contains(named.event.action) ? "Somebody" : "Keybearer"
        }
    }

    /// What is done by links alone, or by people who are not signed in.
    private static let ofSomebody: Set<AuditEvent.Action> = [
        .signInFailed, .invitationRequested, .emailVerified, .emailChanged,
    ]

    private static func person(_ id: UserID, _ name: String?, _ reader: UserID, isObject: Bool) -> String {
        if id == reader { return isObject ? "you" : "You" }
        return name ?? (isObject ? "an account that was deleted" : "An account that was deleted")
    }

    private static func act(_ event: AuditEvent, _ target: Target) -> String {
        switch event.action {
        case .keyRevealed: "showed \(target.own("key"))"
        case .keyTried: "tried \(target.own("key")) on its page"
        case .keyRegenerated: "regenerated \(target.own("key"))\(key(event))"
        case .keyRevoked: "revoked \(target.own("key"))\(key(event))"
        case .networksChanged: "changed from where \(target.own("key")) may be used\(change(event))"
        case .keyResealed, .masterKeysChanged: "rotated the master keys"
        case .sessionStarted: "signed in"
        case .sessionConfirmed: "confirmed the password"
        case .signInFailed: "tried to sign in to \(target.account) and failed"
        case .sessionEnded: target.isOwn ? "ended a session" : "ended \(target.own("sessions"))"
        case .passwordChanged: "changed \(target.own("password"))"
        case .passwordResetSent: "sent a link that resets \(target.own("password")), which somebody asked for"
        case .passwordReset: "reset \(target.own("password")) by a link in a mail"
        case .emailVerificationAsked: "asked for a mail that verifies \(target.own("address"))"
        case .emailVerified: "verified \(target.own("address")) by a link in a mail"
        case .emailChangeAsked: "asked for another address of \(target.account)"
        case .emailChanged: "changed \(target.own("address")) by a link in a mail to the new one"
        case .identityLinked: "connected \(target.account) with \(event.detail ?? "a provider")"
        case .identityUnlinked: "disconnected \(target.account) from \(event.detail ?? "a provider")"
        case .codeAsked: "gave the password, and was asked for a code"
        case .secondFactorAdded: "turned on two-step sign-in of \(target.account)"
        case .secondFactorRemoved: "turned off two-step sign-in of \(target.account)"
        case .recoveryCodesReplaced: "made new recovery codes for \(target.account)"
        case .userCreated: "made \(target.account)"
        case .userChanged: "changed \(target.account)"
        case .userAdopted: "took over \(target.account)"
        case .userDisabled: "disabled \(target.account)"
        case .userEnabled: "enabled \(target.account)"
        case .userDeleted: event.workspaceID == nil ? "deleted \(target.account)" : "deleted a service account"
        case .userLimitChanged:
            "changed the hourly limit of \(target.isReader ? "your account" : target.user)\(change(event))"
        case .windowReset: "gave \(target.user) a fresh hour"
        default: workspaceAct(event, target)
        }
    }

    private static func workspaceAct(_ event: AuditEvent, _ target: Target) -> String {
        switch event.action {
        case .workspaceCreated: "made \(target.workspace)"
        case .workspaceChanged: "changed \(target.workspace)"
        case .workspaceDeleted: "deleted a workspace"
        case .workspaceSuspended: "suspended \(target.workspace)"
        case .workspaceResumed: "let \(target.workspace) go on"
        case .planChanged:
            "moved \(target.workspace) to the plan \(event.change?.after ?? event.detail ?? "")\(was(event))"
        case .workspaceLimitChanged: "changed the hourly limit of \(target.workspace)\(change(event))"
        case .memberAdded where event.change?.before != nil:
            "made \(target.user) \(role(event.change?.after ?? event.detail)) of \(target.workspace)\(was(event))"
        case .memberAdded: "added \(target.user) to \(target.workspace) as \(role(event.change?.after ?? event.detail))"
        case .memberRemoved:
            target.isOwn ? "left \(target.workspace)" : "removed \(target.user) from \(target.workspace)"
        case .memberRoleChanged:
            "made \(target.user) \(role(event.change?.after ?? event.detail)) of \(target.workspace)\(was(event))"
        case .invitationCreated: "invited somebody to \(target.workspace)"
        case .invitationWithdrawn: "withdrew an invitation to \(target.workspace)"
        case .invitationAccepted: "accepted an invitation to \(target.workspace)"
        case .invitationRequested: "asked for a new invitation to \(target.workspace)"
        case .invitationRequestDismissed: "dismissed a request for an invitation to \(target.workspace)"
        case .webhookCreated: "added a webhook to \(target.workspace)"
        case .webhookChanged: "changed a webhook of \(target.workspace)\(change(event))"
        case .webhookSecretRotated: "replaced the secret of a webhook of \(target.workspace)"
        case .webhookDeleted: "deleted a webhook of \(target.workspace)"
        case .webhookTested: "sent a test event to a webhook of \(target.workspace)"
        case .webhookResent: "sent messages to a webhook of \(target.workspace) again"
        case .eventTypePut, .eventTypeDeleted, .eventsPublished: "changed the events of the product"
        case .planPut: "changed the plan \(event.detail ?? "")"
        case .planDeleted: "deleted the plan \(event.detail ?? "")"
        case .operatorTokenCreated: "made an operator token"
        case .operatorTokenRevoked: "revoked an operator token"
        case .portalLinkCreated: "made a link that signs \(target.user) in"
        case .settingChanged: "started with another setting \(event.detail ?? "")\(change(event))"
        case .storeRestored: "restored a backup"
        case .storeMoved: "moved the database"
        default: "did something (\(event.action.rawValue))"
        }
    }

    /// Which key, by its prefix, which everybody may see.
    private static func key(_ event: AuditEvent) -> String { event.change?.before.map { " \($0)…" } ?? "" }

    private static func change(_ event: AuditEvent) -> String {
        guard let change = event.change else { return "" }
        return " from \(change.before ?? "none") to \(change.after ?? "none")"
    }

    private static func was(_ event: AuditEvent) -> String { event.change?.before.map { " (was \($0))" } ?? "" }

    private static func role(_ text: String?) -> String {
        text.flatMap { Role(rawValue: $0) }?.displayName ?? text ?? "a member"
    }
}

extension AuditEvent.Action {
    /// What a filter calls it.
    var filterName: String {
        switch self {
        case .keyRevealed: "Key shown"
        case .keyTried: "Key tried"
        case .keyRegenerated: "Key regenerated"
        case .keyRevoked: "Key revoked"
        case .networksChanged: "Allowed networks changed"
        case .sessionStarted: "Signed in"
        case .signInFailed: "Sign-in failed"
        case .sessionConfirmed: "Password confirmed"
        case .sessionEnded: "Session ended"
        case .passwordChanged: "Password changed"
        case .identityLinked: "Provider connected"
        case .identityUnlinked: "Provider disconnected"
        case .codeAsked: "Code asked for"
        case .passwordResetSent: "Password reset link sent"
        case .passwordReset: "Password reset"
        case .emailVerificationAsked: "Address verification asked for"
        case .emailVerified: "Address verified"
        case .emailChangeAsked: "Address change asked for"
        case .emailChanged: "Address changed"
        case .secondFactorAdded: "Two-step sign-in on"
        case .secondFactorRemoved: "Two-step sign-in off"
        case .recoveryCodesReplaced: "Recovery codes replaced"
        case .userCreated: "Account made"
        case .userChanged: "Account changed"
        case .userDisabled: "Account disabled"
        case .userEnabled: "Account enabled"
        case .userDeleted: "Account deleted"
        case .userLimitChanged: "Limit changed"
        case .windowReset: "Fresh hour given"
        case .workspaceCreated: "Workspace made"
        case .workspaceChanged: "Workspace changed"
        case .workspaceSuspended: "Workspace suspended"
        case .workspaceResumed: "Workspace resumed"
        case .planChanged: "Plan changed"
        case .workspaceLimitChanged: "Limit changed"
        case .memberAdded: "Member added"
        case .memberRoleChanged: "Role changed"
        case .memberRemoved: "Member removed"
        case .invitationCreated: "Invited"
        case .invitationWithdrawn: "Invitation withdrawn"
        case .invitationAccepted: "Invitation accepted"
        case .invitationRequested: "Invitation asked for"
        case .invitationRequestDismissed: "Request for an invitation dismissed"
        case .webhookCreated: "Webhook added"
        case .webhookChanged: "Webhook changed"
        case .webhookSecretRotated: "Webhook secret replaced"
        case .webhookDeleted: "Webhook deleted"
        case .webhookTested: "Test event sent"
        case .webhookResent: "Messages sent again"
        case .portalLinkCreated: "Portal link made"
        case .userAdopted: "Account taken over by the operator"
        default: rawValue
        }
    }

    /// What can have happened in a workspace, in the order of a filter.
    static let inWorkspaces: [AuditEvent.Action] = [
        .keyRevealed, .keyTried, .keyRegenerated, .keyRevoked, .networksChanged, .memberAdded, .memberRoleChanged,
        .memberRemoved,
        .invitationCreated, .invitationWithdrawn, .invitationAccepted, .invitationRequested,
        .invitationRequestDismissed, .planChanged,
        .workspaceLimitChanged, .workspaceCreated, .workspaceChanged, .workspaceSuspended, .workspaceResumed,
        .userCreated, .userChanged, .userDisabled, .userEnabled, .userDeleted, .webhookCreated, .webhookChanged,
        .webhookSecretRotated, .webhookDeleted, .webhookTested, .webhookResent,
    ]
    /// What can have happened to an account.
    static let ofAccounts: [AuditEvent.Action] = [
        .sessionStarted, .codeAsked, .signInFailed, .sessionConfirmed, .sessionEnded, .passwordChanged,
        .passwordResetSent, .passwordReset, .emailVerificationAsked, .emailVerified, .emailChangeAsked, .emailChanged,
        .identityLinked, .identityUnlinked, .secondFactorAdded, .secondFactorRemoved, .recoveryCodesReplaced,
        .keyRevealed, .keyTried, .keyRegenerated, .keyRevoked, .networksChanged, .userCreated, .userChanged,
        .userDisabled, .userEnabled,
        .userLimitChanged, .windowReset, .memberAdded, .memberRoleChanged, .memberRemoved, .planChanged,
        .workspaceCreated, .invitationAccepted, .portalLinkCreated, .userAdopted,
    ]
}
