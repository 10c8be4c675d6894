public import Keybearer
import Synchronization

extension RandomSource {
    /// The same bytes at every run: SplitMix64 from a seed.
    public static func seeded(_ seed: UInt64) -> RandomSource {
        let state = Lock(seed)
        return RandomSource { count in
            state.withLock { state in
                (0..<count).map { _ in
                    state &+= 0x9E37_79B9_7F4A_7C15
                    var mixed = state
                    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
                    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
                    return UInt8(truncatingIfNeeded: mixed ^ (mixed >> 31))
                }
            }
        }
    }

    /// A number from 0 to below a bound.
    public func below(_ bound: Int) -> Int { Int(bytes(4).reduce(0) { $0 << 8 | UInt32($1) } % UInt32(bound)) }
}
