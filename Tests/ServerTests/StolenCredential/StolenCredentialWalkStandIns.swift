import Testing

@testable import Keybearer

/// A request that has nobody's authority, or whose authority stands while its target goes: what changes at the hold
/// instead, and what is answered then.
struct WalkStandIn: Sendable {
    let name: String
    let action: AuditEvent.Action
    /// What happens while it is held.
    let event: String
    var holds: [StolenCredentialWalk.Hold] = [.lastByte, .commit]
    let request: @Sendable (WalkSubject) -> WireRequest
    let meanwhile: @Sendable (WalkSubject, Services) async throws -> Void
    let outcome: String
    /// Whether the account's address is not verified.
    var isUnverified = false

    static let all =
        byMail + [
            WalkStandIn(
                name: "POST /sign-up", action: .userCreated, event: "the address is taken", request: signUp,
                meanwhile: { subject, others in
                    _ = try await others.accounts.create(
                        name: "Eve", email: newAddress(subject), password: AuthorityEnd.newPassword, by: .commandLine)
                }, outcome: "409"),
            WalkStandIn(
                name: "POST /sign-up", action: .sessionStarted, event: "the new account is deleted", holds: [.commit],
                request: signUp,
                meanwhile: { subject, others in
                    let made = try await others.accounts.find(newAddress(subject))
                    try await others.accounts.delete(made.user.id, by: .commandLine)
                }, outcome: "303 /sign-in"),
            WalkStandIn(
                name: "POST /sign-up", action: .sessionStarted, event: "the new password is reset", holds: [.commit],
                request: signUp,
                meanwhile: { subject, others in
                    let made = try await others.accounts.find(newAddress(subject))
                    try await others.accounts.setPassword(
                        of: made.user, to: AuthorityEnd.newPassword, by: .commandLine)
                }, outcome: "303 /sign-in"),
            WalkStandIn(
                name: "POST /sign-out", action: .sessionEnded, event: "the session is gone",
                request: { $0.form("/sign-out") },
                meanwhile: { try await AuthorityEnd.endedByAnotherSession.carryOut(on: $0, by: $1) },
                outcome: "303 /sign-in"),
            WalkStandIn(
                name: "POST /portal", action: .sessionStarted, event: "the token that made the link is revoked",
                request: { $0.openForm("/portal", ["code": $0.portalCode]) },
                meanwhile: { try await AuthorityEnd.operatorTokenRevoked.carryOut(on: $0, by: $1) }, outcome: "410"),
            WalkStandIn(
                name: "POST /portal", action: .sessionStarted, event: "the account is disabled",
                request: { $0.openForm("/portal", ["code": $0.portalCode]) },
                meanwhile: { try await AuthorityEnd.disabled.carryOut(on: $0, by: $1) }, outcome: "410"),
            WalkStandIn(
                name: "POST /invitations/accept", action: .invitationAccepted, event: "the inviter is gone",
                request: { $0.form("/invitations/accept", ["code": $0.team.code]) },
                meanwhile: { try await $1.accounts.setStatus(.disabled, of: $0.team.host, by: .commandLine) },
                outcome: "410"),
            WalkStandIn(
                name: "POST /invitations/accept", action: .invitationAccepted, event: "it is withdrawn",
                request: { $0.form("/invitations/accept", ["code": $0.team.code]) },
                meanwhile: {
                    try await $1.invitations.withdraw(
                        $0.team.hostInvitation, of: $0.team.hostWorkspace, by: .commandLine)
                },
                outcome: "410"),
            WalkStandIn(
                name: "POST /invitations/ask", action: .invitationRequested, event: "the workspace is gone",
                request: { $0.openForm("/invitations/ask", ["code": $0.team.code]) },
                meanwhile: { try await $1.accounts.delete($0.team.host, by: .commandLine) }, outcome: "404"),
            WalkStandIn(
                name: "POST /account/sessions/{sessionID}/end", action: .sessionEnded, event: "the target is gone",
                request: { $0.form("/account/sessions/\($0.thirdSession)/end") },
                meanwhile: { subject, others in
                    try await others.sessions.end(subject.thirdSession, of: subject.id, by: .commandLine)
                }, outcome: "303 /account?session=ended"),
        ]

    /// Links in mails: whoever has one has nobody's authority.
    private static let byMail = [
        mailLink("/verify-email", \.changeCode, .emailChanged, while: "the account is disabled") {
            try await AuthorityEnd.disabled.carryOut(on: $0, by: $1)
        },
        mailLink("/reset-password", \.resetCode, .passwordReset, while: "the account is disabled") {
            try await AuthorityEnd.disabled.carryOut(on: $0, by: $1)
        },
        mailLink("/reset-password", \.resetCode, .passwordReset, while: "the password is changed") {
            try await $1.accounts.setPassword(
                of: $0.account.user, to: AuthorityEnd.newPassword, by: .commandLine)
        },
    ]

