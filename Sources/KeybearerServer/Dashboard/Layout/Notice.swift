/// One sentence at the top of a page that says what just happened or what is wrong.
struct Notice: Sendable, Equatable {
    /// How the notice is announced and coloured.
    enum Kind: String, Sendable {
        /// Something was done; announced politely.
        case success
        /// Something to know before going on; announced politely.
        case information
        /// Something failed; announced immediately.
        case failure
    }

    /// The sentence. Shown as it is, so it must be safe for anyone.
    let text: String
    /// The kind's name, for the style sheet.
    let kind: String
    /// Whether the notice reports a failure.
    let isFailure: Bool
    /// The name in the page's query that asks for the notice; empty where none does. The script removes it from the
    /// address, so that a reload does not say again what was said once.
    let query: String

    /// Puts a notice together.
    init(_ kind: Kind, _ text: String, query: String = "") {
        self.text = text
        self.kind = kind.rawValue
        isFailure = kind == .failure
        self.query = query
    }

    /// The first of a page's notices that a query asks for.
    static func asked(by query: [String: String], of notices: [Notice]) -> Notice? {
        notices.first { query[$0.query] != nil }
    }
}
