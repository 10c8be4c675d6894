package import Keybearer

extension SQLStore {
    package func performSome(
        _ writes: [StoreWrite], by authority: Authority, within span: Duration
    ) async throws -> (results: Committed<[Result<StoreWrite.Outcome, KeybearerError>]>, count: Int) {
        guard let first = writes.first else { throw KeybearerError(.internalError, "There is nothing to write.") }
        let items = writes.map { (write: $0, work: Self.work(of: $0)) }
        var locks = RowLocks()
        for item in items { locks.add(item.work.locks) }
        // One clock stamps and judges idempotency keys, whichever node has the request.
        locks.readsTime = true
        let (check, wanted) = (await check(authority, nil, first.audit), locks)
        let ((results, isChange), position) = try await engine.change(at: first.audit.at) { connection in
            let locked = try check.pass(connection, with: wanted, at: check.now)
            let held = SteadyTime.systemNow()
            var (results, subjects): ([Result<StoreWrite.Outcome, KeybearerError>], [Change.Subject]) = ([], [])
            var isChange = false
            for (write, work) in items {
                if !results.isEmpty, held.duration(to: .systemNow()) >= span { break }
                let run = { try Self.run(write, work, locked, connection) }
                let result = items.count == 1 ? .success(try run()) : try connection.attempt(run)
                results.append(result.map(\.outcome))
                let others = locked.others.take()
                guard case .success(let done) = result, done.isChange else { continue }
                isChange = true
                subjects += (work.subject.map { [$0] } ?? []) + others
            }
            return (.changes((results, isChange), with: []), Change.Subject.joined(subjects))
        }
        if isChange { noteChange() }
        return (Committed(results, at: position), results.count)
    }

    /// Runs one of the writes, with its audit row and its idempotency key.
    private static func run(
        _ write: StoreWrite, _ work: Write<StoreWrite.Outcome>, _ locked: LockedRows, _ connection: any SQLConnection
    ) throws -> (outcome: StoreWrite.Outcome, isChange: Bool) {
        let now = locked.now(write.audit.at)
        // One that was refused before may have left something.
        _ = locked.values.take()
        if let request = write.request, let resource = try claim(request, at: now, connection) {
            return (.replayed(resource: resource), false)
        }
        if let condition = write.condition { try require(condition, connection) }
        let outcome: StoreWrite.Outcome
        var isChange = false
        switch try work.body(connection, locked) {
        case .changes(let value, let last):
            for statement in last + records(locked.complete(write.audit), locked) {
                try connection.execute(statement)
            }
            (outcome, isChange) = (value, true)
        case .nothing(let value): outcome = value
        }
        if let request = write.request {
            try connection.execute(remembering(request, of: resource(of: outcome, write.audit), at: now))
        }
        return (outcome, isChange)
    }

    /// Refuses a write whose caller has seen another version. The write's own locks hold the record.
    private static func require(_ condition: StoreWrite.Condition, _ connection: any SQLConnection) throws {
        let (row, wanted) =
            switch condition {
            case .user(let id, let version): (try connection.first(AccountSQL.version, [.id(id)]), version)
            case .workspace(let id, let version): (try connection.first(WorkspaceSQL.version, [.id(id)]), version)
            }
        // One that is not there is refused by the write itself.
        guard let row else { return }
        guard try row.requiredNumber("version") == Int64(wanted) else { throw KeybearerError.staleVersion }
    }

    package func resource(of request: IdempotentRequest, now: Timestamp) async throws -> String? {
        try await shortRead { connection in
            let key = [SQLValue.text(request.scope), .bytes(request.keyDigest)]
            // By the clock that stamped it.
            let bounds = Self.remembered(try connection.now(now))
            guard let found = try connection.first(KeySQL.findRequest, key + bounds),
                found.bytes("request_digest") == request.requestDigest
            else { return nil }
            return try found.requiredText("resource")
        }
    }

    /// The id by which a replay finds what the write was about.
    private static func resource(of outcome: StoreWrite.Outcome, _ audit: AuditEvent) -> String {
        switch outcome {
        case .account(let account): account.user.id.rawValue
        case .workspace(let workspace, _): workspace.id.rawValue
        case .key, .done, .replayed: audit.userID?.rawValue ?? audit.workspaceID?.rawValue ?? ""
        }
    }

