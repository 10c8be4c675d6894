/// Compares two byte strings in a time that depends on their lengths alone.
func constantTimeEquals(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    return isNone(UInt64(zip(left, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) }))
}

/// Whether a difference is none that was gathered over all that was compared.
///
/// Not inlined: where the compiler sees what the difference was made of, it may compare one part after the other
/// instead and stop at the first that differs, as it did with tokens, so that the time tells how much of a guess was
/// right.
@inline(never)
func isNone(_ difference: UInt64) -> Bool { difference == 0 }
