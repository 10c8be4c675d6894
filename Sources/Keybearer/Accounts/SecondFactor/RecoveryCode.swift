import Crypto

/// What signs a person in once in the place of the authenticator app: 80 random bits. Prints as nothing but its kind.
package struct RecoveryCode: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    /// How many an account has.
    package static let count = 10
    private static let length = 16
    /// Without `l`, `o`, `0` and `1`, which people confuse.
    private static let alphabet = Array("abcdefghijkmnpqrstuvwxyz23456789".utf8)

    private let characters: [UInt8]

    /// A new one. There are 32 letters, so that each is equally likely.
    static func random(from source: RandomSource) -> RecoveryCode {
        RecoveryCode(characters: source.bytes(length).map { alphabet[Int($0 & 31)] })
    }

    private init(characters: [UInt8]) {
        self.characters = characters
    }

    /// Accepts what somebody typed, in any case, with hyphens and spaces or without; nil when it cannot be a code.
    init?(parsing text: some StringProtocol) {
        let typed = text.utf8.prefix(64).filter { $0 != 32 && $0 != 45 }.map { (65...90).contains($0) ? $0 + 32 : $0 }
        guard typed.count == Self.length, typed.allSatisfy(Self.alphabet.contains) else { return nil }
        characters = typed
    }

    /// As people write it down: `abcd-efgh-jkmn-pqrs`.
    package var text: String {
        stride(from: 0, to: Self.length, by: 4).map { String(decoding: characters[$0..<$0 + 4], as: UTF8.self) }
            .joined(separator: "-")
    }

    /// What the store knows it by. A plain hash suffices: the code is random.
    func digest(of userID: UserID) -> [UInt8] {
        Array(SHA256.hash(data: Array("keybearer v1 recovery code \(userID) ".utf8) + characters))
    }

    /// Nothing but what it is.
    package var description: String { "recovery code" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
