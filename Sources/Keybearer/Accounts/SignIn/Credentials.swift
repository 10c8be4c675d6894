/// An account with its password, as one read of the store found both.
public struct Credentials: Sendable {
    /// The account, with its key and workspaces.
    public let account: Account
    /// Its password's hash and version.
    public let password: StoredPassword
    /// Whether an earlier version made another account with another spelling of this one's address: a success of the
    /// one must not clear the failures of the other.
    public let hasTwin: Bool

    /// Puts them together.
    public init(account: Account, password: StoredPassword, hasTwin: Bool) {
        self.account = account
        self.password = password
        self.hasTwin = hasTwin
    }
}
