import Keybearer

/// What the page's script reads of the key: the record that the panel shows and, after "Show key", the key itself.
struct KeyRecord: Encodable {
    /// The key's version, which tells the script whether the page shows the live key.
    let version: Int
    /// The key's leading characters.
    let prefix: String
    /// When it was made, RFC 3339 in UTC.
    let generatedAt: String
    /// When it was used last; left out for a key that was never used.
    let lastUsedAt: String?
    /// Where the last use came from, as the page shows it.
    let lastUsedFrom: String?
    /// The key's characters, in the response to a reveal and nowhere else.
    let key: String?

    /// Puts the record together.
    init(version: Int, prefix: String, generatedAt: Timestamp, lastUse: LastUseRow?, secret: SecretKey? = nil) {
        self.version = version
        self.prefix = prefix
        self.generatedAt = generatedAt.description
        lastUsedAt = lastUse?.at.iso
        lastUsedFrom = lastUse?.address
        key = secret?.characters
    }
}
