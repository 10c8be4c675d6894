/// One write that an operator's program asked for, ready for the store: alone, or beside others in one transaction.
///
/// A single request and a batch go the same way, so that neither can do what the other cannot.
package struct StoreWrite: Sendable {
    /// What is written.
    package enum Work: Sendable {
        case createAccount(NewAccount)
        case createServiceAccount(NewServiceAccount)
        case updateUser(UserUpdate)
        case setStatus(User.Status, of: UserID)
        case endSessions(of: UserID)
        case deleteAccount(AccountDeletion)
        case replaceKey(KeyReplacement)
        case createWorkspace(NewWorkspace)
        case updateWorkspace(WorkspaceUpdate)
        case deleteWorkspace(WorkspaceDeletion)
        case putMember(Membership)
        case removeMember(UserID, from: WorkspaceID)
        case putPlan(Plan)
        case deletePlan(PlanID)
        case resetWindow(of: UserID)
        /// Removes what the authenticator app shares with an account, with the recovery codes.
        case resetSecondFactor(of: UserID)
    }

    /// What became of it.
    package enum Outcome: Sendable {
        /// The account as it is behind the write.
        case account(Account)
        /// The workspace as it is behind the write.
        case workspace(Workspace, Plan)
        /// The key's new record, sealed and for whoever may see it.
        case key(KeyReplacementOutcome)
        /// Nothing is left to be shown.
        case done
        /// The same `Idempotency-Key` did the same before, to the user or workspace with this id.
        case replayed(resource: String)
    }

    /// What is written.
    package let work: Work
    /// Its audit row.
    package let audit: AuditEvent
    /// The `Idempotency-Key` that came with it, if one did.
    package let request: IdempotentRequest?
    /// The version that the caller has seen of the record that the audit row names: another one refuses the write.
    package private(set) var condition: Condition?

    /// A record at a version.
    package enum Condition: Sendable, Hashable {
        case user(UserID, version: Int)
        case workspace(WorkspaceID, version: Int)
    }

    /// The same write, on the condition that the account has this version; nil for any.
    package func ifUser(has version: Int?) -> StoreWrite {
        var write = self
        if let version, let id = audit.userID { write.condition = .user(id, version: version) }
        return write
    }

    /// The same write, on the condition that the workspace has this version; nil for any.
    package func ifWorkspace(has version: Int?) -> StoreWrite {
        var write = self
        if let version, let id = audit.workspaceID { write.condition = .workspace(id, version: version) }
        return write
    }

    /// Puts a write together.
    package init(_ work: Work, audit: AuditEvent, request: IdempotentRequest? = nil) {
        self.work = work
        self.audit = audit
        self.request = request
    }

    /// The accounts whose personal data it leaves to be erased: those that it deletes.
    var deletedAccounts: [UserID] {
        switch work {
        case .deleteAccount(let deletion): [deletion.id] + deletion.serviceAccounts
        case .deleteWorkspace(let deletion): deletion.serviceAccounts
        default: []
        }
    }

    /// Whether it locks rows in an order that only a transaction of its own can keep.
    package var runsAlone: Bool {
        switch work {
        // The last locks a window, as those who reserve do: several would be locked in the order of the operations.
        case .deleteAccount, .deleteWorkspace, .resetWindow: true
        default: false
        }
    }
}

/// What is to become of an account's record. What is nil stays as it is.
package struct UserUpdate: Sendable {
    /// Whose record.
    package let id: UserID
    /// The version that the caller has seen; nil for any.
    package let version: Int?
    /// The new address.
    package let email: EmailAddress?
    /// Whether the address is the person's, by the caller's word. Where it is nil, a new address is not verified.
    package let isEmailVerified: Bool?
    /// The new name.
    package let name: String?
    /// The new external id, or none.
    package let externalID: MemberChange<ExternalID>
    /// Takes the account over where its address was not verified here: the key that takes the place of the old one.
    package let takeover: KeyReplacement?
    /// The new limit, or the plans'.
    package let limit: MemberChange<LimitOverride>
    /// The networks from which the key may be used from now on, or every address.
    package let allowedNetworks: MemberChange<AllowedNetworks>

    /// Puts an update together.
    package init(
        id: UserID, version: Int? = nil, email: EmailAddress? = nil, isEmailVerified: Bool? = nil, name: String? = nil,
        externalID: MemberChange<ExternalID> = .unchanged, takeover: KeyReplacement? = nil,
        limit: MemberChange<LimitOverride> = .unchanged,
        allowedNetworks: MemberChange<AllowedNetworks> = .unchanged
    ) {
        self.id = id
        self.version = version
        self.email = email
        self.isEmailVerified = isEmailVerified
        self.name = name
        self.externalID = externalID
        self.takeover = takeover
        self.limit = limit
        self.allowedNetworks = allowedNetworks
    }

    /// The record with these changes; the same where there are none.
    package func applied(to user: User, at time: Timestamp) -> User {
        let address = email ?? user.email
        let isVerified = isEmailVerified ?? (address == user.email && user.isEmailVerified)
        // Whoever had the account before must not say where its key works.
        let isTakenOver = takeover != nil && !user.isEmailVerified
        let networks = isTakenOver ? nil : allowedNetworks.applied(to: user.allowedNetworks)
        func record(version: Int, updatedAt: Timestamp) -> User {
            User(
                id: user.id, email: address, name: name ?? user.name, status: user.status, isOperator: user.isOperator,
                createdAt: user.createdAt, externalID: externalID.applied(to: user.externalID),
                isEmailVerified: isVerified, hasPassword: user.hasPassword, version: version, updatedAt: updatedAt,
                limit: limit.applied(to: user.limit), defaultWorkspaceID: user.defaultWorkspaceID,
                serviceWorkspaceID: user.serviceWorkspaceID, allowedNetworks: networks)
        }
        let isSame = record(version: user.version, updatedAt: user.updatedAt) == user
        return isSame ? user : record(version: user.version + 1, updatedAt: time)
    }
}

