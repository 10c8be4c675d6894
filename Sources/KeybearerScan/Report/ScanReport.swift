/// Collects what was found and what could not be read.
///
/// It is the only way to a place and to a message: keys in names and messages are replaced by their first characters, and
/// are finds themselves.
package final class ScanReport {
    /// The most finds that are kept; that there were more is a problem.
    static let mostFinds = 100_000
    static let mostProblems = 10_000
    /// The most characters of a name that are shown. All of it is searched.
    static let longestName = 4_096

    package private(set) var finds: [ScanFind] = []
    package private(set) var problems: [ScanProblem] = []
    private let pattern: KeyPattern
    private var known: Set<ScanProblem> = []

    init(_ pattern: KeyPattern) { self.pattern = pattern }

    // MARK: - Finds

    func add(_ find: ScanFind) {
        guard finds.count < Self.mostFinds else {
            return add(problem: "there are more finds than \(Self.mostFinds); the others are left out", at: find.place)
        }
        finds.append(find)
    }

    /// A find in the part of a place that has no lines.
    func add(_ match: KeyMatch, at place: ScanPlace, in part: ScanFind.Part) {
        add(ScanFind(match: match, place: place, part: part, line: nil, column: nil))
    }

    /// The secrets that were found since there were so many finds.
    func tokens(since count: Int) -> Set<[UInt8]> { Set(finds[count...].map(\.match.token)) }

    /// Puts places into finds and problems that were made since then: those of objects, once it is known what they are.
    func relocate(finds count: Int, problems problemCount: Int, _ locate: (ScanPlace) -> ScanPlace) {
        for index in finds.indices[count...] { finds[index].place = locate(finds[index].place) }
        for index in problems.indices[problemCount...] {
            problems[index] = ScanProblem(place: locate(problems[index].place), message: problems[index].message)
        }
    }

    /// Keeps one of each find with the same secret and place that came since there were so many.
    func removeRepetitions(since count: Int) {
        var seen: Set<[String]> = []
        let kept = finds[count...].filter { find in
            seen.insert([find.location, find.part.rawValue, String(decoding: find.match.token, as: UTF8.self)]).inserted
        }
        finds.replaceSubrange(count..., with: kept)
    }

    // MARK: - Problems

    /// The place whose problems are left out, because they are known. Those of what is inside of it are not.
    var mutedPlace: ScanPlace?

    func add(problem message: String, at place: ScanPlace) {
        guard place != mutedPlace else { return }
        let (shown, matches) = visible(Array(message.utf8))
        for match in matches { add(match, at: place, in: .name) }
        let problem = ScanProblem(place: place, message: shown)
        guard known.insert(problem).inserted else { return }
        switch problems.count {
        case ..<Self.mostProblems: problems.append(problem)
        case Self.mostProblems:
            problems.append(ScanProblem(place: place, message: "there are more problems than are shown"))
        default: break
        }
    }

    // MARK: - Names

    /// A name as people may see it. What is a key in it is reported at the place that is made of it.
    ///
    /// - Parameter isReported: false for a name that was reported before.
    func place(named name: [UInt8], isReported: Bool = true, _ makePlace: (String) -> ScanPlace) -> ScanPlace {
        let (shown, matches) = visible(name)
        let place = makePlace(shown.count > Self.longestName ? shown.prefix(Self.longestName) + "…" : shown)
        if isReported { for match in matches { add(match, at: place, in: .name) } }
        return place
    }

    /// Looks for keys in a text that is no content, such as the target of a link.
    func look(into text: [UInt8], at place: ScanPlace) {
        for match in pattern.matches(in: text) { add(match, at: place, in: .name) }
    }

    /// A text with its keys cut to their first characters, and with bytes that are no UTF-8 written out.
    func visible(_ text: [UInt8]) -> (text: String, matches: [KeyMatch]) {
        let matches = pattern.matches(in: text)
        var shown: [UInt8] = []
        var place = 0
        // Where two overlap, the end of one looks like the prefix of the other: nothing of either is shown twice.
        for match in matches where match.range.upperBound > place {
            if match.range.lowerBound >= place {
                shown += text[place..<match.range.lowerBound] + Array(match.shown.utf8)
            }
            shown += Array("…".utf8)
            place = match.range.upperBound
        }
        shown += text[place...]
        return (Self.decoded(shown), matches)
    }

    private static func decoded(_ bytes: [UInt8]) -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        var text = ""
        var rest = bytes[...]
        while let first = rest.first {
            // A character has at most four bytes.
            let whole = (1...4).lazy.compactMap { String(validating: rest.prefix($0), as: UTF8.self) }.first
            if let whole {
                text += whole
                rest = rest.dropFirst(whole.utf8.count)
            } else {
                let digits = String(first, radix: 16, uppercase: true)
                text += "\\x" + (first < 16 ? "0" + digits : digits)
                rest = rest.dropFirst()
            }
        }
        return text
    }
}
