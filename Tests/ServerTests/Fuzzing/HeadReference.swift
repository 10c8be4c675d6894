/// How the gate reads a request's head, written for comparison: slow, line by line, on copies.
struct HeadReference: Equatable {
    var method: [UInt8] = []
    var target: [UInt8] = []
    var closes = false
    var hasForwardingHeaders = false
    /// The values of every field, by its name in lower case.
    var headers: [[UInt8]: [[UInt8]]] = [:]

    /// nil where the gate must refuse.
    init?(_ head: [UInt8]) {
        var lines = head.split(separator: 10, omittingEmptySubsequences: false)
        guard lines.popLast()?.isEmpty == true, lines.allSatisfy({ $0.last == 13 }), !lines.isEmpty else { return nil }
        let parts = lines[0].dropLast().split(separator: 32, omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[0].isEmpty, parts[0].allSatisfy(Self.isToken), parts[1].first == 0x2F,
            parts[1].allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x23 })
        else { return nil }
        (method, target) = (Array(parts[0]), Array(parts[1]))
        let isOld = parts[2].elementsEqual("HTTP/1.0".utf8)
        guard isOld || parts[2].elementsEqual("HTTP/1.1".utf8), lines.count <= 101 else { return nil }
        closes = isOld
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: 0x3A), colon > line.startIndex else { return nil }
            let value = Self.trimmed(line[(colon + 1)...].dropLast())
            guard line[..<colon].allSatisfy(Self.isToken),
                value.allSatisfy({ $0 == 9 || ($0 >= 0x20 && $0 != 0x7F) })
            else { return nil }
            headers[line[..<colon].map(Self.lowered), default: []].append(Array(value))
        }
        let hosts = self["host"]
        guard hosts.count == 1 || (isOld && hosts.isEmpty), hosts.allSatisfy(Self.isHost),
            self["transfer-encoding"].isEmpty, self["content-length"].isEmpty || self["content-length"] == [[48]]
        else { return nil }
        closes =
            closes
            || self["connection"].contains {
                $0.split(separator: 0x2C).contains { Self.trimmed($0).map(Self.lowered) == Array("close".utf8) }
            }
        hasForwardingHeaders = headers.keys.contains {
            $0 == Array("forwarded".utf8) || $0 == Array("x-real-ip".utf8) || $0.starts(with: "x-forwarded-".utf8)
        }
    }

    subscript(_ name: String) -> [[UInt8]] { headers[Array(name.utf8)] ?? [] }

    static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let isBlank = { (byte: UInt8) in byte == 32 || byte == 9 }
        var text = text.drop(while: isBlank)
        while let last = text.last, isBlank(last) { text.removeLast() }
        return text
    }

    static func lowered(_ byte: UInt8) -> UInt8 { (65...90).contains(byte) ? byte + 32 : byte }

    static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (97...122).contains(lowered(byte))
    }

    static func isToken(_ byte: UInt8) -> Bool { isAlphanumeric(byte) || "!#$%&'*+-.^_`|~".utf8.contains(byte) }

    /// `name`, `[address]`, or nothing, with or without a port of at most five digits.
    private static func isHost(_ text: [UInt8]) -> Bool {
        var name = text[...]
        if text.first == 0x5B {
            guard let end = text.firstIndex(of: 0x5D), end > 1,
                text[1..<end].allSatisfy({ isAlphanumeric($0) ? lowered($0) <= 102 : $0 == 0x3A || $0 == 0x2E })
            else { return false }
            name = text[(end + 1)...]
            guard name.isEmpty || name.first == 0x3A else { return false }
        }
        let parts = name.split(separator: 0x3A, maxSplits: 1, omittingEmptySubsequences: false)
        return parts[0].allSatisfy { isAlphanumeric($0) || "-._~%!$&'()*+,;=".utf8.contains($0) }
            && (parts.count == 1 || (parts[1].count <= 5 && parts[1].allSatisfy { (48...57).contains($0) }))
    }
}
