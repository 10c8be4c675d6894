/// The cause behind ``ErrorCode/unavailable`` when the database is no longer the one that this process opened.
///
/// Neither the store nor memory can be believed then, until the process is started again: the fence gives its lease up.
package struct DatabaseLost: Error, Sendable, CustomStringConvertible {
    /// What readiness answers, such as `database_replaced`.
    package let reason: String
    /// What happened and what to do, for the log: it may name a path, and no secret.
    package let message: String

    /// Puts both together.
    package init(reason: String, message: String) {
        self.reason = reason
        self.message = message
    }

    package var description: String { reason }

    /// As stores throw it.
    package var error: KeybearerError { .unavailable(cause: self) }
}
