import TestSupport
import Testing

@testable import Keybearer

/// The digits of ``Base62``, and numbers in them.
@Suite struct Base62Tests {
    let random = RandomSource.seeded(7)

    @Test("Base 62: which bytes are its digits, and each number of ten of them comes back")
    func base62() {
        for byte in UInt8.min...UInt8.max {
            let isDigit = Base62.alphabet.contains(byte)
            #expect(Base62.contains(byte) == isDigit)
            if isDigit { #expect(Base62.encode(Base62.decode([byte]), width: 1) == [byte]) }
        }
        let most = UInt64(839_299_365_868_340_224)
        let numbers = (0..<200).map { _ in random.bytes(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) } % most }
        for number in [0, 1, 61, 62, most - 1] + numbers {
            #expect(Base62.decode(Base62.encode(number, width: 10)) == number)
        }
    }
}
