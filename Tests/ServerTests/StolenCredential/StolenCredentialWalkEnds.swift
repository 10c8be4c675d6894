@testable import Keybearer

/// The ways in which an authority ends while its request is held.
enum AuthorityEnd: String, CaseIterable, Sendable {
    // Of a key.
    case regeneratedByHolder
    case regeneratedByOperator
    case revokedByItself
    case regeneratedWhileDisabled
    // Of a session.
    case endedByAnotherSession
    case signedOut
    case passwordChangedByAnotherSession
    case disabledAndEnabled
    // Of a password that was given with the request.
    case passwordChangedByThisSession
    case passwordReset
    // Of a code.
    case secondFactorReset
    // Of all of them.
    case disabled
    case deleted
    // Of the right to act in a workspace.
    case membershipRemoved
    /// To the one below the highest, and to the lowest.
    case roleLowered
    case roleLoweredToMember
    case planDowngraded
    // Of an operator's program.
    case operatorTokenRevoked

    static let ofKeys: [AuthorityEnd] = [
        .regeneratedByHolder, .regeneratedByOperator, .revokedByItself, .regeneratedWhileDisabled, .disabled, .deleted,
    ]
    static let ofSessions: [AuthorityEnd] = [
        .endedByAnotherSession, .signedOut, .passwordChangedByAnotherSession, .passwordReset, .disabled,
        .disabledAndEnabled, .deleted,
    ]
    static let ofSignIns: [AuthorityEnd] = [.passwordChangedByAnotherSession, .passwordReset, .disabled, .deleted]

    /// How the right to an action ends, by the one table of permissions.
    static func of(_ action: Action) -> [AuthorityEnd] {
        let rule = Permissions.rule(of: action)
        let lowered: [AuthorityEnd] =
            rule.roles.contains(.member) ? [] : [rule.roles.contains(.admin) ? .roleLoweredToMember : .roleLowered]
        return [.membershipRemoved] + lowered + (rule.needsFeature ? [.planDowngraded] : [])
    }

    /// An `Idempotency-Key` of the holder's that the thief has guessed.
    static let guessedIdempotencyKey = "guessed"
    static let newPassword = Password("entirely different words")

    /// Ends the subject's authority, as somebody else.
    func carryOut(on subject: WalkSubject, by others: Services) async throws {
        let (id, workspace) = (subject.id, subject.workspace)
        let holder = Authority(.session(subject.otherSession, of: id), from: subject.address)
        switch self {
        case .regeneratedByHolder:
            _ = try await others.keys.regenerate(
                id, idempotencyKey: Self.guessedIdempotencyKey, by: holder,
                needs: Requirement(.regenerateKey, in: workspace))
        case .regeneratedByOperator:
            _ = try await others.keys.regenerate(
                id, idempotencyKey: Self.guessedIdempotencyKey, by: .commandLine)
        case .revokedByItself:
            let key = subject.account.key
            try await others.keys.revoke(
                id, by: Authority(.key(key.id, version: key.version, of: id), from: subject.address))
        case .regeneratedWhileDisabled:
            try await others.accounts.setStatus(.disabled, of: id, by: .commandLine)
            try await others.accounts.setStatus(.active, of: id, by: .commandLine)
            _ = try await others.keys.regenerate(id, idempotencyKey: nil, by: .commandLine)
        case .endedByAnotherSession: try await others.sessions.end(subject.session, of: id, by: holder)
        case .signedOut:
            try await others.sessions.end(
                subject.session, of: id, by: Authority(.session(subject.session, of: id), from: subject.address))
        case .passwordChangedByAnotherSession: try await changePassword(subject, in: subject.otherSession, others)
        case .passwordChangedByThisSession: try await changePassword(subject, in: subject.session, others)
        case .passwordReset:
            try await others.accounts.setPassword(of: subject.account.user, to: Self.newPassword, by: .commandLine)
        case .disabled: try await others.accounts.setStatus(.disabled, of: id, by: .commandLine)
        case .disabledAndEnabled:
            try await others.accounts.setStatus(.disabled, of: id, by: .commandLine)
            try await others.accounts.setStatus(.active, of: id, by: .commandLine)
        case .deleted: try await others.accounts.delete(id, by: .commandLine)
        case .membershipRemoved: try await others.workspaces.removeMember(id, from: workspace, by: .commandLine)
        case .roleLowered: try await others.workspaces.putMember(id, in: workspace, role: .admin, by: .commandLine)
        case .roleLoweredToMember:
            try await others.workspaces.putMember(id, in: workspace, role: .member, by: .commandLine)
        case .planDowngraded:
            try await others.workspaces.setPlan(PlanID(rawValue: "free"), of: workspace, by: .commandLine)
        case .secondFactorReset: try await others.writes.resetSecondFactor(of: id, by: .commandLine)
        case .operatorTokenRevoked:
            try await others.operatorTokens.revoke(subject.operatorTokenID, by: .commandLine)
        }
    }

    private func changePassword(_ subject: WalkSubject, in session: SessionID, _ others: Services) async throws {
        try await others.signIn.changePassword(
            of: subject.account.user, current: WalkSubject.password, new: Self.newPassword, in: session,
            from: subject.address)
    }
}
