import Foundation

/// Goes through files and folders, and finds the repositories among them.
///
/// Symbolic links are not followed, except those that a scan was told to look at: what they lead to is in the given
/// paths itself, or was not asked for.
final class PathWalker {
    /// What is done with what is found.
    struct Visitor {
        /// A file that was opened.
        var file: (_ file: Int32, _ place: ScanPlace) -> Void
        /// The folder of a repository's objects and references.
        var repository: (_ folder: RawPath, _ place: ScanPlace) -> Void
    }

    /// A folder or file that is to be visited.
    private struct Waiting {
        let path: RawPath
        /// The path as people see it: without keys.
        let shown: String
    }

    private let report: ScanReport
    private let visitor: Visitor
    private var waiting: [Waiting] = []
    /// Folders that were visited, by device and number: a folder that is mounted in itself ends.
    private var visited: Set<[UInt64]> = []

    init(_ report: ScanReport, _ visitor: Visitor) {
        (self.report, self.visitor) = (report, visitor)
    }

    /// Visits a path, and everything in it.
    func walk(_ path: RawPath) {
        let place = report.place(named: path.bytes) { ScanPlace(file: $0) }
        guard let status = path.status(followsLink: true) else {
            return report.add(problem: Unreadable(systemError: errno).message, at: place)
        }
        visit(path, status, place)
        while let next = waiting.popLast() {
            let place = ScanPlace(file: next.shown)
            guard let status = next.path.status(followsLink: false) else {
                report.add(problem: Unreadable(systemError: errno).message, at: place)
                continue
            }
            visit(next.path, status, place)
        }
    }

    private func visit(_ path: RawPath, _ status: stat, _ place: ScanPlace) {
        switch status.st_mode & S_IFMT {
        case S_IFREG: visitFile(path, status, place)
        case S_IFDIR:
            guard visited.insert([UInt64(status.st_dev), UInt64(status.st_ino)]).inserted else { return }
            visitFolder(path, place)
        case S_IFLNK:
            if let target = path.target { report.look(into: target, at: place) }
        case S_IFIFO: report.add(problem: "skipped: it is a named pipe", at: place)
        case S_IFSOCK: report.add(problem: "skipped: it is a socket", at: place)
        default: report.add(problem: "skipped: it is a device", at: place)
        }
    }

    private func visitFile(_ path: RawPath, _ seen: stat, _ place: ScanPlace) {
        // It may have become something else meanwhile: a named pipe must not block, and a link is not followed.
        let file = path.withCharacters { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
        guard file >= 0 else { return report.add(problem: Unreadable(systemError: errno).message, at: place) }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_ino == seen.st_ino, status.st_dev == seen.st_dev else {
            return report.add(problem: "skipped: it was replaced meanwhile", at: place)
        }
        visitor.file(file, place)
        if path.name.elementsEqual(".git".utf8) { visitLink(path, place) }
    }

    /// A file `.git` says where the repository of a work tree or a submodule is.
    private func visitLink(_ path: RawPath, _ place: ScanPlace) {
        guard let folder = GitRepository.folder(linkedBy: path) else {
            return report.add(problem: "the repository that it names is not there", at: place)
        }
        visitor.repository(folder, report.place(named: folder.bytes, isReported: false) { ScanPlace(file: $0) })
    }

    /// What is among a repository's objects and is none that git reads: what an interrupted fetch left, or anything else.
    private func strayFiles(in objects: RawPath, _ place: ScanPlace) -> [Waiting] {
        var found: [Waiting] = []
        for folder in (try? objects.names()) ?? [] {
            let inside = objects.appending(folder)
            let names = inside.isFolder ? (try? inside.names()) ?? [] : []
            let strays = inside.isFolder ? names.filter { !GitRepository.isObject($0, in: folder, of: names) } : [[]]
            for name in strays {
                let path = name.isEmpty ? inside : inside.appending(name)
                let shown = report.place(named: folder + (name.isEmpty ? [] : [UInt8(ascii: "/")] + name)) {
                    ScanPlace(file: "\(place.file)/objects/\($0)")
                }
                found.append(Waiting(path: path, shown: shown.file))
            }
        }
        return found
    }

    private func visitFolder(_ path: RawPath, _ place: ScanPlace) {
        let isRepository = GitRepository.isRepository(path)
        if isRepository { visitor.repository(path, place) }
        do throws(Unreadable) {
            var found: [Waiting] = []
            for name in try path.names() {
                // Its objects are compressed in git's own ways: they were looked at with git.
                if isRepository, name.elementsEqual("objects".utf8) {
                    found += strayFiles(in: path.appending(name), place)
                    continue
                }
                let inside = place.file.hasSuffix("/") ? place.file : place.file + "/"
                let shown = report.place(named: name) { ScanPlace(file: inside + $0) }
                found.append(Waiting(path: path.appending(name), shown: shown.file))
            }
            waiting += found.reversed()
        } catch {
            report.add(problem: error.message, at: place)
        }
    }
}
