import Keybearer
import TestSupport
import Testing

@testable import KeybearerServer

extension NamedAuditEvent {
    /// An event of a sample as a page gets it.
    static func sample(
        _ action: AuditEvent.Action, by actor: AuditEvent.Actor = .user(UserID(rawValue: "usr_ada")),
        user: String? = nil, actorName: String? = "Ada", userName: String? = nil, workspaceName: String? = "Team",
        detail: String? = nil, origin: RequestOrigin? = nil, change: ValueChange? = nil
    ) -> NamedAuditEvent {
        let event = AuditEvent(
            id: EventID(rawValue: "evt_1"), at: Samples.start, actor: actor, action: action,
            userID: user.map { UserID(rawValue: $0) }, workspaceID: WorkspaceID(rawValue: "ws_1"),
            address: Samples.address, detail: detail, origin: origin, change: change)
        return NamedAuditEvent(
            event: event, actorName: actorName, userName: userName, workspaceName: workspaceName,
            place: AuditPlace(at: 1, sequence: 2))
    }
}

/// The ``ActivitySentence`` of every kind of event.
@Suite struct ActivitySentenceTests {
    private let reader = UserID(rawValue: "usr_reader")

    private func text(_ named: NamedAuditEvent) -> String { ActivitySentence(named, for: reader).text }

    @Test("Who did what to whom, in words")
    func sentences() {
        let regenerated = ValueChange(before: "tdc_AbCd", after: "tdc_EfGh")
        let cases: [(NamedAuditEvent, String)] = [
            (.sample(.keyRegenerated, user: "usr_ada", change: regenerated), "Ada regenerated their key tdc_AbCd…"),
            (.sample(.keyRegenerated, user: "usr_reader", change: regenerated), "Ada regenerated your key tdc_AbCd…"),
            (
                .sample(
                    .keyRevoked, by: .operatorToken(OperatorTokenID(rawValue: "opt_1")), user: "usr_bob",
                    userName: "Bob"),
                "The operator’s program revoked the key of Bob"
            ),
            (.sample(.keyRevealed, by: .user(reader), user: "usr_reader"), "You showed your key"),
            (
                .sample(.keyRevealed, by: .commandLine, user: "usr_gone"),
                "The operator showed the key of an account that was deleted"
            ),
            (.sample(.keyRevealed, user: "usr_ada", actorName: nil), "An account that was deleted showed their key"),
            (
                .sample(.signInFailed, by: .system, user: "usr_reader"),
                "Somebody tried to sign in to your account and failed"
            ),
            (
                .sample(.planChanged, by: .system, change: ValueChange(before: "pro", after: "free")),
                "Keybearer moved the workspace Team to the plan free (was pro)"
            ),
            (
                .sample(
                    .memberAdded, user: "usr_bob", userName: "Bob", change: ValueChange(before: nil, after: "admin")),
                "Ada added Bob to the workspace Team as Admin"
            ),
            (
                .sample(
                    .memberAdded, user: "usr_bob", userName: "Bob",
                    change: ValueChange(before: "member", after: "owner")),
                "Ada made Bob Owner of the workspace Team (was member)"
            ),
            (.sample(.memberRemoved, user: "usr_ada"), "Ada left the workspace Team"),
            (
                .sample(
                    .userLimitChanged, user: "usr_bob", userName: "Bob",
                    change: ValueChange(before: "by plan", after: "500")),
                "Ada changed the hourly limit of Bob from by plan to 500"
            ),
            (
                .sample(
                    .keyRevealed, user: "usr_ada",
                    origin: RequestOrigin(userAgent: nil, requestID: nil, via: OperatorTokenID(rawValue: "opt_1"))),
                "Ada showed their key, signed in by the operator’s link"
            ),
            (.sample(.workspaceChanged, workspaceName: nil), "Ada changed a workspace that was deleted"),
        ]
        for (named, sentence) in cases { #expect(text(named) == sentence) }
    }

    @Test("Every kind of event has its words and, in a filter, its name", arguments: AuditEvent.Action.allCases)
    func everyAction(_ action: AuditEvent.Action) {
        let sentence = text(.sample(action, user: "usr_bob", userName: "Bob", detail: "pro"))
        #expect(!sentence.contains(action.rawValue) && sentence.split(separator: " ").count >= 3, "\(sentence)")
    }

    @Test("The names in filters tell the kinds of each list apart")
    func filterNames() {
        for list in [AuditEvent.Action.inWorkspaces, AuditEvent.Action.ofAccounts] {
            #expect(Set(list.map(\.filterName)).count == list.count)
            #expect(list.allSatisfy { $0.filterName != $0.rawValue })
        }
    }
}
