import TestSupport
import Testing

@testable import Keybearer

/// ``MailKind`` and ``NewMail``: which mail tells of which event, and who is counted for it; ``MailTransport``'s failures
/// name nobody; ``OutgoingMail`` is tried by ``MailRules``.
@Suite struct MailKindTests {
    private let user = UserID(rawValue: "usr_a1")

    private func event(
        _ action: AuditEvent.Action, by actor: AuditEvent.Actor, isMailed: Bool = true,
        at address: IPAddress? = Samples.address
    ) -> AuditEvent {
        AuditEvent(
            id: EventID(rawValue: "evt_b2"), at: Samples.start, actor: actor, action: action, userID: user,
            address: address, isMailed: isMailed)
    }

    @Test("An event has one mail at most, and none where none are sent")
    func events() {
        #expect(NewMail(of: event(.keyRegenerated, by: .commandLine))?.kind == .keyRegenerated)
        #expect(NewMail(of: event(.keyRegenerated, by: .commandLine, isMailed: false)) == nil)
        #expect(NewMail(of: event(.passwordReset, by: .user(user)))?.kind == .passwordChanged)
        #expect(NewMail(of: event(.secondFactorRemoved, by: .user(user)))?.kind == .secondFactorRemoved)
        #expect(NewMail(of: event(.secondFactorRemoved, by: .commandLine))?.kind == .secondFactorReset)
        #expect(NewMail(of: event(.userCreated, by: .system))?.kind == .verifyEmail, "a sign-up")
        #expect(NewMail(of: event(.userCreated, by: .commandLine)) == nil, "the operator's word")
        #expect(NewMail(of: event(.sessionEnded, by: .user(user))) == nil)
        #expect(NewMail(of: event(.keyRegenerated, by: .commandLine))?.id.rawValue == "mail_b2")
    }

    @Test("Whoever can cause mails to others is counted; whoever is told of their own account is not")
    func requesters() {
        #expect(NewMail(of: event(.userCreated, by: .system))?.requester == "net 192.0.2.7")
        #expect(NewMail(of: event(.emailVerificationAsked, by: .user(user)))?.requester == "usr_a1")
        #expect(NewMail(of: event(.keyRegenerated, by: .user(user)))?.requester == nil)
        #expect(NewMail.requester(at: IPAddress("2001:db8::1") ?? Samples.address) == "net 2001:db8::")
        #expect(NewMail(of: event(.keyRegenerated, by: .user(user), at: .localSocket))?.address == nil)
    }

    @Test("A level is one mail for each account, level and hour")
    func levels() {
        let one = NewMail(.near, of: user, at: Samples.start)
        #expect(one?.id == NewMail(.near, of: user, at: Samples.start.advanced(by: .seconds(3_599)))?.id)
        let others = [
            NewMail(.reached, of: user, at: Samples.start),
            NewMail(.near, of: UserID(rawValue: "usr_c"), at: Samples.start),
            NewMail(.near, of: user, at: Samples.start.advanced(by: .seconds(3_600))),
        ]
        #expect(Set((others + [one]).map { $0?.id }).count == 4)
        #expect(NewMail(.normal, of: user, at: Samples.start) == nil)
    }

    @Test("What a mail program says is kept on one line without addresses")
    func failures() {
        let failure = MailFailure(
            "550 5.1.1 <ada@example.com>:\r\n no such user\u{0} ada@example.com\n" + String(repeating: "x", count: 900))
        #expect(failure.description.hasPrefix("550 5.1.1 <address> no such user <address> xxx"))
        #expect(failure.description.count == 300 && !failure.description.contains("ada"))
    }

    @Test("A mail is tried again in growing steps until it is too old")
    func schedule() {
        var (age, attempts, waits) = (Duration.zero, 0, [Duration]())
        while let wait = MailRules.delay(after: attempts + 1, age: age, life: MailKind.keyRevoked.life) {
            attempts += 1
            age += wait
            waits.append(wait)
        }
        #expect(waits.prefix(4) == [.seconds(60), .seconds(300), .seconds(900), .seconds(3_600)])
        #expect(waits == waits.sorted() && age <= .seconds(72 * 3_600) && attempts >= 8)
        #expect(MailRules.delay(after: 1, age: .seconds(6 * 3_600), life: MailKind.resetPassword.life) == nil)
    }

    @Test("Each kind has a bound on mails to one address")
    func bounds() {
        for kind in MailKind.allCases { #expect((1...40).contains(kind.topic.mostPerDay)) }
        #expect(Set(MailKind.Topic.allCases) == Set(MailKind.allCases.map(\.topic)))
    }
}
