import Keybearer

/// The version of Keybearer that a node registered, for what an older node would not honour.
struct NodeVersion: Comparable {
    private let numbers: [Int]

    /// The first version whose nodes know imported keys.
    static let importingKeys = NodeVersion("0.2.0")
    /// The first version whose nodes know service accounts.
    static let serviceAccounts = NodeVersion("0.2.0")

    /// The first version whose nodes look at allowed networks.
    static let allowingNetworks = NodeVersion("0.2.0")

    /// Reads `1.2.3`; what is not understood, such as nothing at all, is older than everything.
    init(_ text: String) {
        let release = text.prefix { $0 != "-" && $0 != "+" }
        numbers = release.split(separator: ".", omittingEmptySubsequences: false).map { Int($0) ?? -1 }
    }

    static func < (left: NodeVersion, right: NodeVersion) -> Bool {
        left.numbers.lexicographicallyPrecedes(right.numbers)
    }
}

extension SQLConnection {
    /// Refuses what an older node that is registered would not honour.
    ///
    /// - Parameter what: what is refused, at the beginning of a sentence.
    /// - Throws: `CONFLICT`.
    func requireNodes(of version: NodeVersion, for what: String) throws {
        for row in try rows(NodeSQL.list) {
            let node = try StoredValues.node(row)
            if NodeVersion(node.version) < version {
                throw KeybearerError.olderNode(label: node.label, version: node.version, what: what)
            }
        }
    }
}

extension KeybearerError {
    fileprivate static func olderNode(label: String, version: String, what: String) -> KeybearerError {
        let name = label.isEmpty ? "A server" : "The server '\(label)'"
        let runs = version.isEmpty ? "an older version" : "version \(version)"
        return KeybearerError(
            .conflict,
            "\(name) runs \(runs) of Keybearer. \(what) need this version on every server: update it, or stop it and "
                + "wait until 'keybearer node list' does not show it.")
    }
}
