import Foundation
package import Keybearer

/// Finds keys in bytes by their format and checksum.
///
/// Every candidate is an underscore with a run of base-62 characters behind it. The search looks at every sixteenth byte
/// and at more only where that one can be in such a run.
package struct KeyPattern: Sendable {
    /// The shortest run behind a prefix that can be a secret: imported keys have at least 20 characters.
    static let shortestRun = 16
    /// The longest one: imported keys have at most 128 characters. One more tells a run that is too long.
    static let longestRun = 125
    /// How many bytes before and behind an underscore decide what is there, in UTF-16.
    static let reachBefore = 2 * KeyPrefix.maximumLength
    static let reachBehind = 2 * (longestRun + 2)

    private static let operatorPrefix = Array("kbo_".utf8)
    /// Of operator tokens: those of today, and those of version 0.1, which have no tag.
    private static let operatorRuns = [53, 43]

    /// The prefixes whose keys without checksum are found too.
    private let prefixes: [[UInt8]]

    /// - Parameter prefixes: those of this product's keys. Keys with a right checksum are found whatever their prefix.
    package init(prefixes: [KeyPrefix]) {
        let all = Set(prefixes + [.standard]).map { Array($0.characters.utf8) }
        // The longest first: one may be the end of another.
        self.prefixes = all.sorted { $0.count > $1.count }
    }

    /// The secrets whose underscore is at an index of `range`, in the order of their places.
    func matches(in bytes: UnsafeRawBufferPointer, underscores range: Range<Int>) -> [KeyMatch] {
        var found: [KeyMatch] = []
        eachRun(in: bytes, range) { underscore in
            if let match = match(at: underscore, in: bytes, stride: 1) { found.append(match) }
        }
        let before = found.count
        eachSpacedUnderscore(in: bytes, range) { underscore in
            if let match = match(at: underscore, in: bytes, stride: 2) { found.append(match) }
        }
        if found.count > before, before > 0 { found.sort { $0.range.lowerBound < $1.range.lowerBound } }
        return found
    }

    /// The secrets in a short text.
    func matches(in text: [UInt8]) -> [KeyMatch] {
        text.withUnsafeBytes { matches(in: $0, underscores: 0..<$0.count) }
    }

    // MARK: - Candidates

    /// Whether a byte is a base-62 character: without a branch, for the search asks it most of all.
    @inline(__always)
    private static func isBase62(_ byte: UInt8) -> Bool {
        let set: UInt64 = byte < 64 ? 0x03FF_0000_0000_0000 : 0x07FF_FFFE_07FF_FFFE
        return byte < 128 && (set >> UInt64(byte & 63)) & 1 == 1
    }

    /// Whether a byte can be in a key: its characters and the underscore of its prefix.
    static func isInToken(_ byte: UInt8) -> Bool { isBase62(byte) || byte == UInt8(ascii: "_") }

    private func eachRun(in bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ body: (Int) -> Void) {
        let step = Self.shortestRun
        // Where a run may begin: behind an underscore of the range.
        var start = range.lowerBound + 1
        let end = min(range.upperBound + 1, bytes.count - step + 1)
        while start < end {
            var place = start + step - 1
            guard Self.isBase62(bytes[place]) else {
                start = place + 1
                continue
            }
            while place > start, Self.isBase62(bytes[place - 1]) { place -= 1 }
            if bytes[place - 1] == UInt8(ascii: "_"), place < end { body(place - 1) }
            start += step
        }
    }

    /// An underscore of UTF-16 has a zero on both sides: the high byte of the character before it, or its own.
    private func eachSpacedUnderscore(
        in bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ body: (Int) -> Void
    ) {
        guard let base = bytes.baseAddress else { return }
        var place = max(range.lowerBound, 1)
        let end = min(range.upperBound, bytes.count - 1)
        // A block of text has no zero byte at all.
        guard place < end, memchr(base + place - 1, 0, end - place + 1) != nil else { return }
        while place < end, let found = memchr(base + place, Int32(UInt8(ascii: "_")), end - place) {
            place = base.distance(to: UnsafeRawPointer(found))
            if bytes[place - 1] == 0, bytes[place + 1] == 0 { body(place) }
            place += 1
        }
    }

    // MARK: - What a candidate is

    private func match(at underscore: Int, in bytes: UnsafeRawBufferPointer, stride: Int) -> KeyMatch? {
        func byte(_ step: Int) -> UInt8? {
            let place = underscore + step * stride
            guard place >= 0, place < bytes.count else { return nil }
            // The other byte of the character, before it or behind it.
            let isSpaced = place > 0 && bytes[place - 1] == 0 || place + 1 < bytes.count && bytes[place + 1] == 0
            guard stride == 1 || isSpaced else { return nil }
            return bytes[place]
        }
        var run: [UInt8] = []
        while run.count < Self.longestRun, let next = byte(run.count + 1), Self.isBase62(next) { run.append(next) }
        guard run.count >= Self.shortestRun else { return nil }
        var before: [UInt8] = [UInt8(ascii: "_")]
        while before.count <= KeyPrefix.maximumLength, let previous = byte(-before.count) { before.append(previous) }
        before.reverse()
        guard let (kind, token) = secret(before: before, run: run, next: byte(run.count + 1)) else { return nil }
        // The last underscore of a token ends its prefix.
        let start = underscore - (token.lastIndex(of: UInt8(ascii: "_")) ?? 0) * stride
        return KeyMatch(
            kind: kind, token: token, shown: Self.shown(token, kind),
            range: start..<start + token.count * stride - (stride - 1))
    }

    /// - Parameters:
    ///   - before: up to 17 bytes, the last of which is the underscore.
    ///   - next: what is behind the run; nil at the end.
    private func secret(before: [UInt8], run: [UInt8], next: UInt8?) -> (kind: KeyKind, token: [UInt8])? {
        let known = prefixes.first { before.suffix($0.count).elementsEqual($0) }
        if run.count >= SecretKey.bodyLength, let prefix = known ?? Self.prefix(endOf: before) {
            // Whatever is behind it: with its checksum it is a key even where another text follows immediately.
            let token = prefix + run.prefix(SecretKey.bodyLength)
            if SecretKey(parsing: token) != nil { return (.secretKey, token) }
        }
        // Without a checksum, only a word of its own can be one.
        guard run.count < Self.longestRun, next != UInt8(ascii: "_"), next != UInt8(ascii: "-") else { return nil }
        func isWord(_ prefix: [UInt8]) -> Bool {
            guard before.count > prefix.count else { return true }
            let byte = before[before.count - prefix.count - 1]
            return !Self.isBase62(byte) && byte != UInt8(ascii: "_")
        }
        if before.suffix(4).elementsEqual(Self.operatorPrefix), isWord(Self.operatorPrefix),
            Self.operatorRuns.contains(run.count), Set(run).count >= Self.fewestDistinct
        {
            return (.operatorToken, Self.operatorPrefix + run)
        }
        // 38 characters with a wrong checksum are no key: no server accepts them, nor an import.
        guard let known, isWord(known), run.count != SecretKey.bodyLength, known.count + run.count <= 128,
            Set(known + run).count >= Self.fewestDistinct, run.contains(where: { $0 < 58 }),
            run.contains(where: { $0 > 64 })
        else { return nil }
        return (.possibleKey, known + run)
    }

    /// What an import takes at least.
    private static let fewestDistinct = 10

    /// The longest prefix of any product that ends with the underscore.
    private static func prefix(endOf before: [UInt8]) -> [UInt8]? {
        var (start, place) = (before.endIndex, before.endIndex)
        while place > before.startIndex, before.endIndex - place < KeyPrefix.maximumLength {
            let byte = before[place - 1]
            let isLetter = (97...122).contains(byte)
            guard isLetter || (48...57).contains(byte) || byte == UInt8(ascii: "_") else { break }
            place -= 1
            if isLetter { start = place }
        }
        return before.endIndex - start >= 2 ? Array(before[start...]) : nil
    }

    private static func shown(_ token: [UInt8], _ kind: KeyKind) -> String {
        if kind == .secretKey, let key = SecretKey(parsing: token) { return key.shownPrefix }
        return String(decoding: token.prefix(min(8, token.count / 4)), as: UTF8.self)
    }
}