    private static func mailLink(
        _ path: String, _ code: any KeyPath<WalkSubject, String> & Sendable, _ action: AuditEvent.Action,
        while event: String, isUnverified: Bool = false,
        _ meanwhile: @escaping @Sendable (WalkSubject, Services) async throws -> Void
    ) -> WalkStandIn {
        WalkStandIn(
            name: "POST \(path)", action: action, event: event,
            request: { $0.openForm(path, ["code": $0[keyPath: code], "password": "the words of a thief"]) },
            meanwhile: meanwhile, outcome: "410", isUnverified: isUnverified)
    }

    private static let signUp: @Sendable (WalkSubject) -> WireRequest = { subject in
        subject.openForm(
            "/sign-up",
            ["name": "New", "email": newAddress(subject), "password": WalkSubject.password.characters])
    }

    private static func newAddress(_ subject: WalkSubject) -> String { "new.\(subject.email)" }
}

/// What a command does, and what happens to its target while it is held. Nothing ends the operator's authority.
struct WalkCommand: Sendable {
    /// What becomes of it.
    enum Outcome: Sendable, Equatable {
        /// Nothing changes.
        case refused(ErrorCode)
        /// It goes on, on what is there now.
        case done
    }

    let name: String
    let action: AuditEvent.Action
    /// What happens while it is held.
    let event: String
    let run: @Sendable (Services, WalkSubject, _ holder: UserID) async throws -> Void
    let meanwhile: @Sendable (Services, WalkSubject, _ holder: UserID) async throws -> Void
    let outcome: Outcome

    init(
        _ name: String, _ action: AuditEvent.Action, while event: String, _ outcome: Outcome,
        _ run: @escaping @Sendable (Services, WalkSubject, UserID) async throws -> Void,
        meanwhile: @escaping @Sendable (Services, WalkSubject, UserID) async throws -> Void
    ) {
        (self.name, self.action, self.event) = (name, action, event)
        (self.outcome, self.run, self.meanwhile) = (outcome, run, meanwhile)
    }

    static let all = accounts + keys + workspaces + operatorTokens

    private static let accounts = [
        WalkCommand("user create", .userCreated, while: "the address is taken", .refused(.conflict)) {
            services, subject, _ in
            try await create(services, "made.\(subject.email)")
        } meanwhile: { others, subject, _ in
            try await create(others, "made.\(subject.email)")
        },
        gone("user set-password", .passwordChanged) { services, subject, _ in
            try await services.accounts.setPassword(
                of: subject.account.user, to: AuthorityEnd.newPassword, by: .commandLine)
        },
        gone("user disable", .userDisabled) { services, subject, _ in
            try await services.accounts.setStatus(.disabled, of: subject.id, by: .commandLine)
        },
        gone("user enable", .userEnabled) { services, subject, _ in
            try await services.accounts.setStatus(.active, of: subject.id, by: .commandLine)
        },
        gone("user reset-totp", .secondFactorRemoved) { services, subject, _ in
            try await services.writes.resetSecondFactor(of: subject.id, by: .commandLine)
        },
        gone("user set-networks", .networksChanged) { services, subject, _ in
            try await services.writes.setAllowedNetworks(
                AllowedNetworks(parsing: ["203.0.113.0/24"]), of: subject.id, by: .commandLine)
        },
        gone("user delete", .userDeleted, run: delete),
        WalkCommand(
            "user delete", .userDeleted, while: "it becomes the last Owner", .refused(.conflict), delete,
            meanwhile: lowerHolder),
    ]

    private static let keys = [
        gone("key regenerate", .keyRegenerated, run: regenerate),
        WalkCommand(
            "key regenerate", .keyRegenerated, while: "the key is replaced", .refused(.conflict), regenerate,
            meanwhile: regenerate),
        gone("key show", .keyRevealed) { services, subject, _ in
            _ = try await services.keys.reveal(subject.id, by: .commandLine)
        },
        WalkCommand("key show", .keyRevealed, while: "the key is replaced", .done) { services, subject, _ in
            let shown = try await services.keys.reveal(subject.id, by: .commandLine)
            #expect(shown.characters != subject.key, "the command shows a key that is dead")
        } meanwhile: {
            try await regenerate($0, $1, $2)
        },
    ]

