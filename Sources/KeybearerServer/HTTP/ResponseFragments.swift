import Keybearer

/// What responses say of an account whatever is asked, made at the first response for it.
///
/// One piece of memory, with what the gate answers first: where many accounts are asked for, each line of the
/// processor's cache that a response reads is waited for, and every text of an account is a piece of its own.
enum ResponseFragments {
    private static let headLength = 8

    /// The lengths of the first two parts, four bytes each, then the gate's identity and the profile's two parts.
    static func make(_ account: Account) -> [UInt8] {
        let identity = GateIdentity.make(account)
        let (first, second) = ProfileBytes.parts(of: account)
        let lengths = [identity.count, first.utf8.count].flatMap { length in
            (0..<4).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) }
        }
        return lengths + identity + Array(first.utf8) + Array(second.utf8)
    }

    /// Calls `body` with the identity headers of a request that names no workspace.
    @inline(__always)
    static func withIdentity<Result>(
        _ account: CachedAccount, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        try withFragments(of: account) { fragments in
            let end = headLength + length(0, fragments)
            return try body(UnsafeRawBufferPointer(rebasing: fragments[headLength..<end]))
        }
    }

    /// Calls `body` with the profile's parts, up to the last use and behind it.
    static func withProfile<Result>(
        _ account: CachedAccount, _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        try withFragments(of: account) { fragments in
            let start = headLength + length(0, fragments)
            let middle = start + length(1, fragments)
            return try body(
                UnsafeRawBufferPointer(rebasing: fragments[start..<middle]),
                UnsafeRawBufferPointer(rebasing: fragments[middle...]))
        }
    }

    @inline(__always)
    private static func withFragments<Result>(
        of account: CachedAccount, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        try account.responseBytes.withBytes(madeBy: { make(account.account) }, body)
    }

    private static func length(_ part: Int, _ fragments: UnsafeRawBufferPointer) -> Int {
        Int(UInt32(littleEndian: fragments.loadUnaligned(fromByteOffset: part * 4, as: UInt32.self)))
    }
}
