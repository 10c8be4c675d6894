import Keybearer
import TestSupport
import Testing

@testable import KeybearerSQL

/// The ``MailLinkStore`` on every engine: ``MailLinks``. A link does what it is for once, and only while that is still
/// wanted.
@Suite struct MailLinkConformance {
    fileprivate static let masterKey = MasterKeyID(rawValue: "mk_one")

    /// An account, and how links for it are sent.
    private struct Stage {
        let store: any Store
        let samples: Samples
        let account: Account
        var user: UserID { account.user.id }

        init(_ store: any Store, _ samples: Samples) async throws {
            (self.store, self.samples) = (store, samples)
            account = try await store.addAccount(samples)
        }

        func event(_ action: AuditEvent.Action, isMailed: Bool = false) -> AuditEvent {
            MailConformance.event(action, account, samples, isMailed: isMailed)
        }

        /// Sends a link: the mail first, then what its sender keeps.
        func send(
            _ purpose: MailLink.Purpose, to email: EmailAddress? = nil, version: Int? = nil, age: Duration = .zero
        ) async throws -> (link: MailLink, code: [UInt8]) {
            let (mail, claim) = (MailID.random(from: samples.random), samples.random.bytes(16))
            let now = Clocks.system.wall()
            let email = email ?? account.user.email
            try await store.addMail(
                NewMail(
                    id: mail, .keyRevoked, to: .address(EmailAddress(normalised: "\(mail)@example.com"), of: nil),
                    at: now.advanced(by: .seconds(-1))))
            _ = try await store.claimMails(claim, limit: 100, now: now)
            let link = MailLink(
                purpose, of: user, sentTo: email, passwordVersion: version, createdAt: now.advanced(by: .zero - age))
            let code = MintedToken(digest: samples.random.bytes(32), tagKeyID: MailLinkConformance.masterKey)
            #expect(try await store.addMailLink(link, code: code, of: mail, claim: claim, audit: nil))
            return (try #require(try await store.mailLink(codeDigest: code.digest, now: now)).link, code.digest)
        }

        func use(_ sent: (link: MailLink, code: [UInt8]), in other: (any Store)? = nil) async throws -> Bool {
            await applied(
                try await (other ?? store).useEmailLink(
                    sent.link, codeDigest: sent.code, by: Authority(.anyone), audit: event(.emailVerified), notice: nil)
            ).value
        }

        func reset(
            _ sent: (link: MailLink, code: [UInt8]), _ hash: String = "new", proof: SecondFactorProof? = nil,
            takeover: KeyReplacement? = nil, in other: (any Store)? = nil
        ) async throws -> Bool {
            await applied(
                try await (other ?? store).resetPassword(
                    to: hash, by: sent.link, codeDigest: sent.code, proof: proof, takeover: takeover,
                    authority: Authority(.password(version: sent.link.passwordVersion ?? 0, of: user)),
                    audit: event(.passwordReset))
            ).value
        }

        /// The account's own address is its holder's.
        func confirm() async throws { #expect(try await use(try await send(.verifyEmail))) }

        func want(_ email: EmailAddress) async throws {
            let audit = event(.emailChangeAsked)
            try await store.askForEmailChange(
                of: user, to: email, by: .commandLine, audit: audit,
                mail: NewMail(.changeEmail, to: .address(email, of: user), of: audit))
        }

        func current() async throws -> User { try #require(try await store.account(id: user)).user }
    }

    @Test(arguments: storesUnderTest)
    func anAddressIsVerifiedOnceAndByTheLinkThatWentThere(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let stage = try await Stage(first, samples)
            let elsewhere = try await stage.send(.verifyEmail, to: EmailAddress(normalised: "eve@example.com"))
            #expect(try await !stage.use(elsewhere))
            let sent = try await stage.send(.verifyEmail)
            let outcomes = await raced({ try await stage.use(sent) }, { try await stage.use(sent, in: second) })
            #expect(try outcomes.map { try $0.get() }.filter { $0 }.count == 1)
            let user = try await stage.current()
            #expect(user.isEmailVerified && user.version == stage.account.user.version + 1)
            #expect(try await first.mailLink(codeDigest: sent.code, now: Clocks.system.wall())?.link.usedAt != nil)
            let expired = try await stage.send(.verifyEmail)
            _ = try await first.setStatus(.disabled, of: stage.user, audit: stage.event(.userDisabled))
            #expect(try await !stage.use(expired), "a disabled account")
        }
    }

    @Test(arguments: storesUnderTest)
    func aNewAddressWorksWhenItIsVerifiedAndStillWanted(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let stage = try await Stage(store, samples)
            let other = try await store.addAccount(samples, after: 1)
            // Nobody who asks is told that it is taken: whoever reads its mail is.
            try await stage.want(other.user.email)
            let taken = try await stage.send(.changeEmail, to: other.user.email)
            await expect(.conflict) { _ = try await stage.use(taken) }
            let (one, two) = (EmailAddress(normalised: "one@example.com"), EmailAddress(normalised: "two@example.com"))
            let unasked = try await stage.send(.changeEmail, to: one)
            #expect(try await !stage.use(unasked))
            try await stage.want(one)
            #expect(try await store.mails(limit: 10).contains { $0.kind == .changeEmail && $0.recipient == one })
            let first = try await stage.send(.changeEmail, to: one)
            try await stage.want(two)
            #expect(try await store.wantedEmail(of: stage.user, now: Clocks.system.wall()) == two)
            #expect(try await !stage.use(first), "another one is wanted now")
            #expect(try await stage.current().email == stage.account.user.email)
            let second = try await stage.send(.changeEmail, to: two)
            #expect(try await stage.use(second))
            let user = try await stage.current()
            #expect(user.email == two && user.isEmailVerified)
            #expect(try await store.wantedEmail(of: stage.user, now: Clocks.system.wall()) == nil)
            #expect(try await !stage.use(second))
        }
    }

