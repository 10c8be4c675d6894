import Crypto

/// The kinds of token that Keybearer mints, besides Secret Keys.
///
/// Each carries the ring's keyed tag over its kind and its random characters: a forgery is refused from memory and
/// never reaches the store.
enum TokenKind: String, Sendable, CaseIterable {
    /// The cookie of a signed-in browser.
    case session
    /// A credential of an operator's program.
    case operatorToken = "operator token"
    /// The code of a link by which the product signs a user in.
    case portalLink = "portal link"
    /// The cookie of a browser that is on its way to a provider and back.
    case signInAttempt = "sign-in attempt"
    /// The code of an invitation to a workspace.
    case invitation
    /// The cookie of a browser that has given the password and not the code yet.
    case pendingSignIn = "pending sign-in"
    /// The code of a link in a mail: it verifies an address or resets a password.
    case mailLink = "mail link"

    /// What stands before the random characters.
    var prefix: String {
        switch self {
        case .session: ""
        case .operatorToken: "kbo_"
        case .portalLink: "kbl_"
        case .signInAttempt: "kbi_"
        case .invitation: "kbv_"
        case .pendingSignIn: "kbc_"
        case .mailLink: "kbm_"
        }
    }

    /// 256 bits.
    static let randomLength = 43

    /// Whether a text can be a token of this kind.
    func hasFormat(_ text: some StringProtocol) -> Bool {
        hasFormat(text, bodyLength: Self.randomLength + SecretKey.tagLength)
    }

    /// Whether a text can be one that version 0.1 made.
    func hasFormatWithoutTag(_ text: some StringProtocol) -> Bool { hasFormat(text, bodyLength: Self.randomLength) }

    private func hasFormat(_ text: some StringProtocol, bodyLength: Int) -> Bool {
        text.utf8.count == prefix.utf8.count + bodyLength && text.hasPrefix(prefix)
            && text.utf8.dropFirst(prefix.utf8.count).allSatisfy(Base62.contains)
    }

    /// What the tag covers: no Secret Key's prefix has a space in it, so no tag is good for two kinds.
    fileprivate func covered(_ random: some Sequence<UInt8>) -> [UInt8] {
        Array("keybearer \(rawValue) ".utf8) + random
    }
}

/// A token as the store keeps it: its digest, and the master key whose tag it carries. A rotation keeps a tag key while
/// any live token carries it.
package struct MintedToken: Sendable, Hashable {
    /// SHA-256 of the characters.
    package let digest: [UInt8]
    /// The master key whose tag it carries.
    package let tagKeyID: MasterKeyID

    /// Puts both together.
    package init(digest: [UInt8], tagKeyID: MasterKeyID) {
        self.digest = digest
        self.tagKeyID = tagKeyID
    }
}

extension KeyVault {
    /// Makes the characters of a new token. A node that only verifies can do so too: it holds the tag subkeys.
    func mint(_ kind: TokenKind, random: RandomSource) -> (characters: String, record: MintedToken) {
        let characters = random.base62(count: TokenKind.randomLength)
        let subkeys = mintingSubkeys
        let tag = kind.covered(characters).withUnsafeBytes { subkeys.tag(over: $0) }
        let body = characters + Base62.encode(tag, width: SecretKey.tagLength)
        let text = kind.prefix + String(decoding: body, as: UTF8.self)
        return (text, MintedToken(digest: Array(SHA256.hash(data: Array(text.utf8))), tagKeyID: subkeys.id))
    }

    /// The master key whose tag a presented token carries; nil for a forgery. Compares in constant time.
    func tagKey(of characters: String, kind: TokenKind) -> MasterKeyID? {
        guard kind.hasFormat(characters) else { return nil }
        let body = characters.utf8.dropFirst(kind.prefix.utf8.count)
        let presented = Base62.decode(body.suffix(SecretKey.tagLength))
        return kind.covered(body.dropLast(SecretKey.tagLength)).withUnsafeBytes { covered in
            subkeys.first { $0.made(presented, over: covered) }?.id
        }
    }
}

/// Where a presented token comes from.
enum TokenOrigin {
    /// It carries a tag of this deployment.
    case genuine
    /// Nobody made it here.
    case forged
    /// Its tag is not recognised, and this process may lack a master key.
    case unknown
}
