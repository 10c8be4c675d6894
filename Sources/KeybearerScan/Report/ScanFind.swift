import Crypto

/// A secret that was found, with its place.
package struct ScanFind: Sendable, CustomStringConvertible, CustomReflectable {
    /// In which part of the place it is.
    package enum Part: String, Sendable {
        case content
        /// In the name of a file or folder, or of an entry of an archive.
        case name
        /// In the message, the names or another line of a commit.
        case commit
        /// In an annotated tag.
        case tag
        /// In the file names of a commit's folder.
        case tree
    }

    package let match: KeyMatch
    package internal(set) var place: ScanPlace
    package let part: Part
    /// Of what is in a content; they begin with 1. The column counts code points.
    package let line: Int?
    package let column: Int?

    /// A name for the secret that stays the same when it moves within a file. It tells nothing about the secret.
    package var fingerprint: String {
        // A key has 131 random bits, so that its digest says nothing. What has no checksum may be guessable.
        let text = match.kind == .secretKey ? match.token : Array("\(match.shown) \(place)".utf8)
        return SHA256.hash(data: Array("keybearer scan \(match.kind.rawValue) ".utf8) + text).prefix(16)
            .map { byte in
                let digits = String(byte, radix: 16)
                return byte < 16 ? "0" + digits : digits
            }.joined()
    }

    /// The place with line and column, where there are any.
    package var location: String {
        var text = place.description
        if let line { text += ":\(line)" }
        if let column { text += ":\(column)" }
        return text
    }

    package var description: String { "\(location): \(match)" }
    package var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}

/// Something that was not read, or not all of it.
package struct ScanProblem: Sendable, Hashable, CustomStringConvertible {
    package let place: ScanPlace
    /// What is wrong. No key is in it.
    package let message: String

    package var description: String { "\(place): \(message)" }
}