    /// Takes an idempotency key for this transaction. The same request at the same moment waits here, on whichever
    /// node it is, and sees what this one did.
    ///
    /// - Returns: what the key was for before; nil where it was not seen, or longer ago than it is remembered.
    /// - Throws: `VALIDATION_FAILED` when the key came with another request.
    static func claim(
        _ request: IdempotentRequest, at now: Timestamp, _ connection: any SQLConnection
    ) throws -> String? {
        let key = [SQLValue.text(request.scope), .bytes(request.keyDigest)]
        let claimed = try connection.execute(
            KeySQL.claimRequest, key + [.bytes(request.requestDigest), .time(now)] + remembered(now))
        guard claimed == 0, let found = try connection.first(KeySQL.findRequest, key + remembered(now)) else {
            return nil
        }
        guard found.bytes("request_digest") == request.requestDigest else { throw KeybearerError.anotherRequest }
        return try found.requiredText("resource")
    }

    static func remembering(
        _ request: IdempotentRequest, of resource: String, at now: Timestamp
    ) -> SQLStatement {
        SQLStatement(
            KeySQL.recordRequest,
            [
                .text(request.scope), .bytes(request.keyDigest), .bytes(request.requestDigest), .text(resource),
                .time(now),
            ])
    }

    /// What each kind of work does.
    static func work(of write: StoreWrite) -> Write<StoreWrite.Outcome> {
        let time = write.audit.at
        return switch write.work {
        case .createAccount(let new): creating(new).map { .account($0) }
        case .createServiceAccount(let new): creating(new).map { .account($0) }
        case .updateUser(let update): updating(update, at: time)
        case .setStatus(let status, let userID): settingStatus(status, of: userID, write.audit)
        case .endSessions(let userID): endingSessions(of: userID, at: time)
        case .deleteAccount(let deletion): deleting(deletion, write.audit).map { .done }
        case .replaceKey(let replacement): replacing(replacement).map { .key($0) }
        case .createWorkspace(let new): creating(new).map { .workspace($0.workspace, $0.plan) }
        case .updateWorkspace(let update): updating(update, at: time).map { .workspace($0.workspace, $0.plan) }
        case .deleteWorkspace(let deletion): deleting(deletion, write.audit).map { .done }
        case .putMember(let membership): putting(membership).map { .done }
        case .removeMember(let userID, let workspaceID): removing(userID, from: workspaceID).map { .done }
        case .putPlan(let plan): putting(plan).map { .done }
        case .deletePlan(let id): deletingPlan(id).map { .done }
        case .resetWindow(let userID): resettingWindow(of: userID)
        case .resetSecondFactor(let userID): resettingSecondFactor(of: userID)
        }
    }
}

extension Write {
    /// The same write with another value.
    func map<Other: Sendable>(_ transform: @escaping @Sendable (Value) -> Other) -> Write<Other> {
        let body = body
        return Write<Other>(subject, locking: locks) { connection, locked in
            switch try body(connection, locked) {
            case .changes(let value, let last): .changes(transform(value), with: last)
            case .nothing(let value): .nothing(transform(value))
            }
        }
    }
}

extension SQLStore {
    static func updating(_ update: UserUpdate, at time: Timestamp) -> Write<StoreWrite.Outcome> {
        var locks = RowLocks([(.user(update.id), .replace)])
        if let takeover = update.takeover {
            locks.add(.apiKey(of: update.id), .replace)
            locks.add(.sessions(of: update.id), .replace)
            locks.add(.masterKey(takeover.sealed.masterKeyID), .share)
        }
        return Write(.user(update.id), locking: locks) { connection, locked in
            guard locked.has(.user(update.id)), let current = try account(update.id, connection) else {
                throw KeybearerError.noSuchAccount
            }
            guard update.version == nil || update.version == current.user.version else {
                throw KeybearerError.staleVersion
            }
            let user = update.applied(to: current.user, at: time)
            if user == current.user { return .nothing(.account(current)) }
            if user.limit != current.user.limit {
                locked.values.record(
                    before: LimitOverride.describe(current.user.limit), after: LimitOverride.describe(user.limit))
            }
            try requireHonoured(user.allowedNetworks, instead: current.user.allowedNetworks, locked, connection)
            try requireFree(user, instead: current.user, connection)
            if let takeover = update.takeover, !current.user.isEmailVerified {
                try takeOver(update.id, with: takeover, locked, connection)
            }
            try connection.execute(
                AccountSQL.update,
                [
                    .id(user.id), .text(user.email.rawValue), .flag(user.isEmailVerified), .text(user.name),
                    .optional(user.externalID?.rawValue), .number(user.version), .time(time),
                ] + columns(of: user.limit) + [.optional(user.allowedNetworks?.storedForm)])
            if user.email != current.user.email {
                try connection.execute(AccountSQL.noteAddress, [.id(user.id), .flag(!user.isEmailVerified)])
            }
            // Whoever asked for another address did not know this one.
            if user.email != current.user.email { try connection.execute(MailLinkSQL.forgetWanted, [.id(user.id)]) }
            guard let account = try account(user.id, connection) else { throw KeybearerError.noSuchAccount }
            return .changes(.account(account), with: [])
        }
    }

