/// The outbox. Mails are added by the transaction of what they tell.
package protocol MailStore: Sendable {
    /// Takes some of the mails that are due: nobody else tries them before the claim runs out, by the store's clock.
    ///
    /// - Parameter claim: a new random number of this caller's.
    func claimMails(_ claim: [UInt8], limit: Int, now: Timestamp) async throws -> [OutgoingMail]
    /// A mail was handed over: it leaves the outbox. Does nothing under a claim that another has taken over.
    func removeSentMail(_ id: MailID, claim: [UInt8]) async throws
    /// A mail was not handed over.
    ///
    /// - Parameter delay: until it is tried again; nil when it is given up.
    func postponeMail(_ id: MailID, claim: [UInt8], by delay: Duration?, problem: String, now: Timestamp) async throws
    /// What is in the outbox, the oldest first.
    func mails(limit: Int) async throws -> [OutgoingMail]
    /// Lets a mail be tried now.
    ///
    /// - Returns: whether it is there.
    func retryMail(_ id: MailID, now: Timestamp) async throws -> Bool
    /// Removes a mail without sending it.
    ///
    /// - Returns: whether it was there.
    func dropMail(_ id: MailID) async throws -> Bool
    /// Removes what was given up a week ago.
    func removeOldMails(now: Timestamp) async throws
}
