/// Reads and writes the `xn--` form of a domain (RFC 3492): earlier versions kept domains as they were typed.
enum Punycode {
    /// The domain with every `xn--` label read; a label that cannot be read stays.
    static func decoded(_ domain: String) -> String {
        domain.split(separator: ".", omittingEmptySubsequences: false).map { label in
            label.hasPrefix("xn--") ? read(label.dropFirst(4)) ?? String(label) : String(label)
        }.joined(separator: ".")
    }

    /// One label behind `xn--`; nil when it is malformed.
    private static func read(_ text: Substring) -> String? {
        guard text.utf8.count <= 59, text.utf8.allSatisfy({ $0 < 128 }) else { return nil }
        let bytes = Array(text.utf8)
        let delimiter = bytes.lastIndex(of: UInt8(ascii: "-"))
        var output = bytes[..<(delimiter ?? 0)].map { Unicode.Scalar($0) }
        var (code, index, bias) = (128, 0, 72)
        var rest = bytes[(delimiter.map { $0 + 1 } ?? 0)...]
        while !rest.isEmpty {
            let start = index
            var (weight, base) = (1, 36)
            while true {
                guard let digit = rest.popFirst().flatMap(digit), digit <= (Int(Int32.max) - index) / weight else {
                    return nil
                }
                index += digit * weight
                let threshold = min(max(base - bias, 1), 26)
                if digit < threshold { break }
                weight *= 36 - threshold
                guard weight <= Int(Int32.max) else { return nil }
                base += 36
            }
            let count = output.count + 1
            bias = adapted(index - start, count: count, isFirst: start == 0)
            code += index / count
            index %= count
            guard let scalar = UInt32(exactly: code).flatMap(Unicode.Scalar.init), code >= 128 else { return nil }
            output.insert(scalar, at: index)
            index += 1
        }
        return String(String.UnicodeScalarView(output))
    }

    /// The domain with every label that has other letters than ASCII in its `xn--` form.
    static func encoded(_ domain: String) -> String {
        domain.split(separator: ".", omittingEmptySubsequences: false).map { label in
            label.utf8.allSatisfy { $0 < 128 } ? String(label) : "xn--" + written(label)
        }.joined(separator: ".")
    }

    /// What stands behind `xn--` for one label.
    private static func written(_ label: Substring) -> String {
        let input = label.unicodeScalars.map { Int($0.value) }
        var output = input.filter { $0 < 128 }.map { UInt8($0) }
        let basic = output.count
        if basic > 0 { output.append(UInt8(ascii: "-")) }
        var (code, delta, bias, handled) = (128, 0, 72, basic)
        while let next = input.filter({ $0 >= code }).min() {
            delta += (next - code) * (handled + 1)
            code = next
            for scalar in input {
                if scalar < code { delta += 1 }
                guard scalar == code else { continue }
                var (rest, base) = (delta, 36)
                while true {
                    let threshold = min(max(base - bias, 1), 26)
                    if rest < threshold { break }
                    output.append(letter(threshold + (rest - threshold) % (36 - threshold)))
                    rest = (rest - threshold) / (36 - threshold)
                    base += 36
                }
                output.append(letter(rest))
                handled += 1
                bias = adapted(delta, count: handled, isFirst: handled == basic + 1)
                delta = 0
            }
            delta += 1
            code += 1
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func letter(_ digit: Int) -> UInt8 {
        UInt8(digit) + (digit < 26 ? UInt8(ascii: "a") : UInt8(ascii: "0") - 26)
    }

    private static func digit(_ byte: UInt8) -> Int? {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): Int(byte - UInt8(ascii: "a"))
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte - UInt8(ascii: "0")) + 26
        default: nil
        }
    }

    private static func adapted(_ step: Int, count: Int, isFirst: Bool) -> Int {
        var delta = isFirst ? step / 700 : step / 2
        delta += delta / count
        var base = 0
        while delta > 455 {
            delta /= 35
            base += 36
        }
        return base + 36 * delta / (delta + 38)
    }
}
