import Foundation
import Keybearer

/// Looks for keys in files, folders, archives, histories of repositories and standard input.
package final class Scanner {
    /// What was found, and what was not read.
    package let report: ScanReport
    private let options: ScanOptions
    private let pattern: KeyPattern
    private let streams: StreamScanner
    private var repositories: Set<RawPath> = []
    /// How many bytes of files were read.
    private var bytesRead = 0
    private let onRead: (Int) -> Void
    /// One for all paths: what is in two of them is visited once.
    private lazy var walker = PathWalker(
        report,
        PathWalker.Visitor(
            file: { [unowned self] file, place in streams.scan(file: file, at: place, onRead: count) },
            repository: { [unowned self] folder, place in scanHistory(folder, place) }))

    /// - Parameter onRead: gets how many bytes were read so far.
    package init(_ options: ScanOptions, onRead: @escaping (Int) -> Void = { _ in }) {
        (self.options, self.onRead) = (options, onRead)
        pattern = KeyPattern(prefixes: options.prefixes)
        report = ScanReport(pattern)
        streams = StreamScanner(options, pattern, report)
        // Names in archives are converted by it; the one that a process has without this knows ASCII alone.
        if setlocale(LC_CTYPE, "C.UTF-8") == nil { setlocale(LC_CTYPE, "en_US.UTF-8") }
    }

    /// Looks at a file or a folder.
    package func scan(path: String) {
        walker.walk(RawPath(path))
    }

    /// Looks at an open file, such as standard input.
    package func scan(file: Int32, named name: String) {
        streams.begin()
        streams.scan(FileSource(file, onRead: count), at: report.place(named: Array(name.utf8)) { ScanPlace(file: $0) })
    }

    private func count(_ bytes: Int) {
        bytesRead += bytes
        onRead(bytesRead)
    }

    private func scanHistory(_ folder: RawPath, _ place: ScanPlace) {
        guard options.readsHistory, let canonical = folder.canonical else { return }
        guard repositories.insert(canonical).inserted else { return }
        streams.begin()
        GitHistory(of: folder, at: place, options, pattern, streams, report).scan()
    }

    /// How many bytes the files in these paths have, the objects of repositories left out. What cannot be seen is not
    /// counted.
    package static func size(of paths: [String]) -> Int {
        var waiting = paths.map { RawPath($0).canonical ?? RawPath($0) }
        var sum = 0
        while let path = waiting.popLast() {
            guard let status = path.status(followsLink: false) else { continue }
            switch status.st_mode & S_IFMT {
            case S_IFREG: sum += Int(status.st_size)
            case S_IFDIR:
                let isRepository = GitRepository.isRepository(path)
                let names = ((try? path.names()) ?? []).filter { !isRepository || !$0.elementsEqual("objects".utf8) }
                waiting += names.map { path.appending($0) }
            default: break
            }
        }
        return sum
    }
}
