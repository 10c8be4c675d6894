import Foundation

/// Looks for keys in a stream of bytes, and in what it holds if it is an archive.
///
/// The bytes themselves are always looked at as well: an archive has comments, and bytes that belong to no entry.
final class StreamScanner {
    /// How many archives may be inside of each other; a compressed archive is two.
    private let depth: Int
    private let mostUnpacked: Int
    /// Of the file or the history that is looked at.
    private var limit: UnpackingLimit
    private let pattern: KeyPattern
    private let report: ScanReport

    init(_ options: ScanOptions, _ pattern: KeyPattern, _ report: ScanReport) {
        depth = options.archiveDepth
        mostUnpacked = options.unpackLimit
        limit = UnpackingLimit(mostUnpacked)
        (self.pattern, self.report) = (pattern, report)
    }

    /// Begins something of its own: what was unpacked before does not count against it.
    func begin() { limit = UnpackingLimit(mostUnpacked) }

    /// Looks at a whole stream.
    func scan(_ source: any ByteSource, at place: ScanPlace, insideOf layers: Int = 0) {
        scan(source, at: place, layers, since: report.finds.count)
    }

    /// - Parameters:
    ///   - finds: how many finds there were before the place was looked at. What is among those that came since is not
    ///     reported as found in the bytes.
    ///   - isRead: whether the archive was read before, so that its problems are known.
    private func scan(
        _ source: any ByteSource, at place: ScanPlace, _ layers: Int, since finds: Int, isRead: Bool = false
    ) {
        let headed = HeadedSource(source)
        let raw = RawFinds(pattern, at: place)
        var end: [UInt8] = []
        let format = ArchiveFormat(head: headed.firstBytes)
        // One that is a file of its own was opened by its end.
        let needsEnd = format == nil && !isRead
        let observed = ObservedSource(headed) { bytes in
            raw.look(at: bytes)
            if needsEnd { end = (end + bytes.suffix(ArchiveFormat.tailSize)).suffix(ArchiveFormat.tailSize) }
        }
        var rest: RestOfArchive?
        if let format, !isRead || format == .zip {
            let muted = report.mutedPlace
            if isRead { report.mutedPlace = place }
            let length = open(format, at: place, layers) { () throws(Unreadable) in
                try ArchiveReader(format, from: observed, limit)
            }
            report.mutedPlace = muted
            rest = length.map { RestOfArchive(of: format, $0) }
        }
        observed.drain(behind: rest?.length) { rest?.look(at: $0) }
        if needsEnd, ArchiveFormat.isZip(tail: end) {
            report.add(
                problem: "a zip behind other bytes was not unpacked; only its bytes were searched", at: place)
        }
        if rest?.hasArchive == true {
            report.add(problem: "what is behind its end was not unpacked; only its bytes were searched", at: place)
        }
        if let failure = observed.failure, !failure.isReported { report.add(problem: failure.message, at: place) }
        raw.finish(into: report, except: report.tokens(since: finds))
    }

    /// Looks at an open file, from its beginning.
    func scan(file: Int32, at place: ScanPlace, onRead: @escaping (Int) -> Void) {
        begin()
        let source = FileSource(file, onRead: onRead)
        guard let format = Self.formatWithDirectory(of: file) else { return scan(source, at: place) }
        let before = report.finds.count
        open(format, at: place, 0) { () throws(Unreadable) in try ArchiveReader(format, file: file, limit) }
        guard lseek(file, 0, SEEK_SET) == 0 else {
            return report.add(problem: Unreadable(systemError: errno).message, at: place)
        }
        // Again from its beginning: a zip can have entries that its list does not have.
        begin()
        scan(source, at: place, 0, since: before, isRead: true)
        report.removeRepetitions(since: before)
    }

    /// The format of a file whose list of entries is at its end; nil for any other file. Leaves the file at its beginning.
    private static func formatWithDirectory(of file: Int32) -> ArchiveFormat? {
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size > 0 else { return nil }
        func bytes(at offset: Int, _ count: Int) -> [UInt8] {
            [UInt8](unsafeUninitializedCapacity: count) {
                $1 = max(0, pread(file, $0.baseAddress, count, off_t(offset)))
            }
        }
        let size = Int(status.st_size)
        let format = ArchiveFormat(head: bytes(at: 0, HeadedSource.headSize)[...])
        if let format { return format.hasDirectoryAtEnd ? format : nil }
        let tail = min(size, ArchiveFormat.tailSize)
        return ArchiveFormat.isZip(tail: bytes(at: size - tail, tail)) ? .zip : nil
    }

    // MARK: - Archives

    /// - Returns: how many bytes the archive has; nil where it was not read to its end.
    @discardableResult
    private func open(
        _ format: ArchiveFormat, at place: ScanPlace, _ layers: Int,
        _ makeReader: () throws(Unreadable) -> ArchiveReader
    ) -> Int? {
        do throws(Unreadable) {
            if case .unsupported(let name) = format {
                throw Unreadable("not unpacked: \(name) is not supported; only its bytes were searched")
            }
            guard layers < depth else {
                throw Unreadable(
                    "not unpacked: it is inside of \(depth) others (--archive-depth); only its bytes were searched")
            }
            guard !limit.isReached else { throw Unreadable(limit.message) }
            let reader = try makeReader()
            try read(reader, at: place, layers)
            return reader.length
        } catch {
            if !error.isReported { report.add(problem: error.message, at: place) }
            return nil
        }
    }

    private func read(_ reader: ArchiveReader, at place: ScanPlace, _ layers: Int) throws(Unreadable) {
        while let item = try reader.nextItem() {
            let inside = item.name.map { report.place(named: $0) { place.inside($0) } } ?? place
            for text in item.texts { report.look(into: text, at: inside) }
            let content = reader.content
            scan(content, at: inside, insideOf: layers + 1)
            // Said where it was reached.
            if limit.isReached { throw Unreadable.reported }
        }
    }
}

extension Unreadable {
    /// A failure of which a problem says more already.
    static var reported: Unreadable {
        var failure = Unreadable("")
        failure.isReported = true
        return failure
    }
}

/// What is found in the bytes of a stream, kept until it is known what is in the archive that they are.
private final class RawFinds {
    private let place: ScanPlace
    private var finder: KeyFinder
    private var finds: [ScanFind] = []
    private var isTooMany = false

    init(_ pattern: KeyPattern, at place: ScanPlace) {
        (finder, self.place) = (KeyFinder(pattern), place)
    }

    func look(at bytes: UnsafeRawBufferPointer) { finder.feed(bytes) { add($0) } }

    private func add(_ found: KeyFinder.Found) {
        guard finds.count < ScanReport.mostFinds else { return isTooMany = true }
        finds.append(
            ScanFind(match: found.match, place: place, part: .content, line: found.line, column: found.column))
    }

    /// Reports what was found, without the secrets that were found in a better place: an entry of the archive.
    func finish(into report: ScanReport, except tokens: Set<[UInt8]>) {
        finder.finish { add($0) }
        for find in finds where !tokens.contains(find.match.token) { report.add(find) }
        if isTooMany { report.add(problem: "there are more finds than \(ScanReport.mostFinds)", at: place) }
    }
}
