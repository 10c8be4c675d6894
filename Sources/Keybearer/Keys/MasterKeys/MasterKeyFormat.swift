import Foundation

/// The text in which a ring of master keys is kept: one entry a line, `#` starts a comment.
///
/// ```
/// active mk_… <base64 of 32 bytes>          makes, seals and verifies keys
/// master mk_… <base64 of 32 bytes>          opens and verifies keys made under it
/// verify mk_… <base64 tag> <base64 digest>  verifies only
/// tag    mk_… <base64 tag>                  recognises keys whose tag was made under it
/// ```
public enum MasterKeyFormat {
    /// Reads a ring. Lines may end with CR and LF, and a byte order mark may stand before the first.
    ///
    /// - Throws: ``MasterKeyRingError``; its cases name a line or an id, never a secret.
    public static func parse(_ text: String) throws(MasterKeyRingError) -> MasterKeyRing {
        var entries: [MasterKeyRing.Entry] = []
        var activeID: MasterKeyID?
        // CR and LF together are one character, which is not "\n".
        let body = text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text
        let lines = body.split(omittingEmptySubsequences: false) { ["\n", "\r\n", "\r"].contains($0) }
        for (index, line) in lines.enumerated() {
            let words = line.prefix { $0 != "#" }.split { $0 == " " || $0 == "\t" }
            if words.isEmpty { continue }
            guard words.count >= 3, let id = MasterKeyID(parsing: words[1]) else { throw .malformedLine(index + 1) }
            let secrets = words.dropFirst(2).map { Data(base64Encoded: String($0)).map { [UInt8]($0) } ?? [] }
            let material: MasterKeyRing.Entry.Material
            switch (words[0], secrets.count) {
            case ("active", 1):
                guard activeID == nil else { throw .repeatedID }
                activeID = id
                material = .master(secrets[0])
            case ("master", 1): material = .master(secrets[0])
            case ("verify", 2): material = .verifyOnly(tag: secrets[0], digest: secrets[1])
            case ("tag", 1): material = .tagOnly(secrets[0])
            default: throw .malformedLine(index + 1)
            }
            entries.append(.init(id: id, material: material))
        }
        return try MasterKeyRing(entries: entries, activeID: activeID)
    }

    /// Writes a ring so that ``parse(_:)`` reads the same one. The text is secret.
    public static func format(_ ring: MasterKeyRing) -> String {
        var text =
            "# Keybearer master keys. Keep this file secret (mode 0600), apart from the database, and backed up:\n"
        text += "# without it no Secret Key can be shown or verified again.\n"
        for entry in ring.entries {
            switch entry.material {
            case .master(let key):
                text +=
                    "\(entry.id == ring.activeID ? "active" : "master") \(entry.id) \(Data(key).base64EncodedString())\n"
            case .verifyOnly(let tag, let digest):
                text += "verify \(entry.id) \(Data(tag).base64EncodedString()) \(Data(digest).base64EncodedString())\n"
            case .tagOnly(let tag):
                text += "tag \(entry.id) \(Data(tag).base64EncodedString())\n"
            }
        }
        return text
    }
}
