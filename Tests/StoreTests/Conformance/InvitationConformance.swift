import Keybearer
import TestSupport
import Testing

/// The ``InvitationStore`` on every engine: ``Invitations`` and ``InvitationRequests``, in the tables of ``WorkspaceMigrations``.
@Suite struct InvitationConformance {
    private static let masterKey = MasterKeyID(rawValue: "mk_one")

    /// A workspace with an Owner who invites.
    private struct Stage {
        let store: any Store
        let samples: Samples
        let owner: Account
        let workspace: WorkspaceID
        /// By the clock that judges.
        let now = Clocks.system.wall()

        init(_ store: any Store, _ samples: Samples) async throws {
            (self.store, self.samples) = (store, samples)
            owner = try await store.addAccount(samples)
            workspace = owner.workspaces[0].workspace.id
        }

        func event(_ action: AuditEvent.Action, after: Duration = .zero) -> AuditEvent {
            AuditEvent(id: .random(from: samples.random), at: now.advanced(by: after), actor: .system, action: action)
        }

        func invite(
            _ email: String, as role: Role = .member, in other: (any Store)? = nil, before: Duration = .zero
        ) async throws -> (invitation: Invitation, code: [UInt8]) {
            let code = samples.random.bytes(32)
            let at = now.advanced(by: .zero - before)
            let invitation = Invitation(
                id: .random(from: samples.random), workspaceID: workspace, email: EmailAddress(normalised: email),
                role: role, inviterID: owner.user.id, createdAt: at, expiresAt: at.advanced(by: Invitation.life))
            let stamped = try await (other ?? store).createInvitation(
                invitation, code: MintedToken(digest: code, tagKeyID: InvitationConformance.masterKey),
                by: .commandLine, needs: Requirement(.inviteMembers, in: workspace),
                audit: event(.invitationCreated, after: .zero - before), mail: nil)
            return (stamped, code)
        }

        func accept(
            _ made: (invitation: Invitation, code: [UInt8]), as user: UserID, in other: (any Store)? = nil
        ) async throws -> InvitationAcceptance {
            await applied(
                try await (other ?? store).acceptInvitation(
                    made.invitation, codeDigest: made.code, as: user, by: .commandLine,
                    audit: event(.invitationAccepted))
            ).value
        }

        func roles() async throws -> [Role] { try await store.members(of: workspace).map(\.role) }
    }

