/// A mail in the outbox, as the operator sees it.
package struct OutgoingMail: Sendable, Hashable {
    /// How it ended.
    package enum Outcome: String, Sendable, Hashable, CaseIterable {
        /// The mail program has it.
        case sent
        /// There was nothing to tell any more: the account, the invitation or the request is gone.
        case void
        /// It was tried for long enough.
        case givenUp = "given-up"
    }

    /// Names it, also towards the receiver: one that is sent twice has one id.
    package let id: MailID
    /// What it tells.
    package let kind: MailKind
    /// Whose account it is about; nil where that is not known yet.
    package let userID: UserID?
    /// Where it goes.
    package let recipient: EmailAddress
    /// The invitation that it is about.
    package let invitationID: InvitationID?
    /// When that was what it tells.
    package let at: Timestamp
    /// Where the request came from.
    package let address: IPAddress?
    /// What the client said it is.
    package let userAgent: String?
    /// What else it says.
    package let detail: String?
    /// How often it was tried.
    package let attempts: Int
    /// When it is tried next; nil where it has ended.
    package let nextAttemptAt: Timestamp?
    /// What was wrong the last time.
    package let problem: String?
    /// How it ended; nil where it waits.
    package let outcome: Outcome?

    /// Puts a mail together.
    package init(
        id: MailID, kind: MailKind, userID: UserID?, recipient: EmailAddress, invitationID: InvitationID? = nil,
        at: Timestamp, address: IPAddress? = nil, userAgent: String? = nil, detail: String? = nil, attempts: Int = 0,
        nextAttemptAt: Timestamp?, problem: String? = nil, outcome: Outcome? = nil
    ) {
        self.id = id
        self.kind = kind
        self.userID = userID
        self.recipient = recipient
        self.invitationID = invitationID
        self.at = at
        self.address = address
        self.userAgent = userAgent
        self.detail = detail
        self.attempts = attempts
        self.nextAttemptAt = nextAttemptAt
        self.problem = problem
        self.outcome = outcome
    }
}

/// How many mails there are.
package struct MailCounts: Sendable, Hashable {
    /// Those that wait.
    package let waiting: Int
    /// Those among them that failed before.
    package let failing: Int
    /// Those of the last days by how they ended.
    package let ended: [OutgoingMail.Outcome: Int]
    /// When what the oldest one tells happened that waits.
    package let oldest: Timestamp?

    /// Puts the counts together.
    package init(waiting: Int, failing: Int, ended: [OutgoingMail.Outcome: Int], oldest: Timestamp?) {
        self.waiting = waiting
        self.failing = failing
        self.ended = ended
        self.oldest = oldest
    }
}

/// How mails are tried again, and how many there may be.
package enum MailRules {
    /// How long a node may take for what it has claimed before another one tries it.
    package static let claim: Duration = .seconds(300)
    /// How many are claimed at a time: one after the other they take less time than the claim lasts.
    static let mostAtOnce = 8
    /// How many of them are sent at the same time.
    static let mostConcurrently = 4
    /// How many wait at most. What comes on top is not written: nothing that is done fails because mails do.
    package static let mostWaiting = 10_000
    /// What anybody can ask for without being signed in to the account it goes to leaves room for the other half: nobody
    /// keeps a notice from somebody by asking for much.
    package static func mostWaiting(for topic: MailKind.Topic) -> Int {
        switch topic {
        case .verification, .reset, .invitation: mostWaiting / 2
        case .notice, .usage, .newAddresses, .webhooks: mostWaiting
        }
    }
    /// How many one requester causes in 24 hours.
    package static let mostPerRequester = 100
    /// The span in which mails to an address and of a requester are counted.
    package static let day: Duration = .seconds(24 * 3_600)
    /// How long a mail is kept that was sent, without what it said: until then it counts.
    package static let memory: Duration = .seconds(2 * 24 * 3_600)
    /// How long one is kept that was given up, for the operator.
    package static let memoryOfGivenUp: Duration = .seconds(7 * 24 * 3_600)

    /// How long to wait behind a failure; nil when it is given up.
    ///
    /// - Parameters:
    ///   - attempts: how many failed.
    ///   - age: how old the mail is.
    package static func delay(after attempts: Int, age: Duration, life: Duration) -> Duration? {
        let minutes: [Int64] = [1, 5, 15, 60, 180, 360, 720, 1_440]
        let delay = Duration.seconds(minutes[min(max(0, attempts - 1), minutes.count - 1)] * 60)
        return age + delay <= life ? delay : nil
    }
}
