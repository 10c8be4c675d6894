import Crypto
import Foundation

/// A backup that the holder of one private key alone can read.
///
/// Form: the line `keybearer-backup-1`, a line with the recipient, the 32 bytes of an X25519 key that is used once, then pieces of
/// ``pieceBytes`` bytes and a last one that may be shorter, each sealed with HPKE (RFC 9180: X25519, HKDF-SHA256,
/// ChaCha20-Poly1305). Every piece is bound to its place, and the last one to being the last: a file that was cut, or whose
/// pieces were swapped, does not open. Nothing says who made a backup: whoever knows the recipient can make one.
package enum SealedBackup {
    /// How many bytes of the backup a piece has.
    package static let pieceBytes = 65_536
    private static let tagBytes = 16
    private static let firstLine = "keybearer-backup-1"
    private static let ciphersuite = HPKE.Ciphersuite.Curve25519_SHA256_ChachaPoly

    /// What is wrong with a sealed backup.
    package enum Problem: Error, Equatable, CustomStringConvertible {
        /// It does not begin as one does.
        case notSealed
        /// It was made for another key: this recipient's.
        case forAnother(String)
        /// It is cut, or was changed.
        case damaged

        package var description: String {
            switch self {
            case .notSealed: "it is not an encrypted backup"
            case .forAnother(let recipient): "it was made for \(recipient)"
            case .damaged: "it is cut short, or was changed"
            }
        }
    }

    /// Whether bytes begin as a sealed backup does.
    package static func isSealed(_ start: some Sequence<UInt8>) -> Bool {
        start.starts(with: Array("\(firstLine)\n".utf8))
    }

    /// How many bytes tell whether it is one.
    package static var markBytes: Int { firstLine.utf8.count + 1 }

    /// Seals a backup.
    ///
    /// - Parameters:
    ///   - read: the next bytes of the backup, at most so many; none at its end.
    ///   - write: takes the next bytes of the sealed one.
    package static func seal(
        for recipient: BackupRecipient, reading read: (_ atMost: Int) throws -> [UInt8],
        writing write: ([UInt8]) throws -> Void
    ) throws {
        let head = Array("\(firstLine)\n\(recipient.text)\n".utf8)
        var sender = try HPKE.Sender(recipientKey: recipient.key, ciphersuite: ciphersuite, info: Data(head))
        try write(head + sender.encapsulatedKey)
        var piece = try fill(pieceBytes, read)
        while true {
            let next = piece.count < pieceBytes ? [] : try fill(pieceBytes, read)
            let isLast = next.isEmpty
            try write(Array(try sender.seal(Data(piece), authenticating: Data([isLast ? 1 : 0]))))
            if isLast { return }
            piece = next
        }
    }

    /// Opens a sealed backup. What was written must not be used unless this returns.
    ///
    /// - Parameters: as of ``seal(for:reading:writing:)``, the other way round.
    /// - Throws: ``Problem``.
    package static func open(
        with identity: BackupIdentity, reading read: (_ atMost: Int) throws -> [UInt8],
        writing write: ([UInt8]) throws -> Void
    ) throws {
        let head = Array("\(firstLine)\n\(identity.recipient.text)\n".utf8)
        let begin = try fill(head.count, read)
        guard isSealed(begin) else { throw Problem.notSealed }
        guard begin == head else {
            let named = String(decoding: begin.dropFirst(markBytes), as: UTF8.self).prefix { $0 != "\n" }
            throw BackupRecipient(String(named)).map { Problem.forAnother($0.text) } ?? .damaged
        }
        let encapsulated = try fill(32, read)
        guard
            var recipient = try? HPKE.Recipient(
                privateKey: identity.key, ciphersuite: ciphersuite, info: Data(head),
                encapsulatedKey: Data(encapsulated))
        else { throw Problem.damaged }
        let sealedBytes = pieceBytes + tagBytes
        var piece = try fill(sealedBytes, read)
        while true {
            let next = piece.count < sealedBytes ? [] : try fill(sealedBytes, read)
            let isLast = next.isEmpty
            guard let opened = try? recipient.open(Data(piece), authenticating: Data([isLast ? 1 : 0])) else {
                throw Problem.damaged
            }
            try write(Array(opened))
            if isLast { return }
            piece = next
        }
    }

    /// So many bytes; fewer at the end.
    private static func fill(_ count: Int, _ read: (_ atMost: Int) throws -> [UInt8]) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let more = try read(count - bytes.count)
            if more.isEmpty { break }
            bytes += more
        }
        return bytes
    }
}

/// For whom backups are sealed: a public key. It is no secret.
package struct BackupRecipient: Sendable, Equatable {
    private static let prefix = "kbbackup_"
    let key: Curve25519.KeyAgreement.PublicKey

    fileprivate init(_ key: Curve25519.KeyAgreement.PublicKey) { self.key = key }

    /// Reads the form that ``text`` has, in upper or lower case; nil for anything else.
    package init?(_ text: String) {
        guard text.hasPrefix(Self.prefix), let bytes = Base32.decode(text.dropFirst(Self.prefix.count)),
            bytes.count == 32,
            let key = try? Curve25519.KeyAgreement.PublicKey(rawRepresentation: bytes)
        else { return nil }
        self.key = key
    }

    /// `kbbackup_` and 52 letters and digits.
    package var text: String { Self.prefix + Base32.encode(Array(key.rawRepresentation)).lowercased() }

    package static func == (left: Self, right: Self) -> Bool { left.text == right.text }
}

/// Who can open backups: a private key.
package struct BackupIdentity: Sendable {
    private static let prefix = "KBBACKUP-SECRET-"
    let key: Curve25519.KeyAgreement.PrivateKey

    /// A new one.
    package init() { key = Curve25519.KeyAgreement.PrivateKey() }

    /// Reads what ``fileText`` is; nil for anything else.
    package init?(fileText text: String) {
        let lines = text.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("#") && !$0.isEmpty }
        guard lines.count == 1, lines[0].hasPrefix(Self.prefix),
            let bytes = Base32.decode(lines[0].dropFirst(Self.prefix.count)), bytes.count == 32,
            let key = try? Curve25519.KeyAgreement.PrivateKey(rawRepresentation: bytes)
        else { return nil }
        self.key = key
    }

    /// The matching public key.
    package var recipient: BackupRecipient { BackupRecipient(key.publicKey) }

    /// What is kept in a file: a comment with the recipient, and the secret.
    package var fileText: String {
        """
        # Opens the backups that were made for \(recipient.text)
        \(Self.prefix)\(Base32.encode(Array(key.rawRepresentation)))

        """
    }
}

extension BackupIdentity: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The recipient alone: the secret is in no log and no dump.
    package var description: String { "the identity of \(recipient.text)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
