import Keybearer
import KeybearerPostgres
import KeybearerSQL
import TestSupport
import Testing

/// The ``MailStore`` on every engine: ``Mails`` in the tables of ``MailMigration``. A mail is there exactly if what it tells
/// was committed; one node has it at a time; nobody gets too many; nothing is left of a person who is deleted.
@Suite struct MailConformance {
    /// A verified account, as an operator makes one.
    private static func holder(_ store: any Store, _ samples: Samples, _ seconds: Int64 = 0) async throws -> Account {
        let account = try await store.addAccount(samples, after: seconds)
        try await confirm(account, store, samples)
        return account
    }

    static func confirm(_ account: Account, _ store: any Store, _ samples: Samples) async throws {
        let (mail, claim) = (MailID.random(from: samples.random), samples.random.bytes(16))
        let now = Clocks.system.wall()
        try await store.addMail(
            NewMail(id: mail, .verifyEmail, to: .address(account.user.email, of: account.user.id), at: now))
        _ = try await store.claimMails(claim, limit: 100, now: now.advanced(by: .seconds(60)))
        let link = MailLink(.verifyEmail, of: account.user.id, sentTo: account.user.email, createdAt: now)
        let code = MintedToken(digest: samples.random.bytes(32), tagKeyID: MasterKeyID(rawValue: "mk_one"))
        #expect(try await store.addMailLink(link, code: code, of: mail, claim: claim, audit: nil))
        let isDone = await applied(
            try await store.useEmailLink(
                link, codeDigest: code.digest, by: .commandLine,
                audit: event(.emailVerified, account, samples, isMailed: false),
                notice: nil))
        #expect(isDone.value)
        #expect(try await store.dropMail(mail))
    }

    static func event(
        _ action: AuditEvent.Action, _ account: Account, _ samples: Samples, isMailed: Bool = true,
        device: [UInt8]? = nil
    ) -> AuditEvent {
        AuditEvent(
            id: .random(from: samples.random), at: Clocks.system.wall(), actor: .system, action: action,
            userID: account.user.id, address: Samples.address, isMailed: isMailed, device: device)
    }

    /// By the store's clock, far enough that what was just added is due.
    private static var later: Timestamp { Clocks.system.wall() }

