import Foundation

/// Looks for secrets in files, in every encoding that a log or a database might put them in.
struct SecretSearch {
    /// How a secret can be written down.
    enum Encoding: String, CaseIterable {
        case clear
        case lowerHex
        case upperHex
        case base64
        case base64Offset1
        case base64Offset2
        case base64URL
        case base64URLOffset1
        case base64URLOffset2
    }

    /// A secret that was found.
    struct Hit: Hashable, CustomStringConvertible {
        /// What the secret is, without the secret.
        let name: String
        let encoding: Encoding
        let file: String
        var description: String { "\(name) in \(encoding) in \(file)" }
    }

    private struct Pattern {
        let name: String
        let encoding: Encoding
        let bytes: [UInt8]
    }
    /// By their first eight bytes: one pass over a file looks for all of them.
    private let patterns: [UInt64: [Pattern]]
    /// Which first two bytes begin a pattern at all.
    private let beginnings: [Bool]

    /// - Parameter secrets: names and bytes, 12 bytes at least.
    init(_ secrets: [(name: String, bytes: [UInt8])]) {
        var patterns: [UInt64: [Pattern]] = [:]
        var beginnings = [Bool](repeating: false, count: 65_536)
        for (name, secret) in secrets {
            precondition(secret.count >= 12, "\(name) is too short to be looked for")
            for encoding in Encoding.allCases {
                let bytes = Self.encode(secret, encoding)
                let (first, beginning) = bytes.withUnsafeBytes {
                    ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(as: UInt16.self))
                }
                patterns[first, default: []].append(Pattern(name: name, encoding: encoding, bytes: bytes))
                beginnings[Int(beginning)] = true
            }
        }
        self.patterns = patterns
        self.beginnings = beginnings
    }

    /// All that is found in these files.
    func hits(in paths: [String]) throws -> Set<Hit> {
        var hits: Set<Hit> = []
        for path in paths {
            let data = try Data(contentsOf: URL(fileURLWithPath: path))
            let name = URL(fileURLWithPath: path).lastPathComponent
            data.withUnsafeBytes { buffer in
                for (pattern, encoding) in find(in: buffer) {
                    hits.insert(Hit(name: pattern, encoding: encoding, file: name))
                }
            }
        }
        return hits
    }

    private func find(in buffer: UnsafeRawBufferPointer) -> [(String, Encoding)] {
        var found: [(String, Encoding)] = []
        guard let start = buffer.baseAddress, buffer.count >= 8 else { return [] }
        beginnings.withUnsafeBufferPointer { beginnings in
            var offset = 0
            let last = buffer.count - 8
            while offset <= last {
                if beginnings[Int(start.loadUnaligned(fromByteOffset: offset, as: UInt16.self))],
                    let candidates = patterns[start.loadUnaligned(fromByteOffset: offset, as: UInt64.self)]
                {
                    for pattern in candidates where buffer.count - offset >= pattern.bytes.count {
                        if memcmp(start + offset, pattern.bytes, pattern.bytes.count) == 0 {
                            found.append((pattern.name, pattern.encoding))
                        }
                    }
                }
                offset += 1
            }
        }
        return found
    }

    /// The bytes by which a secret is recognised in an encoding, whatever stands around it.
    static func encode(_ secret: [UInt8], _ encoding: Encoding) -> [UInt8] {
        switch encoding {
        case .clear: secret
        case .lowerHex: Array(secret.map { hex($0) }.joined().utf8)
        case .upperHex: Array(secret.map { hex($0).uppercased() }.joined().utf8)
        case .base64: base64(secret, offset: 0)
        case .base64Offset1: base64(secret, offset: 1)
        case .base64Offset2: base64(secret, offset: 2)
        case .base64URL: urlSafe(base64(secret, offset: 0))
        case .base64URLOffset1: urlSafe(base64(secret, offset: 1))
        case .base64URLOffset2: urlSafe(base64(secret, offset: 2))
        }
    }

    private static func hex(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16)
        return digits.count == 1 ? "0" + digits : digits
    }

    /// The characters that depend on the secret alone when `offset` bytes stand before it and any behind it.
    private static func base64(_ secret: [UInt8], offset: Int) -> [UInt8] {
        let text = Data([UInt8](repeating: 0, count: offset) + secret).base64EncodedString()
        let bits = (offset + secret.count) * 8
        let first = (offset * 8 + 5) / 6
        return Array(text.utf8)[first..<bits / 6].map { $0 }
    }

    private static func urlSafe(_ text: [UInt8]) -> [UInt8] {
        text.map { $0 == UInt8(ascii: "+") ? UInt8(ascii: "-") : $0 == UInt8(ascii: "/") ? UInt8(ascii: "_") : $0 }
    }
}
