import Crypto

/// The subkey of a master key that seals the audit log.
package struct AuditKey: Sendable {
    /// The master key.
    package let id: MasterKeyID
    fileprivate let key: SymmetricKey

    init(_ id: MasterKeyID, _ key: SymmetricKey) {
        self.id = id
        self.key = key
    }

    private static let none = [UInt8](repeating: 0, count: 32)

    /// Seals an event at a position.
    ///
    /// - Parameter previous: the seal of the event before; nil for the first.
    package func seal(
        _ record: AuditRecord, at position: Int64, behind previous: [UInt8]?, random: RandomSource
    ) -> AuditSeal {
        let salt = random.bytes(16)
        let commitment = Self.commitment(to: record, salt: salt)
        return AuditSeal(
            keyID: id, salt: salt, commitment: commitment,
            code: code(of: record, at: position, behind: previous, commitment: commitment))
    }

    /// Whether this key sealed an event at a position, behind a seal.
    func sealed(_ record: AuditRecord, with seal: AuditSeal, at position: Int64, behind previous: [UInt8]?) -> Bool {
        constantTimeEquals(code(of: record, at: position, behind: previous, commitment: seal.commitment), seal.code)
    }

    private func code(
        of record: AuditRecord, at position: Int64, behind previous: [UInt8]?, commitment: [UInt8]
    ) -> [UInt8] {
        var message = Array("keybearer audit seal 1".utf8) + (previous ?? Self.none) + commitment
        for member in [String(position), id.rawValue] + record.plainMembers { Self.add(member, to: &message) }
        return Array(HMAC<SHA256>.authenticationCode(for: message, using: key))
    }

    /// Commits to what is erased with an account: without the salt, nobody can tell what it was.
    static func commitment(to record: AuditRecord, salt: [UInt8]) -> [UInt8] {
        var message = Array("keybearer audit personal 1".utf8)
        for member in record.personalMembers { add(member, to: &message) }
        return Array(HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: salt)))
    }

    /// Signs that events were removed up to a position.
    package func checkpoint(at position: Int64, code: [UInt8], time: Timestamp) -> AuditCheckpoint {
        let at = time.millisecondsSinceEpoch
        return AuditCheckpoint(
            position: position, code: code, at: at, keyID: id,
            signature: signature(position: position, code: code, at: at))
    }

    /// Whether this key signed a checkpoint.
    func signed(_ checkpoint: AuditCheckpoint) -> Bool {
        constantTimeEquals(
            checkpoint.signature, signature(position: checkpoint.position, code: checkpoint.code, at: checkpoint.at))
    }

    private func signature(position: Int64, code: [UInt8], at: Int64) -> [UInt8] {
        var message = Array("keybearer audit checkpoint 1".utf8) + code
        for member in [String(position), String(at), id.rawValue] { Self.add(member, to: &message) }
        return Array(HMAC<SHA256>.authenticationCode(for: message, using: key))
    }

    /// Different members, or members at other places, give different bytes: whether there is one, its length, itself.
    private static func add(_ member: String?, to message: inout [UInt8]) {
        guard let member else { return message.append(0) }
        message.append(1)
        withUnsafeBytes(of: UInt32(member.utf8.count).bigEndian) { message += $0 }
        message += member.utf8
    }
}

/// An audit subkey whose master key is retired, sealed under one that is not. So what it sealed can still be verified.
package struct KeptAuditKey: Sendable, Hashable {
    /// The master key whose subkey it is.
    package let id: MasterKeyID
    /// The master key under which it is sealed.
    package let sealedUnder: MasterKeyID
    package let box: [UInt8]

    package init(id: MasterKeyID, sealedUnder: MasterKeyID, box: [UInt8]) {
        self.id = id
        self.sealedUnder = sealedUnder
        self.box = box
    }
}

extension KeyVault {
    /// The audit subkey of the active master key; nil on a node that only verifies.
    var activeAuditKey: AuditKey? { ring.activeID.flatMap { auditKeys[$0] } }

    /// The audit subkeys of the master keys in this ring.
    var auditKeys: [MasterKeyID: AuditKey] {
        Dictionary(
            subkeys.compactMap { held in held.audit.map { (held.id, AuditKey(held.id, $0)) } },
            uniquingKeysWith: { first, _ in first })
    }

    /// The same, and those of retired master keys that can be opened.
    func auditKeys(with kept: [KeptAuditKey]) -> [MasterKeyID: AuditKey] {
        kept.reduce(into: auditKeys) { keys, one in
            if keys[one.id] == nil { keys[one.id] = open(one) }
        }
    }

    /// Seals all audit subkeys but the active one's under the active master key.
    ///
    /// - Parameter kept: those that were sealed before. One that does not open is left out.
    /// - Throws: `UNAVAILABLE` on a node that only verifies.
    func keepAuditKeys(with kept: [KeptAuditKey]) throws -> [KeptAuditKey] {
        guard let activeID = ring.activeID, let active = subkeys.first(where: { $0.id == activeID }),
            let wrapping = active.auditWrapping
        else { throw KeybearerError(.unavailable, "This ring holds no active master key.") }
        return try auditKeys(with: kept).values.filter { $0.id != activeID }.sorted { $0.id < $1.id }.map { key in
            let box = try AES.GCM.seal(key.bytes, using: wrapping, authenticating: Self.name(key.id, activeID)).combined
            guard let box else { throw KeybearerError(.internalError, "An audit key could not be sealed.") }
            return KeptAuditKey(id: key.id, sealedUnder: activeID, box: Array(box))
        }
    }

    private func open(_ kept: KeptAuditKey) -> AuditKey? {
        guard let wrapping = subkeys.first(where: { $0.id == kept.sealedUnder })?.auditWrapping,
            let box = try? AES.GCM.SealedBox(combined: kept.box),
            let key = try? AES.GCM.open(box, using: wrapping, authenticating: Self.name(kept.id, kept.sealedUnder))
        else { return nil }
        return AuditKey(kept.id, SymmetricKey(data: key))
    }

    private static func name(_ id: MasterKeyID, _ sealedUnder: MasterKeyID) -> [UInt8] {
        Array("keybearer v1 audit key \(id) \(sealedUnder)".utf8)
    }
}

extension AuditKey {
    fileprivate var bytes: [UInt8] { key.withUnsafeBytes { Array($0) } }
}
