import CArchive
import Foundation

/// Reads the entries of one archive, or the one content of a compressed file, with libarchive.
///
/// Exactly one format is read, so that every layer of nested archives passes by the caller.
final class ArchiveReader {
    /// An entry of an archive.
    struct Item {
        /// Its path; nil for the content of a compressed file.
        let name: [UInt8]?
        /// What else of it is text: the targets of links, the names of the owners.
        let texts: [[UInt8]]
    }

    private let archive: OpaquePointer
    private let format: ArchiveFormat
    private let limit: UnpackingLimit
    /// Kept for as long as the archive reads from it.
    private let input: Input?
    private var isOver = false
    /// Why an entry was left out.
    private var skipped: Unreadable?

    /// What the archive reads from.
    private final class Input {
        let source: any ByteSource
        var hasFailed = false

        init(_ source: any ByteSource) { self.source = source }
    }

    /// Reads from a source, from its beginning to its end.
    init(_ format: ArchiveFormat, from source: any ByteSource, _ limit: UnpackingLimit) throws(Unreadable) {
        (archive, self.format, self.limit) = (try Self.make(format), format, limit)
        let input = Input(source)
        self.input = input
        let context = Unmanaged.passUnretained(input).toOpaque()
        let result = archive_read_open2(
            archive, context, nil,
            { archive, context, block in
                guard let context, let block else { return -1 }
                let input = Unmanaged<Input>.fromOpaque(context).takeUnretainedValue()
                do throws(Unreadable) {
                    guard let bytes = try input.source.next() else { return 0 }
                    block.pointee = bytes.baseAddress
                    return bytes.count
                } catch {
                    input.hasFailed = true
                    archive_set_error_text(archive, "the data ends early")
                    return -1
                }
            }, nil, nil)
        try check(result)
    }

    /// Reads from a file in which it may go back and forth.
    init(_ format: ArchiveFormat, file: Int32, _ limit: UnpackingLimit) throws(Unreadable) {
        (archive, self.format, self.limit, input) = (try Self.make(format), format, limit, nil)
        guard lseek(file, 0, SEEK_SET) == 0 else { throw Unreadable(systemError: errno) }
        try check(archive_read_open_fd(archive, file, KeyFinder.blockSize))
    }

    deinit { archive_read_free(archive) }

    private static func make(_ format: ArchiveFormat) throws(Unreadable) -> OpaquePointer {
        guard let archive = archive_read_new() else { throw Unreadable("there is no memory for it") }
        let filter: Int32? =
            switch format {
            case .gzip: ARCHIVE_FILTER_GZIP
            case .bzip2: ARCHIVE_FILTER_BZIP2
            case .xz: ARCHIVE_FILTER_XZ
            case .zstd: ARCHIVE_FILTER_ZSTD
            default: nil
            }
        switch format {
        case .tar:
            archive_read_support_format_tar(archive)
            archive_read_set_option(archive, "tar", "read_concatenated_archives", "1")
        case .zip: archive_read_support_format_zip(archive)
        case .sevenZip: archive_read_support_format_7zip(archive)
        case .cpio: archive_read_support_format_cpio(archive)
        case .ar: archive_read_support_format_ar(archive)
        default: archive_read_support_format_raw(archive)
        }
        if let filter, archive_read_append_filter(archive, filter) != ARCHIVE_OK {
            archive_read_free(archive)
            throw Unreadable("this libarchive cannot read the format")
        }
        return archive
    }

    /// The next entry; nil at the end. Ends after a failure.
    func nextItem() throws(Unreadable) -> Item? {
        guard !isOver else { return nil }
        var entry: OpaquePointer?
        // An entry that is to be tried again has failed a thousand times.
        for _ in 0..<1_000 {
            let result = archive_read_next_header(archive, &entry)
            if result == ARCHIVE_EOF {
                isOver = true
                if let skipped { throw skipped }
                return nil
            }
            // A warning is about a name that has no form in this locale.
            if result == ARCHIVE_OK || result == ARCHIVE_WARN, let entry {
                // Entries without content take time and memory too.
                try limit.count(512)
                return item(entry)
            }
            if result == ARCHIVE_FATAL { break }
            // What is behind it may be sound. It is said at the end.
            if skipped == nil { skipped = failure() }
        }
        isOver = true
        throw failure()
    }

