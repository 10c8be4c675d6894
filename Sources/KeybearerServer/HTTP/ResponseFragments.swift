import Keybearer

/// What answers say of an account whatever is asked, made once when it is read from the store.
///
/// One piece of memory, with what the gate answers first: where many accounts are asked for, each line of the
/// processor's cache that an answer reads is waited for, and every text of an account is a piece of its own.
enum ResponseFragments {
    private static let headLength = 8

    /// The lengths of the first two parts, four bytes each, then the gate's identity and the profile's two parts.
    static func make(_ account: Account) -> [UInt8] {
        let identity = GateIdentity.make(account)
        let (first, second) = ProfileJSON.parts(of: account)
        let lengths = [identity.count, first.utf8.count].flatMap { length in
            (0..<4).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) }
        }
        return lengths + identity + Array(first.utf8) + Array(second.utf8)
    }

    /// Calls `body` with the identity fields of a request that names no workspace.
    static func withIdentity<Result>(
        _ account: CachedAccount, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        try account.responseFragments.withUnsafeBytes { responseFragments in
            let end = headLength + length(0, responseFragments)
            precondition(end <= responseFragments.count, madeByAnother)
            return try body(UnsafeRawBufferPointer(rebasing: responseFragments[headLength..<end]))
        }
    }

    /// Calls `body` with the profile's parts, up to the last use and behind it.
    static func withProfile<Result>(
        _ account: CachedAccount, _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        try account.responseFragments.withUnsafeBytes { responseFragments in
            let start = headLength + length(0, responseFragments)
            let middle = start + length(1, responseFragments)
            precondition(middle <= responseFragments.count, madeByAnother)
            return try body(
                UnsafeRawBufferPointer(rebasing: responseFragments[start..<middle]),
                UnsafeRawBufferPointer(rebasing: responseFragments[middle...]))
        }
    }

    /// A deployment may be given any `responseFragments`: what is none of ours must not be read past its end.
    private static let madeByAnother =
        "a server's deployment takes its fragments from KeybearerServer.responseFragments"

    private static func length(_ part: Int, _ responseFragments: UnsafeRawBufferPointer) -> Int {
        precondition(responseFragments.count >= headLength, madeByAnother)
        return Int(UInt32(littleEndian: responseFragments.loadUnaligned(fromByteOffset: part * 4, as: UInt32.self)))
    }
}
