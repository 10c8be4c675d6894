import CArchive
import Foundation

/// Archives that are made for a test.
enum MadeArchive {
    enum Kind {
        case tar, zip, cpio, ar, sevenZip
    }

    enum Compression: CaseIterable {
        case gzip, bzip2, xz, zstd

        var code: Int32 {
            switch self {
            case .gzip: ARCHIVE_FILTER_GZIP
            case .bzip2: ARCHIVE_FILTER_BZIP2
            case .xz: ARCHIVE_FILTER_XZ
            case .zstd: ARCHIVE_FILTER_ZSTD
            }
        }
    }

    struct Failure: Error {
        let text: String
    }

    /// An archive with these files.
    static func make(
        _ kind: Kind, _ files: [(name: String, content: [UInt8])], stored: Bool = false,
        _ compression: Compression? = nil
    ) throws -> [UInt8] {
        try write { archive in
            switch kind {
            case .tar: archive_write_set_format_pax_restricted(archive)
            case .zip:
                archive_write_set_format_zip(archive)
                if stored { archive_write_zip_set_compression_store(archive) }
            case .cpio: archive_write_set_format_cpio_newc(archive)
            case .ar: archive_write_set_format_ar_bsd(archive)
            case .sevenZip: archive_write_set_format_7zip(archive)
            }
            if let compression { archive_write_add_filter(archive, compression.code) }
        } _: { archive in
            for file in files { try add(file.name, file.content, to: archive) }
        }
    }

    /// A compressed file.
    static func compress(_ content: [UInt8], _ compression: Compression) throws -> [UInt8] {
        try write { archive in
            archive_write_set_format_raw(archive)
            archive_write_add_filter(archive, compression.code)
        } _: {
            try add("content", content, to: $0)
        }
    }

    private static func add(_ name: String, _ content: [UInt8], to archive: OpaquePointer) throws {
        let entry = archive_entry_new()
        defer { archive_entry_free(entry) }
        archive_entry_set_pathname(entry, name)
        archive_entry_set_filetype(entry, 0o100_000)
        archive_entry_set_perm(entry, 0o644)
        archive_entry_set_size(entry, Int64(content.count))
        guard archive_write_header(archive, entry) == ARCHIVE_OK,
            archive_write_data(archive, content, content.count) == content.count
        else { throw Failure(text: String(cString: archive_error_string(archive))) }
    }

    private static func write(
        _ format: (OpaquePointer) -> Void, _ body: (OpaquePointer) throws -> Void
    ) throws -> [UInt8] {
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 32 << 20, alignment: 16)
        defer { room.deallocate() }
        guard let archive = archive_write_new() else { throw Failure(text: "no memory") }
        defer { archive_write_free(archive) }
        format(archive)
        archive_write_set_bytes_in_last_block(archive, 1)
        // The library writes the number of bytes there until the end.
        let used = UnsafeMutablePointer<Int>.allocate(capacity: 1)
        defer { used.deallocate() }
        used.pointee = 0
        archive_write_open_memory(archive, room.baseAddress, room.count, used)
        try body(archive)
        archive_write_close(archive)
        return Array(room[..<used.pointee])
    }
}
