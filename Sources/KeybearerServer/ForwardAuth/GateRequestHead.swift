/// The head of one HTTP/1 request as the gate needs it: where its parts lie in the bytes, and nothing copied.
///
/// A parser of our own, for speed, on the internal listener alone. It knows less than HTTP allows and refuses what it
/// does not know: no bodies, no folded lines, no bare line feeds, no absolute targets. What it accepts, the HTTP
/// library accepts with the same meaning; a fuzz test holds it to that.
struct GateRequestHead {
    /// Where a part lies. Small: a head is copied a few times on its way.
    struct Part {
        private var place: Int32 = 0
        private var length: Int32 = -1

        init() {}

        init(start: Int, count: Int) {
            place = Int32(truncatingIfNeeded: start)
            length = Int32(truncatingIfNeeded: count)
        }

        var start: Int { Int(place) }
        var count: Int { Int(length) }
        var isPresent: Bool { length >= 0 }
    }

    /// A field with the value of its first line. Most count only when they stand once.
    struct Header {
        var value = Part()
        /// How often the field is in the request.
        var occurrences: Int { Int(lines) }
        private var lines: Int32 = 0

        mutating func record(_ part: Part) {
            if lines == 0 { value = part }
            lines &+= 1
        }
    }

    private(set) var method = Part()
    private(set) var target = Part()
    private(set) var isHead = false
    private(set) var authorization = Header()
    private(set) var workspaceID = Header()
    private(set) var forwarded = Header()
    private(set) var forwardedFor = Header()
    private(set) var forwardedProto = Header()
    private(set) var forwardedURI = Header()
    private(set) var trace = Header()
    /// Whether any field of a proxy is there, known or not.
    private(set) var hasForwardingHeaders = false
    /// Whether the client or its version wants the connection to end with the answer.
    private(set) var closes = false
    private var contentLength = Header()
    private var hosts = 0
    private var isVersion11 = false

    /// The most that a head may hold.
    struct Limits {
        var bytes = 32 * 1_024
        var headers = 100
    }

    /// Reads a head.
    ///
    /// - Parameter bytes: a whole head: what stands before the empty line, with the line break of its last line.
    /// - Returns: nil when it is malformed, too long, or holds what the gate does not take.
    init?(_ bytes: UnsafeRawBufferPointer, limits: Limits) {
        var cursor = 0
        guard readRequestLine(bytes, &cursor) else { return nil }
        var headers = 0
        while cursor < bytes.count {
            headers += 1
            guard headers <= limits.headers, readHeader(bytes, &cursor) else { return nil }
        }
        // RFC 9112 §3.2: one Host, and not none in HTTP/1.1.
        guard hosts == 1 || !isVersion11 else { return nil }
        // The gate takes no bodies: a length without a body would have it wait for bytes that never come.
        switch contentLength.occurrences {
        case 0: break
        case 1:
            guard contentLength.value.count == 1, bytes[contentLength.value.start] == UInt8(ascii: "0") else {
                return nil
            }
        default: return nil
        }
    }

    private mutating func readRequestLine(_ bytes: UnsafeRawBufferPointer, _ cursor: inout Int) -> Bool {
        while cursor < bytes.count, ASCIISet.token.contains(bytes[cursor]) { cursor += 1 }
        method = Part(start: 0, count: cursor)
        guard cursor > 0, cursor < bytes.count, bytes[cursor] == 0x20 else { return false }
        isHead = cursor == 4 && Self.equals(bytes, method, "head")
        cursor += 1
        let start = cursor
        while cursor < bytes.count, bytes[cursor] > 0x20, bytes[cursor] < 0x7F, bytes[cursor] != UInt8(ascii: "#") {
            cursor += 1
        }
        target = Part(start: start, count: cursor - start)
        guard target.count > 0, bytes[start] == UInt8(ascii: "/") else { return false }
        // " HTTP/1.1\r\n"
        guard bytes.count - cursor >= 11, Self.equals(bytes, Part(start: cursor, count: 6), " http/"),
            bytes[cursor + 1] == UInt8(ascii: "H"), bytes[cursor + 2] == UInt8(ascii: "T"),
            bytes[cursor + 3] == UInt8(ascii: "T"), bytes[cursor + 4] == UInt8(ascii: "P"),
            bytes[cursor + 6] == UInt8(ascii: "1"), bytes[cursor + 7] == UInt8(ascii: "."),
            bytes[cursor + 9] == 13, bytes[cursor + 10] == 10
        else { return false }
        switch bytes[cursor + 8] {
        case UInt8(ascii: "1"): isVersion11 = true
        case UInt8(ascii: "0"): closes = true
        default: return false
        }
        cursor += 11
        return true
    }

    private mutating func readHeader(_ bytes: UnsafeRawBufferPointer, _ cursor: inout Int) -> Bool {
        guard let (name, value) = Self.nextHeader(bytes, &cursor) else { return false }
        return record(name, value, in: bytes)
    }

