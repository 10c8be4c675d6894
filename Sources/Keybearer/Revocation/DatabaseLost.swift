/// The cause behind ``ErrorCode/unavailable`` when the database is no longer the one that this process opened.
///
/// Neither the store nor memory can be believed then, until the process is started again: the fence gives its lease up.
public struct DatabaseLost: Error, Sendable, CustomStringConvertible {
    /// What readiness answers, such as `database_replaced`.
    public let reason: String
    /// What happened and what to do, for the log: it may name a path, and no secret.
    public let message: String

    /// Puts both together.
    public init(reason: String, message: String) {
        self.reason = reason
        self.message = message
    }

    public var description: String { reason }

    /// As stores throw it.
    package var error: KeybearerError { .unavailable(cause: self) }
}
