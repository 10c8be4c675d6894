import Keybearer

/// From where the key may be used, and the form that changes it.
struct NetworksPanel: Sendable {
    /// What was sent and not saved yet, and why.
    struct Draft: Sendable {
        /// As it was typed.
        let typed: String
        /// What is wrong with it; nil where nothing is.
        var problem: String?
        /// Addresses of requests that passed, and would not any more: a person confirms that.
        var cutOff: [String] = []
    }

    /// The networks that hold, one in a row; empty for everywhere.
    let current: [String]
    /// What the form's field holds.
    let text: String
    /// The version of the account's record: a form that is older changes nothing.
    let version: Int
    /// What is wrong with what was typed.
    let problem: String?
    /// See ``Draft/cutOff``.
    let cutOff: [String]
    /// Whether the sign-in is too old for a change.
    let needsConfirmation: Bool
    /// How many networks there may be.
    let most = AllowedNetworks.most

    /// Whether the key works in some networks alone.
    let isLimited: Bool
    /// Whether ``cutOff`` has any.
    let asksAgain: Bool

    /// - Parameter draft: what was sent, where it was not saved.
    init(
        _ networks: AllowedNetworks?, version: Int = 1, needsConfirmation: Bool = false, draft: Draft? = nil
    ) {
        current = networks?.texts ?? []
        isLimited = !current.isEmpty
        text = draft?.typed ?? current.joined(separator: "\n")
        self.version = version
        problem = draft?.problem
        cutOff = draft?.cutOff ?? []
        asksAgain = !cutOff.isEmpty
        self.needsConfirmation = needsConfirmation
    }
}
