import Crypto
import Foundation

/// A secret other than a key, sealed under a master key.
package struct SealedSecret: Sendable, Hashable {
    /// The master key under which it is sealed.
    package let masterKeyID: MasterKeyID
    /// Nonce, ciphertext and tag of AES-GCM.
    package let box: [UInt8]

    /// Puts both together.
    package init(masterKeyID: MasterKeyID, box: [UInt8]) {
        self.masterKeyID = masterKeyID
        self.box = box
    }
}

extension KeyVault {
    /// Seals a secret under the active master key.
    ///
    /// - Parameter binding: what the secret is, and whose: it opens with the same text alone.
    /// - Throws: `UNAVAILABLE` on a node that only verifies.
    func seal(_ secret: [UInt8], boundTo binding: String) throws(KeybearerError) -> SealedSecret {
        let active = try requireActive()
        guard let sealKey = active.seal else { throw Self.verifyOnly }
        do {
            let box = try AES.GCM.seal(secret, using: sealKey, authenticating: Self.associatedData(binding))
            guard let combined = box.combined else { throw CryptoKitError.incorrectParameterSize }
            return SealedSecret(masterKeyID: active.id, box: Array(combined))
        } catch {
            throw KeybearerError(.internalError, "A secret could not be sealed.", cause: error)
        }
    }

    /// Opens a sealed secret.
    ///
    /// - Throws: `UNAVAILABLE` where the master key is missing or only verifies; `INTERNAL_ERROR` when it is bound to
    ///   something else, or was altered.
    func open(_ sealed: SealedSecret, boundTo binding: String) throws(KeybearerError) -> [UInt8] {
        guard let sealKey = subkeys.first(where: { $0.id == sealed.masterKeyID })?.seal else { throw Self.verifyOnly }
        do {
            let box = try AES.GCM.SealedBox(combined: sealed.box)
            return Array(try AES.GCM.open(box, using: sealKey, authenticating: Self.associatedData(binding)))
        } catch {
            throw KeybearerError(.internalError, "A secret could not be opened.", cause: error)
        }
    }

    private static func associatedData(_ binding: String) -> [UInt8] { Array("keybearer v1 \(binding)".utf8) }
}
