package import Keybearer

/// Whose key a token is, or was.
package struct KeyOwnerJSON: JSONNoun {
    /// `live` or `ended`.
    package let status: String
    /// When it was regenerated, or its account deleted; null for a live one.
    let endedAt: Nullable<Timestamp>
    /// The account's id, also where the account is gone.
    package let userId: String
    /// The account as it is now; left out where it is gone. Its key is the live one.
    let user: UserJSON?

    /// - Parameter latest: the record with a last use that the database may not have yet.
    package init(_ owner: KeyOwner, latest: (Account) -> APIKey = { $0.key }) {
        switch owner {
        case .live(let account):
            (status, endedAt, userId) = ("live", Nullable(nil), account.user.id.rawValue)
            user = UserJSON(account, key: latest(account))
        case .ended(let past, let account):
            (status, endedAt, userId) = ("ended", Nullable(past.endedAt), past.userID.rawValue)
            user = account.map { UserJSON($0, key: latest($0)) }
        }
    }

    /// The same for a person.
    package var sentence: String {
        let name =
            user.map { user in
                user.email.value.map { "\(user.name), \($0)" } ?? "the service account \(user.name)"
            } ?? "an account that is deleted"
        return endedAt.value.map { "It was the key of \(name), until \($0)." } ?? "It is the live key of \(name)."
    }

    package static let noun = "KeyOwner"
    package static let sample = KeyOwnerJSON(
        .ended(
            PastKey(
                digest: [], masterKeyID: MasterKeyID(rawValue: "mk_a1"), userID: UserID(rawValue: "usr_a1"),
                endedAt: Timestamp(millisecondsSinceEpoch: 0)), nil))
}