    /// Reads one line; nil when it is malformed.
    @inline(__always)
    private static func nextHeader(_ bytes: UnsafeRawBufferPointer, _ cursor: inout Int) -> (name: Part, value: Part)? {
        let start = cursor
        while cursor < bytes.count, ASCIISet.token.contains(bytes[cursor]) { cursor += 1 }
        let name = Part(start: start, count: cursor - start)
        guard name.count > 0, cursor < bytes.count, bytes[cursor] == UInt8(ascii: ":") else { return nil }
        cursor += 1
        while cursor < bytes.count, bytes[cursor] == 0x20 || bytes[cursor] == 9 { cursor += 1 }
        let first = cursor
        while cursor < bytes.count, (bytes[cursor] >= 0x20 && bytes[cursor] != 0x7F) || bytes[cursor] == 9 {
            cursor += 1
        }
        guard bytes.count - cursor >= 2, bytes[cursor] == 13, bytes[cursor + 1] == 10 else { return nil }
        var last = cursor
        while last > first, bytes[last - 1] == 0x20 || bytes[last - 1] == 9 { last -= 1 }
        cursor += 2
        return (name, Part(start: first, count: last - first))
    }

    /// The values of a field's lines, in order. Only a field that is repeated makes it look through the head again.
    func values(of header: Header, named text: StaticString, in bytes: UnsafeRawBufferPointer) -> [Part] {
        guard header.occurrences > 1 else { return header.occurrences == 1 ? [header.value] : [] }
        return values(named: text, in: bytes)
    }

    /// The values of a field that the head does not look for when it is read. It is searched for again.
    func values(named text: StaticString, in bytes: UnsafeRawBufferPointer) -> [Part] {
        var values: [Part] = []
        // Behind the request line: " HTTP/1.1" and its line break follow the target.
        var cursor = target.start + target.count + 11
        while cursor < bytes.count, let (name, value) = Self.nextHeader(bytes, &cursor) {
            if Self.equals(bytes, name, text) { values.append(value) }
        }
        return values
    }

    /// Keeps the fields that the gate reads; answers whether the request may go on.
    private mutating func record(_ name: Part, _ value: Part, in bytes: UnsafeRawBufferPointer) -> Bool {
        switch name.count {
        case 4:
            if Self.equals(bytes, name, "host") {
                hosts += 1
                let text = UnsafeRawBufferPointer(rebasing: bytes[value.start..<value.start + value.count])
                return hosts == 1 && HostText.isValid(text)
            }
        case 9:
            if Self.equals(bytes, name, "forwarded") {
                forwarded.record(value)
                hasForwardingHeaders = true
            } else if Self.equals(bytes, name, "x-real-ip") {
                hasForwardingHeaders = true
            }
        case 10: if Self.equals(bytes, name, "connection") { recordConnection(value, in: bytes) }
        case 11: if Self.equals(bytes, name, "traceparent") { trace.record(value) }
        case 13: if Self.equals(bytes, name, "authorization") { authorization.record(value) }
        case 14:
            if Self.equals(bytes, name, "x-workspace-id") {
                workspaceID.record(value)
            } else if Self.equals(bytes, name, "content-length") {
                contentLength.record(value)
            }
        case 15:
            if Self.equals(bytes, name, "x-forwarded-for") {
                forwardedFor.record(value)
            } else if Self.equals(bytes, name, "x-forwarded-uri") {
                forwardedURI.record(value)
            }
        case 17:
            if Self.equals(bytes, name, "x-forwarded-proto") {
                forwardedProto.record(value)
            } else if Self.equals(bytes, name, "transfer-encoding") {
                return false
            }
        default: break
        }
        if name.count >= 12, Self.equals(bytes, Part(start: name.start, count: 12), "x-forwarded-") {
            hasForwardingHeaders = true
        }
        return true
    }

    /// `close`, alone or in a list, ends the connection with the answer. Other wishes are not the gate's to grant.
    private mutating func recordConnection(_ value: Part, in bytes: UnsafeRawBufferPointer) {
        let end = value.start + value.count
        var start = value.start
        while start < end {
            var next = start
            while next < end, bytes[next] != UInt8(ascii: ",") { next += 1 }
            var (first, last) = (start, next)
            while first < last, bytes[first] == 0x20 || bytes[first] == 9 { first += 1 }
            while last > first, bytes[last - 1] == 0x20 || bytes[last - 1] == 9 { last -= 1 }
            if Self.equals(bytes, Part(start: first, count: last - first), "close") { closes = true }
            start = next + 1
        }
    }

    /// Compares with a text in lower case, whatever the case of the bytes. Always inlined: a comparison with a text
    /// that is known then takes half as many instructions.
    @inline(__always)
    static func equals(_ bytes: UnsafeRawBufferPointer, _ part: Part, _ text: StaticString) -> Bool {
        guard part.count == text.utf8CodeUnitCount else { return false }
        let expected = text.utf8Start
        for offset in 0..<part.count {
            let byte = bytes[part.start + offset]
            let lowered = byte >= 65 && byte <= 90 ? byte | 0x20 : byte
            if lowered != expected[offset] { return false }
        }
        return true
    }
}
