/// Names that people give to settings, in the file and in the environment: known, foreign, or a mistake.
enum SettingNames {
    private static let prefix = "KEYBEARER_"

    /// Variables that are no settings and have a meaning: for this program, for programs that call it, and for its
    /// tests.
    private static let others: Set<String> = [
        "KEYBEARER_CONFIG", "KEYBEARER_URL", "KEYBEARER_OPERATOR_TOKEN", "KEYBEARER_BINARY", "KEYBEARER_POSTGRES_BIN",
        "KEYBEARER_POSTGRES_FSYNC", "KEYBEARER_SCREENSHOTS",
    ]

    /// Refuses a variable that looks like a setting and is none.
    ///
    /// - Throws: ``SettingError``; its text never holds the variable's value.
    static func check(variables: [String: String]) throws(SettingError) {
        let known = Set(Setting.allCases.map(\.variable)).union(others)
        for (name, value) in variables.sorted(by: { $0.key < $1.key }) where isOurs(name) {
            if known.contains(name) || name.hasPrefix("KEYBEARER_TEST_") || isOfKubernetes(name, value) { continue }
            throw unknown(name, in: "the environment", among: Setting.allCases.map(\.variable).sorted())
        }
    }

    /// The error for a name that is no setting.
    static func unknown(_ name: String, in source: String, among known: [String]) -> SettingError {
        let near = known.map { ($0, distance(plain(name), plain($0))) }.min { $0.1 < $1.1 }
        let suggestion = near.flatMap { $0.1 <= 2 ? " (did you mean \($0.0)?)" : nil } ?? ""
        return SettingError(
            name: name, got: "a name that is no setting\(suggestion)", source: source,
            wants: "one of \(known.joined(separator: ", "))")
    }

    private static func isOurs(_ name: String) -> Bool { name.uppercased().hasPrefix(prefix) }

    /// Kubernetes sets such variables for every service of a namespace, and one may be called keybearer.
    private static func isOfKubernetes(_ name: String, _ value: String) -> Bool {
        if name.hasSuffix("_PORT") && value.contains("://") { return true }
        let pattern = /KEYBEARER_(.+_)?(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_.+)?)/
        return name.wholeMatch(of: pattern) != nil
    }

    /// Without what people confuse: capital letters, hyphens and underscores.
    private static func plain(_ name: String) -> [Character] {
        let name = name.uppercased()
        return (name.hasPrefix(prefix) ? name.dropFirst(prefix.count) : name[...]).filter { $0 != "-" && $0 != "_" }
            .map { $0 }
    }

    /// How many letters must be added, removed or replaced to get from one word to the other.
    private static func distance(_ one: [Character], _ other: [Character]) -> Int {
        if one.count > 60 { return one.count }
        var row = Array(0...other.count)
        for (index, letter) in one.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for (place, candidate) in other.enumerated() {
                let best = min(diagonal + (letter == candidate ? 0 : 1), row[place] + 1, row[place + 1] + 1)
                diagonal = row[place + 1]
                row[place + 1] = best
            }
        }
        return row[other.count]
    }
}
