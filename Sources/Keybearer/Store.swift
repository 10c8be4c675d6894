/// Everything that a database does for Keybearer.
package protocol Store: AccountStore, KeyStore, WorkspaceStore, SessionStore, RateLimitStore, UsageStore, FenceStore,
    AuditStore, OperatorTokenStore, SettingStore, WriteStore, PortalLinkStore,
    DueEndStore, IdentityStore, SecondFactorStore, InvitationStore, ServiceAccountStore, MailStore, MailLinkStore,
    WebhookStore, WebhookQueueStore, EventTypeStore, ObservedStore
{
    /// Where tasks are best begun that mostly make short reads.
    var executor: any TaskExecutor { get }
    /// Answers when the store can be read and written; throws `UNAVAILABLE` otherwise.
    func checkReadiness() async throws
    /// Closes all connections. Nothing may be called afterwards.
    func close() throws
}

/// A store that is open: what ``Services`` works over. The modules of the engines open one.
public struct OpenedStore: Sendable {
    package let store: any Store

    /// Wraps a store.
    package init(_ store: any Store) {
        self.store = store
    }

    /// Closes all connections. Nothing that works over the store may be called afterwards.
    public func close() throws { try store.close() }
}

/// What a database keeps about itself.
package protocol SettingStore: Sendable {
    /// A value; nil when there is none.
    func storedSetting(_ name: StoredSetting) async throws -> String?
    /// Puts a number in the place of a lower one, or of none.
    func raiseStoredSetting(_ name: StoredSetting, to number: Int) async throws
    /// Notes with which settings a server starts, and in the audit log how they differ from those that a server started
    /// with before.
    ///
    /// - Parameters:
    ///   - settings: those that have another value than their default. Never a secret.
    ///   - event: the event of a setting that differs.
    func noteStart(
        with settings: [String: String],
        event: @escaping @Sendable (_ name: String, _ change: ValueChange) -> AuditEvent
    ) async throws
}

/// Facts about a database that it keeps itself.
package enum StoredSetting: String, Sendable, CaseIterable {
    /// The default of the setting `regenerate-by-key`: `open` or `closed`.
    case regenerateByKey = "regenerate-by-key"
    /// The highest cost that a password was ever hashed at.
    case passwordCost = "password-cost"
    /// Names the database wherever it is moved to.
    case databaseID = "database-id"
    /// The master key that was noted first, by which ring that ever was. Its row serialises who notes master keys.
    case firstMasterKey = "first-master-key"
    /// With which settings a server started last, as a JSON object. Its row serialises those who start.
    case startSettings = "start-settings"
    /// Without a value. Its row serialises those who add webhooks of the operator.
    case operatorWebhooks = "operator-webhooks"
    /// Without a value. Its row serialises those who add kinds of events.
    case eventTypes = "event-types"
}
