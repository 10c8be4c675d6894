import TestSupport
import Testing

@testable import Keybearer

/// What a ``StoreWrite`` makes of a record: updates of users and of workspaces.
@Suite struct StoreWriteTests {
    private static let id = UserID(rawValue: "usr_1")
    private static let address = EmailAddress(normalised: "ada@example.com")
    private static let other = EmailAddress(normalised: "eve@example.com")
    private static let later = Samples.start.advanced(by: .seconds(60))

    private func user(isVerified: Bool = true) -> User {
        User(
            id: Self.id, email: Self.address, name: "Ada", status: .disabled, isOperator: true,
            createdAt: Samples.start, externalID: ExternalID(rawValue: "42"), isEmailVerified: isVerified,
            hasPassword: true, version: 3, updatedAt: Samples.start)
    }

    @Test("What is not named stays; what is as it was changes nothing, the version least of all")
    func unchanged() {
        let same = [
            UserUpdate(id: Self.id), UserUpdate(id: Self.id, email: Self.address), UserUpdate(id: Self.id, name: "Ada"),
            UserUpdate(id: Self.id, isEmailVerified: true),
            UserUpdate(id: Self.id, externalID: .set(ExternalID(rawValue: "42"))),
        ]
        for update in same { #expect(update.applied(to: user(), at: Self.later) == user()) }
    }

    @Test("Each member alone: the version rises by one, status and rights stay")
    func changed() {
        let named = UserUpdate(id: Self.id, name: "Eve").applied(to: user(), at: Self.later)
        #expect(named.name == "Eve" && named.email == Self.address && named.isEmailVerified)
        #expect(named.version == 4 && named.updatedAt == Self.later && named.createdAt == Samples.start)
        #expect(named.status == .disabled && named.isOperator && named.hasPassword)
        let cleared = UserUpdate(id: Self.id, externalID: .cleared).applied(to: user(), at: Self.later)
        #expect(cleared.externalID == nil && cleared.name == "Ada")
        let moved = UserUpdate(id: Self.id, externalID: .set(ExternalID(rawValue: "43")))
        #expect(moved.applied(to: user(), at: Self.later).externalID?.rawValue == "43")
    }

    @Test("A new address is not verified until somebody says so; the same address stays as it is")
    func verified() {
        let moved = UserUpdate(id: Self.id, email: Self.other).applied(to: user(), at: Self.later)
        #expect(moved.email == Self.other && !moved.isEmailVerified)
        let proved = UserUpdate(id: Self.id, email: Self.other, isEmailVerified: true)
        #expect(proved.applied(to: user(), at: Self.later).isEmailVerified)
        let kept = UserUpdate(id: Self.id, email: Self.address, name: "Eve").applied(to: user(), at: Self.later)
        #expect(kept.isEmailVerified)
        let taken = UserUpdate(id: Self.id, isEmailVerified: false).applied(to: user(), at: Self.later)
        #expect(!taken.isEmailVerified && taken.version == 4)
        let unproved = UserUpdate(id: Self.id, email: Self.address).applied(to: user(isVerified: false), at: Self.later)
        #expect(unproved == user(isVerified: false))
    }

    @Test("A workspace: name, external id, plan and suspension, each alone")
    func workspaces() {
        let id = WorkspaceID(rawValue: "ws_1")
        let old = Workspace(
            id: id, name: "Team", planID: PlanID(rawValue: "free"), createdAt: Samples.start,
            externalID: ExternalID(rawValue: "7"), isSuspended: true, version: 5, updatedAt: Samples.start)
        let same = [
            WorkspaceUpdate(id: id), WorkspaceUpdate(id: id, name: "Team"),
            WorkspaceUpdate(id: id, externalID: .set(ExternalID(rawValue: "7"))),
            WorkspaceUpdate(id: id, planID: PlanID(rawValue: "free")), WorkspaceUpdate(id: id, isSuspended: true),
        ]
        for update in same { #expect(update.applied(to: old, at: Self.later) == old) }
        let changes: [(WorkspaceUpdate, (Workspace) -> Bool)] = [
            (WorkspaceUpdate(id: id, name: "New"), { $0.name == "New" && $0.isSuspended }),
            (WorkspaceUpdate(id: id, externalID: .cleared), { $0.externalID == nil && $0.name == "Team" }),
            (WorkspaceUpdate(id: id, planID: PlanID(rawValue: "pro")), { $0.planID.rawValue == "pro" }),
            (WorkspaceUpdate(id: id, isSuspended: false), { !$0.isSuspended && $0.externalID != nil }),
        ]
        for (update, holds) in changes {
            let new = update.applied(to: old, at: Self.later)
            #expect(holds(new) && new.version == 6 && new.updatedAt == Self.later && new.createdAt == Samples.start)
        }
    }

    @Test("A member that was null is cleared, one that was not sent stays")
    func members() {
        #expect(MemberChange<Int>.unchanged.applied(to: 1) == 1)
        #expect(MemberChange<Int>.cleared.applied(to: 1) == nil)
        #expect(MemberChange.set(2).applied(to: 1) == 2)
    }
}
