/// The record of an account's one key: everything about it but its characters.
public struct APIKey: Sendable, Hashable {
    /// Identifies this key, not the account: it changes with every regenerate.
    public let id: KeyID
    /// Counts the account's keys from 1. A regenerate succeeds only against the version that it read.
    public let version: Int
    /// The leading characters, for people: `tdc_` and four more.
    public let shownPrefix: String
    /// When this key was made.
    public let generatedAt: Timestamp
    /// The most recent successful request with this key, nil before the first.
    public var lastUse: LastUse?

    /// Puts a record together.
    package init(id: KeyID, version: Int, shownPrefix: String, generatedAt: Timestamp, lastUse: LastUse? = nil) {
        self.id = id
        self.version = version
        self.shownPrefix = shownPrefix
        self.generatedAt = generatedAt
        self.lastUse = lastUse
    }
}

/// When and from where a key was last used with success: valid, entitled and admitted.
public struct LastUse: Sendable, Hashable {
    /// When the request was decided.
    public let at: Timestamp
    /// The client's address, as the trusted-proxy rules see it.
    public let address: IPAddress

    /// Puts time and place together.
    package init(at: Timestamp, address: IPAddress) {
        self.at = at
        self.address = address
    }
}

/// What the store keeps of a key in place of its characters.
public struct SealedKey: Sendable, Hashable {
    /// The master key under which it is sealed and digested.
    public let masterKeyID: MasterKeyID
    /// Nonce, ciphertext and authentication tag of AES-256-GCM; opens only with account, key id and version.
    public let box: [UInt8]
    /// HMAC-SHA-256 of the characters, 32 bytes: the only thing by which a key is looked up.
    public let digest: [UInt8]

    /// Puts the parts together.
    package init(masterKeyID: MasterKeyID, box: [UInt8], digest: [UInt8]) {
        self.masterKeyID = masterKeyID
        self.box = box
        self.digest = digest
    }
}
