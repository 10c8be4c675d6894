/// What is behind the end of an archive: zeros that fill a block, or another archive.
struct RestOfArchive {
    /// How many bytes the archive has.
    let length: Int
    private let format: ArchiveFormat
    private var head: [UInt8] = []
    /// The last bytes of the block before: a signature may begin in them.
    private var tail: [UInt8] = []
    private var isZipFound = false

    private static let zip: [UInt8] = [0x50, 0x4B, 0x03, 0x04]

    init(of format: ArchiveFormat, _ length: Int) { (self.format, self.length) = (format, length) }

    mutating func look(at bytes: UnsafeRawBufferPointer) {
        if head.count < HeadedSource.headSize {
            let content = head.isEmpty ? bytes.drop { $0 == 0 } : bytes[...]
            head += content.prefix(HeadedSource.headSize - head.count)
        }
        // Behind the entries of a zip its list follows; the entries of another one are anywhere.
        guard format == .zip, !isZipFound else { return }
        let searched = tail + bytes
        isZipFound = searched.indices.dropLast(3).contains { place in
            searched[place] == 0x50 && searched[place..<place + 4].elementsEqual(Self.zip)
        }
        tail = searched.suffix(3)
    }

    /// Whether there is an archive that nobody opened.
    var hasArchive: Bool { isZipFound || (format != .zip && ArchiveFormat(head: head[...]) != nil) }
}
