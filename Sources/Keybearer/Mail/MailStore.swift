/// The outbox. Most mails are added by the transaction of what they tell.
package protocol MailStore: Sendable {
    /// Adds a mail by itself, unless too many wait, went to its address or came of its requester.
    func addMail(_ mail: NewMail) async throws
    /// Takes some of the mails that are due: nobody else tries them before the claim runs out, by the store's clock.
    ///
    /// - Parameter claim: a new random number of this caller's.
    func claimMails(_ claim: [UInt8], limit: Int, now: Timestamp) async throws -> [OutgoingMail]
    /// A mail has ended; what it said is erased. Does nothing under a claim that another has taken over.
    ///
    /// - Returns: whether the claim still held.
    @discardableResult
    func endMail(
        _ id: MailID, claim: [UInt8], _ outcome: OutgoingMail.Outcome, problem: String?, now: Timestamp
    ) async throws -> Bool
    /// A mail was not handed over, and is tried again. Does nothing under a claim that another has taken over.
    func postponeMail(_ id: MailID, claim: [UInt8], by delay: Duration, problem: String, now: Timestamp) async throws
    /// What is in the outbox, the newest first.
    func mails(limit: Int) async throws -> [OutgoingMail]
    /// One of them.
    func mail(_ id: MailID) async throws -> OutgoingMail?
    /// How many there are.
    func mailCounts() async throws -> MailCounts
    /// Lets a mail be tried now that waits or was given up.
    ///
    /// - Returns: whether there is one.
    func retryMail(_ id: MailID, now: Timestamp) async throws -> Bool
    /// Removes a mail without sending it.
    ///
    /// - Returns: whether it was there.
    func dropMail(_ id: MailID) async throws -> Bool
    /// Removes what ended long enough ago.
    func removeOldMails(now: Timestamp) async throws
    /// Forgets devices that were not seen for long.
    func removeOldDevices(now: Timestamp) async throws
}