    /// Says what is taken before the unique indexes do, which decide.
    static func requireFree(_ user: User, instead old: User?, _ connection: any SQLConnection) throws {
        if user.email != old?.email,
            try connection.first(AccountSQL.emailIsTaken, [.text(user.email.rawValue)]) != nil
        {
            throw KeybearerError.emailTaken
        }
        if let externalID = user.externalID, externalID != old?.externalID,
            try connection.first(AccountSQL.externalIDIsTaken, [.id(externalID)]) != nil
        {
            throw KeybearerError.externalIDTaken
        }
    }

    /// Takes from whoever had the account all by which they could use it: its address was never proved to be theirs.
    static func takeOver(
        _ userID: UserID, with replacement: KeyReplacement, _ locked: LockedRows, _ connection: any SQLConnection
    ) throws {
        guard let live = locked[.apiKey(of: userID)],
            try live.requiredNumber("version") == Int64(replacement.key.version - 1)
        else { throw KeybearerError(.conflict, "The key was regenerated by another request meanwhile.") }
        try locked.requireSealing(under: replacement.sealed.masterKeyID, connection)
        // They would stay with whoever had it: others as Owners, and the keys of service accounts.
        guard try connection.first(AccountSQL.isShared, [.id(userID)]) == nil else {
            throw KeybearerError.sharedByOwner
        }
        try connection.execute(
            InvitationSQL.withdrawAllBy, [.id(userID), .time(replacement.key.generatedAt)])
        try connection.execute(KeySQL.endLiveKey, [.id(userID), .time(replacement.key.generatedAt)])
        try putKey(replacement, connection)
        // From where somebody else used the key before is not the new holder's to know.
        try connection.execute(KeyHistorySQL.remove, [.id(userID)])
        try connection.execute(KnownDeviceSQL.removeOfUser, [.id(userID)])
        try connection.execute(AccountSQL.setPassword, [.text(""), .id(userID)])
        try connection.execute(IdentitySQL.removeOfUser, [.id(userID)])
        try removeSecondFactor(of: userID, connection)
        try endSignIns(of: userID, at: replacement.key.generatedAt, connection)
    }

    /// Disabling what is disabled, or enabling what is enabled, is no change; but what an Admin has disabled, the operator
    /// can disable as well, and then the Admin enables it no more.
    private static func settingStatus(
        _ status: User.Status, of userID: UserID, _ audit: AuditEvent
    ) -> Write<StoreWrite.Outcome> {
        var locks = RowLocks([(.user(userID), .update)])
        if status == .disabled { locks.add(.sessions(of: userID), .replace) }
        return Write(.user(userID), locking: locks) { connection, locked in
            guard let current = try account(userID, connection) else { throw KeybearerError.noSuchAccount }
            let (isHeld, isOperator) = (try isHeld(userID, connection), audit.actor.isOperator)
            if current.user.status == status, status == .active || isHeld || !isOperator {
                return .nothing(.account(current))
            }
            guard status == .disabled || !isHeld || isOperator else { throw KeybearerError.disabledByOperator }
            try setStatus(status, of: userID, audit, connection)
            guard let account = try account(userID, connection) else { throw KeybearerError.noSuchAccount }
            return .changes(.account(account), with: [])
        }
    }

    /// Sessions are read from the store every time, so no node has to hear of it.
    private static func endingSessions(of userID: UserID, at time: Timestamp) -> Write<StoreWrite.Outcome> {
        let locks = RowLocks([(.user(userID), .update), (.sessions(of: userID), .replace)])
        return Write(nil, locking: locks) { connection, locked in
            guard locked.has(.user(userID)) else { throw KeybearerError.noSuchAccount }
            try locked.requirePerson(userID, "it cannot sign in, so it has no sessions")
            let others = [PortalLinkSQL.unused, SecondFactorSQL.pendingOfUser, MailLinkSQL.wish]
            let hasOthers = try others.contains { try connection.first($0, [.id(userID)]) != nil }
            if locked.all(.sessions(of: userID)).isEmpty, !hasOthers { return .nothing(.done) }
            try endSignIns(of: userID, at: time, connection)
            return .changes(.done, with: [])
        }
    }
}
