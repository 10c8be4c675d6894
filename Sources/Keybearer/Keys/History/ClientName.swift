/// What a client says of itself in `User-Agent`, as it is kept and shown.
public enum ClientName {
    /// The most bytes that are kept.
    public static let mostBytes = 120

    /// The beginning of a text in visible characters: ASCII alone, with a question mark for every other byte, and no
    /// space at the ends.
    public static func visible(_ bytes: some Sequence<UInt8>) -> String {
        let kept = bytes.lazy.drop { $0 <= 0x20 }.prefix(mostBytes).map { (0x20...0x7E).contains($0) ? $0 : 0x3F }
        var text = Array(kept)
        while text.last == 0x20 { text.removeLast() }
        return String(decoding: text, as: UTF8.self)
    }
}
