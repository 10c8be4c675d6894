import CAllocationCount
import Crypto
import Foundation

/// Times loops and says what came of them.
enum Stopwatch {
    /// Nanoseconds for one of `count` repetitions that the body makes.
    static func nanoseconds(per count: Int, _ body: () throws -> Void) rethrows -> Double {
        let duration = try ContinuousClock().measure(body)
        let (seconds, attoseconds) = duration.components
        return (Double(seconds) * 1e9 + Double(attoseconds) / 1e9) / Double(count)
    }

    /// Nanoseconds of one SHA-256 of a key's characters: the measure of a verification.
    static func nanosecondsOfHash(_ bytes: [UInt8], count: Int) -> Double {
        nanoseconds(per: count) { hash(bytes, count: count) }
    }

    @inline(never)
    static func hash(_ bytes: [UInt8], count: Int) {
        for _ in 0..<count { blackHole(SHA256.hash(data: bytes)) }
    }

    @inline(never)
    private static func blackHole(_ value: SHA256.Digest) {}

    static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    /// The median of each round's own ratio.
    static func ratio(_ above: [Double], _ below: [Double]) -> Double { median(zip(above, below).map { $0 / $1 }) }

    static func text(_ value: Double) -> String { String(format: "%.2f", value) }
}
