// receiver: swift-crypto; on Apple's platforms, import CryptoKit instead
import Crypto
import Foundation

func isGenuine(secret: String, headers: [String: String], body: Data) -> Bool {
    let encodedKey = secret.hasPrefix("whsec_") ? String(secret.dropFirst(6)) : secret
    guard let key = Data(base64Encoded: encodedKey), key.count >= 24, let id = headers["webhook-id"],
        let timestamp = headers["webhook-timestamp"], let seconds = Double(timestamp),
        abs(Date().timeIntervalSince1970 - seconds) <= 300
    else { return false }
    let signed = Data("\(id).\(timestamp).".utf8) + body
    return (headers["webhook-signature"] ?? "").split(separator: " ").contains { each in
        guard each.hasPrefix("v1,"), let code = Data(base64Encoded: String(each.dropFirst(3))) else { return false }
        return HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: signed, using: SymmetricKey(data: key))
    }
}
