import Keybearer

/// The entries of `Forwarded` or `X-Forwarded-For`, from the right: there the proxies that are known have written.
///
/// The grammar, of which everything else is malformed:
///
///     X-Forwarded-For = entry *( "," entry )
///     Forwarded       = element *( "," element )       ; RFC 7239
///     element         = [ pair ] *( ";" [ pair ] )     ; the entry is the value of the only pair named "for"
///     pair            = token "=" ( quoted-string / 1*<visible, none of `,;"`> )
///     entry           = IPv4 [ ":" port ] / IPv6 [ "%" zone ] / "[" IPv6 [ "%" zone ] "]" [ ":" port ]
///     port            = 1*5DIGIT / "_" 1*( ALPHA / DIGIT / "." / "_" / "-" )
///
/// Blanks may surround entries, elements and pairs. `unknown`, hidden names such as `_x`, the unspecified addresses and
/// empty entries name no client, so they are malformed.
struct ForwardedEntries {
    /// Which of the two headers it is.
    enum Header {
        case forwarded
        case forwardedFor
    }

    /// What one entry says.
    enum Entry: Equatable {
        case address(IPAddress)
        case malformed
    }

    private let header: Header
    /// What is left of the value; nil when its first entry has been given.
    private var rest: Substring.UTF8View?

    /// - Parameter lines: the values of all lines of the header, in order: they count like one, joined by commas.
    init(_ header: Header, lines: [String]) {
        self.header = header
        rest = Substring(lines.count == 1 ? lines[0] : lines.joined(separator: ",")).utf8
    }

    /// The next entry to the left; nil when there is none.
    mutating func next() -> Entry? {
        guard let text = rest else { return nil }
        let comma = header == .forwardedFor ? text.lastIndex(of: UInt8(ascii: ",")) : Self.lastComma(of: text)
        rest = comma.map { text[..<$0] }
        let element = Self.trimmed(comma.map { text[text.index(after: $0)...] } ?? text)
        let entry = header == .forwardedFor ? element : Self.nodeValue(of: element)
        guard let entry, let address = Self.address(in: Substring(entry)) else { return .malformed }
        return .address(address)
    }

    /// The last comma that is in no quoted string, read from the right: a quote that a client never closed takes no
    /// entry with it that was written after it.
    private static func lastComma(of text: Substring.UTF8View) -> Substring.UTF8View.Index? {
        var isQuoted = false
        var index = text.endIndex
        while index > text.startIndex {
            index = text.index(before: index)
            switch text[index] {
            case UInt8(ascii: "\""):
                // Inside, an odd number of backslashes before a quote escapes it.
                let slashes = text[..<index].reversed().prefix { $0 == UInt8(ascii: "\\") }.count
                if !isQuoted || slashes.isMultiple(of: 2) { isQuoted.toggle() }
            case UInt8(ascii: ",") where !isQuoted: return index
            default: break
            }
        }
        return nil
    }

    /// The value of `for` in an element of `Forwarded`; nil when the element is malformed or has not one.
    private static func nodeValue(of element: Substring.UTF8View) -> Substring.UTF8View? {
        var found: Substring.UTF8View?
        var rest = element[...]
        while !rest.isEmpty {
            rest = trimmed(rest)
            if rest.first == UInt8(ascii: ";") {
                rest.removeFirst()
                continue
            }
            let name = rest.prefix(while: ASCIISet.token.contains)
            rest = rest[name.endIndex...]
            guard !name.isEmpty, rest.popFirst() == UInt8(ascii: "="), let value = takeValue(&rest) else { return nil }
            if Substring(name).lowercased() == "for" {
                guard found == nil else { return nil }
                found = value
            }
            rest = trimmed(rest)
            guard rest.isEmpty || rest.first == UInt8(ascii: ";") else { return nil }
        }
        return found
    }

    /// Takes a value, without its quotes; nil when there is none, or a quote does not end. Escapes stay as they are: no
    /// address needs one.
    private static func takeValue(_ rest: inout Substring.UTF8View) -> Substring.UTF8View? {
        guard rest.first == UInt8(ascii: "\"") else {
            let value = rest.prefix { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: "\"") }
            rest = rest[value.endIndex...]
            return value.isEmpty ? nil : value
        }
        rest.removeFirst()
        let content = rest
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\"") { return content[..<rest.startIndex].dropLast() }
            if byte == UInt8(ascii: "\\"), rest.popFirst() == nil { return nil }
        }
        return nil
    }

    /// An address with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
    static func address(in text: Substring) -> IPAddress? {
        var host = text
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { return nil }
            let port = text[text.index(after: end)...]
            host = text[..<end].dropFirst()
            guard port.isEmpty || isPort(port), host.utf8.contains(UInt8(ascii: ":")) else { return nil }
        } else if let colon = text.firstIndex(of: ":"), text[..<colon].contains(".") {
            guard isPort(text[colon...]) else { return nil }
            host = text[..<colon]
        }
        guard let address = IPAddress(zoned: host), address != .localSocket, address != IPAddress(v4: 0) else {
            return nil
        }
        return address
    }

    private static func isPort(_ text: Substring) -> Bool {
        guard text.first == ":" else { return false }
        let port = text.utf8.dropFirst()
        if port.first == UInt8(ascii: "_") {
            let name = port.dropFirst()
            return !name.isEmpty && name.allSatisfy { $0.isASCIILetterOrDigit || "._-".utf8.contains($0) }
        }
        return (1...5).contains(port.count) && port.allSatisfy { (48...57).contains($0) }
    }

    /// Without blanks and tabs at both ends.
    private static func trimmed(_ text: Substring.UTF8View) -> Substring.UTF8View {
        var text = text
        while let first = text.first, first == 32 || first == 9 { text.removeFirst() }
        while let last = text.last, last == 32 || last == 9 { text.removeLast() }
        return text
    }
}
