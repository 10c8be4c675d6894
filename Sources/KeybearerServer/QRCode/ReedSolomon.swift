/// Reed-Solomon correction codewords over GF(256) with the polynomial 0x11D, as QR codes use them.
enum ReedSolomon {
    /// The remainder of the data, shifted, by the generator polynomial of this degree.
    static func correction(of data: [UInt8], length: Int) -> [UInt8] {
        let divisor = generator(of: length)
        var remainder = [UInt8](repeating: 0, count: length)
        for byte in data {
            let factor = byte ^ remainder.removeFirst()
            remainder.append(0)
            for index in 0..<length { remainder[index] ^= product(divisor[index], factor) }
        }
        return remainder
    }

    /// (x - 1)(x - 2)(x - 4)…, highest coefficient left out.
    private static func generator(of degree: Int) -> [UInt8] {
        var coefficients = [UInt8](repeating: 0, count: degree - 1) + [1]
        var root: UInt8 = 1
        for _ in 0..<degree {
            for index in 0..<degree {
                coefficients[index] = product(coefficients[index], root)
                if index + 1 < degree { coefficients[index] ^= coefficients[index + 1] }
            }
            root = product(root, 2)
        }
        return coefficients
    }

    private static func product(_ left: UInt8, _ right: UInt8) -> UInt8 {
        var result = 0
        for bit in (0..<8).reversed() {
            result = (result << 1) ^ ((result >> 7) * 0x11D)
            result ^= (Int(right) >> bit & 1) * Int(left)
        }
        return UInt8(truncatingIfNeeded: result)
    }
}
