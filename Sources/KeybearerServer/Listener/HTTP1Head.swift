import NIOHTTP1

/// What the head of an HTTP/1 request says of its connection. One look at every header, and nothing copied.
struct HTTP1Head {
    private var hosts = 0
    private var hasUpgrade = false
    private let isKeepAlive: Bool
    private let isVersion11: Bool
    /// Whether every `Host` is one by its characters.
    private var areHosts = true
    /// Whether the body's end can be told from `Transfer-Encoding` in one way only.
    private var isFramedPlainly = true
    private var encodings = 0
    private(set) var expectsContinue = false
    /// Whether the target is a path, as nearly always.
    let isOriginForm: Bool

    init(_ head: HTTPRequestHead) {
        isOriginForm = head.uri.utf8.first == UInt8(ascii: "/")
        // The parser has read `Connection` in every spelling.
        isKeepAlive = head.isKeepAlive && head.method != .CONNECT
        isVersion11 = head.version == .http1_1
        for (name, value) in head.headers {
            switch name.utf8.count {
            case 4 where Self.equals(name.utf8, "host"):
                hosts += 1
                areHosts = areHosts && HostText.isValid(Self.trimmed(value))
            case 6 where Self.equals(name.utf8, "expect"):
                expectsContinue = isVersion11 && Self.equals(Self.trimmed(value), "100-continue")
            case 7 where Self.equals(name.utf8, "upgrade"): hasUpgrade = true
            case 17 where Self.equals(name.utf8, "transfer-encoding"):
                encodings += 1
                isFramedPlainly = isVersion11 && encodings == 1 && Self.equals(Self.trimmed(value), "chunked")
            default: break
            }
        }
    }

    /// RFC 9112 §3.2: one `Host`, and not none in HTTP/1.1. And §6.1: no `Transfer-Encoding` but `chunked`, which two
    /// programs on the way could read in two ways.
    var isAcceptable: Bool { isFramedPlainly && areHosts && hosts <= 1 && (hosts == 1 || !isVersion11) }

    /// Whether the connection ends with the answer: as was asked for; because HTTP/1.0 has it so; or because the parser
    /// takes what follows for another protocol's.
    var isLast: Bool { !isKeepAlive || !isVersion11 || hasUpgrade }

    /// A value without the blanks around it, which are no part of it (RFC 9112 §5.1). The parser leaves those behind
    /// it.
    private static func trimmed(_ value: String) -> Substring.UTF8View {
        var text = value.utf8[...]
        while let last = text.last, last == UInt8(ascii: " ") || last == UInt8(ascii: "\t") { text.removeLast() }
        return text.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    }

    /// Compares with a text in lower case, whatever the case of the other.
    private static func equals(_ text: some Collection<UInt8>, _ expected: StaticString) -> Bool {
        guard text.count == expected.utf8CodeUnitCount else { return false }
        var index = 0
        for byte in text {
            let lowered = byte >= 65 && byte <= 90 ? byte | 0x20 : byte
            if lowered != expected.utf8Start[index] { return false }
            index += 1
        }
        return true
    }
}
