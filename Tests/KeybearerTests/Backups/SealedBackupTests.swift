import Testing

@testable import Keybearer

/// The ``SealedBackup``, its recipient and its identity.
@Suite struct SealedBackupTests {
    private static let identity = BackupIdentity()

    private static func seal(_ bytes: [UInt8], for recipient: BackupRecipient = identity.recipient) throws -> [UInt8] {
        var (source, sealed) = (bytes[...], [UInt8]())
        // Never more than 40,000 at a time: a reader may return less than it is asked for.
        try SealedBackup.seal(
            for: recipient, reading: { take(min($0, 40_000), from: &source) }, writing: { sealed += $0 })
        return sealed
    }

    private static func open(_ sealed: [UInt8], with identity: BackupIdentity = identity) throws -> [UInt8] {
        var (source, opened) = (sealed[...], [UInt8]())
        try SealedBackup.open(
            with: identity, reading: { take(min($0, 30_000), from: &source) }, writing: { opened += $0 })
        return opened
    }

    private static func take(_ count: Int, from bytes: inout ArraySlice<UInt8>) -> [UInt8] {
        defer { bytes = bytes.dropFirst(count) }
        return Array(bytes.prefix(count))
    }

    private static func sample(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) } }

    @Test(arguments: [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000]) func whatIsSealedOpens(count: Int) throws {
        let bytes = Self.sample(count)
        let sealed = try Self.seal(bytes)
        #expect(SealedBackup.isSealed(sealed.prefix(SealedBackup.markBytes)))
        #expect(try Self.open(sealed) == bytes)
        #expect(try Self.seal(bytes) != sealed, "each time under a key of its own")
    }

    @Test func whatWasCutOrChangedDoesNotOpen() throws {
        let sealed = try Self.seal(Self.sample(200_000))
        let head = "keybearer-backup-1\n\(Self.identity.recipient.text)\n".utf8.count
        let piece = SealedBackup.pieceBytes + 16
        var broken: [[UInt8]] = []
        // Cut within a piece, behind one, and before the first; with more behind it.
        for length in [sealed.count - 1, head + 32 + piece, head + 32 + 2 * piece, head + 32, head + 10, head] {
            broken.append(Array(sealed.prefix(length)))
        }
        broken.append(sealed + [0])
        for place in [head, head + 31, head + 32, head + 32 + piece + 5, sealed.count - 1] {
            var changed = sealed
            changed[place] ^= 1
            broken.append(changed)
        }
        // Two pieces that changed places.
        let pieces = head + 32
        var swapped = Array(sealed.prefix(pieces))
        swapped += sealed[(pieces + piece)..<(pieces + 2 * piece)]
        swapped += sealed[pieces..<(pieces + piece)]
        swapped += sealed[(pieces + 2 * piece)...]
        broken.append(swapped)
        for bytes in broken {
            #expect(throws: SealedBackup.Problem.damaged) { _ = try Self.open(bytes) }
        }
    }

    @Test func onlyTheRightKeyOpensIt() throws {
        let sealed = try Self.seal([1, 2, 3])
        #expect(throws: SealedBackup.Problem.forAnother(Self.identity.recipient.text)) {
            _ = try Self.open(sealed, with: BackupIdentity())
        }
        #expect(throws: SealedBackup.Problem.notSealed) { _ = try Self.open(Array("SQLite format 3\0".utf8)) }
        #expect(throws: SealedBackup.Problem.notSealed) { _ = try Self.open([]) }
    }

    @Test func theFormsOfTheKeys() throws {
        let identity = Self.identity
        let recipient = identity.recipient.text
        #expect(recipient.wholeMatch(of: /kbbackup_[a-z2-7]{52}/) != nil)
        #expect(BackupRecipient(recipient) == identity.recipient)
        let read = try #require(BackupIdentity(fileText: identity.fileText))
        #expect(read.recipient == identity.recipient)
        for wrong in ["", "kbbackup_", "kbbackup_abc", recipient + "a", "age1" + recipient] {
            #expect(BackupRecipient(wrong) == nil, "\(wrong)")
            #expect(BackupIdentity(fileText: wrong) == nil)
        }
        // The secret is in no description and no dump.
        let secret = try #require(identity.fileText.firstMatch(of: /KBBACKUP-SECRET-([A-Z2-7]+)/)).1
        var dumped = ""
        dump(identity, to: &dumped)
        for text in ["\(identity)", String(reflecting: identity), dumped] { #expect(!text.contains(secret)) }
    }
}
