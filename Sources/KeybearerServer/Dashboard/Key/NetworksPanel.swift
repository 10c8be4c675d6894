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
    /// What one click would save; nil where no request was seen.
    let pin: PinOffer?
    /// How many networks there may be.
    let most = AllowedNetworks.most

    /// Whether the key works in some networks alone.
    let isLimited: Bool
    /// Whether ``cutOff`` has any.
    let asksAgain: Bool

    /// - Parameter draft: what was sent, where it was not saved.
    init(
        _ networks: AllowedNetworks?, version: Int = 1, needsConfirmation: Bool = false, draft: Draft? = nil,
        pin: PinOffer? = nil
    ) {
        current = networks?.texts ?? []
        isLimited = !current.isEmpty
        text = draft?.typed ?? current.joined(separator: "\n")
        self.version = version
        problem = draft?.problem
        cutOff = draft?.cutOff ?? []
        asksAgain = !cutOff.isEmpty
        self.needsConfirmation = needsConfirmation
        // Where it would change nothing there is nothing to offer.
        self.pin = pin?.networks == current ? nil : pin
    }
}

/// The networks of the sources that were seen so far, to be saved with one click.
struct PinOffer: Sendable, Equatable {
    let networks: [String]
    /// Why that may be less than it seems; nil where nothing speaks against it.
    let warning: String?

    /// - Parameters:
    ///   - sources: from where the key was used.
    ///   - isProxy: whether an address is that of a proxy of the service's own.
    init?(_ sources: [IPAddress], isProxy: (IPAddress) -> Bool) {
        guard let pinned = AllowedNetworks(around: sources) else { return nil }
        networks = pinned.texts
        if let proxy = sources.first(where: isProxy) {
            warning =
                "\(proxy) is a proxy of this service itself: everybody who comes through it would pass. "
                + "Ask whoever runs the service before you pin it."
        } else if pinned.ranges.count == 1 {
            warning =
                "All requests so far came from one address. If it is a proxy, everybody behind it passes; "
                + "if it is your server’s and changes, the key stops working."
        } else {
            warning = nil
        }
    }
}