    private func item(_ entry: OpaquePointer) -> Item {
        guard !format.isCompression else { return Item(name: nil, texts: []) }
        let name = Self.text(archive_entry_pathname(entry)) ?? Self.text(archive_entry_pathname_utf8(entry))
        let texts = [
            Self.text(archive_entry_symlink(entry)) ?? Self.text(archive_entry_symlink_utf8(entry)),
            Self.text(archive_entry_hardlink(entry)) ?? Self.text(archive_entry_hardlink_utf8(entry)),
            Self.text(archive_entry_uname(entry)), Self.text(archive_entry_gname(entry)),
        ]
        return Item(name: name ?? Array("(a name that cannot be read)".utf8), texts: texts.compactMap(\.self))
    }

    private static func text(_ characters: UnsafePointer<CChar>?) -> [UInt8]? {
        characters.map { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
    }

    /// How many bytes of the source belong to the archive; nil before its end was found.
    var length: Int? {
        let count = archive_filter_bytes(archive, -1)
        return isOver && count >= 0 ? Int(count) : nil
    }

    /// The content of the entry that was read last.
    var content: any ByteSource { Content(self) }

    private final class Content: ByteSource {
        private let reader: ArchiveReader
        /// What an entry has where nothing was stored; not more of it than keeps its neighbours apart.
        private let hole = UnsafeMutableRawBufferPointer.allocate(byteCount: 512, alignment: 16)
        private var offset: Int64 = 0
        private var waiting: UnsafeRawBufferPointer?
        private var isOver = false
        private var warning: Unreadable?

        init(_ reader: ArchiveReader) {
            self.reader = reader
            for index in hole.indices { hole[index] = 0 }
        }

        deinit { hole.deallocate() }

        func next() throws(Unreadable) -> UnsafeRawBufferPointer? {
            if let waiting {
                self.waiting = nil
                return waiting
            }
            guard !isOver else { return nil }
            // Not archive_read_data: what came before a failure counts.
            var (block, count, start): (UnsafeRawPointer?, Int, Int64) = (nil, 0, 0)
            while true {
                (block, count) = (nil, 0)
                let result = archive_read_data_block(reader.archive, &block, &count, &start)
                switch result {
                case ARCHIVE_OK, ARCHIVE_WARN:
                    if result == ARCHIVE_WARN { warning = warning ?? reader.failure() }
                    guard count > 0, let block else {
                        // One that goes on without data has been asked often enough.
                        try reader.limit.count(512)
                        continue
                    }
                    try reader.limit.count(count)
                    return bytes(UnsafeRawBufferPointer(start: block, count: count), at: start)
                case ARCHIVE_EOF:
                    isOver = true
                    if let warning { throw warning }
                    return nil
                case ARCHIVE_RETRY: try reader.limit.count(512)
                default:
                    isOver = true
                    if result == ARCHIVE_FATAL { reader.isOver = true }
                    throw reader.failure()
                }
            }
        }

        private func bytes(_ block: UnsafeRawBufferPointer, at start: Int64) -> UnsafeRawBufferPointer {
            let gap = start - offset
            offset = start + Int64(block.count)
            guard gap > 0 else { return block }
            waiting = block
            return UnsafeRawBufferPointer(rebasing: hole[..<Int(min(gap, Int64(hole.count)))])
        }
    }

    private func check(_ result: Int32) throws(Unreadable) {
        guard result != ARCHIVE_OK, result != ARCHIVE_WARN else { return }
        throw failure()
    }

    private func failure() -> Unreadable {
        let text = Self.text(archive_error_string(archive)) ?? Array("it is damaged".utf8)
        var failure = Unreadable("not unpacked to its end: \(String(decoding: text, as: UTF8.self))")
        // Whoever gave the source says why it ended.
        failure.isReported = input?.hasFailed ?? false
        return failure
    }
}