    private static let workspaces = [
        gone("workspace create", .workspaceCreated) { services, subject, _ in
            _ = try await services.workspaces.create(name: "More", owner: subject.id, by: .commandLine)
        },
        WalkCommand("workspace set-plan", .planChanged, while: "the workspace is gone", .refused(.notFound)) {
            services, subject, _ in
            try await services.workspaces.setPlan(
                PlanID(rawValue: "free"), of: subject.workspace, by: .commandLine)
        } meanwhile: {
            try await removeWorkspace($0, $1, $2)
        },
        gone("workspace add-member", .memberAdded) { services, subject, _ in
            try await services.workspaces.putMember(
                subject.id, in: subject.workspace, role: .admin, by: .commandLine)
        },
        WalkCommand("workspace add-member", .memberAdded, while: "the workspace is gone", .refused(.notFound)) {
            try await $0.workspaces.putMember($2, in: $1.workspace, role: .owner, by: .commandLine)
        } meanwhile: {
            try await removeWorkspace($0, $1, $2)
        },
        WalkCommand(
            "workspace remove-member", .memberRemoved, while: "the member has left", .refused(.notFound), leave,
            meanwhile: leave),
        WalkCommand(
            "workspace remove-member", .memberRemoved, while: "it becomes the last Owner", .refused(.conflict),
            leave, meanwhile: lowerHolder),
        WalkCommand("plan put", .planPut, while: "the plan is put by another", .done) { services, _, _ in
            try await putPlan(services, limit: 500)
        } meanwhile: { others, _, _ in
            try await putPlan(others, limit: 700)
        },
        WalkCommand("plan delete", .planDeleted, while: "the plan is gone", .refused(.notFound)) { services, _, _ in
            try await deletePlan(services)
        } meanwhile: { others, _, _ in
            try await putPlan(others, limit: 700)
            try await deletePlan(others)
        },
    ]

    private static let operatorTokens = [
        WalkCommand("operator-token create", .operatorTokenCreated, while: "nothing can end it", .done) {
            services, _, _ in
            _ = try await services.operatorTokens.create(name: "more", scopes: [.introspect], by: .commandLine)
        } meanwhile: { _, _, _ in
        },
        WalkCommand("operator-token revoke", .operatorTokenRevoked, while: "the token is gone", .refused(.notFound)) {
            services, subject, _ in
            try await services.operatorTokens.revoke(subject.operatorTokenID, by: .commandLine)
        } meanwhile: { others, subject, _ in
            try await others.operatorTokens.revoke(subject.operatorTokenID, by: .commandLine)
        },
    ]

    /// A command on an account that is deleted at the hold.
    private static func gone(
        _ name: String, _ action: AuditEvent.Action,
        run: @escaping @Sendable (Services, WalkSubject, UserID) async throws -> Void
    ) -> WalkCommand {
        WalkCommand(name, action, while: "the account is gone", .refused(.notFound), run, meanwhile: delete)
    }

    private static let delete: @Sendable (Services, WalkSubject, UserID) async throws -> Void = {
        try await $0.accounts.delete($1.id, by: .commandLine)
        _ = $2
    }

    private static let regenerate: @Sendable (Services, WalkSubject, UserID) async throws -> Void = {
        _ = try await $0.keys.regenerate($1.id, idempotencyKey: nil, by: .commandLine)
        _ = $2
    }

    private static let leave: @Sendable (Services, WalkSubject, UserID) async throws -> Void = {
        try await $0.workspaces.removeMember($1.id, from: $1.workspace, by: .commandLine)
        _ = $2
    }

    private static let lowerHolder: @Sendable (Services, WalkSubject, UserID) async throws -> Void = {
        try await $0.workspaces.putMember($2, in: $1.workspace, role: .member, by: .commandLine)
    }

    private static let removeWorkspace: @Sendable (Services, WalkSubject, UserID) async throws -> Void = {
        try await $0.workspaces.removeMember($2, from: $1.workspace, by: .commandLine)
        try await $0.accounts.delete($1.id, by: .commandLine)
    }

    private static func create(_ services: Services, _ email: String) async throws {
        _ = try await services.accounts.create(
            name: "Made", email: email, password: AuthorityEnd.newPassword, by: .commandLine)
    }

    private static func deletePlan(_ services: Services) async throws {
        try await services.workspaces.deletePlan(PlanID(rawValue: "team"), by: .commandLine)
    }

    private static func putPlan(_ services: Services, limit: Int) async throws {
        try await services.workspaces.putPlan(
            Plan(
                id: PlanID(rawValue: "team"), name: "Team", features: [.apiWebhooks], hourlyLimit: limit,
                billingURL: nil, position: 5), by: .commandLine)
    }
}
