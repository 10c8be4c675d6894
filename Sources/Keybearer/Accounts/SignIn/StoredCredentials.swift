/// An account with its password, as one read of the store found both.
package struct StoredCredentials: Sendable {
    /// The account, with its key and workspaces.
    package let account: Account
    /// Its password's hash and version.
    package let password: StoredPassword
    /// Whether an earlier version made another account with another spelling of this one's address: a success of the
    /// one must not clear the failures of the other.
    package let hasTwin: Bool
    /// Whether the account has a second factor: the password alone signs nobody in.
    package let hasSecondFactor: Bool

    /// Puts them together.
    package init(account: Account, password: StoredPassword, hasTwin: Bool, hasSecondFactor: Bool = false) {
        self.account = account
        self.password = password
        self.hasTwin = hasTwin
        self.hasSecondFactor = hasSecondFactor
    }
}
