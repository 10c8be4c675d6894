/// What a process saw of an account's keys since it wrote last: sources, refusals, and attempts with keys that ended.
package struct KeyNews: Sendable, Hashable {
    /// A source, and the key that was used from there.
    package struct SeenSource: Sendable, Hashable {
        package let keyID: KeyID
        package let source: KeySource

        /// Puts both together.
        package init(keyID: KeyID, source: KeySource) {
            self.keyID = keyID
            self.source = source
        }
    }

    /// Whose keys.
    package let userID: UserID
    package let sources: [SeenSource]
    package let refusals: [KeyRefusal]
    package let attempts: [EndedKeyAttempts]

    /// Puts the parts together.
    package init(
        userID: UserID, sources: [SeenSource] = [], refusals: [KeyRefusal] = [], attempts: [EndedKeyAttempts] = []
    ) {
        self.userID = userID
        self.sources = sources
        self.refusals = refusals
        self.attempts = attempts
    }

    var isEmpty: Bool { sources.isEmpty && refusals.isEmpty && attempts.isEmpty }
}
