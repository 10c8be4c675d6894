package import Keybearer
import Synchronization

/// The same numbers at every run, from a seed.
package struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Begins with a seed.
    package init(seed: UInt64) {
        state = seed
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

extension RandomSource {
    /// The same bytes at every run.
    package static func seeded(_ seed: UInt64) -> RandomSource {
        let numbers = Lock(SplitMix64(seed: seed))
        return RandomSource { count in
            numbers.withLock { numbers in (0..<count).map { _ in UInt8(truncatingIfNeeded: numbers.next()) } }
        }
    }

    /// A number from 0 to below a bound.
    package func below(_ bound: Int) -> Int { Int(bytes(4).reduce(0) { $0 << 8 | UInt32($1) } % UInt32(bound)) }
}
