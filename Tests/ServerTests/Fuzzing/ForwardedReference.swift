@testable import Keybearer

/// Who the client is by `Forwarded` or `X-Forwarded-For`, written for comparison: on lists of bytes, one step after another.
enum ForwardedReference {
    /// - Parameter lines: the values of the header's lines.
    static func client(
        _ lines: [[UInt8]], isForwarded: Bool, peer: IPAddress, isTrusted: (IPAddress) -> Bool
    ) -> IPAddress {
        let joined = Array(lines.joined(separator: [0x2C]))
        var client = peer
        for element in isForwarded ? elementsFromTheRight(joined) : split(joined).reversed() {
            let trimmed = HeadReference.trimmed(element[...])
            guard let node = isForwarded ? nodeValue(trimmed) : Array(trimmed), let address = address(node) else {
                break
            }
            client = address
            if !isTrusted(address) { break }
        }
        return client
    }

    private static func split(_ text: [UInt8]) -> [[UInt8]] {
        text.split(separator: 0x2C, omittingEmptySubsequences: false).map { Array($0) }
    }

    /// The parts between commas outside of quotes, where quotes are counted from the right.
    private static func elementsFromTheRight(_ text: [UInt8]) -> [[UInt8]] {
        let reversed = Array(text.reversed())
        var elements: [[UInt8]] = [[]]
        var isQuoted = false
        for (index, byte) in reversed.enumerated() {
            if byte == 0x22 {
                let slashes = reversed[(index + 1)...].prefix { $0 == 0x5C }.count
                if !isQuoted || slashes % 2 == 0 { isQuoted.toggle() }
            }
            if byte == 0x2C, !isQuoted { elements.append([]) } else { elements[elements.count - 1].append(byte) }
        }
        return elements.map { $0.reversed() }
    }

    /// The value of the one pair named `for`.
    private static func nodeValue(_ element: ArraySlice<UInt8>) -> [UInt8]? {
        var pairs: [[UInt8]] = [[]]
        var isQuoted = false
        var isEscaped = false
        for byte in element {
            if byte == 0x3B, !isQuoted {
                pairs.append([])
                continue
            }
            pairs[pairs.count - 1].append(byte)
            if byte == 0x22, !isEscaped { isQuoted.toggle() }
            isEscaped = isQuoted && byte == 0x5C && !isEscaped
        }
        guard !isQuoted else { return nil }
        var found: [UInt8]?
        for pair in pairs {
            let pair = HeadReference.trimmed(pair[...])
            if pair.isEmpty { continue }
            guard let equals = pair.firstIndex(of: 0x3D), equals > pair.startIndex,
                pair[..<equals].allSatisfy(HeadReference.isToken), let value = value(pair[(equals + 1)...])
            else { return nil }
            guard pair[..<equals].map(HeadReference.lowered) == Array("for".utf8) else { continue }
            guard found == nil else { return nil }
            found = value
        }
        return found
    }

    private static func value(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        guard text.first == 0x22 else {
            return !text.isEmpty && text.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 } ? Array(text) : nil
        }
        var isEscaped = false
        for index in text.indices.dropFirst() {
            if text[index] == 0x22, !isEscaped {
                return index == text.endIndex - 1 ? Array(text.dropFirst().dropLast()) : nil
            }
            isEscaped = text[index] == 0x5C && !isEscaped
        }
        return nil
    }

    private static func address(_ text: [UInt8]) -> IPAddress? {
        var host = text[...]
        var port: ArraySlice<UInt8> = []
        if text.first == 0x5B {
            guard let end = text.firstIndex(of: 0x5D) else { return nil }
            (host, port) = (text[1..<end], text[(end + 1)...])
            guard host.contains(0x3A) else { return nil }
        } else if let colon = text.firstIndex(of: 0x3A), text[..<colon].contains(0x2E) {
            (host, port) = (text[..<colon], text[colon...])
        }
        guard port.isEmpty || isPort(port) else { return nil }
        if let percent = host.firstIndex(of: 0x25) {
            let zone = host[(percent + 1)...]
            guard host[..<percent].contains(0x3A), (1...64).contains(zone.count),
                zone.allSatisfy({ HeadReference.isAlphanumeric($0) || "-._~%".utf8.contains($0) })
            else { return nil }
            host = host[..<percent]
        }
        guard let address = IPAddress(String(decoding: host, as: UTF8.self)) else { return nil }
        return [IPAddress(high: 0, low: 0), IPAddress(v4: 0)].contains(address) ? nil : address
    }

    private static func isPort(_ text: ArraySlice<UInt8>) -> Bool {
        let port = text.dropFirst()
        guard text.first == 0x3A else { return false }
        if port.first == 0x5F {
            return port.count > 1
                && port.dropFirst().allSatisfy { HeadReference.isAlphanumeric($0) || "._-".utf8.contains($0) }
        }
        return (1...5).contains(port.count) && port.allSatisfy { (48...57).contains($0) }
    }
}
