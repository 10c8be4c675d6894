import Crypto

/// Whose the used requests of a deleted account become: an account that is made with the same address, or in the same
/// workspace in place of a service account, begins with the hour that was used, and not with a fresh one.
///
/// A digest, kept for two hours: an address that was erased is nowhere in it as a text.
package enum WindowHeir {
    /// The digest that a deleted account leaves, and that a new one looks for.
    package static func digest(of user: User) -> [UInt8] {
        let name = user.serviceWorkspaceID.map { "workspace \($0)" } ?? "address \(user.email.rawValue)"
        return Array(SHA256.hash(data: Array("keybearer hour \(name)".utf8)).prefix(16))
    }
}
