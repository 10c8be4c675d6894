package import Keybearer

/// A key's record; the key itself only in the answer that made it, or where the command line was asked for it.
package struct KeyJSON: JSONNoun {
    let key: String?
    let prefix: String
    let generatedAt: Timestamp
    /// Null for what never happened.
    let lastUsedAt: Nullable<Timestamp>
    /// Null for a local socket too.
    let lastUsedIp: Nullable<String>

    package init(_ record: APIKey, secret: SecretKey? = nil) {
        key = secret?.characters
        prefix = record.shownPrefix
        generatedAt = record.generatedAt
        lastUsedAt = Nullable(record.lastUse?.at)
        lastUsedIp = Nullable(record.lastUse?.address.textIfAny)
    }

    package static let noun = "Key"
    package static let sample = KeyJSON(
        APIKey(
            id: KeyID(rawValue: "key_a1"), version: 1, shownPrefix: "tdc_a1b2",
            generatedAt: Timestamp(millisecondsSinceEpoch: 0)))
}