    @Test(arguments: storesUnderTest)
    func anInvitationBringsOneMemberInOnce(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let stage = try await Stage(first, samples)
            let guest = try await first.addAccount(samples, after: 1)
            for role in [Role.member, .admin, .owner] {
                let made = try await stage.invite(guest.user.email.rawValue, as: role)
                let found = try #require(try await second.invitation(codeDigest: made.code, now: stage.now))
                #expect(found.record.invitation == made.invitation && found.record.end(at: found.now) == nil)
                #expect(found.record.workspaceName == stage.owner.workspaces[0].workspace.name)
                let outcomes = await raced(
                    { try await stage.accept(made, as: guest.user.id) },
                    { try await stage.accept(made, as: guest.user.id, in: second) })
                #expect(Set(try outcomes.map { try $0.get() }) == [.joined, .alreadyMember], "a double press")
                #expect(try await stage.roles().contains(role))
                #expect(try await stage.accept(made, as: guest.user.id) == .alreadyMember)
                _ = try await first.removeMember(
                    guest.user.id, from: stage.workspace, audit: samples.event(.memberRemoved))
                #expect(try await stage.accept(made, as: guest.user.id) == .ended(.used), "who left does not come back")
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func theAddressAndTheInvitersRightAreLookedAtWhenItIsAccepted(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples async throws in
            let stage = try await Stage(store, samples)
            let guest = try await store.addAccount(samples, after: 1)
            let other = try await store.addAccount(samples, after: 2)
            let made = try await stage.invite(guest.user.email.rawValue, as: .owner)
            #expect(try await stage.accept(made, as: other.user.id) == .wrongAddress)
            let owner = stage.owner.user.id
            func setRole(_ role: Role) async throws {
                _ = try await store.putMember(
                    Membership(workspaceID: stage.workspace, userID: owner, role: role),
                    audit: samples.event(.memberAdded))
            }
            _ = try await store.putMember(
                Membership(workspaceID: stage.workspace, userID: other.user.id, role: .owner),
                audit: samples.event(.memberAdded))
            try await setRole(.admin)
            #expect(try await stage.accept(made, as: guest.user.id) == .ended(.inviterMayNot))
            _ = try await store.removeMember(owner, from: stage.workspace, audit: samples.event(.memberRemoved))
            #expect(try await stage.accept(made, as: guest.user.id) == .ended(.inviterGone))
            try await setRole(.owner)
            _ = try await store.setStatus(.disabled, of: owner, audit: samples.event(.userDisabled))
            #expect(try await stage.accept(made, as: guest.user.id) == .ended(.inviterGone))
            _ = try await store.setStatus(.active, of: owner, audit: samples.event(.userEnabled))
            #expect(try await stage.accept(made, as: guest.user.id) == .joined)
        }
    }

    @Test(arguments: storesUnderTest)
    func anotherOneTakesThePlaceOfTheFirstAndAMemberIsNotInvited(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples async throws in
            let stage = try await Stage(store, samples)
            let guest = try await store.addAccount(samples, after: 1)
            let first = try await stage.invite(guest.user.email.rawValue)
            #expect(
                try await store.requestInvitation(
                    codeDigest: first.code, for: nil, audit: stage.event(.invitationRequested)) == true)
            #expect(
                try await store.requestInvitation(
                    codeDigest: first.code, for: nil, audit: stage.event(.invitationRequested)) == false, "throttled")
            let asked = try await store.invitations(of: stage.workspace, now: stage.now)
            #expect(asked.compactMap(\.invitation.request?.email) == [guest.user.email])
            let second = try await stage.invite(guest.user.email.rawValue)
            let listed = try await store.invitations(of: stage.workspace, now: stage.now)
            #expect(listed.map(\.invitation.id) == [second.invitation.id], "the request is answered")
            #expect(try await stage.accept(first, as: guest.user.id) == .ended(.withdrawn))
            #expect(try await stage.accept(second, as: guest.user.id) == .joined)
            await expect(.validationFailed) { _ = try await stage.invite(guest.user.email.rawValue) }
        }
    }

    @Test(arguments: storesUnderTest)
    func fiftyCanWaitAndTheTagsOfThoseThatWaitAreKept(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let stage = try await Stage(first, samples)
            #expect(try await first.tagKeysOfTokens().isEmpty)
            for number in 2...Invitation.mostPending { _ = try await stage.invite("guest\(number)@example.com") }
            #expect(try await first.tagKeysOfTokens() == [Self.masterKey])
            let outcomes = await raced(
                { try await stage.invite("one@example.com") }, { try await stage.invite("two@example.com", in: second) }
            )
            #expect(outcomes.count { $0.code == nil } == 1 && outcomes.contains { $0.code == .conflict })
            await expect(.conflict) { _ = try await stage.invite("three@example.com") }
            let all = try await first.invitations(of: stage.workspace, now: stage.now)
            #expect(all.count == Invitation.mostPending)
            for record in all {
                try await first.withdrawInvitation(
                    record.invitation.id, of: stage.workspace, by: .commandLine,
                    needs: Requirement(.inviteMembers, in: stage.workspace), audit: stage.event(.invitationWithdrawn))
            }
            #expect(try await first.tagKeysOfTokens().isEmpty)
            await expect(.notFound) {
                try await first.withdrawInvitation(
                    all[0].invitation.id, of: WorkspaceID(rawValue: "ws_other"), by: .commandLine,
                    needs: Requirement(.inviteMembers, in: stage.workspace), audit: stage.event(.invitationWithdrawn))
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func nothingTellsOfSomebodyWhoIsDeletedAndOldOnesGo(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples async throws in
            let stage = try await Stage(store, samples)
            let guest = try await store.addAccount(samples, after: 1)
            let made = try await stage.invite(guest.user.email.rawValue)
            let kept = try await stage.invite("kept@example.com")
            _ = try await store.requestInvitation(
                codeDigest: kept.code, for: guest.user.email, audit: stage.event(.invitationRequested))
            let data = try #require(try await store.personalData(of: guest.user.id, now: stage.now))
            #expect(data.invitations.map(\.id) == [made.invitation.id])
            _ = try await store.deleteAccount(guest.user.id, audit: samples.event(.userDeleted))
            #expect(try await store.invitation(codeDigest: made.code, now: stage.now) == nil)
            #expect(try await store.invitation(codeDigest: kept.code, now: stage.now)?.record.invitation.request == nil)
            try await store.removeOldInvitations(now: stage.now.advanced(by: Invitation.life))
            #expect(try await store.invitation(codeDigest: kept.code, now: stage.now) != nil)
            // The owner's account is gone, and the workspace with it: the link says so.
            _ = try await store.deleteAccount(stage.owner.user.id, audit: samples.event(.userDeleted))
            let record = try #require(try await store.invitation(codeDigest: kept.code, now: stage.now)).record
            #expect(record.end(at: stage.now) == .workspaceGone && record.inviter == nil)
            #expect(
                try await store.requestInvitation(
                    codeDigest: kept.code, for: nil, audit: stage.event(.invitationRequested)) == nil)
        }
    }
}
