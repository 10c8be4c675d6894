import Synchronization

/// An account in the key cache: its identity, never a decision about it.
///
/// Immutable. A change of the account drops the whole object; the next request reads a new one.
public final class CachedAccount: Sendable {
    // First what every request reads, in two lines of the processor's cache: with many accounts each is waited for.

    /// What the key's holder presents. Here and not in the cache's table: the two are always read together.
    let token: PresentedToken
    /// The parts that change with requests and outlive the key.
    let accountState: AccountState
    /// The key's id, to record last use under.
    let keyID: KeyID
    /// The networks from which the key may be used; nil for every address.
    private let allowedBlocks: [AddressRange.Block]?
    /// The largest hourly limit among the workspaces whose plan has the feature; nil when there is none.
    private let entitledLimit: Int?
    /// The limit that is shown, and that guards a regenerate, while no workspace is entitled.
    private let fallbackLimit: Int
    /// What a server makes of the account at the first response, to have it at hand for every later one. The domain
    /// neither makes nor reads it.
    package let responseBytes = LazyBytes()
    /// The account as the store had it.
    public let account: Account
    /// The plan that decides when a request names no workspace.
    public let decidingPlan: Plan?

    init(account: Account, token: PresentedToken, accountState: AccountState) {
        self.account = account
        self.token = token
        self.accountState = accountState
        keyID = account.key.id
        allowedBlocks = account.user.allowedNetworks.map { $0.ranges.map(\.block) }
        let deciding = account.decidingAccess
        decidingPlan = deciding?.plan
        entitledLimit = deciding.map { account.hourlyLimit(in: $0) }
        fallbackLimit = account.largestLimit
    }

    /// The most recent successful request with this key: the store's, or a later one that memory saw.
    public var lastUse: LastUse? { accountState.lastUse(of: account.key.id) ?? account.key.lastUse }

    /// The account's place in the workspace that a scope names; nil where it names none.
    public func access(to scope: AccessScope) -> WorkspaceAccess? {
        guard case .workspace(let id) = scope else { return nil }
        return account.workspaces.first { $0.workspace.id == id }
    }

    /// What a scope comes to for this account. Looked at on every request.
    enum Entitlement {
        case entitled(limit: Int)
        /// Admitted regardless of the quota left; not counted.
        case uncounted(limit: Int)
        case locked(limit: Int)
        case notAMember(limit: Int)
        /// The key may not be used from there.
        case notFromThere(limit: Int)
    }

    /// What a scope comes to for a request from an address. The address first: whoever has a stolen key learns nothing
    /// of plans and workspaces. Whoever ends a leaked key may do so from anywhere.
    @inline(__always)
    func entitlement(to scope: AccessScope, from address: IPAddress) -> Entitlement {
        if let allowedBlocks, scope != .keyAlone, !AllowedNetworks.allow(address, in: allowedBlocks) {
            return .notFromThere(limit: entitledLimit ?? fallbackLimit)
        }
        return entitlement(to: scope)
    }

    func entitlement(to scope: AccessScope) -> Entitlement {
        switch scope {
        case .anyWorkspace:
            guard let entitledLimit else { return .locked(limit: fallbackLimit) }
            return .entitled(limit: entitledLimit)
        case .workspace:
            guard let access = access(to: scope) else {
                return .notAMember(limit: entitledLimit ?? fallbackLimit)
            }
            let limit = account.hourlyLimit(in: access)
            return access.includesAPI ? .entitled(limit: limit) : .locked(limit: limit)
        case .accountOnly:
            return .entitled(limit: entitledLimit ?? fallbackLimit)
        case .keyAlone:
            return .uncounted(limit: entitledLimit ?? fallbackLimit)
        }
    }
}

extension CachedAccount: TokenEntry {
    var userID: UserID? { account.user.id }
}

/// What a request wants to do with the account behind its key.
public enum AccessScope: Sendable, Hashable {
    /// Names no workspace: needs the feature in any of the account's workspaces.
    case anyWorkspace
    /// Names a workspace: needs membership and that plan's feature.
    case workspace(WorkspaceID)
    /// Needs no feature: regenerating a leaked key must work while the feature is locked.
    case accountOnly
    /// Needs no feature and no quota, so that a leaked key can always be revoked.
    case keyAlone
}
