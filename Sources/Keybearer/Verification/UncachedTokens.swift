/// Decides from memory whether a token that the key cache does not have may be a key.
///
/// Forgeries end here: without the server's secret nobody makes a tag, and a token without a tag is a key only where it
/// was imported. Nobody waits for the store.
struct UncachedTokens: Sendable {
    /// What a token is to a node without a lease, which may lack a master key or an import.
    enum StandingWithoutLease {
        /// It may be a key, as far as memory knows.
        case possible
        /// Memory does not know it. Whoever made it, nobody waits for a token like this.
        case unknown
        /// No key looks like this.
        case impossible
    }

    private let importedKeys: ImportedKeys
    private let vault: CurrentVault
    private let throttle = UntaggedTokenThrottle()

    /// - Parameters:
    ///   - importedKeys: all imported keys.
    ///   - vault: recognises tags and makes digests.
    init(importedKeys: ImportedKeys, vault: CurrentVault) {
        self.importedKeys = importedKeys
        self.vault = vault
    }

    /// Whether the store must be asked for a token. Call it only under a lease.
    ///
    /// - Parameter address: the client's, against which a token counts that is no key; `localSocket` for nobody's.
    func verdict(on token: PresentedToken, from address: IPAddress, now: SteadyTime) -> Verdict {
        guard let key = SecretKey(token: token) else { return verdict(onUntagged: token, from: address, now: now) }
        return vault.current.isGenuine(key) ? .needsStore(.account) : .unauthorized
    }

    /// Where nothing was ever imported it costs nothing. Not inlined: it is no part of the path of our own keys.
    @inline(never)
    private func verdict(onUntagged token: PresentedToken, from address: IPAddress, now: SteadyTime) -> Verdict {
        guard !importedKeys.isEmpty, token.mayBeImported else { return .unauthorized }
        // First: a customer whose address a flood of invented tokens shares is not held back.
        if isImported(token) { return .needsStore(.account) }
        if let wait = throttle.wait(of: address, at: now) { return .throttled(wait: wait) }
        throttle.recordFailure(of: address, at: now)
        return .unauthorized
    }

    /// What a token is to a node without a lease.
    func standingWithoutLease(of token: PresentedToken) -> StandingWithoutLease {
        if let key = SecretKey(token: token) { return vault.current.isGenuine(key) ? .possible : .unknown }
        guard token.mayBeImported else { return .impossible }
        return isImported(token) ? .possible : .unknown
    }

    private func isImported(_ token: PresentedToken) -> Bool {
        // The vault before the set: a rotation replaces the set first.
        let prefixes = vault.current.digestPrefixes(of: token)
        return importedKeys.contains(anyOf: prefixes)
    }
}
