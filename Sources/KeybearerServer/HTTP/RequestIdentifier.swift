import Synchronization

/// Names requests, so that an answer, a log line and a person's report can be brought together: `req_`, eight random
/// characters of this process, and a count.
enum RequestIdentifier {
    private static let counter = Atomic<UInt64>(0)
    static let prefix: String = {
        let alphabet = Array("0123456789abcdefghijkmnpqrstuvwxyz")
        return "req_" + String((0..<8).compactMap { _ in alphabet.randomElement() })
    }()

    static func next() -> String { text(nextNumber()) }

    /// The identifier with this number.
    static func text(_ number: UInt64) -> String { prefix + String(number, radix: 16) }

    /// How many characters the identifier with this number has.
    static func length(of number: UInt64) -> Int {
        prefix.utf8.count + max(1, (UInt64.bitWidth - number.leadingZeroBitCount + 3) / 4)
    }

    /// The count alone, for whoever writes the digits itself.
    static func nextNumber() -> UInt64 { counter.wrappingAdd(1, ordering: .relaxed).newValue }
}
