/// What an operator's program may do with its token.
public enum OperatorScope: String, Sendable, Hashable, CaseIterable, Comparable {
    /// Ask whether a Secret Key may pass (RFC 7662).
    case introspect
    /// See users, without their keys.
    case readUsers = "users:read"
    /// Create, change, disable, enable and delete users; end their sessions.
    case writeUsers = "users:write"
    /// Say that an address is verified, and take over an account that has the address already.
    case writeIdentity = "users:identity"
    /// See workspaces and plans.
    case readWorkspaces = "workspaces:read"
    /// Create, change and suspend workspaces; their members and their plan.
    case writeWorkspaces = "workspaces:write"
    /// Change the catalogue of plans.
    case writePlans = "plans:write"
    /// Find whose a key is.
    case lookUpKeys = "keys:lookup"
    /// Regenerate a user's key, without seeing the new one.
    case regenerateKeys = "keys:regenerate"
    /// See users' keys.
    case revealKeys = "keys:reveal"
    /// Give a new account a key that its customer already has.
    case importKeys = "keys:import"
    /// Give an account a fresh hour.
    case resetQuota = "quota:reset"
    /// Sign users in by portal links.
    case portal
    /// See usage.
    case readUsage = "usage:read"
    /// See the audit log.
    case readAudit = "audit:read"
    /// Publish the product's events.
    case publishEvents = "events:publish"
    /// Change webhook endpoints.
    case writeWebhooks = "webhooks:write"

    public static func < (left: OperatorScope, right: OperatorScope) -> Bool { left.rawValue < right.rawValue }
}
