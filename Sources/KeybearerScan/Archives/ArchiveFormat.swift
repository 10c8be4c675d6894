/// The formats that are opened, and those that are known and are not.
enum ArchiveFormat: Equatable {
    case gzip
    case bzip2
    case xz
    case zstd
    case tar
    case zip
    case sevenZip
    case cpio
    case ar
    /// One that is not opened, by its name.
    case unsupported(String)

    /// Whether there is one content in it, without a name.
    var isCompression: Bool {
        switch self {
        case .gzip, .bzip2, .xz, .zstd: true
        default: false
        }
    }

    /// Whether the list of its entries is at its end.
    var hasDirectoryAtEnd: Bool { self == .zip || self == .sevenZip }

    /// Recognises a format by the first bytes of a file; nil for a file that is no archive.
    init?(head: ArraySlice<UInt8>) {
        let head = Array(head)
        if let (_, format) = Self.signatures.first(where: { head.starts(with: $0.signature) }) {
            self = format
        } else if head.starts(with: "BZh".utf8), head.count > 3, (49...57).contains(head[3]) {
            self = .bzip2
        } else if head.count > 3, (0x50...0x5F).contains(head[0]), head[1...3].elementsEqual([0x2A, 0x4D, 0x18]) {
            // A frame that decompressors skip.
            self = .zstd
        } else if Self.isTar(head) {
            self = .tar
        } else if Self.isLZMA(head) {
            self = .unsupported("LZMA")
        } else {
            return nil
        }
    }

    private static let signatures: [(signature: [UInt8], format: ArchiveFormat)] = [
        ([0x1F, 0x8B, 0x08], .gzip),
        ([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00], .xz),
        ([0x28, 0xB5, 0x2F, 0xFD], .zstd),
        ([0x50, 0x4B, 0x03, 0x04], .zip),
        // Without entries; the first part of several; and a marker before the first entry.
        ([0x50, 0x4B, 0x05, 0x06], .zip),
        ([0x50, 0x4B, 0x07, 0x08], .zip),
        ([0x50, 0x4B, 0x30, 0x30, 0x50, 0x4B, 0x03, 0x04], .zip),
        ([0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], .sevenZip),
        (Array("!<arch>\n".utf8), .ar),
        (Array("070701".utf8), .cpio),
        (Array("070702".utf8), .cpio),
        (Array("070707".utf8), .cpio),
        (Array("Rar!\u{1A}\u{07}".utf8), .unsupported("RAR")),
        (Array("MSCF\0\0\0\0".utf8), .unsupported("CAB")),
        ([0x04, 0x22, 0x4D, 0x18], .unsupported("LZ4")),
        (Array("LZIP\u{1}".utf8), .unsupported("lzip")),
        ([0x89, 0x4C, 0x5A, 0x4F, 0x00, 0x0D, 0x0A, 0x1A, 0x0A], .unsupported("lzop")),
        ([0x02, 0x21, 0x4C, 0x18], .unsupported("LZ4")),
        ([0x1F, 0x9D], .unsupported("compress")),
        ([0x71, 0xC7], .cpio),
        ([0xC7, 0x71], .cpio),
        // What git compresses, outside of a repository among it.
        ([0x78, 0x01], .unsupported("zlib")),
        ([0x78, 0x9C], .unsupported("zlib")),
        ([0x78, 0xDA], .unsupported("zlib")),
        (Array("xar!".utf8), .unsupported("xar")),
        (Array("hsqs".utf8), .unsupported("SquashFS")),
        (Array("MSWIM\0\0\0".utf8), .unsupported("WIM")),
        (Array("LRZI".utf8), .unsupported("lrzip")),
        (Array("PACK\0\0\0\u{3}".utf8), .unsupported("git pack")),
        ([0xED, 0xAB, 0xEE, 0xDB], .unsupported("RPM")),
        (Array("PACK\0\0\0\u{2}".utf8), .unsupported("git pack")),
        (Array("# v2 git bundle\n".utf8), .unsupported("git bundle")),
        (Array("# v3 git bundle\n".utf8), .unsupported("git bundle")),
    ]

    /// LZMA alone has no signature: a byte of properties, the size of its dictionary, and that of the content or none.
    private static func isLZMA(_ head: [UInt8]) -> Bool {
        guard head.count > 13, head[0] == 0x5D, head[1] == 0, head[2] == 0 else { return false }
        return head[5..<13].allSatisfy { $0 == 0xFF } || head[10..<13].allSatisfy { $0 == 0 }
    }

    /// A header of tar has a checksum, whatever its dialect.
    private static func isTar(_ head: [UInt8]) -> Bool {
        guard head.count >= 512, head[0] != 0 else { return false }
        // A damaged one is opened too: then its damage is said.
        if head[257..<262].elementsEqual("ustar".utf8) { return true }
        let digits = head[148..<156].filter { $0 != 0 && $0 != UInt8(ascii: " ") }
        guard let stated = Int(String(decoding: digits, as: UTF8.self), radix: 8) else { return false }
        let others = head[..<148] + head[156..<512]
        let unsigned = others.reduce(8 * 32) { $0 + Int($1) }
        let signed = others.reduce(8 * 32) { $0 + Int(Int8(bitPattern: $1)) }
        return stated == unsigned || stated == signed
    }

    /// Whether a file ends as a zip does. Programs that unpack themselves, and jars that run, begin otherwise.
    ///
    /// - Parameter tail: the last 65,557 bytes: the record of the end and its longest comment.
    static func isZip(tail: [UInt8]) -> Bool {
        guard tail.count >= 22 else { return false }
        for start in stride(from: tail.count - 22, through: 0, by: -1) where tail[start] == 0x50 {
            guard tail[start..<start + 4].elementsEqual([0x50, 0x4B, 0x05, 0x06]) else { continue }
            let comment = Int(tail[start + 20]) | Int(tail[start + 21]) << 8
            if start + 22 + comment <= tail.count { return true }
        }
        return false
    }

    /// The most bytes that ``isZip(tail:)`` looks at.
    static let tailSize = 65_557
}
