import Foundation
@testable import Keybearer

/// Keys that nobody has, with a right checksum.
enum SampleKey {
    /// The example of `docs/keys.md`.
    static let documented = "tdc_mhSV82nDJu2hxSJZJpdCgRy3GWlxIgLU1KkTKC"

    /// The key of a number.
    static func make(_ number: Int, prefix: String = "tdc_") -> String {
        var state = UInt64(truncatingIfNeeded: number) &* 0x9E37_79B9_7F4A_7C15 &+ 1
        let body = (0..<32).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Base62.alphabet[Int((state >> 33) % 62)]
        }
        return prefix + String(decoding: body + SecretKey.checksumCharacters(CRC32.checksum(body)), as: UTF8.self)
    }
}