    @Test(arguments: storesUnderTest)
    func aMailComesWithItsChangeAndWithNothingElse(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await Self.holder(store, samples)
            let changed = Self.event(.keyRegenerated, account, samples)
            _ = try await store.replaceKey(samples.replacement(of: account), audit: changed)
            let mails = try await store.mails(limit: 10)
            #expect(mails.map(\.kind) == [.keyRegenerated])
            #expect(mails.first?.recipient == account.user.email && mails.first?.userID == account.user.id)
            #expect(mails.first?.id.rawValue.dropFirst(5) == changed.id.rawValue.dropFirst(4))
            // The same version again: nothing is changed, and nobody is told.
            _ = try? await store.replaceKey(
                samples.replacement(of: account), audit: Self.event(.keyRegenerated, account, samples))
            await expect(.notFound) {
                _ = try await store.setPassword(
                    "hash", of: .random(from: samples.random), keeping: nil,
                    audit: Self.event(.passwordChanged, account, samples))
            }
            _ = try await store.setPassword(
                "hash", of: account.user.id, keeping: nil,
                audit: Self.event(.passwordChanged, account, samples, isMailed: false))
            #expect(try await store.mails(limit: 10).count == 1)
            #expect(try await store.mailCounts().waiting == 1)
        }
    }

    @Test(arguments: storesUnderTest)
    func onlyAVerifiedAddressIsToldAndOnlyAnUnverifiedOneIsAsked(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await store.add(samples.newAccount(), samples)
            _ = try await store.setPassword(
                "hash", of: account.user.id, keeping: nil, audit: Self.event(.passwordChanged, account, samples))
            #expect(try await store.mails(limit: 10).isEmpty)
            try await store.askForVerification(
                of: account.user.id, by: .commandLine, audit: Self.event(.emailVerificationAsked, account, samples))
            #expect(try await store.mails(limit: 10).map(\.kind) == [.verifyEmail])
            try await Self.confirm(account, store, samples)
            try await store.askForVerification(
                of: account.user.id, by: .commandLine, audit: Self.event(.emailVerificationAsked, account, samples))
            #expect(try await store.mails(limit: 10).filter { $0.kind == .verifyEmail }.count == 1)
        }
    }

    @Test(arguments: storesUnderTest)
    func twoNodesNeverHaveTheSameMail(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let account = try await Self.holder(first, samples)
            for _ in 0..<12 {
                try await first.addMail(
                    NewMail(
                        id: .random(from: samples.random), .keyRevoked, to: .holder(account.user.id),
                        at: Clocks.system.wall().advanced(by: .seconds(-1))))
            }
            let claims = [samples.random.bytes(16), samples.random.bytes(16)]
            let taken = await raced(
                { try await first.claimMails(claims[0], limit: 8, now: Self.later) },
                { try await second.claimMails(claims[1], limit: 8, now: Self.later) })
            let lists = try taken.map { try $0.get() }
            #expect(Set(lists.flatMap { $0.map(\.id) }).count == lists.map(\.count).reduce(0, +))
            let rest = try await first.claimMails(samples.random.bytes(16), limit: 100, now: Self.later)
            #expect(lists.map(\.count).reduce(rest.count, +) == 12)
            let mail = try #require(lists.flatMap { $0 }.first)
            let index = lists[0].contains(mail) ? 0 : 1
            // What another claim says of it changes nothing.
            #expect(
                try await !second.endMail(mail.id, claim: claims[1 - index], .sent, problem: nil, now: Self.later))
            try await second.postponeMail(
                mail.id, claim: claims[1 - index], by: .zero, problem: "no", now: Self.later)
            #expect(try await first.mail(mail.id)?.attempts == 0)
            #expect(try await second.endMail(mail.id, claim: claims[index], .sent, problem: nil, now: Self.later))
            #expect(try await !second.endMail(mail.id, claim: claims[index], .sent, problem: nil, now: Self.later))
            let ended = try #require(try await first.mail(mail.id))
            #expect(ended.outcome == .sent && ended.nextAttemptAt == nil && ended.attempts == 1)
            #expect(try await first.mailCounts().ended == [.sent: 1])
        }
    }

    @Test(arguments: storesUnderTest)
    func aClaimRunsOutByTheStoresClock(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await Self.holder(store, samples)
            let now = Clocks.system.wall()
            try await store.addMail(
                NewMail(
                    id: .random(from: samples.random), .keyRevoked, to: .holder(account.user.id),
                    at: now.advanced(by: .seconds(-1))))
            let claim = samples.random.bytes(16)
            let mail = try #require(try await store.claimMails(claim, limit: 8, now: now).first)
            #expect(try await store.claimMails(samples.random.bytes(16), limit: 8, now: now).isEmpty)
            // These stores count by the caller's clock.
            let end = now.advanced(by: MailRules.claim)
            #expect(try await store.claimMails(samples.random.bytes(16), limit: 8, now: end).map(\.id) == [mail.id])
            #expect(try await !store.endMail(mail.id, claim: claim, .sent, problem: nil, now: end))
        }
    }

    @Test func aWrongClockOfAServerEndsNoClaimOnPostgreSQL() async throws {
        let store = try PostgresDatabase().open(clock: .database)
        let samples = Samples()
        let account = try await Self.holder(store, samples)
        let now = Clocks.system.wall()
        try await store.addMail(
            NewMail(
                id: .random(from: samples.random), .keyRevoked, to: .holder(account.user.id),
                at: now.advanced(by: .seconds(-1))))
        #expect(try await store.claimMails(samples.random.bytes(16), limit: 8, now: now).count == 1)
        let later = now.advanced(by: .seconds(86_400))
        #expect(try await store.claimMails(samples.random.bytes(16), limit: 8, now: later).isEmpty)
        try store.close()
    }

    @Test(arguments: storesUnderTest)
    func aMailIsPostponedGivenUpAndTriedAgain(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await Self.holder(store, samples)
            let now = Clocks.system.wall()
            let id = MailID.random(from: samples.random)
            try await store.addMail(
                NewMail(
                    id: id, .newSignIn, to: .holder(account.user.id), at: now.advanced(by: .seconds(-1)),
                    address: Samples.address, userAgent: "Browser/1.0"))
            var claim = samples.random.bytes(16)
            #expect(try await store.claimMails(claim, limit: 8, now: now).map(\.id) == [id])
            try await store.postponeMail(id, claim: claim, by: .seconds(3_600), problem: "no route", now: now)
            #expect(try await store.claimMails(claim, limit: 8, now: now).isEmpty, "not before its time")
            let waiting = try #require(try await store.mail(id))
            #expect(waiting.attempts == 1 && waiting.problem == "no route" && waiting.outcome == nil)
            #expect(try await store.mailCounts().failing == 1)
            #expect(try await store.retryMail(id, now: now))
            claim = samples.random.bytes(16)
            #expect(try await store.claimMails(claim, limit: 8, now: Clocks.system.wall()).map(\.id) == [id])
            try await store.endMail(id, claim: claim, .givenUp, problem: "no", now: now)
            #expect(try await store.mail(id)?.userAgent == "Browser/1.0", "it can be tried again")
            #expect(try await store.retryMail(id, now: now))
            #expect(try await store.claimMails(claim, limit: 8, now: Clocks.system.wall()).map(\.id) == [id])
            try await store.endMail(id, claim: claim, .sent, problem: nil, now: now)
            let sent = try #require(try await store.mail(id))
            #expect(sent.userAgent == nil && sent.address == nil, "what it said is gone")
            #expect(try await !store.retryMail(id, now: now), "sent is sent")
            #expect(try await store.dropMail(id))
            #expect(try await !store.dropMail(id))
        }
    }

    @Test(arguments: storesUnderTest)
    func nobodyGetsOrCausesTooMany(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let victim = EmailAddress(normalised: "victim@example.com")
            let now = Clocks.system.wall()
            func send(_ email: EmailAddress, _ kind: MailKind, from requester: String?, at time: Timestamp) async throws
            {
                try await store.addMail(
                    NewMail(
                        id: .random(from: samples.random), kind, to: .address(email, of: nil), at: time,
                        requester: requester))
            }
            for _ in 0..<8 { try await send(victim, .resetPassword, from: "net 0", at: now) }
            #expect(try await store.mails(limit: 100).count == MailKind.mostForRequester, "the share of one")
            for index in 1..<30 { try await send(victim, .resetPassword, from: "net \(index)", at: now) }
            #expect(try await store.mails(limit: 100).count == MailKind.Topic.reset.mostPerDay)
            try await send(victim, .invitation, from: "usr_a", at: now)
            #expect(try await store.mails(limit: 100).count == MailKind.Topic.reset.mostPerDay + 1, "another topic")
            try await send(victim, .resetPassword, from: "net 9", at: now.advanced(by: .seconds(86_401)))
            #expect(try await store.mails(limit: 100).count == MailKind.Topic.reset.mostPerDay + 2, "a day later")
            for index in 0..<MailRules.mostPerRequester + 5 {
                try await send(
                    EmailAddress(normalised: "\(index)@example.com"), .resetPassword, from: "net x", at: now)
            }
            let most = MailRules.mostPerRequester + MailKind.Topic.reset.mostPerDay + 2
            #expect(try await store.mails(limit: 1_000).count == most)
            // Mails that ended count as well.
            for mail in try await store.claimMails([1], limit: 1_000, now: Clocks.system.wall()) {
                try await store.endMail(mail.id, claim: [1], .sent, problem: nil, now: now)
            }
            try await send(victim, .resetPassword, from: "net y", at: now)
            #expect(try await store.mails(limit: 1_000).count == most)
        }
    }

    @Test(arguments: storesUnderTest)
    func aFullOutboxKeepsNothingBackButMails(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await Self.holder(store, samples)
            let ids = (0..<MailRules.mostWaiting).map { _ in MailID.random(from: samples.random) }
            let now = Clocks.system.wall()
            for (index, id) in ids.enumerated() {
                try await store.addMail(
                    NewMail(
                        id: id, .keyRevoked, to: .address(EmailAddress(normalised: "\(index)@example.com"), of: nil),
                        at: now))
            }
            #expect(try await store.mailCounts().waiting == MailRules.mostWaiting)
            let hash = "$scrypt$ln=17,r=8,p=1$c2FsdA$other"
            _ = try await store.setPassword(
                hash, of: account.user.id, keeping: nil, audit: Self.event(.passwordChanged, account, samples))
            #expect(try await store.passwordHash(of: account.user.id) == hash)
            #expect(try await store.mailCounts().waiting == MailRules.mostWaiting)
            #expect(try await store.dropMail(ids[0]))
            _ = try await store.setPassword(
                hash, of: account.user.id, keeping: nil, audit: Self.event(.passwordChanged, account, samples))
            #expect(try await store.mailCounts().waiting == MailRules.mostWaiting)
        }
    }

    @Test(arguments: storesUnderTest)
    func aLevelIsToldOnceOnWhicheverNodeItIsSeen(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let account = try await Self.holder(first, samples)
            let now = Clocks.system.wall()
            let mail = try #require(NewMail(.near, of: account.user.id, at: now))
            _ = await raced({ try await first.addMail(mail) }, { try await second.addMail(mail) })
            #expect(try await second.mails(limit: 10).map(\.kind) == [.quotaNear])
        }
    }

    @Test(arguments: storesUnderTest)
    func nothingIsLeftOfAPersonWhoIsDeleted(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await Self.holder(store, samples)
            let other = try await Self.holder(store, samples, 1)
            let now = Clocks.system.wall()
            for person in [account, other] {
                _ = try await store.setPassword(
                    "hash", of: person.user.id, keeping: nil, audit: Self.event(.passwordChanged, person, samples))
                try await store.addMail(
                    NewMail(
                        id: .random(from: samples.random), .resetPassword, to: .address(person.user.email, of: nil),
                        at: now, requester: "net 192.0.2.7"))
            }
            // By the person, to somebody else.
            try await store.addMail(
                NewMail(
                    id: .random(from: samples.random), .invitation,
                    to: .address(EmailAddress(normalised: "guest@example.com"), of: nil), at: now,
                    requester: account.user.id.rawValue))
            let data = try #require(try await store.personalData(of: account.user.id, now: now))
            #expect(
                data.mails.map(\.kind).sorted { $0.rawValue < $1.rawValue } == [
                    .invitation, .passwordChanged, .resetPassword,
                ])
            _ = try await store.deleteAccount(
                account.user.id, audit: samples.event(.userDeleted, user: account.user.id))
            let left = try await store.mails(limit: 100)
            #expect(left.count == 2 && left.allSatisfy { $0.recipient == other.user.email })
        }
    }

    @Test(arguments: storesUnderTest)
    func whatEndedIsRemovedInTime(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let now = Clocks.system.wall()
            let outcomes: [OutgoingMail.Outcome] = [.sent, .void, .givenUp]
            for (index, outcome) in outcomes.enumerated() {
                let id = MailID.random(from: samples.random)
                try await store.addMail(
                    NewMail(
                        id: id, .keyRevoked, to: .address(EmailAddress(normalised: "\(index)@example.com"), of: nil),
                        at: now.advanced(by: .seconds(-1))))
                _ = try await store.claimMails([1], limit: 8, now: now)
                try await store.endMail(id, claim: [1], outcome, problem: nil, now: now)
            }
            try await store.removeOldMails(now: now)
            #expect(try await store.mails(limit: 10).count == 3)
            guard subject.testDescription == "SQLite" else { return }
            try await store.removeOldMails(now: now.advanced(by: MailRules.memory + .seconds(1)))
            #expect(try await store.mails(limit: 10).map(\.outcome) == [.givenUp])
            try await store.removeOldMails(now: now.advanced(by: MailRules.memoryOfGivenUp + .seconds(1)))
            #expect(try await store.mails(limit: 10).isEmpty)
        }
    }
}
