import Foundation

/// Looks for keys in every object of a repository: the content of files, the names in folders, commits and tags. Objects
/// that no branch leads to any more count too.
struct GitHistory {
    private let folder: RawPath
    private let place: ScanPlace
    private let options: ScanOptions
    private let report: ScanReport
    private let scanner: StreamScanner
    private let pattern: KeyPattern

    init(
        of folder: RawPath, at place: ScanPlace, _ options: ScanOptions, _ pattern: KeyPattern,
        _ scanner: StreamScanner,
        _ report: ScanReport
    ) {
        (self.folder, self.place, self.options) = (folder, place, options)
        (self.pattern, self.scanner, self.report) = (pattern, scanner, report)
    }

    /// Looks at all of it, and says what of it is not here.
    func scan() {
        if let commits = GitRepository.shallowCommits(of: folder) {
            let boundary = Self.counted(commits, "commit")
            report.add(problem: "a shallow clone: what is before \(boundary) is not here", at: place)
        }
        let (finds, problems) = (report.finds.count, report.problems.count)
        attempt { () throws(Unreadable) in try scanObjects() }
        attempt { () throws(Unreadable) in try reportMissing() }
        // What was found counts whether its places can be named or not.
        attempt { () throws(Unreadable) in try nameObjects(finds, problems) }
    }

    private func attempt(_ body: () throws(Unreadable) -> Void) {
        do throws(Unreadable) { try body() } catch { report.add(problem: error.message, at: place) }
    }

    private static func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

    private func git(_ words: [String]) throws(Unreadable) -> LineSource {
        LineSource(try GitProcess(words, in: folder, timeout: options.gitTimeout))
    }

    // MARK: - Objects

    private func scanObjects() throws(Unreadable) {
        let output = try git(["cat-file", "--batch-all-objects", "--batch", "--buffer", "--unordered"])
        while let line = try output.line(endingWith: 10) {
            let words = line.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
            guard words.count == 3, let size = Int(words[2]), size >= 0 else {
                if words.count == 2, words[1] == "missing" {
                    report.add(problem: "the object \(words[0]) is missing", at: place)
                    continue
                }
                throw Unreadable("git wrote what is not understood; the history was not read to its end")
            }
            var object = place
            object.revision = words[0]
            let content = output.part(size)
            switch words[1] {
            case "blob": scanner.scan(content, at: object)
            default: look(at: content, object, ScanFind.Part(rawValue: words[1]) ?? .content)
            }
            // Whatever was not read is behind the end of what was wanted.
            try content.skip()
            guard try output.line(endingWith: 10)?.isEmpty == true else {
                throw Unreadable("git ended within an object; the history was not read to its end")
            }
        }
    }

    private func look(at content: LineSource.Part, _ object: ScanPlace, _ part: ScanFind.Part) {
        var finder = KeyFinder(pattern)
        do throws(Unreadable) {
            while let bytes = try content.next() { finder.feed(bytes) { report.add($0.match, at: object, in: part) } }
        } catch {
            // Its reader says so.
        }
        finder.finish { report.add($0.match, at: object, in: part) }
    }

    // MARK: - What is missing

    /// Says how many objects are not here that branches, tags and the rest need.
    private func reportMissing() throws(Unreadable) {
        let output = try git(["rev-list", "--all", "--reflog", "--objects", "--quiet", "--missing=print"])
        var missing = 0
        var first = ""
        while let line = try output.line(endingWith: 10) {
            guard line.first == UInt8(ascii: "?") else { continue }
            if missing == 0 { first = String(decoding: line.dropFirst().prefix(12), as: UTF8.self) }
            missing += 1
        }
        guard missing > 0 else { return }
        let kind = GitRepository.isPartial(folder) ? "a partial clone: " : ""
        report.add(problem: "\(kind)\(Self.counted(missing, "object")) missing, such as \(first)", at: place)
    }

    // MARK: - Places

    /// Puts the commit and the path in the place of the numbers of blobs.
    private func nameObjects(_ finds: Int, _ problems: Int) throws(Unreadable) {
        let places =
            report.finds[finds...].filter { $0.part == .content || $0.part == .name }.map(\.place)
            + report.problems[problems...].map(\.place)
        let wanted = Set(places.compactMap(\.revision))
        guard !wanted.isEmpty else { return }
        let output = try git([
            "log", "--all", "--reflog", "--raw", "-z", "-m", "--root", "--no-abbrev", "--no-renames", "--no-mailmap",
            "--no-ext-diff", "--no-textconv", "--no-color", "--no-notes", "--no-show-signature", "--no-decorate",
            "--no-follow", "--diff-merges=separate", "--reverse", "--format=tformat:commit %H",
        ])
        var found: [String: (commit: String, path: String)] = [:]
        var commit = ""
        while let field = try output.line(endingWith: 0) {
            // The first change of a commit is behind a line feed.
            let text = field.drop { $0 == 10 }
            if text.starts(with: "commit ".utf8) {
                commit = String(decoding: text.dropFirst(7), as: UTF8.self)
            } else if text.first == UInt8(ascii: ":") {
                let words = text.split(separator: UInt8(ascii: " "))
                guard let path = try output.line(endingWith: 0) else { break }
                guard words.count == 5 else { continue }
                let blob = String(decoding: words[3], as: UTF8.self)
                if wanted.contains(blob), found[blob] == nil { found[blob] = (commit, report.visible(path).text) }
            }
        }
        report.relocate(finds: finds, problems: problems) { place in
            guard place.file == self.place.file, let object = place.revision, let name = found[object] else {
                return place
            }
            var place = place
            (place.revision, place.path) = (name.commit, name.path)
            return place
        }
    }
}
