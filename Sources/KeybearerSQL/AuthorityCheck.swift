import Keybearer

/// Looks, in the transaction that commits a change, whether whoever asked for it still may make it.
///
/// It locks the rows of the authority together with those that the change reads or writes, and reads them under these
/// locks. Whatever ends an authority changes one of these rows, so it either came first and is seen here, or it waits
/// until this transaction has ended.
struct AuthorityCheck: Sendable {
    let authority: Authority
    let requirement: Requirement?
    /// What the change is audited as.
    let action: AuditEvent.Action
    let isOn: Bool
    /// When the change was asked for, by both of this process's clocks.
    let begunAt: Timestamp
    let asked: SteadyTime

    /// The time now, in the transaction: a session that runs out while its request waits for its turn has ended.
    var now: Timestamp { begunAt.advanced(by: asked.duration(to: .systemNow())) }

    /// Locks and checks.
    ///
    /// - Returns: all locked rows, as they stand now.
    /// - Throws: what a new request with the same credential would be answered with.
    func pass(_ connection: any SQLConnection, with locks: RowLocks, at time: Timestamp) throws -> LockedRows {
        var all = locks
        if isOn { addLocks(to: &all) }
        let locked = try all.acquire(connection)
        guard isOn else { return locked }
        try requireCredential(locked, at: time)
        try requirePermission(locked, connection)
        return locked
    }

    private func addLocks(to locks: inout RowLocks) {
        switch authority.credential {
        case .key(_, _, let userID):
            locks.add(.user(userID), .share)
            locks.add(.apiKey(of: userID), .share)
        case .session(let id, let userID, _):
            locks.add(.user(userID), .share)
            locks.add(.session(id), .share)
            locks.useLockOnAllSessions(of: userID, for: id)
            locks.readsTime = true
        case .password(_, let userID): locks.add(.user(userID), .share)
        case .identity(let identity, let userID):
            locks.add(.user(userID), .share)
            locks.add(.identity(identity), .share)
        case .operatorToken(let id):
            locks.add(.operatorToken(id), .share)
            locks.readsTime = true
        case .commandLine, .anyone: break
        }
        guard let requirement, let userID = authority.userID else { return }
        if let serviceAccountID = requirement.serviceAccountID { locks.add(.user(serviceAccountID), .share) }
        locks.add(.workspace(requirement.workspaceID), .share)
        locks.add(.membership(requirement.workspaceID, userID), .share)
        locks.useLockOnAllWorkspaces(of: userID, for: requirement.workspaceID)
    }

    private func requireCredential(_ locked: LockedRows, at time: Timestamp) throws {
        switch authority.credential {
        case .key(let id, let version, let userID):
            guard locked.isActive(userID), let key = locked[.apiKey(of: userID)], key.text("key_id") == id.rawValue,
                key.number("version") == Int64(version)
            else { throw KeybearerError.authorityEnded("The Secret Key is missing or not valid.") }
        case .session(let id, let userID, let passwordVersion):
            guard locked.isActive(userID), let session = locked.session(id, of: userID) else { throw Self.signInFirst }
            let now = locked.now(time)
            let stored = try StoredValues.sessionTimes(session)
            guard SessionPolicy().isLive(stored, at: now) else { throw Self.signInFirst }
            if needsRecentSignIn, !SessionPolicy().isRecent(stored, at: now) { throw KeybearerError.oldSignIn }
            guard passwordVersion == nil || locked.passwordVersion(of: userID) == passwordVersion else {
                throw KeybearerError.passwordChanged
            }
        case .password(let version, let userID):
            guard locked.isActive(userID), locked.passwordVersion(of: userID) == version else {
                throw KeybearerError.authorityEnded("The e-mail address or the password is wrong.")
            }
        case .identity(let identity, let userID):
            guard locked.isActive(userID), locked[.identity(identity)]?.text("user_id") == userID.rawValue else {
                throw KeybearerError.authorityEnded("This sign-in is not this account's any more.")
            }
        case .operatorToken(let id):
            guard locked.isLive(id, at: locked.now(time)) else {
                throw KeybearerError.authorityEnded("The operator token is not valid.")
            }
        case .commandLine, .anyone: break
        }
    }

    private var needsRecentSignIn: Bool {
        requirement.map { Permissions.rule(of: $0.action).needsRecentSignIn } == true
            || Permissions.needsRecentSignIn(action)
    }

    private func requirePermission(_ locked: LockedRows, _ connection: any SQLConnection) throws {
        guard let requirement, let userID = authority.userID else { return }
        let workspaceID = requirement.workspaceID
        guard let membership = locked[.membership(workspaceID, userID)],
            let workspace = locked.workspace(workspaceID, memberID: userID),
            let planID = workspace.text("plan_id")
        else { throw KeybearerError.notYourWorkspace }
        guard Permissions.allows(try StoredValues.role(membership), requirement.action) else {
            throw KeybearerError.roleForbids(requirement.action)
        }
        if let serviceAccountID = requirement.serviceAccountID {
            guard locked.serviceWorkspace(of: serviceAccountID) == workspaceID else {
                throw KeybearerError.notYourServiceAccount
            }
        }
        guard Permissions.rule(of: requirement.action).needsFeature else { return }
        // Behind the workspace, which names the plan. Only master keys follow in the order of locks, and no action that
        // needs the feature locks one.
        _ = try RowLocks([(.plan(PlanID(rawValue: planID)), .share)]).acquire(connection)
        let feature = [SQLValue.text(planID), .text(Feature.apiWebhooks.rawValue)]
        guard try !workspace.requiredFlag("is_suspended"), try connection.first(PlanSQL.feature, feature) != nil
        else { throw KeybearerError.featureLocked }
    }

    private static let signInFirst = KeybearerError.authorityEnded("Sign in first.")
}

extension LockedRows {
    /// Refuses a session whose password was not given recently: for what needs that and no workspace.
    ///
    /// - Throws: `FORBIDDEN`.
    func requireRecentSignIn(of authority: Authority, at time: Timestamp) throws(KeybearerError) {
        guard case .session(let id, let userID, _) = authority.credential, let row = session(id, of: userID) else {
            return
        }
        let isRecent = (try? StoredValues.sessionTimes(row)).map { SessionPolicy().isRecent($0, at: now(time)) }
        guard isRecent == true else { throw KeybearerError(.forbidden, "Confirm your password first.") }
    }

    fileprivate func isActive(_ userID: UserID) -> Bool {
        self[.user(userID)]?.text("status") == User.Status.active.rawValue
    }

    fileprivate func passwordVersion(of userID: UserID) -> Int? {
        self[.user(userID)]?.number("password_version").map { Int($0) }
    }

    fileprivate func session(_ id: SessionID, of userID: UserID) -> (any StoredRow)? {
        let candidates = all(.session(id)) + all(.sessions(of: userID))
        return candidates.first { $0.text("id") == id.rawValue && $0.text("user_id") == userID.rawValue }
    }

    fileprivate func workspace(_ id: WorkspaceID, memberID: UserID) -> (any StoredRow)? {
        let candidates = all(.workspace(id)) + all(.workspaces(of: memberID))
        return candidates.first { $0.text("id") == id.rawValue }
    }
}
