/// Requests that **every** account may make before the store has written anything about that account.
///
/// A process has it written once. A key that it sees for the first time then waits for a read alone, not for the disk.
/// Why no window can exceed its limit through it:
/// - The store charges a shared reservation to every account, on top of its own window, for as long as the shared
///   reservation is open.
/// - Only the process that holds it may use it, and for an account only when that account's window has room for all of
///   it. Nobody else can take that room afterwards, because the shared reservation counts for them.
/// - What was used is recorded in the account's own window. Until then no more is used of it for the same account; the
///   holder leaves the shared reservation out of an account's sum only in the same step that records what it used.
/// - It is closed when all is recorded. A process that crashes leaves it open: it then counts for every account until
///   its minute frees, as what the process may have admitted.
///
/// It is charged to the minute of its last permitted use, as a reservation is.
package struct SharedReservation: Sendable, Equatable {
    /// Names it in the store.
    package let id: Int64
    /// How many requests of each account, and the minute that they are charged to.
    package let bucket: RateLimitWindow.Bucket

    /// Puts a shared reservation together.
    package init(id: Int64, bucket: RateLimitWindow.Bucket) {
        self.id = id
        self.bucket = bucket
    }

    /// How many requests of each account: never more than a tenth of the smallest limit, for a crash charges it to all;
    /// twice that when the crash comes between opening one and closing the last.
    ///
    /// - Parameter smallestLimit: the smallest limit of the catalogue that admits anything.
    package static func count(atMost most: Int, smallestLimit: Int) -> Int { max(0, min(most, smallestLimit / 10)) }
}