/// What is to become of a member that can be cleared.
public enum MemberChange<Value: Sendable & Hashable>: Sendable, Hashable {
    /// It was not named.
    case unchanged
    /// It was `null`.
    case cleared
    case set(Value)

    /// The value behind the change.
    package func applied(to value: Value?) -> Value? {
        switch self {
        case .unchanged: value
        case .cleared: nil
        case .set(let new): new
        }
    }
}

/// What a new workspace consists of.
package struct NewWorkspace: Sendable {
    /// The workspace; its plan is nil for the first of the catalogue.
    package let id: WorkspaceID
    /// What people call it.
    package let name: String
    /// What the product calls it.
    package let externalID: ExternalID?
    /// The plan; nil for the first of the catalogue.
    package let planID: PlanID?
    /// Its Owner.
    package let owner: UserID
    /// When it was made.
    package let createdAt: Timestamp

    /// Puts a new workspace together.
    package init(
        id: WorkspaceID, name: String, externalID: ExternalID?, planID: PlanID?, owner: UserID, createdAt: Timestamp
    ) {
        self.id = id
        self.name = name
        self.externalID = externalID
        self.planID = planID
        self.owner = owner
        self.createdAt = createdAt
    }
}

/// What is to become of a workspace's record. What is nil stays as it is.
package struct WorkspaceUpdate: Sendable {
    /// Which workspace.
    package let id: WorkspaceID
    /// The version that the caller has seen; nil for any.
    package let version: Int?
    /// The new name.
    package let name: String?
    /// The new external id, or none.
    package let externalID: MemberChange<ExternalID>
    /// The new plan.
    package let planID: PlanID?
    /// Whether it is suspended.
    package let isSuspended: Bool?
    /// The new limit, or the plan's.
    package let limit: MemberChange<LimitOverride>
    /// When it leaves the plan, or never. A new plan without an end has none.
    package let planEnd: PlanEnd?

    /// Puts an update together.
    package init(
        id: WorkspaceID, version: Int? = nil, name: String? = nil, externalID: MemberChange<ExternalID> = .unchanged,
        planID: PlanID? = nil, isSuspended: Bool? = nil, limit: MemberChange<LimitOverride> = .unchanged,
        planEnd: PlanEnd? = nil
    ) {
        self.id = id
        self.version = version
        self.name = name
        self.externalID = externalID
        self.planID = planID
        self.isSuspended = isSuspended
        self.limit = limit
        self.planEnd = planEnd
    }

    /// The record with these changes; the same where there are none.
    package func applied(to workspace: Workspace, at time: Timestamp) -> Workspace {
        func record(version: Int, updatedAt: Timestamp) -> Workspace {
            Workspace(
                id: workspace.id, name: name ?? workspace.name, planID: planID ?? workspace.planID,
                createdAt: workspace.createdAt, externalID: externalID.applied(to: workspace.externalID),
                isSuspended: isSuspended ?? workspace.isSuspended, version: version, updatedAt: updatedAt,
                limit: limit.applied(to: workspace.limit), planEnd: planID == nil ? workspace.planEnd : planEnd)
        }
        let isSame = record(version: workspace.version, updatedAt: workspace.updatedAt) == workspace
        return isSame ? workspace : record(version: workspace.version + 1, updatedAt: time)
    }
}

extension KeybearerError {
    /// The record has another version than the caller has seen.
    package static let staleVersion = KeybearerError(
        .conflict, "It has been changed since: the version in If-Match is not the current one. Read it again.")
}