    @Test(arguments: storesUnderTest)
    func anAddressThatIsTakenMeanwhileIsNotTaken(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let stage = try await Stage(store, samples)
            let wanted = EmailAddress(normalised: "one@example.com")
            try await stage.want(wanted)
            let sent = try await stage.send(.changeEmail, to: wanted)
            _ = try await store.add(samples.newAccount(email: wanted.rawValue, after: 1), samples)
            await expect(.conflict) { _ = try await stage.use(sent) }
            #expect(try await stage.current().email == stage.account.user.email)
        }
    }

    @Test(arguments: storesUnderTest)
    func aPasswordIsResetOnceAndSessionsEnd(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let stage = try await Stage(first, samples)
            try await stage.confirm()
            let digest = samples.random.bytes(32)
            try await first.startSession(
                samples.session(of: stage.user), tokenDigest: digest, replacing: nil,
                audit: stage.event(.sessionStarted))
            let older = try await stage.send(.resetPassword, version: 1)
            let sent = try await stage.send(.resetPassword, version: 1)
            let outcomes = await raced(
                { try await stage.reset(sent, "one") }, { try await stage.reset(sent, "two", in: second) })
            let done = outcomes.map { (try? $0.get()) ?? false }
            #expect(done.filter { $0 }.count == 1)
            #expect(try await first.passwordHash(of: stage.user) == (done[0] ? "one" : "two"))
            #expect(try await first.session(tokenDigest: digest) == nil)
            await expect(.unauthorized) { _ = try await stage.reset(older) }
        }
    }

    @Test(arguments: storesUnderTest)
    func aResetOfAnUnverifiedAddressTakesTheAccountFromWhoeverMadeIt(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let stage = try await Stage(store, samples)
            try await stage.want(EmailAddress(normalised: "evil@example.com"))
            let sent = try await stage.send(.resetPassword, version: 1)
            #expect(try await !stage.reset(sent), "not without a new key")
            #expect(try await stage.reset(sent, "new", takeover: samples.replacement(of: stage.account)))
            #expect(try await stage.current().isEmailVerified)
            #expect(try await store.key(of: stage.user)?.version == stage.account.key.version + 1)
            #expect(try await store.passwordHash(of: stage.user) == "new")
            #expect(try await store.wantedEmail(of: stage.user, now: Clocks.system.wall()) == nil)
            let version = Int(stage.account.key.version) + 1
            let late = try await stage.send(.resetPassword, version: 3)
            let another = try #require(try await store.account(id: stage.user))
            #expect(another.key.version == version)
            #expect(
                try await !stage.reset(late, takeover: samples.replacement(of: another)),
                "a verified account keeps its key")
        }
    }

    @Test(arguments: storesUnderTest)
    func aResetNeedsTheSecondFactor(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let stage = try await Stage(store, samples)
            try await stage.confirm()
            try await store.recordMasterKey(Self.masterKey)
            let id = SecondFactorID.random(from: samples.random)
            let code = samples.random.bytes(32)
            let session = samples.session(of: stage.user)
            try await store.startSession(
                session, tokenDigest: samples.random.bytes(32), replacing: nil, audit: stage.event(.sessionStarted))
            try await store.addSecondFactor(
                SecondFactor(
                    id: id, userID: stage.user, sealed: SealedSecret(masterKeyID: Self.masterKey, box: [1]),
                    createdAt: Samples.start),
                lastStep: 5, recoveryCodes: [code], keeping: session.id, by: .commandLine,
                audit: stage.event(.secondFactorAdded))
            let sent = try await stage.send(.resetPassword, version: 1)
            await expect(.unauthorized) { _ = try await stage.reset(sent) }
            await expect(.unauthorized) { _ = try await stage.reset(sent, proof: .code(id, step: 5)) }
            #expect(try await store.passwordHash(of: stage.user) == samples.newAccount().passwordHash)
            #expect(try await stage.reset(sent, proof: .recoveryCode(code)))
            let again = try await stage.send(.resetPassword, version: 2)
            await expect(.unauthorized) { _ = try await stage.reset(again, proof: .recoveryCode(code)) }
            for _ in 0..<MailLink.mostAttempts { #expect(try await store.countAttempt(ofMailLink: again.code)) }
            #expect(try await !store.countAttempt(ofMailLink: again.code))
        }
    }

    @Test(arguments: storesUnderTest)
    func aLinkIsKeptOnlyForItsSender(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let stage = try await Stage(store, samples)
            let now = Clocks.system.wall()
            let mail = MailID.random(from: samples.random)
            try await store.addMail(
                NewMail(id: mail, .verifyEmail, to: .address(stage.account.user.email, of: stage.user), at: now))
            let claim = samples.random.bytes(16)
            _ = try await store.claimMails(claim, limit: 10, now: now.advanced(by: .seconds(1)))
            let link = MailLink(.verifyEmail, of: stage.user, sentTo: stage.account.user.email, createdAt: now)
            func add(_ claim: [UInt8], of user: UserID? = nil) async throws -> Bool {
                let link = user.map { MailLink(.verifyEmail, of: $0, sentTo: link.email, createdAt: now) } ?? link
                return try await store.addMailLink(
                    link, code: MintedToken(digest: samples.random.bytes(32), tagKeyID: Self.masterKey), of: mail,
                    claim: claim, audit: nil)
            }
            #expect(try await !add(samples.random.bytes(16)), "another's claim")
            #expect(try await !add(claim, of: .random(from: samples.random)), "an account that is gone")
            #expect(try await add(claim))
            // A rotation keeps the tag that it carries.
            let engine = try #require(store as? SQLStore).engine
            let tags = try await engine.read { connection in
                try connection.rows(MasterKeySQL.tagsOfTokens).map { try $0.requiredText("tag_key_id") }
            }
            #expect(tags == [Self.masterKey.rawValue])
        }
    }

    @Test(arguments: storesUnderTest)
    func whatHasEndedIsRemoved(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let stage = try await Stage(store, samples)
            let sent = try await stage.send(.resetPassword, version: 1)
            try await stage.want(EmailAddress(normalised: "one@example.com"))
            let now = Clocks.system.wall()
            try await store.removeOldMailLinks(now: now)
            #expect(try await store.mailLink(codeDigest: sent.code, now: now) != nil)
            guard subject.testDescription == "SQLite" else { return }
            try await store.removeOldMailLinks(now: now.advanced(by: .seconds(5 * 86_400)))
            #expect(try await store.mailLink(codeDigest: sent.code, now: now) == nil)
            #expect(try await store.wantedEmail(of: stage.user, now: now) == nil)
        }
    }

    @Test(arguments: storesUnderTest)
    func anInvitationHasASecondCodeInItsMail(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let stage = try await Stage(store, samples)
            let workspace = stage.account.workspaces[0].workspace.id
            let guest = try await store.addAccount(samples, after: 1)
            let now = Clocks.system.wall()
            let shown = MintedToken(digest: samples.random.bytes(32), tagKeyID: Self.masterKey)
            let audit = AuditEvent(
                id: .random(from: samples.random), at: now, actor: .user(stage.user), action: .invitationCreated)
            let id = InvitationID.random(from: samples.random)
            let invitation = try await store.createInvitation(
                Invitation(
                    id: id, workspaceID: workspace, email: guest.user.email, role: .member, inviterID: stage.user,
                    createdAt: now, expiresAt: now.advanced(by: Invitation.life)),
                code: shown, by: .commandLine, needs: Requirement(.inviteMembers, in: workspace), audit: audit,
                mail: NewMail(.invitation, to: .address(guest.user.email, of: nil), of: audit, invitationID: id))
            let claim = samples.random.bytes(16)
            let mail = try #require(
                try await store.claimMails(claim, limit: 10, now: Clocks.system.wall()).first { $0.kind == .invitation }
            )
            #expect(mail.recipient == guest.user.email && mail.invitationID == id)
            let mailed = MintedToken(digest: samples.random.bytes(32), tagKeyID: Self.masterKey)
            #expect(
                try await store.addMailLink(
                    MailLink(.invitation, of: nil, sentTo: guest.user.email, invitationID: id, createdAt: now),
                    code: mailed, of: mail.id, claim: claim, audit: nil))
            for code in [shown, mailed] {
                #expect(try await store.invitation(codeDigest: code.digest, now: now)?.record.invitation.id == id)
            }
            #expect(try await store.invitation(id: id, now: now)?.record.invitation == invitation)
            let outcome = await applied(
                try await store.acceptInvitation(
                    invitation, codeDigest: mailed.digest, as: guest.user.id, by: .commandLine,
                    audit: samples.event(.invitationAccepted)))
            #expect(outcome.value == .joined)
            #expect(try await store.invitation(codeDigest: shown.digest, now: now)?.record.end(at: now) == .used)
        }
    }
}
