/// A numbered change: what must no longer be believed of it.
package struct Change: Sendable, Hashable {
    /// What the change touched.
    package enum Subject: Sendable, Hashable {
        /// One account: its key, its status, its memberships.
        case user(UserID)
        /// A workspace: its plan or its existence.
        case workspace(WorkspaceID)
        /// The hour of one account: what was reserved of it before is void.
        case window(of: UserID)
        /// More than can be named, such as the catalogue.
        case everything
        /// Nothing: there are more imported keys, of accounts that were not there. Their digest prefixes.
        case importedKeys([DigestPrefix])

        /// How many prefixes one change names at most.
        static let mostPrefixes = 100

        /// The same subjects, with all imported keys in as few as possible, which come last.
        package static func joined(_ subjects: [Subject]) -> [Subject] {
            var (others, prefixes): ([Subject], [DigestPrefix]) = ([], [])
            for subject in subjects {
                if case .importedKeys(let more) = subject { prefixes += more } else { others.append(subject) }
            }
            let starts = stride(from: 0, to: prefixes.count, by: mostPrefixes)
            return others
                + starts.map { .importedKeys(Array(prefixes[$0..<min(prefixes.count, $0 + mostPrefixes)])) }
        }
    }

    /// Its place in the order.
    package let position: ChangeLogPosition
    /// What it touched.
    package let subject: Subject

    /// Puts a change together.
    package init(position: ChangeLogPosition, subject: Subject) {
        self.position = position
        self.subject = subject
    }
}

/// The number of a change in the change log, with a random nonce that tells one history from another.
///
/// Numbers run without gaps in the order in which changes became visible. After a failover or a restore the same
/// number may name another change; its nonce then differs.
package struct ChangeLogPosition: Sendable, Hashable {
    /// 1 for the first change; 0 before it.
    package let number: Int64
    /// Random, made with the change.
    package let nonce: String

    /// Puts both together.
    package init(number: Int64, nonce: String) {
        self.number = number
        self.nonce = nonce
    }
}
